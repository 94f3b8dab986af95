// Sources stay sources: what only moves or repeats numbers made from nothing, or computes with
// constants, becomes a source itself, so that no block of it is made, copied or kept.
//
// A source that costs less than memory (constants, positions, random numbers) needs no blocks of its own:
// fuse has each program that reads it make its elements inside, in registers. What stands between source
// and reader and is no arithmetic (rechunk) would prevent that.
#pragma once

#include <vector>

#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// Folds, through any number of layers:
///   - rechunk of a source: the source in the new chunks (random numbers are keyed by their position in
///     the whole array, so the values are those of any other chunks),
///   - element-wise operations, casts, transposes, broadcasts and new axes of constants alone: the
///     constant, computed by the kernels that would have computed it everywhere.
/// Values stay equal to the last bit. Arrays of unknown extents stay as they are.
TUFF_API std::vector<graph::Port> fold_sources(const std::vector<graph::Port>& outputs);

}  // namespace optimize
TUFF_NAMESPACE_END
