// From the coefficients that solvers work in to those of the columns as they were given, and back to the
// sums of a pass. Used by: fit.cpp, collinearity.cpp.
//
// Nothing cancels: a pass sums deviations from the centres (Columns), so what happens here is a change of
// units.
#pragma once

#include <span>
#include <vector>

#include "tuff/glm/objective.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

/// Centres and scales, by which a model becomes one of standardised columns s_j = (x_j - centre_j) / scale_j
/// or, with `mix`, of their combinations s mix: theta has a coefficient for each, and with an intercept
/// one more, eta where all columns are at their centres. Without an intercept centres are 0.
struct TUFF_API Scaling {
  std::vector<double> centre;
  std::vector<double> scale;
  bool intercept = true;
  std::vector<double> mix = {};  ///< (p, p) row-major, a column per combination; empty: s itself

  size_t dimension() const { return scale.size() + (intercept ? 1 : 0); }
  /// (p + 1) coefficients of the columns as they were given, the intercept last (0 without one).
  std::vector<double> coefficients(std::span<const double> theta) const;
  /// The coefficients of standardised columns, and behind them what else `theta` has.
  std::vector<double> standardised(std::span<const double> theta) const;
  /// What a pass has to see, and by what a coefficient of theta is multiplied for it: the pass's scales are
  /// powers of two.
  Columns columns() const;
  std::vector<double> stretch() const;
};

/// `(sum over rows) / n + alpha / 2 sum of beta_j^2` as a function of theta; beta are the coefficients of
/// the columns as they were given, the intercept is not penalised. `sum` has to see scaling.columns(). Its
/// gradient is the derivative by theta, per row. A penalty and a mix exclude each other.
class TUFF_API ScaledObjective final : public Objective {
 public:
  ScaledObjective(Objective& sum, Scaling scaling, int64_t rows, double alpha);
  size_t dimension() const override { return scaling_.dimension(); }
  std::vector<Evaluation> evaluate(std::span<const double> points, Wants wants) override;
  int64_t passes() const override { return sum_.passes(); }

 private:
  void rescale(Evaluation& e) const;
  void penalise(std::span<const double> theta, Evaluation& e) const;
  Objective& sum_;
  Scaling scaling_;
  std::vector<double> stretch_;  // and 1 for the intercept
  double rows_;
  double alpha_;
};

}  // namespace glm
TUFF_NAMESPACE_END
