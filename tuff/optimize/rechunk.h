// Plans how arrays are cut anew. A rechunk to the chunks that are there goes; one of another is one; one of
// an element-wise result moves to its operands where that copies less (so X.T @ (f(X @ b) - y) reads X once,
// however y is cut); and one with very many small pieces goes through blocks of a size in between.
//
// A rechunk in shared memory copies each new block straight from the old ones, so it has no tasks for pieces,
// and what a step costs is counted in overlaps, runs of memory and bytes. docs/decisions/0013-rechunk.md
// has the measurements behind the constants.
#pragma once

#include <vector>

#include "tuff/graph/layer.h"
#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

TUFF_API std::vector<graph::Port> plan_rechunks(const std::vector<graph::Port>& outputs);

/// An overlap of an old and a new block: an edge of the plan, a count up and down, the start of a copy.
inline constexpr double kNsPerEdge = 150;
/// A run of memory that is copied: one turn of the loop around the copy.
inline constexpr double kNsPerRow = 4;
/// A byte that is copied, by one thread: read and written once, memory being slower than the caches.
inline constexpr double kNsPerByte = 0.25;
/// A step in between holds the array twice, so it must be faster by a margin, not by a hair.
inline constexpr double kTwoStepGain = 1.5;

/// Estimated time of one rechunk by one thread, in nanoseconds.
TUFF_API double rechunk_ns(const Chunks& from, const Chunks& to, DType dtype);
/// The chunks to go through on the way, or `to` itself when the direct way is the best.
TUFF_API Chunks rechunk_by_way_of(const Chunks& from, const Chunks& to, DType dtype);

}  // namespace optimize
TUFF_NAMESPACE_END
