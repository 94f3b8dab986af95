// What the blocks of a context take, for those who ask: reports, the command line, users.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

class Context;

/// What a budget has seen so far. Bytes.
struct MemoryStatistics {
  size_t budget_bytes = 0;
  size_t live_bytes = 0;         ///< of blocks, in memory, now
  size_t peak_live_bytes = 0;    ///< high-water mark since reset_peak_live_bytes()
  uint64_t disk_bytes = 0;       ///< in the spill folder now, compressed
  uint64_t spilled_bytes = 0;    ///< taken out of memory so far
  uint64_t written_bytes = 0;    ///< of those, written to disk: the others were there already
  uint64_t read_back_bytes = 0;  ///< so far
};

/// What the blocks of a context take, and what was spilled so far. Null is Context::current().
TUFF_API MemoryStatistics memory_statistics(Context* context = nullptr);

TUFF_NAMESPACE_END
