// float32 and float64 operations that IEEE 754 rounds exactly, and comparisons: values are the same
// on every instruction set.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/elementwise_float.cpp"

#include <cmath>

#include "hwy/foreach_target.h"

#include "tuff/kernels/elementwise-inl.h"
#include "tuff/kernels/elementwise_tables.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

struct Arithmetic {
  static constexpr bool kMask = false;
};
struct Predicate {
  static constexpr bool kMask = true;
};

#define TUFF_OP1_(name, kind, expression)    \
  struct name : kind {                       \
    template <class D, class V>              \
    static HWY_INLINE auto apply(D d, V a) { \
      static_cast<void>(d);                  \
      return expression;                     \
    }                                        \
  };
#define TUFF_OP2_(name, kind, expression)         \
  struct name : kind {                            \
    template <class D, class V>                   \
    static HWY_INLINE auto apply(D d, V a, V b) { \
      static_cast<void>(d);                       \
      return expression;                          \
    }                                             \
  };

// NumPy: the first operand if it is NaN, else the second if that is NaN. On x86 Min and Max return
// their second operand when either is NaN; on other targets a comparison does the same.
template <class D, class V>
HWY_INLINE V lesser(D, V a, V b) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const V m = hn::Min(a, b);
#else
  const V m = hn::IfThenElse(hn::Lt(a, b), a, b);
#endif
  return hn::IfThenElse(hn::IsNaN(a), a, m);
}
template <class D, class V>
HWY_INLINE V greater(D, V a, V b) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const V m = hn::Max(a, b);
#else
  const V m = hn::IfThenElse(hn::Gt(a, b), a, b);
#endif
  return hn::IfThenElse(hn::IsNaN(a), a, m);
}

template <class D>
HWY_NOINLINE hn::Vec<D> modulo_by_library(D d, hn::Vec<D> a, hn::Vec<D> b) {
  using T = hn::TFromD<D>;
  HWY_ALIGN T x[kMaxLanes<T>];
  HWY_ALIGN T y[kMaxLanes<T>];
  hn::Store(a, d, x);
  hn::Store(b, d, y);
  for (size_t i = 0; i < hn::Lanes(d); ++i) x[i] = std::fmod(x[i], y[i]);
  return hn::Load(d, x);
}

// fmod, exact as it is by definition. With q = trunc(a / b) below 2^50 (2^20 for float32), a - q b
// is exact in one fused operation: q is the true quotient or, when a / b rounded up to an integer,
// one too far from zero, which the sign of the remainder shows.
template <class D>
HWY_INLINE hn::Vec<D> modulo(D d, hn::Vec<D> a, hn::Vec<D> b) {
#if HWY_NATIVE_FMA
  using V = hn::Vec<D>;
  using T = hn::TFromD<D>;
  const V limit = hn::Set(d, static_cast<T>(sizeof(T) == 8 ? 0x1p50 : 0x1p20));
  const V q = hn::Trunc(hn::Div(a, b));
  const V r = hn::NegMulAdd(q, b, a);
  const auto overshot = hn::Lt(hn::Mul(hn::CopySign(hn::Set(d, T(1)), a), r), hn::Zero(d));
  const V back = hn::CopySign(b, a);
  const V fixed = hn::CopySign(hn::IfThenElse(overshot, hn::Add(r, back), r), a);
  const auto ordinary = hn::And(hn::Lt(hn::Abs(q), limit), hn::IsFinite(b));
  if (HWY_LIKELY(hn::AllTrue(d, ordinary))) return fixed;
  return hn::IfThenElse(ordinary, fixed, modulo_by_library(d, a, b));
#else
  return modulo_by_library(d, a, b);
#endif
}

// The remainder takes the divisor's sign.
template <class D, class V>
HWY_INLINE V python_remainder(D d, V a, V b) {
  const V zero = hn::Zero(d);
  const V mod = modulo(d, a, b);
  const auto exact = hn::Eq(mod, zero);
  const auto differ = hn::Xor(hn::Lt(b, zero), hn::Lt(mod, zero));
  const V shifted = hn::IfThenElse(differ, hn::Add(mod, b), mod);
  const V result = hn::IfThenElse(exact, hn::CopySign(zero, b), shifted);
  return hn::IfThenElse(hn::Eq(b, zero), mod, result);
}

