// From a task graph to the flat arrays of a plan. Made by tasks.cpp; the counterpart of lower.h.
#pragma once

#include "tuff/graph/plan.h"
#include "tuff/graph/taskgraph.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// A plan that computes `outputs`, in that order. Only what they need is made; aliases are followed,
/// literals become constants that the graph and the plan share. Tasks come in the order in which they
/// were added; optimize/order renumbers them. Throws InvalidArgument, naming keys, when a task reads a
/// key that no task has, or tasks need each other in a circle.
TUFF_API PlanArrays lower_tasks(const TaskGraph& graph, std::span<const TaskRef> outputs);

}  // namespace graph
TUFF_NAMESPACE_END
