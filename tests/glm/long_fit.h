// The oracle for fits of hard columns: Newton's method in long double on centred columns, one row after
// another, with Gaussian elimination.
#pragma once

#include <cmath>
#include <vector>

#include "problems.h"

namespace tuff::glm_test {

struct LongFit {
  std::vector<double> coef;
  double eta_at_mean = 0;
};

inline std::vector<long double> solved(std::vector<long double> a, std::vector<long double> b) {
  const size_t n = b.size();
  for (size_t c = 0; c < n; ++c) {
    size_t pivot = c;
    for (size_t r = c + 1; r < n; ++r) {
      if (std::fabs(a[r * n + c]) > std::fabs(a[pivot * n + c])) pivot = r;
    }
    for (size_t k = 0; k < n; ++k) std::swap(a[c * n + k], a[pivot * n + k]);
    std::swap(b[c], b[pivot]);
    for (size_t r = 0; r < n; ++r) {
      if (r == c) continue;
      const long double times = a[r * n + c] / a[c * n + c];
      for (size_t k = c; k < n; ++k) a[r * n + k] -= times * a[c * n + k];
      b[r] -= times * b[c];
    }
  }
  for (size_t c = 0; c < n; ++c) b[c] /= a[c * n + c];
  return b;
}

/// `alpha`: as in FitOptions.
inline LongFit long_fit(const Problem& problem, double alpha = 0) {
  const auto n = static_cast<size_t>(problem.rows), p = static_cast<size_t>(problem.columns),
             q = p + 1;
  std::vector<long double> centre(p), beta(q), scale(p);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < p; ++j) centre[j] += problem.X[i * p + j] / problem.rows;
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < p; ++j) scale[j] += std::pow(problem.X[i * p + j] - centre[j], 2.0L);
  }
  for (size_t j = 0; j < p; ++j) scale[j] = std::sqrt(scale[j] / problem.rows);
  for (int iteration = 0; iteration < 60; ++iteration) {
    std::vector<long double> gradient(q), hessian(q * q), z(q, 1.0L);
    for (size_t i = 0; i < n; ++i) {
      long double eta = beta[p];
      for (size_t j = 0; j < p; ++j) {
        z[j] = (problem.X[i * p + j] - centre[j]) / scale[j];
        eta += z[j] * beta[j];
      }
      const long double mu = 1 / (1 + std::exp(-eta)), weight = mu * (1 - mu);
      for (size_t j = 0; j < q; ++j) {
        gradient[j] += z[j] * (mu - problem.y[i]) / problem.rows;
        for (size_t k = 0; k < q; ++k) hessian[j * q + k] += z[j] * z[k] * weight / problem.rows;
      }
    }
    for (size_t j = 0; j < p; ++j) {
      gradient[j] += alpha * beta[j] / (scale[j] * scale[j]);
      hessian[j * q + j] += alpha / (scale[j] * scale[j]);
    }
    const std::vector<long double> step = solved(hessian, gradient);
    for (size_t j = 0; j < q; ++j) beta[j] -= step[j];
  }
  LongFit fit;
  for (size_t j = 0; j < p; ++j) fit.coef.push_back(static_cast<double>(beta[j] / scale[j]));
  fit.eta_at_mean = static_cast<double>(beta[p]);
  return fit;
}

}  // namespace tuff::glm_test
