// Task graphs from plan to answer: compile once, run many times; or compute at once.
//
//     TaskGraph graph;
//     auto total = graph.add("total", add, graph.add("x", load, 1), graph.add("y", load, 2));
//     double sum = compute(graph, total);                    // a Node<double> gives a double
//     TaskPlan plan = compile(graph, {"total", "x"});        // keys do as well
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "tuff/base/context.h"
#include "tuff/graph/taskgraph.h"
#include "tuff/optimize/fusion.h"
#include "tuff/optimize/tasks.h"

TUFF_NAMESPACE_BEGIN

struct TaskCompileOptions {
  /// How far tasks are fused. Small graphs, and graphs of long tasks, are left as they are.
  FuseWidths widths = {};
  /// What an unset ave_width is chosen for; 0 means the threads of the context.
  int threads = 0;
  /// Whether tasks are put in an order that keeps few results alive; else they run as they were added.
  bool order = true;
};

/// A task graph, culled to some outputs, fused, ordered and lowered. Copies share one plan; all members
/// are thread-safe.
class TUFF_API TaskPlan {
 public:
  /// One value per output, in the order given to compile(). Throws TaskError with the keys of the tasks
  /// that threw, Cancelled as the options say, InvalidArgument for a demand that cannot be met.
  std::vector<Value> run(const RunOptions& options = {}) const;
  /// Tasks per run, after fusion.
  size_t task_count() const;
  /// The width of fusion that was given or chosen; 0 when nothing was fused or looked at.
  double ave_width() const;
  /// The tasks, for those who look inside.
  const PlanArrays& arrays() const;

 private:
  struct State;
  friend TUFF_API TaskPlan compile(const TaskGraph& graph, const Keys& outputs,
                                   const TaskCompileOptions& options);
  explicit TaskPlan(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// Throws InvalidArgument for an empty list, a key that the graph does not have, a task that reads such a
/// key, and tasks that need each other in a circle.
TUFF_API TaskPlan compile(const TaskGraph& graph, const Keys& outputs,
                          const TaskCompileOptions& options = {});

namespace detail {
/// How a task graph is compiled for one run with these options.
TUFF_API TaskCompileOptions task_options_for(const RunOptions& options);
}  // namespace detail

/// Computes one node.
template <class T>
T compute(const TaskGraph& graph, const Node<T>& node, const RunOptions& options = {}) {
  return detail::take_value<T>(
      compile(graph, node, detail::task_options_for(options)).run(options)[0]);
}
/// Computes several nodes in one run, as a tuple.
template <class... T>
std::tuple<T...> compute(const RunOptions& options, const TaskGraph& graph,
                         const Node<T>&... nodes) {
  Keys keys;
  (keys.add(nodes), ...);
  std::vector<Value> values = compile(graph, keys, detail::task_options_for(options)).run(options);
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return std::tuple<T...>{detail::take_value<T>(values[I])...};
  }
  (std::index_sequence_for<T...>());
}
template <class T, class U, class... More>
std::tuple<T, U, More...> compute(const TaskGraph& graph, const Node<T>& first,
                                  const Node<U>& second, const Node<More>&... more) {
  return compute(RunOptions(), graph, first, second, more...);
}
/// Computes many nodes of one type in one run.
template <class T>
std::vector<T> compute(const TaskGraph& graph, const std::vector<Node<T>>& nodes,
                       const RunOptions& options = {}) {
  std::vector<T> results;
  if (nodes.empty()) return results;
  results.reserve(nodes.size());
  for (Value& value : compile(graph, nodes, detail::task_options_for(options)).run(options))
    results.push_back(detail::take_value<T>(value));
  return results;
}

TUFF_NAMESPACE_END
