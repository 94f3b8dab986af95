// Every element-wise operation that has one right answer, on every type and scalar pattern, against
// the dumbest possible loop. exp and its kin, which may be an ulp off, are in math_test.cpp.
#include "tuff/kernels/elementwise.h"

#include "testing.h"
#include <gtest/gtest.h>

#include "tuff/base/error.h"

namespace tuff::kernel_test {
namespace {

using kernels::Elementwise;
using kernels::find_elementwise;

constexpr Elementwise kOps[] = {
#define TUFF_ROW_(name, arity) Elementwise::name,
    TUFF_ELEMENTWISE_OPS(TUFF_ROW_)
#undef TUFF_ROW_
};

bool is_inexact(Elementwise op) {
  switch (op) {
    case Elementwise::exp:
    case Elementwise::expm1:
    case Elementwise::log:
    case Elementwise::log1p:
    case Elementwise::sin:
    case Elementwise::cos:
    case Elementwise::tanh:
    case Elementwise::sigmoid: return true;
    default: return false;
  }
}

bool is_predicate(Elementwise op) {
  switch (op) {
    case Elementwise::isnan:
    case Elementwise::isfinite:
    case Elementwise::logical_not:
    case Elementwise::equal:
    case Elementwise::not_equal:
    case Elementwise::less:
    case Elementwise::less_equal:
    case Elementwise::greater:
    case Elementwise::greater_equal:
    case Elementwise::logical_and:
    case Elementwise::logical_or:
    case Elementwise::logical_xor: return true;
    default: return false;
  }
}

bool is_supported(Elementwise op, DType dtype) {
  const bool floating = is_floating(dtype), boolean = is_bool(dtype);
  if (is_inexact(op)) return floating;
  switch (op) {
    case Elementwise::reciprocal:
    case Elementwise::sqrt:
    case Elementwise::floor:
    case Elementwise::ceil:
    case Elementwise::isnan:
    case Elementwise::isfinite:
    case Elementwise::divide: return floating;
    case Elementwise::logical_not:
    case Elementwise::logical_and:
    case Elementwise::logical_or:
    case Elementwise::logical_xor: return boolean;
    case Elementwise::negative:
    case Elementwise::sign:
    case Elementwise::square:
    case Elementwise::subtract:
    case Elementwise::floor_divide:
    case Elementwise::remainder:
    case Elementwise::power: return !boolean;
    default: return true;
  }
}

// ---- the oracle

template <class T>
T wrap(uint128 value) {
  return static_cast<T>(static_cast<uint64_t>(value));
}

template <class T>
T python_remainder(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    const T mod = std::fmod(a, b);
    if (b == 0) return mod;
    if (mod == 0) return std::copysign(T(0), b);
    return (b < 0) != (mod < 0) ? mod + b : mod;
  } else {
    if (b == 0) return 0;
    const int128 rest = static_cast<int128>(a) % b;
    return static_cast<T>(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
  }
}

// numpy/core/src/npymath/npy_math_internal.h.src, npy_floor_divide
template <class T>
T python_floor_divide(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (b == 0) return a / b;
    const T mod = std::fmod(a, b);
    T quotient = (a - mod) / b;
    if (mod != 0 && (b < 0) != (mod < 0)) quotient -= 1;
    if (quotient == 0) return std::copysign(T(0), a / b);
    const T below = std::floor(quotient);
    return quotient - below > T(0.5) ? below + 1 : below;
  } else {
    if (b == 0) return 0;
    const int128 quotient = static_cast<int128>(a) / b;
    const int128 rest = static_cast<int128>(a) % b;
    return wrap<T>(static_cast<uint128>(quotient - (rest != 0 && (rest < 0) != (b < 0))));
  }
}

template <class T>
T lesser(T a, T b) {
  return a < b || a != a ? a : b;
}
template <class T>
T larger(T a, T b) {
  return a > b || a != a ? a : b;
}

template <class T>
T naive_value(Elementwise op, T a, T b, T c, bool condition) {
  if constexpr (std::is_same_v<T, bool>) {
    switch (op) {
      case Elementwise::add: return a || b;
      case Elementwise::multiply: return a && b;
      case Elementwise::absolute: return a;
      default: break;
    }
  } else if constexpr (std::is_floating_point_v<T>) {
    switch (op) {
      case Elementwise::negative: return -a;
      case Elementwise::absolute: return std::fabs(a);
      case Elementwise::square: return a * a;
      case Elementwise::reciprocal: return T(1) / a;
      case Elementwise::sqrt: return std::sqrt(a);
      case Elementwise::floor: return std::floor(a);
      case Elementwise::ceil: return std::ceil(a);
      case Elementwise::add: return a + b;
      case Elementwise::subtract: return a - b;
      case Elementwise::multiply: return a * b;
      case Elementwise::divide: return a / b;
      default: break;
    }
  } else {
    const auto x = static_cast<uint128>(int128{a}), y = static_cast<uint128>(int128{b});
    switch (op) {
      case Elementwise::negative: return wrap<T>(0 - x);
      case Elementwise::absolute: return a < 0 ? wrap<T>(0 - x) : a;
      case Elementwise::square: return wrap<T>(x * x);
      case Elementwise::add: return wrap<T>(x + y);
      case Elementwise::subtract: return wrap<T>(x - y);
      case Elementwise::multiply: return wrap<T>(x * y);
      case Elementwise::power: {
        uint128 product = 1;
        for (T i = 0; i < b; ++i) product = static_cast<uint64_t>(product * x);
        return wrap<T>(product);
      }
      default: break;
    }
  }
  if constexpr (!std::is_same_v<T, bool>) {
    switch (op) {
      case Elementwise::sign: return a > 0 ? T(1) : a < 0 ? T(-1) : a == 0 ? T(0) : a;
      case Elementwise::floor_divide: return python_floor_divide(a, b);
      case Elementwise::remainder: return python_remainder(a, b);
      default: break;
    }
  }
  switch (op) {
    case Elementwise::minimum: return lesser(a, b);
    case Elementwise::maximum: return larger(a, b);
    case Elementwise::clip: return lesser(larger(a, b), c);
    case Elementwise::where: return condition ? b : c;
    default: ADD_FAILURE() << "no oracle for " << kernels::name_of(op); return T();
  }
}

template <class T>
bool naive_predicate(Elementwise op, T a, T b) {
  switch (op) {
    case Elementwise::isnan: return a != a;
    case Elementwise::isfinite: return a - a == 0;
    case Elementwise::logical_not: return a == T(0);
    case Elementwise::equal: return a == b;
    case Elementwise::not_equal: return a != b;
    case Elementwise::less: return a < b;
    case Elementwise::less_equal: return a <= b;
    case Elementwise::greater: return a > b;
    case Elementwise::greater_equal: return a >= b;
    case Elementwise::logical_and: return a != T(0) && b != T(0);
    case Elementwise::logical_or: return a != T(0) || b != T(0);
    case Elementwise::logical_xor: return (a != T(0)) != (b != T(0));
    default: ADD_FAILURE() << "no oracle for " << kernels::name_of(op); return false;
  }
}

// ---- the sweep

template <class T>
struct Case {
  Elementwise op;
  unsigned scalars;
  std::vector<T> a, b, c;
  std::vector<uint8_t> condition;

