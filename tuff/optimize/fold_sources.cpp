// One walk from sources to outputs, in which folded layers are the sources of the next; see
// fold_sources.h.
#include "tuff/optimize/fold_sources.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "tuff/graph/blockwise.h"
#include "tuff/graph/generated_layers.h"
#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

using graph::BlockwiseLayer;
using graph::FullLayer;
using graph::Layer;
using graph::LayerPtr;
using graph::Port;

const BlockwiseLayer* as_source(const Port& port) {
  const auto* layer = dynamic_cast<const BlockwiseLayer*>(port.layer.get());
  return layer != nullptr && layer->is_cheap_source() ? layer : nullptr;
}

/// The one element of `layer`, whose inputs are all constants: its own program, run on one element. No
/// value when that fails (an integer to the power -1): it is the run's to fail, with the name of the block.
std::optional<std::array<std::byte, 8>> computed(const BlockwiseLayer& layer) {
  graph::Emitter emitter;
  std::vector<uint32_t> args;
  for (const Port& input : layer.inputs()) {
    const auto& constant = static_cast<const FullLayer&>(*input.layer);
    args.push_back(emitter.constant(graph::output_of(input).dtype, constant.value()));
  }
  const graph::LabelMap labels(layer.alignment().space.size(), graph::kNoLabel);
  const uint32_t value = layer.emit(emitter, args, labels);
  emitter.program.outputs.push_back({layer.outputs()[0].dtype, {}});
  emitter.store(value, 0);
  emitter.program.verify();
  Scratch scratch;
  Block block;
  try {
    kernels::ProgramRunner(std::move(emitter.program))
        .run(
            {}, [&](size_t bytes) { return scratch.get(bytes); }, std::span(&block, 1));
  } catch (const InvalidArgument&) {
    return std::nullopt;
  }
  std::array<std::byte, 8> bytes{};
  std::memcpy(bytes.data(), block.bytes_data(), size_of(block.dtype()));
  return bytes;
}

/// The source that `layer` amounts to, or null.
LayerPtr folded(const Layer& layer) {
  if (layer.inputs().empty() || !is_known(layer.outputs()[0].chunks)) return nullptr;
  if (dynamic_cast<const graph::RechunkLayer*>(&layer) != nullptr) {
    const BlockwiseLayer* source = as_source(layer.inputs().back());
    return source != nullptr ? source->rechunked(0, layer.outputs()[0].chunks).layer : nullptr;
  }
  const auto* blockwise = dynamic_cast<const BlockwiseLayer*>(&layer);
  const bool constant =
      blockwise != nullptr && !blockwise->is_reduction() &&
      std::all_of(layer.inputs().begin(), layer.inputs().end(), [](const Port& input) {
        return dynamic_cast<const FullLayer*>(input.layer.get()) != nullptr;
      });
  if (!constant) return nullptr;
  const auto value = computed(*blockwise);
  if (!value) return nullptr;
  return std::make_shared<FullLayer>(layer.outputs()[0].dtype, layer.outputs()[0].chunks, *value);
}

}  // namespace

std::vector<Port> fold_sources(const std::vector<Port>& outputs) {
  graph::Replacements replacements;
  for (const LayerPtr& layer : graph::layers_in_order(outputs)) {
    LayerPtr now = replacements.with_new_inputs(layer);
    if (LayerPtr source = folded(*now)) now = std::move(source);
    if (now == layer) continue;
    for (uint32_t o = 0; o < layer->outputs().size(); ++o)
      replacements.set(layer.get(), o, {now, o});
  }
  std::vector<Port> result;
  result.reserve(outputs.size());
  for (const Port& output : outputs) result.push_back(replacements(output));
  return result;
}

}  // namespace optimize
TUFF_NAMESPACE_END
