// Cheap arrays are made twice rather than kept.
//
// `x = exp(normal)`, then `(x - x.mean(0)) / x.std(0)`: x has two groups of readers, and the second cannot
// start before the reductions of the first have ended, so every block of x would be held in between. Where
// making the elements again costs less than writing and reading them, the second group gets layers of its
// own, and fuse makes x inside both. (Sources as such are always made by who reads them: see fuse.h.)
#pragma once

#include <vector>

#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// Gives copies of what is computed element by element from cheap sources alone to readers that must wait
/// for a reduction over it (a combine layer), when
///   - the array is larger than what caches hold (graph::kStreamingBytes), and no output,
///   - the reader reads each of its blocks once and can be fused with it: no product, no movement,
///   - typical_ns() of all its elements is below what memory would take for them.
/// Readers between the same two reductions share one copy. Copies that fuse cannot use are merged again by
/// the cse at its end. Values stay equal to the last bit.
TUFF_API std::vector<graph::Port> rematerialize(const std::vector<graph::Port>& outputs);

/// What making one element of this layer takes, its inputs given, in nanoseconds of one core: for
/// decisions between plans, not for predictions.
TUFF_API double typical_ns(const graph::Layer& layer);

/// A byte kept costs three bytes of traffic: the line is read for ownership, written, and read again.
/// When all cores work, a core's share of memory is some 4 GB/s (12 channels of DDR5-4800 for 96 to 128
/// cores), so that is 0.75 ns. One core that has the memory of a machine to itself is three to five times as
/// quick, and then gains bytes rather than time; memory touched for the first time costs page faults on top.
inline constexpr double kKeepingNsPerByte = 0.75;

}  // namespace optimize
TUFF_NAMESPACE_END
