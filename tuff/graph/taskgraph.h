// TaskGraph: any callable with any arguments, task by task. What Dask calls the low-level graph.
//
//     TaskGraph graph;
//     auto x = graph.add("x", load, "part-0.csv");          // Node<Table>
//     auto y = graph.add({"y", {0, 1}}, clean, x, 0.5);     // values and handles, nested in containers
//     auto z = graph.add(merge, std::vector{x, y});         // without a key: a fresh one
//
// Adding costs O(1). Passes (optimize/tasks.h) give new graphs in which the handles of the old one are
// still good; tasks.h compiles and computes. Invariants: nodes are only ever appended; a task's parts
// stand together, in the order in which they run; every argument is a task of this graph, an earlier
// part of the same task, or a literal.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tuff/base/shape.h"
#include "tuff/graph/arguments.h"
#include "tuff/graph/name_table.h"
#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN

/// The name of a task: a text, and where it stands in a grid if it has a place in one.
struct TaskKey {
  std::string name;
  Dims index;
  TaskKey() = default;
  TaskKey(std::string text) : name(std::move(text)) {}  // NOLINT(google-explicit-constructor)
  TaskKey(const char* text) : name(text) {}             // NOLINT(google-explicit-constructor)
  TaskKey(std::string text, const Dims& place) : name(std::move(text)), index(place) {}
  friend bool operator==(const TaskKey&, const TaskKey&) = default;
};
/// "mean" or "x[0, 3]".
TUFF_API std::string to_string(const TaskKey& key);

/// A task, or one output of it, without its type. Good in the graph that made it and in all graphs that
/// passes made of that one.
struct TaskRef {
  uint32_t graph = 0;
  uint32_t task = 0;
  uint32_t output = 0;
  friend bool operator==(const TaskRef&, const TaskRef&) = default;
};
/// The same with the type of the value.
template <class T>
struct Node : TaskRef {
  using Type = T;
};

namespace detail {
template <class T>
struct HandleTraits<Node<T>> {
  static constexpr bool is_handle = true;
  using value = T;
  using argument = const T&;
  static argument take(InputCursor& cursor) { return cursor.look<T>(); }
  static value build(InputCursor& cursor) { return cursor.take<T>(); }
};
template <class R>
struct NodesOf;  // std::tuple<A, B> to std::tuple<Node<A>, Node<B>>
template <class... R>
struct NodesOf<std::tuple<R...>> {
  using type = std::tuple<Node<R>...>;
};
template <class A, class B>
struct NodesOf<std::pair<A, B>> {
  using type = std::tuple<Node<A>, Node<B>>;
};
struct NodeSink;
template <class Call, size_t kOutputs>
class BoundTask;
}  // namespace detail

class TUFF_API TaskGraph {
 public:
  TaskGraph();

  // ---- building ----------------------------------------------------------------------------------

  /// A task that calls `function(args...)` where needed. Arguments may be handles, containers of handles
  /// (vector, array, optional, tuple, pair, maps; nested), and plain values, which are literals. The
  /// callable (or named(...) of one) is copied, and may be called from any thread. Throws InvalidArgument
  /// when the key is taken, or a handle belongs to another graph.
  template <class F, class... Args>
  requires(!std::is_convertible_v<const F&, TaskKey>) auto add(const F& function,
                                                               const Args&... args) {
    return add_bound(nullptr, function, args...);
  }
  template <class F, class... Args>
  auto add(const TaskKey& key, const F& function, const Args&... args) {
    return add_bound(&key, function, args...);
  }
  /// A task with several outputs: the elements of the tuple or pair that the callable returns, each with
  /// readers and a lifetime of its own. Returns a tuple of handles.
  template <class F, class... Args>
  auto add_outputs(const TaskKey& key, const F& function, const Args&... args);
  /// A value that is there before the run.
  template <class T>
  Node<std::decay_t<T>> literal(const TaskKey& key, T&& value) {
    return {add_literal(&key, Value(std::forward<T>(value)))};
  }
  /// Another name for a node.
  template <class T>
  Node<T> alias(const TaskKey& key, const Node<T>& node) {
    return {add_alias(key, node)};
  }
  /// The task of this key, which may be added later. The type is checked when the task runs.
  template <class T>
  Node<T> ref(const TaskKey& key) {
    return {reference(key)};
  }
  /// Sets what is known about a task; of a fused task, retries are those of each of its calls. An alias stands
  /// for its task. Throws InvalidArgument for negative amounts or retries, and for a literal, which is not called.
  void set(const TaskRef& task, const TaskOptions& options);
  /// Of a task, or of the task that an alias stands for. Throws as set() does.
  const TaskOptions& options(const TaskRef& task) const;

