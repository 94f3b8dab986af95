// exp, log and their kin for float32 and float64, at most 2 ulp from the exact value on every target.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/elementwise_math.cpp"
#include "hwy/foreach_target.h"

#include "tuff/kernels/elementwise-inl.h"
#include "tuff/kernels/elementwise_tables.h"
#include "tuff/kernels/sleef-inl.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

// exp(-|x|) neither overflows nor cancels; small results keep their relative accuracy.
template <class D, class V>
HWY_INLINE V logistic(D d, V x) {
  const V one = hn::Set(d, hn::TFromD<D>(1));
  const V e = sleef::exp(hn::CopySign(x, hn::Set(d, hn::TFromD<D>(-1))));
  const V numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one);
  return hn::Div(numerator, hn::Add(one, e));
}

#define TUFF_MATH_(name, expression)                \
  struct name {                                     \
    static constexpr bool kMask = false;            \
    template <class D, class V>                     \
    static HWY_INLINE V apply(D d, V a) {           \
      static_cast<void>(d);                         \
      return expression;                            \
    }                                               \
  };
TUFF_MATH_(Exp, sleef::exp(a))
TUFF_MATH_(Expm1, sleef::expm1(a))
TUFF_MATH_(Log, sleef::log(a))
TUFF_MATH_(Log1p, sleef::log1p(a))
TUFF_MATH_(Sin, sleef::sin(a))
TUFF_MATH_(Cos, sleef::cos(a))
TUFF_MATH_(Tanh, sleef::tanh(a))
TUFF_MATH_(Sigmoid, logistic(d, a))
#undef TUFF_MATH_

struct Power {
  static constexpr bool kMask = false;
  template <class D, class V>
  static HWY_INLINE V apply(D, V a, V b) {
    return sleef::pow(a, b);
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
