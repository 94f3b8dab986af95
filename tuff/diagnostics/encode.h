// A report as the data of its page: JSON, with the events of the trace packed. Called by report.cpp.
//
// Packed: unsigned LEB128 numbers (signed ones in zigzag), in base64. The task stream stands by lane, in
// order of time; a record is: gap since the end of the record before, duration, code, and then by code
//   0 .. 4   a wait for this cause: nothing more
//   5        a crowd (detail.h): number of parts; of each its code, count, nanoseconds; of tasks, failed and
//            bytes in and out too
//   6 ..     a task of kind code - 6: task minus the task before.
// A kind is an index into a table of (operation, bytes in, bytes out, failed), since most tasks of an
// operation are alike; a part's code is a cause, or 6 + its operation. So a task takes some 7 bytes, and all
// times are exact to the nanosecond. page/decode.js reads it.
#pragma once

#include <string>

#include "tuff/diagnostics/report.h"

TUFF_NAMESPACE_BEGIN

/// JSON that may stand inside an HTML script element. The report has been checked.
std::string encode(const Report& report);

TUFF_NAMESPACE_END
