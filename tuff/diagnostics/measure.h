// Bytes that a plan reads, writes and holds, by layer: the plan is walked, nothing is run. Used by
// explain.cpp.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "tuff/graph/lower.h"

TUFF_NAMESPACE_BEGIN

/// What explain.h says of the members of the same names.
struct LayerBytes {
  uint64_t tasks = 0;
  uint64_t from_memory = 0;
  uint64_t from_tasks = 0;
  uint64_t written = 0;
  uint64_t held = 0;
  uint64_t largest_task = 0;
  uint64_t largest_block = 0;
  uint64_t blocks_read = 0;    ///< reads by its tasks
  uint64_t distinct_read = 0;  ///< bytes of the blocks read, each counted once
  bool held_whole =
      false;  ///< every block of some result is held at the peak, and none is asked for
};

struct PlanBytes {
  std::unordered_map<const graph::Layer*, LayerBytes> layers;
  uint64_t in_memory = 0;
  uint64_t results = 0;
  uint64_t held = 0;
};

/// `lowered`: of a graph whose passes on tasks made no functions of their own.
PlanBytes measure(const graph::Lowered& lowered);

TUFF_NAMESPACE_END
