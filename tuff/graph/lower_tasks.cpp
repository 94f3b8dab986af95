// See lower_tasks.h. Three sweeps over flat arrays: mark what is needed, number slots, write rows.
#include "tuff/graph/lower_tasks.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "tuff/base/error.h"
#include "tuff/graph/task_group.h"
#include "tuff/graph/toposort.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

using Argument = TaskGraph::Argument;
using Kind = TaskGraph::Kind;

constexpr uint32_t kNone = UINT32_MAX;
constexpr std::string_view kCompile = "compile";

class TaskLowering {
 public:
  TaskLowering(const TaskGraph& graph, std::span<const TaskRef> outputs)
      : graph_(graph), outputs_(outputs) {}

  PlanArrays run() {
    mark_needed();
    number_slots();
    write_tasks();
    for (const TaskRef& output : outputs_) {
      const uint32_t node = graph_.check(output);
      plan_.output_slots.push_back(slot_of({Argument::From::task, node, output.output}));
    }
    plan_.labels = graph_.labels();
    if (!plan_.option_of.empty()) plan_.options = options_.sets();
    plan_.link(next_slot_);
    return std::move(plan_);
  }

 private:
  void mark_needed() {
    needed_.assign(graph_.node_count(), 0);
    std::vector<uint32_t> work;
    const auto need = [&](uint32_t node) {
      if (needed_[node] != 0) return;
      needed_[node] = 1;
      work.push_back(node);
    };
    bool in_order = true;
    for (const TaskRef& output : outputs_) need(graph_.check_live(output, kCompile));
    while (!work.empty()) {
      const uint32_t node = work.back();
      work.pop_back();
      graph_.each_dependency(node, [&](uint32_t input, uint32_t) {
        if (!graph_.exists(input)) graph_.throw_missing(kCompile, node, input);
        in_order = in_order && input < node;
        need(input);
      });
    }
    if (in_order) return;
    const Toposort sorted = toposort(needed_edges());
    if (!sorted.cycle.empty()) graph_.throw_cycle(kCompile, sorted.cycle);
  }

  Rows needed_edges() const {
    Rows rows;
    for (uint32_t node = 0; node < graph_.node_count(); ++node) {
      if (needed_[node] != 0)
        graph_.each_dependency(node, [&](uint32_t in, uint32_t) { rows.items.push_back(in); });
      rows.end_row();
    }
    return rows;
  }

  void number_slots() {
    size_t tasks = 0;
    size_t arguments = 0;
    slot_of_node_.assign(graph_.node_count(), kNone);
    for (uint32_t node = 0; node < graph_.node_count(); ++node) {
      if (needed_[node] == 0 || graph_.kind(node) != Kind::task) continue;
      ++tasks;
      for (const TaskGraph::Part& part : graph_.parts(node)) arguments += part.argument_count;
      slot_of_node_[node] = next_slot_;
      next_slot_ += graph_.output_count(node);
    }
    plan_.function.reserve(tasks);
    plan_.block.reserve(tasks);
    plan_.inputs.first.reserve(tasks + 1);
    plan_.inputs.items.reserve(arguments);
    plan_.first_output.reserve(tasks + 1);
    slot_of_literal_.assign(graph_.literal_count(), kNone);
  }

  void write_tasks() {
    const bool with_options = graph_.has_options();
    if (with_options) options_.number({});
    function_number_.assign(graph_.function_count(), kNone);
    plan_.first_output.push_back(0);
    for (uint32_t node = 0; node < graph_.node_count(); ++node) {
      if (needed_[node] == 0 || graph_.kind(node) != Kind::task) continue;
      const auto parts = graph_.parts(node);
      if (parts.size() == 1) {
        write_call(parts[0]);
      } else {
        write_group(node, parts);
      }
      plan_.inputs.end_row();
      plan_.first_output.push_back(plan_.first_output.back() + graph_.output_count(node));
      if (with_options) plan_.option_of.push_back(options_.number(graph_.options_of(node)));
    }
  }

  void write_call(const TaskGraph::Part& part) {
    for (uint32_t a = 0; a < part.argument_count; ++a)
      plan_.inputs.items.push_back(slot_of(graph_.argument(part.first_argument + a)));
    plan_.function.push_back(function_number(part.function));
    plan_.block.push_back(part.origin);
  }

