// The static order of tasks: depth first from the outputs, so that few results are alive at a time.
#pragma once

#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// Renumbers the tasks (and with them the slots) of a plan. Each output's inputs are finished before
/// the next output is begun: a source comes right before what reads it. Linear in tasks and edges.
TUFF_API void order(PlanArrays& plan);

}  // namespace optimize
TUFF_NAMESPACE_END
