// One run under a memory budget that it could exceed: which tasks may start, and which of its values are
// still needed, when.
//
// Made by Runner::run when the run's bound does not fit; asked by ActiveRun before and after each task.
#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <vector>

#include "tuff/schedule/memory.h"
#include "tuff/schedule/state.h"
#include "tuff/schedule/tracing.h"

TUFF_NAMESPACE_BEGIN

class RunMemory {
 public:
  /// Throws MemoryError when a task, or what the run returns, cannot fit in `limit` bytes.
  /// `stop`: set when the run was ended, so that nobody need wait, write or read any more.
  /// `tracing`: hears of waits and of what goes to disk and back; may be null.
  RunMemory(MemoryBudget& budget, const Program& program, RunState& state, uint64_t limit,
            Tracing* tracing, std::stop_token stop);
  /// All values of the run may be freed afterwards. Nobody may be running tasks.
  ~RunMemory();
  RunMemory(const RunMemory&) = delete;
  RunMemory& operator=(const RunMemory&) = delete;

  /// What a task under way has been granted.
  struct Grant {
    uint64_t bytes = 0;
    bool waited = false;
    TraceSpill read_back;  ///< its inputs, if they were on disk
  };
  /// Waits until the task may start, and brings its inputs back, all for worker `w`. False when the run is over.
  /// Throws MemoryError when there is no room and none can be made.
  bool admit(uint32_t task, uint32_t w, Grant& grant);
  /// What the task reads, without asking for room: nobody else is running any more. It stays until the run ends.
  void bring_back_inputs(uint32_t task);
  /// The task begins, and may take the inputs that it is the last to read: they stay no longer than it likes, and
  /// where they were, something else may lie before it ends.
  void may_consume(uint32_t task, const bool* last_use);
  /// The task has run: of what the run yields, nothing keeps more memory than it needs. Throws Cancelled.
  void trim_results(uint32_t task);
  /// The task has run, nobody else knows yet. Before anything that it has read last is freed.
  void made(uint32_t task);
  /// Nothing of the task is under way any more: it has finished, or failed.
  void done(uint32_t task, const Grant& grant, bool succeeded);

  bool is_over() const { return stop_.stop_requested(); }
  StopRequest stop() const { return StopRequest(stop_); }

 private:
  friend class MemoryBudget;
  friend class NestedInMemory;
  using Lock = MemoryBudget::Lock;

  void size_slots();
  void check_sizes() const;
  void list_readers();
  uint64_t bound_of(uint32_t task) const;
  uint64_t bound_of_outputs(uint32_t task) const;
  uint64_t bytes_on_disk(uint32_t task) const;
  uint64_t bytes_freed_by(uint32_t task) const;
  void number_names();
  uint64_t guess_of(uint32_t function) const;
  bool wait_for_room(uint32_t task, uint32_t w, Grant& grant, Lock& lock);
  void pin(uint32_t task, Lock& lock, Grant& grant, StopRequest stop);
  void unpin(uint32_t task);
  void written(int64_t start_ns, size_t bytes);
  void end_of_task(const Grant& grant);
  /// The next task that reads the slot, by number.
  uint32_t next_use(const Held& held);
  /// Whether the slot is freed at its last read; others stay in memory until the run ends.
  static bool is_tracked(uint32_t read) {
    return (read & (Program::kUncounted | Program::kConstant)) == 0;
  }

  MemoryBudget& budget_;
  const Program& program_;
  RunState& state_;
  const uint64_t limit_;
  Tracing* const tracing_;
  const std::stop_token stop_;
  uint32_t running_ = 0;
  uint32_t nested_ = 0;               // tasks under way that wait for a run inside them
  std::vector<uint64_t> slot_bytes_;  // bound; kUnknown where nobody knows
  // Of functions whose sizes nobody knows: the largest output seen, by name and of all; kUnknown before the first.
  std::vector<uint32_t> name_number_;
  std::vector<uint64_t> most_of_name_;
  uint64_t most_of_all_ = BlockBytes::kUnknown;
  std::vector<Held> held_;                 // by slot
  std::vector<uint32_t> reads_left_;       // by slot
  Rows readers_;                           // by slot, ascending
  std::vector<uint8_t> is_only_returned_;  // by slot: the run yields it, and no task reads it
  std::vector<uint32_t> next_reader_;      // by slot: rows before it are of finished tasks
  std::vector<uint8_t> finished_;          // by task
};

TUFF_NAMESPACE_END
