// Optimises and lowers as compile() does, keeps what the passes did, and measures the plan; see explain.h.
#include "tuff/diagnostics/explain.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "tuff/base/context.h"
#include "tuff/base/error.h"
#include "tuff/diagnostics/hints.h"
#include "tuff/diagnostics/measure.h"
#include "tuff/graph/fused.h"
#include "tuff/graph/print.h"

TUFF_NAMESPACE_BEGIN

namespace {

using graph::Layer;
using graph::LayerPtr;
using graph::Port;

/// Names of layers that stand for a change; longer lists are counted.
constexpr size_t kNamesShown = 8;

std::vector<Explanation::Layer> layers_of(const std::vector<LayerPtr>& order) {
  std::vector<Explanation::Layer> result;
  std::unordered_map<const Layer*, uint32_t> numbers;
  for (const LayerPtr& layer : order) {
    numbers[layer.get()] = static_cast<uint32_t>(result.size());
    Explanation::Layer& described = result.emplace_back();
    described.title = graph::title_of(*layer);
    described.name = layer->name();
    described.tasks = layer->lower({}) != nullptr ? layer->task_count() : 0;
    for (const Port& input : layer->inputs())
      described.inputs.emplace_back(numbers.at(input.layer.get()), input.output);
    for (const graph::LayerOutput& output : layer->outputs())
      described.outputs.push_back(graph::text_of(output));
  }
  return result;
}

/// Names that `after` has more often than `before`.
std::string surplus(const std::vector<Explanation::Layer>& before,
                    const std::vector<Explanation::Layer>& after) {
  std::map<std::string_view, size_t> had;
  for (const Explanation::Layer& layer : before) ++had[layer.title];
  std::vector<std::string> names;
  for (const Explanation::Layer& layer : after) {
    const auto known = had.find(layer.title);
    if (known != had.end() && known->second > 0) {
      --known->second;
    } else {
      // What a fused layer does is its title; of others the name is enough.
      names.push_back(layer.name == "fused" ? layer.title : layer.name);
    }
  }
  return graph::counted(names, kNamesShown);
}

void add_steps(Explanation& explanation, const optimize::Trace& trace) {
  const std::vector<Explanation::Layer>* before = &explanation.built;
  explanation.steps.reserve(explanation.steps.size() + trace.size());
  for (const optimize::Step& step : trace) {
    Explanation::Step& described = explanation.steps.emplace_back();
    described.name = step.name;
    for (const optimize::Pass& pass : optimize::passes()) {
      if (pass.name == step.name) described.purpose = pass.purpose;
    }
    if (step.name == "lower") described.purpose = "layers become tasks";
    described.seconds = step.seconds;
    described.before = step.before;
    described.after = step.after;
    described.ave_width = step.ave_width;
    explanation.seconds += step.seconds;
    if (step.outputs.empty()) continue;
    std::vector<Explanation::Layer> layers = layers_of(graph::layers_in_order(step.outputs));
    described.gone = surplus(layers, *before);
    described.added = surplus(*before, layers);
    if (described.gone.empty() && described.added.empty()) continue;
    described.layers = std::move(layers);
    before = &described.layers;
  }
}

/// How the program of a fused layer walks a block.
std::string width_of(const graph::FusedLayer& fused) {
  const kernels::Program& program = fused.program();
  if (!program.panel) return fmt::format("tiles of {} elements", kernels::kTileElements);
  int64_t widest = 1;
  for (const kernels::Instruction& i : program.instructions) {
    for (size_t l = 1; l < program.label_count; ++l) {
      if ((i.labels & 1) != 0 && ((i.labels >> l) & 1) != 0)
        widest = std::max(widest, fused.label_chunks()[l]->largest());
    }
  }
  return fmt::format("panels of {} rows, {} columns", kernels::panel_rows(widest), widest);
}

void add_bytes(Explanation& explanation, const std::vector<LayerPtr>& order,
               const PlanBytes& bytes) {
  for (size_t l = 0; l < order.size(); ++l) {
    Explanation::Layer& layer = explanation.layers[l];
    if (const auto* fused = dynamic_cast<const graph::FusedLayer*>(order[l].get())) {
      layer.width = width_of(*fused);
      layer.elements = elements_of(*fused);
    }
    const auto found = bytes.layers.find(order[l].get());
    layer.tasks = 0;
    if (found == bytes.layers.end()) continue;
    const LayerBytes& measured = found->second;
    layer.tasks = measured.tasks;
    layer.bytes_from_memory = measured.from_memory;
    layer.bytes_from_tasks = measured.from_tasks;
    layer.bytes_written = measured.written;
    layer.bytes_held = measured.held;
    layer.largest_task = measured.largest_task;
    layer.largest_block = measured.largest_block;
    explanation.bytes_from_memory += measured.from_memory;
    explanation.bytes_from_tasks += measured.from_tasks;
    explanation.bytes_written += measured.written;
    explanation.largest_task = std::max(explanation.largest_task, measured.largest_task);
    if (layer.name == "from_function") explanation.bytes_from_sources += measured.written;
  }
  explanation.bytes_in_memory = bytes.in_memory;
  explanation.bytes_results = bytes.results;
  explanation.bytes_held = bytes.held;
}

}  // namespace

Explanation explain(const std::vector<Port>& outputs, const ExplainOptions& options) {
  if (outputs.empty()) throw InvalidArgument("explain", "no outputs; at least one array is needed");
  const optimize::Passes passes = optimize::enabled(options.passes);
  Explanation explanation;
  explanation.title = options.title;
  for (const optimize::Pass& pass : optimize::passes()) {
    if (!(passes.*pass.enabled)) explanation.disabled.emplace_back(pass.name);
  }
  explanation.built = layers_of(graph::layers_in_order(outputs));

  optimize::Trace trace;
  const std::vector<Port> optimised = optimize::optimize_layers(outputs, passes, &trace);
  const graph::Lowered plan = optimize::lower(optimised, passes, &trace);
  add_steps(explanation, trace);
  explanation.tasks = plan.arrays.task_count();
  explanation.edges = plan.arrays.successors.items.size();

  // Fused tasks belong to no layer, so bytes are those of the plan before: what fusion of tasks saves is
  // scheduling.
  const std::vector<LayerPtr> order = graph::layers_in_order(optimised);
  optimize::Passes by_layer = passes;
  by_layer.fuse_tasks = false;
  const bool fused_tasks = std::any_of(trace.begin(), trace.end(),
                                       [](const auto& step) { return step.name == "fuse_tasks"; });
  const PlanBytes bytes = measure(fused_tasks ? optimize::lower(optimised, by_layer) : plan);
  explanation.layers = layers_of(order);
  add_bytes(explanation, order, bytes);
  explanation.choices = choices_of(explanation);
  explanation.hints = hints_of(order, bytes, options.threads > 0 ? options.threads : usable_cpus());
  return explanation;
}

TUFF_NAMESPACE_END