  // ---- looking -----------------------------------------------------------------------------------

  /// Tasks, literals and aliases.
  size_t size() const { return live_; }
  /// The node of this key, if the graph has it. A key that was only referred to is not there yet.
  std::optional<TaskRef> find(const TaskKey& key) const;
  TaskKey key(const TaskRef& node) const { return key_of(check(node)); }
  /// All keys, in the order in which they were added.
  std::vector<TaskKey> keys() const;
  /// Keys of what the node reads, each as often as it is read.
  std::vector<TaskKey> dependencies(const TaskRef& node) const;
  /// The node as an expression over other nodes: "add(inc(x), 1)".
  std::string expression(const TaskRef& node) const;

  // ---- for passes: nodes by number ---------------------------------------------------------------

  enum class Kind : uint8_t { undefined, task, literal, alias, culled, fused, inlined };
  /// An argument: where it comes from, and the number there.
  struct Argument {
    enum class From : uint8_t { task, part, literal };
    From from = From::task;
    uint32_t number = 0;  ///< task: a node; part: of the same task; literal: into literals()
    uint32_t output = 0;
    friend bool operator==(const Argument&, const Argument&) = default;
  };
  /// One call. A task that was not fused has one part.
  struct Part {
    uint32_t function = 0;
    uint32_t first_argument = 0;
    uint32_t argument_count = 0;
    uint32_t origin = 0;  ///< the task that was added with it: a node, which may be gone
  };
  struct Function {
    std::shared_ptr<const TaskFunction> code;
    uint32_t name = 0;  ///< operation_name() has the text
    uint32_t output_count = 1;
  };
  /// Node numbers go from 0 to node_count() - 1; some are not there any more.
  uint32_t node_count() const { return static_cast<uint32_t>(nodes_.size()); }
  Kind kind(uint32_t node) const { return nodes_[node].kind; }
  bool exists(uint32_t node) const { return is_live(kind(node)); }
  std::span<const Part> parts(uint32_t node) const {
    return {parts_.data() + nodes_[node].first, nodes_[node].count};
  }
  uint32_t output_count(uint32_t node) const {
    return functions_[parts(node).back().function].output_count;
  }
  /// How often a part of a task is called again when it throws.
  uint32_t retries_of(uint32_t node, uint32_t part) const {
    const size_t number = nodes_[node].first + part;
    return number < retries_.size() ? retries_[number] : 0;
  }
  Argument argument(uint32_t number) const { return decode(arguments_[number]); }
  /// What an alias stands for; for a literal the literal; for a fused node the node it went into.
  Argument target(uint32_t node) const;
  const Function& function(uint32_t number) const { return functions_[number]; }
  const std::shared_ptr<const Value>& literal_value(uint32_t number) const {
    return literals_[number];
  }
  TaskKey key_of(uint32_t node) const { return keys_->key_of(node); }
  /// The keys by node number, for errors of plans.
  std::shared_ptr<const TaskLabels> labels() const;
  const TaskOptions& options_of(uint32_t node) const;
  /// What calling the node's parts takes: declared, or typical of what they call.
  double typical_seconds(uint32_t node) const;
  bool has_options() const { return !option_of_.empty(); }
  /// The name that pictures and traces show: the one given with named(), else the prefix of the key of
  /// the task that was added.
  std::string_view operation_name(uint32_t function) const {
    return keys_->names[functions_[function].name];
  }
  uint32_t literal_count() const { return static_cast<uint32_t>(literals_.size()); }
  uint32_t function_count() const { return static_cast<uint32_t>(functions_.size()); }
  /// Calls f(node, output) for each node that `node` reads, as often as it reads it.
  template <class Each>
  void each_dependency(uint32_t node, Each&& f) const;
  /// The number of a handle's node. Throws InvalidArgument unless the handle belongs to this graph.
  uint32_t check(const TaskRef& node) const;
  /// The same, and the node must be there. The error says what became of it.
  uint32_t check_live(const TaskRef& node, std::string_view operation) const;
  TaskRef ref_to(uint32_t node, uint32_t output = 0) const { return {stamp_, node, output}; }

