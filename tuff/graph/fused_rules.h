// What a program relies on beside its own rules (kernels/program_rules.cpp): that its operands are its inputs, and
// that the blocks of its labels can be walked as it is written.
//
// Kept by what fuse() makes, which FusedLayer::weld checks, and checked of what is read.
#pragma once

#include <vector>

#include "tuff/graph/layer.h"
#include "tuff/kernels/program.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// The first rule that is broken, or null. `labels`: the chunks of each label of the program.
const char* broken_fit(const kernels::Program& program, const std::vector<AxisChunksPtr>& labels,
                       const std::vector<Port>& inputs);

}  // namespace graph
TUFF_NAMESPACE_END
