// Several block-aligned layers welded into one: one task per block, one program, one read of each input.
//
// Made by optimize/fuse; a single blockwise layer is lowered through the same door. The labels of the
// program are the axes of the fused iteration space; its tasks number the blocks of those labels that
// are cut.
#pragma once

#include "tuff/graph/blockwise.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// One layer of a group and the label of each of its iteration axes.
struct FusedMember {
  std::shared_ptr<const BlockwiseLayer> layer;
  LabelMap labels;
};

class TUFF_API FusedLayer final : public Layer {
 public:
  /// `members`: inputs before users. `kept`: members whose result is an output, in that order.
  /// `panel`: label 0 is the row axis of a panel program. Inputs from outside are taken through
  /// `replaced`; sources that cost less than memory are computed inside. With `each_input`, every
  /// input of the one member is an operand of its own instead, as its inputs_of() says.
  static std::shared_ptr<const FusedLayer> weld(const std::vector<FusedMember>& members,
                                                std::vector<AxisChunksPtr> label_chunks, bool panel,
                                                const std::vector<size_t>& kept,
                                                const Replacements& replaced,
                                                bool each_input = false);

  std::string_view name() const override { return "fused"; }
  const kernels::Program& program() const;
  /// Chunks of each label of the program.
  const std::vector<AxisChunksPtr>& label_chunks() const;
  /// "normal -> exp, multiply x2 -> sum": sources made inside, operations, and reductions at the end.
  std::string note() const override { return description_; }
  size_t task_count() const override;
  uint32_t task_of(uint32_t output, uint32_t block) const override;
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override;
  bool reads_everything() const override { return true; }
  double typical_seconds() const override;
  std::shared_ptr<const TaskFunction> lower(const LowerHints& hints) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  struct Core;  // all but the inputs; shared by copies and by tasks
  class Task;
  FusedLayer(std::shared_ptr<const Core> core, std::vector<Port> inputs, std::string description);
  static std::shared_ptr<Core> make_core(kernels::Program program,
                                         std::vector<AxisChunksPtr> label_chunks);
  std::shared_ptr<const Core> core_;
  std::string description_;
};

/// The layer alone, as a fused layer.
TUFF_API std::shared_ptr<const FusedLayer> weld_single(const BlockwiseLayer& layer);

}  // namespace graph
TUFF_NAMESPACE_END
