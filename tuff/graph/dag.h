// The shape of a graph of tasks, without its functions: who reads whom, by number.
//
// What orders, fuses or measures graphs works on this alone; plans and task graphs can be seen as one.
#pragma once

#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// Tasks 0 .. count() - 1. Both lists are ascending and name each task once; nothing reads itself. A Dag
/// made from outside data may have cycles; those who cannot have them say so.
struct Dag {
  Rows inputs;  ///< tasks that t reads
  Rows users;   ///< tasks that read t
  size_t count() const { return inputs.count(); }
};

/// `inputs` in any order, repeated or not.
TUFF_API Dag make_dag(const Rows& inputs);
/// The tasks of a plan; slots that hold a value before the run are nobody's.
TUFF_API Dag dag_of(const PlanArrays& plan);

}  // namespace graph
TUFF_NAMESPACE_END
