// Fits against scikit-learn and statsmodels, optimality conditions, and sameness whatever the blocks,
// threads, types and units.
#include <cmath>

#include "problems.h"

#include "tuff/array/math.h"
#include "tuff/array/random.h"
#include "tuff/base/context.h"
#include "tuff/graph/serialize.h"

namespace tuff::glm_test {
namespace {

using glm::fit;
using glm::FitOptions;
using glm::FitResult;
using glm::predict;
using glm::Solver;

class Fit : public ::testing::TestWithParam<Solver> {};

TEST_P(Fit, AgreesWithScikitLearnAndStatsmodels) {
  const std::vector<Problem> problems = real_problems();
  ASSERT_EQ(problems.size(), 3U);
  for (const Problem& problem : problems) {
    ASSERT_EQ(problem.references.size(), 8U);
    for (const Reference& reference : problem.references) {
      SCOPED_TRACE(problem.name + ", " + reference.solver + ", alpha " +
                   std::to_string(reference.alpha));
      const FitResult model = fit(problem.features(), problem.target(),
                                  {.solver = GetParam(),
                                   .alpha = reference.alpha,
                                   .fit_intercept = reference.intercept_fitted,
                                   .tol = 1e-12,
                                   .max_iter = 1000});
      EXPECT_TRUE(model.converged);
      for (size_t j = 0; j < model.coef.size(); ++j) {
        EXPECT_NEAR(model.coef[j], reference.coef[j],
                    1e-8 * std::fmax(1, std::fabs(reference.coef[j])))
            << j;
      }
      EXPECT_NEAR(model.intercept, reference.intercept,
                  1e-8 * std::fmax(1, std::fabs(reference.intercept)));
    }
  }
}

TEST_P(Fit, DefaultsAreTightEnoughForEightDigits) {
  for (const Problem& problem : real_problems()) {
    const Reference& reference = problem.references[0];
    const FitResult model =
        fit(problem.features(), problem.target(), {.solver = GetParam(), .max_iter = 1000});
    EXPECT_TRUE(model.converged);
    EXPECT_LE(model.gradient_norm, 1e-8);
    for (size_t j = 0; j < model.coef.size(); ++j) {
      EXPECT_NEAR(model.coef[j] / reference.coef[j], 1, 1e-8) << problem.name << " " << j;
    }
  }
}

/// The gradient of the mean loss at the result, one row after another in long double.
std::vector<double> gradient_at(const Problem& problem, const FitResult& model) {
  std::vector<long double> g(static_cast<size_t>(problem.columns) + 1);
  for (int64_t i = 0; i < problem.rows; ++i) {
    const double* x = problem.X.data() + i * problem.columns;
    long double eta = model.intercept;
    for (int64_t j = 0; j < problem.columns; ++j)
      eta += static_cast<long double>(x[j]) * model.coef[static_cast<size_t>(j)];
    const long double residual = 1 / (1 + std::exp(-eta)) - problem.y[static_cast<size_t>(i)];
    for (int64_t j = 0; j < problem.columns; ++j) g[static_cast<size_t>(j)] += residual * x[j];
    g.back() += residual;
  }
  std::vector<double> gradient;
  for (size_t j = 0; j < g.size(); ++j) {
    const double penalty = j < model.coef.size() ? model.alpha * model.coef[j] : 0;
    gradient.push_back(static_cast<double>(g[j] / problem.rows) + penalty);
  }
  return gradient;
}

TEST_P(Fit, GradientVanishesAtTheResult) {
  for (int64_t columns : {1, 3, 4, 5, 20}) {
    for (double alpha : {0.0, 0.1}) {
      const Problem problem = made_up(3000, columns, static_cast<uint64_t>(columns));
      const FitResult model =
          fit(problem.features(500), problem.target(500), {.solver = GetParam(), .alpha = alpha});
      EXPECT_TRUE(model.converged);
      // Columns have deviation 0.29: what the scaled gradient calls 1e-8 is below that here.
      for (double g : gradient_at(problem, model))
        EXPECT_NEAR(g, 0, 1e-8) << columns << " columns, alpha " << alpha;
    }
  }
}

TEST_P(Fit, IsTheSameBitsAtAnyNumberOfThreads) {
  const Problem problem = made_up(20000, 6, 1);
  const auto at = [&](int threads) {
    Context context({.threads = threads});
    FitOptions options{.solver = GetParam()};
    options.run.context = &context;
    return fit(problem.features(ChunkSpec{700, -1}), problem.target(700), options);
  };
  const FitResult one = at(1);
  for (int threads : {2, 7}) {
    const FitResult many = at(threads);
    EXPECT_EQ(one.coef, many.coef) << threads;
    EXPECT_EQ(one.intercept, many.intercept);
    EXPECT_EQ(one.objective_history, many.objective_history);
    EXPECT_EQ(one.gradient_norm_history, many.gradient_norm_history);
  }
}

TEST_P(Fit, HardlyDependsOnTheBlocks) {
  const Problem problem = made_up(50000, 4, 2);
  const FitResult whole = fit(problem.features(), problem.target(), {.solver = GetParam()});
  for (int64_t rows : {50, 12345, 49999}) {
    const FitResult cut =
        fit(problem.features(ChunkSpec{rows, -1}), problem.target(rows), {.solver = GetParam()});
    for (size_t j = 0; j < whole.coef.size(); ++j)
      EXPECT_NEAR(cut.coef[j], whole.coef[j], 1e-12) << rows;
    EXPECT_NEAR(cut.intercept, whole.intercept, 1e-12) << rows;
  }
}

TEST_P(Fit, TakesBlocksThatDoNotLineUpAndColumnsThatAreCut) {
  const Problem problem = made_up(1000, 5, 3);
  const FitResult whole = fit(problem.features(), problem.target(), {.solver = GetParam()});
  const FitResult cut =
      fit(problem.features(ChunkSpec{300, 2}), problem.target(77), {.solver = GetParam()});
  for (size_t j = 0; j < whole.coef.size(); ++j) EXPECT_NEAR(cut.coef[j], whole.coef[j], 1e-12);
}

TEST_P(Fit, TakesTransposedDataOtherTypesAndMasks) {
  const Problem problem = made_up(1000, 3, 4);
  const Array X = problem.features(200), y = problem.target(200);
  const FitResult plain = fit(X, y, {.solver = GetParam()});
  const Array by_columns = X.transpose().persist().transpose();
  EXPECT_EQ(fit(by_columns, y, {.solver = GetParam()}).coef, plain.coef);
  EXPECT_EQ(fit(X, y > 0.5, {.solver = GetParam()}).coef, plain.coef);
  EXPECT_EQ(fit(X, y.astype(DType::int8), {.solver = GetParam()}).coef, plain.coef);

  const Array kept = X[{whole, 0}] < 0.6;  // the number of rows is known only in a run
  const FitResult masked = fit(X[kept], y[kept], {.solver = GetParam()});
  Problem some{"kept", 0, 3, {}, {}, {}};
  for (int64_t i = 0; i < problem.rows; ++i) {
    const double* row = problem.X.data() + i * 3;
    if (row[0] >= 0.6) continue;
    ++some.rows;
    some.X.insert(some.X.end(), row, row + 3);
    some.y.push_back(problem.y[static_cast<size_t>(i)]);
  }
  const FitResult wanted = fit(some.features(), some.target(), {.solver = GetParam()});
  EXPECT_EQ(masked.rows, some.rows);
  for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(masked.coef[j], wanted.coef[j], 1e-12);
}

TEST_P(Fit, FollowsTheUnitsOfTheColumns) {
  // Columns in other units and far from 0: the coefficients change with the units, nothing else does.
  Problem problem = made_up(5000, 3, 5);
  const FitResult plain =
      fit(problem.features(), problem.target(), {.solver = GetParam(), .tol = 1e-10});
  const double unit[] = {1e-6, 1, 1e6}, shift[] = {1e-4, 1000, -1e7};
  for (size_t i = 0; i < problem.X.size(); ++i)
    problem.X[i] = problem.X[i] * unit[i % 3] + shift[i % 3];
  const FitResult scaled =
      fit(problem.features(), problem.target(), {.solver = GetParam(), .tol = 1e-10});
  EXPECT_TRUE(scaled.converged);
  double intercept = plain.intercept;
  for (size_t j = 0; j < 3; ++j) {
    EXPECT_NEAR(scaled.coef[j] * unit[j] / plain.coef[j], 1, 1e-8) << j;
    intercept -= plain.coef[j] / unit[j] * shift[j];
  }
  EXPECT_NEAR(scaled.intercept / intercept, 1, 1e-8);
  EXPECT_NEAR(scaled.objective / plain.objective, 1, 1e-12);
}

TEST_P(Fit, RareEventsAreFittedUntilTheStepIsSmallToo) {
  // 20 ones in 200,000 rows: the gradient per row is below 1e-8 long before the coefficients stand still.
  Problem problem{"rare", 200000, 1, {}, {}, {}};
  for (int64_t i = 0; i < problem.rows; ++i) {
    problem.X.push_back(static_cast<double>(i % 1000) / 1000);
    problem.y.push_back(i % 10000 == 1 ? 1 : 0);
  }
  const FitResult loose = fit(problem.features(), problem.target(),
                              {.solver = GetParam(), .tol = 1e-4, .max_iter = 500});
  const FitResult tight = fit(problem.features(), problem.target(),
                              {.solver = GetParam(), .tol = 1e-13, .max_iter = 500});
  EXPECT_TRUE(loose.converged);
  EXPECT_TRUE(tight.converged);
  // A thousandth of a standard error, which is about 1 / sqrt(20) of the coefficient here.
  EXPECT_NEAR(loose.coef[0] / tight.coef[0], 1, 1e-3);
}

TEST_P(Fit, ReportsWhatItDid) {
  const Problem problem = made_up(3000, 4, 6);
  std::vector<glm::Iteration> seen;
  const FitResult model =
      fit(problem.features(), problem.target(),
          {.solver = GetParam(),
           .feature_names = {"a", "b", "c", "d"},
           .on_iteration = [&](const glm::Iteration& it) { seen.push_back(it); }});
  EXPECT_EQ(model.family, "logistic");
  EXPECT_EQ(model.feature_names, (std::vector<std::string>{"a", "b", "c", "d"}));
  EXPECT_EQ(model.rows, 3000);
  EXPECT_EQ(model.stop_reason, glm::StopReason::gradient);
  EXPECT_EQ(model.objective_history.size(), static_cast<size_t>(model.n_iter) + 1);
  EXPECT_EQ(model.gradient_norm_history.size(), static_cast<size_t>(model.n_iter) + 1);
  EXPECT_EQ(seen.size(), model.objective_history.size());
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].number, static_cast<int>(i));
    EXPECT_EQ(seen[i].objective, model.objective_history[i]);
  }
  for (size_t i = 1; i < model.objective_history.size(); ++i) {
    EXPECT_LE(model.objective_history[i], model.objective_history[i - 1] + 1e-14);
  }
  // One pass checks the data; Newton needs one more per iterate.
  if (GetParam() == Solver::newton) {
    EXPECT_EQ(model.passes, model.n_iter + 2);
  } else {
    EXPECT_GE(model.passes, model.n_iter + 3);
  }
  EXPECT_GT(model.seconds, 0);
}

