// Contractions of a panel (a few rows of a tall matrix, in cache) with small operands.
//
// Called by: program.cpp. A panel is `rows` x `cols`, row-major, `stride` elements from row to row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tuff/base/dtype.h"
#include "tuff/base/stop.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

/// float32 and float64 kernels; T is the element type behind the void pointers. Sums have a fixed
/// order, which depends on the shape and the instruction set alone.
struct PanelKernels {
  /// out[r] = sum over c of x[r, c] b[c].
  void (*times_vector)(const void* x, size_t rows, size_t cols, size_t stride, const void* b,
                       void* out);
  /// out[c] += sum over r of x[r, c] w[r].
  void (*transposed_times_vector)(const void* x, size_t rows, size_t cols, size_t stride,
                                  const void* w, void* out);
  /// out (rows x q, dense) = x (rows x p) b (p x q, dense).
  void (*times_matrix)(const void* x, size_t rows, size_t p, size_t stride, const void* b, size_t q,
                       void* out);
  /// out (p x q, dense) += x' (rows x p) z (rows x q, dense rows of q, `z_stride` apart). x may be
  /// z: then `out` has to be symmetric, half the work is saved, and the result is symmetric to the
  /// bit.
  void (*transposed_times_panel)(const void* x, size_t rows, size_t p, size_t x_stride,
                                 const void* z, size_t q, size_t z_stride, void* out);
};

/// Null unless `element` is float32 or float64.
TUFF_API const PanelKernels* find_panel(DType element);

/// Multiply-adds between two looks at the stop request: 10 to 30 ms of BLAS, where the extents allow so small parts.
inline constexpr size_t kProductsBetweenLooks = size_t{1} << 28;

/// C (m x n) = A (m x k) B (k x n) for any element type and any strides (in elements),
/// single-threaded. float32 and float64 go to BLAS (operands whose strides BLAS cannot take are
/// copied first); integers wrap; bool is "or of ands". BLAS picks its own instruction set, whatever
/// is pinned here. C is row-major with `c_stride` elements from row to row. Throws Cancelled when stop is requested
/// on the way.
TUFF_API void matrix_multiply(DType element, size_t m, size_t n, size_t k, const void* a,
                              int64_t a_row_stride, int64_t a_col_stride, const void* b,
                              int64_t b_row_stride, int64_t b_col_stride, void* c, size_t c_stride,
                              StopRequest stop = {});

}  // namespace kernels
TUFF_NAMESPACE_END
