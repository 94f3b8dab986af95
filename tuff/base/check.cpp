// What happens when an invariant is broken: one InternalError with place, expression and values.
#include "tuff/base/check.h"

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN
namespace detail {

void check_failed(const char* file, int line, const char* expression, const std::string& values) {
  throw InternalError(fmt::format("[internal] {}:{}: check failed: {}{}", file, line, expression,
                                  values.empty() ? "" : " (" + values + ")"));
}

}  // namespace detail
TUFF_NAMESPACE_END
