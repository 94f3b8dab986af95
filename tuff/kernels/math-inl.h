// exp, expm1, log, log1p, tanh and the logistic function on Highway vectors of float32 and float64.
//
// Included by the sources that need them, once per target. Branches are taken for a whole vector
// only around work whose result the ordinary path would give too: a lane's value never depends on
// its neighbours. Error bounds: the worst of 2e7 points per range, two to four ranges per function,
// against 80-bit arithmetic, over both types and with and without fused multiply-add.
#if defined(TUFF_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUFF_KERNELS_MATH_INL_H_
#undef TUFF_KERNELS_MATH_INL_H_
#else
#define TUFF_KERNELS_MATH_INL_H_
#endif

#include <limits>

#include "hwy/highway.h"

#include "tuff/base/api.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {
namespace math {

namespace hn = hwy::HWY_NAMESPACE;

/// a b + c, rounded once where the target has an instruction for that, and twice elsewhere.
struct AsTheTarget {
  template <class D, class V>
  static HWY_INLINE V mul_add(D, V a, V b, V c) {
    return hn::MulAdd(a, b, c);
  }
};

/// a b + c, rounded once on every target. Without an instruction: the exact product and sum as three numbers, of which
/// the small ones are added with rounding to odd (Boldo & Melquiond, "Emulation of FMA and correctly rounded sums: proved
/// algorithms using rounding to odd", 2008). Of float64 between 2^-480 and 2^480, and 0.
struct RoundedOnce {
  template <class D, class V>
  static HWY_INLINE V mul_add(D d, V a, V b, V c) {
#if HWY_NATIVE_FMA
    (void)d;
    return hn::MulAdd(a, b, c);
#else
    V product_low, sum_low, low;
    const V product = multiply(d, a, b, product_low);
    const V sum = add(c, product_low, sum_low);
    const V high = add(product, sum, low);
    return hn::Add(high, add_to_odd(d, sum_low, low));
#endif
  }

 private:
  /// The sum rounded, and what is missing.
  template <class V>
  static HWY_INLINE V add(V a, V b, V& missing) {
    const V sum = hn::Add(a, b);
    const V of_b = hn::Sub(sum, a);
    missing = hn::Add(hn::Sub(a, hn::Sub(sum, of_b)), hn::Sub(b, of_b));
    return sum;
  }
  /// The product rounded, and what is missing (Dekker 1971).
  template <class D, class V>
  static HWY_INLINE V multiply(D d, V a, V b, V& missing) {
    const V product = hn::Mul(a, b);
    V a_low, b_low;
    const V a_high = upper_half(d, a, a_low);
    const V b_high = upper_half(d, b, b_low);
    missing = hn::Sub(hn::Mul(a_high, b_high), product);
    missing = hn::Add(hn::Add(missing, hn::Mul(a_high, b_low)), hn::Mul(a_low, b_high));
    missing = hn::Add(missing, hn::Mul(a_low, b_low));
    return product;
  }
  template <class D, class V>
  static HWY_INLINE V upper_half(D d, V a, V& lower) {
    const V scaled = hn::Mul(a, hn::Set(d, 134217729.0));  // 2^27 + 1
    const V upper = hn::Sub(scaled, hn::Sub(scaled, a));
    lower = hn::Sub(a, upper);
    return upper;
  }
  /// The sum if it is a number, else the one next to it whose last bit is set.
  template <class D, class V>
  static HWY_INLINE V add_to_odd(D d, V a, V b) {
    const hn::RebindToUnsigned<D> u;
    V missing;
    const V sum = add(a, b, missing);
    const auto bits = hn::BitCast(u, sum);
    const auto one = hn::Set(u, uint64_t{1});
    const auto odd = hn::TestBit(bits, one);
    const auto exact = hn::RebindMask(u, hn::Eq(missing, hn::Zero(d)));
    // Away from zero if what is missing has the sign of the sum.
    const auto differs = hn::ShiftRight<63>(hn::Xor(bits, hn::BitCast(u, missing)));
    const auto stepped = hn::Sub(hn::Add(bits, one), hn::Add(differs, differs));
    return hn::BitCast(d, hn::IfThenElse(hn::Or(odd, exact), bits, stepped));
  }
};

template <class T>
struct Constants;

// ln 2 is cut so that k times its upper part is exact for every exponent k.
template <>
struct Constants<double> {
  static constexpr int kMantissa = 52;
  static constexpr double kRound = 0x1.8p52;  // adding it rounds to an integer in the lowest bits
  static constexpr double kBias = 1023;
  static constexpr double kLog2e = 0x1.71547652b82fep+0;
  static constexpr double kLn2High = 0x1.62e42feep-1;
  static constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  static constexpr double kExpLow = -746;   // exp is 0 from -745.14 on
  static constexpr double kExpHigh = 710;   // and infinite from 709.79 on
  static constexpr double kExpUsual = 708;  // below, exp(x) and exp(-x) are normal numbers
  static constexpr double kExpm1Low = -40;  // expm1 is -1 from -37.5 on
  static constexpr double kTanhOne = 22;    // tanh is 1 from 19.07 on
  static constexpr double kSqrtHalf = 0x1.6a09ep-1;
};
template <>
struct Constants<float> {
  static constexpr int kMantissa = 23;
  static constexpr float kRound = 0x1.8p23F;
  static constexpr float kBias = 127;
  static constexpr float kLog2e = 0x1.715476p+0F;
  static constexpr float kLn2High = 0x1.62e4p-1F;
  static constexpr float kLn2Low = 0x1.7f7d1cp-20F;
  static constexpr float kExpLow = -105;
  static constexpr float kExpHigh = 89;
  static constexpr float kExpUsual = 87;
  static constexpr float kExpm1Low = -20;
  static constexpr float kTanhOne = 10;
  static constexpr float kSqrtHalf = 0x1.6a09e0p-1F;
};

template <class D>
using ConstantsOf = Constants<hn::TFromD<D>>;

// x between two numbers; NaN stays NaN (on x86, Min and Max return their second operand for NaN).
template <class D, class V>
HWY_INLINE V clamp(D d, V x, hn::TFromD<D> low, hn::TFromD<D> high) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::Max(hn::Set(d, low), hn::Min(hn::Set(d, high), x));
#else
  const V bounded = hn::IfThenElse(hn::Gt(x, hn::Set(d, high)), hn::Set(d, high), x);
  return hn::IfThenElse(hn::Lt(bounded, hn::Set(d, low)), hn::Set(d, low), bounded);
#endif
}

