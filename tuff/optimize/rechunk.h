// Plans how arrays are cut anew. A rechunk to the chunks that are there goes; one of another is one; one of
// an element-wise result moves to its operands where that copies less (so X.T @ (f(X @ b) - y) reads X once,
// however y is cut); and one with very many small pieces goes through blocks of a size in between.
//
// A rechunk in shared memory copies each new block straight from the old ones, so it has no tasks for pieces,
// and what a step costs is counted in overlaps, runs of memory and bytes. docs/decisions/0013-rechunk.md
// has the measurements behind the constants.
#pragma once

#include <cmath>
#include <vector>

#include "tuff/graph/layer.h"
#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// `memory_bytes`: what runs of the plan may take.
TUFF_API std::vector<graph::Port> plan_rechunks(const std::vector<graph::Port>& outputs,
                                                double memory_bytes = HUGE_VAL);

/// An overlap of an old and a new block: an edge of the plan, a use counted, a block's header fetched, the
/// start of a copy. 10^6 overlaps of one element take 105 ms to run and 20 ms to plan.
inline constexpr double kNsPerEdge = 100;
/// A run of memory that is copied, far from the last one: 5 ns where it is near, 35 ns where it is not.
inline constexpr double kNsPerRow = 20;
/// A byte that is copied in long runs: 512 MB take 26 ms.
inline constexpr double kNsPerByte = 0.05;
/// A byte that is read back from disk because the array does not fit in memory: common disks give 1 GB/s.
inline constexpr double kNsPerDiskByte = 1;
/// A step in between holds the array once more, so it must gain more than the estimate is off by.
inline constexpr double kTwoStepGain = 1.2;

/// Estimated time of one rechunk by one thread, in nanoseconds. An array that is larger than `memory_bytes` is
/// read back from disk.
TUFF_API double rechunk_ns(const Chunks& from, const Chunks& to, DType dtype,
                           double memory_bytes = HUGE_VAL);
/// What the largest task of a rechunk holds: the blocks that it reads, and the one that it makes.
TUFF_API double rechunk_task_bytes(const Chunks& from, const Chunks& to, DType dtype);
/// The chunks to go through on the way, or `to` itself when the direct way is the best. Where the tasks of the direct
/// way do not fit in memory, the way goes by blocks so small that its own do.
TUFF_API Chunks rechunk_by_way_of(const Chunks& from, const Chunks& to, DType dtype,
                                  double memory_bytes = HUGE_VAL);

}  // namespace optimize
TUFF_NAMESPACE_END
