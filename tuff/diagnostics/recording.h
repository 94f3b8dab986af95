// What was recorded of a stretch of work, as plain data, and the arithmetic on it.
//
// Filled by Recorder (recorder.h), or by hand in tests; drawn by write_report (report.h). Nothing in here
// looks at a clock or takes a lock.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/trace.h"

TUFF_NAMESPACE_BEGIN

/// One outermost run of a plan: its tasks are events[first_event] .. events[end_event - 1], and so on.
struct RecordedRun {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t threads = 0;  ///< that were allowed to work on it
  uint64_t first_event = 0;
  uint64_t end_event = 0;
  uint64_t first_wait = 0;
  uint64_t end_wait = 0;
  uint64_t first_spill = 0;
  uint64_t end_spill = 0;
  std::shared_ptr<const TracePlan> plan = {};  ///< null in recordings made by hand
};

/// A named stretch of time. Phases may lie inside each other, and a name may come again.
struct RecordedPhase {
  std::string name;
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t depth = 0;  ///< phases around it
};

/// One look at the process.
struct ResourceSample {
  int64_t time_ns = 0;
  uint64_t resident_bytes = 0;  ///< of the process
  uint64_t live_bytes = 0;      ///< of blocks
  int64_t cpu_ns = 0;           ///< processor time of all threads since the process began
};

/// All times are nanoseconds of the steady clock.
struct Recording {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t threads = 0;                 ///< that could have worked: those of the context
  std::vector<std::string> operations;  ///< each name once
  std::vector<TraceEvent> events;     ///< by run; TraceEvent::operation is an index into operations
  std::vector<TraceWait> waits;       ///< by run
  std::vector<TraceSpill> spills;     ///< by run
  std::vector<RecordedRun> runs;      ///< in the order in which they ended
  std::vector<RecordedPhase> phases;  ///< in the order in which they began
  std::vector<ResourceSample> samples;  ///< in order of time
  uint64_t dropped = 0;                 ///< tasks that ran beyond RecorderOptions::max_events
  int64_t dropped_from_ns =
      INT64_MAX;  ///< start of the first of them; before it, nothing is missing
};

/// What the tasks of some stretch of time added up to, and where the rest of the threads' time went.
struct TaskTotals {
  int64_t wall_ns = 0;     ///< length of the stretch
  int64_t task_ns = 0;     ///< time inside tasks, over all threads; what lies outside is cut off
  uint64_t tasks = 0;      ///< that began in it
  uint64_t bytes_in = 0;   ///< of those: of the blocks they were given
  uint64_t bytes_out = 0;  ///< of those: of the blocks they yielded
  /// 1 - task_ns / (threads x wall_ns), in [0, 1]; 0 for a stretch without length.
  double white_space = 0;

  // White space by cause, over all threads: with task_ns these add up to threads x wall_ns, unless clients
  // that work in their own runs at the same time have made more of it.
  /// By WaitCause. Threads that a run was not allowed to use count as none_ready.
  std::array<int64_t, kWaitCauses> wait_ns = {};
  int64_t outside_ns = 0;     ///< when no run was under way
  int64_t scheduling_ns = 0;  ///< the rest: inside runs, between tasks
};

/// Over all phases of this name, counting no moment twice. Throws InvalidArgument when there is none.
TUFF_API TaskTotals totals_of_phase(const Recording& recording, std::string_view phase);
/// Over the whole recording.
TUFF_API TaskTotals totals_of_all(const Recording& recording);

/// "waiting for input", "waiting for memory", "waiting for resources", "none ready", "stealing".
TUFF_API std::string_view name_of(WaitCause cause);

/// Processors in use up to each sample, in percent of one: the mean of the 25 ms before it, or from the first
/// sample on, since the system counts the time of running threads in steps of some milliseconds. The first
/// has the figure of the second.
TUFF_API std::vector<double> cpu_percent(const std::vector<ResourceSample>& samples);

/// What the tasks of one operation added up to.
struct OperationTotals {
  uint32_t operation = 0;  ///< index into Recording::operations
  uint64_t tasks = 0;
  uint64_t failed = 0;
  int64_t task_ns = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

/// Over the whole recording, one for each operation that ran, longest first.
TUFF_API std::vector<OperationTotals> totals_by_operation(const Recording& recording);

TUFF_NAMESPACE_END
