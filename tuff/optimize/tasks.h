// Passes over task graphs: what Dask calls cull, inline, inline_functions, fuse_linear, fuse, order.
//
// Each takes a graph and returns a new one; the given graph stays as it is, and its handles are good in
// the new one. All are linear in tasks and arguments (order and fuse: n log n at worst) and iterative.
// Every pass throws InvalidArgument, naming keys, when a task reads a key that no task has, or tasks
// need each other in a circle.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "tuff/graph/taskgraph.h"
#include "tuff/optimize/fusion.h"

TUFF_NAMESPACE_BEGIN

/// Which nodes: a key, a handle, or any nesting of ranges of both.
class TUFF_API Keys {
 public:
  Keys() = default;
  Keys(std::initializer_list<TaskKey> keys) : Keys(std::vector<TaskKey>(keys)) {}
  template <class T>
  requires(!std::is_same_v<T, Keys>) Keys(const T& given) {  // NOLINT(google-explicit-constructor)
    add(given);
  }
  template <class T>
  void add(const T& given) {
    if constexpr (std::is_convertible_v<const T&, const TaskRef&>) {
      items_.emplace_back(static_cast<const TaskRef&>(given));
    } else if constexpr (std::is_convertible_v<const T&, TaskKey>) {
      items_.emplace_back(TaskKey(given));
    } else {
      for (const auto& each : given) add(each);
    }
  }
  bool empty() const { return items_.empty(); }
  /// The numbers of the nodes. Throws InvalidArgument, in the name of `operation`, for a key that the
  /// graph does not have.
  std::vector<uint32_t> resolve(const TaskGraph& graph, std::string_view operation) const;
  /// The same as handles, which say which output is meant.
  std::vector<TaskRef> handles(const TaskGraph& graph, std::string_view operation) const;

 private:
  std::vector<std::variant<TaskRef, TaskKey>> items_;
};

/// Only what these keys need.
TUFF_API TaskGraph cull(const TaskGraph& graph, const Keys& keys);

/// The tasks of these keys are called inside each of their users, once per user. With
/// `inline_constants` literals and aliases are put in place too. The nodes themselves stay; cull()
/// removes those that nobody needs any more. A user occupies what its calls need, costs their sum, and its
/// priority is raised to theirs where they have one; each call keeps its retries.
TUFF_API TaskGraph inline_tasks(const TaskGraph& graph, const Keys& keys = {},
                                bool inline_constants = true);

/// Inlines, and removes, every task that has readers, is not an output, may be fused, and calls nothing but
/// these operations (names as named() or the prefix of the key gives them).
TUFF_API TaskGraph inline_functions(const TaskGraph& graph, const Keys& outputs,
                                    const std::vector<std::string>& fast_functions,
                                    bool inline_constants = false);

struct FuseOptions {
  FuseWidths widths = {};
  /// Nodes that must stay nodes of their own.
  Keys keys = {};
  /// A fused task gets a key that tells what is in it; its old key becomes an alias of that.
  bool rename_keys = true;
  /// Makes that key from the keys of the parts, the last one being the task that readers see. Unset:
  /// the prefixes of the others, sorted, then the last key, joined by "-", at most 120 characters.
  std::function<TaskKey(const std::vector<TaskKey>&)> renamer = {};
  /// What an unset ave_width is chosen for: threads that will run the graph; 0 means those of the machine.
  int threads = 0;
};

/// Lines of tasks become one task each. The new key is the prefixes from first to last, then the last key.
TUFF_API TaskGraph fuse_linear(const TaskGraph& graph, const FuseOptions& options = {});

/// Trees of tasks ("many in, one out") become one task each, as long as they are narrow. A fused task
/// runs its parts one after another, in an order that is fixed here. Tasks whose options differ stay
/// apart, and so do literals other than numbers and texts. Source: dask/dask#1979 and later fixes.
TUFF_API TaskGraph fuse(const TaskGraph& graph, const FuseOptions& options = {});

/// All nodes, inputs before readers.
TUFF_API std::vector<TaskRef> toposort(const TaskGraph& graph);

/// All nodes in the order in which one thread would run them so that few results are alive at a time
/// (optimize/order.h). Results of `outputs` are kept; without, what nobody reads is asked for.
TUFF_API std::vector<TaskRef> order(const TaskGraph& graph, const Keys& outputs = {});

/// What an order keeps alive, node by node.
struct NodePressure {
  TaskRef node;
  uint32_t position = 0;             ///< in the order
  uint32_t age = 0;                  ///< nodes from this one to the last reader of its result
  uint32_t alive_when_run = 0;       ///< results alive before it ran
  uint32_t alive_when_released = 0;  ///< results alive before the last reader of its result ran
  uint32_t freed = 0;                ///< inputs of which it was the last reader
};
struct Diagnostics {
  std::vector<NodePressure> nodes;  ///< in the order
  std::vector<uint32_t> pressure;   ///< results alive before each node ran, in the order
  uint32_t peak = 0;                ///< the most of them
};
/// As Dask's order.diagnostics counts: results of equal size, and what nobody reads is given away at once.
/// `order`: as order() gives it. Throws InvalidArgument unless it has every node once, after what it reads.
TUFF_API Diagnostics diagnostics(const TaskGraph& graph, const std::vector<TaskRef>& order);

TUFF_NAMESPACE_END
