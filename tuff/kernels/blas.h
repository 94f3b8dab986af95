// OpenBLAS and its LAPACK with one thread: the pool owns the cores, and results must not depend on their number.
#pragma once

#include <cstddef>

#include <cblas.h>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

/// Called before every use of BLAS; sets OpenBLAS to one thread, for the whole process, the first
/// time.
inline void use_blas() {
  static const bool ready = [] {
    openblas_set_num_threads(1);
    return true;
  }();
  static_cast<void>(ready);
}

/// General product C = alpha A B + beta C on row-major storage, by element type.
inline void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k,
                 const double* a, blasint lda, const double* b, blasint ldb, double beta, double* c,
                 blasint ldc) {
  use_blas();
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1.0, a, lda, b, ldb, beta, c, ldc);
}
inline void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k,
                 const float* a, blasint lda, const float* b, blasint ldb, float beta, float* c,
                 blasint ldc) {
  use_blas();
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0F, a, lda, b, ldb, beta, c, ldc);
}

/// y = A x (or A' x), A row-major.
inline void gemv(CBLAS_TRANSPOSE ta, blasint m, blasint n, const double* a, blasint lda,
                 const double* x, blasint incx, double* y, blasint incy) {
  use_blas();
  cblas_dgemv(CblasRowMajor, ta, m, n, 1.0, a, lda, x, incx, 0.0, y, incy);
}
inline void gemv(CBLAS_TRANSPOSE ta, blasint m, blasint n, const float* a, blasint lda,
                 const float* x, blasint incx, float* y, blasint incy) {
  use_blas();
  cblas_sgemv(CblasRowMajor, ta, m, n, 1.0F, a, lda, x, incx, 0.0F, y, incy);
}

/// C (n x n, rows `ldc` apart) += A' A on the lower triangle, A (k x n, rows `lda` apart) row-major.
inline void add_gram(const double* a, size_t k, size_t n, size_t lda, double* c, size_t ldc) {
  use_blas();
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, static_cast<blasint>(n),
              static_cast<blasint>(k), 1.0, a, static_cast<blasint>(lda), 1.0, c,
              static_cast<blasint>(ldc));
}

/// A (n x n, symmetric, its lower triangle is read) becomes L with A = L L', in the lower triangle.
/// Returns n, or the first column whose pivot is at most `smallest`.
TUFF_API size_t cholesky(double* a, size_t n, double smallest);
/// x = A^-1 x, from the L of cholesky().
TUFF_API void cholesky_solve(const double* l, size_t n, double* x);
/// The same with the largest pivot first: row i of L belongs to column order[i] of A. Returns how many
/// pivots are above `smallest`, r; of the rows from r on, the first r elements are those of L.
TUFF_API size_t pivoted_cholesky(double* a, size_t n, double smallest, size_t* order);
/// x = L'^-1 x, for the first n rows of an L whose rows lie `ldl` apart; and x = L^-1 x.
TUFF_API void solve_transposed(const double* l, size_t n, size_t ldl, double* x);
TUFF_API void solve_lower(const double* l, size_t n, size_t ldl, double* x);

}  // namespace kernels
TUFF_NAMESPACE_END
