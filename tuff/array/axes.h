// Small helpers that array functions share: axes given by users, and arrays cut alike.
#pragma once

#include <string_view>
#include <vector>

#include "tuff/array/array.h"

TUFF_NAMESPACE_BEGIN
namespace detail {

/// Axes as non-negative numbers. Throws InvalidArgument in the name of `operation` for an axis that is
/// out of range or given twice.
std::vector<int64_t> normalised_axes(std::string_view operation, const std::vector<int64_t>& axes,
                                     size_t ndim, bool sorted);

/// Arrays that broadcast against each other, recut so that equal axes have equal chunks, and the chunks
/// of the result. Throws InvalidArgument with both shapes.
struct Aligned {
  std::vector<Array> arrays;
  Chunks space;
};
Aligned align(std::string_view operation, std::vector<Array> arrays);

/// An axis cut at the boundaries of both.
AxisChunksPtr common_cut(const AxisChunksPtr& a, const AxisChunksPtr& b);

/// The array with axis `axis` cut like `wanted` (the same extent).
Array recut(const Array& x, size_t axis, const AxisChunksPtr& wanted);

}  // namespace detail
TUFF_NAMESPACE_END
