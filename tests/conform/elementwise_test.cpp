// Every row of the operation table against a naive loop: random shapes, chunks, strides, broadcasting,
// numbers as operands, every dtype, special values. A new row is tested as soon as rows.h knows it.
#include <array>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>

#include <gtest/gtest.h>

#include "tuff/ops/table.h"

#include "tests/conform/rows.h"

namespace tuff::conform {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kCases = 10;  // per row; a sanitized build is some 20 times slower
#else
constexpr int kCases = 150;
#endif

/// Operands cast to what the row computes with, and the types of the application.
struct Prepared {
  std::vector<Dense> operands;
  ops::OperationTypes types;
};

Prepared prepared(const ops::Operation& op, const std::vector<Dense>& operands) {
  std::vector<DType> dtypes;
  dtypes.reserve(operands.size());
  for (const Dense& x : operands) dtypes.push_back(x.dtype);
  Prepared p{{}, ops::types_of(op, dtypes)};
  for (size_t k = 0; k < operands.size(); ++k) {
    const bool condition = op.rule == ops::TypeRule::selection && k == 0;
    p.operands.push_back(naive_astype(operands[k], condition ? DType::bool_ : p.types.operand));
  }
  return p;
}

Dims broadcast_shape(const std::vector<Dense>& operands) {
  size_t rank = 0;
  for (const Dense& x : operands) rank = std::max(rank, x.shape.size());
  Dims shape(rank, 1);
  for (const Dense& x : operands) {
    for (size_t e = 1; e <= x.shape.size(); ++e) {
      if (x.shape[x.shape.size() - e] != 1) shape[rank - e] = x.shape[x.shape.size() - e];
    }
  }
  return shape;
}

bool compares_integers(const ops::Operation& op, const std::vector<Dense>& operands) {
  return op.rule == ops::TypeRule::comparison &&
         std::none_of(operands.begin(), operands.end(),
                      [](const Dense& x) { return is_floating(x.dtype); });
}

/// Comparisons of integers go by the numbers, whatever type would hold them both.
::testing::AssertionResult compares(const ops::Operation& op, const std::vector<Dense>& operands,
                                    const Dense& got) {
  const Row& row = naive_rows().at(op.name);
  ::testing::AssertionResult verdict = ::testing::AssertionSuccess();
  const auto number = [](const Dense& x, int64_t at) {
    return visit_dtype(x.dtype,
                       [&](auto t) { return static_cast<int128>(x.data<decltype(t)>()[at]); });
  };
  for_each_index(got.shape, [&](const Dims& index, int64_t i) {
    int128 x[2] = {};
    for (size_t k = 0; k < 2; ++k)
      x[k] = number(operands[k], broadcast_at(index, operands[k].shape));
    if (got.data<bool>()[i] == (row.whole(x[0], x[1], 0) != 0)) return;
    verdict = ::testing::AssertionFailure()
              << op.name << " of " << name_of(operands[0].dtype) << " and "
              << name_of(operands[1].dtype) << " at element " << i;
  });
  return verdict;
}

/// The naive loop. Exact rows give equal bits; `got` tells where ulps are allowed.
::testing::AssertionResult conforms(const ops::Operation& op, const std::vector<Dense>& operands,
                                    const Dense& got) {
  const Row& row = naive_rows().at(op.name);
  const Prepared p = prepared(op, operands);
  const Dims shape = broadcast_shape(operands);
  if (got.dtype != p.types.result || !(got.shape == shape)) {
    return same(got, Dense(p.types.result, shape));
  }
  if (compares_integers(op, operands)) return compares(op, operands, got);
  ::testing::AssertionResult verdict = ::testing::AssertionSuccess();
  visit_dtype(p.types.operand, [&](auto t) {
    using T = decltype(t);
    for_each_index(shape, [&](const Dims& index, int64_t i) {
      if (!verdict) return;
      T x[3] = {};
      for (size_t k = 0; k < operands.size(); ++k) {
        const int64_t at = broadcast_at(index, operands[k].shape);
        // The condition of where() is bool; 0 and 1 are the same in every type.
        const bool condition = op.rule == ops::TypeRule::selection && k == 0;
        x[k] = condition ? static_cast<T>(p.operands[k].template data<bool>()[at])
                         : p.operands[k].template data<T>()[at];
      }
      bool right = true;
      if constexpr (std::is_floating_point_v<T>) {
        if (row.exact) {
          const long double want = row.exact(x[0], x[1], x[2]);
          right = ulps(got.data<T>()[i], want) <= row.ulps;
        } else {
          T want;
          if constexpr (std::is_same_v<T, float>) {
            want = row.single(x[0], x[1], x[2]);
          } else {
            want = row.twice(x[0], x[1], x[2]);
          }
          right = got.dtype == DType::bool_ ? got.data<bool>()[i] == (want != 0)
                                            : same_bits(got.at(i), static_cast<long double>(want));
        }
      } else {
        const int128 want = row.whole(x[0], x[1], x[2]);
        right = visit_dtype(got.dtype, [&](auto r) {
          using R = decltype(r);
          if constexpr (std::is_floating_point_v<R>) {
            return false;
          } else if constexpr (std::is_same_v<R, bool>) {
            return got.data<R>()[i] == (want != 0);
          } else {
            return got.data<R>()[i] ==
                   static_cast<R>(static_cast<uint64_t>(static_cast<uint128>(want)));
          }
        });
      }
      if (!right) {
        verdict = ::testing::AssertionFailure()
                  << op.name << " in " << name_of(p.types.operand) << " of " << +x[0] << ", "
                  << +x[1] << ", " << +x[2] << " gives " << describe_element(got, i)
                  << " at element " << i << " of " << to_string(shape);
      }
    });
  });
  return verdict;
}

/// Whether the row refuses these types by design.
bool refuses(const ops::Operation& op, const std::vector<Dense>& operands) {
  std::vector<DType> dtypes;
  dtypes.reserve(operands.size());
  for (const Dense& x : operands) dtypes.push_back(x.dtype);
  try {
    ops::types_of(op, dtypes);
    return false;
  } catch (const InvalidArgument&) {
    return true;
  }
}

/// Exponents of integers must not be negative; larger ones than 70 wrap to 0 or 1 mostly.
void tame_exponents(const ops::Operation& op, std::vector<Dense>& operands) {
  if (op.name != "power") return;
  const DType common = promote(operands[0].dtype, operands[1].dtype);
  if (is_floating(common)) return;
  visit_dtype(operands[1].dtype, [&](auto t) {
    using T = decltype(t);
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      for (int64_t i = 0; i < operands[1].size(); ++i) {
        T& exponent = operands[1].data<T>()[i];
        exponent = static_cast<T>(static_cast<uint64_t>(exponent) % 70);
      }
    }
  });
}

