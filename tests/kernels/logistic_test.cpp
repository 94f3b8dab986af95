// The logistic pass against one row at a time in long double: every width, ragged tiles, gaps between
// rows, columns far from 0 and mixed ones, and etas from -10,000 to 10,000.
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
  std::vector<double> centre, scale, mix;
};

/// What the pass sees of one row.
std::vector<long double> seen(const Problem& problem, size_t row) {
  std::vector<long double> z(problem.cols), mixed(problem.cols, 0.0L);
  for (size_t j = 0; j < problem.cols; ++j)
    z[j] = (static_cast<long double>(problem.x[row * problem.stride + j]) - problem.centre[j]) *
           problem.scale[j];
  if (problem.mix.empty()) return z;
  for (size_t j = 0; j < problem.cols; ++j) {
    for (size_t k = 0; k < problem.cols; ++k) mixed[j] += z[k] * problem.mix[k * problem.cols + j];
  }
  return mixed;
}

/// Moves the columns to around `offset` in other units, so that the pass sees nearly the same.
void move_columns(Problem& problem, double offset) {
  for (size_t j = 0; j < problem.cols; ++j) {
    problem.centre[j] = offset * static_cast<double>(j + 1);
    problem.scale[j] = j % 2 == 0 ? 0.25 : 8;
    for (size_t i = 0; i < problem.rows; ++i) {
      double& x = problem.x[i * problem.stride + j];
      x = x / problem.scale[j] + problem.centre[j];
    }
  }
}

Problem make_problem(size_t rows, size_t cols, size_t gap, double size, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53 * 2 - 1; };
  Problem problem{rows, cols, cols + gap, {}, {}, {}, {}, {}, {}};
  problem.centre.assign(cols, 0.0);
  problem.scale.assign(cols, 1.0);
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
    const std::vector<long double> z = seen(problem, i);
    const auto column = [&](size_t j) { return j < p ? z[j] : 1.0L; };
    long double eta = 0, eta_size = 0;
    for (size_t j = 0; j < q; ++j) {
      eta += column(j) * problem.beta[j];
      eta_size += std::fabs(column(j) * problem.beta[j]);
    }
    const bool one = problem.y[i] != 0;
    const long double away = one ? -eta : eta;
    add(0, std::max(away, 0.0L) + std::log1p(std::exp(-std::fabs(away))), 1 + eta_size);
    add(1, away >= 0 ? 1 : 0, 0);
    if (wants == LogisticWants::value) continue;
    const long double miss =
        away > 0 ? 1 / (1 + std::exp(-away)) : std::exp(away) / (1 + std::exp(away));
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

void kernel_add(const Problem& problem, LogisticWants wants, std::vector<double>& sums) {
  const Tile<double> x(problem.x, 1);
  const Tile<uint8_t> y(problem.y, 3);
  const kernels::LogisticRows rows{x.data(), y.data(), problem.rows, problem.cols, problem.stride};
  const kernels::LogisticColumns columns{problem.centre.data(), problem.scale.data(),
                                         problem.mix.empty() ? nullptr : problem.mix.data()};
  const size_t bytes = kernels::logistic_scratch_bytes(problem.cols);
  auto* scratch = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  kernels::logistic_sums(rows, columns, problem.beta.data(), wants, sums.data(), scratch);
  std::free(scratch);
}

std::vector<double> kernel_sums(const Problem& problem, LogisticWants wants) {
  std::vector<double> sums(kernels::logistic_sum_count(problem.cols, wants), 0.0);
  kernel_add(problem, wants, sums);
  return sums;
}

class Logistic : public OnEveryTarget {};

void expect_agreement(const Problem& problem, const std::string& what) {
  for (LogisticWants wants :
       {LogisticWants::value, LogisticWants::gradient, LogisticWants::hessian}) {
    const std::vector<double> got = kernel_sums(problem, wants);
    const Sums want = naive_sums(problem, wants);
    const double unit = static_cast<double>(problem.cols + 16) * 0x1p-52;
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], static_cast<double>(want.value[i]),
                  unit * static_cast<double>(want.magnitude[i]))
          << problem.rows << " x " << problem.cols << ", " << what << ", sum " << i;
    }
  }
}

// Centres of 1e8 deviations: if anything cancelled, half of the digits would be gone.
TEST_P(Logistic, SumsDoNotDependOnWhereColumnsLie) {
  for (size_t cols : {1, 2, 3, 4, 5, 33, 200}) {
    Problem problem = make_problem(300, cols, cols % 2, 0.5, cols);
    move_columns(problem, 0x1p26);
    expect_agreement(problem, "far from 0");
  }
}

TEST_P(Logistic, MixesColumns) {
  for (size_t cols : {1, 2, 4, 5, 33, 200}) {
    Problem problem = make_problem(300, cols, 0, 0.5, cols);
    move_columns(problem, 1000);
    problem.mix.assign(cols * cols, 0.0);
    for (size_t j = 0; j < cols; ++j) {
      problem.mix[j * cols + j] = j == cols / 2 ? 3 : 1;
      if (j != cols / 2) problem.mix[j * cols + cols / 2] = j % 2 == 0 ? -0.5 : 0.25;
    }
    expect_agreement(problem, "mixed");
  }
}

TEST_P(Logistic, AddsToWhatIsThere) {
  const Problem problem = make_problem(100, 3, 0, 1, 8);
  std::vector<double> once = kernel_sums(problem, LogisticWants::hessian), twice = once;
  Problem both = problem;
  both.rows = 200;
  both.x.insert(both.x.end(), problem.x.begin(), problem.x.end());
  both.y.insert(both.y.end(), problem.y.begin(), problem.y.end());
  kernel_add(problem, LogisticWants::hessian, twice);
  const std::vector<double> whole = kernel_sums(both, LogisticWants::hessian);
  for (size_t i = 0; i < whole.size(); ++i)
    EXPECT_NEAR(twice[i], whole[i], 1e-13 * (1 + std::fabs(whole[i])));
}

TEST_P(Logistic, SumsAgreeWithLoops) {
  for (size_t rows : {0, 1, 7, 8, 9, 31, 511, 512, 513, 1500}) {
    for (size_t cols : {1, 2, 3, 4, 5, 8, 9, 33, 100}) {
      for (double size : {0.5, 30.0, 1e4}) {
        expect_agreement(make_problem(rows, cols, rows % 2, size, rows * 1000 + cols),
                         "coefficients up to " + std::to_string(size));
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
  Problem problem{
      100, 1,   1, std::vector<double>(100, 1.0), {300, 0}, std::vector<uint8_t>(100, 1),
      {0}, {1}, {}};
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
