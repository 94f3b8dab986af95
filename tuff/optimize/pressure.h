// What an order of tasks keeps alive, task by task: the measure by which orders are compared.
//
// Runs the tasks on paper, one after another. Counts as Dask's diagnostics() do, so that figures can be set
// side by side: a result is alive from after its task ran until after its last user ran; a result that
// nobody reads is given away at once; sizes do not matter.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tuff/graph/dag.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// One task's part in it.
struct TaskPressure {
  uint32_t age = 0;                  ///< tasks from this one to the last user of its result
  uint32_t alive_when_run = 0;       ///< results alive before it ran
  uint32_t alive_when_released = 0;  ///< results alive before the last user of its result ran
  uint32_t freed = 0;                ///< inputs of which it was the last user
  bool operator==(const TaskPressure&) const = default;
};

struct Pressure {
  std::vector<TaskPressure> tasks;  ///< by number of the task
  std::vector<uint32_t> alive;      ///< by position: results alive before the task there ran
  TUFF_API uint32_t peak() const;   ///< the most results alive; 0 without tasks
};

/// `position` of each task, as static_order gives it. Throws InvalidArgument unless the positions are those
/// of all tasks, each once, and each task comes after what it reads.
TUFF_API Pressure pressure(const graph::Dag& dag, std::span<const uint32_t> position);

}  // namespace optimize
TUFF_NAMESPACE_END
