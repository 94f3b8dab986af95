// What happens to a graph between building and running: the list of passes, in order.
//
// Passes on layers take and return the requested ports and never change a layer; cull says which tasks
// are made; passes on tasks rewrite a plan. compute.cpp calls them; optimize.cpp is the table of contents.
#pragma once

#include <string_view>
#include <vector>

#include "tuff/graph/layer.h"
#include "tuff/graph/lower.h"
#include "tuff/optimize/fusion.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// Which passes run. All by default; switching one off is for tests and for finding faults. What the
/// environment names in TUFF_OPTIMIZE_DISABLE ("fuse,cse") is off whatever stands here.
struct Passes {
  bool cse = true;
  bool push_slices = true;
  bool fold_sources = true;
  bool rechunk = true;
  bool rematerialize = true;
  bool fuse = true;
  bool cull = true;
  bool fuse_tasks = true;
  bool order = true;
  /// What runs of the plan may take; rechunks of what does not fit go by way of the disk. 0: as much as
  /// the current context allows.
  size_t memory_bytes = 0;
};

/// A pass, its switch, and what it is for.
struct Pass {
  std::string_view name;
  std::string_view purpose;
  bool Passes::*enabled;
};

struct LayerPass : Pass {
  std::vector<graph::Port> (*run)(const std::vector<graph::Port>& outputs, const Passes& passes);
};

/// What passes on tasks go by.
struct TaskPassOptions {
  FuseWidths widths = {};
  int threads = 0;  ///< that will run the plan; 0: those of the context
};

struct TaskPass : Pass {
  /// Returns the width of fusion where the pass chose one, else 0.
  double (*run)(PlanArrays& plan, const TaskPassOptions& options);
};

/// In the order in which they run.
TUFF_API const std::vector<LayerPass>& layer_passes();
TUFF_API const std::vector<TaskPass>& task_passes();
/// All of them: those on layers, cull, those on tasks.
TUFF_API const std::vector<Pass>& passes();

/// `passes` less what TUFF_OPTIMIZE_DISABLE names. Throws InvalidArgument for a name that no pass has.
TUFF_API Passes enabled(Passes passes);

/// One step of an optimisation: a pass that was enabled, or "lower".
struct Step {
  std::string_view name;
  double seconds = 0;
  /// Layers; from cull on tasks. What cull sees first is the number of tasks there would be without it.
  size_t before = 0;
  size_t after = 0;
  std::vector<graph::Port> outputs;  ///< the graph as the step left it; empty once there are tasks
  double ave_width = 0;              ///< that fuse_tasks chose; 0: it left the plan alone
};

/// What the steps did, for those who ask: without a trace nothing is counted, timed or kept.
using Trace = std::vector<Step>;

/// Runs the passes on layers. Appends to `trace` unless it is null. Throws InvalidArgument as enabled().
TUFF_API std::vector<graph::Port> optimize_layers(std::vector<graph::Port> outputs,
                                                  const Passes& passes = {},
                                                  Trace* trace = nullptr);
/// Lowers and runs the passes that concern tasks. Appends and throws likewise, and MemoryError for a plan of so many
/// tasks that they alone would not fit in `passes.memory_bytes`.
TUFF_API graph::Lowered lower(const std::vector<graph::Port>& outputs, const Passes& passes = {},
                              Trace* trace = nullptr, const TaskPassOptions& options = {});

}  // namespace optimize
TUFF_NAMESPACE_END
