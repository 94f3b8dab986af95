// Every reduction against a naive loop in long double or 128-bit integers: any axes, keepdims, ddof,
// every dtype, ragged and empty blocks, axes without elements, NaN and infinities.
#include <cmath>

#include <gtest/gtest.h>

#include "tuff/ops/table.h"

#include "tests/conform/naive.h"

namespace tuff::conform {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kCases = 60;
#else
constexpr int kCases = 1200;
#endif

struct Reduce {
  std::string_view name;
  std::vector<int64_t> axes;  // as given; empty: all
  bool keepdims = false;
  double ddof = 0;
};

Array reduced(const Reduce& r, const Array& x) {
  const ReduceOptions options{.keepdims = r.keepdims};
  const VarianceOptions variance{.keepdims = r.keepdims, .ddof = r.ddof};
  if (r.name == "sum") return sum(x, r.axes, options);
  if (r.name == "mean") return mean(x, r.axes, options);
  if (r.name == "var") return var(x, r.axes, variance);
  if (r.name == "std") return tuff::std(x, r.axes, variance);
  if (r.name == "min") return min(x, r.axes, options);
  if (r.name == "max") return max(x, r.axes, options);
  if (r.name == "any") return any(x, r.axes, options);
  EXPECT_EQ(r.name, "all") << "a reduction without a naive loop";
  return all(x, r.axes, options);
}

/// What one result is made of, in row-major order.
struct Groups {
  Dims shape;
  std::vector<std::vector<int64_t>> elements;  // linear indices of the operand
};

Groups groups_of(const Dims& shape, const Reduce& r) {
  const auto rank = static_cast<int64_t>(shape.size());
  std::vector<bool> gone(shape.size(), r.axes.empty());
  for (int64_t axis : r.axes) gone[static_cast<size_t>(axis < 0 ? axis + rank : axis)] = true;
  Groups groups;
  Dims kept;  // with extent 1 for the axes that are gone
  for (size_t a = 0; a < shape.size(); ++a) {
    kept.push_back(gone[a] ? 1 : shape[a]);
    if (!gone[a] || r.keepdims) groups.shape.push_back(kept[a]);
  }
  groups.elements.resize(static_cast<size_t>(element_count(kept)));
  for_each_index(shape, [&](const Dims& index, int64_t i) {
    Dims at = index;
    for (size_t a = 0; a < shape.size(); ++a) at[a] = gone[a] ? 0 : index[a];
    groups.elements[static_cast<size_t>(linear_of(at, kept))].push_back(i);
  });
  return groups;
}

struct Expected {
  long double value = 0;
  long double tolerance = 0;  // 0: exactly
};

int128 wrapped_sum(const Dense& x, const std::vector<int64_t>& elements) {
  int128 total = 0;
  for (int64_t i : elements) {
    total +=
        visit_dtype(x.dtype, [&](auto t) { return static_cast<int128>(x.data<decltype(t)>()[i]); });
  }
  return is_unsigned_integer(x.dtype) ? static_cast<int128>(static_cast<uint64_t>(total))
                                      : static_cast<int128>(static_cast<int64_t>(total));
}

/// Half a unit in the last place of the result type, a little enlarged for two roundings.
long double rounding(DType result, long double value) {
  return std::fabs(value) * (result == DType::float32 ? 0x1.1p-24L : 0x1.1p-53L) +
         (result == DType::float32 ? 0x1p-149L : 0x1p-1074L);
}

Expected expected(const Reduce& r, const Dense& x, const std::vector<int64_t>& elements,
                  DType result) {
  const auto n = static_cast<long double>(elements.size());
  long double total = 0, size = 0, most = 0;
  for (int64_t i : elements) {
    total += x.at(i);
    if (std::isfinite(x.at(i)))
      size += std::fabs(x.at(i)), most = std::max(most, std::fabs(x.at(i)));
  }
  // Compensated sums: an error of the order of the result's rounding plus n 2^-106 of the magnitudes,
  // but each level of the tree above the blocks rounds once.
  const long double slack = size * 0x1p-51L;
  if (r.name == "sum") {
    if (!is_floating(x.dtype)) return {static_cast<long double>(wrapped_sum(x, elements)), 0};
    return {total, slack + rounding(result, total)};
  }
  if (r.name == "mean") {
    if (elements.empty()) return {std::numeric_limits<long double>::quiet_NaN(), 0};
    return {total / n, slack / n + 2 * rounding(result, total / n)};
  }
  if (r.name == "var" || r.name == "std") {
    const long double divisor = n - static_cast<long double>(r.ddof);
    if (divisor <= 0 || elements.empty()) return {std::numeric_limits<long double>::quiet_NaN(), 0};
    const long double mean = total / n;
    long double squares = 0;
    for (int64_t i : elements) squares += (x.at(i) - mean) * (x.at(i) - mean);
    const long double var = squares / divisor;
    // A mean that is off by e adds n e^2, and a deviation is rounded at the size of the elements.
    const long double off = 64 * most * 0x1p-52L;
    const long double error =
        (n * off * off + 2 * off * std::sqrt(n * squares)) / divisor + 64 * var * 0x1p-52L;
    if (r.name == "var") return {var, error + 2 * rounding(result, var)};
    const long double std = std::sqrt(var);
    return {std,
            std::min(std::sqrt(error), error / std::max(std, 1e-300L)) + 2 * rounding(result, std)};
  }
  if (r.name == "min" || r.name == "max") {
    long double best = x.at(elements[0]);
    for (int64_t i : elements) {
      const long double v = x.at(i);
      if (std::isnan(v) || std::isnan(best)) {
        best = std::numeric_limits<long double>::quiet_NaN();
      } else {
        best = r.name == "min" ? std::min(best, v) : std::max(best, v);
      }
    }
    return {best, 0};
  }
  bool any = false, all = true;
  for (int64_t i : elements) {
    any = any || x.at(i) != 0;
    all = all && x.at(i) != 0;
  }
  return {(r.name == "any" ? any : all) ? 1.0L : 0.0L, 0};
}

::testing::AssertionResult conforms(const Reduce& r, const Dense& x, const Dense& got) {
  const DType result = ops::types_of(ops::reduction(r.name), x.dtype).result;
  const Groups groups = groups_of(x.shape, r);
  if (got.dtype != result || !(got.shape == groups.shape))
    return same(got, Dense(result, groups.shape));
  for (size_t g = 0; g < groups.elements.size(); ++g) {
    const Expected want = expected(r, x, groups.elements[g], result);
    const long double value = got.at(static_cast<int64_t>(g));
    long double target = want.value;
    // What rounds to infinity in the result's type is infinite there.
    const long double largest = result == DType::float32 ? std::numeric_limits<float>::max()
                                                         : std::numeric_limits<double>::max();
    if (is_floating(result) && std::fabs(target) > largest)
      target = std::copysign(std::numeric_limits<long double>::infinity(), target);
    const bool right =
        std::isnan(target) ? std::isnan(value)
        : std::isinf(target)
            ? value == target || (std::isfinite(want.value) && std::fabs(value) >= largest * 0.999L)
            : std::fabs(value - target) <= want.tolerance;
    if (!right) {
      return ::testing::AssertionFailure()
             << r.name << " of " << name_of(x.dtype) << " " << to_string(x.shape) << ", element "
             << g << " (of " << groups.elements[g].size()
             << "): " << describe_element(got, static_cast<int64_t>(g)) << " instead of "
             << static_cast<double>(want.value) << " +- " << static_cast<double>(want.tolerance);
    }
  }
  return ::testing::AssertionSuccess();
}

Reduce random_reduce(Rng& rng, std::string_view name, size_t rank) {
  Reduce r{name, {}, rng.chance(40), static_cast<double>(rng.below(3))};
  for (size_t a = 0; a < rank; ++a) {
    if (rng.chance(50))
      r.axes.push_back(static_cast<int64_t>(a) - (rng.chance(30) ? static_cast<int64_t>(rank) : 0));
  }
  return r;
}

/// Mostly moderate numbers; sometimes all kinds, whose sums are infinite or NaN.
Dense values(Rng& rng, DType dtype, const Dims& shape) {
  if (!is_floating(dtype)) return mixed(rng, dtype, shape);
  Dense x(dtype, shape);
  const bool special = rng.chance(25);
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    if constexpr (std::is_floating_point_v<T>) {
      for (int64_t i = 0; i < x.size(); ++i) {
        x.data<T>()[i] = static_cast<T>(rng.unit() * 20 - 10);
        if (special && rng.chance(3)) {
          x.data<T>()[i] = rng.pick(std::vector<T>{
              -T(0), std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
              std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::denorm_min(), T(1e20)});
        }
      }
    }
  });
  return x;
}