// NumPy's divmod, step by step: the quotient is (a - mod) / b, then snapped to an integer.
template <class D, class V>
HWY_INLINE V python_floor_divide(D d, V a, V b) {
  using T = hn::TFromD<D>;
  const V zero = hn::Zero(d);
  const V one = hn::Set(d, T(1));
  const V mod = modulo(d, a, b);
  V quotient = hn::Div(hn::Sub(a, mod), b);
  const auto differ = hn::And(hn::Ne(mod, zero), hn::Xor(hn::Lt(b, zero), hn::Lt(mod, zero)));
  quotient = hn::IfThenElse(differ, hn::Sub(quotient, one), quotient);
  const V below = hn::Floor(quotient);
  const auto up = hn::Gt(hn::Sub(quotient, below), hn::Set(d, T(0.5)));
  const V snapped = hn::IfThenElse(up, hn::Add(below, one), below);
  const V plain = hn::Div(a, b);
  const V result = hn::IfThenElse(hn::Eq(quotient, zero), hn::CopySign(zero, plain), snapped);
  return hn::IfThenElse(hn::Eq(b, zero), plain, result);
}

template <class D, class V>
HWY_INLINE V sign_of(D d, V a) {
  using T = hn::TFromD<D>;
  const V zero = hn::Zero(d);
  const auto nonzero = hn::Or(hn::Lt(a, zero), hn::Gt(a, zero));
  // a + 0 keeps NaN and turns -0 into 0.
  return hn::IfThenElse(nonzero, hn::CopySign(hn::Set(d, T(1)), a), hn::Add(a, zero));
}

template <class D, class V>
HWY_INLINE V one_over(D d, V a) {
  return hn::Div(hn::Set(d, hn::TFromD<D>(1)), a);
}

// Highway's scalar floor and ceil lose the sign of zero.
template <class V>
HWY_INLINE V floor_of(V a) {
  return HWY_TARGET == HWY_SCALAR ? hn::CopySign(hn::Floor(a), a) : hn::Floor(a);
}
template <class V>
HWY_INLINE V ceil_of(V a) {
  return HWY_TARGET == HWY_SCALAR ? hn::CopySign(hn::Ceil(a), a) : hn::Ceil(a);
}

TUFF_OP1_(Negative, Arithmetic, hn::Neg(a))
TUFF_OP1_(Absolute, Arithmetic, hn::Abs(a))
TUFF_OP1_(Sign, Arithmetic, sign_of(d, a))
TUFF_OP1_(Square, Arithmetic, hn::Mul(a, a))
TUFF_OP1_(Reciprocal, Arithmetic, one_over(d, a))
TUFF_OP1_(Sqrt, Arithmetic, hn::Sqrt(a))
TUFF_OP1_(Floor, Arithmetic, floor_of(a))
TUFF_OP1_(Ceil, Arithmetic, ceil_of(a))
TUFF_OP1_(IsNan, Predicate, hn::IsNaN(a))
TUFF_OP1_(IsFinite, Predicate, hn::IsFinite(a))
TUFF_OP2_(Add, Arithmetic, hn::Add(a, b))
TUFF_OP2_(Subtract, Arithmetic, hn::Sub(a, b))
TUFF_OP2_(Multiply, Arithmetic, hn::Mul(a, b))
TUFF_OP2_(Divide, Arithmetic, hn::Div(a, b))
TUFF_OP2_(FloorDivide, Arithmetic, python_floor_divide(d, a, b))
TUFF_OP2_(Remainder, Arithmetic, python_remainder(d, a, b))
TUFF_OP2_(Minimum, Arithmetic, lesser(d, a, b))
TUFF_OP2_(Maximum, Arithmetic, greater(d, a, b))
TUFF_OP2_(Equal, Predicate, hn::Eq(a, b))
// Highway 1.0.3 calls NaN and anything "not unequal" on x86, so its Ne is of no use here.
TUFF_OP2_(NotEqual, Predicate, hn::Not(hn::Eq(a, b)))
TUFF_OP2_(Less, Predicate, hn::Lt(a, b))
TUFF_OP2_(LessEqual, Predicate, hn::Le(a, b))
TUFF_OP2_(Greater, Predicate, hn::Gt(a, b))
TUFF_OP2_(GreaterEqual, Predicate, hn::Ge(a, b))

struct Clip : Arithmetic {
  template <class D, class V>
  static HWY_INLINE V apply(D d, V x, V low, V high) {
    return lesser(d, greater(d, x, low), high);
  }
};

