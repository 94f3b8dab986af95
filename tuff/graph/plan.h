// A plan: one set of outputs lowered to flat arrays of tasks. Made once, run many times, from several
// threads at once.
//
// Made by lower.cpp, walked by schedule/run.cpp. A task reads *slots* and writes consecutive slots;
// a slot holds one Value during a run. Tasks are numbered in their static order (optimize/order):
// a lower number is to run earlier. Everything here is immutable while runs are under way; a run
// keeps its own values, wait counts and use counts.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tuff/base/buffer.h"
#include "tuff/base/stop.h"
#include "tuff/base/value.h"

TUFF_NAMESPACE_BEGIN

/// Temporary memory of one worker thread, reused by its tasks. What is large counts as live memory does.
class TUFF_API Scratch {
 public:
  Scratch() = default;
  ~Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  /// At least `bytes` of 64-byte aligned memory; valid until the next call. Contents are undefined.
  std::byte* get(size_t bytes);
  /// Frees what is large; the next task that wants as much allocates it again.
  void trim();

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Free> small_;
  size_t small_bytes_ = 0;
  Buffer large_;
};

/// What a task sees while it runs.
struct TaskArguments {
  uint32_t task = 0;               ///< number in the plan
  uint32_t block = 0;              ///< linear block number within the task's layer
  std::span<Value* const> inputs;  ///< one per input slot, in the order of the plan; never null
  std::span<const bool> last_use;  ///< inputs[i] may be moved from when last_use[i]
  std::span<Value> outputs;        ///< to be filled, every one
  Scratch* scratch = nullptr;      ///< this worker's
  std::stop_token stop;   ///< set when the run is failing or cancelled; long tasks look (stop.h)
  bool may_retry = true;  ///< whether a call that throws is made again, as its options say
};

/// The function that a layer's tasks share. Stateless: one object serves all threads at once.
class TUFF_API TaskFunction {
 public:
  virtual ~TaskFunction() = default;
  virtual void run(TaskArguments& arguments) const = 0;
  /// For traces and errors, e.g. "exp" or "fused(exp, divide, sum)".
  virtual std::string_view name() const = 0;
  /// Whether it yields blocks of sizes that nobody knows before (a user's function may).
  virtual bool yields_unknown_sizes() const { return false; }
  /// Block number as text for errors, e.g. "(3, 0)".
  virtual std::string block_name(uint32_t block) const { return std::to_string(block); }
  /// The call that makes the results: of a task that is several calls in one, the last of them.
  virtual std::pair<const TaskFunction*, uint32_t> last_call(uint32_t block) const {
    return {this, block};
  }
};

/// Thrown by a task that is several calls in one, so that the error can name the call that failed; which has
/// then been made as often as it may be.
struct PartFailed {
  std::string operation;
  uint32_t block = 0;
  const TaskFunction* function = nullptr;  ///< knows the name of the block
  std::exception_ptr cause;
  bool gave_up = false;  ///< it might have been called again, had the run not ended
};

/// What is known about a task beside what it calls. Tasks whose options differ are never fused.
struct TaskOptions {
  /// Higher ones run earlier, and so does what they need.
  int priority = 0;
  /// Named amounts that the task occupies while it runs; RunOptions::resources says how much there is.
  std::vector<std::pair<std::string, double>> resources = {};
  /// How often the task is called again when it throws; of a fused task, each of its calls.
  int retries = 0;
  /// Whether the task may be fused with others.
  bool fusible = true;
  /// How long one call takes, where it is known: decides how much is fused. 0: not known.
  double cost_seconds = 0;
  friend bool operator==(const TaskOptions&, const TaskOptions&) = default;
};
/// Whether the two may be parts of one task: all but the costs are the same, and both may be fused.
TUFF_API bool may_fuse(const TaskOptions& a, const TaskOptions& b);
/// Makes the options of a task those of a task that makes the calls of `part` too, one after another: it occupies
/// what each of them does, the most retries are told, and `part` raises the priority if it has one. Costs are the
/// caller's to add up.
TUFF_API void take_in(TaskOptions& options, const TaskOptions& part);
/// Throws InvalidArgument, in the name of `operation`, for negative retries or costs and for amounts that
/// are not above 0.
TUFF_API void check(const TaskOptions& options, std::string_view operation);
/// Whether a call that has thrown `attempts` times is to be made again; if so, what it yielded is gone.
TUFF_API bool may_call_again(TaskArguments& arguments, uint32_t attempts, uint32_t retries);

/// Options that differ, by number: what graphs and plans keep of the options of their tasks. Finding one takes
/// the same time however many there are.
class TUFF_API OptionSets {
 public:
  /// The number of these options. Resources are kept in the order of their names, each once with its whole amount.
  uint32_t number(const TaskOptions& options);
  const TaskOptions& operator[](uint32_t number) const { return sets_[number]; }
  const std::vector<TaskOptions>& sets() const { return sets_; }

 private:
  std::vector<TaskOptions> sets_;
  std::unordered_multimap<size_t, uint32_t> by_hash_;
  uint32_t last_ = 0;  // that was asked for: neighbours are mostly alike
};

/// How much memory the tasks of one function take.
class TUFF_API BlockBytes {
 public:
  virtual ~BlockBytes() = default;
  /// An upper bound, in bytes.
  virtual uint64_t bytes(uint32_t block, uint32_t output) const = 0;
  /// What a task needs beside that while it runs.
  virtual uint64_t bytes_meanwhile(uint32_t /*block*/) const { return 0; }
  static constexpr uint64_t kUnknown = UINT64_MAX;
};

