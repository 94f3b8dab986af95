// Level of detail: which tasks and waits a page shows one by one, and which it shows added up.
//
// Used by encode.cpp, so that the size of a page and the time to draw it are bounded whatever was recorded.
// Invariant: time, tasks and bytes of all records of a lane are those of all its tasks and waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tuff/diagnostics/lanes.h"
#include "tuff/diagnostics/recording.h"

TUFF_NAMESPACE_BEGIN

/// Tasks of one operation, or waits for one cause, in a crowd.
struct CrowdPart {
  bool is_wait = false;
  uint32_t number = 0;  ///< operation, or cause
  uint64_t count = 0;
  uint64_t failed = 0;
  int64_t busy_ns = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

/// A task, a wait, or a crowd: what followed each other on one thread, each too short to be shown.
struct StreamRecord {
  enum class Kind : uint32_t { task, wait, crowd };
  Kind kind = Kind::task;
  uint32_t index = 0;  ///< into Recording::events or waits, or of the crowd's first part
  uint32_t parts = 0;  ///< of a crowd
  int64_t start_ns = 0;
  int64_t end_ns = 0;
};

struct LaneDetail {
  std::vector<StreamRecord> records;  ///< in order of time, not overlapping
  std::vector<CrowdPart> parts;
};

struct Detail {
  std::vector<LaneDetail> lanes;
  /// What is shorter than this may be in a crowd; 0: everything is shown one by one. A crowd lasts less
  /// than twice as long.
  int64_t shortest_ns = 0;
};

/// At most `most_records` records and parts, as long as that is more than operations, causes and lanes
/// multiplied. Cost: one pass over the recording for each doubling of shortest_ns.
Detail detail_of(const Recording& recording, const std::vector<Lane>& lanes, size_t most_records);

/// Spills next to each other on one lane, added up.
struct SpillRecord {
  uint32_t lane = 0;
  bool read_back = false;
  uint64_t count = 0;
  uint64_t bytes = 0;
  int64_t start_ns = 0;
  int64_t end_ns = 0;
};

/// At most `most_records`, as long as that is more than twice the lanes; by lane, in order of time.
std::vector<SpillRecord> spills_of(const Recording& recording, const std::vector<Lane>& lanes,
                                   size_t most_records);

TUFF_NAMESPACE_END
