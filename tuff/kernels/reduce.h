// Reductions over dense tiles of `rows` x `cols` elements (row-major, no gaps).
//
// Called by: program.cpp. Sums of float64 are compensated (Neumaier) across tiles, so that the
// error of a sum does not grow with the number of tiles; within a tile they use a fixed lane order,
// which depends on the instruction set alone. float32 is cast to float64 before it gets here,
// integers and bool to int64 or uint64.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tuff/base/dtype.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

enum class Reduction : uint8_t { sum, min, max, any, all, moments };

/// Running state of a reduction of `count` columns (1 for a scalar).
/// Layout of the state, by reduction:
///   sum, float64:       double total[count], double compensation[count]
///   sum, (u)int64:      value[count] (wraps)
///   min, max:           value[count] (NaN wins); starts as the identity, see below
///   any, all:           bool[count]
///   moments, float64:   double n, then mean[count], m2[count] (squared deviations)
struct ReductionKernels {
  /// Bytes of state for `columns` columns.
  size_t (*state_bytes)(size_t columns);
  /// Sets the identity: 0; for min +inf or the largest integer (for max the converse); false, true;
  /// n = 0.
  void (*start)(void* state, size_t columns);
  /// Reduces all n elements into a state of one column.
  void (*add_flat)(const void* x, size_t n, void* state);
  /// Reduces over the rows into a state of `cols` columns.
  void (*add_columns)(const void* x, size_t rows, size_t cols, void* state);
  /// Reduces each row on its own: result (element type below) of row r to out[r]. sum, min, max:
  /// one value of the element type. any, all: bool. moments: three doubles (n, mean, m2) to out[3
  /// r].
  void (*rows)(const void* x, size_t rows, size_t cols, void* out);
  /// Merges another state of as many columns into `state` (order matters only in the last bits).
  void (*merge)(void* state, const void* other, size_t columns);
  /// Writes the results: `columns` values (for moments: 3 doubles per column: n, mean, m2).
  void (*finish)(const void* state, size_t columns, void* out);
};

/// Element types: sum has int64, uint64, float64; min and max all eleven; any and all bool; moments
/// float64. Null otherwise. min and max propagate NaN; which zero is the lesser is not specified.
/// Moments use the tile's own mean in a second pass over the (cached) tile, then merge as Chan,
/// Golub & LeVeque 1983.
TUFF_API const ReductionKernels* find_reduction(Reduction reduction, DType element);

}  // namespace kernels
TUFF_NAMESPACE_END