// 2^k for whole k between the smallest and the largest normal exponent.
template <class D, class V>
HWY_INLINE V power_of_two(D d, V k) {
  using C = ConstantsOf<D>;
  const hn::RebindToUnsigned<D> u;
  const V biased = hn::Add(k, hn::Set(d, C::kRound + C::kBias));
  return hn::BitCast(d, hn::ShiftLeft<C::kMantissa>(hn::BitCast(u, biased)));
}

// x 2^k, rounded once also when the result is subnormal, for |k| up to twice the largest exponent.
template <class D, class V>
HWY_INLINE V scale(D d, V x, V k) {
#if HWY_TARGET == HWY_AVX3
  static_cast<void>(d);
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    return V{_mm512_scalef_pd(x.raw, k.raw)};
  } else {
    return V{_mm512_scalef_ps(x.raw, k.raw)};
  }
#else
  using C = ConstantsOf<D>;
  const V round = hn::Set(d, C::kRound);
  const V half = hn::Sub(hn::MulAdd(k, hn::Set(d, hn::TFromD<D>(0.5)), round), round);
  return hn::Mul(hn::Mul(x, power_of_two(d, half)), power_of_two(d, hn::Sub(k, half)));
#endif
}

// x = k ln 2 + r with |r| <= ln 2 / 2 (Cody & Waite 1980).
template <class V>
struct Reduced {
  V k, high, r;
};

template <class D, class V>
HWY_INLINE Reduced<V> reduce(D d, V x) {
  using C = ConstantsOf<D>;
  const V round = hn::Set(d, C::kRound);
  const V k = hn::Sub(hn::MulAdd(x, hn::Set(d, C::kLog2e), round), round);
  const V high = hn::NegMulAdd(k, hn::Set(d, C::kLn2High), x);
  return {k, high, hn::NegMulAdd(k, hn::Set(d, C::kLn2Low), high)};
}

