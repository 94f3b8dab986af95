// Fusion: layers whose blocks line up become one layer with one program, so that a block is read once
// however many operations and reductions use it, and what lies between them is never stored.
//
// Not only lines: diamonds (a value with several readers inside the group), several outputs, siblings
// that read the same block (mean and variance), and panels (X b, what follows, and X' r of one read).
#pragma once

#include <vector>

#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// Groups are grown from each layer to its readers, then joined with siblings. Two groups join when
///   - their labels can be unified: every edge between them (or one common input) pairs equal chunks,
///   - each block of the producer is read by one block of the consumer (no work is done twice; sources
///     that cost less than memory are copied into each reader instead),
///   - the program can be walked in one pass: reductions end it, unless they run along the columns of
///     a panel; contractions fit a panel of rows,
///   - no path leads out of the union and back.
TUFF_API std::vector<graph::Port> fuse(const std::vector<graph::Port>& outputs);

/// Layers in one group. Longer chains are cut: values alive in one program grow with it, and 32 outputs
/// and 256 instructions are enough to make the arithmetic outweigh the loads by far.
inline constexpr size_t kMaxGroup = 256;

}  // namespace optimize
TUFF_NAMESPACE_END
