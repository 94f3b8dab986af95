// What the solvers share; see solvers.h.
#include "tuff/glm/solvers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "tuff/kernels/blas.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::gradient: return "gradient";
    case StopReason::decrement: return "decrement";
    case StopReason::max_iter: return "max_iter";
    case StopReason::stalled: return "stalled";
  }
  return "unknown";
}

SeparableData::SeparableData(bool complete, std::vector<double> direction)
    : Error(fmt::format("[fit] the classes are {}separable: coefficients grow without bound",
                        complete ? "" : "quasi-")),
      complete_(complete),
      direction_(std::move(direction)) {}

namespace detail {

namespace {

/// What is put on a diagonal of ones when rounding has made a pivot 0 or less, first and then times ten: a
/// few roundings of sums of products.
constexpr double kRidge = 1e-15;

}  // namespace

double largest(const std::vector<double>& values) {
  double most = 0;
  for (double v : values) most = std::fmax(most, std::fabs(v));
  return most;
}

bool finite(const Evaluation& e) {
  const auto all = [](const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  };
  return std::isfinite(e.value) && all(e.gradient) && all(e.hessian);
}

std::vector<double> newton_step(const Evaluation& e) {
  const size_t q = e.gradient.size();
  // With a diagonal of ones the pivots are shares: what a column adds to those before it.
  std::vector<double> root(q), h(q * q), step(q);
  for (size_t j = 0; j < q; ++j) {
    root[j] = std::sqrt(e.hessian[j * q + j]);
    if (!(root[j] > 0)) root[j] = 1;
  }
  const double smallest = static_cast<double>(q) * std::numeric_limits<double>::epsilon();
  for (double ridge = 0;; ridge = ridge == 0 ? kRidge : 10 * ridge) {
    for (size_t i = 0; i < q; ++i) {
      for (size_t j = 0; j < q; ++j) h[i * q + j] = e.hessian[i * q + j] / (root[i] * root[j]);
      h[i * q + i] += ridge;
    }
    if (kernels::cholesky(h.data(), q, smallest) == q) break;
  }
  for (size_t i = 0; i < q; ++i) step[i] = -e.gradient[i] / root[i];
  kernels::cholesky_solve(h.data(), q, step.data());
  for (size_t j = 0; j < q; ++j) step[j] /= root[j];
  return step;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
  return sum;
}

bool record_iterate(SolverResult& result, const SolverOptions& options) {
  const double gradient_norm = largest(result.at.gradient);
  result.values.push_back(result.at.value);
  result.gradient_norms.push_back(gradient_norm);
  if (options.on_iteration) options.on_iteration(result.n_iter, result.at.value, gradient_norm);
  if (!finite(result.at)) {
    result.stop_reason = StopReason::stalled;
    return false;
  }
  if (result.at.undecided == 0) {
    throw SeparableData(true, result.point);
  }
  return true;
}

}  // namespace detail
}  // namespace glm
TUFF_NAMESPACE_END
