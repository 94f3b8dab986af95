// The stream of what ran when, and why nothing did: fixed-size records in per-thread buffers, read by
// whoever is interested.
//
// Written by schedule/tracing.cpp, read by diagnostics. Off, it costs one branch per task.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

/// One task that ran. Times are nanoseconds of the steady clock.
struct TraceEvent {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint64_t bytes_in = 0;   ///< bytes of the blocks that the task was given, each as often as given
  uint64_t bytes_out = 0;  ///< bytes of the blocks that the task yielded
  uint32_t task = 0;       ///< number in the plan
  uint32_t operation = 0;  ///< index into TracePlan::operations
  uint32_t thread = 0;     ///< worker number in this run; 0 is the caller
  uint32_t failed = 0;     ///< 1 when the task threw
};

/// Why a worker had no task.
enum class WaitCause : uint32_t {
  input,       ///< then it got one that had not been ready: its inputs were still being made
  memory,      ///< there were tasks whose results did not fit into the budget
  resources,   ///< there were tasks whose named resources were taken
  none_ready,  ///< nothing came for it before the run ended or the thread went to sleep, or it slept
  stealing,    ///< there was one, and it took this long to take it from another worker
};
inline constexpr size_t kWaitCauses = 5;

/// A stretch without a task. Neighbours of one worker differ in their cause, or have tasks in between.
struct TraceWait {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t thread = 0;
  WaitCause cause = WaitCause::none_ready;
};

/// One block that went to disk, or came back.
struct TraceSpill {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint64_t bytes = 0;  ///< of the block in memory
  uint32_t thread = 0;
  uint32_t read_back = 0;  ///< 1 when it came back
};

/// What readers of the trace may want to know of the plan. Holds no data of the plan's, only its shape.
struct TracePlan {
  std::vector<std::string> operations;  ///< names; two operations may share one
  // By task; all empty when a test made this by hand:
  std::vector<uint32_t> block;         ///< linear number within the operation
  std::vector<uint8_t> kept;           ///< 1 when a result of the task is a result of the run
  std::vector<uint32_t> first_reader;  ///< one more entry than tasks
  std::vector<uint32_t> readers;
  std::vector<uint64_t> task_count = {};  ///< by operation

  /// Tasks that read a result of this one, each once.
  std::span<const uint32_t> readers_of(uint32_t task) const {
    if (first_reader.empty()) return {};
    return std::span(readers).subspan(first_reader[task],
                                      first_reader[task + 1] - first_reader[task]);
  }
};

/// Everything that one run recorded, or a part of it.
struct TraceRun {
  uint64_t id = 0;  ///< of the run, in this process; its parts have the same
  int64_t start_ns = 0;
  int64_t end_ns = 0;  ///< in a part: until when it tells
  uint32_t threads = 0;
  std::shared_ptr<const TracePlan> plan;  ///< the same object for all runs of one plan. Never null.
  // By thread, in order of start within one thread:
  std::vector<TraceEvent> events;
  std::vector<TraceWait> waits;
  std::vector<TraceSpill> spills;
  uint64_t dropped =
      0;  ///< tasks that ran and are not here, since TraceSink::max_events was reached
  int64_t dropped_from_ns =
      INT64_MAX;  ///< start of the first of them; before it, nothing is missing
};

/// Receives a run's trace when the run has ended, and if it wants to, on the way. What it throws is
/// dropped.
class TUFF_API TraceSink {
 public:
  virtual ~TraceSink() = default;
  /// Called on the thread that ran the plan.
  virtual void on_run(const TraceRun& run) = 0;

  /// Whether on_part is to be called. Asked once, before the run.
  virtual bool live() const { return false; }
  /// What one worker did since its last part. Called on workers, several at once, each at most every 50 ms
  /// while it works (and every 5 ms when it runs out of work); at the end, before on_run, with what is
  /// left. So all parts together are the whole run, nothing twice. Must be quick: a task waits for it.
  virtual void on_part(const TraceRun& part) { static_cast<void>(part); }

  /// How many records (tasks, waits, spills; up to 48 bytes each) a run is to keep for on_run: the largest
  /// number among its readers' decides. Parts are whole whatever it is. Asked once, before the run.
  virtual uint64_t max_events() const { return UINT64_MAX; }
};

/// Counts of a run under way, for progress bars. All fields may be read at any time, relaxed: results are not
/// ordered by them.
struct RunProgress {
  std::atomic<uint64_t> tasks_total{0};
  std::atomic<uint64_t> tasks_done{0};
};

/// A task that is about to run.
struct TaskStart {
  std::string_view operation;
  uint32_t task = 0;    ///< number in the plan
  uint32_t block = 0;   ///< linear number within the operation
  uint32_t thread = 0;  ///< worker number in this run; 0 is the caller
  int64_t start_ns = 0;
};

/// Sees a run start and end; between the two it may poll `progress`. Calls come from the thread that
/// runs the plan; the outermost run alone reports (nested runs do not).
class TUFF_API RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void on_start(const std::shared_ptr<const RunProgress>& progress) = 0;
  virtual void on_finish(bool failed) = 0;

  /// Whether the two below are to be called. Asked once, before the run.
  virtual bool wants_tasks() const { return false; }
  /// Around each task, once each however often it is retried; on the thread that runs it, so several at
  /// once. What they throw is dropped.
  virtual void before_task(const TaskStart& start) { static_cast<void>(start); }
  virtual void after_task(const TaskStart& start, const TraceEvent& event) {
    static_cast<void>(start);
    static_cast<void>(event);
  }
};

TUFF_NAMESPACE_END
