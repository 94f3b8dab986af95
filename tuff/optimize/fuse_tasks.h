// Fusion of a plan's tasks: after layers have become block programs, what is left (callables, movements,
// reduction trees over many tiny blocks) is fused task by task, as in dask/dask#1979.
//
// Called by optimize.cpp on lowered plans. Invariants: the plan computes the same values; each task of
// the new plan runs its parts in an order that is fixed here.
#pragma once

#include "tuff/graph/plan.h"
#include "tuff/optimize/fusion.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// What fuse_tasks() did.
struct TaskFusion {
  double ave_width = 0;  ///< chosen or given; 0 when nothing was looked at
  size_t tasks_before = 0;
  size_t tasks_after = 0;
};

/// With an unset ave_width, plans whose scheduling costs little beside their work, or that are small, are
/// left alone. `threads`: that will run the plan.
TUFF_API TaskFusion fuse_tasks(PlanArrays& plan, const FuseWidths& widths, int threads);

/// Plans of fewer tasks than this cost less to schedule (20 us) than to look at.
inline constexpr size_t kSmallPlan = 512;

}  // namespace optimize
TUFF_NAMESPACE_END
