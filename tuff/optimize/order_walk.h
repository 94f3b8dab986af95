// The sequence that order.cpp asks for; the algorithm is told in order_walk.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tuff/graph/dag.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// The tasks in their static order: all of them, once. Throws as static_order does.
std::vector<uint32_t> ordered_tasks(const graph::Dag& dag, std::span<const uint32_t> targets);

}  // namespace optimize
TUFF_NAMESPACE_END
