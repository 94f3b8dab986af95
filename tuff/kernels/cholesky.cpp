// Cholesky factors, by the LAPACK that OpenBLAS brings; see blas.h.
#include <vector>

#include "tuff/kernels/blas.h"

// LAPACK's own interface (Anderson et al. 1999); `u` in Fortran's column order is `l` in ours. The last
// argument is the length of the text, which Fortran compilers pass there.
extern "C" {
void dpotrf_(const char* uplo, const blasint* n, double* a, const blasint* lda, blasint* info,
             size_t);
void dpotrs_(const char* uplo, const blasint* n, const blasint* nrhs, const double* a,
             const blasint* lda, double* b, const blasint* ldb, blasint* info, size_t);
void dpstrf_(const char* uplo, const blasint* n, double* a, const blasint* lda, blasint* piv,
             blasint* rank, const double* tol, double* work, blasint* info, size_t);
}

TUFF_NAMESPACE_BEGIN
namespace kernels {

size_t cholesky(double* a, size_t n, double smallest) {
  use_blas();
  const auto order = static_cast<blasint>(n);
  blasint info = 0;
  dpotrf_("U", &order, a, &order, &info, 1);
  const size_t done = info > 0 ? static_cast<size_t>(info) - 1 : n;
  for (size_t j = 0; j < done; ++j) {
    if (!(a[j * n + j] * a[j * n + j] > smallest)) return j;
  }
  return done;
}

void cholesky_solve(const double* l, size_t n, double* x) {
  use_blas();
  const auto order = static_cast<blasint>(n);
  const blasint one = 1;
  blasint info = 0;
  dpotrs_("U", &order, &one, l, &order, x, &order, &info, 1);
}

size_t pivoted_cholesky(double* a, size_t n, double smallest, size_t* order) {
  use_blas();
  const auto size = static_cast<blasint>(n);
  std::vector<blasint> pivots(n);
  std::vector<double> work(2 * n);
  blasint rank = 0, info = 0;
  dpstrf_("U", &size, a, &size, pivots.data(), &rank, &smallest, work.data(), &info, 1);
  for (size_t i = 0; i < n; ++i) order[i] = static_cast<size_t>(pivots[i]) - 1;
  return static_cast<size_t>(rank);
}

void solve_transposed(const double* l, size_t n, size_t ldl, double* x) {
  use_blas();
  cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, static_cast<blasint>(n), l,
              static_cast<blasint>(ldl), x, 1);
}

void solve_lower(const double* l, size_t n, size_t ldl, double* x) {
  use_blas();
  cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, static_cast<blasint>(n), l,
              static_cast<blasint>(ldl), x, 1);
}

}  // namespace kernels
TUFF_NAMESPACE_END
