// See fuse_tasks.h.
#include "tuff/optimize/fuse_tasks.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "tuff/base/check.h"
#include "tuff/graph/task_group.h"
#include "tuff/graph/toposort.h"
#include "tuff/optimize/auto_width.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

constexpr uint32_t kNone = UINT32_MAX;

/// Rows of the tasks that tasks read, with repetition: a value read twice is two edges.
Rows task_inputs(const PlanArrays& plan) {
  std::vector<uint32_t> writer(plan.slot_count(), kNone);
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    for (uint32_t s = plan.first_output[t]; s < plan.first_output[t + 1]; ++s) writer[s] = t;
  }
  Rows rows;
  rows.first.reserve(plan.task_count() + 1);
  rows.items.reserve(plan.inputs.items.size());
  for (size_t t = 0; t < plan.task_count(); ++t) {
    for (uint32_t slot : plan.inputs[t]) {
      if (writer[slot] != kNone) rows.items.push_back(writer[slot]);
    }
    rows.end_row();
  }
  return rows;
}

/// Tasks with one output that the run does not return, and options that their reader shares.
std::vector<uint8_t> may_go(const PlanArrays& plan, const Rows& inputs) {
  std::vector<uint8_t> may(plan.task_count(), 0);
  std::vector<uint8_t> returned(plan.slot_count(), 0);
  for (uint32_t slot : plan.output_slots) returned[slot] = 1;
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    const uint32_t first = plan.first_output[t];
    may[t] = plan.first_output[t + 1] - first == 1 && returned[first] == 0 ? 1 : 0;
  }
  if (plan.option_of.empty()) return may;
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    for (uint32_t input : inputs[t]) {
      if (!may_fuse(plan.options_of(input), plan.options_of(t))) may[input] = 0;
    }
  }
  return may;
}

std::vector<float> costs(const PlanArrays& plan) {
  std::vector<float> seconds(plan.task_count());
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    const double declared = plan.options_of(t).cost_seconds;
    seconds[t] = declared > 0 ? static_cast<float>(declared) : plan.seconds_of(plan.function[t]);
  }
  return seconds;
}

/// What groups yield, by group.
class GroupBytes final : public BlockBytes {
 public:
  void add(std::vector<uint64_t> outputs) { bytes_.push_back(std::move(outputs)); }
  uint64_t bytes(uint32_t group, uint32_t output) const override { return bytes_[group][output]; }

 private:
  std::vector<std::vector<uint64_t>> bytes_;
};

/// Writes the plan anew with each tree as one task.
class Welder {
 public:
  /// `seconds`: the cost of each task.
  Welder(PlanArrays& plan, const Rows& trees, std::span<const float> seconds)
      : plan_(plan),
        trees_(trees),
        seconds_(seconds),
        groups_(std::make_shared<graph::GroupProgram>()) {
    for (uint32_t f = 0; f < plan.functions.size(); ++f) groups_->add_operation(plan.name_of(f));
    plan.function_seconds.resize(plan.functions.size(), PlanArrays::kTypicalCallSeconds);
    plan.function_bytes.resize(plan.functions.size());
    if (plan.names.empty()) {
      for (const auto& function : plan.functions) plan.names.emplace_back(function->name());
    }
  }

  void run() {
    const auto tasks = static_cast<uint32_t>(plan_.task_count());
    std::vector<uint32_t> tree_of(tasks, kNone);
    std::vector<uint8_t> inside(tasks, 0);
    for (uint32_t i = 0; i < trees_.count(); ++i) {
      for (uint32_t member : trees_[i]) inside[member] = 1;
      tree_of[trees_[i].back()] = i;
    }
    number_slots(tree_of, inside);
    const PlanArrays old = take_rows();
    if (!old.option_of.empty()) options_.number({});
    new_option_.assign(old.options.size(), kNone);
    for (uint32_t t = 0; t < tasks; ++t) {
      if (tree_of[t] == kNone && inside[t] != 0) continue;
      if (tree_of[t] == kNone) {
        for (uint32_t slot : old.inputs[t]) plan_.inputs.items.push_back(new_slot_[slot]);
        plan_.function.push_back(old.function[t]);
        plan_.block.push_back(old.block[t]);
      } else {
        write_group(old, trees_[tree_of[t]]);
      }
      plan_.inputs.end_row();
      plan_.first_output.push_back(plan_.first_output.back() + old.first_output[t + 1] -
                                   old.first_output[t]);
      if (old.option_of.empty()) continue;
      plan_.option_of.push_back(tree_of[t] == kNone ? option_of_task(old, t)
                                                    : option_of_group(old, trees_[tree_of[t]]));
    }
    plan_.options = options_.sets();
    for (uint32_t& slot : plan_.output_slots) slot = new_slot_[slot];
    for (uint32_t& slot : plan_.parameter_slots) slot = new_slot_[slot];
    for (PlanConstant& constant : plan_.constants) constant.slot = new_slot_[constant.slot];
    plan_.link(slots_);
  }

