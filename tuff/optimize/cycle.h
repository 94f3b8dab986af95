// Finds tasks that wait for each other, for those who take graphs of tasks from outside.
#pragma once

#include <cstdint>
#include <vector>

#include "tuff/graph/dag.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// The tasks of one cycle, each read by the next and the last by the first; the smallest number comes first.
/// Empty where there is none. Linear in tasks and edges.
TUFF_API std::vector<uint32_t> find_cycle(const graph::Dag& dag);

}  // namespace optimize
TUFF_NAMESPACE_END