// exp(r) for |r| <= ln 2 / 2: 1 + (r + r^2 q(r)), q of degree 9 (4), the minimax fit of the
// relative error of exp: 3.6e-18 (3.1e-9). Terms in pairs: a chain of half the length.
template <class D, class V>
HWY_INLINE V exp_reduced(D d, V r) {
  const V r2 = hn::Mul(r, r);
  V q;
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    const V q0 = hn::MulAdd(r, hn::Set(d, 0x1.55555555554fap-3), hn::Set(d, 0x1.000000000000ap-1));
    const V q2 = hn::MulAdd(r, hn::Set(d, 0x1.1111111127c2fp-7), hn::Set(d, 0x1.555555555086dp-5));
    const V q4 =
        hn::MulAdd(r, hn::Set(d, 0x1.a01a012a45989p-13), hn::Set(d, 0x1.6c16c1842db8cp-10));
    const V q6 =
        hn::MulAdd(r, hn::Set(d, 0x1.71df256a6bf47p-19), hn::Set(d, 0x1.a0199a01e79c1p-16));
    const V q8 =
        hn::MulAdd(r, hn::Set(d, 0x1.ad7f62fe4243ep-26), hn::Set(d, 0x1.28ad7cfa17ab7p-22));
    q = hn::MulAdd(r2, hn::MulAdd(r2, hn::MulAdd(r2, hn::MulAdd(r2, q8, q6), q4), q2), q0);
  } else {
    const V q0 = hn::MulAdd(r, hn::Set(d, 0x1.555492p-3F), hn::Set(d, 0x1.fffffcp-2F));
    const V q2 = hn::MulAdd(r, hn::Set(d, 0x1.1239f2p-7F), hn::Set(d, 0x1.5558f2p-5F));
    q = hn::MulAdd(r2, hn::MulAdd(r2, hn::Set(d, 0x1.6a241ap-10F), q2), q0);
  }
  return hn::Add(hn::Set(d, hn::TFromD<D>(1)), hn::MulAdd(r2, q, r));
}

// exp by way of the factor 2^k in two steps: for results that are subnormal, zero or infinite.
template <class D, class V>
HWY_INLINE V exp_anywhere(D d, V x) {
  using C = ConstantsOf<D>;
  const Reduced<V> x_reduced = reduce(d, clamp(d, x, C::kExpLow, C::kExpHigh));
  return scale(d, exp_reduced(d, x_reduced.r), x_reduced.k);
}

template <class D, class V>
HWY_NOINLINE V exp_unusual(D d, V x) {
  return exp_anywhere(d, x);
}

// At most 1.07 ulp.
template <class D, class V>
HWY_INLINE V exp(D d, V x) {
#if HWY_TARGET == HWY_AVX3
  return exp_anywhere(d, x);
#else
  // Without AVX-512's scalef, adding k to the exponent field is quicker, where it cannot overflow.
  using C = ConstantsOf<D>;
  const hn::RebindToUnsigned<D> u;
  const auto usual = hn::Lt(hn::Abs(x), hn::Set(d, C::kExpUsual));
  if (HWY_UNLIKELY(!hn::AllTrue(d, usual))) return exp_unusual(d, x);
  const Reduced<V> x_reduced = reduce(d, x);
  const auto k = hn::BitCast(u, hn::Add(x_reduced.k, hn::Set(d, C::kRound)));
  const auto power = hn::ShiftLeft<C::kMantissa>(k);
  return hn::BitCast(d, hn::Add(hn::BitCast(u, exp_reduced(d, x_reduced.r)), power));
#endif
}

