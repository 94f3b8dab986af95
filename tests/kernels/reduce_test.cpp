// Every reduction against the dumbest loop: exactly for integers, min, max, any and all; within a
// bound on rounding for sums and moments of float64.
#include "tuff/kernels/reduce.h"

#include <functional>

#include "testing.h"
#include <gtest/gtest.h>

namespace tuff::kernel_test {
namespace {

using kernels::find_reduction;
using kernels::Reduction;
using kernels::ReductionKernels;

constexpr size_t kShapes[][2] = {{0, 1},    {5, 0},    {0, 5},   {1, 1},    {1, 7},    {2, 3},
                                 {3, 1},    {5, 2},    {7, 4},   {10, 10},  {16, 16},  {33, 8},
                                 {40, 100}, {63, 63},  {100, 1}, {129, 5},  {200, 3},  {3, 511},
                                 {2, 512},  {2, 513},  {4, 999}, {1, 2000}, {1500, 2}, {70, 65},
                                 {9000, 1}, {2500, 4}, {17, 31}, {64, 33},  {1100, 17}};

// The result of `kernels` over the columns of x, through state, a second state and merge.
template <class T, class R>
std::vector<R> reduce_columns(const ReductionKernels* kernels, const T* x, size_t rows, size_t cols,
                              size_t per) {
  std::vector<double> state(kernels->state_bytes(cols) / 8 + 2), other(state.size());
  kernels->start(state.data(), cols);
  kernels->start(other.data(), cols);
  const size_t half = rows / 2;
  kernels->add_columns(x, half, cols, state.data());
  kernels->add_columns(x + half * cols, rows - half, cols, other.data());
  kernels->merge(state.data(), other.data(), cols);
  Tile<R> out(cols * per, cols % 3);
  kernels->finish(state.data(), cols, out.data());
  EXPECT_TRUE(out.canaries_are_alive());
  return std::vector<R>(out.data(), out.data() + cols * per);
}

template <class T, class R>
R reduce_flat(const ReductionKernels* kernels, const T* x, size_t n) {
  std::vector<double> state(kernels->state_bytes(1) / 8 + 2);
  kernels->start(state.data(), 1);
  kernels->add_flat(x, n / 3, state.data());
  kernels->add_flat(x + n / 3, n - n / 3, state.data());
  R out;
  kernels->finish(state.data(), 1, &out);
  return out;
}

// Zeros of both signs are equal: which of them a minimum returns is not specified.
template <class T>
bool same_value(T a, T b) {
  return a == b || (a != a && b != b);
}

template <class T, class R>
void check_exact(Reduction reduction, R identity, R (*combine)(R, T)) {
  const ReductionKernels* kernels = find_reduction(reduction, dtype_of<T>);
  ASSERT_NE(kernels, nullptr);
  for (const auto& [rows, cols] : kShapes) {
    for (int variant = 0; variant < 3; ++variant) {
      std::vector<T> values =
          mixed_values<T>(rows * cols, rows * 31 + cols + static_cast<size_t>(variant));
      if (variant == 2) {
        for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i % 90 + 20);
      }
      if (variant == 1 && !std::is_floating_point_v<T>) {
        for (size_t i = 0; i < values.size(); ++i) values[i] = reduction == Reduction::all;
      }
      if constexpr (std::is_floating_point_v<T>) {
        if (variant == 1) {
          for (T& v : values) v = std::isnan(v) ? T(3) : v;
        }
      }
      const Tile<T> x(values, cols % 7);
      R flat = identity;
      std::vector<R> by_column(cols, identity), by_row(rows, identity);
      for (size_t r = 0; r < rows; ++r) {
        for (size_t c = 0; c < cols; ++c) {
          const T value = x[r * cols + c];
          flat = combine(flat, value);
          by_column[c] = combine(by_column[c], value);
          by_row[r] = combine(by_row[r], value);
        }
      }
      const auto label = [&, r = rows, c = cols] {
        return std::string(name_of(dtype_of<T>)) + " " + std::to_string(r) + "x" +
               std::to_string(c) + " #" + std::to_string(variant);
      };
      ASSERT_TRUE(same_value(reduce_flat<T, R>(kernels, x.data(), rows * cols), flat)) << label();
      const std::vector<R> columns = reduce_columns<T, R>(kernels, x.data(), rows, cols, 1);
      for (size_t c = 0; c < cols; ++c)
        ASSERT_TRUE(same_value<R>(columns[c], by_column[c])) << label() << " column " << c;
      Tile<R> out(rows, 1);
      kernels->rows(x.data(), rows, cols, out.data());
      for (size_t r = 0; r < rows; ++r)
        ASSERT_TRUE(same_value<R>(out[r], by_row[r])) << label() << " row " << r;
      ASSERT_TRUE(out.canaries_are_alive());
    }
  }
}

template <class T>
T wrapping_add(T a, T b) {
  return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
template <class T>
T lesser(T a, T b) {
  if (b != b || a != a) return b != b ? b : a;
  return b < a ? b : a;
}
template <class T>
T larger(T a, T b) {
  if (b != b || a != a) return b != b ? b : a;
  return b > a ? b : a;
}

class ReduceKernels : public OnEveryTarget {
 protected:
  template <class T>
  void check_extremes() {
    using Limits = std::numeric_limits<T>;
    constexpr bool kInfinite = Limits::has_infinity;
    check_exact<T, T>(Reduction::min, kInfinite ? Limits::infinity() : Limits::max(), &lesser<T>);
    check_exact<T, T>(Reduction::max,
                      kInfinite ? static_cast<T>(-Limits::infinity()) : Limits::min(), &larger<T>);
  }
};

TEST_P(ReduceKernels, IntegerSumsWrapAndMatchANaiveLoop) {
  check_exact<int64_t, int64_t>(Reduction::sum, 0, &wrapping_add<int64_t>);
  check_exact<uint64_t, uint64_t>(Reduction::sum, 0, &wrapping_add<uint64_t>);
}

TEST_P(ReduceKernels, IntegerExtremesMatchANaiveLoop) {
  check_extremes<int8_t>();
  check_extremes<int16_t>();
  check_extremes<int32_t>();
  check_extremes<int64_t>();
  check_extremes<uint8_t>();
  check_extremes<uint16_t>();
  check_extremes<uint32_t>();
  check_extremes<uint64_t>();
}

TEST_P(ReduceKernels, AnyAllAndBoolExtremesMatchANaiveLoop) {
  bool (*either)(bool, bool) = [](bool a, bool b) { return a || b; };
  bool (*both)(bool, bool) = [](bool a, bool b) { return a && b; };
  check_exact<bool, bool>(Reduction::any, false, either);
  check_exact<bool, bool>(Reduction::max, false, either);
  check_exact<bool, bool>(Reduction::all, true, both);
  check_exact<bool, bool>(Reduction::min, true, both);
}

// ---- float64

struct Exact {
  long double n = 0, sum = 0, magnitude = 0, mean = 0, m2 = 0;
};

Exact exact_of(const std::function<double(size_t)>& value, size_t n) {
  Exact e;
  e.n = static_cast<long double>(n);
  for (size_t i = 0; i < n; ++i) e.sum += value(i), e.magnitude += std::fabs(value(i));
  e.mean = n == 0 ? 0 : e.sum / e.n;
  for (size_t i = 0; i < n; ++i) e.m2 += (value(i) - e.mean) * (value(i) - e.mean);
  return e;
}

// A sum over one run rounds at most kDepth times per element.
constexpr double kDepth = 600 * 0x1p-53;

TEST_P(ReduceKernels, FloatSumsMatchLongDouble) {
  const ReductionKernels* sum = find_reduction(Reduction::sum, DType::float64);
  for (const auto& [rows, cols] : kShapes) {
    std::vector<double> values(rows * cols);
    std::mt19937_64 random(rows * 77 + cols);
    for (double& v : values) v = (static_cast<double>(random() >> 11) * 0x1p-53 - 0.3) * 1e3;
    const Tile<double> x(values, cols % 7);
    const Exact all = exact_of([&](size_t i) { return x[i]; }, rows * cols);
    ASSERT_NEAR(
        static_cast<double>(reduce_flat<double, double>(sum, x.data(), rows * cols) - all.sum), 0,
        static_cast<double>(all.magnitude) * kDepth);
    const std::vector<double> columns =
        reduce_columns<double, double>(sum, x.data(), rows, cols, 1);
    for (size_t c = 0; c < cols; ++c) {
      const Exact e = exact_of([&, width = cols](size_t r) { return x[r * width + c]; }, rows);
      ASSERT_NEAR(static_cast<double>(columns[c] - e.sum), 0,
                  static_cast<double>(e.magnitude) * kDepth)
          << rows << "x" << cols << " column " << c;
    }
    Tile<double> out(rows, 3);
    sum->rows(x.data(), rows, cols, out.data());
    for (size_t r = 0; r < rows; ++r) {
      const Exact e = exact_of([&, width = cols](size_t c) { return x[r * width + c]; }, cols);
      ASSERT_NEAR(static_cast<double>(out[r] - e.sum), 0,
                  static_cast<double>(e.magnitude) * kDepth);
    }
    ASSERT_TRUE(out.canaries_are_alive());
  }
}

// A state holds its mean to half an ulp; merging moves m2 by that times the deviations.
void expect_moments(const double* got, const Exact& want) {
  ASSERT_EQ(got[0], static_cast<double>(want.n));
  const double mean = static_cast<double>(want.mean), m2 = static_cast<double>(want.m2);
  ASSERT_NEAR(got[1], mean, (std::fabs(mean) + 1) * 1e-15);
  ASSERT_NEAR(got[2], m2,
              m2 * 1e-13 + 2 * std::sqrt(m2 * got[0]) * (std::fabs(mean) + 1) * 0x1p-52);
}

TEST_P(ReduceKernels, MomentsAreAccurateFarFromZero) {
  const ReductionKernels* moments = find_reduction(Reduction::moments, DType::float64);
  for (const auto& [rows, cols] : kShapes) {
    for (double center : {0.0, 1e6}) {
      std::vector<double> values(rows * cols);
      std::mt19937_64 random(rows * 7 + cols);
      for (double& v : values) v = center + static_cast<double>(random() >> 11) * 0x1p-53;
      const Tile<double> x(values, cols % 7);
      struct Triple {
        double v[3];
      };
      const Triple flat = reduce_flat<double, Triple>(moments, x.data(), rows * cols);
      expect_moments(flat.v, exact_of([&](size_t i) { return x[i]; }, rows * cols));
      const std::vector<double> columns =
          reduce_columns<double, double>(moments, x.data(), rows, cols, 3);
      for (size_t c = 0; c < cols; ++c) {
        const Exact e = exact_of([&, width = cols](size_t r) { return x[r * width + c]; }, rows);
        expect_moments(&columns[3 * c], e);
        ASSERT_FALSE(HasFatalFailure()) << rows << "x" << cols << " column " << c;
      }
      Tile<double> out(3 * rows, 3);
      moments->rows(x.data(), rows, cols, out.data());
      for (size_t r = 0; r < rows; ++r) {
        expect_moments(out.data() + 3 * r,
                       exact_of([&, width = cols](size_t c) { return x[r * width + c]; }, cols));
        ASSERT_FALSE(HasFatalFailure()) << rows << "x" << cols << " row " << r;
      }
      ASSERT_TRUE(out.canaries_are_alive());
    }
  }
}

// The same tile a million times over: without compensation the error would be some 1e-11.
TEST_P(ReduceKernels, ErrorOfASumDoesNotGrowWithTheNumberOfTiles) {
  const ReductionKernels* sum = find_reduction(Reduction::sum, DType::float64);
  const std::vector<double> tile(10, 0.1);
  double state[2];
  sum->start(state, 1);
  constexpr int kTiles = 1000000;
  for (int i = 0; i < kTiles; ++i) sum->add_flat(tile.data(), 1, state);
  double out;
  sum->finish(state, 1, &out);
  EXPECT_EQ(out, static_cast<double>(0.1L * 0 + static_cast<long double>(0.1) * kTiles));
}

TEST_P(ReduceKernels, InfinitiesAndNanReachTheResult) {
  for (DType dtype : {DType::float64}) {
    const ReductionKernels* sum = find_reduction(Reduction::sum, dtype);
    const ReductionKernels* moments = find_reduction(Reduction::moments, dtype);
    for (size_t n : {1, 2, 9, 100, 5000}) {
      for (size_t at : {size_t{0}, n / 2, n - 1}) {
        std::vector<double> x(n, 1.0);
        x[at] = INFINITY;
        EXPECT_EQ((reduce_flat<double, double>(sum, x.data(), n)), INFINITY);
        struct Triple {
          double v[3];
        };
        Triple triple = reduce_flat<double, Triple>(moments, x.data(), n);
        EXPECT_EQ(triple.v[1], INFINITY);
        EXPECT_TRUE(std::isnan(triple.v[2]));
        if (n > 1) {
          x[at == 0 ? 1 : 0] = -INFINITY;
          EXPECT_TRUE(std::isnan(reduce_flat<double, double>(sum, x.data(), n)));
        }
        x[at] = NAN;
        EXPECT_TRUE(std::isnan(reduce_flat<double, double>(sum, x.data(), n)));
        triple = reduce_flat<double, Triple>(moments, x.data(), n);
        EXPECT_TRUE(std::isnan(triple.v[1]));
      }
    }
  }
}

TEST_P(ReduceKernels, FloatExtremesMatchANaiveLoop) {
  check_extremes<double>();
  check_extremes<float>();
}

TEST(Reduce, ExistsForExactlyTheDocumentedTypes) {
  for (DType dtype : kEveryDType) {
    const bool wide = dtype == DType::float64;
    EXPECT_EQ(find_reduction(Reduction::sum, dtype) != nullptr,
              wide || dtype == DType::int64 || dtype == DType::uint64);
    EXPECT_EQ(find_reduction(Reduction::moments, dtype) != nullptr, wide);
    EXPECT_NE(find_reduction(Reduction::min, dtype), nullptr);
    EXPECT_NE(find_reduction(Reduction::max, dtype), nullptr);
    EXPECT_EQ(find_reduction(Reduction::any, dtype) != nullptr, is_bool(dtype));
    EXPECT_EQ(find_reduction(Reduction::all, dtype) != nullptr, is_bool(dtype));
  }
}

TUFF_ON_EVERY_TARGET(ReduceKernels);

}  // namespace
}  // namespace tuff::kernel_test
