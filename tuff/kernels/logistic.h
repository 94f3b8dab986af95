// The hand-tuned twin of a logistic-regression pass: value, gradient and Hessian from one read of X.
//
// Called by: glm/logistic_pass.cpp, one call per block of rows. Its oracle is the same pass as a block
// program (glm/family.cpp); tests hold the two together.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

/// What a pass sums up. The value is always there; a Hessian brings its gradient.
enum class LogisticWants : uint8_t { value, gradient, hessian };

/// Rows of a logistic regression. `x`: (rows, cols), `stride` elements from row to row; `y`: one
/// byte per row, 0 or 1.
struct LogisticRows {
  const double* x = nullptr;
  const uint8_t* y = nullptr;
  size_t rows = 0;
  size_t cols = 0;
  size_t stride = 0;
};

/// The columns that a pass sees: deviations z = (x - centre) scale, and with `mix` their combinations z mix.
/// `scale` has to hold powers of two: then z is (x - centre) rounded once, on every instruction set, and
/// sums of its products do not cancel however far x lies from 0.
struct LogisticColumns {
  const double* centre = nullptr;  ///< (cols)
  const double* scale = nullptr;   ///< (cols)
  const double* mix =
      nullptr;  ///< (cols, cols) row-major, a column per column seen; null: z itself
};

/// Numbers of a sum: value, undecided rows, gradient (cols + 1), Hessian (cols + 1)^2, row-major.
constexpr size_t logistic_sum_count(size_t cols, LogisticWants wants) {
  const size_t q = cols + 1;
  return 2 + (wants == LogisticWants::value ? 0 : q) +
         (wants == LogisticWants::hessian ? q * q : 0);
}

/// Bytes of scratch (64-byte aligned) that logistic_sums() needs.
size_t logistic_scratch_bytes(size_t cols);

/// Adds sums over rows at `beta` (a coefficient per column seen, then the intercept) to
/// `sums[logistic_sum_count()]`; with z as LogisticColumns says:
///   sums[0]   negative log-likelihood: log(1 + exp(eta)) - y eta, eta = z beta + intercept
///   sums[1]   rows that eta does not decide as y says: eta <= 0 where y = 1, eta >= 0 where y = 0
///   then      its gradient: z' (mu - y), and the sum of mu - y, with mu = 1 / (1 + exp(-eta))
///   then      its Hessian: z' diag(mu (1 - mu)) z, bordered by the same sums for the intercept
/// Finite for any finite eta. The value's error is at most 2e-16 (1 + |eta|) per row; residuals and
/// weights keep their relative accuracy (4 ulp) down to the smallest numbers. The order of all sums
/// depends on the shape and the instruction set alone (above kBlasColumns, the Hessian's on that which BLAS
/// chooses). NaN in x or beta gives NaN.
/// Cost: about one exp and one division per row, and 3 cols + cols^2 / 2 multiply-adds.
void logistic_sums(const LogisticRows& data, const LogisticColumns& columns, const double* beta,
                   LogisticWants wants, double* sums, std::byte* scratch);

}  // namespace kernels
TUFF_NAMESPACE_END