// 2^k (expm1(r) + (1 - 2^-k)). What rounding loses of r and of the sum goes into c, since they may
// cancel. The series is r + r^2 q(r) with q of degree 10 (5), the minimax fit of the relative error
// of expm1: 2.7e-18 (2.7e-10). At most 1.18 ulp.
template <class D, class V>
HWY_INLINE V expm1(D d, V x) {
  using T = hn::TFromD<D>;
  using C = ConstantsOf<D>;
  const Reduced<V> part = reduce(d, clamp(d, x, C::kExpm1Low, C::kExpHigh));
  const V r = part.r;
  const V r_low = hn::NegMulAdd(part.k, hn::Set(d, C::kLn2Low), hn::Sub(part.high, r));
  const V r2 = hn::Mul(r, r);
  V q;
  if constexpr (sizeof(T) == 8) {
    const V q0 = hn::MulAdd(r, hn::Set(d, 0x1.5555555555557p-3), hn::Set(d, 0x1.0000000000001p-1));
    const V q2 = hn::MulAdd(r, hn::Set(d, 0x1.11111111100e3p-7), hn::Set(d, 0x1.5555555554d3cp-5));
    const V q4 =
        hn::MulAdd(r, hn::Set(d, 0x1.a01a01abe4cedp-13), hn::Set(d, 0x1.6c16c16f0a7e6p-10));
    const V q6 =
        hn::MulAdd(r, hn::Set(d, 0x1.71de0239b4a9ep-19), hn::Set(d, 0x1.a019f3960a65fp-16));
    const V q8 =
        hn::MulAdd(r, hn::Set(d, 0x1.af4ddbcb8bb79p-26), hn::Set(d, 0x1.280225b0c88a6p-22));
    const V q10 = hn::Set(d, 0x1.e632344ec863dp-30);
    q = hn::MulAdd(r2, hn::MulAdd(r2, hn::MulAdd(r2, hn::MulAdd(r2, q10, q8), q6), q4), q2);
    q = hn::MulAdd(r2, q, q0);
  } else {
    const V q0 = hn::MulAdd(r, hn::Set(d, 0x1.555556p-3F), hn::Set(d, 0.5F));
    const V q2 = hn::MulAdd(r, hn::Set(d, 0x1.11101ep-7F), hn::Set(d, 0x1.55549ep-5F));
    const V q4 = hn::MulAdd(r, hn::Set(d, 0x1.a2a33ap-13F), hn::Set(d, 0x1.6d835ep-10F));
    q = hn::MulAdd(r2, hn::MulAdd(r2, q4, q2), q0);
  }
  const V one = hn::Set(d, T(1));
  const V t = hn::Sub(one, power_of_two(d, hn::Neg(hn::Min(part.k, hn::Set(d, T(100))))));
  const V s = hn::Add(t, r);
  const V s_low = hn::Sub(r, hn::Sub(s, t));
  const V sum = hn::Add(s, hn::Add(hn::MulAdd(r2, q, r_low), s_low));
  return hn::CopySign(scale(d, sum, part.k), x);
}

// 1 / (1 + exp(-x)) by exp(-|x|), which neither overflows nor cancels: small results keep their
// accuracy. What rounding lost of the denominator is put back to first order, with 1 - e / 2 for
// the inverse of 1 + e. At most 1.97 ulp.
template <class D, class V>
HWY_INLINE V logistic(D d, V x) {
  using T = hn::TFromD<D>;
  const V one = hn::Set(d, T(1));
  const V e = exp(d, hn::CopySign(x, hn::Set(d, T(-1))));
  const V numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one);
  const V denominator = hn::Add(one, e);
  const V lost = hn::Sub(e, hn::Sub(denominator, one));
  const V quotient = hn::Div(numerator, denominator);
  const V inverse = hn::NegMulAdd(e, hn::Set(d, T(0.5)), one);
  return hn::NegMulAdd(hn::Mul(quotient, lost), inverse, quotient);
}

// Cephes' tanh.c and tanhf.c (Moshier 1989): x + x z R(z) with z = x^2 below 0.625, else 1 - 2 /
// (exp(2 x) + 1). Both quotients share one division. At most 1.34 ulp.
template <class D, class V>
HWY_INLINE V tanh(D d, V x) {
  using T = hn::TFromD<D>;
  const V one = hn::Set(d, T(1));
  const V two = hn::Set(d, T(2));
  const V size = hn::Abs(x);
  const auto small = hn::Lt(size, hn::Set(d, T(0.625)));
  const V bounded = clamp(d, size, T(0), ConstantsOf<D>::kTanhOne);
  const V e = exp(d, hn::Add(bounded, bounded));
  const V z = hn::Mul(size, size);
  if constexpr (sizeof(T) == 8) {
    V p = hn::MulAdd(z, hn::Set(d, -9.64399179425052238628e-1),
                     hn::Set(d, -9.92877231001918586564e1));
    p = hn::MulAdd(z, p, hn::Set(d, -1.61468768441708447952e3));
    V q = hn::Add(z, hn::Set(d, 1.12811678491632931402e2));
    q = hn::MulAdd(z, hn::MulAdd(z, q, hn::Set(d, 2.23548839060100448583e3)),
                   hn::Set(d, 4.84406305325125486048e3));
    const V numerator = hn::IfThenElse(small, hn::Mul(hn::Mul(size, z), p), two);
    const V quotient = hn::Div(numerator, hn::IfThenElse(small, q, hn::Add(e, one)));
    const V result = hn::IfThenElse(small, hn::Add(size, quotient), hn::Sub(one, quotient));
    return hn::CopySign(result, x);
  } else {
    V p = hn::MulAdd(z, hn::Set(d, -5.70498872745e-3F), hn::Set(d, 2.06390887954e-2F));
    p = hn::MulAdd(z, hn::MulAdd(z, p, hn::Set(d, -5.37397155531e-2F)),
                   hn::Set(d, 1.33314422036e-1F));
    p = hn::MulAdd(z, p, hn::Set(d, -3.33332819422e-1F));
    const V near_zero = hn::MulAdd(hn::Mul(size, z), p, size);
    const V result = hn::IfThenElse(small, near_zero, hn::Sub(one, hn::Div(two, hn::Add(e, one))));
    return hn::CopySign(result, x);
  }
}

