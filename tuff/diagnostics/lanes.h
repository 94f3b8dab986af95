// The rows of a picture of a recording: who worked where. Used by encode.cpp and perfetto.cpp.
//
// A row per thread of a run; runs that overlap in time, of several clients, get rows of their own, so that
// nothing in a row overlaps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tuff/diagnostics/recording.h"

TUFF_NAMESPACE_BEGIN

struct Lane {
  uint32_t client = 0;
  uint32_t thread = 0;
  // Indices into the recording's lists, in order of start:
  std::vector<uint32_t> events;
  std::vector<uint32_t> waits;
  std::vector<uint32_t> spills;
};

/// By client and thread. The first client has a lane for each thread of the context, used or not.
std::vector<Lane> lanes_of(const Recording& recording);

TUFF_NAMESPACE_END
