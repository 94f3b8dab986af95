// The stream of what ran when: fixed-size events in per-thread buffers, read by whoever is interested.
//
// Written by schedule/run.cpp, read by diagnostics. Off, it costs one branch per task.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
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
  uint32_t operation = 0;  ///< index into *TraceRun::operations
  uint32_t thread = 0;     ///< worker number in this run; 0 is the caller
  uint32_t failed = 0;     ///< 1 when the task threw
};

/// Everything that one run recorded.
struct TraceRun {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t threads = 0;
  /// Names, the same object for all runs of one plan; two operations may share a name. Never null.
  std::shared_ptr<const std::vector<std::string>> operations;
  std::vector<TraceEvent> events;  ///< by thread, in order of start within one thread
};

/// Receives a run's trace when the run has ended. Called on the thread that ran the plan.
class TUFF_API TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void on_run(const TraceRun& run) = 0;
};

/// Counts of a run under way, for progress bars. All fields may be read at any time.
struct RunProgress {
  std::atomic<uint64_t> tasks_total{0};
  std::atomic<uint64_t> tasks_done{0};
};

/// Sees a run start and end; between the two it may poll `progress`. Calls come from the thread that
/// runs the plan; the outermost run alone reports (nested runs do not).
class TUFF_API RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void on_start(const std::shared_ptr<const RunProgress>& progress) = 0;
  virtual void on_finish(bool failed) = 0;
};

TUFF_NAMESPACE_END
