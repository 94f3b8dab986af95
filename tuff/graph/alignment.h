// How the arrays of a blockwise layer lie in its iteration space, like the indices of an einsum.
//
// Each layer makes one when it is built (elementwise_layer.h and its neighbours); welding, slicing and
// rechunking follow it through `BlockwiseLayer::alignment`. Sets and maps of labels are those of block programs.
#pragma once

#include <vector>

#include "tuff/graph/layer.h"
#include "tuff/kernels/program.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

using kernels::kNoLabel;
using kernels::LabelMap;
using kernels::LabelSet;

/// How a layer's arrays lie in its iteration space.
struct Alignment {
  Chunks space;                  ///< chunks of each iteration axis
  std::vector<LabelMap> inputs;  ///< by input, by axis: the iteration axis, or kNoLabel (extent 1)
  LabelMap output;        ///< by axis of the output: the iteration axis, or kNoLabel (extent 1)
  uint8_t collapsed = 0;  ///< bit a: output axis a has one element per block of its iteration axis
  uint8_t reduced = 0;    ///< bit i: iteration axis i vanishes inside the block
};

constexpr LabelSet set_of(int label) { return static_cast<LabelSet>(1U << label); }
LabelSet set_of(const LabelMap& map);

/// One block of one element: an axis that may stretch. (Blocks without elements may cut an extent of 1.)
bool is_one(const AxisChunksPtr& axis);

/// 0, 1, 2, ...: each axis stands for itself.
LabelMap counting(size_t rank);

/// Inputs that broadcast against `space`, as NumPy: axes line up at the end, extent 1 stretches.
Alignment broadcast_alignment(const std::vector<Port>& inputs, const Chunks& space);

/// No inputs, and an output that is the space.
Alignment plain_alignment(const Chunks& space);

}  // namespace graph
TUFF_NAMESPACE_END
