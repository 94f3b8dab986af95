// A report as the data of its page: JSON, with the events of the trace packed. Called by report.cpp.
//
// Packed: unsigned LEB128 numbers (signed ones in zigzag), in base64. Events stand by lane, in order of
// time: gap since the end of the event before, duration, task minus the task before, kind. A kind is an
// index into a table of (operation, bytes in, bytes out, failed), since most tasks of an operation are
// alike. So an event takes some 7 bytes, and all times are exact to the nanosecond. page/decode.js reads it.
#pragma once

#include <string>

#include "tuff/diagnostics/report.h"

TUFF_NAMESPACE_BEGIN

/// JSON that may stand inside an HTML script element. The report has been checked.
std::string encode(const Report& report);

TUFF_NAMESPACE_END
