// Errors of Value, kept out of line.
#include "tuff/base/value.h"

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN

void Value::wrong_type(const std::type_info& asked) const {
  throw InternalError(fmt::format("[value] holds {}, asked for {}",
                                  type_ != nullptr ? type_->info->name() : "nothing",
                                  asked.name()));
}

void Value::not_copyable(const std::type_info& type) {
  throw InternalError(fmt::format("[value] {} cannot be copied", type.name()));
}

TUFF_NAMESPACE_END