TEST_P(Fit, SaysSoWhenIterationsRunOut) {
  const Problem problem = made_up(3000, 4, 7);
  const FitResult model =
      fit(problem.features(), problem.target(), {.solver = GetParam(), .max_iter = 1});
  EXPECT_FALSE(model.converged);
  EXPECT_EQ(model.stop_reason, glm::StopReason::max_iter);
  EXPECT_EQ(model.n_iter, 1);
}

TEST_P(Fit, StopsWhenAsked) {
  const Problem problem = made_up(3000, 4, 8);
  std::stop_source stop;
  FitOptions options{.solver = GetParam()};
  options.run.stop = stop.get_token();
  options.on_iteration = [&](const glm::Iteration& it) {
    if (it.number == 1) stop.request_stop();
  };
  EXPECT_THROW(fit(problem.features(), problem.target(), options), Cancelled);
}

INSTANTIATE_TEST_SUITE_P(By, Fit, ::testing::Values(Solver::newton, Solver::lbfgs),
                         [](const auto& solver) {
                           return solver.param == Solver::newton ? "newton" : "lbfgs";
                         });

TEST(Predict, GivesTheProbabilityOfClassOne) {
  const Problem problem = made_up(500, 3, 9);
  const FitResult model = fit(problem.features(), problem.target());
  const std::vector<double> got = predict(model, problem.features(64)).to_vector<double>();
  for (size_t i = 0; i < got.size(); ++i) {
    double eta = model.intercept;
    for (size_t j = 0; j < 3; ++j) eta += problem.X[i * 3 + j] * model.coef[j];
    EXPECT_NEAR(got[i], 1 / (1 + std::exp(-eta)), 1e-14);
  }
}

