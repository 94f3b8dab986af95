// See verify.h.
#include "tuff/optimize/verify.h"

#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "tuff/graph/fused.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

using graph::kNoLabel;
using graph::Layer;
using graph::LayerOutput;
using graph::LayerPtr;
using graph::Port;

bool alike(const LayerOutput& a, const LayerOutput& b) {
  if (a.dtype != b.dtype || a.chunks.size() != b.chunks.size()) return false;
  for (size_t axis = 0; axis < a.chunks.size(); ++axis) {
    if (!same_chunks(a.chunks[axis], b.chunks[axis])) return false;
  }
  return true;
}

std::string text_of(const LayerOutput& output) {
  return fmt::format("{} {}", name_of(output.dtype), tuff::to_string(output.chunks));
}

class Verifier {
 public:
  explicit Verifier(std::string_view pass) : pass_(pass) {}

  void check(const Layer& layer) const {
    check_outputs(layer);
    if (const auto* fused = dynamic_cast<const graph::FusedLayer*>(&layer)) {
      check_fused(*fused);
    } else if (const auto* blockwise = dynamic_cast<const graph::BlockwiseLayer*>(&layer)) {
      check_blockwise(*blockwise);
    }
    check_reads(layer);
  }

  [[noreturn]] void fail(const Layer& layer, const std::string& what) const {
    throw InternalError(fmt::format("[optimize] after {}: layer {}({}) {}", pass_, layer.name(),
                                    layer.note(), what));
  }

 private:
  /// Made anew on its inputs, the layer has the outputs that it has.
  void check_outputs(const Layer& layer) const {
    if (layer.inputs().empty()) return;
    const LayerPtr again = layer.with_inputs(layer.inputs());
    for (size_t o = 0; o < layer.outputs().size(); ++o) {
      if (o < again->outputs().size() && alike(layer.outputs()[o], again->outputs()[o])) continue;
      fail(layer, fmt::format("promises {} as output {}, which its inputs do not give",
                              text_of(layer.outputs()[o]), o));
    }
  }

  void check_axis(const Layer& layer, size_t input, size_t axis, bool labelled,
                  const AxisChunksPtr& wanted) const {
    const AxisChunksPtr& given = graph::output_of(layer.inputs()[input]).chunks[axis];
    const bool fits = labelled ? same_chunks(given, wanted)
                               : given->is_known() && given->count() == 1 && given->largest() == 1;
    if (!fits) fail(layer, fmt::format("reads axis {} of input {}, cut otherwise", axis, input));
  }

  void check_blockwise(const graph::BlockwiseLayer& layer) const {
    const graph::Alignment& alignment = layer.alignment();
    for (size_t k = 0; k < layer.inputs().size(); ++k) {
      const graph::LabelMap& map = alignment.inputs[k];
      if (map.size() != graph::output_of(layer.inputs()[k]).chunks.size())
        fail(layer, fmt::format("takes input {} for one of rank {}", k, map.size()));
      for (size_t a = 0; a < map.size(); ++a) {
        const bool labelled = map[a] != kNoLabel;
        check_axis(layer, k, a, labelled,
                   labelled ? alignment.space[static_cast<size_t>(map[a])] : nullptr);
      }
    }
  }

  void check_fused(const graph::FusedLayer& layer) const {
    const std::vector<kernels::ProgramOperand>& operands = layer.program().operands;
    if (operands.size() != layer.inputs().size())
      fail(layer,
           fmt::format("has {} operands and {} inputs", operands.size(), layer.inputs().size()));
    for (size_t k = 0; k < operands.size(); ++k) {
      const LayerOutput& input = graph::output_of(layer.inputs()[k]);
      const graph::LabelMap& axes = operands[k].axes;
      if (operands[k].dtype != input.dtype || axes.size() != input.chunks.size())
        fail(layer, fmt::format("takes input {} for {} of rank {}", k, name_of(operands[k].dtype),
                                axes.size()));
      for (size_t a = 0; a < axes.size(); ++a) {
        const bool labelled = axes[a] != kNoLabel;
        check_axis(layer, k, a, labelled,
                   labelled ? layer.label_chunks()[static_cast<size_t>(axes[a])] : nullptr);
      }
    }
  }

  void check_reads(const Layer& layer) const {
    std::vector<graph::InputBlock> reads;
    const auto tasks = static_cast<uint32_t>(layer.task_count());
    for (uint32_t t = 0; t < tasks; ++t) {
      reads.clear();
      layer.inputs_of(t, reads);
      for (const graph::InputBlock& read : reads) {
        const bool exists =
            read.input < layer.inputs().size() &&
            read.block < block_count(graph::output_of(layer.inputs()[read.input]).chunks);
        if (!exists) {
          fail(layer, fmt::format("reads block {} of input {} in task {}, which is not there",
                                  read.block, read.input, t));
        }
      }
    }
  }

  std::string_view pass_;
};

}  // namespace

void verify(std::string_view pass, const std::vector<Port>& known,
            const std::vector<Port>& outputs) {
  const Verifier verifier(pass);
  std::unordered_set<const Layer*> sound;
  for (const LayerPtr& layer : graph::layers_in_order(known)) sound.insert(layer.get());
  for (const Port& output : outputs) {
    if (output.layer == nullptr || output.output >= output.layer->outputs().size())
      throw InternalError(fmt::format("[optimize] after {}: an output that is not there", pass));
  }
  std::unordered_set<const Layer*> seen;
  for (const LayerPtr& layer : graph::layers_in_order(outputs)) {
    for (const Port& input : layer->inputs()) {
      if (!seen.contains(input.layer.get())) verifier.fail(*layer, "needs itself");
      if (input.output >= input.layer->outputs().size())
        verifier.fail(*layer, fmt::format("reads output {} of {}, which has {}", input.output,
                                          input.layer->name(), input.layer->outputs().size()));
    }
    seen.insert(layer.get());
    if (!sound.contains(layer.get())) verifier.check(*layer);
  }
}

void verify_same(std::string_view pass, const std::vector<Port>& before,
                 const std::vector<Port>& after) {
  if (before.size() != after.size()) {
    throw InternalError(fmt::format("[optimize] after {}: {} outputs became {}", pass,
                                    before.size(), after.size()));
  }
  for (size_t o = 0; o < before.size(); ++o) {
    if (after[o].layer == nullptr || after[o].output >= after[o].layer->outputs().size())
      throw InternalError(fmt::format("[optimize] after {}: an output that is not there", pass));
    const LayerOutput& was = graph::output_of(before[o]);
    const LayerOutput& is = graph::output_of(after[o]);
    if (alike(was, is)) continue;
    throw InternalError(fmt::format("[optimize] after {}: output {} was {} and is {}", pass, o,
                                    text_of(was), text_of(is)));
  }
}

}  // namespace optimize
TUFF_NAMESPACE_END
