// The logistic pass against one row at a time in long double: every width, ragged tiles, gaps between
// rows, and etas from -10,000 to 10,000.
#include "tuff/kernels/logistic.h"

#include "testing.h"
#include <gtest/gtest.h>

namespace tuff::kernel_test {
namespace {

using kernels::LogisticWants;

struct Problem {
  size_t rows, cols, stride;
  std::vector<double> x, beta;
  std::vector<uint8_t> y;
};

Problem make_problem(size_t rows, size_t cols, size_t gap, double size, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53 * 2 - 1; };
  Problem problem{rows, cols, cols + gap, {}, {}, {}};
  for (size_t i = 0; i < rows * problem.stride; ++i) {
    // What lies between rows must not be read into a sum.
    problem.x.push_back(i % problem.stride < cols ? unit()
                                                  : std::numeric_limits<double>::quiet_NaN());
  }
  for (size_t j = 0; j <= cols; ++j) problem.beta.push_back(size * unit());
  for (size_t i = 0; i < rows; ++i) problem.y.push_back(random() % 3 == 0);
  return problem;
}

struct Sums {
  std::vector<long double> value;
  std::vector<long double> magnitude;  // of the terms, for the bound on rounding
};

Sums naive_sums(const Problem& problem, LogisticWants wants) {
  const size_t p = problem.cols, q = p + 1, count = kernels::logistic_sum_count(p, wants);
  Sums sums{std::vector<long double>(count), std::vector<long double>(count)};
  const auto add = [&](size_t at, long double term, long double magnitude) {
    sums.value[at] += term;
    sums.magnitude[at] += magnitude;
  };
  for (size_t i = 0; i < problem.rows; ++i) {
    const double* x = problem.x.data() + i * problem.stride;
    const auto column = [&](size_t j) { return j < p ? static_cast<long double>(x[j]) : 1.0L; };
    long double eta = 0, eta_size = 0;
    for (size_t j = 0; j < q; ++j) {
      eta += column(j) * problem.beta[j];
      eta_size += std::fabs(column(j) * problem.beta[j]);
    }
    const bool one = problem.y[i] != 0;
    const long double z = one ? -eta : eta;
    add(0, std::max(z, 0.0L) + std::log1p(std::exp(-std::fabs(z))), 1 + eta_size);
    add(1, z >= 0 ? 1 : 0, 0);
    if (wants == LogisticWants::value) continue;
    const long double miss = z > 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z));
    // eta is off by eta_size roundings, and so is the logarithm of the residual.
    for (size_t j = 0; j < q; ++j) {
      add(2 + j, (one ? -miss : miss) * column(j), miss * (1 + eta_size));
    }
    if (wants == LogisticWants::gradient) continue;
    const long double weight = std::exp(-std::fabs(eta)) /
                               ((1 + std::exp(-std::fabs(eta))) * (1 + std::exp(-std::fabs(eta))));
    for (size_t j = 0; j < q; ++j) {
      for (size_t k = 0; k < q; ++k) {
        add(2 + q + j * q + k, weight * column(j) * column(k), weight * (1 + eta_size));
      }
    }
  }
  return sums;
}

std::vector<double> kernel_sums(const Problem& problem, LogisticWants wants) {
  const Tile<double> x(problem.x, 1);
  const Tile<uint8_t> y(problem.y, 3);
  const kernels::LogisticRows rows{x.data(), y.data(), problem.rows, problem.cols, problem.stride};
  std::vector<double> sums(kernels::logistic_sum_count(problem.cols, wants), -1.0);
  const size_t bytes = kernels::logistic_scratch_bytes(problem.cols);
  auto* scratch = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  kernels::logistic_sums(rows, problem.beta.data(), wants, sums.data(), scratch);
  std::free(scratch);
  return sums;
}

class Logistic : public OnEveryTarget {};

TEST_P(Logistic, SumsAgreeWithLoops) {
  for (size_t rows : {0, 1, 7, 8, 9, 31, 511, 512, 513, 1500}) {
    for (size_t cols : {1, 2, 3, 4, 5, 8, 9, 33, 100}) {
      for (double size : {0.5, 30.0, 1e4}) {
        const Problem problem = make_problem(rows, cols, rows % 2, size, rows * 1000 + cols);
        for (LogisticWants wants :
             {LogisticWants::value, LogisticWants::gradient, LogisticWants::hessian}) {
          const std::vector<double> got = kernel_sums(problem, wants);
          const Sums want = naive_sums(problem, wants);
          const double unit = static_cast<double>(cols + 16) * 0x1p-52;
          for (size_t i = 0; i < got.size(); ++i) {
            ASSERT_NEAR(got[i], static_cast<double>(want.value[i]),
                        unit * static_cast<double>(want.magnitude[i]))
                << rows << " x " << cols << ", coefficients up to " << size << ", sum " << i;
          }
        }
      }
    }
  }
}

TEST_P(Logistic, SumsOfLessAreTheSameBits) {
  const Problem problem = make_problem(1000, 7, 0, 1, 5);
  const std::vector<double> value = kernel_sums(problem, LogisticWants::value);
  const std::vector<double> gradient = kernel_sums(problem, LogisticWants::gradient);
  const std::vector<double> hessian = kernel_sums(problem, LogisticWants::hessian);
  for (size_t i = 0; i < value.size(); ++i) EXPECT_TRUE(same_bits(value[i], hessian[i])) << i;
  for (size_t i = 0; i < gradient.size(); ++i) EXPECT_TRUE(same_bits(gradient[i], hessian[i])) << i;
}

TEST_P(Logistic, HessianIsSymmetricToTheBit) {
  const Problem problem = make_problem(777, 20, 0, 1, 6);
  const std::vector<double> sums = kernel_sums(problem, LogisticWants::hessian);
  const double* h = sums.data() + 2 + 21;
  for (size_t i = 0; i < 21; ++i) {
    for (size_t j = 0; j < i; ++j)
      EXPECT_TRUE(same_bits(h[i * 21 + j], h[j * 21 + i])) << i << "," << j;
  }
}

TEST_P(Logistic, AnEmptyTailOfTheDistributionKeepsItsRelativeAccuracy) {
  // Every row decided by eta = 300: residuals and weights are exp(-300), not 0.
  Problem problem{100, 1, 1, std::vector<double>(100, 1.0), {300, 0}, std::vector<uint8_t>(100, 1)};
  const std::vector<double> sums = kernel_sums(problem, LogisticWants::hessian);
  EXPECT_EQ(sums[1], 0);
  EXPECT_NEAR(sums[2] / (-100 * std::exp(-300.0)), 1, 1e-14);
  EXPECT_NEAR(sums[4] / (100 * std::exp(-300.0)), 1, 1e-14);
}

TEST_P(Logistic, NanSpreadsToTheValueAndTheGradient) {
  for (size_t at : {0, 5, 99}) {
    Problem problem = make_problem(100, 3, 0, 1, 7);
    problem.x[at * 3 + 1] = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> sums = kernel_sums(problem, LogisticWants::hessian);
    EXPECT_TRUE(std::isnan(sums[0])) << at;
    EXPECT_TRUE(std::isnan(sums[3])) << at;
  }
}

TUFF_ON_EVERY_TARGET(Logistic);

}  // namespace
}  // namespace tuff::kernel_test