  /// A fused task: each slot that it reads is an input once, whatever many parts read it.
  void write_group(uint32_t node, std::span<const TaskGraph::Part> parts) {
    if (groups_ == nullptr) groups_ = std::make_shared<GroupProgram>();
    const size_t first_input = plan_.inputs.items.size();
    names_.clear();
    bool unknown_sizes = false;
    groups_->begin();
    for (uint32_t p = 0; p < parts.size(); ++p) {
      const TaskGraph::Part& part = parts[p];
      arguments_.clear();
      for (uint32_t a = 0; a < part.argument_count; ++a) {
        const Argument argument = graph_.argument(part.first_argument + a);
        if (argument.from == Argument::From::part) {
          arguments_.push_back({false, argument.number, argument.output});
        } else {
          arguments_.push_back({true, input_number(slot_of(argument), first_input), 0});
        }
      }
      const TaskFunction* const code = graph_.function(part.function).code.get();
      unknown_sizes = unknown_sizes || code->yields_unknown_sizes();
      names_.push_back(graph_.operation_name(part.function));
      groups_->add_part(code, operation_number(part.function), part.origin, arguments_,
                        graph_.function(part.function).output_count, graph_.retries_of(node, p));
    }
    for (size_t i = first_input; i < plan_.inputs.items.size(); ++i)
      input_of_slot_[plan_.inputs.items[i]] = kNone;
    // Parts keep no hold of their functions, so the plan does.
    for (const TaskGraph::Part& part : parts) (void)function_number(part.function);
    plan_.function.push_back(group_function(group_name(names_), parts.size(), unknown_sizes));
    plan_.block.push_back(groups_->end());
  }

  uint32_t input_number(uint32_t slot, size_t first_input) {
    if (input_of_slot_.size() <= slot) input_of_slot_.resize(slot + 1, kNone);
    uint32_t& number = input_of_slot_[slot];
    if (number == kNone) {
      number = static_cast<uint32_t>(plan_.inputs.items.size() - first_input);
      plan_.inputs.items.push_back(slot);
    }
    return number;
  }

  uint32_t operation_number(uint32_t function) {
    if (operation_number_.empty()) operation_number_.assign(graph_.function_count(), kNone);
    uint32_t& number = operation_number_[function];
    if (number == kNone)
      number = groups_->add_operation(std::string(graph_.operation_name(function)));
    return number;
  }

  uint32_t function_number(uint32_t function) {
    uint32_t& number = function_number_[function];
    if (number == kNone) {
      number = static_cast<uint32_t>(plan_.functions.size());
      plan_.functions.push_back(graph_.function(function).code);
      if (plan_.functions.back()->yields_unknown_sizes()) plan_.output_bytes = BlockBytes::kUnknown;
      plan_.names.emplace_back(graph_.operation_name(function));
      plan_.function_seconds.push_back(PlanArrays::kTypicalCallSeconds);
    }
    return number;
  }

  /// Long names are cut, so groups of one name may be of different lengths.
  uint32_t group_function(const std::string& name, size_t parts, bool unknown_sizes) {
    const auto [at, added] = group_functions_.try_emplace(
        std::tuple(name, parts, unknown_sizes), static_cast<uint32_t>(plan_.functions.size()));
    if (added) {
      plan_.functions.push_back(std::make_shared<GroupTask>(groups_, name, unknown_sizes));
      plan_.names.push_back(name);
      plan_.function_seconds.push_back(static_cast<float>(parts) * PlanArrays::kTypicalCallSeconds);
    }
    return at->second;
  }

  uint32_t slot_of(Argument argument) {
    while (argument.from == Argument::From::task && graph_.kind(argument.number) != Kind::task)
      argument = graph_.target(argument.number);
    if (argument.from == Argument::From::task) {
      const uint32_t outputs = graph_.output_count(argument.number);
      if (argument.output >= outputs) {
        throw InvalidArgument(
            kCompile, fmt::format("output {} of '{}' is asked for; it has {}", argument.output,
                                  to_string(graph_.key_of(argument.number)), outputs));
      }
      return slot_of_node_[argument.number] + argument.output;
    }
    uint32_t& slot = slot_of_literal_[argument.number];
    if (slot == kNone) {
      slot = next_slot_++;
      plan_.constants.emplace_back(slot, graph_.literal_value(argument.number));
    }
    return slot;
  }

  const TaskGraph& graph_;
  std::span<const TaskRef> outputs_;
  PlanArrays plan_;
  std::vector<uint8_t> needed_;
  uint32_t next_slot_ = 0;
  std::vector<uint32_t> slot_of_node_;
  std::vector<uint32_t> slot_of_literal_;
  std::vector<uint32_t> function_number_;
  std::vector<uint32_t> operation_number_;
  std::shared_ptr<GroupProgram> groups_;
  std::map<std::tuple<std::string, size_t, bool>, uint32_t> group_functions_;
  OptionSets options_;
  std::vector<uint32_t> input_of_slot_;  // of the group at hand; kNone outside
  std::vector<std::string_view> names_;
  std::vector<GroupProgram::Argument> arguments_;
};

}  // namespace

PlanArrays lower_tasks(const TaskGraph& graph, std::span<const TaskRef> outputs) {
  return TaskLowering(graph, outputs).run();
}

}  // namespace graph
TUFF_NAMESPACE_END