  Case(Elementwise o, unsigned s, size_t n, uint64_t seed)
      : op(o),
        scalars(s),
        a(mixed_values<T>(n, seed)),
        b(mixed_values<T>(n, seed + 1)),
        c(mixed_values<T>(n, seed + 2)),
        condition(n) {
    for (size_t i = 0; i < n; ++i) condition[i] = (seed * 7 + i * i) % 5 < 2;
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (op == Elementwise::power) {
        for (T& exponent : b) exponent = static_cast<T>(static_cast<uint64_t>(exponent) % 70);
      }
    }
    // An empty tile still has a scalar to point at.
    if (n == 0) a = b = c = {T(1)}, condition = {1};
  }
  size_t at(unsigned operand, size_t i) const { return (scalars >> operand & 1U) != 0 ? 0 : i; }
  T value(size_t i) const {
    const bool is_where = op == Elementwise::where;
    return naive_value<T>(op, a[at(0, i)], b[at(1, i)], c[at(2, i)],
                          is_where && condition[at(0, i)] != 0);
  }
  bool predicate(size_t i) const { return naive_predicate<T>(op, a[at(0, i)], b[at(1, i)]); }
};

template <class T, class R>
void expect_naive(const Case<T>& test, const R* out, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    R want;
    if constexpr (std::is_same_v<R, T>) {
      want = is_predicate(test.op) ? static_cast<R>(test.predicate(i)) : test.value(i);
    } else {
      want = static_cast<R>(test.predicate(i));
    }
    ASSERT_TRUE(same_bits(out[i], want))
        << kernels::name_of(test.op) << " of " << name_of(dtype_of<T>) << ", scalars "
        << test.scalars << ", n " << n << ", element " << i << ": " << +test.a[test.at(0, i)]
        << ", " << +test.b[test.at(1, i)] << ", " << +test.c[test.at(2, i)] << " gives " << +out[i]
        << ", not " << +want;
  }
}

