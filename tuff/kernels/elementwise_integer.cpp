// Integer and bool operations, and `where` of every type: plain loops.
//
// The compiler turns these into vector code for each target (measured: int32 and
// int64 arithmetic, min, max and comparisons run at the speed of L1), so that 9 types need no
// hand-written vectors. Scalar operands are splatted into a short tile: only the all-vector loop is
// compiled.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/elementwise_integer.cpp"

#include <bit>
#include <type_traits>

#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "tuff/kernels/elementwise_tables.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

// The unsigned type in which arithmetic of T wraps; at least unsigned int, because uint16_t times
// uint16_t would be computed in int and overflow.
template <class T>
using Wrapping = std::common_type_t<unsigned, std::make_unsigned_t<T>>;

struct SameType {
  static constexpr bool kPredicate = false;
  static constexpr bool kHasVectors = true;
};
struct ToBool {
  static constexpr bool kPredicate = true;
  static constexpr bool kHasVectors = true;
};
// No processor divides vectors of integers, and powers take as many steps as the exponent has bits.
struct OneByOne : SameType {
  static constexpr bool kHasVectors = false;
};

#define TUFF_OP1_(name, kind, type, expression) \
  struct name : kind {                          \
    template <class T>                          \
    static HWY_INLINE type apply(T a) {         \
      return static_cast<type>(expression);     \
    }                                           \
  };
#define TUFF_OP2_(name, kind, type, expression) \
  struct name : kind {                          \
    template <class T>                          \
    static HWY_INLINE type apply(T a, T b) {    \
      return static_cast<type>(expression);     \
    }                                           \
  };

TUFF_OP1_(Negative, SameType, T, Wrapping<T>(0) - static_cast<Wrapping<T>>(a))
TUFF_OP1_(Absolute, SameType, T, a < T(0) ? Negative::apply(a) : a)
TUFF_OP1_(Identity, SameType, T, a)
TUFF_OP1_(Sign, SameType, T, static_cast<int>(a > T(0)) - static_cast<int>(a < T(0)))
TUFF_OP1_(Square, SameType, T, static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(a))
TUFF_OP1_(Not, SameType, T, a ^ T(1))
TUFF_OP2_(Add, SameType, T, static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b))
TUFF_OP2_(Subtract, SameType, T, static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b))
TUFF_OP2_(Multiply, SameType, T, static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b))
TUFF_OP2_(Minimum, SameType, T, a < b ? a : b)
TUFF_OP2_(Maximum, SameType, T, a > b ? a : b)
TUFF_OP2_(And, SameType, bool, (a & b))
TUFF_OP2_(Or, SameType, bool, a | b)
TUFF_OP2_(Xor, SameType, bool, a ^ b)
TUFF_OP2_(Equal, ToBool, bool, a == b)
TUFF_OP2_(NotEqual, ToBool, bool, a != b)
TUFF_OP2_(Less, ToBool, bool, a < b)
TUFF_OP2_(LessEqual, ToBool, bool, a <= b)
TUFF_OP2_(Greater, ToBool, bool, a > b)
TUFF_OP2_(GreaterEqual, ToBool, bool, a >= b)

// Python's rules: the quotient is rounded down and the remainder has the divisor's sign; by zero,
// both are 0; the least integer divided by -1 wraps.
struct FloorDivide : OneByOne {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return Negative::apply(a);
      const T quotient = static_cast<T>(a / b);
      const T rest = static_cast<T>(a % b);
      return static_cast<T>(quotient - T(rest != 0 && (rest < 0) != (b < 0)));
    } else {
      return static_cast<T>(a / b);
    }
  }
};
struct Remainder : OneByOne {
  template <class T>
  static HWY_INLINE T apply(T a, T b) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return 0;
      const T rest = static_cast<T>(a % b);
      return static_cast<T>(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
    } else {
      return static_cast<T>(a % b);
    }
  }
};
struct Power : OneByOne {
  template <class T>
  static HWY_INLINE T apply(T base, T exponent) {
    if constexpr (std::is_signed_v<T>) {
      if (exponent < 0) throw_negative_power(base, exponent);
    }
    Wrapping<T> result = 1;
    Wrapping<T> factor = static_cast<std::make_unsigned_t<T>>(base);
    for (auto rest = static_cast<std::make_unsigned_t<T>>(exponent); rest != 0; rest >>= 1U) {
      if ((rest & 1U) != 0) result *= factor;
      factor *= factor;
    }
    return static_cast<T>(result);
  }
};
struct Clip : SameType {
  template <class T>
  static HWY_INLINE T apply(T x, T low, T high) {
    return Minimum::apply(Maximum::apply(x, low), high);
  }
};
// By masks, and a condition read as a number: GCC 12 vectorises neither a choice between two loads
// nor bool.
struct Where : SameType {
  template <class T>
  static HWY_INLINE T apply(uint8_t condition, T a, T b) {
    using Bits = typename hwy::MakeUnsigned<T>;
    const auto mask = static_cast<Bits>(Bits(0) - static_cast<Bits>(condition));
    const auto chosen =
        std::bit_cast<Bits>(b) ^ (mask & (std::bit_cast<Bits>(a) ^ std::bit_cast<Bits>(b)));
    return std::bit_cast<T>(static_cast<Bits>(chosen));
  }
};

