// Fitting a generalized linear model: arrays in, coefficients out.
//
// fit() checks the data, chooses the scale, runs a solver on an objective, and reports in the units of
// the columns as they were given.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tuff/glm/family.h"
#include "tuff/glm/solvers.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

enum class Solver { newton, lbfgs };

/// One accepted iterate, as it is reported while fitting.
struct Iteration {
  int number = 0;            ///< 0 is the start
  double objective = 0;      ///< as FitResult::objective
  double gradient_norm = 0;  ///< as FitResult::gradient_norm
};

struct FitOptions {
  Family family = logistic();
  Solver solver = Solver::newton;
  /// Strength of the L2 penalty alpha / 2 * sum of coef^2, added to the mean loss per row; the intercept
  /// is not penalised. 0: none. scikit-learn's C is 1 / (alpha n).
  double alpha = 0;
  bool fit_intercept = true;
  /// Converged when no entry of the scaled gradient (FitResult::gradient_norm) is above it.
  double tol = 1e-8;
  int max_iter = 100;
  /// One per column, for results and errors; empty: x0, x1, ...
  std::vector<std::string> feature_names = {};
  std::function<void(const Iteration&)> on_iteration = {};
  RunOptions run = {};
};

struct FitResult {
  std::string family;
  /// The family's, for predict(). A model that was written and read again has none; then that of logistic() serves if
  /// `family` says so.
  std::function<Array(const Array& eta)> mean = {};
  std::vector<std::string> feature_names;
  std::vector<double> coef;  ///< one per column, in the column's own units
  double intercept = 0;      ///< 0 without one
  bool fit_intercept = true;
  /// eta again, about the columns' centres: eta_at_centre + sum of coef_j (x_j - centre_j). It keeps its
  /// digits where columns lie far from 0, and predict() uses it. Empty and 0: not known.
  std::vector<double> centre = {};
  double eta_at_centre = 0;
  /// What was fitted all the same, and one should know: nearly collinear features.
  std::vector<std::string> warnings = {};

  bool converged = false;
  StopReason stop_reason = StopReason::max_iter;
  int n_iter = 0;
  /// Mean over rows of the negative log-likelihood, plus the penalty.
  double objective = 0;
  /// Largest absolute derivative of `objective` by a coefficient of standardised columns, at the last
  /// iterate: |g_j - mean_j g_0| / (n sd_j), where g is the gradient of the sum and g_0 that by the intercept.
  /// (Coefficients lie one Newton step further.) Where columns are nearly collinear, what each adds to the
  /// others takes its place.
  double gradient_norm = 0;
  std::vector<double> objective_history;      ///< at the start and after each iteration
  std::vector<double> gradient_norm_history;  ///< likewise
  int64_t passes = 0;  ///< over the data in memory, the check of the data included
  int64_t rows = 0;
  double alpha = 0;
  double seconds = 0;  ///< of fit() after the data were in memory
};

/// Fits the model of `y` (n,) on the columns of `X` (n, p) by maximum likelihood. Both are computed once
/// and kept in memory while it runs. Start: the model with the intercept alone.
/// The same chunks and instruction set give the same bits at any number of threads.
/// Throws InvalidArgument for shapes that do not fit, p or n = 0, options out of range, values that are
/// not finite (naming column and first row), a target outside the family's range or with one class, a
/// constant column beside an intercept, columns that are combinations of others to rounding (with alpha = 0;
/// nearly collinear ones are fitted, with a warning), and separable classes;
/// TaskError or Cancelled as runs go.
TUFF_API FitResult fit(const Array& X, const Array& y, const FitOptions& options = {});

/// Mean of y for each row of `X` (n, p): probabilities of class 1 for the logistic family. Nothing is
/// computed yet. Throws InvalidArgument unless X has as many columns as the model, and for a model without a mean.
TUFF_API Array predict(const FitResult& model, const Array& X);

}  // namespace glm
TUFF_NAMESPACE_END