template <class T, class R>
void run(kernels::ElementwiseKernel kernel, const Case<T>& test, size_t n, size_t offset) {
  const Tile<T> a(test.a, offset), b(test.b, (2 * offset) % 7), c(test.c, (3 * offset) % 5);
  const Tile<uint8_t> condition(test.condition, offset);
  const void* operands[3] = {a.data(), b.data(), c.data()};
  if (test.op == Elementwise::where) operands[0] = condition.data();
  Tile<R> out(n, (offset * 5) % 9);
  kernel(operands, out.data(), n);
  expect_naive(test, out.data(), n);
  ASSERT_TRUE(out.canaries_are_alive()) << kernels::name_of(test.op) << " " << n;
  // In place: the result over each operand that is as large.
  for (unsigned k = 0; k < static_cast<unsigned>(kernels::arity_of(test.op)); ++k) {
    if ((test.scalars >> k & 1U) != 0 || sizeof(R) != sizeof(T)) continue;
    if (test.op == Elementwise::where && k == 0 && sizeof(T) != 1) continue;
    Tile<R> over(n, offset);
    if (n > 0) std::memcpy(over.data(), operands[k], n * sizeof(R));
    const void* in_place[3] = {operands[0], operands[1], operands[2]};
    in_place[k] = over.data();
    kernel(in_place, over.data(), n);
    expect_naive(test, over.data(), n);
  }
}

template <class T>
void sweep(Elementwise op, size_t n, size_t offset) {
  const unsigned all = (1U << kernels::arity_of(op)) - 1;
  for (unsigned scalars = 0; scalars < all; ++scalars) {
    const auto kernel = find_elementwise(op, dtype_of<T>, scalars);
    ASSERT_NE(kernel, nullptr) << kernels::name_of(op) << " " << name_of(dtype_of<T>) << " "
                               << scalars;
    const Case<T> test(op, scalars, n, n * 11 + scalars);
    if (is_predicate(op)) {
      run<T, bool>(kernel, test, n, offset);
    } else {
      run<T, T>(kernel, test, n, offset);
    }
  }
}

class ElementwiseKernels : public OnEveryTarget {
 protected:
  template <class T>
  void sweep_type() {
    for (Elementwise op : kOps) {
      if (is_inexact(op) || !is_supported(op, dtype_of<T>)) continue;
      if (op == Elementwise::power && std::is_floating_point_v<T>) continue;
      for (size_t n = 0; n <= 70 && !HasFatalFailure(); ++n) sweep<T>(op, n, n % 9);
      for (size_t n : {size_t{255}, size_t{256}, size_t{257}, size_t{4099}}) sweep<T>(op, n, 3);
      if (HasFatalFailure()) return;
    }
  }
};