  /// Who reads whom: node numbers, with absent nodes as rows without inputs. Throws InvalidArgument, in
  /// the name of `operation` and with the keys, for a reference to a key that no task has.
  Rows edges(std::string_view operation) const;
  [[noreturn]] void throw_missing(std::string_view operation, uint32_t reader,
                                  uint32_t missing) const;
  [[noreturn]] void throw_cycle(std::string_view operation,
                                const std::vector<uint32_t>& cycle) const;

 private:
  friend struct detail::NodeSink;
  friend class TaskGraphEditor;  // makes the graphs that passes return
  struct NodeRecord {
    uint32_t first = 0;
    uint32_t count = 0;
    Kind kind = Kind::undefined;
  };
  /// Arguments are packed: two bits say where from; a side table has those of outputs beyond the first.
  static constexpr uint32_t kNumber = (uint32_t{1} << 30) - 1;
  static constexpr uint32_t kNone = UINT32_MAX;
  static bool is_live(Kind kind) {
    return kind == Kind::task || kind == Kind::literal || kind == Kind::alias;
  }
  uint32_t encode(const Argument& argument) {
    if (argument.output == 0) [[likely]]
      return static_cast<uint32_t>(argument.from) << 30 | argument.number;
    others_.push_back(argument);
    return uint32_t{3} << 30 | static_cast<uint32_t>(others_.size() - 1);
  }
  Argument decode(uint32_t packed) const {
    const uint32_t tag = packed >> 30;
    if (tag == 3) [[unlikely]]
      return others_[packed & kNumber];
    return {static_cast<Argument::From>(tag), packed & kNumber, 0};
  }

  template <class F, class... Args>
  auto add_bound(const TaskKey* key, const F& function, const Args&... args);
  template <size_t kOutputs, class F, class... Args>
  TaskRef add_call(const TaskKey* key, std::string_view name, const F& function,
                   const Args&... args);

  /// A node for the key (fresh without one); throws when it is taken.
  uint32_t new_node(const TaskKey* key, std::string_view fresh_name);
  TaskRef finish_task(uint32_t node, uint32_t function, uint32_t first_argument);
  TaskRef add_literal(const TaskKey* key, Value value);
  TaskRef add_alias(const TaskKey& key, const TaskRef& node);
  TaskRef reference(const TaskKey& key);
  /// The number under which the operation of this task goes: `given`, or the prefix of the key.
  uint32_t operation_number(const TaskKey* key, std::string_view given);
  uint32_t find_function(const void* type, uint64_t bits, uint32_t name) const;
  /// With a type: found again by find_function().
  uint32_t add_function(Function function, const void* type, uint64_t bits);
  void push_argument(const TaskRef& node);
  void push_literal(Value value);
  /// A number, kept once however often it is given.
  void push_number(const void* type, uint64_t bits, Value value);

  uint32_t task_of(const TaskRef& given) const;
  void set_retries(size_t part, uint32_t retries);

  uint32_t append_node(Kind kind);
  uint32_t append_index(const Dims& index);
  uint64_t hash_of(uint32_t name, std::span<const int64_t> index) const;
  uint32_t lookup(std::string_view name, std::span<const int64_t> index) const;
  void enter(uint32_t node);
  void grow_table();

