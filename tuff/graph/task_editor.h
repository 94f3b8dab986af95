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

  /// The parts of a task, in the order in which they run: begin, then add_part() for each, then end.
  /// add_part returns the part's number in the task.
  void begin_task(uint32_t node);
  uint32_t add_part(uint32_t function, uint32_t output_count,
                    std::span<const TaskGraph::Argument> arguments);
  void end_task();

  /// A node under another name, at the same index as `like`; options as `like` has them. kNone when the
  /// key is taken.
  uint32_t append(std::string_view name, uint32_t like);
  uint32_t append(const TaskKey& key, uint32_t like);

  /// The number of the name of a node's key, and the text of a number.
  uint32_t name_of(uint32_t node) const { return result_.keys_->name[node]; }
  std::string_view name(uint32_t number) const { return result_.keys_->names[number]; }

  TaskGraph finish();
  static constexpr uint32_t kNone = UINT32_MAX;

 private:
  void take_options(uint32_t node, uint32_t like);
  const TaskGraph& from_;
  TaskGraph result_;
  uint32_t task_ = 0;
};

TUFF_NAMESPACE_END
