// Products and reordering of axes.
#pragma once

#include "tuff/array/array.h"

TUFF_NAMESPACE_BEGIN

/// Matrix product of 1-d and 2-d arrays, as NumPy's: (n, k) x (k, m) -> (n, m), a 1-d operand is a row on
/// the left and a column on the right, and its axis vanishes. Products of blocks are summed by a tree
/// along k, in the promoted dtype (float32 and float64 by BLAS, integers wrap).
/// Throws InvalidArgument: `[matmul] (3, 4) x (5, 6): inner extents 4 and 5 differ`.
TUFF_API Array matmul(const Array& a, const Array& b);
/// Axes reversed, or in the given order.
TUFF_API Array transpose(const Array& x);
TUFF_API Array transpose(const Array& x, const std::vector<int64_t>& axes);
/// The array stretched to `shape` as broadcasting would.
TUFF_API Array broadcast_to(const Array& x, const ShapeSpec& shape, const ChunkSpec& chunks = {});

TUFF_NAMESPACE_END
