// A recording for the trace viewers of others: Chrome's trace event JSON, which ui.perfetto.dev and
// chrome://tracing open.
//
// Called by whoever has a Recording; `tuff glm fit --trace` does. Unlike the report, it holds every task.
#pragma once

#include <string>

#include "tuff/base/api.h"
#include "tuff/diagnostics/recording.h"

TUFF_NAMESPACE_BEGIN

/// Writes the recording to `path`. A file that is there is replaced in one step, or not at all.
///
/// A process with a row per thread; on it a slice per task (args: task, block where the plan is known, bytes
/// read and written, failed), and a slice per wait, named and coloured by its cause. Phases have a row of
/// their own; memory and processors are counters; spills are asynchronous slices. Times are microseconds
/// since the start of the recording, exact to the nanosecond. 100 to 200 bytes per task.
/// Throws InvalidArgument when the path cannot be written.
TUFF_API void write_perfetto(const std::string& path, const Recording& recording);

TUFF_NAMESPACE_END
