// What was recorded of a stretch of work, as plain data, and the arithmetic on it.
//
// Filled by Recorder (recorder.h), or by hand in tests; drawn by write_report (report.h). Nothing in here
// looks at a clock or takes a lock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/trace.h"

TUFF_NAMESPACE_BEGIN

/// One outermost run of a plan: its tasks are events[first_event] .. events[end_event - 1].
struct RecordedRun {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t threads = 0;  ///< that were allowed to work on it
  uint64_t first_event = 0;
  uint64_t end_event = 0;
};

/// A named stretch of time. Phases may lie inside each other, and a name may come again.
struct RecordedPhase {
  std::string name;
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t depth = 0;  ///< phases around it
};

struct MemorySample {
  int64_t time_ns = 0;
  uint64_t resident_bytes = 0;  ///< of the process
  uint64_t live_bytes = 0;      ///< of blocks
};

/// All times are nanoseconds of the steady clock.
struct Recording {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t threads = 0;                 ///< that could have worked: those of the context
  std::vector<std::string> operations;  ///< each name once
  std::vector<TraceEvent> events;     ///< by run; TraceEvent::operation is an index into operations
  std::vector<RecordedRun> runs;      ///< in the order in which they ended
  std::vector<RecordedPhase> phases;  ///< in the order in which they began
  std::vector<MemorySample> memory;   ///< in order of time
};

/// What the tasks of some stretch of time added up to.
struct TaskTotals {
  int64_t wall_ns = 0;     ///< length of the stretch
  int64_t task_ns = 0;     ///< time inside tasks, over all threads; what lies outside is cut off
  uint64_t tasks = 0;      ///< that began in it
  uint64_t bytes_in = 0;   ///< of those: of the blocks they were given
  uint64_t bytes_out = 0;  ///< of those: of the blocks they yielded
  /// 1 - task_ns / (threads x wall_ns), in [0, 1]; 0 for a stretch without length.
  double white_space = 0;
};

/// Over all phases of this name, counting no moment twice. Throws InvalidArgument when there is none.
TUFF_API TaskTotals totals_of_phase(const Recording& recording, std::string_view phase);
/// Over the whole recording.
TUFF_API TaskTotals totals_of_all(const Recording& recording);

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
