// Changes of units; see scaling.h.
#include "tuff/glm/scaling.h"

#include <algorithm>
#include <cmath>

#include "tuff/base/check.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

/// The power of two next to 1 / scale. Exponents beyond 1000 would leave no room for x itself.
double binary_scale(double scale) {
  return std::ldexp(1.0, std::clamp(-std::ilogb(scale), -1000, 1000));
}

}  // namespace

std::vector<double> Scaling::standardised(std::span<const double> theta) const {
  std::vector<double> s(theta.begin(), theta.end());
  if (mix.empty()) return s;
  const size_t p = scale.size();
  for (size_t j = 0; j < p; ++j) {
    s[j] = 0;
    for (size_t k = 0; k < p; ++k) s[j] += mix[j * p + k] * theta[k];
  }
  return s;
}

std::vector<double> Scaling::coefficients(std::span<const double> theta) const {
  const size_t p = scale.size();
  std::vector<double> beta = standardised(theta);
  beta.resize(p + 1, 0.0);
  for (size_t j = 0; j < p; ++j) {
    beta[j] /= scale[j];
    beta[p] -= centre[j] * beta[j];
  }
  return beta;
}

Columns Scaling::columns() const {
  const size_t p = scale.size();
  Columns columns{centre, scale, mix};
  for (double& s : columns.scale) s = binary_scale(s);
  for (size_t i = 0; i < mix.size(); ++i) columns.mix[i] /= columns.scale[i / p] * scale[i / p];
  return columns;
}

std::vector<double> Scaling::stretch() const {
  std::vector<double> by(scale.size(), 1.0);
  if (!mix.empty()) return by;
  for (size_t j = 0; j < by.size(); ++j) by[j] = 1 / (binary_scale(scale[j]) * scale[j]);
  return by;
}

ScaledObjective::ScaledObjective(Objective& sum, Scaling scaling, int64_t rows, double alpha)
    : sum_(sum),
      scaling_(std::move(scaling)),
      stretch_(scaling_.stretch()),
      rows_(static_cast<double>(rows)),
      alpha_(alpha) {
  TUFF_CHECK(alpha == 0 || scaling_.mix.empty());
  stretch_.push_back(1.0);
}

std::vector<Evaluation> ScaledObjective::evaluate(std::span<const double> points, Wants wants) {
  const size_t p = scaling_.scale.size(), q = dimension(), count = points.size() / q;
  std::vector<double> seen(count * (p + 1), 0.0);
  for (size_t k = 0; k < count; ++k) {
    for (size_t j = 0; j < q; ++j) seen[k * (p + 1) + j] = stretch_[j] * points[k * q + j];
  }
  std::vector<Evaluation> evaluations = sum_.evaluate(seen, wants);
  for (size_t k = 0; k < count; ++k) {
    rescale(evaluations[k]);
    if (alpha_ > 0) penalise(points.subspan(k * q, q), evaluations[k]);
  }
  return evaluations;
}

void ScaledObjective::rescale(Evaluation& e) const {
  const size_t q = dimension(), from = scaling_.scale.size() + 1;
  e.value /= rows_;
  if (!e.gradient.empty()) e.gradient.resize(q);
  for (size_t j = 0; j < e.gradient.size(); ++j) e.gradient[j] *= stretch_[j] / rows_;
  if (e.hessian.empty()) return;
  const std::vector<double> h = std::move(e.hessian);
  e.hessian.resize(q * q);
  for (size_t i = 0; i < q; ++i) {
    for (size_t j = 0; j < q; ++j)
      e.hessian[i * q + j] = h[i * from + j] * stretch_[i] * stretch_[j] / rows_;
  }
}

void ScaledObjective::penalise(std::span<const double> theta, Evaluation& e) const {
  const size_t p = scaling_.scale.size(), q = dimension();
  e.undecided = -1;  // with a penalty there always is an optimum
  for (size_t j = 0; j < p; ++j) {
    const double scale = scaling_.scale[j], beta = theta[j] / scale;
    e.value += 0.5 * alpha_ * beta * beta;
    if (!e.gradient.empty()) e.gradient[j] += alpha_ * beta / scale;
    if (!e.hessian.empty()) e.hessian[j * q + j] += alpha_ / (scale * scale);
  }
}

}  // namespace glm
TUFF_NAMESPACE_END
