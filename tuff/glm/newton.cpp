// Newton's method; see solvers.h.
#include <cmath>

#include "tuff/glm/solvers.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

using detail::dot;
using detail::finite;

/// Share of the predicted decrease that a step has to bring (Armijo 1966), as is usual.
constexpr double kArmijo = 1e-4;
/// Steps tried in one pass after a rejection, each half of the one before.
constexpr size_t kTrials = 4;
/// Rejections (each of kTrials halvings) after which rounding is to blame: 2^-20.
constexpr int kRejections = 5;
/// Values are sums of n rounded terms; compared, they may be off by this share.
constexpr double kValueRounding = 1e-14;

std::vector<double> moved(const std::vector<double>& point, double t,
                          const std::vector<double>& step) {
  std::vector<double> to = point;
  for (size_t j = 0; j < to.size(); ++j) to[j] += t * step[j];
  return to;
}

/// Whether value `to` is enough below value `from` for a step t along which the slope was `slope` < 0.
bool decreases(double from, double to, double t, double slope) {
  return to <= from + kArmijo * t * slope + kValueRounding * std::fabs(from);
}

/// The first of the halved steps that decreases enough; 0 when none does.
double shorter_step(Objective& objective, const std::vector<double>& point, double value,
                    const std::vector<double>& step, double slope) {
  double t = 1;
  for (int rejection = 0; rejection < kRejections; ++rejection) {
    std::vector<double> points;
    std::vector<double> lengths;
    for (size_t k = 0; k < kTrials; ++k) {
      t /= 2;
      lengths.push_back(t);
      const std::vector<double> to = moved(point, t, step);
      points.insert(points.end(), to.begin(), to.end());
    }
    const std::vector<Evaluation> trials = objective.evaluate(points, Wants::value);
    for (size_t k = 0; k < kTrials; ++k) {
      if (std::isfinite(trials[k].value) && decreases(value, trials[k].value, lengths[k], slope))
        return lengths[k];
    }
  }
  return 0;
}

}  // namespace

SolverResult newton(Objective& objective, std::vector<double> start, const SolverOptions& options) {
  SolverResult result;
  result.point = std::move(start);
  result.at = objective.evaluate(result.point, Wants::hessian)[0];
  while (true) {
    if (!detail::record_iterate(result, options)) return result;
    const double gradient_norm = result.gradient_norms.back();
    const std::vector<double> step = detail::newton_step(result.at);
    const double slope = dot(result.at.gradient, step);
    const bool small_gradient = gradient_norm <= options.tol;
    if (small_gradient || -slope <= options.tol * options.tol) {
      if (detail::is_optimum(result.at, step, options.rows)) {
        result.stop_reason = small_gradient ? StopReason::gradient : StopReason::decrement;
        result.converged = true;
        return result;
      }
    }
    if (result.n_iter == options.max_iter) {
      result.stop_reason = StopReason::max_iter;
      return result;
    }
    std::vector<double> to = moved(result.point, 1, step);
    Evaluation next = objective.evaluate(to, Wants::hessian)[0];
    if (!finite(next) || !decreases(result.at.value, next.value, 1, slope)) {
      const double t = shorter_step(objective, result.point, result.at.value, step, slope);
      if (t == 0) {
        result.stop_reason = StopReason::stalled;
        return result;
      }
      to = moved(result.point, t, step);
      next = objective.evaluate(to, Wants::hessian)[0];
    }
    result.point = std::move(to);
    result.at = std::move(next);
    ++result.n_iter;
  }
}

}  // namespace glm
TUFF_NAMESPACE_END
