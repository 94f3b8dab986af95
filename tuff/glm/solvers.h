// Solvers of smooth convex objectives. Each is one function of an Objective; none knows a family, a
// penalty or a machine.
//
// Objectives are scaled: per row, in coefficients of standardised columns (ScaledObjective), so that the
// tolerances below mean the same for every data set.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "tuff/glm/objective.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

enum class StopReason {
  gradient,   ///< the largest entry of the gradient is at most tol
  decrement,  ///< Newton: the predicted decrease per row is at most tol^2 / 2
  max_iter,   ///< not converged: iterations used up
  stalled,    ///< not converged: rounding hides any further decrease
};
/// "gradient", "decrement", "max_iter", "stalled".
TUFF_API std::string_view to_string(StopReason reason);

struct SolverOptions {
  double tol = 1e-8;
  int max_iter = 100;
  /// Rows behind the objective: an optimum is accepted when the next step is below a thousandth of a
  /// standard error, which takes their number.
  int64_t rows = 1;
  /// Called after each evaluation that a new iterate was accepted for; may be empty.
  std::function<void(int iteration, double value, double gradient_norm)> on_iteration = {};
};

struct SolverResult {
  std::vector<double> point;
  Evaluation at;   ///< at `point`, with gradient
  int n_iter = 0;  ///< accepted steps
  StopReason stop_reason = StopReason::max_iter;
  bool converged = false;
  std::vector<double> values;          ///< at the start and after each step
  std::vector<double> gradient_norms;  ///< largest absolute entry, likewise
};

/// The Hessian is not positive definite: `column` is, to rounding, a linear combination of the columns
/// before it.
class TUFF_API SingularHessian : public Error {
 public:
  explicit SingularHessian(size_t column);
  size_t column() const { return column_; }

 private:
  size_t column_;
};

/// The objective has no minimum: every row is decided by a half-space (`complete`), or the objective
/// goes on falling while `column`'s coefficient grows without bound.
class TUFF_API SeparableData : public Error {
 public:
  SeparableData(bool complete, size_t column);
  bool complete() const { return complete_; }
  size_t column() const { return column_; }

 private:
  bool complete_;
  size_t column_;
};

/// Newton's method with Cholesky and step halving. One pass per iteration, which brings value, gradient
/// and Hessian at once; after a rejected step, one pass tries four shorter ones.
/// Throws SingularHessian and SeparableData. Source: Boyd & Vandenberghe 2004, section 9.5.
TUFF_API SolverResult newton(Objective& objective, std::vector<double> start,
                             const SolverOptions& options);

/// Limited-memory BFGS with a line search on the derivative, which for convex functions needs no more
/// and is not misled by rounding of the value. One pass per trial step. With at most kMaxChecked
/// coefficients the first pass and one more at the optimum bring the Hessian too, to find what newton() finds.
/// Throws as newton(). Source: Nocedal & Wright 2006, algorithm 7.4; the acceptance by derivative is that
/// of Hager & Zhang 2005, eq. 4.1.
TUFF_API SolverResult lbfgs(Objective& objective, std::vector<double> start,
                            const SolverOptions& options);

namespace detail {

/// Pairs of steps and gradient differences that lbfgs() keeps: as SciPy and scikit-learn.
inline constexpr size_t kMemory = 10;
/// A Hessian of 512 x 512 costs less than the two or three passes that it makes sure of.
inline constexpr size_t kMaxChecked = 512;

double largest(const std::vector<double>& values);
bool finite(const Evaluation& e);
/// -H^-1 g. Throws SingularHessian.
std::vector<double> newton_step(const Evaluation& e);
double dot(const std::vector<double>& a, const std::vector<double>& b);
/// Puts the present iterate into the histories and reports it. False when it is not finite: the solver
/// has stalled. Throws SeparableData when it decides every row.
bool record_iterate(SolverResult& result, const SolverOptions& options);
/// At a point whose gradient is small: whether the next Newton step is small too, against the standard
/// errors. Throws SeparableData when it never will be.
bool is_optimum(const Evaluation& e, const std::vector<double>& step, int64_t rows);

}  // namespace detail
}  // namespace glm
TUFF_NAMESPACE_END
