// The passes, in order. A new pass is one file pair and one line here.
#include "tuff/optimize/optimize.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "tuff/base/context.h"
#include "tuff/base/error.h"
#include "tuff/optimize/cse.h"
#include "tuff/optimize/cull.h"
#include "tuff/optimize/fold_sources.h"
#include "tuff/optimize/fuse.h"
#include "tuff/optimize/fuse_tasks.h"
#include "tuff/optimize/order.h"
#include "tuff/optimize/push_slices.h"
#include "tuff/optimize/rechunk.h"
#include "tuff/optimize/rematerialize.h"
#include "tuff/optimize/verify.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

// ---- table of contents ---------------------------------------------------------------------------

namespace {

/// A pass that needs nothing but the graph.
template <auto pass>
std::vector<graph::Port> alone(const std::vector<graph::Port>& outputs, const Passes&) {
  return pass(outputs);
}

double memory_of(const Passes& passes) {
  return static_cast<double>(passes.memory_bytes > 0 ? passes.memory_bytes
                                                     : Context::current().memory_bytes());
}

std::vector<graph::Port> run_rechunk(const std::vector<graph::Port>& outputs,
                                     const Passes& passes) {
  return plan_rechunks(outputs, memory_of(passes));
}

}  // namespace

const std::vector<LayerPass>& layer_passes() {
  static const auto& list = *new std::vector<LayerPass>{
      {{"cse", "equal layers on equal inputs become one", &Passes::cse}, alone<cse>},
      {{"push_slices", "slices move to the sources: what is cut off is not made",
        &Passes::push_slices},
       alone<push_slices>},
      {{"fold_sources", "what moves or repeats numbers made from nothing is made from nothing",
        &Passes::fold_sources},
       alone<fold_sources>},
      {{"rechunk", "arrays are cut anew once, where that copies least", &Passes::rechunk},
       run_rechunk},
      {{"rematerialize", "cheap arrays are made twice rather than kept across a reduction",
        &Passes::rematerialize},
       alone<rematerialize>},
      {{"fuse", "layers that line up block by block become one program", &Passes::fuse},
       alone<fuse>},
  };
  return list;
}

namespace {

constexpr Pass kCull = {"cull", "only tasks whose blocks somebody needs are made", &Passes::cull};

double run_fuse_tasks(PlanArrays& plan, const TaskPassOptions& options) {
  const int threads = options.threads > 0 ? options.threads : Context::current().threads();
  return fuse_tasks(plan, options.widths, threads).ave_width;
}

double run_order(PlanArrays& plan, const TaskPassOptions&) {
  order(plan);
  return 0;
}

}  // namespace

const std::vector<TaskPass>& task_passes() {
  static const auto& list = *new std::vector<TaskPass>{
      {{"fuse_tasks", "tasks too short to be worth scheduling run as parts of longer ones",
        &Passes::fuse_tasks},
       run_fuse_tasks},
      {{"order", "what reads a block runs soon after what made it", &Passes::order}, run_order},
  };
  return list;
}

const std::vector<Pass>& passes() {
  static const auto& list = *[] {
    auto* const all = new std::vector<Pass>(layer_passes().begin(), layer_passes().end());
    all->push_back(kCull);
    all->insert(all->end(), task_passes().begin(), task_passes().end());
    return all;
  }();
  return list;
}

// ---- switches ------------------------------------------------------------------------------------

Passes enabled(Passes passes) {
  const char* variable = std::getenv("TUFF_OPTIMIZE_DISABLE");
  if (variable == nullptr) return passes;
  const std::vector<Pass>& list = optimize::passes();
  std::string_view left = variable;
  while (!left.empty()) {
    const std::string_view name = left.substr(0, left.find(','));
    left.remove_prefix(std::min(left.size(), name.size() + 1));
    const auto pass =
        std::find_if(list.begin(), list.end(), [&](const Pass& p) { return p.name == name; });
    if (pass != list.end()) {
      passes.*pass->enabled = false;
    } else if (!name.empty()) {
      std::string names;
      for (const Pass& p : list) names += fmt::format("{}{}", names.empty() ? "" : ", ", p.name);
      throw InvalidArgument("optimize",
                            fmt::format("TUFF_OPTIMIZE_DISABLE='{}' names '{}'; the passes are {}",
                                        variable, name, names));
    }
  }
  return passes;
}

// ---- running them --------------------------------------------------------------------------------

namespace {

/// Appends a step to a trace when there is one, and measures it from its making to done().
class Stopwatch {
 public:
  Stopwatch(Trace* trace, std::string_view name) : trace_(trace), name_(name) {
    if (trace_ != nullptr) start_ = std::chrono::steady_clock::now();
  }
  /// `fill(step)` says what there is to count; it takes no part in the time.
  template <class Fill>
  void done(Fill&& fill) {
    if (trace_ == nullptr) return;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start_;
    Step step{name_, time.count(), 0, 0, {}, 0};
    fill(step);
    trace_->push_back(std::move(step));
  }

