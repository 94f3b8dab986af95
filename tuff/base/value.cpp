// Errors of Value, kept out of line.
#include "tuff/base/value.h"

#include <cstdlib>
#include <string>

#include <cxxabi.h>
#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN

void Value::wrong_type(const std::type_info& asked) const {
  throw InternalError(fmt::format("[value] holds {}, asked for {}",
                                  type_ != nullptr ? type_->info->name() : "nothing",
                                  asked.name()));
}

void Value::not_copyable(const std::type_info& type) {
  int status = 0;
  char* const name = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  const std::string text = status == 0 ? name : type.name();
  std::free(name);
  throw InvalidArgument("value",
                        fmt::format("two are needed of one {}, which cannot be copied; ask for it "
                                    "once, or hold it in a std::shared_ptr",
                                    text));
}

TUFF_NAMESPACE_END