class ReductionRow : public ::testing::TestWithParam<ops::ReductionRow> {};

TEST_P(ReductionRow, EqualsANaiveLoop) {
  const bool needs_elements = GetParam().name == "min" || GetParam().name == "max";
  Rng rng(GetParam().name.size() * 31 + static_cast<uint64_t>(GetParam().name[0]));
  for (int c = 0; c < kCases; ++c) {
    const auto rank = static_cast<size_t>(rng.below(5));
    const Dense x = values(rng, rng.pick(kEveryDType),
                           random_shape(rng, rank,
                                        rank == 1   ? 3000
                                        : rank == 2 ? 90
                                                    : 9));
    const Reduce r = random_reduce(rng, GetParam().name, rank);
    Guises guises(rng);
    const Array array = guises.any(x);
    std::string axes;
    for (int64_t axis : r.axes) axes += " " + std::to_string(axis);
    SCOPED_TRACE("case " + std::to_string(c) + ", " + array.describe() + ", axes" + axes +
                 (r.keepdims ? ", keepdims" : "") + ", ddof " + std::to_string(r.ddof) + "\n" +
                 to_string(array.chunks()));
    const bool no_elements = needs_elements && [&] {
      for (size_t a = 0; a < rank; ++a) {
        const bool gone =
            r.axes.empty() || std::any_of(r.axes.begin(), r.axes.end(), [&](int64_t axis) {
              return axis == static_cast<int64_t>(a) ||
                     axis + static_cast<int64_t>(rank) == static_cast<int64_t>(a);
            });
        if (gone && x.shape[a] == 0) return true;
      }
      return false;
    }();
    if (no_elements) {
      EXPECT_THROW(reduced(r, array), InvalidArgument);
      continue;
    }
    ASSERT_TRUE(conforms(r, x, computed(reduced(r, array))));
  }
}

