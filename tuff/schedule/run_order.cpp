// One walk over the plan as ActiveRun makes it depth first, then every array permuted; see run_order.h.
#include "tuff/schedule/run_order.h"

#include <algorithm>
#include <numeric>
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

/// What a result of unknown size counts as: between a scalar and a block.
constexpr uint64_t kUnknownBytes = uint64_t{1} << 20;

/// The most bytes that results take at a time in this sequence of all tasks, with the place that each needs in the
/// run: where no sizes are known, it counts results.
double peak_of(const PlanArrays& plan, const std::vector<uint32_t>& sequence) {
  std::vector<uint32_t> uses = plan.use_count;
  std::vector<uint64_t> bytes(plan.slot_count(), 0);
  uint64_t alive = 0;
  double peak = 0;
  for (uint32_t task : sequence) {
    for (uint32_t slot = plan.first_output[task]; slot < plan.first_output[task + 1]; ++slot) {
      if (uses[slot] == 0) continue;
      const uint64_t bound = plan.bytes_of(task, slot - plan.first_output[task]);
      bytes[slot] = sizeof(Value) + (bound == BlockBytes::kUnknown ? kUnknownBytes : bound);
      alive += bytes[slot];
    }
    peak = std::max(peak, static_cast<double>(alive));
    for (uint32_t slot : plan.inputs[task]) {
      if (--uses[slot] == 0) alive -= bytes[slot];
    }
  }
  return peak;
}

/// Depth first may hold so many times what the order promises: less is not worth a queue that all share.
constexpr double kMostMore = 4;

/// Whether the order of the plan is to be kept to, rather than this walk.
bool is_order_better(const PlanArrays& plan, const std::vector<uint32_t>& walk) {
  if (!plan.is_ordered) return false;
  const int first = plan.options_of(0).priority;
  for (uint32_t task = 0; !plan.option_of.empty() && task < plan.task_count(); ++task) {
    if (plan.options_of(task).priority != first) return true;
  }
  std::vector<uint32_t> by_number(plan.task_count());
  std::iota(by_number.begin(), by_number.end(), 0);
  return peak_of(plan, walk) > kMostMore * peak_of(plan, by_number);
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

RunOrder in_run_order(PlanArrays plan) {
  const std::vector<uint32_t> sequence = run_sequence(plan);
  if (sequence.size() < plan.task_count() || std::is_sorted(sequence.begin(), sequence.end()))
    return {std::move(plan)};
  if (is_order_better(plan, sequence)) return {std::move(plan), true};

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
  return {std::move(plan)};
}

TUFF_NAMESPACE_END