// `out` may be one of the operands, exactly; no element depends on another.
template <class Op, class A, class R>
HWY_NOINLINE void loop(size_t n, R* out, const A* a) {
  TUFF_INDEPENDENT
  for (size_t i = 0; i < n; ++i) out[i] = Op::apply(a[i]);
}
template <class Op, class A, class B, class R>
HWY_NOINLINE void loop(size_t n, R* out, const A* a, const B* b) {
  if constexpr (Op::kHasVectors) {
    TUFF_INDEPENDENT
    for (size_t i = 0; i < n; ++i) out[i] = Op::apply(a[i], b[i]);
  } else {
    for (size_t i = 0; i < n; ++i) out[i] = Op::apply(a[i], b[i]);
  }
}
template <class Op, class A, class B, class C, class R>
HWY_NOINLINE void loop(size_t n, R* out, const A* a, const B* b, const C* c) {
  TUFF_INDEPENDENT
  for (size_t i = 0; i < n; ++i) out[i] = Op::apply(a[i], b[i], c[i]);
}

// Long enough to hide the call (256 steps against some 5 ns), short enough to be cheap to fill.
constexpr size_t kSplatLength = 256;

// Operand k: the caller's memory, or a short tile full of one value.
template <class T, unsigned kScalars, unsigned k>
struct Operand {
  static constexpr bool kScalar = ((kScalars >> k) & 1U) != 0;
  Operand(const void* const* operands, size_t n) : data_(static_cast<const T*>(operands[k])) {
    if constexpr (kScalar) {
      const T value = *data_;
      const size_t count = n < kSplatLength ? n : kSplatLength;
      for (size_t i = 0; i < count; ++i) splat_[i] = value;
    }
  }
  const T* at(size_t i) const {
    if constexpr (kScalar) {
      return splat_;
    } else {
      return data_ + i;
    }
  }

 private:
  const T* data_;
  T splat_[kScalar ? kSplatLength : 1];
};

template <class Op, class T>
using Result = std::conditional_t<Op::kPredicate, bool, T>;

// Calls the loop over the whole tile, or over pieces as long as the splatted scalars.
template <class Op, class R, unsigned kScalars, class... Operands>
HWY_INLINE void run(void* out, size_t n, const Operands&... operands) {
  R* result = static_cast<R*>(out);
  if constexpr (kScalars == 0) {
    loop<Op>(n, result, operands.at(0)...);
  } else {
    for (size_t i = 0; i < n; i += kSplatLength) {
      const size_t count = n - i < kSplatLength ? n - i : kSplatLength;
      loop<Op>(count, result + i, operands.at(i)...);
    }
  }
}

template <class Op, class T>
void entry1(const void* const* operands, void* out, size_t n) {
  run<Op, Result<Op, T>, 0>(out, n, Operand<T, 0, 0>(operands, n));
}
template <class Op, class T, unsigned kScalars>
void entry2(const void* const* operands, void* out, size_t n) {
  run<Op, Result<Op, T>, kScalars>(out, n, Operand<T, kScalars, 0>(operands, n),
                                   Operand<T, kScalars, 1>(operands, n));
}
template <class Op, class First, class T, unsigned kScalars>
void entry3(const void* const* operands, void* out, size_t n) {
  run<Op, T, kScalars>(out, n, Operand<First, kScalars, 0>(operands, n),
                       Operand<T, kScalars, 1>(operands, n), Operand<T, kScalars, 2>(operands, n));
}

template <class Op, class T>
ElementwiseKernel unary(unsigned scalars) {
  return scalars == 0 ? &entry1<Op, T> : nullptr;
}
template <class Op, class T>
ElementwiseKernel binary(unsigned scalars) {
  constexpr ElementwiseKernel kernels[] = {&entry2<Op, T, 0>, &entry2<Op, T, 1>, &entry2<Op, T, 2>};
  return scalars < 3 ? kernels[scalars] : nullptr;
}
template <class Op, class First, class T>
ElementwiseKernel ternary(unsigned scalars) {
  constexpr ElementwiseKernel kernels[] = {&entry3<Op, First, T, 0>, &entry3<Op, First, T, 1>,
                                           &entry3<Op, First, T, 2>, &entry3<Op, First, T, 3>,
                                           &entry3<Op, First, T, 4>, &entry3<Op, First, T, 5>,
                                           &entry3<Op, First, T, 6>};
  return scalars < 7 ? kernels[scalars] : nullptr;
}