TEST_P(ElementwiseKernels, BoolMatchesANaiveLoop) { sweep_type<bool>(); }
TEST_P(ElementwiseKernels, Int8MatchesANaiveLoop) { sweep_type<int8_t>(); }
TEST_P(ElementwiseKernels, Int16MatchesANaiveLoop) { sweep_type<int16_t>(); }
TEST_P(ElementwiseKernels, Int32MatchesANaiveLoop) { sweep_type<int32_t>(); }
TEST_P(ElementwiseKernels, Int64MatchesANaiveLoop) { sweep_type<int64_t>(); }
TEST_P(ElementwiseKernels, Uint8MatchesANaiveLoop) { sweep_type<uint8_t>(); }
TEST_P(ElementwiseKernels, Uint16MatchesANaiveLoop) { sweep_type<uint16_t>(); }
TEST_P(ElementwiseKernels, Uint32MatchesANaiveLoop) { sweep_type<uint32_t>(); }
TEST_P(ElementwiseKernels, Uint64MatchesANaiveLoop) { sweep_type<uint64_t>(); }
TEST_P(ElementwiseKernels, Float32MatchesANaiveLoop) { sweep_type<float>(); }
TEST_P(ElementwiseKernels, Float64MatchesANaiveLoop) { sweep_type<double>(); }

TEST_P(ElementwiseKernels, EveryPairOfSpecialFloatsMatchesANaiveLoop) {
  const std::vector<double> special = special_values<double>();
  std::vector<double> a, b;
  for (double x : special) {
    for (double y : special) a.push_back(x), b.push_back(y);
  }
  for (Elementwise op : kOps) {
    if (is_inexact(op) || !is_supported(op, DType::float64) || kernels::arity_of(op) != 2) continue;
    if (op == Elementwise::power) continue;
    const auto kernel = find_elementwise(op, DType::float64, 0);
    const void* operands[2] = {a.data(), b.data()};
    std::vector<double> out(a.size());
    kernel(operands, out.data(), a.size());
    const bool* truth = reinterpret_cast<const bool*>(out.data());
    for (size_t i = 0; i < a.size(); ++i) {
      const bool right = is_predicate(op)
                             ? truth[i] == naive_predicate(op, a[i], b[i])
                             : same_bits(out[i], naive_value(op, a[i], b[i], 0.0, false));
      ASSERT_TRUE(right) << kernels::name_of(op) << "(" << a[i] << ", " << b[i] << ") = " << out[i];
    }
  }
}

// The quotients at which trunc(a / b) is one too far from zero need many near-multiples.
TEST_P(ElementwiseKernels, FloatRemainderOfNearMultiplesIsExact) {
  std::mt19937_64 random(5);
  std::vector<double> a(20000), b(20000), out(20000);
  for (size_t i = 0; i < a.size(); ++i) {
    b[i] = std::ldexp(static_cast<double>(random() >> 11) * 0x1p-53 + 0.5,
                      static_cast<int>(random() % 20));
    const double factor = static_cast<double>(random() >> (random() % 60 + 4));
    a[i] = std::nextafter(factor * b[i], (random() & 1) != 0 ? INFINITY : -INFINITY);
    if ((random() & 1) != 0) a[i] = -a[i];
    if ((random() & 1) != 0) b[i] = -b[i];
  }
  const void* operands[2] = {a.data(), b.data()};
  find_elementwise(Elementwise::remainder, DType::float64, 0)(operands, out.data(), a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_TRUE(same_bits(out[i], python_remainder(a[i], b[i]))) << a[i] << " % " << b[i];
  }
  find_elementwise(Elementwise::floor_divide, DType::float64, 0)(operands, out.data(), a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_TRUE(same_bits(out[i], python_floor_divide(a[i], b[i]))) << a[i] << " // " << b[i];
  }
}

