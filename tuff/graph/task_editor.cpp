// See task_editor.h.
#include "tuff/graph/task_editor.h"

#include <utility>

TUFF_NAMESPACE_BEGIN

TaskGraphEditor::TaskGraphEditor(const TaskGraph& from) : from_(from) {
  // Everything but parts and arguments, which are written anew.
  result_.ancestors_ = from.ancestors_;
  result_.ancestors_.emplace_back(from.stamp_, from.node_count());
  result_.nodes_ = from.nodes_;
  result_.parts_.reserve(from.parts_.size());
  result_.arguments_.reserve(from.arguments_.size());
  result_.others_ = from.others_;
  result_.functions_ = from.functions_;
  result_.literals_ = from.literals_;
  result_.keys_ = from.keys_;
  result_.table_ = from.table_;
  result_.entered_ = from.entered_;
  result_.option_of_ = from.option_of_;
  result_.option_sets_ = from.option_sets_;
  result_.function_numbers_ = from.function_numbers_;
  result_.number_literals_ = from.number_literals_;
}

void TaskGraphEditor::keep(uint32_t node) {
  ++result_.live_;
  if (from_.kind(node) != TaskGraph::Kind::task) return;
  const std::span<const TaskGraph::Part> parts = from_.parts(node);
  result_.nodes_[node].first = static_cast<uint32_t>(result_.parts_.size());
  for (TaskGraph::Part part : parts) {
    const uint32_t first =
        std::exchange(part.first_argument, static_cast<uint32_t>(result_.arguments_.size()));
    for (uint32_t a = 0; a < part.argument_count; ++a)  // one or two, most often
      result_.arguments_.push_back(from_.arguments_[first + a]);
    result_.parts_.push_back(part);
  }
  take_retries(node);
}

void TaskGraphEditor::set_fused(uint32_t node, uint32_t into) {
  result_.nodes_[node].kind = TaskGraph::Kind::fused;
  result_.nodes_[node].first = into;
}

void TaskGraphEditor::set_alias(uint32_t node, const TaskGraph::Argument& of) {
  result_.nodes_[node].kind = TaskGraph::Kind::alias;
  result_.nodes_[node].first = result_.encode(of);
  ++result_.live_;
}

void TaskGraphEditor::set_literal(uint32_t node, uint32_t literal) {
  result_.nodes_[node].kind = TaskGraph::Kind::literal;
  result_.nodes_[node].first = literal;
  ++result_.live_;
}

void TaskGraphEditor::begin_task(uint32_t node) {
  task_ = node;
  called_.clear();
  result_.nodes_[node].kind = TaskGraph::Kind::task;
  result_.nodes_[node].first = static_cast<uint32_t>(result_.parts_.size());
}

void TaskGraphEditor::end_task() {
  const auto count = static_cast<uint32_t>(result_.parts_.size()) - result_.nodes_[task_].first;
  result_.nodes_[task_].count = count;
  ++result_.live_;
  if (from_.has_options()) settle_options();
}

void TaskGraphEditor::settle_options() {
  TaskOptions options = from_.options_of(called_.back());
  bool cost_is_known = false;
  double seconds = 0;
  for (uint32_t task : called_) {
    const TaskOptions& own = from_.options_of(task);
    if (task != called_.back()) take_in(options, own);
    cost_is_known = cost_is_known || own.cost_seconds > 0;
    seconds += from_.typical_seconds(task);
  }
  options.cost_seconds = cost_is_known ? seconds : 0;
  if (options == TaskOptions()) {
    result_.option_of_.erase(task_);
  } else {
    result_.option_of_[task_] = result_.option_sets_.number(options);
  }
}

uint32_t TaskGraphEditor::append(std::string_view name, uint32_t like) {
  const bool fresh = result_.keys_->index[like] == TaskGraph::kFresh;
  if (!fresh && result_.lookup(name, result_.keys_->index_of(like)) != kNone) return kNone;
  const uint32_t node = result_.append_node(TaskGraph::Kind::undefined);
  TaskGraph::KeyStore& keys = result_.own_keys();
  keys.name.push_back(keys.names.add(name));
  keys.index.push_back(keys.index[like]);  // the same place in the pool
  if (!fresh) result_.enter(node);
  return node;
}

uint32_t TaskGraphEditor::append(const TaskKey& key) {
  if (result_.lookup(key.name, {key.index.data(), key.index.size()}) != kNone) return kNone;
  return result_.new_node(&key, {});
}

TaskGraph TaskGraphEditor::finish() { return std::move(result_); }

TUFF_NAMESPACE_END
