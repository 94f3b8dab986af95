// Making a Program out of a plan, and the ends of a run; see state.h.
#include "tuff/schedule/state.h"

#include <algorithm>

#include <fmt/format.h>

#include "tuff/base/check.h"

TUFF_NAMESPACE_BEGIN

namespace {

// Counting the readers of one slot makes their threads take turns on its line (some 50 ns each). A
// parameter with more readers than this, such as the coefficients of a model, stays until the run ends:
// parameters are the caller's anyway, and those worth consuming are blocks with few readers.
constexpr uint32_t kMostCountedReadsOfParameter = 32;

constexpr uint32_t kNone = Program::kNone;

}  // namespace

Program::Program(RunOrder order, uint32_t least_bundle)
    : plan(std::move(order.plan)), by_number(order.by_number), wait_count(plan.wait_count) {
#if defined(TUFF_DEBUG_CHECKS)
  plan.verify();
#endif
  TUFF_CHECK_LE(plan.slot_count(), size_t{kSlotMask});
  TUFF_CHECK_LE(plan.constants.size(), size_t{kSlotMask});
  TUFF_CHECK_EQ(plan.inputs.count(), plan.task_count());
  TUFF_CHECK_EQ(plan.successors.count(), plan.task_count());
  TUFF_CHECK_EQ(plan.first_output.size(), plan.task_count() + 1);
  std::vector<uint32_t> constant_of_slot(plan.slot_count(), kNone);
  for (uint32_t c = 0; c < plan.constants.size(); ++c) {
    constant_of_slot[plan.constants[c].slot] = c;
    constants.push_back(const_cast<Value*>(&plan.constants[c].value()));  // only ever read
  }
  encode_reads(constant_of_slot);
  make_records();
  find_bundles(least_bundle);
  decide_outputs(constant_of_slot);
}

void Program::encode_reads(const std::vector<uint32_t>& constant_of_slot) {
  std::vector<uint32_t> counts(plan.slot_count(), 0);
  for (uint32_t slot : plan.inputs.items) ++counts[slot];
  std::vector<uint8_t> uncounted(plan.slot_count(), 0);
  for (size_t slot = 0; slot < counts.size(); ++slot) {
    uncounted[slot] = plan.use_count[slot] > counts[slot];
  }
  for (uint32_t slot : plan.parameter_slots) {
    if (counts[slot] == 0 || counts[slot] > kMostCountedReadsOfParameter) uncounted[slot] = 1;
  }
  for (uint32_t slot : plan.output_slots) uncounted[slot] = 1;

  reads = plan.inputs.items;
  for (uint32_t& read : reads) {
    const uint32_t slot = read;
    if (constant_of_slot[slot] != kNone) {
      read = constant_of_slot[slot] | kConstant | kUncounted;
    } else if (uncounted[slot] != 0) {
      read |= kUncounted;
    }
  }
  // Few inputs per task are the rule; a task with many is worth sorting.
  std::vector<uint32_t> sorted;
  for (size_t task = 0; task < plan.task_count(); ++task) {
    const std::span<const uint32_t> slots = plan.inputs[task];
    if (slots.size() < 2) continue;
    sorted.assign(slots.begin(), slots.end());
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end()) continue;
    for (size_t i = 0; i < slots.size(); ++i) {
      const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), slots[i]);
      if (last - first > 1) reads[plan.inputs.first[task] + i] |= kRepeated;
    }
  }
  std::vector<uint8_t> returned(plan.slot_count(), 0);
  for (uint32_t slot : plan.output_slots) returned[slot] = 1;
  for (uint32_t slot = 0; slot < uncounted.size(); ++slot) {
    if (uncounted[slot] != 0 && returned[slot] == 0 && constant_of_slot[slot] == kNone) {
      kept_slots.push_back(slot);
    }
  }
}

