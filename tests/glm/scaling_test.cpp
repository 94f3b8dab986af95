// Changes of units: eta, the sums of a pass and the penalty are what they would be without them.
#include "tuff/glm/scaling.h"

#include <cmath>

#include "problems.h"

#include "tuff/array/math.h"

namespace tuff::glm_test {
namespace {

TEST(Scaling, KeepsEtaWhateverTheUnits) {
  const std::vector<double> x = {5.25, -1.5};
  for (const std::vector<double>& mix :
       {std::vector<double>{}, std::vector<double>{1, -2, 0, 0.5}}) {
    for (bool intercept : {true, false}) {
      glm::Scaling scaling{{3, -1}, {3, 0.4}, intercept, mix};
      if (!intercept) scaling.centre = {0, 0};
      const std::vector<double> theta = {1.5, -4, 7};
      const size_t q = scaling.dimension();
      const std::vector<double> beta = scaling.coefficients(std::span(theta).first(q));
      ASSERT_EQ(beta.size(), 3U);
      double want = intercept ? theta[2] : 0;
      for (size_t j = 0; j < 2; ++j) {
        for (size_t k = 0; k < 2; ++k) {
          const double share = mix.empty() ? (j == k ? 1 : 0) : mix[k * 2 + j];
          want += theta[j] * share * (x[k] - scaling.centre[k]) / scaling.scale[k];
        }
      }
      EXPECT_NEAR(beta[0] * x[0] + beta[1] * x[1] + beta[2], want, 1e-13);
    }
  }
}

TEST(Scaling, GivesPassesPowersOfTwo) {
  const glm::Scaling scaling{{0, 0, 0, 0}, {3, 0.4, 1e-320, 1e300}, true};
  const glm::Columns columns = scaling.columns();
  const std::vector<double> stretch = scaling.stretch();
  for (size_t j = 0; j < 4; ++j) {
    int exponent = 0;
    EXPECT_EQ(std::frexp(columns.scale[j], &exponent), 0.5) << j;
    EXPECT_NEAR(columns.scale[j] * scaling.scale[j] * stretch[j], 1, 1e-15) << j;
  }
}

TEST(ScaledObjective, HasTheDerivativesThatDifferencesShow) {
  const Problem problem = made_up(500, 3, 11);
  const glm::Rows rows{problem.features(100).persist(), (problem.target(100) != 0).persist()};
  struct Case {
    std::vector<double> mix;
    double alpha;
  };
  for (const auto& [mix, alpha] :
       {Case{{}, 0.0}, Case{{}, 0.3}, Case{{1, 2, 0, 0, 1, 0, 0, -1, 4}, 0.0}}) {
    for (bool twin : {true, false}) {
      const glm::Scaling scaling{{0.5, 0.4, 0.6}, {0.3, 0.4, 0.25}, true, mix};
      const auto sum = make_objective(glm::logistic(), rows, {}, twin, scaling.columns());
      glm::ScaledObjective objective(*sum, scaling, 500, alpha);
      const std::vector<double> at = {0.3, -0.2, 0.1, 0.4};
      const glm::Evaluation e = objective.evaluate(at, glm::Wants::hessian)[0];
      const double h = 1e-4;
      for (size_t j = 0; j < 4; ++j) {
        std::vector<double> points = at;
        points.insert(points.end(), at.begin(), at.end());
        points[j] -= h, points[4 + j] += h;
        const auto around = objective.evaluate(points, glm::Wants::gradient);
        EXPECT_NEAR((around[1].value - around[0].value) / (2 * h), e.gradient[j], 1e-6);
        for (size_t k = 0; k < 4; ++k) {
          EXPECT_NEAR((around[1].gradient[k] - around[0].gradient[k]) / (2 * h),
                      e.hessian[j * 4 + k], 1e-6);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tuff::glm_test
