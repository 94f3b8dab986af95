// Conversion between every pair of element types: plain loops that the compiler vectorises per
// target.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/cast.cpp"

#include <cstring>
#include <limits>
#include <type_traits>

#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "tuff/kernels/elementwise.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

template <class From, class To>
HWY_INLINE To convert(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // The truncated value fits when x lies in (least - 1, greatest + 1). The lower bound is exact
    // in From only if From's mantissa is longer than To; else no value lies between least - 1 and
    // least.
    using Limits = std::numeric_limits<To>;
    constexpr To kHalf = Limits::max() / 2 + 1;
    constexpr From kAbove = static_cast<From>(kHalf) * From(2);
    constexpr bool kExact = std::numeric_limits<From>::digits > Limits::digits;
    constexpr From kLeast = static_cast<From>(Limits::min());
    constexpr From kBelow = kExact ? kLeast - From(1) : kLeast;
    const bool fits = bool((kExact ? x > kBelow : x >= kBelow) & (x < kAbove));
    const To truncated = static_cast<To>(fits ? x : From(0));
    return fits ? truncated : Limits::min();
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
void cast_loop(const void* in, void* out, size_t n) {
  const From* from = static_cast<const From*>(in);
  To* to = static_cast<To*>(out);
  for (size_t i = 0; i < n; ++i) to[i] = convert<From, To>(from[i]);
}

template <size_t kSize>
void copy_loop(const void* in, void* out, size_t n) {
  if (n > 0) std::memmove(out, in, n * kSize);
}

// The type that stands for T: integers of one size convert alike *to* every type but float, and
// conversion to an integer wraps, so only the source's sign matters between integers.
template <class From, class To>
CastKernel cast_of() {
  if constexpr (std::is_same_v<From, To>) {
    return &copy_loop<sizeof(From)>;
  } else if constexpr (std::is_same_v<From, bool> && !std::is_same_v<To, bool>) {
    return cast_of<uint8_t, To>();
  } else if constexpr (std::is_integral_v<From> && std::is_integral_v<To> &&
                       !std::is_same_v<To, bool>) {
    if constexpr (sizeof(From) == sizeof(To))
      return &copy_loop<sizeof(From)>;
    else if constexpr (sizeof(From) > sizeof(To))
      return &cast_loop<std::make_unsigned_t<From>, std::make_unsigned_t<To>>;
    else
      return &cast_loop<From, std::make_unsigned_t<To>>;
  } else if constexpr (std::is_integral_v<From> && std::is_same_v<To, bool>) {
    return &cast_loop<std::make_unsigned_t<From>, bool>;
  } else {
    return &cast_loop<From, To>;
  }
}

CastKernel find_cast_here(DType from, DType to) {
  return visit_dtype(from, [to](auto source) {
    return visit_dtype(to,
                       [](auto target) { return cast_of<decltype(source), decltype(target)>(); });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {

CastKernel find_cast(DType from, DType to) { return TUFF_DISPATCH(find_cast_here)(from, to); }

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
