// What the solvers share; see solvers.h.
#include "tuff/glm/solvers.h"

#include <algorithm>
#include <cmath>

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

SingularHessian::SingularHessian(size_t column)
    : Error(fmt::format(
          "[newton] singular Hessian: column {} is a linear combination of those before it",
          column)),
      column_(column) {}

SeparableData::SeparableData(bool complete, size_t column)
    : Error(fmt::format(
          "[fit] the classes are {}separable: the coefficient of column {} grows without bound",
          complete ? "" : "quasi-", column)),
      complete_(complete),
      column_(column) {}

namespace detail {

namespace {

/// What is left of a column after those before it are taken out, as a share of its square, below which
/// the column counts as their combination. Sums over 1e7 rows leave about 1e-13 of exact copies, and
/// columns whose mean is 1000 standard deviations from 0 about 1e-10.
constexpr double kSingular = 1e-10;
/// A step this small against the standard errors changes no digit that the data decide.
constexpr double kSmallStep = 1e-3;
/// A step that large where the gradient has vanished is the step of exp(-t), which has no minimum: its
/// Newton steps are 1 everywhere. Steps towards a minimum are below kSmallStep standard errors there,
/// and standard errors of 50 are far beyond data that decide anything.
constexpr double kEndlessStep = 0.05;

size_t largest_at(const std::vector<double>& values, size_t count) {
  size_t at = 0;
  for (size_t j = 1; j < count; ++j) {
    if (std::fabs(values[j]) > std::fabs(values[at])) at = j;
  }
  return at;
}

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
  std::vector<double> root(q), h(e.hessian), step(q);
  for (size_t j = 0; j < q; ++j) {
    root[j] = std::sqrt(e.hessian[j * q + j]);
    if (!(root[j] > 0)) throw SingularHessian(j);
  }
  for (size_t i = 0; i < q; ++i) {
    for (size_t j = 0; j < q; ++j) h[i * q + j] /= root[i] * root[j];
    step[i] = -e.gradient[i] / root[i];
  }
  const size_t failed = kernels::cholesky(h.data(), q, kSingular);
  if (failed < q) throw SingularHessian(failed);
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
    throw SeparableData(true, largest_at(result.point, result.point.size()));
  }
  return true;
}

bool is_optimum(const Evaluation& e, const std::vector<double>& step, int64_t rows) {
  double decrement = 0;
  for (size_t j = 0; j < step.size(); ++j) decrement -= step[j] * e.gradient[j];
  const double standard_errors = std::sqrt(std::fmax(0.0, decrement) * static_cast<double>(rows));
  if (standard_errors > kSmallStep) return false;
  if (e.undecided >= 0 && largest(step) > kEndlessStep) {
    throw SeparableData(false, largest_at(step, step.size()));
  }
  return true;
}

}  // namespace detail
}  // namespace glm
TUFF_NAMESPACE_END
