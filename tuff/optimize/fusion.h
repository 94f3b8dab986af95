// Which tasks go into one: the fusion of dask/dask#1979 ("many in, one out"), on numbers alone.
//
// Called by fuse() on task graphs and by fuse_tasks() on plans. A task with exactly one reading edge may
// be swallowed by its reader; whole trees of such tasks collapse as long as they stay narrow. Departs
// from the source in one thing: outside inputs of a tree are merged small into large, so that
// long chains with an input at each link cost n log n and not n^2.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN

/// How far fusion goes. Source: dask/dask#1979 and later fixes, dask.optimization.fuse.
struct FuseWidths {
  /// Upper limit for (tasks + fudge) / height of a fused tree. Unset: chosen from the number of tasks,
  /// the threads and what tasks cost. 0 switches fusion off; 1 fuses lines.
  std::optional<double> ave_width = {};
  /// Limit of the leaves below one join. Unset: 1.5 + ave_width ln(ave_width + 1).
  std::optional<double> max_width = {};
  /// Limit of the levels of a fused tree. Unset: none.
  std::optional<double> max_height = {};
  /// Below this many levels a task may bring inputs of its own. Unset: 1.5 ave_width.
  std::optional<double> max_depth_new_edges = {};
};

namespace optimize {

/// The same with every limit set. Throws InvalidArgument, in the name of `operation`, for negative
/// widths and for NaN.
struct Widths {
  double ave_width = 1;
  double max_width = 0;
  double max_height = 0;
  double max_depth_new_edges = 0;
};
TUFF_API Widths widths_of(const FuseWidths& widths, double ave_width, std::string_view operation);

/// For each task the reader that swallows it, or kNotSwallowed. `inputs`: rows of what tasks read, with
/// repetition (a task read twice is not swallowed). `order`: topological. `may_go[t]`: whether t may be
/// swallowed at all. The outcome does not depend on the order of inputs or the numbers of tasks.
inline constexpr uint32_t kNotSwallowed = UINT32_MAX;
TUFF_API std::vector<uint32_t> choose_fusion(const Rows& inputs, std::span<const uint32_t> order,
                                             std::span<const uint8_t> may_go, const Widths& widths);

/// Trees that choose_fusion() made: row i lists the members of one tree, inputs before readers, the root
/// last. Trees of one task are left out.
TUFF_API Rows fused_trees(const Rows& inputs, std::span<const uint32_t> order,
                          std::span<const uint32_t> swallowed_by);

}  // namespace optimize
TUFF_NAMESPACE_END
