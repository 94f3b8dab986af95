// Newton's method; see solvers.h.
#include <cmath>
#include <limits>

#include "tuff/glm/solvers.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

using detail::dot;
using detail::finite;
using detail::largest;
using detail::newton_step;
using detail::record_iterate;

/// Share of the predicted decrease that a step has to bring (Armijo 1966), as is usual.
constexpr double kArmijo = 1e-4;
/// Steps tried in one pass after a rejection, each half of the one before.
constexpr size_t kTrials = 4;
/// Rejections (each of kTrials halvings) after which rounding is to blame: 2^-20.
constexpr int kRejections = 5;
/// Values are sums of n rounded terms; compared, they may be off by this share.
constexpr double kValueRounding = 1e-14;

/// A step this small against the standard errors changes no digit that the data decide.
constexpr double kSmallStep = 1e-3;
/// After a step this small, in coefficients of standardised columns, nothing is left in the first eight
/// digits: the error after a Newton step is about the square of the step before it.
constexpr double kLastStep = 1e-5;
/// A decrease below this share of the value is rounding, whatever the length of the step.
constexpr double kNoDecrease = 1e-16;
/// Near a minimum each Newton step is a small part of the one before. The steps of exp(-t), which has none,
/// are 1 everywhere.
constexpr double kEndless = 0.5;

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

/// Whether a step is small against the standard errors, given half the decrease that it promises.
bool is_settled(double slope, int64_t rows) {
  return std::sqrt(std::fmax(0.0, -slope) * static_cast<double>(rows)) <= kSmallStep;
}

}  // namespace

SolverResult newton(Objective& objective, std::vector<double> start, const SolverOptions& options) {
  SolverResult result;
  result.point = std::move(start);
  result.at =
      options.at_start ? *options.at_start : objective.evaluate(result.point, Wants::hessian)[0];
  if (!detail::record_iterate(result, options)) return result;
  return detail::continue_newton(objective, std::move(result), options);
}

SolverResult detail::continue_newton(Objective& objective, SolverResult result,
                                     const SolverOptions& options) {
  double settled_length = std::numeric_limits<double>::infinity();  // of the step before
  while (true) {
    const bool small_gradient = result.gradient_norms.back() <= options.tol;
    const std::vector<double> step = newton_step(result.at);
    const double slope = dot(result.at.gradient, step), length = largest(step);
    if ((small_gradient || -slope <= options.tol * options.tol) &&
        is_settled(slope, options.rows)) {
      if (length <= kLastStep || -slope <= kNoDecrease * std::fabs(result.at.value)) {
        result.point = moved(result.point, 1, step);
        result.stop_reason = small_gradient ? StopReason::gradient : StopReason::decrement;
        result.converged = true;
        return result;
      }
      if (result.at.undecided >= 0 && length > kEndless * settled_length)
        throw SeparableData(false, step);
      settled_length = length;
    }
    if (result.n_iter >= options.max_iter) {
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
    if (!record_iterate(result, options)) return result;
  }
}

}  // namespace glm
TUFF_NAMESPACE_END
