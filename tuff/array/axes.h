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
/// of the result: those of the largest operand for which the others are nearly cut right (kMostRecut), else
/// the boundaries of all. Throws InvalidArgument with both shapes.
struct Aligned {
  std::vector<Array> arrays;
  Chunks space;
};
Aligned align(std::string_view operation, std::vector<Array> arrays);

/// An axis cut at the boundaries of both.
AxisChunksPtr common_cut(const AxisChunksPtr& a, const AxisChunksPtr& b);

/// Of the bytes of all operands, those that may be copied so that the result is cut as one of them. What else
/// reads that operand then goes on lining up with the result (X.T @ (f(X @ b) - y) reads X once): copying a
/// quarter, read and written, is half a pass, and reading the rest again three quarters of one. Beyond it
/// the boundaries of all are taken, which copies nothing: blocks inside one old block are views.
inline constexpr double kMostRecut = 0.25;

/// The array with axis `axis` cut like `wanted` (the same extent).
Array recut(const Array& x, size_t axis, const AxisChunksPtr& wanted);

/// Chunks along one axis that two arrays share (axis `a` of x, axis `b` of y): as align() chooses them.
AxisChunksPtr shared_cut(const Array& x, size_t a, const Array& y, size_t b);

}  // namespace detail
TUFF_NAMESPACE_END
