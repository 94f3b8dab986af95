// One walk over the plan as ActiveRun makes it, then every array permuted; see run_order.h.
#include "tuff/schedule/run_order.h"

#include <algorithm>
#include <utility>

TUFF_NAMESPACE_BEGIN

namespace {

/// The tasks as one thread runs them; fewer than there are when some wait for each other.
std::vector<uint32_t> run_sequence(const PlanArrays& plan) {
  constexpr uint32_t kNone = UINT32_MAX;
  std::vector<uint32_t> sequence;
  sequence.reserve(plan.task_count());
  std::vector<uint32_t> waits = plan.wait_count;
  std::vector<uint32_t> ready;  // the last is the next
  for (uint32_t root : plan.roots) {
    for (uint32_t task = root;;) {
      sequence.push_back(task);
      const std::span<const uint32_t> successors = plan.successors[task];
      uint32_t next = kNone;
      for (size_t s = successors.size(); s-- > 0;) {
        if (--waits[successors[s]] > 0) continue;
        if (next != kNone) ready.push_back(next);
        next = successors[s];
      }
      if (next == kNone) {
        if (ready.empty()) break;
        next = ready.back();
        ready.pop_back();
      }
      task = next;
    }
  }
  return sequence;
}

template <class T>
void permute(std::vector<T>& by_task, const std::vector<uint32_t>& sequence) {
  if (by_task.empty()) return;
  std::vector<T> permuted;
  permuted.reserve(by_task.size());
  for (uint32_t task : sequence) permuted.push_back(by_task[task]);
  by_task = std::move(permuted);
}

}  // namespace

PlanArrays in_run_order(PlanArrays plan) {
  const std::vector<uint32_t> sequence = run_sequence(plan);
  if (sequence.size() < plan.task_count() || std::is_sorted(sequence.begin(), sequence.end()))
    return plan;

  // Slots that tasks write keep together what they had as a whole; all others stay.
  std::vector<uint32_t> slot_now(plan.slot_count());
  for (uint32_t slot = 0; slot < slot_now.size(); ++slot) slot_now[slot] = slot;
  std::vector<uint32_t> first_output = {plan.first_output.front()};
  first_output.reserve(plan.first_output.size());
  Rows inputs;
  inputs.first.reserve(plan.inputs.first.size());
  inputs.items.reserve(plan.inputs.items.size());
  for (uint32_t task : sequence) {
    uint32_t slot = first_output.back();
    for (uint32_t old = plan.first_output[task]; old < plan.first_output[task + 1]; ++old)
      slot_now[old] = slot++;
    first_output.push_back(slot);
    // What a task reads has been written, and so has been renumbered.
    for (uint32_t old : plan.inputs[task]) inputs.items.push_back(slot_now[old]);
    inputs.end_row();
  }
  plan.first_output = std::move(first_output);
  plan.inputs = std::move(inputs);
  for (uint32_t& slot : plan.output_slots) slot = slot_now[slot];
  permute(plan.function, sequence);
  permute(plan.block, sequence);
  permute(plan.option_of, sequence);
  plan.link(slot_now.size());
  return plan;
}

TUFF_NAMESPACE_END
