// Arrays one after the other. The layer has no tasks: lowering finds each of its blocks where an input has it.
#pragma once

#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// Arrays one after the other along an axis. Each output block is a block of one input: no copy and no task.
class TUFF_API ConcatenateLayer final : public Layer {
 public:
  /// At least one input, all of one dtype and rank, with equal chunks along every axis but `axis`, and known
  /// ones along that.
  ConcatenateLayer(std::vector<Port> inputs, size_t axis);
  std::string_view name() const override { return "concatenate"; }
  bool is_view() const override { return true; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override;
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override { return nullptr; }
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  ConcatenateLayer(Chunks chunks, std::vector<Port> inputs, size_t axis);
  size_t axis_;
  std::vector<uint32_t> first_block_;  // along the axis, by input; one more at the end
};

}  // namespace graph
TUFF_NAMESPACE_END