  uint32_t stamp_;
  std::vector<std::pair<uint32_t, uint32_t>> ancestors_;  // stamp, and how many nodes it had
  size_t live_ = 0;
  std::vector<NodeRecord> nodes_;
  std::vector<Part> parts_;
  std::vector<uint32_t> retries_;  // by part, up to the last that has any
  std::vector<uint32_t> arguments_;
  std::vector<Argument> others_;
  std::vector<Function> functions_;
  std::vector<std::shared_ptr<const Value>> literals_;  // shared by the graphs that passes make
  static constexpr uint32_t kFresh = UINT32_MAX;
  /// A name by number, and an index in a common pool (its length first). Fresh keys are a name and the
  /// node's number, and stand in no table.
  struct KeyStore {
    std::vector<uint32_t> name;   // by node
    std::vector<uint32_t> index;  // by node: into indices, or kFresh
    std::vector<int64_t> indices = {0};
    graph::NameTable names;
    std::span<const int64_t> index_of(uint32_t node) const;
    TaskKey key_of(uint32_t node) const;
  };
  class Labels;
  /// Shared with graphs made from this one and with plans, until this one adds a key.
  std::shared_ptr<KeyStore> keys_ = std::make_shared<KeyStore>();
  KeyStore& own_keys();
  std::vector<uint32_t> table_;  // open addressing; kNone is free
  size_t entered_ = 0;
  std::unordered_map<uint32_t, uint32_t> option_of_;  // task to option_sets_
  OptionSets option_sets_;

  /// What is kept once: stateless functions by type, pointer and name; numbers by type and bits.
  struct Once {
    const void* type;
    uint64_t bits;
    uint32_t name;
    friend bool operator==(const Once&, const Once&) = default;
  };
  struct OnceHash {
    size_t operator()(const Once& key) const {
      return (std::hash<const void*>()(key.type) ^ key.bits ^ key.name) * 0x9E3779B97F4A7C15u;
    }
  };
  std::unordered_map<Once, uint32_t, OnceHash> function_numbers_;
  std::unordered_map<Once, uint32_t, OnceHash> number_literals_;
};

/// One line per node: "z = add(inc(x), 1)". Long graphs are cut after `lines`, and the text says so.
TUFF_API std::string to_text(const TaskGraph& graph, size_t lines = 1000);
/// Tasks as ovals, literals as boxes, in Graphviz's dot language.
TUFF_API std::string to_dot(const TaskGraph& graph);

// ---- templates -----------------------------------------------------------------------------------

namespace detail {

/// One address per type.
template <class T>
inline constexpr char kTypeTag = 0;

/// Where the patterns of a task's arguments put them.
struct NodeSink {
  static constexpr bool kPlainValuesAreInputs = true;
  TaskGraph& graph;
  void handle(const TaskRef& node) { graph.push_argument(node); }
  template <class T>
  void plain(const T& value) {
    // Numbers are kept once each, however many tasks have them.
    if constexpr (std::is_arithmetic_v<T> && sizeof(T) <= 8) {
      uint64_t bits = 0;
      std::memcpy(&bits, &value, sizeof(T));
      graph.push_number(&kTypeTag<T>, bits, Value(value));
    } else {
      graph.push_literal(Value(value));
    }
  }
};

template <class Call, size_t kOutputs>
class BoundTask final : public TaskFunction {
 public:
  explicit BoundTask(Call call) : call_(std::move(call)) {}
  std::string_view name() const override { return "task"; }
  bool yields_unknown_sizes() const override { return kHasBlocks<typename Call::Returned>; }
  void run(TaskArguments& arguments) const override {
    call_.call(arguments.inputs, arguments.last_use, [&](auto&& result) {
      using Yielded = std::remove_cvref_t<decltype(result)>;
      if constexpr (kOutputs == 0) {
        arguments.outputs[0].template emplace<Yielded>(std::forward<decltype(result)>(result));
      } else {
        [&]<size_t... I>(std::index_sequence<I...>) {
          (arguments.outputs[I].template emplace<std::tuple_element_t<I, Yielded>>(
               std::get<I>(std::forward<decltype(result)>(result))),
           ...);
        }
        (std::make_index_sequence<kOutputs>());
      }
    });
  }