TEST_P(ReductionRow, OfNoElementsIsItsIdentityOrNanOrAnError) {
  const std::string_view name = GetParam().name;
  for (DType dtype : kEveryDType) {
    const Array x = zeros({3, 0, 2}, {.dtype = dtype, .chunks = ChunkSpec{2, -1, 1}});
    const Reduce r{name, {1}};
    if (name == "min" || name == "max") {
      EXPECT_THROW(reduced(r, x), InvalidArgument);
      // Groups that do not exist are no groups without elements.
      EXPECT_EQ(computed(reduced({name, {0}}, x)).shape, (Dims{0, 2}));
      continue;
    }
    EXPECT_TRUE(conforms(r, Dense(dtype, Dims{3, 0, 2}), computed(reduced(r, x))))
        << name_of(dtype);
    EXPECT_TRUE(conforms({name, {}}, Dense(dtype, Dims{3, 0, 2}), computed(reduced({name, {}}, x))))
        << name_of(dtype);
  }
}

TEST_P(ReductionRow, RefusesAxesThatAreNotThere) {
  const Array x = ones({3, 4});
  EXPECT_THROW(reduced({GetParam().name, {2}}, x), InvalidArgument);
  EXPECT_THROW(reduced({GetParam().name, {-3}}, x), InvalidArgument);
  EXPECT_THROW(reduced({GetParam().name, {1, -1}}, x), InvalidArgument);
}

