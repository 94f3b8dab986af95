// What all blockwise layers share: which blocks a task reads, and what a cut of the space asks of the inputs;
// see blockwise.h.
#include "tuff/graph/blockwise.h"

#include <utility>

#include "tuff/graph/fused.h"
#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

BlockwiseLayer::BlockwiseLayer(std::vector<Port> inputs, DType dtype, Chunks chunks,
                               Alignment alignment)
    : Layer(std::move(inputs), dtype, std::move(chunks)), alignment_(std::move(alignment)) {}

BlockwiseLayer::BlockwiseLayer(std::vector<Port> inputs, DType dtype, Alignment alignment)
    : Layer(std::move(inputs), dtype, alignment.space), alignment_(std::move(alignment)) {}

void BlockwiseLayer::inputs_of(uint32_t task, std::vector<InputBlock>& reads) const {
  const Dims index = grid_index(task, grid_of(outputs()[0].chunks));
  Dims space(alignment_.space.size(), 0);
  for (size_t a = 0; a < alignment_.output.size(); ++a) {
    if (alignment_.output[a] != kNoLabel)
      space[static_cast<size_t>(alignment_.output[a])] = index[a];
  }
  for (uint32_t k = 0; k < inputs().size(); ++k) {
    const LabelMap& map = alignment_.inputs[k];
    int64_t block = 0;
    for (size_t a = 0; a < map.size(); ++a) {
      const int8_t label = map[a];
      if (label == kNoLabel) continue;
      const auto axis = static_cast<size_t>(label);
      block = block * static_cast<int64_t>(alignment_.space[axis]->count()) + space[axis];
    }
    reads.push_back({k, static_cast<uint32_t>(block)});
  }
}

std::shared_ptr<const TaskFunction> BlockwiseLayer::lower(const LowerHints& hints) const {
  return weld_single(*this)->lower(hints);
}

namespace {

/// What slices (or chunks) of the iteration space are for input k: those of its axes, and `absent` where it
/// is stretched.
template <class T>
PerAxis<T> of_input(const Alignment& alignment, size_t k, const PerAxis<T>& space,
                    const PerAxis<T>& absent) {
  PerAxis<T> result = absent;
  for (size_t a = 0; a < absent.size(); ++a) {
    const int8_t axis = alignment.inputs[k][a];
    if (axis != kNoLabel) result[a] = space[static_cast<size_t>(axis)];
  }
  return result;
}

}  // namespace

Port sliced_input(const BlockwiseLayer& layer, size_t k, const Slices& slices) {
  const Port& input = layer.inputs()[k];
  const size_t rank = output_of(input).chunks.size();
  return slice_of(input, of_input(layer.alignment(), k, slices, whole_slices(rank)));
}

Port rechunked_input(const BlockwiseLayer& layer, size_t k, const Chunks& chunks) {
  const Port& input = layer.inputs()[k];
  return rechunk_of(input, of_input(layer.alignment(), k, chunks, output_of(input).chunks));
}

std::vector<Port> sliced_inputs(const BlockwiseLayer& layer, const Slices& slices) {
  std::vector<Port> inputs;
  for (size_t k = 0; k < layer.inputs().size(); ++k)
    inputs.push_back(sliced_input(layer, k, slices));
  return inputs;
}

std::vector<Port> rechunked_inputs(const BlockwiseLayer& layer, const Chunks& chunks) {
  std::vector<Port> inputs;
  for (size_t k = 0; k < layer.inputs().size(); ++k)
    inputs.push_back(rechunked_input(layer, k, chunks));
  return inputs;
}

}  // namespace graph
TUFF_NAMESPACE_END