 private:
  Trace* trace_;
  std::string_view name_;
  std::chrono::steady_clock::time_point start_;
};

size_t count_layers(const std::vector<graph::Port>& outputs) {
  return graph::layers_in_order(outputs).size();
}

/// Tasks of the layer that somebody needs.
size_t needed_tasks(const graph::Layer& layer, const graph::Needed& needed) {
  const auto found = needed.tasks.find(&layer);
  if (found == needed.tasks.end()) return 0;
  const std::vector<bool>& flags = found->second;
  return flags.empty() ? layer.task_count()
                       : static_cast<size_t>(std::count(flags.begin(), flags.end(), true));
}

size_t count_tasks(const std::vector<graph::LayerPtr>& layers, const graph::Needed& needed) {
  size_t tasks = 0;
  for (const graph::LayerPtr& layer : layers) {
    if (layer->lower({}) != nullptr) tasks += needed_tasks(*layer, needed);
  }
  return tasks;
}

/// What a task takes in a plan and in a run of it, and each block that it reads: measured with plans of 1e6.
constexpr double kBytesPerTask = 150;
constexpr double kBytesPerRead = 12;
/// A plan of a million tasks is always made, however small the budget for blocks is.
constexpr double kAnyPlanBytes = 256e6;

/// A few bytes of chunks multiply to many blocks: what cannot be held is refused before it is made.
void check_plan_fits(const std::vector<graph::LayerPtr>& layers, const graph::Needed& needed,
                     double memory_bytes) {
  constexpr size_t kFewTasks = 4096;  // layers of so few take as much memory as is seen here
  double tasks = 0;
  double reads = 0;
  std::vector<graph::InputBlock> row;
  for (const graph::LayerPtr& layer : layers) {
    const size_t count = layer->task_count() > kFewTasks ? needed_tasks(*layer, needed) : 0;
    if (count == 0) continue;
    row.clear();
    layer->inputs_of(0, row);  // as good as any
    tasks += static_cast<double>(count);
    reads += static_cast<double>(count) * static_cast<double>(row.size());
  }
  const double bytes = tasks * kBytesPerTask + reads * kBytesPerRead;
  if (bytes <= std::max(memory_bytes, kAnyPlanBytes)) return;
  throw MemoryError("compile",
                    fmt::format("a plan of {:.0f} tasks takes some {:.0f} MB, the memory budget is "
                                "{:.0f} MB; give larger chunks, or raise it with "
                                "RunOptions::memory_bytes or TUFF_MEMORY_BYTES",
                                tasks, bytes / 1e6, memory_bytes / 1e6));
}

}  // namespace

std::vector<graph::Port> optimize_layers(std::vector<graph::Port> outputs, const Passes& passes,
                                         Trace* trace) {
  const Passes on = enabled(passes);
#if defined(TUFF_DEBUG_CHECKS)
  verify("build", {}, outputs);
#endif
  size_t layers = trace != nullptr ? count_layers(outputs) : 0;
  for (const LayerPass& pass : layer_passes()) {
    if (!(on.*pass.enabled)) continue;
    Stopwatch stopwatch(trace, pass.name);
    std::vector<graph::Port> result = pass.run(outputs, on);
    stopwatch.done([&](Step& step) {
      step.before = layers;
      step.after = layers = count_layers(result);
      step.outputs = result;
    });
#if defined(TUFF_DEBUG_CHECKS)
    verify_same(pass.name, outputs, result);
    verify(pass.name, outputs, result);
#endif
    outputs = std::move(result);
  }
  return outputs;
}

graph::Lowered lower(const std::vector<graph::Port>& outputs, const Passes& passes, Trace* trace,
                     const TaskPassOptions& options) {
  const Passes on = enabled(passes);
  const std::vector<graph::LayerPtr> layers = graph::layers_in_order(outputs);
  Stopwatch cutting(trace, kCull.name);
  const graph::Needed needed = on.cull ? cull(layers, outputs) : everything(layers);
  if (on.cull) {
    cutting.done([&](Step& step) {
      step.before = count_tasks(layers, everything(layers));
      step.after = count_tasks(layers, needed);
    });
  }
  check_plan_fits(layers, needed, memory_of(passes));
  Stopwatch lowering(trace, "lower");
  graph::Lowered lowered = graph::lower(layers, outputs, needed);
  lowering.done([&](Step& step) {
    step.before = layers.size();
    step.after = lowered.arrays.task_count();
  });
  for (const TaskPass& pass : task_passes()) {
    if (!(on.*pass.enabled)) continue;
    const size_t before = lowered.arrays.task_count();
    Stopwatch stopwatch(trace, pass.name);
    const double ave_width = pass.run(lowered.arrays, options);
    stopwatch.done([&](Step& step) {
      step.ave_width = ave_width;
      step.before = before;
      step.after = lowered.arrays.task_count();
    });
#if defined(TUFF_DEBUG_CHECKS)
    lowered.arrays.verify();
#endif
  }
#if defined(TUFF_DEBUG_CHECKS)
  lowered.arrays.verify();
#endif
  return lowered;
}

}  // namespace optimize
TUFF_NAMESPACE_END
