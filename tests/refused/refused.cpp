// Calls that would mean something else than they say: none may compile. CMakeLists.txt compiles this file once for each,
// and once without any.
#include "tuff/tuff.h"

namespace {

using namespace tuff;  // NOLINT(google-build-using-namespace)

[[maybe_unused]] void calls(Array& x, const Array& y) {
  // What is meant instead.
  static_cast<void>(sum(x, {0, 1}));
  static_cast<void>(sum(x, 0, {.keepdims = true}));
  static_cast<void>(max(x, {}, {.keepdims = true}));
  static_cast<void>(maximum(x, 0.5));
  static_cast<void>(var(x, {0}, {.ddof = 1}));
  x = y;
#if defined(AXIS_AND_KEEPDIMS)
  static_cast<void>(sum(x, {0, true}));
#elif defined(OPTIONS_FOR_AXES)
  static_cast<void>(sum(x, {.keepdims = true}));
#elif defined(FRACTION_FOR_AXIS)
  static_cast<void>(mean(x, 0.5));
#elif defined(MAX_WITH_NUMBER)
  static_cast<void>(max(x, 0.5));
#elif defined(MAX_WITH_BOOL)
  static_cast<void>(max(x, true));
#elif defined(MIN_WITH_ARRAY)
  static_cast<void>(min(x, y));
#elif defined(ASSIGN_TO_SLICE)
  x[{whole, 0}] = ones({4});
#elif defined(ASSIGN_TO_MASK)
  x[y > 0.0] = y;
#elif defined(ASSIGN_NUMBER)
  x[{whole, 0}] = 0.0;
#endif
}

}  // namespace