// ---- objectives ----------------------------------------------------------------------------------

TEST(Objective, TheTwinAgreesWithTheFamilysExpressions) {
  for (int64_t columns : {1, 2, 4, 5, 17, 64}) {
    const Problem problem = made_up(1777, columns, static_cast<uint64_t>(columns));
    const glm::Rows rows{problem.features(ChunkSpec{400, -1}).persist(),
                         (problem.target(400) != 0).persist()};
    const auto twin = make_objective(glm::logistic(), rows, {}, true);
    const auto oracle = make_objective(glm::logistic(), rows, {}, false);
    std::vector<double> points;
    for (int64_t i = 0; i < 3 * (columns + 1); ++i)
      points.push_back(std::sin(static_cast<double>(i)) * 3);
    for (glm::Wants wants : {glm::Wants::value, glm::Wants::gradient, glm::Wants::hessian}) {
      const std::vector<glm::Evaluation> a = twin->evaluate(points, wants),
                                         b = oracle->evaluate(points, wants);
      ASSERT_EQ(a.size(), 3U);
      for (size_t k = 0; k < 3; ++k) {
        EXPECT_NEAR(a[k].value, b[k].value, 1e-9);
        EXPECT_EQ(a[k].undecided, b[k].undecided);
        ASSERT_EQ(a[k].gradient.size(), b[k].gradient.size());
        ASSERT_EQ(a[k].hessian.size(), b[k].hessian.size());
        for (size_t j = 0; j < a[k].gradient.size(); ++j)
          EXPECT_NEAR(a[k].gradient[j], b[k].gradient[j], 1e-10);
        for (size_t j = 0; j < a[k].hessian.size(); ++j)
          EXPECT_NEAR(a[k].hessian[j], b[k].hessian[j], 1e-10);
      }
    }
    EXPECT_EQ(twin->passes(), 3);
  }
}

