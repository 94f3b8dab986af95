// Limited-memory BFGS; see solvers.h.
#include <cmath>
#include <deque>

#include "tuff/glm/solvers.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

using detail::dot;
using detail::finite;

/// The slope at an accepted step, as a share of the slope at its start: at most 0.9 of it left
/// (Nocedal & Wright 2006, section 3.1), and at most 0.8 beyond the minimum (Hager & Zhang 2005, delta
/// 0.1), which for convex functions makes sure of a decrease.
constexpr double kSlopeLeft = 0.9;
constexpr double kSlopeBeyond = 0.8;
/// Trial steps of one line search before rounding is to blame.
constexpr int kTrials = 30;
/// A step that is too short is made longer by at most this factor.
constexpr double kGrowth = 10;

struct Pair {
  std::vector<double> s, y;
  double inverse_sy;
};

/// -H g by the two-loop recursion.
std::vector<double> direction(const std::deque<Pair>& pairs, const std::vector<double>& gradient) {
  std::vector<double> d = gradient;
  std::vector<double> weight(pairs.size());
  for (size_t i = pairs.size(); i-- > 0;) {
    weight[i] = pairs[i].inverse_sy * dot(pairs[i].s, d);
    for (size_t j = 0; j < d.size(); ++j) d[j] -= weight[i] * pairs[i].y[j];
  }
  if (!pairs.empty()) {
    const Pair& last = pairs.back();
    const double scale = 1 / (last.inverse_sy * dot(last.y, last.y));
    for (double& v : d) v *= scale;
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    const double other = pairs[i].inverse_sy * dot(pairs[i].y, d);
    for (size_t j = 0; j < d.size(); ++j) d[j] += (weight[i] - other) * pairs[i].s[j];
  }
  for (double& v : d) v = -v;
  return d;
}

struct Accepted {
  std::vector<double> point;
  Evaluation at;
};

/// A step along `d` whose slope is acceptable, or nothing. Convex: the slope only grows along `d`, so it
/// alone says on which side of the minimum a trial lies.
std::optional<Accepted> search(Objective& objective, const std::vector<double>& point,
                               const Evaluation& from, const std::vector<double>& d, double first) {
  const double slope0 = dot(from.gradient, d);
  double low = 0, low_slope = slope0, high = 0, high_slope = 0, t = first;
  bool bracketed = false;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> to = point;
    for (size_t j = 0; j < to.size(); ++j) to[j] += t * d[j];
    Evaluation e = objective.evaluate(to, Wants::gradient)[0];
    const bool usable = finite(e);
    const double slope = usable ? dot(e.gradient, d) : 0;
    if (usable && slope >= kSlopeLeft * slope0 && slope <= -kSlopeBeyond * slope0) {
      return Accepted{std::move(to), std::move(e)};
    }
    if (!usable || slope > 0) {
      high = t, high_slope = slope, bracketed = true;
      // The secant through both slopes, kept off the ends; halves where there is no slope.
      const double share = usable ? low_slope / (low_slope - high_slope) : 0.5;
      t = low + (high - low) * std::fmin(0.9, std::fmax(0.1, share));
    } else {
      const double bend = slope - low_slope, length = t - low;
      low = t, low_slope = slope;
      if (bracketed) {
        const double share = high_slope > 0 ? low_slope / (low_slope - high_slope) : 0.5;
        t = low + (high - low) * std::fmin(0.9, std::fmax(0.1, share));
      } else {
        const double reach = bend > 0 ? -slope * length / bend : kGrowth * t;
        t += std::fmin(kGrowth * t, std::fmax(t, reach));
      }
    }
  }
  return std::nullopt;
}

/// The end of the search: with Newton's method, unless nobody wants a Hessian.
SolverResult finish(Objective& objective, SolverResult result, StopReason reason,
                    const SolverOptions& options) {
  if (options.confirm) {
    result.at = objective.evaluate(result.point, Wants::hessian)[0];
    return detail::continue_newton(objective, std::move(result), options);
  }
  result.stop_reason = reason;
  result.converged = reason == StopReason::gradient;
  return result;
}

}  // namespace

SolverResult lbfgs(Objective& objective, std::vector<double> start, const SolverOptions& options) {
  SolverResult result;
  result.point = std::move(start);
  result.at =
      options.at_start ? *options.at_start : objective.evaluate(result.point, Wants::gradient)[0];
  result.at.hessian.clear();
  std::deque<Pair> pairs;
  while (true) {
    if (!detail::record_iterate(result, options)) return result;
    if (result.gradient_norms.back() <= options.tol)
      return finish(objective, std::move(result), StopReason::gradient, options);
    if (result.n_iter == options.max_iter) {
      result.stop_reason = StopReason::max_iter;
      return result;
    }
    std::vector<double> d = direction(pairs, result.at.gradient);
    if (!(dot(d, result.at.gradient) < 0)) {
      pairs.clear();
      d = direction(pairs, result.at.gradient);
    }
    std::optional<Accepted> next = search(objective, result.point, result.at, d, 1.0);
    if (!next) return finish(objective, std::move(result), StopReason::stalled, options);
    Pair pair{next->point, next->at.gradient, 0};
    for (size_t j = 0; j < pair.s.size(); ++j) {
      pair.s[j] -= result.point[j];
      pair.y[j] -= result.at.gradient[j];
    }
    const double sy = dot(pair.s, pair.y);
    if (sy > 0) {
      pair.inverse_sy = 1 / sy;
      pairs.push_back(std::move(pair));
      if (pairs.size() > detail::kMemory) pairs.pop_front();
    }
    result.point = std::move(next->point);
    result.at = std::move(next->at);
    ++result.n_iter;
  }
}

}  // namespace glm
TUFF_NAMESPACE_END