 private:
  /// Values that stay inside a tree have no slot any more; those of roots keep the order of tasks.
  void number_slots(const std::vector<uint32_t>& tree_of, const std::vector<uint8_t>& inside) {
    new_slot_.assign(plan_.slot_count(), kNone);
    for (uint32_t t = 0; t < plan_.task_count(); ++t) {
      if (tree_of[t] == kNone && inside[t] != 0) continue;
      for (uint32_t s = plan_.first_output[t]; s < plan_.first_output[t + 1]; ++s)
        new_slot_[s] = slots_++;
    }
    for (size_t s = plan_.first_output.back(); s < plan_.slot_count(); ++s) new_slot_[s] = slots_++;
  }

  PlanArrays take_rows() {
    PlanArrays old;
    old.function = std::exchange(plan_.function, {});
    old.block = std::exchange(plan_.block, {});
    old.inputs = std::exchange(plan_.inputs, {});
    old.first_output = std::exchange(plan_.first_output, {0});
    old.option_of = std::exchange(plan_.option_of, {});
    old.options = std::exchange(plan_.options, {});
    return old;
  }

  void write_group(const PlanArrays& old, std::span<const uint32_t> members) {
    const size_t first_input = plan_.inputs.items.size();
    signature_.clear();
    float seconds = 0;
    groups_->begin();
    for (uint32_t part = 0; part < members.size(); ++part) {
      const uint32_t t = members[part];
      arguments_.clear();
      for (uint32_t slot : old.inputs[t]) arguments_.push_back(argument(slot, first_input));
      const uint32_t function = old.function[t];
      signature_.push_back(function);
      seconds += plan_.function_seconds[function];
      groups_->add_part(plan_.functions[function].get(), function, old.block[t], arguments_,
                        old.first_output[t + 1] - old.first_output[t],
                        static_cast<uint32_t>(old.options_of(t).retries));
      part_of_slot_[old.first_output[t]] = part;
    }
    for (size_t i = first_input; i < plan_.inputs.items.size(); ++i)
      input_of_slot_.erase(plan_.inputs.items[i]);
    for (uint32_t t : members) part_of_slot_.erase(old.first_output[t]);
    plan_.function.push_back(group_function(seconds));
    plan_.block.push_back(groups_->end());
    bytes_->add(bytes_of_group(old, members));
  }

  /// Options that only tasks inside of groups have are not of this plan.
  uint32_t option_of_task(const PlanArrays& old, uint32_t t) {
    uint32_t& number = new_option_[old.option_of[t]];
    if (number == kNone) number = options_.number(old.options_of(t));
    return number;
  }

  /// Those that all members share; the costs add up.
  uint32_t option_of_group(const PlanArrays& old, std::span<const uint32_t> members) {
    bool cost_is_known = false;
    double seconds = 0;
    for (uint32_t t : members) {
      cost_is_known = cost_is_known || old.options_of(t).cost_seconds > 0;
      seconds += static_cast<double>(seconds_[t]);
    }
    if (!cost_is_known) return option_of_task(old, members.back());
    TaskOptions options = old.options_of(members.back());
    options.cost_seconds = seconds;
    return options_.number(options);
  }

  /// By output of the last one; what stays inside counts with the first.
  std::vector<uint64_t> bytes_of_group(const PlanArrays& old,
                                       std::span<const uint32_t> members) const {
    const auto bytes = [&](uint32_t t, uint32_t output) {
      return plan_.bytes_of_call(old.function[t], old.block[t], output);
    };
    std::vector<uint64_t> outputs;
    const uint32_t last = members.back();
    for (uint32_t o = 0; o < old.first_output[last + 1] - old.first_output[last]; ++o)
      outputs.push_back(bytes(last, o));
    const auto add = [&](uint64_t more) {  // kUnknown is more than any sum
      outputs[0] += std::min(more, BlockBytes::kUnknown - outputs[0]);
    };
    for (uint32_t t : members.first(members.size() - 1)) add(bytes(t, 0));
    for (uint32_t t : members) {
      const auto& of_function = plan_.function_bytes[old.function[t]];
      if (of_function != nullptr) add(of_function->bytes_meanwhile(old.block[t]));
    }
    return outputs;
  }

