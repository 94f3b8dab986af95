// Rank is told by the data: the verdict on columns is the same for every solver, instruction set, number of
// threads, number of columns and budget, full-rank columns are fitted however close they are, and columns far
// from 0 lose nothing.
#include "tuff/glm/collinearity.h"

#include <algorithm>
#include <cmath>

#include "long_fit.h"
#include "problems.h"

#include "tuff/array/math.h"
#include "tuff/array/random.h"
#include "tuff/base/context.h"
#include "tuff/kernels/target.h"

namespace tuff::glm_test {
namespace {

using glm::fit;
using glm::FitOptions;
using glm::FitResult;
using glm::Solver;

/// What fit() says of a problem: the columns' verdict, whatever else comes out.
std::string verdict(const Problem& problem, FitOptions options = {}) {
  options.max_iter = 1000;
  try {
    const FitResult model = fit(problem.features(), problem.target(), options);
    return model.warnings.empty() ? "independent" : model.warnings[0];
  } catch (const InvalidArgument& e) {
    return e.what();
  }
}

class Rank : public ::testing::TestWithParam<Solver> {
 protected:
  FitOptions options() const { return {.solver = GetParam(), .max_iter = 1000}; }
};

class Unit {
 public:
  explicit Unit(uint64_t seed) : random_(seed) {}
  double operator()() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  double normal() {
    return std::sqrt(-2 * std::log1p(-(*this)())) * std::cos(6.283185307179586 * (*this)());
  }
  int64_t below(int64_t n) { return static_cast<int64_t>((*this)() * static_cast<double>(n)); }