// Blocks that are NaN or infinite must not be lost on the way through the tree.
TEST_P(ReductionRow, KeepsANanAndAnInfinityWhereverTheyAre) {
  for (const double special :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (int64_t at : {0, 1, 15, 16, 17, 299}) {
      for (int64_t block : {1, 7, 300}) {
        Dense x(DType::float64, Dims{300});
        for (int64_t i = 0; i < 300; ++i) x.data<double>()[i] = static_cast<double>(i % 13) - 6;
        x.data<double>()[at] = special;
        const Reduce r{GetParam().name, {}};
        Rng rng(1);
        Guises guises(rng);
        ASSERT_TRUE(conforms(r, x, computed(reduced(r, guises.plain(x, block)))))
            << special << " at " << at << ", blocks of " << block;
        // One element per result: var and std of a NaN or an infinity are NaN, not 0.
        x.shape = Dims{300, 1};
        const Reduce along{GetParam().name, {1}};
        ASSERT_TRUE(
            conforms(along, x, computed(reduced(along, guises.plain(x, ChunkSpec{block, 1})))));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, ReductionRow,
                         ::testing::ValuesIn(ops::reductions().begin(), ops::reductions().end()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(MinMax, TakeMinusZeroForLessHoweverTheArrayIsCut) {
  std::mt19937 random(3);
  for (const DType dtype : {DType::float32, DType::float64}) {
    for (int repeat = 0; repeat < 300; ++repeat) {
      const auto n = static_cast<int64_t>(1 + random() % 200);
      std::vector<double> zeros(static_cast<size_t>(n));
      for (double& zero : zeros) zero = random() % 100 < 2 ? -0.0 : 0.0;
      if (repeat % 2 == 1) {
        for (double& zero : zeros) zero = -zero;
      }
      const bool has_minus =
          std::any_of(zeros.begin(), zeros.end(), [](double z) { return std::signbit(z); });
      const bool has_plus =
          std::any_of(zeros.begin(), zeros.end(), [](double z) { return !std::signbit(z); });
      const auto chunk = static_cast<int64_t>(1 + random() % static_cast<uint64_t>(n));
      const Array x =
          from_memory(zeros.data(), {n}, {.chunks = chunk}).astype(dtype).astype(DType::float64);
      const Array rows = x[{whole, newaxis}].rechunk({-1, 1});
      EXPECT_EQ(std::signbit(min(x).compute<double>()), has_minus);
      EXPECT_EQ(std::signbit(max(x).compute<double>()), !has_plus);
      EXPECT_EQ(std::signbit(min(rows, 0).to_vector<double>()[0]), has_minus);
      EXPECT_EQ(std::signbit(max(rows, 0).to_vector<double>()[0]), !has_plus);
      const Array narrow = from_memory(zeros.data(), {n}, {.chunks = chunk}).astype(dtype);
      EXPECT_EQ(std::signbit(min(narrow).astype(DType::float64).compute<double>()), has_minus);
      EXPECT_EQ(std::signbit(max(narrow).astype(DType::float64).compute<double>()), !has_plus);
    }
  }
}

TEST(Sum, OfIntegersWrapsIn64Bits) {
  const Array x =
      full({5}, std::numeric_limits<int64_t>::max(), {.dtype = DType::int64, .chunks = 2});
  EXPECT_EQ(sum(x).compute<int64_t>(), std::numeric_limits<int64_t>::max() - 4);
  EXPECT_EQ(sum(full({300}, 255, {.dtype = DType::uint8, .chunks = 7})).compute<uint64_t>(),
            76500U);
  EXPECT_EQ(sum(ones({1000}, {.dtype = DType::bool_, .chunks = 9})).compute<int64_t>(), 1000);
}

// float32 elements are added up in float64: 2^24 + 1 ones do not stop at 2^24.
TEST(Sum, OfFloat32DoesNotStallAtItsLastBit) {
  const Array x = ones({(1 << 24) + 10}, {.dtype = DType::float32});
  EXPECT_EQ(sum(x).compute<float>(), 16777226.0F);
}

TEST(Var, OfNumbersFarFromZeroKeepsItsDigits) {
  const int64_t n = 100000;
  Dense x(DType::float64, Dims{n});
  Rng rng(3);
  for (int64_t i = 0; i < n; ++i) x.data<double>()[i] = 1e9 + rng.unit();
  long double mean = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) mean += x.at(i) / n;
  for (int64_t i = 0; i < n; ++i) squares += (x.at(i) - mean) * (x.at(i) - mean);
  const auto want = static_cast<double>(squares / n);
  Guises guises(rng);
  for (int64_t block : {1000, 7777, 100000}) {
    EXPECT_NEAR(var(guises.plain(x, block)).compute<double>(), want, 1e-7 * want) << block;
  }
}

}  // namespace
}  // namespace tuff::conform