TEST_P(ElementwiseKernels, IntegerToANegativePowerIsAnError) {
  const int64_t base[3] = {2, 2, 2}, exponent[3] = {1, 0, -3};
  int64_t out[3];
  const void* operands[2] = {base, exponent};
  try {
    find_elementwise(Elementwise::power, DType::int64, 0)(operands, out, 3);
    FAIL() << "no error";
  } catch (const InvalidArgument& error) {
    EXPECT_NE(std::string(error.what()).find("2 ** -3: an integer to a negative power"),
              std::string::npos)
        << error.what();
  }
}

TEST(Elementwise, ExistsForExactlyTheDocumentedTypesAndPatterns) {
  for (Elementwise op : kOps) {
    const unsigned all = (1U << kernels::arity_of(op)) - 1;
    for (DType dtype : kEveryDType) {
      for (unsigned scalars = 0; scalars < 16; ++scalars) {
        const bool exists = find_elementwise(op, dtype, scalars) != nullptr;
        EXPECT_EQ(exists, is_supported(op, dtype) && scalars < all)
            << kernels::name_of(op) << " " << name_of(dtype) << " " << scalars;
      }
    }
  }
}

TEST(Elementwise, KnowsItsNamesAndArities) {
  EXPECT_EQ(kernels::name_of(Elementwise::floor_divide), "floor_divide");
  EXPECT_EQ(kernels::arity_of(Elementwise::negative), 1);
  EXPECT_EQ(kernels::arity_of(Elementwise::power), 2);
  EXPECT_EQ(kernels::arity_of(Elementwise::where), 3);
}

class ElementwiseStreaming : public OnEveryTarget {};

template <class T>
void check_streaming() {
  for (kernels::Elementwise op : {kernels::Elementwise::add, kernels::Elementwise::subtract,
                                  kernels::Elementwise::multiply, kernels::Elementwise::divide}) {
    for (unsigned scalars : {0U, 1U, 2U}) {
      const auto stream = kernels::find_streaming(op, dtype_of<T>, scalars);
      const auto plain = kernels::find_elementwise(op, dtype_of<T>, scalars);
      ASSERT_NE(stream, nullptr);
      for (size_t n : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 100, 513}) {
        for (size_t offset : {0, 1, 3, 8, 13}) {
          std::vector<T> x, y;
          for (size_t i = 0; i < n + 1; ++i) {
            x.push_back(static_cast<T>(i) - T(7.25));
            y.push_back(T(0.3) * static_cast<T>(i) + T(1.5));
          }
          const Tile<T> a(x, offset + 2), b(y, offset);
          Tile<T> got(n, offset), want(n, offset);
          const void* const operands[] = {a.data(), b.data()};
          stream(operands, got.data(), n);
          kernels::finish_streaming();
          plain(operands, want.data(), n);
          for (size_t i = 0; i < n; ++i) ASSERT_TRUE(same_bits(got[i], want[i])) << n << " " << i;
          ASSERT_TRUE(got.canaries_are_alive());
        }
      }
    }
  }
}

TEST_P(ElementwiseStreaming, IsTheSameBitsAtAnyLengthAndAddress) {
  check_streaming<double>();
  check_streaming<float>();
}

TEST_P(ElementwiseStreaming, IsThereForFloatingArithmeticOnly) {
  using kernels::Elementwise;
  EXPECT_EQ(kernels::find_streaming(Elementwise::exp, DType::float64, 0), nullptr);
  EXPECT_EQ(kernels::find_streaming(Elementwise::add, DType::int64, 0), nullptr);
  EXPECT_EQ(kernels::find_streaming(Elementwise::add, DType::float64, 3), nullptr);
}

TUFF_ON_EVERY_TARGET(ElementwiseStreaming);
TUFF_ON_EVERY_TARGET(ElementwiseKernels);

}  // namespace
}  // namespace tuff::kernel_test