TEST(Objective, StaysFiniteFarOut) {
  const Array X = from_vector<double>({1e4, -1e4, 1e4, -1e4}, Dims{4, 1});
  const Array y = from_vector<double>({1, 0, 0, 1}) != 0;
  for (bool twin : {true, false}) {
    const auto objective = make_objective(glm::logistic(), {X, y.persist()}, {}, twin);
    const glm::Evaluation e =
        objective->evaluate(std::vector<double>{1, 0}, glm::Wants::hessian)[0];
    EXPECT_EQ(e.value, 2e4);
    EXPECT_EQ(e.undecided, 2);
    EXPECT_EQ(e.gradient, (std::vector<double>{2e4, 0}));
    EXPECT_EQ(e.hessian, (std::vector<double>(4, 0.0)));
  }
}

TEST(Objective, PassesOfTheTwinDoNotTravelAndSaySo) {
  const Array X = from_vector<double>({1, 2, 3, 4}, Dims{4, 1});
  const Array y = (from_vector<double>({1, 0, 0, 1}) != 0).persist();
  const auto sent = [&](bool twin) {
    graph::Message message;
    message.outputs = pass_layers(glm::logistic(), {X, y}, glm::Wants::value, twin);
    return graph::serialize(message);
  };
  EXPECT_NO_THROW(sent(false));
  try {
    sent(true);
    FAIL();
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(error.what(),
                 "[serialize] logistic_pass is compiled code and does not travel; make_objective "
                 "without its twin gives the same pass as expressions, which do");
  }
}