void Program::make_records() {
  const size_t count = plan.task_count();
  tasks.resize(count + kTasksAhead);
  for (size_t t = 0; t < count; ++t) {
    TaskRecord& task = tasks[t];
    task.function = plan.functions[plan.function[t]].get();
    task.block = plan.block[t];
    task.input = plan.inputs.first[t];
    task.input_count = plan.inputs.first[t + 1] - task.input;
    task.successor = plan.successors.first[t];
    task.output = plan.first_output[t];
    task.output_count = plan.first_output[t + 1] - task.output;
    most_inputs = std::max(most_inputs, task.input_count);
    most_successors =
        std::max(most_successors, plan.successors.first[t + 1] - plan.successors.first[t]);
    for (uint32_t slot = task.output; slot < plan.first_output[t + 1]; ++slot) {
      if (plan.use_count[slot] == 0) task.output_count |= TaskRecord::kDropsOutputs;
    }
  }
  tasks[count].successor = plan.successors.first[count];
}

void Program::find_bundles(uint32_t least) {
  // A task that writes one value, which each successor reads once and nobody keeps; with a hash of its row.
  std::vector<std::pair<uint64_t, uint32_t>> candidates;
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    const std::span<const uint32_t> successors = plan.successors[t];
    if (successors.size() < least || tasks[t].output_count != 1 ||
        plan.use_count[tasks[t].output] != successors.size()) {
      continue;
    }
    uint64_t hash = 0;
    for (uint32_t next : successors) hash = (hash ^ next) * 0x9E3779B97F4A7C15u;
    candidates.emplace_back(hash, t);
  }
  std::sort(candidates.begin(), candidates.end());
  std::vector<uint32_t> members;
  for (size_t i = 0; i < candidates.size();) {
    const std::span<const uint32_t> row = plan.successors[candidates[i].second];
    members.clear();
    for (; i < candidates.size() && std::ranges::equal(row, plan.successors[candidates[i].second]);
         ++i) {
      members.push_back(candidates[i].second);
    }
    if (members.size() >= least) add_bundle(members);
  }
  if (bundles.count() > 0) mark_readers_of_bundles();
}

void Program::add_bundle(const std::vector<uint32_t>& members) {
  bundles.bundle_of.resize(plan.task_count(), kNone);
  const auto number = static_cast<uint32_t>(bundles.count());
  for (uint32_t t : members) {
    tasks[t].output_count |= TaskRecord::kInBundle;
    bundles.bundle_of[t] = number;
    bundles.slots.items.push_back(tasks[t].output);
  }
  bundles.slots.end_row();
  const std::span<const uint32_t> readers = plan.successors[members.front()];
  bundles.readers.items.insert(bundles.readers.items.end(), readers.begin(), readers.end());
  bundles.readers.end_row();
  for (uint32_t reader : readers) wait_count[reader] -= static_cast<uint32_t>(members.size()) - 1;
}

void Program::mark_readers_of_bundles() {
  std::vector<uint8_t> in_bundle(plan.slot_count(), 0);
  for (uint32_t slot : bundles.slots.items) in_bundle[slot] = 1;
  for (uint32_t& read : reads) {
    if ((read & kConstant) == 0 && in_bundle[read & kSlotMask] != 0) read |= kBundled;
  }
  bundles.read.first.assign(plan.task_count() + 1, 0);
  bundles.read.items.resize(bundles.readers.items.size());
  for (uint32_t reader : bundles.readers.items) {
    tasks[reader].output_count |= TaskRecord::kReadsBundles;
    ++bundles.read.first[reader + 1];
  }
  for (size_t t = 0; t < plan.task_count(); ++t) bundles.read.first[t + 1] += bundles.read.first[t];
  std::vector<uint32_t> at = bundles.read.first;
  for (uint32_t bundle = 0; bundle < bundles.count(); ++bundle) {
    for (uint32_t reader : bundles.readers[bundle]) bundles.read.items[at[reader]++] = bundle;
  }
}

void Program::decide_outputs(const std::vector<uint32_t>& constant_of_slot) {
  const size_t count = plan.output_slots.size();
  output_moves.assign(count, 0);
  constant_of_output.assign(count, kNone);
  std::vector<uint8_t> seen(plan.slot_count(), 0);
  for (size_t i = count; i-- > 0;) {  // of several that return one slot, the last one may move it
    const uint32_t slot = plan.output_slots[i];
    constant_of_output[i] = constant_of_slot[slot];
    output_moves[i] = constant_of_slot[slot] == kNone && seen[slot] == 0;
    seen[slot] = 1;
  }
}