// x = 2^k m with m in [sqrt(1/2), sqrt(2)), for positive normal x.
template <class D, class V>
HWY_INLINE V split(D d, V x, V& k) {
  using T = hn::TFromD<D>;
  using C = ConstantsOf<D>;
  const hn::RebindToUnsigned<D> u;
  using U = hn::TFromD<decltype(u)>;
  const auto one = hn::BitCast(u, hn::Set(d, T(1)));
  const auto lowest = hn::BitCast(u, hn::Set(d, C::kSqrtHalf));
  const auto shifted = hn::Add(hn::BitCast(u, x), hn::Sub(one, lowest));
  // The biased exponent, placed in the low bits of 2^mantissa, is that number plus the exponent.
  constexpr T kOffset = static_cast<T>(U(1) << C::kMantissa);
  const auto exponent = hn::ShiftRight<C::kMantissa>(shifted);
  k = hn::Sub(hn::BitCast(d, hn::Or(exponent, hn::BitCast(u, hn::Set(d, kOffset)))),
              hn::Set(d, kOffset + C::kBias));
  const auto fraction = hn::And(shifted, hn::Set(u, (U(1) << C::kMantissa) - 1));
  return hn::BitCast(d, hn::Add(fraction, lowest));
}

// log(1 + f) + k ln 2 + c for 1 + f in [sqrt(1/2), sqrt(2)) and small c: with s = f / (2 + f),
// log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + R(s^2)). Coefficients and order: fdlibm's e_log.c (Sun
// 1993).
template <class M, class D, class V>
HWY_INLINE V log_core(D d, V f, V k, V c) {
  using T = hn::TFromD<D>;
  using C = ConstantsOf<D>;
  const V s = hn::Div(f, hn::Add(hn::Set(d, T(2)), f));
  const V z = hn::Mul(s, s);
  const V w = hn::Mul(z, z);
  V even, odd;
  if constexpr (sizeof(T) == 8) {
    even = M::mul_add(d, w,
                      M::mul_add(d, w, hn::Set(d, 1.531383769920937332e-01),
                                 hn::Set(d, 2.222219843214978396e-01)),
                      hn::Set(d, 3.999999999940941908e-01));
    odd = M::mul_add(d, w, hn::Set(d, 1.479819860511658591e-01),
                     hn::Set(d, 1.818357216161805012e-01));
    odd = M::mul_add(d, w, M::mul_add(d, w, odd, hn::Set(d, 2.857142874366239149e-01)),
                     hn::Set(d, 6.666666666666735130e-01));
  } else {
    even = M::mul_add(d, w, hn::Set(d, 0xf89e26p-26F), hn::Set(d, 0xccce13p-25F));
    odd = M::mul_add(d, w, hn::Set(d, 0x91e9eep-25F), hn::Set(d, 0xaaaaaap-24F));
  }
  const V series = M::mul_add(d, w, even, hn::Mul(z, odd));
  const V half_square = hn::Mul(hn::Mul(f, f), hn::Set(d, T(0.5)));
  const V low = M::mul_add(d, k, hn::Set(d, C::kLn2Low), c);
  const V correction = M::mul_add(d, s, hn::Add(half_square, series), low);
  return M::mul_add(d, k, hn::Set(d, C::kLn2High), hn::Sub(f, hn::Sub(half_square, correction)));
}

