// Layers whose blocks line up with the blocks of their inputs: what can be fused into one program.
//
// Each has an iteration space (axes with chunks) and says how the axes of inputs and output lie in
// it, like the indices of an einsum. A task is one block of that space. `emit` writes the layer into
// a block program; a layer that is not fused with others is a program of its own.
#pragma once

#include "tuff/graph/alignment.h"
#include "tuff/graph/emitter.h"
#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

class TUFF_API BlockwiseLayer : public Layer {
 public:
  const Alignment& alignment() const { return alignment_; }
  /// Writes the layer. `args`: a value per input; `labels`: the label of each iteration axis.
  virtual uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                        const LabelMap& labels) const = 0;
  /// Whether making a block twice costs less than keeping it: sources computed from nothing.
  virtual bool is_cheap_source() const { return false; }
  /// Whether the result exists only after all rows of the block were seen (given the row label).
  /// Moments of rank 0 reduce no axis, and yet count the steps of the walk.
  bool is_reduction() const { return alignment_.reduced != 0 || yields_moments(); }
  /// Whether the output has a trailing axis n, mean, m2 that no iteration axis stands for.
  virtual bool yields_moments() const { return false; }

  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override;
  bool reads_everything() const override { return true; }
  std::shared_ptr<const TaskFunction> lower(const LowerHints& hints) const override;

 protected:
  BlockwiseLayer(std::vector<Port> inputs, DType dtype, Chunks chunks, Alignment alignment);
  /// Where the output is cut as the iteration space is.
  BlockwiseLayer(std::vector<Port> inputs, DType dtype, Alignment alignment);

 private:
  Alignment alignment_;
};

/// Input k of a layer, cut as these slices (or chunks) of its iteration space ask.
Port sliced_input(const BlockwiseLayer& layer, size_t k, const Slices& slices);
Port rechunked_input(const BlockwiseLayer& layer, size_t k, const Chunks& chunks);
/// All of its inputs.
std::vector<Port> sliced_inputs(const BlockwiseLayer& layer, const Slices& slices);
std::vector<Port> rechunked_inputs(const BlockwiseLayer& layer, const Chunks& chunks);

}  // namespace graph
TUFF_NAMESPACE_END