template <class T>
ElementwiseKernel find_integer_of(Elementwise op, unsigned scalars) {
  // What an operation does to the bits is the same for both signs of types: compiled once.
  using U = std::make_unsigned_t<T>;
  constexpr bool kSigned = std::is_signed_v<T>;
  switch (op) {
    case Elementwise::negative: return unary<Negative, U>(scalars);
    case Elementwise::absolute:
      return kSigned ? unary<Absolute, T>(scalars) : unary<Identity, U>(scalars);
    case Elementwise::sign: return unary<Sign, T>(scalars);
    case Elementwise::square: return unary<Square, U>(scalars);
    case Elementwise::add: return binary<Add, U>(scalars);
    case Elementwise::subtract: return binary<Subtract, U>(scalars);
    case Elementwise::multiply: return binary<Multiply, U>(scalars);
    case Elementwise::floor_divide: return binary<FloorDivide, T>(scalars);
    case Elementwise::remainder: return binary<Remainder, T>(scalars);
    case Elementwise::power: return binary<Power, T>(scalars);
    case Elementwise::minimum: return binary<Minimum, T>(scalars);
    case Elementwise::maximum: return binary<Maximum, T>(scalars);
    case Elementwise::equal: return binary<Equal, U>(scalars);
    case Elementwise::not_equal: return binary<NotEqual, U>(scalars);
    case Elementwise::less: return binary<Less, T>(scalars);
    case Elementwise::less_equal: return binary<LessEqual, T>(scalars);
    case Elementwise::greater: return binary<Greater, T>(scalars);
    case Elementwise::greater_equal: return binary<GreaterEqual, T>(scalars);
    case Elementwise::clip: return ternary<Clip, T, T>(scalars);
    default: return nullptr;
  }
}

// bool as NumPy: addition is or, multiplication is and; no subtraction, negation, sign or division.
template <>
ElementwiseKernel find_integer_of<bool>(Elementwise op, unsigned scalars) {
  switch (op) {
    case Elementwise::absolute: return unary<Identity, bool>(scalars);
    case Elementwise::logical_not: return unary<Not, uint8_t>(scalars);
    case Elementwise::add:
    case Elementwise::maximum:
    case Elementwise::logical_or: return binary<Or, bool>(scalars);
    case Elementwise::multiply:
    case Elementwise::minimum:
    case Elementwise::logical_and: return binary<And, bool>(scalars);
    case Elementwise::not_equal:
    case Elementwise::logical_xor: return binary<Xor, bool>(scalars);
    case Elementwise::equal: return binary<Equal, uint8_t>(scalars);
    case Elementwise::less: return binary<Less, uint8_t>(scalars);
    case Elementwise::less_equal: return binary<LessEqual, uint8_t>(scalars);
    case Elementwise::greater: return binary<Greater, uint8_t>(scalars);
    case Elementwise::greater_equal: return binary<GreaterEqual, uint8_t>(scalars);
    case Elementwise::clip: return ternary<Clip, uint8_t, uint8_t>(scalars);
    default: return nullptr;
  }
}

ElementwiseKernel find_where(DType dtype, unsigned scalars) {
  if (dtype == DType::float32) return ternary<Where, uint8_t, float>(scalars);
  if (dtype == DType::float64) return ternary<Where, uint8_t, double>(scalars);
  switch (size_of(dtype)) {
    case 1: return ternary<Where, uint8_t, uint8_t>(scalars);
    case 2: return ternary<Where, uint8_t, uint16_t>(scalars);
    case 4: return ternary<Where, uint8_t, uint32_t>(scalars);
    default: return ternary<Where, uint8_t, uint64_t>(scalars);
  }
}

ElementwiseKernel find_integer_here(Elementwise op, DType operand, unsigned scalars) {
  if (op == Elementwise::where) return find_where(operand, scalars);
  switch (operand) {
    case DType::bool_: return find_integer_of<bool>(op, scalars);
    case DType::int8: return find_integer_of<int8_t>(op, scalars);
    case DType::int16: return find_integer_of<int16_t>(op, scalars);
    case DType::int32: return find_integer_of<int32_t>(op, scalars);
    case DType::int64: return find_integer_of<int64_t>(op, scalars);
    case DType::uint8: return find_integer_of<uint8_t>(op, scalars);
    case DType::uint16: return find_integer_of<uint16_t>(op, scalars);
    case DType::uint32: return find_integer_of<uint32_t>(op, scalars);
    case DType::uint64: return find_integer_of<uint64_t>(op, scalars);
    default: return nullptr;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {

ElementwiseKernel find_integer(Elementwise op, DType operand, unsigned scalars) {
  return TUFF_DISPATCH(find_integer_here)(op, operand, scalars);
}

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