template <class T>
ElementwiseKernel find_float_of(Elementwise op, unsigned scalars) {
  switch (op) {
    case Elementwise::negative: return unary<Negative, T>(scalars);
    case Elementwise::absolute: return unary<Absolute, T>(scalars);
    case Elementwise::sign: return unary<Sign, T>(scalars);
    case Elementwise::square: return unary<Square, T>(scalars);
    case Elementwise::reciprocal: return unary<Reciprocal, T>(scalars);
    case Elementwise::sqrt: return unary<Sqrt, T>(scalars);
    case Elementwise::floor: return unary<Floor, T>(scalars);
    case Elementwise::ceil: return unary<Ceil, T>(scalars);
    case Elementwise::isnan: return unary<IsNan, T>(scalars);
    case Elementwise::isfinite: return unary<IsFinite, T>(scalars);
    case Elementwise::add: return binary<Add, T>(scalars);
    case Elementwise::subtract: return binary<Subtract, T>(scalars);
    case Elementwise::multiply: return binary<Multiply, T>(scalars);
    case Elementwise::divide: return binary<Divide, T>(scalars);
    case Elementwise::floor_divide: return binary<FloorDivide, T>(scalars);
    case Elementwise::remainder: return binary<Remainder, T>(scalars);
    case Elementwise::minimum: return binary<Minimum, T>(scalars);
    case Elementwise::maximum: return binary<Maximum, T>(scalars);
    case Elementwise::equal: return binary<Equal, T>(scalars);
    case Elementwise::not_equal: return binary<NotEqual, T>(scalars);
    case Elementwise::less: return binary<Less, T>(scalars);
    case Elementwise::less_equal: return binary<LessEqual, T>(scalars);
    case Elementwise::greater: return binary<Greater, T>(scalars);
    case Elementwise::greater_equal: return binary<GreaterEqual, T>(scalars);
    case Elementwise::clip: return ternary<Clip, T>(scalars);
    default: return nullptr;
  }
}

// run2() past the caches. A part of a vector in front takes `out` to a whole one.
template <class Op, class T>
HWY_NOINLINE void stream2(const T* a, size_t a_step, const T* b, size_t b_step, T* out, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d), vector = lanes * sizeof(T);
  const size_t off = reinterpret_cast<uintptr_t>(out) % vector / sizeof(T);
  const size_t head = off == 0 ? 0 : lanes - off < n ? lanes - off : n;
  if (head > 0) {
    apply_part<Op>(d, out, head, load_part(d, a, head), load_part(d, b, head));
    if (a_step > 0) a += head;
    if (b_step > 0) b += head;
    out += head;
    n -= head;
  }
  for (; n >= lanes; n -= lanes) {
    hn::Stream(Op::apply(d, hn::LoadU(d, a), hn::LoadU(d, b)), d, out);
    a += a_step;
    b += b_step;
    out += lanes;
  }
  if (n > 0) apply_part<Op>(d, out, n, load_part(d, a, n), load_part(d, b, n));
}

template <class Op, class T, unsigned kScalars>
void stream_entry2(const void* const* operands, void* out, size_t n) {
  const Operand<T, kScalars, 0> a(operands);
  const Operand<T, kScalars, 1> b(operands);
  stream2<Op, T>(a.data, a.step(), b.data, b.step(), static_cast<T*>(out), n);
}

template <class Op, class T>
ElementwiseKernel streaming(unsigned scalars) {
  switch (scalars) {
    case 0: return &stream_entry2<Op, T, 0>;
    case 1: return &stream_entry2<Op, T, 1>;
    case 2: return &stream_entry2<Op, T, 2>;
    default: return nullptr;
  }
}

template <class T>
ElementwiseKernel find_streaming_of(Elementwise op, unsigned scalars) {
  switch (op) {
    case Elementwise::add: return streaming<Add, T>(scalars);
    case Elementwise::subtract: return streaming<Subtract, T>(scalars);
    case Elementwise::multiply: return streaming<Multiply, T>(scalars);
    case Elementwise::divide: return streaming<Divide, T>(scalars);
    default: return nullptr;
  }
}

ElementwiseKernel find_streaming_here(Elementwise op, DType operand, unsigned scalars) {
  if (operand == DType::float64) return find_streaming_of<double>(op, scalars);
  if (operand == DType::float32) return find_streaming_of<float>(op, scalars);
  return nullptr;
}

ElementwiseKernel find_float_here(Elementwise op, DType operand, unsigned scalars) {
  return operand == DType::float64 ? find_float_of<double>(op, scalars)
                                   : find_float_of<float>(op, scalars);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {

ElementwiseKernel find_streaming(Elementwise op, DType operand, unsigned scalars) {
  return TUFF_DISPATCH(find_streaming_here)(op, operand, scalars);
}

ElementwiseKernel find_float(Elementwise op, DType operand, unsigned scalars) {
  return TUFF_DISPATCH(find_float_here)(op, operand, scalars);
}

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
