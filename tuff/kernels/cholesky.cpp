// Cholesky factors, by the LAPACK that OpenBLAS brings; see blas.h.
#include "tuff/kernels/blas.h"

// LAPACK's own interface (Anderson et al. 1999); `u` in Fortran's column order is `l` in ours. The last
// argument is the length of the text, which Fortran compilers pass there.
extern "C" {
void dpotrf_(const char* uplo, const blasint* n, double* a, const blasint* lda, blasint* info,
             size_t);
void dpotrs_(const char* uplo, const blasint* n, const blasint* nrhs, const double* a,
             const blasint* lda, double* b, const blasint* ldb, blasint* info, size_t);
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

}  // namespace kernels
TUFF_NAMESPACE_END
