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
  /// What is known at the start already: value, gradient and Hessian. Else a pass is made.
  std::optional<Evaluation> at_start = {};
  /// Whether lbfgs() ends with Newton's method, which confirms the optimum and gives its last digits.
  /// Otherwise it ends at a small gradient, and finds no separable classes but those told apart in every row.
  bool confirm = true;
  /// Called after each evaluation that a new iterate was accepted for; may be empty.
  std::function<void(int iteration, double value, double gradient_norm)> on_iteration = {};
};

struct SolverResult {
  /// Converged with a Hessian at hand: one Newton step beyond the last iterate, since that costs nothing.
  std::vector<double> point;
  Evaluation at;   ///< at the last iterate, with gradient
  int n_iter = 0;  ///< accepted steps
  StopReason stop_reason = StopReason::max_iter;
  bool converged = false;
  std::vector<double> values;          ///< at the start and after each step
  std::vector<double> gradient_norms;  ///< largest absolute entry, likewise
};

/// The objective has no minimum: every row is decided by a half-space (`complete`), or the objective
/// goes on falling as coefficients grow in `direction`.
class TUFF_API SeparableData : public Error {
 public:
  SeparableData(bool complete, std::vector<double> direction);
  bool complete() const { return complete_; }
  const std::vector<double>& direction() const { return direction_; }

 private:
  bool complete_;
  std::vector<double> direction_;
};

/// Newton's method with Cholesky and step halving. One pass per iteration, which brings value, gradient
/// and Hessian at once; after a rejected step, one pass tries four shorter ones. Where the Hessian is
/// singular to rounding, the step is the shortest that matters.
/// Throws SeparableData. Source: Boyd & Vandenberghe 2004, section 9.5.
TUFF_API SolverResult newton(Objective& objective, std::vector<double> start,
                             const SolverOptions& options);

/// Limited-memory BFGS with a line search on the derivative, which for convex functions needs no more
/// and is not misled by rounding of the value. One pass per trial step. Ends with newton(), usually one pass.
/// Throws as newton(). Source: Nocedal & Wright 2006, algorithm 7.4; the acceptance by derivative is that
/// of Hager & Zhang 2005, eq. 4.1.
TUFF_API SolverResult lbfgs(Objective& objective, std::vector<double> start,
                            const SolverOptions& options);

namespace detail {

/// Pairs of steps and gradient differences that lbfgs() keeps: as SciPy and scikit-learn.
inline constexpr size_t kMemory = 10;

double largest(const std::vector<double>& values);
bool finite(const Evaluation& e);
/// -H^-1 g; where H is singular to rounding, with the least that makes it regular on its diagonal.
std::vector<double> newton_step(const Evaluation& e);
double dot(const std::vector<double>& a, const std::vector<double>& b);
/// Puts the present iterate into the histories and reports it. False when it is not finite: the solver
/// has stalled. Throws SeparableData when it decides every row.
bool record_iterate(SolverResult& result, const SolverOptions& options);
/// newton() from an iterate that is recorded, and whose Hessian is at hand.
SolverResult continue_newton(Objective& objective, SolverResult result,
                             const SolverOptions& options);

}  // namespace detail
}  // namespace glm
TUFF_NAMESPACE_END