// A family of one's own: the square of the error.
TEST(Objective, TakesAnyFamily) {
  glm::Family normal;
  normal.name = "normal";
  normal.loss = [](const Array& eta, const Array& y) { return 0.5 * (eta - y) * (eta - y); };
  normal.residual = [](const Array& eta, const Array& y) { return eta - y; };
  normal.weight = [](const Array& eta, const Array&) { return eta * 0.0 + 1.0; };
  normal.mean = [](const Array& eta) { return eta; };
  normal.null_eta = [](double mean) { return mean; };
  std::vector<double> X, y;
  for (int i = 0; i < 100; ++i) {
    X.push_back(i);
    X.push_back(i % 7);
    y.push_back(3.0 * i - 2.0 * (i % 7) + 5);
  }
  const FitResult model = fit(from_vector(X, Dims{100, 2}), from_vector(y), {.family = normal});
  EXPECT_TRUE(model.converged);
  EXPECT_LE(model.n_iter, 2);
  EXPECT_NEAR(model.coef[0], 3, 1e-12);
  EXPECT_NEAR(model.coef[1], -2, 1e-12);
  EXPECT_NEAR(model.intercept, 5, 1e-11);
  const std::vector<double> predicted =
      predict(model, from_vector(X, Dims{100, 2})).to_vector<double>();
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(predicted[i], y[i], 1e-10);
}

TEST(Objective, AFamilyIsWhatItDoesNotWhatItIsCalled) {
  // Rows count twice: the same coefficients, twice the loss.
  glm::Family twice = glm::logistic();
  const glm::Family once = twice;
  twice.loss = [once](const Array& eta, const Array& y) { return 2.0 * once.loss(eta, y); };
  twice.residual = [once](const Array& eta, const Array& y) { return 2.0 * once.residual(eta, y); };
  twice.weight = [once](const Array& eta, const Array& y) { return 2.0 * once.weight(eta, y); };
  EXPECT_EQ(twice.name, "logistic");
  const Array X = random::normal({1000, 3}, {.chunks = {250, 3}, .seed = 1});
  const Array y =
      (X[{whole, 0}] + random::normal({1000}, {.chunks = 250, .seed = 2}) > 0.2).persist();
  const FitResult one = fit(X, y, {.alpha = 0});
  const FitResult two = fit(X, y, {.family = twice, .alpha = 0});
  EXPECT_NEAR(two.objective, 2 * one.objective, 1e-9);
  for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(two.coef[j], one.coef[j], 1e-7);
  EXPECT_TRUE(is_logistic(once));
  EXPECT_FALSE(is_logistic(twice));
  // Another name changes nothing.
  glm::Family renamed = glm::logistic();
  renamed.name = "logit";
  const FitResult same = fit(X, y, {.family = renamed, .alpha = 0});
  EXPECT_EQ(same.coef, one.coef);
  EXPECT_EQ(same.family, "logit");
  EXPECT_EQ(predict(same, X).to_vector<double>(), predict(one, X).to_vector<double>());
}

TEST(Predict, SaysWhatAModelWithoutItsFamilyLacks) {
  FitResult model;
  model.family = "tweedie";
  model.coef = {1, 2};
  try {
    static_cast<void>(predict(model, zeros({3, 2})));
    FAIL();
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(
        error.what(),
        "[predict] no mean of family 'tweedie'; set FitResult::mean to Family::mean of the "
        "family that was fitted");
  }
}

}  // namespace
}  // namespace tuff::glm_test
