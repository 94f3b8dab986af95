// How a pass writes the graph that it returns: node by node, over the numbers of the old graph.
//
// Used by optimize/tasks_*.cpp. Every node that exists in the old graph is written exactly once: kept,
// rewritten, or told what became of it; new nodes come after the old ones, so that handles stay good.
#pragma once

#include "tuff/graph/taskgraph.h"

TUFF_NAMESPACE_BEGIN

class TUFF_API TaskGraphEditor {
 public:
  explicit TaskGraphEditor(const TaskGraph& from);

  void keep(uint32_t node);
  void set_culled(uint32_t node) { result_.nodes_[node].kind = TaskGraph::Kind::culled; }
  void set_inlined(uint32_t node) { result_.nodes_[node].kind = TaskGraph::Kind::inlined; }
  void set_fused(uint32_t node, uint32_t into);
  void set_alias(uint32_t node, const TaskGraph::Argument& of);
  void set_literal(uint32_t node, uint32_t literal);

  /// The calls of a task, in the order in which they run: begin, then add_calls_of() for each task of the old graph
  /// that is called in it, the one whose value it has last, then end. The options of that one are its options, with
  /// what the others need; it costs what all of them cost.
  void begin_task(uint32_t node);
  /// `resolved(argument)`: where an argument of the old graph is found in the new task. Returns the number of the
  /// last call.
  template <class Resolved>
  uint32_t add_calls_of(uint32_t old_task, Resolved&& resolved) {
    const auto first = static_cast<uint32_t>(result_.parts_.size()) - result_.nodes_[task_].first;
    for (TaskGraph::Part part : from_.parts(old_task)) {
      const auto first_argument = static_cast<uint32_t>(result_.arguments_.size());
      for (uint32_t a = 0; a < part.argument_count; ++a) {
        TaskGraph::Argument argument = from_.argument(part.first_argument + a);
        if (argument.from == TaskGraph::Argument::From::part) argument.number += first;
        result_.arguments_.push_back(result_.encode(resolved(argument)));
      }
      part.first_argument = first_argument;
      result_.parts_.push_back(part);
    }
    take_retries(old_task);
    called_.push_back(old_task);
    return static_cast<uint32_t>(result_.parts_.size()) - result_.nodes_[task_].first - 1;
  }
  void end_task();

  /// A node under another name, at the same index as `like`. kNone when the key is taken.
  uint32_t append(std::string_view name, uint32_t like);
  uint32_t append(const TaskKey& key);

  /// The number of the name of a node's key, and the text of a number.
  uint32_t name_of(uint32_t node) const { return result_.keys_->name[node]; }
  std::string_view name(uint32_t number) const { return result_.keys_->names[number]; }

  TaskGraph finish();
  static constexpr uint32_t kNone = UINT32_MAX;

 private:
  void settle_options();
  /// Of a task whose parts are the last ones written.
  void take_retries(uint32_t old_task) {
    if (from_.retries_.empty()) return;
    const auto count = static_cast<uint32_t>(from_.parts(old_task).size());
    for (uint32_t p = 0; p < count; ++p)
      result_.set_retries(result_.parts_.size() - count + p, from_.retries_of(old_task, p));
  }
  const TaskGraph& from_;
  TaskGraph result_;
  uint32_t task_ = 0;
  std::vector<uint32_t> called_;  // in the task that is being written: tasks of the old graph
};

TUFF_NAMESPACE_END
