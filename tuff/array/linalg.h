// Products of arrays, reordering of axes, and joining.
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

/// Arrays one after the other along an existing axis, as NumPy's: of the promoted dtype, with equal extents
/// along all other axes. Their blocks become the result's, without a copy, where the other axes are cut
/// alike; else they are cut as in the longest array. Throws InvalidArgument for no arrays, rank 0, shapes
/// that differ elsewhere, and where the extent along `axis` is a symbol.
TUFF_API Array concatenate(const std::vector<Array>& arrays, int64_t axis = 0);
/// Arrays of one shape side by side along a new axis, which is number `axis` of the result.
TUFF_API Array stack(const std::vector<Array>& arrays, int64_t axis = 0);

TUFF_NAMESPACE_END