template <class M = AsTheTarget, class D, class V>
HWY_INLINE V log_positive(D d, V x) {
  V k;
  const V m = split(d, x, k);
  return log_core<M>(d, hn::Sub(m, hn::Set(d, hn::TFromD<D>(1))), k, hn::Zero(d));
}

// Lanes that are not positive normal numbers.
template <class D, class V>
HWY_NOINLINE V log_unusual(D d, V x, V ordinary) {
  using T = hn::TFromD<D>;
  using C = ConstantsOf<D>;
  constexpr T kMin = std::numeric_limits<T>::min();
  const V zero = hn::Zero(d);
  const V infinity = hn::Set(d, std::numeric_limits<T>::infinity());
  // Subnormals are scaled by 2^kMantissa first.
  constexpr T kScale = T(1) / std::numeric_limits<T>::epsilon();
  const V scaled = hn::Mul(x, hn::Set(d, kScale));
  V k;
  const V m = split(d, scaled, k);
  const V small = log_core<AsTheTarget>(d, hn::Sub(m, hn::Set(d, T(1))),
                                        hn::Sub(k, hn::Set(d, T(C::kMantissa))), zero);
  V result = hn::IfThenElse(hn::Lt(x, hn::Set(d, kMin)), small, ordinary);
  result = hn::IfThenElse(hn::Eq(x, infinity), x, result);
  result = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), result);
  const auto undefined = hn::Or(hn::Lt(x, zero), hn::IsNaN(x));
  return hn::IfThenElse(undefined, hn::Set(d, std::numeric_limits<T>::quiet_NaN()), result);
}

// At most 0.84 ulp.
template <class D, class V>
HWY_INLINE V log(D d, V x) {
  using T = hn::TFromD<D>;
  const V ordinary = log_positive(d, x);
  const auto usual = hn::And(hn::Ge(x, hn::Set(d, std::numeric_limits<T>::min())),
                             hn::Lt(x, hn::Set(d, std::numeric_limits<T>::infinity())));
  if (HWY_LIKELY(hn::AllTrue(d, usual))) return ordinary;
  return log_unusual(d, x, ordinary);
}

// log(u) + c / u for u = 1 + x rounded and c what rounding lost (fdlibm's s_log1p.c); where 1 + x
// lies in [sqrt(1/2), sqrt(2)) anyway, f is x itself and nothing is lost. At most 0.85 ulp.
template <class D, class V>
HWY_INLINE V log1p(D d, V x) {
  using T = hn::TFromD<D>;
  const V one = hn::Set(d, T(1));
  const V u = hn::Add(one, x);
  V k;
  const V m = split(d, u, k);
  const V lost_of_large = hn::Sub(one, hn::Sub(u, x));
  const V lost_of_small = hn::Sub(x, hn::Sub(u, one));
  const V lost = hn::Div(hn::IfThenElse(hn::Ge(x, one), lost_of_large, lost_of_small), u);
  const auto direct = hn::And(hn::Gt(x, hn::Set(d, T(-0.2928))), hn::Lt(x, hn::Set(d, T(0.4142))));
  const V f = hn::IfThenElse(direct, x, hn::Sub(m, one));
  V result =
      log_core<AsTheTarget>(d, f, hn::IfThenZeroElse(direct, k), hn::IfThenZeroElse(direct, lost));
  result = hn::CopySign(result, x);
  const V infinity = hn::Set(d, std::numeric_limits<T>::infinity());
  const auto usual = hn::And(hn::Gt(x, hn::Set(d, T(-1))), hn::Lt(x, infinity));
  if (HWY_LIKELY(hn::AllTrue(d, usual))) return result;
  result = hn::IfThenElse(hn::Eq(x, infinity), x, result);
  result = hn::IfThenElse(hn::Eq(x, hn::Set(d, T(-1))), hn::Neg(infinity), result);
  const auto undefined = hn::Or(hn::Lt(x, hn::Set(d, T(-1))), hn::IsNaN(x));
  return hn::IfThenElse(undefined, hn::Set(d, std::numeric_limits<T>::quiet_NaN()), result);
}

}  // namespace math
}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
