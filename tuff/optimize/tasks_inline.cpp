// inline_tasks and inline_functions; see tasks.h.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "tuff/graph/task_editor.h"
#include "tuff/graph/toposort.h"
#include "tuff/optimize/tasks.h"

TUFF_NAMESPACE_BEGIN

namespace {

using Argument = TaskGraph::Argument;
using Kind = TaskGraph::Kind;

/// Writes tasks with what is inlined into them: a walk over inlined nodes from each task, by hand, since
/// chains of inlined tasks may be long.
class Inliner {
 public:
  Inliner(const TaskGraph& graph, const std::vector<uint8_t>& inlined)
      : graph_(graph), inlined_(inlined), editor_(graph) {}

  void write(uint32_t node) {
    place_.clear();
    const bool begins = graph_.kind(node) == Kind::task;
    if (graph_.kind(node) == Kind::literal) {
      editor_.keep(node);
      return;
    }
    if (!begins) {
      write_alias(node);
      return;
    }
    editor_.begin_task(node);
    add_inlined_below(node);
    add_calls(node);
    editor_.end_task();
  }
  void set_inlined(uint32_t node) { editor_.set_inlined(node); }
  TaskGraph finish() { return editor_.finish(); }

 private:
  bool is_inlined(uint32_t node) const { return inlined_[node] != 0; }

  /// An alias of something inlined becomes that.
  void write_alias(uint32_t node) {
    Argument of = graph_.target(node);
    while (is_inlined(of.number) && graph_.kind(of.number) == Kind::alias && of.output == 0)
      of = graph_.target(of.number);
    if (!is_inlined(of.number) || of.output != 0) {
      editor_.set_alias(node, of);
    } else if (graph_.kind(of.number) == Kind::literal) {
      editor_.set_literal(node, graph_.target(of.number).number);
    } else {
      editor_.begin_task(node);
      add_inlined_below(of.number);
      add_calls(of.number);
      editor_.end_task();
    }
  }

  /// Adds the calls of all inlined tasks that `node` reaches through inlined ones, inputs first.
  void add_inlined_below(uint32_t node) {
    std::vector<std::pair<uint32_t, bool>> stack;  // node, whether its inputs are there
    const auto push_inputs = [&](uint32_t of) {
      graph_.each_dependency(of, [&](uint32_t input, uint32_t) {
        if (is_inlined(input) && place_.count(input) == 0) stack.emplace_back(input, false);
      });
    };
    push_inputs(node);
    while (!stack.empty()) {
      const auto [input, ready] = stack.back();
      if (place_.count(input) != 0) {
        stack.pop_back();
      } else if (!ready) {
        stack.back().second = true;
        push_inputs(input);
      } else {
        stack.pop_back();
        place_[input] = place(input);
      }
    }
  }

  /// Where the value of an inlined node is found in the task that is being written.
  Argument place(uint32_t node) {
    switch (graph_.kind(node)) {
      case Kind::literal: return graph_.target(node);
      case Kind::alias: return resolved(graph_.target(node));
      default: return {Argument::From::part, add_calls(node), 0};
    }
  }

  Argument resolved(Argument argument) const {
    if (argument.from != Argument::From::task || !is_inlined(argument.number)) return argument;
    Argument of = place_.at(argument.number);
    if (argument.output != 0) of.output = argument.output;
    return of;
  }

  /// The calls of one node; returns the number of the last.
  uint32_t add_calls(uint32_t node) {
    return editor_.add_calls_of(node, [this](const Argument& a) { return resolved(a); });
  }

  const TaskGraph& graph_;
  const std::vector<uint8_t>& inlined_;
  TaskGraphEditor editor_;
  std::unordered_map<uint32_t, Argument> place_;
};

/// Throws when an inlined node is on a circle or reads what is not there.
void check_edges(const TaskGraph& graph, std::string_view operation) {
  const graph::Toposort sorted = graph::toposort(graph.edges(operation));
  if (!sorted.cycle.empty()) graph.throw_cycle(operation, sorted.cycle);
}

void mark_constants(const TaskGraph& graph, std::vector<uint8_t>& inlined) {
  for (uint32_t node = 0; node < graph.node_count(); ++node) {
    if (graph.kind(node) == Kind::literal || graph.kind(node) == Kind::alias) inlined[node] = 1;
  }
}

}  // namespace

TaskGraph inline_tasks(const TaskGraph& graph, const Keys& keys, bool inline_constants) {
  check_edges(graph, "inline_tasks");
  std::vector<uint8_t> inlined(graph.node_count(), 0);
  for (uint32_t node : keys.resolve(graph, "inline_tasks")) inlined[node] = 1;
  if (inline_constants) mark_constants(graph, inlined);
  Inliner inliner(graph, inlined);
  for (uint32_t node = 0; node < graph.node_count(); ++node) {
    if (graph.exists(node)) inliner.write(node);
  }
  return inliner.finish();
}

TaskGraph inline_functions(const TaskGraph& graph, const Keys& outputs,
                           const std::vector<std::string>& fast_functions, bool inline_constants) {
  check_edges(graph, "inline_functions");
  const std::unordered_set<std::string_view> fast(fast_functions.begin(), fast_functions.end());
  std::vector<uint8_t> read(graph.node_count(), 0);
  for (uint32_t node = 0; node < graph.node_count(); ++node)
    graph.each_dependency(node, [&](uint32_t input, uint32_t) { read[input] = 1; });
  std::vector<uint8_t> goes(graph.node_count(), 0);
  bool any = false;
  for (uint32_t node = 0; node < graph.node_count(); ++node) {
    if (graph.kind(node) != Kind::task || read[node] == 0) continue;
    const auto parts = graph.parts(node);
    const bool is_fast = std::all_of(parts.begin(), parts.end(), [&](const TaskGraph::Part& part) {
      return graph.function(part.function).output_count == 1 &&
             fast.count(graph.operation_name(part.function)) != 0;
    });
    goes[node] = is_fast && graph.options_of(node).fusible;
    any = any || goes[node] != 0;
  }
  for (uint32_t node : outputs.resolve(graph, "inline_functions")) goes[node] = 0;
  std::vector<uint8_t> inlined = goes;
  if (inline_constants && any) mark_constants(graph, inlined);
  Inliner inliner(graph, inlined);
  for (uint32_t node = 0; node < graph.node_count(); ++node) {
    if (!graph.exists(node)) continue;
    if (goes[node] != 0) {
      inliner.set_inlined(node);
    } else {
      inliner.write(node);
    }
  }
  return inliner.finish();
}

TUFF_NAMESPACE_END