  graph::GroupProgram::Argument argument(uint32_t slot, size_t first_input) {
    const auto part = part_of_slot_.find(slot);
    if (part != part_of_slot_.end()) return {false, part->second, 0};
    const uint32_t renumbered = new_slot_[slot];
    const auto [at, added] = input_of_slot_.try_emplace(
        renumbered, static_cast<uint32_t>(plan_.inputs.items.size() - first_input));
    if (added) plan_.inputs.items.push_back(renumbered);
    return {true, at->second, 0};
  }

  /// Groups that call the same functions in the same order share one.
  uint32_t group_function(float seconds) {
    const auto [at, added] =
        group_functions_.try_emplace(signature_, static_cast<uint32_t>(plan_.functions.size()));
    if (added) {
      std::vector<std::string_view> names;
      bool unknown_sizes = false;
      for (uint32_t function : signature_) {
        names.push_back(plan_.names[function]);
        unknown_sizes = unknown_sizes || plan_.functions[function]->yields_unknown_sizes();
      }
      std::string name = graph::group_name(names);
      plan_.functions.push_back(std::make_shared<graph::GroupTask>(groups_, name, unknown_sizes));
      plan_.names.push_back(std::move(name));
      plan_.function_seconds.push_back(seconds);
      plan_.function_bytes.push_back(bytes_);
    }
    return at->second;
  }

  struct VectorHash {
    size_t operator()(const std::vector<uint32_t>& items) const {
      size_t hash = items.size();
      for (uint32_t item : items) hash = (hash ^ item) * 0x9E3779B97F4A7C15u + (hash >> 31);
      return hash;
    }
  };

  PlanArrays& plan_;
  const Rows& trees_;
  std::span<const float> seconds_;
  std::shared_ptr<graph::GroupProgram> groups_;
  OptionSets options_;
  std::shared_ptr<GroupBytes> bytes_ = std::make_shared<GroupBytes>();
  std::vector<uint32_t> new_slot_;
  std::vector<uint32_t> new_option_;  // by old number; kNone: no task has had it so far
  uint32_t slots_ = 0;
  std::unordered_map<uint32_t, uint32_t> input_of_slot_;  // of the group at hand
  std::unordered_map<uint32_t, uint32_t> part_of_slot_;
  std::unordered_map<std::vector<uint32_t>, uint32_t, VectorHash> group_functions_;
  std::vector<uint32_t> signature_;
  std::vector<graph::GroupProgram::Argument> arguments_;
};

}  // namespace

TaskFusion fuse_tasks(PlanArrays& plan, const FuseWidths& widths, int threads) {
  TaskFusion result;
  result.tasks_before = result.tasks_after = plan.task_count();
  const bool automatic = !widths.ave_width.has_value();
  if (automatic && plan.task_count() < kSmallPlan) return result;
  const std::vector<float> seconds = costs(plan);
  if (automatic) {
    double work = 0;
    for (float s : seconds) work += static_cast<double>(s);
    if (static_cast<double>(plan.task_count()) * kTaskSeconds < kWorthFusing * work) return result;
  }
  const Rows inputs = task_inputs(plan);
  const graph::Toposort sorted = graph::toposort(inputs);
  TUFF_CHECK(sorted.cycle.empty());
  const std::vector<uint8_t> may = may_go(plan, inputs);
  std::vector<uint32_t> swallowed_by;
  if (automatic) {
    FusionChoice choice =
        choose_width(inputs, sorted.order, may, seconds, widths, threads, "fuse_tasks");
    result.ave_width = choice.ave_width;
    swallowed_by = std::move(choice.swallowed_by);
  } else {
    result.ave_width = *widths.ave_width;
    swallowed_by = choose_fusion(inputs, sorted.order, may,
                                 widths_of(widths, *widths.ave_width, "fuse_tasks"));
  }
  const Rows trees = fused_trees(inputs, sorted.order, swallowed_by);
  if (trees.count() > 0) Welder(plan, trees, seconds).run();
  result.tasks_after = plan.task_count();
  return result;
}

}  // namespace optimize
TUFF_NAMESPACE_END