std::vector<Dense> random_operands(Rng& rng, const ops::Operation& op) {
  const auto rank = static_cast<size_t>(rng.below(5));
  const Dims full = random_shape(rng, rank, rank < 4 && rng.chance(20) ? 40 : 9);
  const DType common = rng.pick(kEveryDType);
  std::vector<Dense> operands;
  for (int k = 0; k < op.arity; ++k) {
    Dims shape = full;
    if (op.arity > 1 && rng.chance(40)) {
      for (auto drop = static_cast<size_t>(rng.below(static_cast<int64_t>(shape.size()) + 1));
           drop > 0; --drop)
        shape.erase(0);
      for (int64_t& extent : shape) {
        if (rng.chance(30)) extent = 1;
      }
    }
    operands.push_back(mixed(rng, rng.chance(60) ? common : rng.pick(kEveryDType), shape));
  }
  tame_exponents(op, operands);
  return operands;
}

class ElementwiseRow : public ::testing::TestWithParam<ops::Operation> {};

TEST_P(ElementwiseRow, EqualsANaiveLoop) {
  const ops::Operation& op = GetParam();
  ASSERT_TRUE(naive_rows().contains(op.name)) << "rows.h lacks the scalar twin of " << op.name;
  Rng rng(static_cast<uint64_t>(op.code) + 1);
  for (int c = 0; c < kCases; ++c) {
    const std::vector<Dense> operands = random_operands(rng, op);
    if (refuses(op, operands)) continue;
    Guises guises(rng);
    std::vector<Operand> arrays;
    arrays.reserve(operands.size());
    for (const Dense& x : operands) arrays.emplace_back(guises.any(x));
    SCOPED_TRACE("case " + std::to_string(c));
    ASSERT_TRUE(conforms(op, operands, computed(tuff::apply(op.code, arrays))));
  }
}

