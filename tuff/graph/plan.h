// A plan: one set of outputs lowered to flat arrays of tasks. Made once, run many times, from several
// threads at once.
//
// Made by lower.cpp, walked by schedule/run.cpp. A task reads *slots* and writes consecutive slots;
// a slot holds one Value during a run. Tasks are numbered in their static order (optimize/order):
// a lower number is to run earlier. Everything here is immutable while runs are under way; a run
// keeps its own values, wait counts and use counts.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tuff/base/value.h"

TUFF_NAMESPACE_BEGIN

/// Temporary memory of one worker thread, reused by its tasks.
class TUFF_API Scratch {
 public:
  Scratch() = default;
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  /// At least `bytes` of 64-byte aligned memory; valid until the next call. Contents are undefined.
  std::byte* get(size_t bytes);

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

/// What a task sees while it runs.
struct TaskArguments {
  uint32_t task = 0;               ///< number in the plan
  uint32_t block = 0;              ///< linear block number within the task's layer
  std::span<Value* const> inputs;  ///< one per input slot, in the order of the plan; never null
  std::span<const bool> last_use;  ///< inputs[i] may be moved from when last_use[i]
  std::span<Value> outputs;        ///< to be filled, every one
  Scratch* scratch = nullptr;      ///< this worker's
  std::stop_token stop;  ///< set when the run is failing or cancelled; long tasks may poll
};

/// The function that a layer's tasks share. Stateless: one object serves all threads at once.
class TUFF_API TaskFunction {
 public:
  virtual ~TaskFunction() = default;
  virtual void run(TaskArguments& arguments) const = 0;
  /// For traces and errors, e.g. "exp" or "fused(exp, divide, sum)".
  virtual std::string_view name() const = 0;
  /// Block number as text for errors, e.g. "(3, 0)".
  virtual std::string block_name(uint32_t block) const { return std::to_string(block); }
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
  std::vector<std::pair<uint32_t, Value>> constants;
  std::vector<uint32_t> parameter_slots;  ///< filled from the caller's bindings, in this order
  // What the run returns, in this order (a slot may appear more than once):
  std::vector<uint32_t> output_slots;

  std::vector<uint32_t> roots;  ///< tasks with wait_count 0, ascending
  size_t task_count() const { return function.size(); }
  size_t slot_count() const { return use_count.size(); }
  /// Throws InternalError when the arrays contradict each other (debug builds call it on every plan).
  void verify() const;
};

TUFF_NAMESPACE_END