RunState::RunState(const Program& program)
    : program_(program), values_(std::make_unique<Value[]>(program.plan.slot_count())) {}

void RunState::reset() {
  waits_ = program_.wait_count;
  uses_ = program_.plan.use_count;
  bundle_counts_.resize(program_.bundles.count());
  for (size_t b = 0; b < bundle_counts_.size(); ++b) {
    bundle_counts_[b].waits = static_cast<uint32_t>(program_.bundles.slots[b].size());
    bundle_counts_[b].uses = static_cast<uint32_t>(program_.bundles.readers[b].size());
  }
}

void RunState::clear() {
  for (size_t slot = 0; slot < program_.plan.slot_count(); ++slot) values_[slot].reset();
}

void RunState::set_parameters(std::vector<Value> parameters) {
  TUFF_CHECK_EQ(parameters.size(), program_.plan.parameter_slots.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    values_[program_.plan.parameter_slots[i]] = std::move(parameters[i]);
  }
}

std::vector<Value> RunState::take_outputs() {
  const std::vector<uint32_t>& slots = program_.plan.output_slots;
  std::vector<Value> outputs(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    if (program_.output_moves[i] != 0) {
      outputs[i] = std::move(values_[slots[i]]);
    } else if (program_.constant_of_output[i] != kNone) {
      outputs[i] = Value(std::as_const(*program_.constants[program_.constant_of_output[i]]));
    } else {
      outputs[i] = Value(std::as_const(values_[slots[i]]));
    }
  }
  for (uint32_t slot : program_.kept_slots) values_[slot].reset();
  return outputs;
}

void RunState::drop_outputs(const TaskRecord& task) {
  const uint32_t count = task.output_count & TaskRecord::kMostOutputs;
  for (uint32_t slot = task.output; slot < task.output + count; ++slot) {
    if (program_.plan.use_count[slot] == 0) values_[slot].reset();
  }
}

bool RunState::is_clean() const {
  for (size_t slot = 0; slot < program_.plan.slot_count(); ++slot) {
    if (values_[slot].has_value()) return false;
  }
  for (size_t task = 0; task < waits_.size(); ++task) {
    if (waits_[task] > program_.plan.wait_count[task]) return false;
  }
  return true;
}

// --- Checking, for tests ----------------------------------------------------------------------------

namespace {

/// Counts that have served may stay at 1.
bool stands_for(uint32_t count, uint32_t expected) {
  return count == expected || (expected == 0 && count == 1);
}

/// What is known about a slot from where the tasks stand.
struct SlotFacts {
  TaskPhase writer = TaskPhase::finished;  // of parameters too: they are there before the run
  bool is_constant = false;
  bool is_kept = false;       // to the end of the run
  bool is_in_bundle = false;  // which counts its readers
  uint32_t reads_left = 0;
  uint32_t reads_running = 0;  // how many of them by tasks that have begun
};

std::vector<SlotFacts> facts_of(const Program& program, std::span<const TaskPhase> phases) {
  const PlanArrays& plan = program.plan;
  std::vector<SlotFacts> slots(plan.slot_count());
  for (const PlanConstant& constant : plan.constants) slots[constant.slot].is_constant = true;
  for (uint32_t slot : plan.output_slots) slots[slot].is_kept = true;
  for (uint32_t slot : program.kept_slots) slots[slot].is_kept = true;
  for (uint32_t slot : program.bundles.slots.items) slots[slot].is_in_bundle = true;
  for (size_t t = 0; t < plan.task_count(); ++t) {
    for (uint32_t slot = plan.first_output[t]; slot < plan.first_output[t + 1]; ++slot)
      slots[slot].writer = phases[t];
    if (phases[t] == TaskPhase::finished) continue;
    for (uint32_t slot : plan.inputs[t]) {
      ++slots[slot].reads_left;
      if (phases[t] == TaskPhase::running) ++slots[slot].reads_running;
    }
  }
  return slots;
}

}  // namespace