 private:
  Call call_;
};

template <class F>
struct NamedTraits {
  using function = F;
  static const F& of(const F& given) { return given; }
  static std::string_view name(const F&) { return {}; }
};
template <class F>
struct NamedTraits<Named<F>> {
  using function = F;
  static const F& of(const Named<F>& given) { return given.function; }
  static std::string_view name(const Named<F>& given) { return given.name; }
};
template <class F, class... Args>
using CallOf = BoundCall<std::decay_t<typename NamedTraits<F>::function>, NodeSink, Kept<Args>...>;

}  // namespace detail

template <size_t kOutputs, class F, class... Args>
TaskRef TaskGraph::add_call(const TaskKey* key, std::string_view name, const F& function,
                            const Args&... args) {
  using Call = detail::BoundCall<std::decay_t<F>, detail::NodeSink, detail::Kept<Args>...>;
  using Task = detail::BoundTask<Call, kOutputs>;
  const auto first = static_cast<uint32_t>(arguments_.size());
  detail::NodeSink sink{*this};
  Call call(function, sink, args...);
  const uint32_t node = new_node(key, name);
  const uint32_t operation = operation_number(key, name);
  // Calls without state of their own are one function, however many tasks make them.
  const void* type = nullptr;
  uint64_t bits = 0;
  if constexpr (Call::kStateless) {
    type = &detail::kTypeTag<Task>;
  } else if constexpr (Call::kOnlyFunction && std::is_pointer_v<std::decay_t<F>>) {
    const std::decay_t<F> pointer = function;
    std::memcpy(&bits, &pointer, sizeof(pointer));
    type = &detail::kTypeTag<Task>;
  }
  uint32_t number = type != nullptr ? find_function(type, bits, operation) : kNone;
  if (number == kNone) {
    constexpr uint32_t kCount = kOutputs == 0 ? 1 : kOutputs;
    number = add_function({std::make_shared<const Task>(std::move(call)), operation, kCount}, type,
                          bits);
  }
  return finish_task(node, number, first);
}

template <class F, class... Args>
auto TaskGraph::add_bound(const TaskKey* key, const F& function, const Args&... args) {
  using Traits = detail::NamedTraits<F>;
  using Yielded = detail::Yield<typename detail::CallOf<F, Args...>::Returned>;
  return Node<Yielded>{
      add_call<0>(key, Traits::name(function), Traits::of(function), detail::Kept<Args>(args)...)};
}

template <class F, class... Args>
auto TaskGraph::add_outputs(const TaskKey& key, const F& function, const Args&... args) {
  using Traits = detail::NamedTraits<F>;
  using Yielded = typename detail::CallOf<F, Args...>::Returned;
  using Nodes = typename detail::NodesOf<Yielded>::type;
  constexpr size_t kOutputs = std::tuple_size_v<Yielded>;
  static_assert(kOutputs > 0, "add_outputs needs a callable that returns a tuple or a pair");
  const TaskRef task = add_call<kOutputs>(&key, Traits::name(function), Traits::of(function),
                                          detail::Kept<Args>(args)...);
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return Nodes{{TaskRef{task.graph, task.task, static_cast<uint32_t>(I)}}...};
  }
  (std::make_index_sequence<kOutputs>());
}

template <class Each>
void TaskGraph::each_dependency(uint32_t node, Each&& f) const {
  switch (kind(node)) {
    case Kind::alias: {
      const Argument of = target(node);
      if (of.from == Argument::From::task) f(of.number, of.output);
      return;
    }
    case Kind::task:
      for (const Part& part : parts(node)) {
        for (uint32_t a = 0; a < part.argument_count; ++a) {
          const Argument argument = decode(arguments_[part.first_argument + a]);
          if (argument.from == Argument::From::task) f(argument.number, argument.output);
        }
      }
      return;
    default: return;
  }
}

TUFF_NAMESPACE_END