/// Names of tasks for errors, made when somebody asks.
class TUFF_API TaskLabels {
 public:
  virtual ~TaskLabels() = default;
  virtual std::string label(uint32_t block) const = 0;
};

/// Compressed rows: the items of row i are items[first[i]] .. items[first[i + 1] - 1].
struct Rows {
  std::vector<uint32_t> first = {0};
  std::vector<uint32_t> items;
  size_t count() const { return first.size() - 1; }
  std::span<const uint32_t> operator[](size_t i) const {
    return std::span(items).subspan(first[i], first[i + 1] - first[i]);
  }
  void end_row() { first.push_back(static_cast<uint32_t>(items.size())); }
};

/// A value that is there before the run: the plan's own, or one that others hold too.
struct PlanConstant {
  PlanConstant(uint32_t number, Value value) : slot(number), own(std::move(value)) {}
  PlanConstant(uint32_t number, std::shared_ptr<const Value> value)
      : slot(number), shared(std::move(value)) {}
  const Value& value() const { return shared ? *shared : own; }
  uint32_t slot;
  Value own;
  std::shared_ptr<const Value> shared;
};

/// A plan's arrays. `task_count = function.size()`, `slot_count = use_count.size()`.
struct PlanArrays {
  std::vector<std::shared_ptr<const TaskFunction>> functions;
  // By task:
  std::vector<uint32_t> function;  ///< index into functions
  std::vector<uint32_t> block;     ///< TaskArguments::block
  Rows inputs;                     ///< slots read (a slot may appear more than once)
  std::vector<uint32_t>
      first_output;  ///< task t writes slots first_output[t] .. first_output[t+1]-1;
                     ///< task_count + 1 entries
  Rows successors;   ///< tasks that read an output of t; ascending, each once
  std::vector<uint32_t> wait_count;  ///< distinct tasks that must finish first
  // By slot:
  std::vector<uint32_t> use_count;  ///< reads by tasks (with multiplicity), + 1 for an output or a
                                    ///< value that outlives the run
  // Slots that hold a value before the run:
  std::vector<PlanConstant> constants;
  std::vector<uint32_t> parameter_slots;  ///< filled from the caller's bindings, in this order
  // What the run returns, in this order (a slot may appear more than once):
  std::vector<uint32_t> output_slots;

  std::vector<uint32_t> roots;  ///< tasks with wait_count 0, ascending
  bool is_ordered = false;      ///< the tasks' numbers are an order chosen to keep little alive

  // What only some plans have:
  std::vector<std::string> names;            ///< by function, beyond its own name; empty: none
  std::shared_ptr<const TaskLabels> labels;  ///< of blocks; null: the functions know
  std::vector<TaskOptions> options;          ///< those that differ; [0] is the default
  std::vector<uint32_t> option_of;           ///< by task, into options; empty: all have the default

  std::vector<float> function_seconds;  ///< typical cost of a call; empty: kTypicalCallSeconds each

  std::vector<std::shared_ptr<const BlockBytes>>
      function_bytes;  ///< null or empty: next to nothing, or unknown if the function says so
  /// Bound of what all tasks yield; BlockBytes::kUnknown when some function yields unknown sizes.
  uint64_t output_bytes = 0;

  /// What a call of a user's function costs nobody knows; a microsecond is where scheduling (tens of
  /// nanoseconds) begins to tell.
  static constexpr float kTypicalCallSeconds = 1e-6F;
  float seconds_of(uint32_t function_number) const {
    return function_seconds.empty() ? kTypicalCallSeconds : function_seconds[function_number];
  }
  std::string name_of(uint32_t function_number) const {
    return names.empty() ? std::string(functions[function_number]->name()) : names[function_number];
  }
  /// Bound of output `output` of a task; BlockBytes::kUnknown when nobody knows.
  uint64_t bytes_of(uint32_t task, uint32_t output) const {
    return bytes_of_call(function[task], block[task], output);
  }
  uint64_t bytes_meanwhile(uint32_t task) const {
    const uint32_t f = function[task];
    return f < function_bytes.size() && function_bytes[f] != nullptr
               ? function_bytes[f]->bytes_meanwhile(block[task])
               : 0;
  }
  uint64_t bytes_of_call(uint32_t f, uint32_t of_block, uint32_t output) const {
    if (f < function_bytes.size() && function_bytes[f] != nullptr)
      return function_bytes[f]->bytes(of_block, output);
    return functions[f]->yields_unknown_sizes() ? BlockBytes::kUnknown : 0;
  }
  /// The block of a call by a task of this plan, for errors: a key, or as the function knows it.
  std::string block_name(const TaskFunction& called, uint32_t called_block) const {
    const auto [last, number] = called.last_call(called_block);
    return labels ? labels->label(number) : last->block_name(number);
  }
  std::string block_name_of(uint32_t task) const {
    return block_name(*functions[function[task]], block[task]);
  }
  const TaskOptions& options_of(uint32_t task) const {
    static const TaskOptions& none = *new TaskOptions;
    return option_of.empty() ? none : options[option_of[task]];
  }
  /// Fills successors, wait counts, use counts and roots from inputs, outputs, constants and
  /// parameters. `slots`: how many there are.
  void link(size_t slots);
  size_t task_count() const { return function.size(); }
  size_t slot_count() const { return use_count.size(); }
  /// Throws InternalError when the arrays contradict each other (debug builds call it on every plan).
  void verify() const;
};

TUFF_NAMESPACE_END