 private:
  std::mt19937_64 random_;
};

/// Both classes in every kind of row, so that what is decided is rank alone.
void mix_classes(Problem& problem, Unit& unit) {
  for (int64_t i = 0; i < problem.rows; ++i) problem.y.push_back(unit() < 0.5 ? 1 : 0);
}

TEST_P(Rank, IntegerColumnsThatAddUpAreRefusedWhateverTheirOffset) {
  Unit unit(1);
  for (int64_t rows : {20, 300}) {
    for (double offset : {0.0, 1e2, 2e4, 1e7, 1e12}) {
      for (int repeat = 0; repeat < 20; ++repeat) {
        Problem problem{"sum", rows, 3, {}, {}, {}};
        for (int64_t i = 0; i < rows; ++i) {
          const auto a = offset + static_cast<double>(unit.below(100)),
                     b = offset + static_cast<double>(unit.below(100));
          problem.X.insert(problem.X.end(), {a, b, a + b});
        }
        mix_classes(problem, unit);
        ASSERT_EQ(verdict(problem, options()),
                  "[fit] feature 'x2' is a linear combination of the other features (1 'x0' + 1 "
                  "'x1'); leave it out, or set alpha > 0")
            << rows << " rows around " << offset;
      }
    }
  }
}

TEST_P(Rank, DecimalsThatAddUpToRoundingAreRefusedToo) {
  Unit unit(2);
  for (double offset : {0.0, 1e3, 1e9}) {
    Problem problem{"decimals", 200, 4, {}, {}, {}};
    for (int64_t i = 0; i < problem.rows; ++i) {
      const double a = offset + std::round(unit() * 1e4) / 1e4, b = std::round(unit() * 1e3) / 1e3,
                   c = unit();
      problem.X.insert(problem.X.end(), {a, b, c, 0.1 * a - 3 * b + 7});
    }
    mix_classes(problem, unit);
    EXPECT_EQ(verdict(problem, options()),
              "[fit] feature 'x3' is a linear combination of the other features (0.1 'x0' - 3 'x1' "
              "+ a constant); leave it out, or set alpha > 0")
        << offset;
  }
}

TEST_P(Rank, OfSeveralRelationsTheFirstIsNamed) {
  // Two dummies too many, and a copy.
  Unit unit(3);
  Problem problem{"dummies", 400, 7, {}, {}, {}};
  for (int64_t i = 0; i < problem.rows; ++i) {
    const int64_t colour = unit.below(3), size = unit.below(2);
    const double noise = unit();
    problem.X.insert(problem.X.end(),
                     {noise, colour == 0 ? 1. : 0., colour == 1 ? 1. : 0., size == 0 ? 1. : 0.,
                      colour == 2 ? 1. : 0., size == 1 ? 1. : 0., noise});
  }
  mix_classes(problem, unit);
  EXPECT_EQ(verdict(problem, options()),
            "[fit] feature 'x4' is a linear combination of the other features (-1 'x1' - 1 'x2' + "
            "a constant); leave it out, or set alpha > 0");
}

TEST_P(Rank, ClosePairsAreFittedWithAWarning) {
  for (double mean : {0.0, 1e4, 1e5}) {
    Unit unit(4);
    Problem problem{"pair", 2000, 2, {}, {}, {}};
    for (int64_t i = 0; i < problem.rows; ++i) {
      const double a = mean + unit.normal();
      problem.X.insert(problem.X.end(), {a, a + 1e-3 * unit.normal()});
      problem.y.push_back(unit() < 1 / (1 + std::exp(mean - a)) ? 1 : 0);
    }
    const FitResult model = fit(problem.features(), problem.target(), options());
    const LongFit want = long_fit(problem);
    EXPECT_TRUE(model.converged);
    for (size_t j = 0; j < 2; ++j)
      EXPECT_NEAR(model.coef[j] / want.coef[j], 1, 1e-8) << mean << " " << j;
    ASSERT_EQ(model.warnings.size(), 1U) << mean;
    EXPECT_EQ(
        model.warnings[0],
        "the features are nearly collinear ('x0', 'x1' above all): the condition number of the "
        "standardised features is 2e+03, so single coefficients are known that much less well "
        "than sums of them");
  }
}

// x2 = 1000 + 3 a - b + gap s has full rank; its model is that of a, b and s in other coordinates.
TEST_P(Rank, TheSmallestGapIsStillARank) {
  for (double gap : {1e-3, 1e-5, 1e-7, 1e-9}) {
    Problem apart = made_up(1000, 3, 5), problem = apart;
    for (size_t i = 0; i < 1000; ++i) {
      const double* x = &apart.X[3 * i];
      problem.X[3 * i + 2] = 1000 + 3 * x[0] - x[1] + gap * x[2];
    }
    const LongFit want = long_fit(apart);
    const FitResult model = fit(problem.features(), problem.target(), options());
    EXPECT_TRUE(model.converged);
    EXPECT_EQ(model.warnings.size(), 1U);
    // The column's values are rounded at 1e-13: that much of the gap is noise.
    const double tolerance = 1e-8 + 1e-12 / gap;
    EXPECT_NEAR(model.coef[2] * gap / want.coef[2], 1, tolerance) << gap;
    EXPECT_NEAR((model.coef[0] + 3 * model.coef[2]) / want.coef[0], 1,
                tolerance + 1e-15 * std::fabs(model.coef[2]))
        << gap;
  }
}

TEST_P(Rank, PolynomialsAreFittedAsFarAsTheirDigitsGo) {
  // Powers of x in [1, 2]: the condition number grows tenfold with each.
  Unit unit(6);
  for (int64_t degree : {3, 5, 7}) {
    Problem problem{"powers", 3000, degree, {}, {}, {}};
    for (int64_t i = 0; i < problem.rows; ++i) {
      const double x = 1 + unit();
      for (int64_t d = 1; d <= degree; ++d)
        problem.X.push_back(std::pow(x, static_cast<double>(d)));
      problem.y.push_back(unit() < 1 / (1 + std::exp(3 * std::sin(5 * x))) ? 1 : 0);
    }
    const FitResult model = fit(problem.features(), problem.target(), options());
    const LongFit want = long_fit(problem);
    EXPECT_TRUE(model.converged) << degree;
    double most = 0;
    for (double c : want.coef) most = std::fmax(most, std::fabs(c));
    for (size_t j = 0; j < want.coef.size(); ++j)
      EXPECT_NEAR(model.coef[j] / most, want.coef[j] / most, 1e-7) << degree << " " << j;
  }
}

TEST_P(Rank, AColumnFarFromZeroIsWhatItIsNearZero) {
  const std::vector<double> y = {1, 0, 0, 1, 0, 1};
  const auto with = [&](double offset) {
    Problem problem{"far", 6, 1, {}, y, {}};
    for (int i = 0; i < 6; ++i) problem.X.push_back(offset + i);
    return problem;
  };
  const Problem near = with(0);
  for (double alpha : {0.0, 0.001}) {
    FitOptions options = this->options();
    options.alpha = alpha;
    const LongFit want = long_fit(near, alpha);
    for (double offset : {0.0, 1e8, -1e14, 1e14}) {
      const FitResult model = fit(with(offset).features(), near.target(), options);
      EXPECT_TRUE(model.converged) << offset;
      EXPECT_NEAR(model.coef[0] / want.coef[0], 1, 1e-8) << offset << ", alpha " << alpha;
      EXPECT_TRUE(model.warnings.empty());
      // Of the intercept in the column's own units few digits are left; predictions do not need it.
      const std::vector<double> p =
          glm::predict(model, with(offset).features()).to_vector<double>();
      for (size_t i = 0; i < 6; ++i) {
        const double eta = want.eta_at_mean + want.coef[0] * (static_cast<double>(i) - 2.5);
        EXPECT_NEAR(p[i], 1 / (1 + std::exp(-eta)), 1e-9) << offset;
      }
    }
  }
}

TEST_P(Rank, WhatTakesTwoValuesIsNotConstant) {
  Problem near{"near", 1000, 1, {}, {}, {}}, far = near, tiny = near;
  Unit unit(7);
  for (int i = 0; i < 1000; ++i) {
    near.X.push_back(2 * i);
    far.X.push_back(0x1p53 + 2 * i);  // doubles up there are 2 apart
    tiny.X.push_back(1e-170 * (2 * i));
  }
  mix_classes(near, unit);
  far.y = tiny.y = near.y;
  const LongFit want = long_fit(near);
  const FitResult of_far = fit(far.features(), far.target(), options());
  EXPECT_NEAR(of_far.coef[0] / want.coef[0], 1, 1e-8);
  const FitResult of_tiny = fit(tiny.features(), tiny.target(), options());
  EXPECT_NEAR(of_tiny.coef[0] * 1e-170 / want.coef[0], 1, 1e-8);
  // The smallest difference there is.
  for (double value : {1.0, 1e-300, 1e15}) {
    Problem step{"step", 100, 1, std::vector<double>(100, value), {}, {}};
    for (size_t i = 0; i < 50; ++i) step.X[i] = std::nextafter(value, 2 * value);
    for (size_t i = 0; i < 100; ++i) step.y.push_back(i % 3 == 0 ? 1 : 0);
    EXPECT_EQ(verdict(step, options()), "independent") << value;
    step.X.assign(100, value);
    EXPECT_NE(verdict(step, options()).find("is constant"), std::string::npos) << value;
  }
}

TEST_P(Rank, FewEventsInManyRowsAreFittedToEightDigits) {
  // 4 events in 2 million rows: the gradient per row is small from the beginning.
  Problem problem{"rare", 2'000'000, 1, {}, {}, {}}, counted = problem;
  for (int64_t i = 0; i < problem.rows; ++i) {
    problem.X.push_back(static_cast<double>(i % 1000) / 1000);
    problem.y.push_back(i == 100'200 || i == 700'600 || i == 1'100'700 || i == 1'900'900 ? 1 : 0);
  }
  const FitResult model = fit(problem.features(), problem.target(), options());
  EXPECT_TRUE(model.converged);
  FitOptions tight = options();
  tight.tol = 1e-15;
  const FitResult want = fit(problem.features(), problem.target(), tight);
  // The score equations, each class of equal rows at once, in long double.
  long double g0 = 0, g1 = 0;
  const long double b = model.coef[0], a = model.intercept;
  for (int k = 0; k < 1000; ++k) {
    const long double x = static_cast<double>(k) / 1000, mu = 1 / (1 + std::exp(-(a + b * x)));
    const int events = k == 200 || k == 600 || k == 700 || k == 900 ? 1 : 0;
    g0 += 2000 * mu - events;
    g1 += x * (2000 * mu - events);
  }
  // 4 events: a relative error e of the coefficients makes gradients of about 4 e.
  EXPECT_NEAR(static_cast<double>(g0), 0, 4e-8);
  EXPECT_NEAR(static_cast<double>(g1), 0, 4e-8);
  EXPECT_NEAR(model.coef[0] / want.coef[0], 1, 1e-8);
}

TEST_P(Rank, ManyColumnsAreJudgedLikeFew) {
  Unit unit(8);
  const int64_t p = 520;
  Problem problem{"wide", 700, p, {}, {}, {}};
  for (int64_t i = 0; i < problem.rows; ++i) {
    for (int64_t j = 0; j < p; ++j) problem.X.push_back(unit());
    double* x = &problem.X[static_cast<size_t>(i * p)];
    x[p - 1] = 2 * x[3] - x[500] + 5;
    problem.y.push_back(unit() < 0.5 ? 1 : 0);
  }
  EXPECT_EQ(
      verdict(problem, options()),
      "[fit] feature 'x519' is a linear combination of the other features (2 'x3' - 1 'x500' + "
      "a constant); leave it out, or set alpha > 0");
  for (int64_t i = 0; i < problem.rows; ++i) {
    // Where the last column is 1, y is 1: quasi-separable, but for the other 519 columns.
    const bool flag = i % 10 == 0;
    problem.X[static_cast<size_t>(i * p + p - 1)] = flag ? 1 : 0;
    if (flag) problem.y[static_cast<size_t>(i)] = 1;
  }
  EXPECT_NE(verdict(problem, options()).find("separable"), std::string::npos);
}

TEST_P(Rank, MoreColumnsThanRowsAreRefused) {
  Unit unit(9);
  Problem problem{"short", 10, 12, {}, {}, {}};
  for (int i = 0; i < 120; ++i) problem.X.push_back(unit());
  mix_classes(problem, unit);
  problem.y[0] = 0, problem.y[1] = 1;
  const std::string text = verdict(problem, options());
  EXPECT_NE(text.find("feature 'x9' is a linear combination of the other features ("),
            std::string::npos)
      << text;
}

TEST_P(Rank, ARareFlagThatDecidesIsFound) {
  // 1 row in 1000 has the flag: its standardised coefficient hardly moves while it grows without bound.
  Problem problem{"flag", 20000, 2, {}, {}, {}};
  Unit unit(10);
  for (int64_t i = 0; i < problem.rows; ++i) {
    const bool flag = i % 1000 == 7;
    problem.X.insert(problem.X.end(), {unit(), flag ? 1.0 : 0.0});
    problem.y.push_back(flag || unit() < 0.3 ? 1 : 0);
  }
  EXPECT_EQ(verdict(problem, options()),
            "[fit] the classes are quasi-separable: the coefficient of feature 'x1' grows without "
            "bound; set alpha > 0, or leave it out");
}

TEST_P(Rank, PenalisedCopiesShareTheirCoefficient) {
  Unit unit(11);
  Problem problem{"copies", 500, 2, {}, {}, {}}, one{"one", 500, 1, {}, {}, {}};
  for (int64_t i = 0; i < 500; ++i) {
    const double a = 1e6 + unit.normal();
    problem.X.insert(problem.X.end(), {a, a});
    one.X.push_back(a);
    problem.y.push_back(unit() < 1 / (1 + std::exp(1e6 - a)) ? 1 : 0);
  }
  one.y = problem.y;
  for (double alpha : {1e-6, 1e-3}) {
    FitOptions options = this->options();
    options.alpha = alpha;
    const FitResult model = fit(problem.features(), problem.target(), options);
    EXPECT_TRUE(model.converged) << alpha;
    // alpha / 2 (c^2 + c^2) is what one column of coefficient 2 c pays under alpha / 2.
    const LongFit want = long_fit(one, alpha / 2);
    EXPECT_NEAR(model.coef[0] + model.coef[1], want.coef[0], 1e-8 * std::fabs(want.coef[0]))
        << alpha;
    EXPECT_NEAR(model.coef[0] / model.coef[1], 1, 1e-6) << alpha;
  }
}

INSTANTIATE_TEST_SUITE_P(By, Rank, ::testing::Values(Solver::newton, Solver::lbfgs),
                         [](const auto& solver) {
                           return solver.param == Solver::newton ? "newton" : "lbfgs";
                         });

// ---- the same everywhere -------------------------------------------------------------------------

/// Columns of every kind of nearness, among them exact combinations, in random units and places.
Problem random_columns(uint64_t seed) {
  Unit unit(seed);
  const int64_t rows = 30 + unit.below(200), p = 2 + unit.below(6);
  Problem problem{"random", rows, p, {}, {}, {}};
  std::vector<double> offset, scale, times;
  for (int64_t j = 0; j < p; ++j) {
    offset.push_back(unit() < 0.5 ? 0 : std::pow(10, 8 * unit()));
    scale.push_back(std::pow(10, 6 * unit() - 3));
    times.push_back(unit() < 0.5 ? 0 : static_cast<double>(unit.below(5)) - 2);
  }
  const double gap = unit() < 0.4 ? 0 : std::pow(10, -12 * unit());
  for (int64_t i = 0; i < rows; ++i) {
    double last = 0;
    for (int64_t j = 0; j + 1 < p; ++j) {
      const auto at = static_cast<size_t>(j);
      problem.X.push_back(offset[at] + scale[at] * unit.normal());
      last += times[at] * problem.X.back();
    }
    problem.X.push_back(last + gap * unit.normal());
  }
  mix_classes(problem, unit);
  return problem;
}

TEST(RankVerdict, IsTheSameForEverySolverInstructionSetAndNumberOfThreads) {
  const std::string before = kernels::current_target();
  int refused = 0, warned = 0;
  for (uint64_t seed = 0; seed < 120; ++seed) {
    const Problem problem = random_columns(seed);
    kernels::set_target("baseline");
    const std::string want = verdict(problem);
    refused += want.find("linear combination") != std::string::npos ? 1 : 0;
    warned += want.find("nearly collinear") != std::string::npos ? 1 : 0;
    for (const std::string& target : kernels::available_targets()) {
      kernels::set_target(target);
      for (Solver solver : {Solver::newton, Solver::lbfgs}) {
        for (int threads : {1, 3}) {
          Context context({.threads = threads});
          FitOptions options{.solver = solver};
          options.run.context = &context;
          ASSERT_EQ(verdict(problem, options), want) << "seed " << seed << " on " << target;
        }
      }
    }
  }
  kernels::set_target(before);
  EXPECT_GT(refused, 20);
  EXPECT_GT(warned, 20);
}

TEST(RankVerdict, AndEveryDigitAreTheSameUnderASmallBudget) {
  const Array X = random::normal({40'000, 20}, {.chunks = ChunkSpec{9000, -1}, .seed = 3});
  const Array y = random::uniform({40'000}, {.chunks = 9000, .seed = 4}) < 0.4;
  const auto under = [&](size_t bytes, bool persisted, Solver solver) {
    Context context({.threads = 2, .memory_bytes = bytes});
    FitOptions options{.solver = solver};
    options.run.context = &context;
    if (!persisted) return fit(X, y, options);
    return fit(X.persist(options.run), y.persist(options.run), options);
  };
  for (Solver solver : {Solver::newton, Solver::lbfgs}) {
    const FitResult want = under(size_t{1} << 30, false, solver);
    for (bool persisted : {false, true}) {
      const FitResult small = under(6 << 20, persisted, solver);
      EXPECT_EQ(small.coef, want.coef) << persisted;
      EXPECT_EQ(small.intercept, want.intercept) << persisted;
      EXPECT_EQ(small.objective_history, want.objective_history) << persisted;
    }
  }
}

}  // namespace
}  // namespace tuff::glm_test
