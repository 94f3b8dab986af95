// How wide fusion goes when nobody says: the width whose estimated run time is the shortest.
//
// Called by fuse() on task graphs and fuse_tasks() on plans when ave_width is unset. The estimate takes
// what tasks cost (declared, or typical of what they call), what scheduling a task costs, and the
// threads; nothing is timed, so a plan is the same on every run.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "tuff/graph/plan.h"
#include "tuff/optimize/fusion.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// What a task costs beside its call; what a call costs inside a fused task; what a fused task costs beyond
/// another. Measured on trees and random graphs of 1e5 tasks, which do not fit into the caches
/// (bench/width): a fused task of two calls costs more than the two alone.
inline constexpr double kTaskSeconds = 20e-9;
inline constexpr double kPartSeconds = 10e-9;
inline constexpr double kGroupSeconds = 40e-9;
/// Fusion that would save less than this part of the run is left: the estimate is no better.
inline constexpr double kWorthFusing = 0.05;

struct FusionChoice {
  double ave_width = 1;
  std::vector<uint32_t> swallowed_by;  ///< as choose_fusion() gives it
  double seconds = 0;                  ///< the estimate
};

/// Estimated seconds of a run on `threads`: work and scheduling shared out evenly, plus the longest chain
/// as far as sharing out cannot help with it (Graham's bound, 1969).
TUFF_API double estimated_seconds(const Rows& inputs, std::span<const uint32_t> order,
                                  std::span<const uint32_t> swallowed_by,
                                  std::span<const float> seconds, int threads);

/// Tries ave_width 1, 2, 4, ... and keeps the best if it saves kWorthFusing beside 1; stops when scheduling
/// is a small part of the work. `seconds[t]`: the cost of task t.
TUFF_API FusionChoice choose_width(const Rows& inputs, std::span<const uint32_t> order,
                                   std::span<const uint8_t> may_go, std::span<const float> seconds,
                                   const FuseWidths& widths, int threads,
                                   std::string_view operation);

}  // namespace optimize
TUFF_NAMESPACE_END
