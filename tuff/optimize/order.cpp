// Depth-first numbering; see order.h.
#include "tuff/optimize/order.h"

#include <algorithm>

#include "tuff/base/check.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

constexpr uint32_t kNone = UINT32_MAX;

std::vector<uint32_t> makers(const PlanArrays& plan) {
  std::vector<uint32_t> maker(plan.slot_count(), kNone);
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    for (uint32_t s = plan.first_output[t]; s < plan.first_output[t + 1]; ++s) maker[s] = t;
  }
  return maker;
}

/// Tasks in post-order of a depth-first walk that follows inputs in the order in which tasks read them.
std::vector<uint32_t> depth_first(const PlanArrays& plan) {
  const std::vector<uint32_t> maker = makers(plan);
  const auto tasks = static_cast<uint32_t>(plan.task_count());
  std::vector<uint32_t> sequence;
  sequence.reserve(tasks);
  std::vector<uint8_t> seen(tasks, 0);
  std::vector<uint32_t> next_input(plan.inputs.first.begin(), plan.inputs.first.end() - 1);
  std::vector<uint32_t> stack;
  const auto walk = [&](uint32_t from) {
    if (seen[from] != 0) return;
    seen[from] = 1;
    stack.push_back(from);
    while (!stack.empty()) {
      const uint32_t t = stack.back();
      if (next_input[t] == plan.inputs.first[t + 1]) {
        sequence.push_back(t);
        stack.pop_back();
        continue;
      }
      const uint32_t dependency = maker[plan.inputs.items[next_input[t]++]];
      if (dependency == kNone || seen[dependency] != 0) continue;
      seen[dependency] = 1;
      stack.push_back(dependency);
    }
  };
  for (uint32_t slot : plan.output_slots) {
    if (maker[slot] != kNone) walk(maker[slot]);
  }
  for (uint32_t t = 0; t < tasks; ++t)
    walk(t);  // tasks that no output needs (culling switched off)
  return sequence;
}

}  // namespace

void order(PlanArrays& plan) {
  const auto tasks = static_cast<uint32_t>(plan.task_count());
  const std::vector<uint32_t> sequence = depth_first(plan);
  TUFF_CHECK_EQ(sequence.size(), static_cast<size_t>(tasks));
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

  PlanArrays old = std::move(plan);
  plan.functions = std::move(old.functions);
  plan.names = std::move(old.names);
  plan.labels = std::move(old.labels);
  plan.function_seconds = std::move(old.function_seconds);
  plan.options = std::move(old.options);
  plan.option_of.clear();
  if (!old.option_of.empty()) {
    for (uint32_t t : sequence) plan.option_of.push_back(old.option_of[t]);
  }
  plan.first_output = std::move(first_output);
  plan.function.reserve(tasks);
  plan.block.reserve(tasks);
  plan.wait_count.reserve(tasks);
  plan.inputs = Rows();
  plan.inputs.items.reserve(old.inputs.items.size());
  plan.inputs.first.reserve(tasks + 1);
  plan.successors = Rows();
  plan.successors.items.reserve(old.successors.items.size());
  plan.successors.first.reserve(tasks + 1);
  plan.roots.clear();
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
