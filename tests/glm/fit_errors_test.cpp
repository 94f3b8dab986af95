// Bad input to fits: each message names what is wrong, the values, and what is accepted.
#include <limits>

#include "problems.h"

#include "tuff/array/math.h"

namespace tuff::glm_test {
namespace {

using glm::fit;
using glm::FitOptions;
using glm::predict;
using glm::Solver;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

std::string message_of(const Array& X, const Array& y, const FitOptions& options = {}) {
  try {
    fit(X, y, options);
  } catch (const InvalidArgument& e) {
    return e.what();
  }
  return "(no error)";
}

struct Small {
  Array X = from_vector<double>({1, 5, 2, 6, 3, 4, 4, 9}, Dims{4, 2});
  Array y = from_vector<double>({0, 1, 0, 1});
};

TEST(FitErrors, NamesShapesThatDoNotFit) {
  const Small small;
  EXPECT_EQ(message_of(small.X, from_vector<double>({0, 1, 0})),
            "[fit] X of shape (4, 2) and y of shape (3,); accepted: (n, p) and (n,)");
  EXPECT_EQ(message_of(small.y, small.y),
            "[fit] X of shape (4,) and y of shape (4,); accepted: (n, p) and (n,)");
  EXPECT_EQ(message_of(zeros({4, 0}), small.y), "[fit] X has no columns; at least one is needed");
  EXPECT_EQ(message_of(zeros({0, 2}), zeros({0})),
            "[fit] X and y have no rows; at least one is needed");
}

TEST(FitErrors, NamesOptionsOutOfRange) {
  const Small small;
  EXPECT_EQ(message_of(small.X, small.y, {.alpha = -1}),
            "[fit] alpha is -1; accepted: 0 or any positive number");
  EXPECT_EQ(message_of(small.X, small.y, {.alpha = kNan}),
            "[fit] alpha is nan; accepted: 0 or any positive number");
  EXPECT_EQ(message_of(small.X, small.y, {.tol = 0}),
            "[fit] tol is 0; accepted: any positive number");
  EXPECT_EQ(message_of(small.X, small.y, {.max_iter = 0}),
            "[fit] max_iter is 0; at least 1 is needed");
  EXPECT_EQ(message_of(small.X, small.y, {.feature_names = {"a"}}),
            "[fit] 1 feature_names for 2 columns; accepted: one per column, or none");
}

TEST(FitErrors, NamesColumnAndFirstRowOfABadValue) {
  std::vector<double> X(3000, 0.5);
  for (size_t i = 0; i < X.size(); ++i) X[i] = static_cast<double>(i % 17);
  X[2 * 700 + 1] = kNan;
  X[2 * 900 + 1] = kInf;
  const Array y = arange(1500) < 700;
  EXPECT_EQ(message_of(from_vector(X, Dims{1500, 2}).rechunk({100, -1}), y,
                       {.feature_names = {"a", "b"}}),
            "[fit] feature 'b' is nan in row 700; accepted: finite numbers");
  X[2 * 700 + 1] = 0;
  X[2 * 800] = -kInf;
  EXPECT_EQ(message_of(from_vector(X, Dims{1500, 2}).rechunk({100, -1}), y),
            "[fit] feature 'x0' is -inf in row 800; accepted: finite numbers");
  X[2 * 800] = 1e300;
  X[2 * 900 + 1] = 0;
  EXPECT_EQ(message_of(from_vector(X, Dims{1500, 2}), y),
            "[fit] feature 'x0' has values so large that their squares overflow; rescale it");
}

TEST(FitErrors, NamesTargetsOutsideTheFamily) {
  const Small small;
  EXPECT_EQ(message_of(small.X, from_vector<double>({0, 1, 2, 1})),
            "[fit] the target is 2 in row 2; the logistic family accepts 0 and 1");
  EXPECT_EQ(message_of(small.X, from_vector<double>({0, kNan, 0, 1})),
            "[fit] the target is nan in row 1; the logistic family accepts 0 and 1");
  EXPECT_EQ(message_of(small.X, ones({4})),
            "[fit] the target has one class: every row is 1; two are needed");
  EXPECT_EQ(message_of(small.X, zeros({4})),
            "[fit] the target has one class: every row is 0; two are needed");
}

TEST(FitErrors, NamesConstantColumns) {
  const Problem problem = made_up(100, 1, 1);
  const Array x = problem.features();
  const auto with = [&](double value) {
    std::vector<double> X;
    for (double v : problem.X) X.insert(X.end(), {v, value});
    return from_vector(X, Dims{100, 2});
  };
  EXPECT_EQ(message_of(with(2.5), problem.target(), {.feature_names = {"a", "b"}}),
            "[fit] feature 'b' is constant (2.5), which the intercept already is; leave it out");
  EXPECT_EQ(message_of(with(0), problem.target(), {.fit_intercept = false}),
            "[fit] feature 'x1' is 0 in every row; leave it out");
  // A constant is an intercept of one's own, or nothing, where it does no harm.
  const glm::FitResult own = fit(with(1), problem.target(), {.fit_intercept = false});
  const glm::FitResult fitted = fit(x, problem.target());
  EXPECT_NEAR(own.coef[1], fitted.intercept, 1e-8);
  EXPECT_NEAR(own.coef[0], fitted.coef[0], 1e-8);
  EXPECT_NEAR(fit(with(2.5), problem.target(), {.alpha = 0.1}).coef[1], 0, 1e-12);
}

class FitErrorsOf : public ::testing::TestWithParam<Solver> {};

TEST_P(FitErrorsOf, NamesAColumnThatIsACombinationOfOthers) {
  const Problem problem = made_up(1000, 2, 2);
  std::vector<double> X;
  for (int64_t i = 0; i < 1000; ++i) {
    const double a = problem.X[static_cast<size_t>(2 * i)],
                 b = problem.X[static_cast<size_t>(2 * i + 1)];
    X.insert(X.end(), {a, b, 1000 + 3 * a - b});
  }
  EXPECT_EQ(message_of(from_vector(X, Dims{1000, 3}), problem.target(),
                       {.solver = GetParam(), .max_iter = 1000}),
            "[fit] feature 'x2' is a linear combination of the other features (3 'x0' - 1 'x1' + "
            "a constant); leave it out, or set alpha > 0");
  EXPECT_TRUE(
      fit(from_vector(X, Dims{1000, 3}), problem.target(), {.solver = GetParam(), .alpha = 0.1})
          .converged);
}

TEST_P(FitErrorsOf, NamesSeparableClasses) {
  std::vector<double> X, y;
  for (int i = 0; i < 200; ++i) {
    X.insert(X.end(), {std::sin(i), static_cast<double>(i)});
    y.push_back(i < 90 ? 0 : 1);
  }
  const Array features = from_vector(X, Dims{200, 2}), target = from_vector(y);
  EXPECT_EQ(message_of(features, target, {.solver = GetParam()}),
            "[fit] the classes are separable: a combination of the features (feature 'x1' above "
            "all) tells them "
            "apart in every row, so that coefficients grow without bound; set alpha > 0");
  EXPECT_TRUE(fit(features, target, {.solver = GetParam(), .alpha = 1e-3}).converged);
}

TEST_P(FitErrorsOf, NamesQuasiSeparableClasses) {
  // Where flag is 1, y is 1; elsewhere both classes overlap.
  std::vector<double> X, y;
  for (int i = 0; i < 300; ++i) {
    const bool flag = i % 10 == 0;
    X.insert(X.end(), {std::sin(i), flag ? 1.0 : 0.0});
    y.push_back(flag || std::sin(3 * i + 1) + std::sin(i) > 0.3 ? 1 : 0);
  }
  EXPECT_EQ(message_of(from_vector(X, Dims{300, 2}), from_vector(y),
                       {.solver = GetParam(), .max_iter = 1000, .feature_names = {"wave", "flag"}}),
            "[fit] the classes are quasi-separable: the coefficient of feature 'flag' grows "
            "without bound; set "
            "alpha > 0, or leave it out");
}

INSTANTIATE_TEST_SUITE_P(By, FitErrorsOf, ::testing::Values(Solver::newton, Solver::lbfgs),
                         [](const auto& solver) {
                           return solver.param == Solver::newton ? "newton" : "lbfgs";
                         });

TEST(PredictErrors, NamesTheNumberOfColumns) {
  const Problem problem = made_up(100, 2, 1);
  const glm::FitResult model = fit(problem.features(), problem.target());
  try {
    predict(model, zeros({10, 3}));
    FAIL();
  } catch (const InvalidArgument& e) {
    EXPECT_STREQ(e.what(),
                 "[predict] X of shape (10, 3) for a model of 2 columns; accepted: (n, 2)");
  }
}

}  // namespace
}  // namespace tuff::glm_test
