// See pressure.h.
#include "tuff/optimize/pressure.h"

#include <algorithm>
#include <string>

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

/// The task at each position.
std::vector<uint32_t> tasks_at(const graph::Dag& dag, std::span<const uint32_t> position) {
  const size_t count = dag.count();
  if (position.size() != count) {
    throw InvalidArgument("pressure", std::to_string(position.size()) + " positions for " +
                                          std::to_string(count) + " tasks; each task has one");
  }
  std::vector<uint32_t> task_at(count, UINT32_MAX);
  for (uint32_t t = 0; t < count; ++t) {
    const uint32_t p = position[t];
    if (p >= count || task_at[p] != UINT32_MAX) {
      throw InvalidArgument(
          "pressure", "task " + std::to_string(t) + " is at position " + std::to_string(p) +
                          (p >= count ? "" : ", like task " + std::to_string(task_at[p])) + "; " +
                          std::to_string(count) + " tasks have the positions 0 to " +
                          std::to_string(count - 1) + ", each once");
    }
    task_at[p] = t;
  }
  return task_at;
}

}  // namespace

uint32_t Pressure::peak() const {
  return alive.empty() ? 0 : *std::max_element(alive.begin(), alive.end());
}

Pressure pressure(const graph::Dag& dag, std::span<const uint32_t> position) {
  const std::vector<uint32_t> task_at = tasks_at(dag, position);
  Pressure result;
  result.tasks.resize(dag.count());
  result.alive.reserve(dag.count());
  std::vector<uint32_t> uses(dag.count());
  for (uint32_t t = 0; t < dag.count(); ++t) uses[t] = static_cast<uint32_t>(dag.users[t].size());
  uint32_t alive = 0;
  for (uint32_t p = 0; p < task_at.size(); ++p) {
    const uint32_t t = task_at[p];
    result.alive.push_back(alive);
    result.tasks[t].alive_when_run = alive;
    for (uint32_t input : dag.inputs[t]) {
      if (position[input] > p) {
        throw InvalidArgument("pressure", "task " + std::to_string(t) + " is at position " +
                                              std::to_string(p) + ", before task " +
                                              std::to_string(input) + " at " +
                                              std::to_string(position[input]) +
                                              ", which it reads; inputs come first");
      }
      if (--uses[input] != 0) continue;
      result.tasks[input].age = p - position[input];
      result.tasks[input].alive_when_released = alive;
      ++result.tasks[t].freed;
    }
    if (uses[t] == 0) result.tasks[t].alive_when_released = alive;
    alive -= result.tasks[t].freed;
    if (uses[t] != 0) ++alive;
  }
  return result;
}

}  // namespace optimize
TUFF_NAMESPACE_END