TEST_P(ElementwiseRow, EqualsANaiveLoopOnSpecialValuesOfEveryType) {
  const ops::Operation& op = GetParam();
  Rng rng(static_cast<uint64_t>(op.code) + 100);
  for (DType dtype : kEveryDType) {
    visit_dtype(dtype, [&](auto t) {
      using T = decltype(t);
      const std::vector<T> special = kernel_test::special_values<T>();
      const auto n = static_cast<int64_t>(special.size());
      // Along axis k lie the special values of operand k: the result has every combination.
      std::vector<Dense> operands;
      for (int k = 0; k < op.arity; ++k) {
        Dims shape(static_cast<size_t>(op.arity), 1);
        shape[static_cast<size_t>(k)] = n;
        operands.emplace_back(special, shape);
      }
      if (refuses(op, operands)) return;
      tame_exponents(op, operands);
      Guises guises(rng);
      std::vector<Operand> arrays;
      arrays.reserve(operands.size());
      for (const Dense& x : operands) arrays.emplace_back(guises.strided(x));
      ASSERT_TRUE(conforms(op, operands, computed(tuff::apply(op.code, arrays)))) << name_of(dtype);
    });
    if (HasFatalFailure()) return;
  }
}

// A number takes the array's type where it can: the result is that of an array which holds the number.
TEST_P(ElementwiseRow, TakesNumbersForAnyOperandButNotForAll) {
  const ops::Operation& op = GetParam();
  Rng rng(static_cast<uint64_t>(op.code) + 200);
  if (op.arity == 1) {
    EXPECT_THROW(tuff::apply(op.code, {Operand(1)}), InvalidArgument);
    return;
  }
  const auto arity = static_cast<unsigned>(op.arity);
  for (DType dtype : kEveryDType) {
    for (unsigned arrays = 1; arrays + 1 < (1U << arity); ++arrays) {
      if (op.rule == ops::TypeRule::selection && (arrays & 6) == 0)
        continue;  // nothing tells the type
      std::vector<Dense> operands;
      for (unsigned k = 0; k < arity; ++k) {
        Dense x = (arrays >> k & 1) != 0 ? small(rng, dtype, {3, 4}) : Dense(dtype, Dims{});
        if ((arrays >> k & 1) == 0) {
          visit_dtype(dtype, [&](auto t) {
            *x.data<decltype(t)>() = static_cast<decltype(t)>(is_bool(dtype) ? 1 : 2);
          });
        }
        operands.push_back(std::move(x));
      }
      tame_exponents(op, operands);
      if (refuses(op, operands)) continue;
      Guises guises(rng);
      std::vector<Operand> given;
      for (unsigned k = 0; k < arity; ++k) {
        if ((arrays >> k & 1) != 0) {
          given.emplace_back(guises.any(operands[k]));
        } else if (is_bool(dtype)) {
          given.emplace_back(true);
        } else {
          given.emplace_back(2);
        }
      }
      ASSERT_TRUE(conforms(op, operands, computed(tuff::apply(op.code, given))))
          << name_of(dtype) << ", arrays " << arrays;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, ElementwiseRow,
                         ::testing::ValuesIn(ops::operations().begin(), ops::operations().end()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Elementwise, IntegerToANegativePowerFailsTheRun) {
  const Array x = from_vector(std::vector<int32_t>{1, 2, 3});
  const Array y = from_vector(std::vector<int32_t>{1, 0, -1});
  try {
    power(x, y).compute();
    FAIL() << "no error";
  } catch (const TaskError& error) {
    EXPECT_NE(describe(std::current_exception()).find("3 ** -1: an integer to a negative power"),
              std::string::npos)
        << describe(std::current_exception());
    EXPECT_FALSE(error.failures().empty());
  }
}

TEST(Elementwise, ShapesThatDoNotBroadcastAreRefusedWithBothShapes) {
  const Array x = zeros({3, 4}), y = zeros({3, 5});
  try {
    add(x, y);
    FAIL() << "no error";
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(
        error.what(),
        "[add] shapes (3, 4) and (3, 5) do not broadcast: extents 4 and 5 differ and neither is 1");
  }
  EXPECT_THROW(add(zeros({0}), zeros({2})), InvalidArgument);
  EXPECT_THROW(where(x, y, 1), InvalidArgument);
}

TEST(Elementwise, NumbersThatDoNotFitAreRefused) {
  const Array x = zeros({3}, {.dtype = DType::int8});
  EXPECT_THROW(add(x, 200), InvalidArgument);
  EXPECT_THROW(add(x.astype(DType::uint8), -1), InvalidArgument);
  EXPECT_EQ(add(x, 1.5).dtype(), DType::float64);
}

// NumPy decides such comparisons by the numbers, not by the type.
TEST(Elementwise, ComparisonsWithNumbersOutsideTheTypeAreDecided) {
  const Array x = from_vector(std::vector<int8_t>{-128, 0, 127});
  EXPECT_EQ((x < 200).to_vector<bool>(), (std::vector<bool>{true, true, true}));
  EXPECT_EQ((x == -1000).to_vector<bool>(), (std::vector<bool>{false, false, false}));
  const Array u = from_vector(std::vector<uint8_t>{0, 1, 255});
  EXPECT_EQ((u > -1).to_vector<bool>(), (std::vector<bool>{true, true, true}));
}

using Comparison = Array (*)(const Operand&, const Operand&);
constexpr std::array<Comparison, 6> kComparisons = {less,          less_equal, greater,
                                                    greater_equal, equal,      not_equal};

template <class A, class B>
std::array<bool, 6> compared(A a, B b) {
  return {std::cmp_less(a, b),          std::cmp_less_equal(a, b), std::cmp_greater(a, b),
          std::cmp_greater_equal(a, b), std::cmp_equal(a, b),      std::cmp_not_equal(a, b)};
}

/// Ends of T, values around them, and values that float64 cannot tell apart.
template <class T>
std::vector<T> telling_values() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values = {Limits::min(), T(Limits::min() + 1), T(0),
                           T(1),          T(Limits::max() - 1), Limits::max()};
  if constexpr (std::is_signed_v<T>) values.push_back(T(-1));
  if constexpr (sizeof(T) == 8) {
    for (int shift : {53, 62}) {
      for (int step : {-1, 0, 1}) values.push_back(static_cast<T>((int64_t{1} << shift) + step));
    }
  }
  if constexpr (std::is_same_v<T, uint64_t>) {
    for (uint64_t step : {0, 1, 1024}) values.push_back((uint64_t{1} << 63) + step);
  }
  return values;
}

template <class F>
void for_each_integer_type(F&& f) {
  f(int8_t{}), f(int16_t{}), f(int32_t{}), f(int64_t{}), f(uint8_t{}), f(uint16_t{}), f(uint32_t{}),
      f(uint64_t{});
}

TEST(Elementwise, ComparisonsOfIntegersAreExactWhateverTheirTypes) {
  for_each_integer_type([](auto a) {
    for_each_integer_type([](auto b) {
      using A = decltype(a);
      using B = decltype(b);
      const std::vector<A> rows = telling_values<A>();
      const std::vector<B> columns = telling_values<B>();
      const Array x = from_vector(rows, {}, 3);
      const Array y = from_vector(columns, {}, 4);
      for (size_t c = 0; c < kComparisons.size(); ++c) {
        SCOPED_TRACE(std::string(name_of(dtype_of<A>)) + " and " +
                     std::string(name_of(dtype_of<B>)) + ", " + std::to_string(c));
        std::vector<bool> table;
        for (A row : rows) {
          for (B column : columns) table.push_back(compared(row, column)[c]);
        }
        EXPECT_EQ(kComparisons[c](x[{whole, newaxis}], y).template to_vector<bool>(), table);
      }
    });
  });
}

TEST(Elementwise, ComparisonsOfIntegersWithNumbersAreExactOnEitherSide) {
  for_each_integer_type([](auto a) {
    using A = decltype(a);
    const std::vector<A> values = telling_values<A>();
    const Array x = from_vector(values, {}, 3);
    const auto against = [&](auto number) {
      for (size_t c = 0; c < kComparisons.size(); ++c) {
        SCOPED_TRACE(std::string(name_of(dtype_of<A>)) + " and " + std::to_string(number) + ", " +
                     std::to_string(c));
        std::vector<bool> left;
        std::vector<bool> right;
        for (A value : values) {
          left.push_back(compared(value, number)[c]);
          right.push_back(compared(number, value)[c]);
        }
        EXPECT_EQ(kComparisons[c](x, number).template to_vector<bool>(), left);
        EXPECT_EQ(kComparisons[c](number, x).template to_vector<bool>(), right);
      }
    };
    for (int64_t number : telling_values<int64_t>()) against(number);
    for (uint64_t number : telling_values<uint64_t>()) against(number);
    against(int64_t{300}), against(int64_t{-300});
  });
}

TEST(Elementwise, ComparisonsOfMixedSignsNameThemselvesWhenShapesDiffer) {
  const Array x = ones({3}, {.dtype = DType::int64});
  const Array y = ones({4}, {.dtype = DType::uint64});
  for (const auto& [a, b, text] : {std::tuple{x, y, "[less] shapes (3,) and (4,)"},
                                   std::tuple{y, x, "[less] shapes (4,) and (3,)"}}) {
    try {
      less(a, b);
      FAIL() << "no error";
    } catch (const InvalidArgument& error) {
      EXPECT_EQ(std::string(error.what()).substr(0, std::strlen(text)), text);
    }
  }
}

}  // namespace
}  // namespace tuff::conform
