// The static order as positions, and as numbers of a plan's tasks. The algorithm is in order_walk.cpp.
#include "tuff/optimize/order.h"

#include <algorithm>
#include <utility>

#include "tuff/optimize/order_walk.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

/// Tasks whose results the run returns; slots that hold a value before the run have no maker.
std::vector<uint32_t> makers_of_outputs(const PlanArrays& plan) {
  std::vector<uint32_t> makers;
  for (uint32_t slot : plan.output_slots) {
    if (slot >= plan.first_output.back()) continue;
    const auto after = std::upper_bound(plan.first_output.begin(), plan.first_output.end(), slot);
    makers.push_back(static_cast<uint32_t>(after - plan.first_output.begin() - 1));
  }
  return makers;
}

/// Tasks of higher priority, and what they need, come earlier; among equals the sequence stays.
void put_priorities_first(const PlanArrays& plan, std::vector<uint32_t>& sequence) {
  const bool any = std::any_of(plan.options.begin(), plan.options.end(),
                               [](const TaskOptions& options) { return options.priority != 0; });
  if (!any) return;
  std::vector<int> urgency(plan.task_count());
  for (size_t i = sequence.size(); i-- > 0;) {  // readers before what they read
    const uint32_t t = sequence[i];
    urgency[t] = plan.options_of(t).priority;
    for (uint32_t reader : plan.successors[t]) urgency[t] = std::max(urgency[t], urgency[reader]);
  }
  std::stable_sort(sequence.begin(), sequence.end(),
                   [&](uint32_t a, uint32_t b) { return urgency[a] > urgency[b]; });
}

}  // namespace

std::vector<uint32_t> static_order(const graph::Dag& dag, std::span<const uint32_t> targets) {
  const std::vector<uint32_t> sequence = ordered_tasks(dag, targets);
  std::vector<uint32_t> position(sequence.size());
  for (uint32_t i = 0; i < sequence.size(); ++i) position[sequence[i]] = i;
  return position;
}

void order(PlanArrays& plan) {
  if (plan.successors.items.empty() && plan.option_of.empty()) return;  // nobody waits for another
  const auto tasks = static_cast<uint32_t>(plan.task_count());
  std::vector<uint32_t> sequence = ordered_tasks(graph::dag_of(plan), makers_of_outputs(plan));
  put_priorities_first(plan, sequence);
  plan.is_ordered = true;
  if (std::is_sorted(sequence.begin(), sequence.end())) return;

  std::vector<uint32_t> new_task(tasks);
  for (uint32_t i = 0; i < tasks; ++i) new_task[sequence[i]] = i;
  std::vector<uint32_t> new_slot(plan.slot_count());
  std::vector<uint32_t> first_output = {0};
  first_output.reserve(tasks + 1);
  uint32_t next = 0;
  for (uint32_t old : sequence) {
    for (uint32_t s = plan.first_output[old]; s < plan.first_output[old + 1]; ++s)
      new_slot[s] = next++;
    first_output.push_back(next);
  }
  for (size_t s = plan.first_output.back(); s < plan.slot_count(); ++s)
    new_slot[s] = static_cast<uint32_t>(s);

  PlanArrays old = std::exchange(plan, {});
  plan.is_ordered = true;
  plan.functions = std::move(old.functions);
  plan.names = std::move(old.names);
  plan.labels = std::move(old.labels);
  plan.function_seconds = std::move(old.function_seconds);
  plan.function_bytes = std::move(old.function_bytes);
  plan.output_bytes = old.output_bytes;
  plan.options = std::move(old.options);
  if (!old.option_of.empty()) {
    for (uint32_t t : sequence) plan.option_of.push_back(old.option_of[t]);
  }
  plan.first_output = std::move(first_output);
  plan.function.reserve(tasks);
  plan.block.reserve(tasks);
  plan.wait_count.reserve(tasks);
  plan.inputs.items.reserve(old.inputs.items.size());
  plan.inputs.first.reserve(tasks + 1);
  plan.successors.items.reserve(old.successors.items.size());
  plan.successors.first.reserve(tasks + 1);
  for (uint32_t i = 0; i < tasks; ++i) {
    const uint32_t t = sequence[i];
    plan.function.push_back(old.function[t]);
    plan.block.push_back(old.block[t]);
    plan.wait_count.push_back(old.wait_count[t]);
    for (uint32_t slot : old.inputs[t]) plan.inputs.items.push_back(new_slot[slot]);
    plan.inputs.end_row();
    const size_t row = plan.successors.items.size();
    for (uint32_t successor : old.successors[t])
      plan.successors.items.push_back(new_task[successor]);
    std::sort(plan.successors.items.begin() + static_cast<std::ptrdiff_t>(row),
              plan.successors.items.end());
    plan.successors.end_row();
    if (plan.wait_count.back() == 0) plan.roots.push_back(i);
  }
  plan.use_count.assign(old.use_count.size(), 0);
  for (size_t s = 0; s < old.use_count.size(); ++s) plan.use_count[new_slot[s]] = old.use_count[s];
  plan.constants = std::move(old.constants);
  for (PlanConstant& constant : plan.constants) constant.slot = new_slot[constant.slot];
  plan.parameter_slots = std::move(old.parameter_slots);
  for (uint32_t& slot : plan.parameter_slots) slot = new_slot[slot];
  plan.output_slots = std::move(old.output_slots);
  for (uint32_t& slot : plan.output_slots) slot = new_slot[slot];
}

}  // namespace optimize
TUFF_NAMESPACE_END
