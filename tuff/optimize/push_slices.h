// Slices move towards the sources, so that what is cut off is never computed or read: through element-wise
// work, casts, transposes, broadcasts, rechunks and concatenations, into numbers made from nothing and into
// files. Slices of slices become one.
#pragma once

#include <vector>

#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// A layer that does work is sliced before it only when nobody needs it as it is, and all its slices
/// together have fewer elements than the blocks that it would make for them. Elements are bit-equal.
TUFF_API std::vector<graph::Port> push_slices(const std::vector<graph::Port>& outputs);

/// Elements that must be saved for each further copy of a layer: one costs about 5 us until it is a program
/// of its own (optimised, bound, run), and an element-wise operation makes an element in about 1 ns.
inline constexpr double kElementsPerCopy = 5000;

}  // namespace optimize
TUFF_NAMESPACE_END
