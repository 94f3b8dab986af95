// In which order a run goes through the tasks of a plan.
//
// Called by Program. A worker continues with what its last task made ready, and takes a new root when nothing is:
// depth first. That is no order at all where one result makes thousands of tasks ready that each need another root as
// well: they all run, and their results wait. So the walk is compared with the order of the plan (optimize/order.h):
//
// - Where the walk holds no more, the tasks are numbered as one thread makes it. On a 300 x 300 grid it jumps by 360
//   numbers of the static order per task, and each jump misses the first-level cache on every array of the plan.
//   Numbered this way one thread walks them from end to end, and several each walk long stretches: 42 to 13 ns per
//   task of that grid.
// - Where it holds more, or departs from priorities, workers take the ready task of the lowest number instead.
//
// Invariant: nothing else changes. Ties are broken as before, so all threads make the same choices.
#pragma once

#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN

struct RunOrder {
  PlanArrays
      plan;  ///< with tasks and the slots they write renumbered, unless it is gone through by number
  bool by_number = false;
};
/// A plan with a cycle is left as it is.
TUFF_API RunOrder in_run_order(PlanArrays plan);

TUFF_NAMESPACE_END
