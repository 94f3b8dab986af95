// The sources behind find_reduction(), and the arithmetic that merges states.
#pragma once

#include <cmath>

#include "tuff/kernels/reduce.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

// float64 sums, float32 and float64 minima and maxima.
const ReductionKernels* find_reduction_float(Reduction reduction, DType element);
// float64 moments.
const ReductionKernels* find_moments();
// (u)int64 sums, integer and bool minima and maxima, any, all.
const ReductionKernels* find_reduction_integer(Reduction reduction, DType element);

// total + compensation += x, exactly but for the last addition (Knuth's two-sum: what Neumaier 1974
// computes, without his branch, so that it vectorises over columns).
inline void add_compensated(double& total, double& compensation, double x) {
  const double sum = total + x;
  const double added = sum - total;
  compensation += (total - (sum - added)) + (x - added);
  total = sum;
}

// Once the total has overflowed or met an infinity, the compensation is NaN and says nothing.
inline double compensated_value(double total, double compensation) {
  return std::isfinite(compensation) ? total + compensation : total;
}

struct Moments {
  double n = 0;
  double mean = 0;
  double m2 = 0;
};

// Chan, Golub & LeVeque 1983, equations 1.5a and b. With an infinite mean, the difference of means
// would make the merged mean NaN where it is infinite.
inline Moments merged(const Moments& a, const Moments& b) {
  if (a.n == 0) return b;
  if (b.n == 0) return a;
  const double n = a.n + b.n;
  if (!std::isfinite(a.mean) || !std::isfinite(b.mean)) return {n, a.mean + b.mean, NAN};
  const double delta = b.mean - a.mean;
  const double share = b.n / n;
  return {n, a.mean + delta * share, a.m2 + b.m2 + delta * delta * (a.n * share)};
}

}  // namespace kernels
TUFF_NAMESPACE_END
