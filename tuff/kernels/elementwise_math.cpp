// exp, log and their kin for float32 and float64, at most 2 ulp from the exact value on every
// target.
//
// What is hot is ours (math-inl.h): exp in 0.6 of the time of glibc's vector exp and half that of
// SLEEF's (AVX-512, Zen 5). sin, cos and pow are SLEEF's, which are exact enough and handle every
// special value. Highway's math is not used: it clamps exp and strays up to 4 ulp.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/elementwise_math.cpp"

#include <cmath>

#include "hwy/foreach_target.h"

#include "tuff/kernels/elementwise-inl.h"
#include "tuff/kernels/elementwise_tables.h"
#include "tuff/kernels/math-inl.h"
#include "tuff/kernels/sleef-inl.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

#define TUFF_MATH_(name, expression)      \
  struct name {                           \
    static constexpr bool kMask = false;  \
    template <class D, class V>           \
    static HWY_INLINE V apply(D d, V a) { \
      static_cast<void>(d);               \
      return expression;                  \
    }                                     \
  };
TUFF_MATH_(Exp, math::exp(d, a))
TUFF_MATH_(Expm1, math::expm1(d, a))
TUFF_MATH_(Log, math::log(d, a))
TUFF_MATH_(Log1p, math::log1p(d, a))
TUFF_MATH_(Sin, sleef::sin(a))
TUFF_MATH_(Cos, sleef::cos(a))
TUFF_MATH_(Tanh, math::tanh(d, a))
TUFF_MATH_(Sigmoid, math::logistic(d, a))
#undef TUFF_MATH_

template <class D, class V>
HWY_NOINLINE V power_by_library(D d, V a, V b) {
  using T = hn::TFromD<D>;
  HWY_ALIGN T x[kMaxLanes<T>];
  HWY_ALIGN T y[kMaxLanes<T>];
  hn::Store(a, d, x);
  hn::Store(b, d, y);
  for (size_t i = 0; i < hn::Lanes(d); ++i) x[i] = std::pow(x[i], y[i]);
  return hn::Load(d, x);
}

// SLEEF's pow overflows a little early (from 1 - 1e-12 times the largest number on): where it says
// infinite, the C library decides.
struct Power {
  static constexpr bool kMask = false;
  template <class D, class V>
  static HWY_INLINE V apply(D d, V a, V b) {
    const V result = sleef::pow(a, b);
    const auto overflow = hn::IsInf(result);
    if (HWY_LIKELY(hn::AllFalse(d, overflow))) return result;
    return hn::IfThenElse(overflow, power_by_library(d, a, b), result);
  }
};

template <class T>
ElementwiseKernel find_math_of(Elementwise op, unsigned scalars) {
  switch (op) {
    case Elementwise::exp: return unary<Exp, T>(scalars);
    case Elementwise::expm1: return unary<Expm1, T>(scalars);
    case Elementwise::log: return unary<Log, T>(scalars);
    case Elementwise::log1p: return unary<Log1p, T>(scalars);
    case Elementwise::sin: return unary<Sin, T>(scalars);
    case Elementwise::cos: return unary<Cos, T>(scalars);
    case Elementwise::tanh: return unary<Tanh, T>(scalars);
    case Elementwise::sigmoid: return unary<Sigmoid, T>(scalars);
    case Elementwise::power: return binary<Power, T>(scalars);
    default: return nullptr;
  }
}

ElementwiseKernel find_math_here(Elementwise op, DType operand, unsigned scalars) {
  return operand == DType::float64 ? find_math_of<double>(op, scalars)
                                   : find_math_of<float>(op, scalars);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {

ElementwiseKernel find_math(Elementwise op, DType operand, unsigned scalars) {
  return TUFF_DISPATCH(find_math_here)(op, operand, scalars);
}

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
