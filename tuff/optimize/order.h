// The static order of tasks: the sequence in which one thread would run them so that few results are
// alive at a time.
//
// Called on plans by optimize.cpp, and by who runs graphs of tasks. Depends on the graph and its numbers
// alone. The algorithm is told in order_walk.cpp, its quality in docs/decisions/0012-order.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tuff/graph/dag.h"
#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// The position of each task: every task comes after what it reads. Results of `targets` are kept; without
/// targets, what nobody reads is asked for. Tasks that no target needs come last.
///
/// Linear in tasks and edges, but for sorting the inputs of each task. Throws InvalidArgument for a target
/// that is no task, and when tasks wait for each other (find_cycle gives them as numbers).
TUFF_API std::vector<uint32_t> static_order(const graph::Dag& dag,
                                            std::span<const uint32_t> targets = {});

/// Renumbers the tasks (and with them the slots) of a plan in the static order of its outputs.
TUFF_API void order(PlanArrays& plan);

}  // namespace optimize
TUFF_NAMESPACE_END