std::string RunState::sanity_check(std::span<const TaskPhase> phases) const {
  TUFF_CHECK_EQ(phases.size(), program_.plan.task_count());
  std::string wrong = check_waits(phases);
  if (wrong.empty()) wrong = check_bundles(phases);
  return wrong.empty() ? check_slots(phases) : wrong;
}

std::string RunState::check_waits(std::span<const TaskPhase> phases) const {
  const PlanArrays& plan = program_.plan;
  std::vector<uint32_t> waits(plan.task_count(), 0);
  std::vector<uint8_t> unfinished(program_.bundles.count(), 0);
  for (size_t t = 0; t < plan.task_count(); ++t) {
    if (phases[t] == TaskPhase::finished) continue;
    if ((program_.tasks[t].output_count & TaskRecord::kInBundle) != 0) {
      unfinished[program_.bundles.bundle_of[t]] = 1;
      continue;
    }
    for (uint32_t next : plan.successors[t]) ++waits[next];
  }
  for (size_t bundle = 0; bundle < unfinished.size(); ++bundle) {
    for (uint32_t reader : program_.bundles.readers[bundle]) waits[reader] += unfinished[bundle];
  }
  for (size_t t = 0; t < plan.task_count(); ++t) {
    if (phases[t] != TaskPhase::waiting && waits[t] > 0)
      return fmt::format("task {} has begun although it waits for {} tasks", t, waits[t]);
    if (!stands_for(waits_[t], waits[t]))
      return fmt::format("task {} waits for {} tasks, and its count is {}", t, waits[t], waits_[t]);
  }
  return {};
}

std::string RunState::check_bundles(std::span<const TaskPhase> phases) const {
  const Bundles& bundles = program_.bundles;
  for (size_t b = 0; b < bundles.count(); ++b) {
    uint32_t waits = 0;
    for (size_t t = 0; t < phases.size(); ++t)
      waits += bundles.bundle_of[t] == b && phases[t] != TaskPhase::finished ? 1 : 0;
    uint32_t uses = 0;
    for (uint32_t reader : bundles.readers[b])
      uses += phases[reader] != TaskPhase::finished ? 1 : 0;
    const BundleCount& count = bundle_counts_[b];
    if (!stands_for(count.waits, waits) || !stands_for(count.uses, uses)) {
      return fmt::format(
          "bundle {} has {} tasks and {} readers to come, and its counts are {} and {}", b, waits,
          uses, count.waits, count.uses);
    }
  }
  return {};
}

std::string RunState::check_slots(std::span<const TaskPhase> phases) const {
  const std::vector<SlotFacts> slots = facts_of(program_, phases);
  for (size_t s = 0; s < slots.size(); ++s) {
    const SlotFacts& slot = slots[s];
    const bool counted = !slot.is_constant && !slot.is_kept && !slot.is_in_bundle;
    const uint32_t uses = counted ? slot.reads_left : program_.plan.use_count[s];
    if (counted ? !stands_for(uses_[s], uses) : uses_[s] != uses)
      return fmt::format("slot {} has {} reads to come, and its count is {}", s, uses, uses_[s]);
    const bool has = values_[s].has_value();
    if (slot.is_constant || slot.writer == TaskPhase::waiting) {
      if (has) return fmt::format("slot {} holds a value that nobody has written", s);
      continue;
    }
    // Its writer is at it, or its only reader, which may take the value with it.
    if (slot.writer == TaskPhase::running) continue;
    if (counted && slot.reads_left == 1 && slot.reads_running == 1) continue;
    const bool needed = slot.is_kept || slot.reads_left > 0;
    if (needed && !has) return fmt::format("slot {} is empty, with {} reads to come", s, uses);
    if (!needed && has) return fmt::format("slot {} holds a value that nobody reads any more", s);
  }
  return {};
}

TUFF_NAMESPACE_END
