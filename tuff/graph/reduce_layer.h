// Blocks reduced one by one. Appended by array/reductions.cpp, which puts the blocks together with combine.h.
#pragma once

#include "tuff/graph/blockwise.h"
#include "tuff/ops/table.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// Each block reduced on its own along some axes. The output keeps these axes, with one element per
/// block; combine.h puts the blocks together.
class TUFF_API ReduceLayer final : public BlockwiseLayer {
 public:
  /// `element`: what elements are cast to before, of a type that the reduction has kernels for. `axes` ascend.
  ReduceLayer(ops::Reduction reduction, DType element, const Port& input, const Axes& axes);
  std::string_view name() const override;
  bool yields_moments() const override { return reduction_ == ops::Reduction::moments; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  const Axes& axes() const { return axes_; }
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  ops::Reduction reduction_;
  DType element_;
  Axes axes_;
};

}  // namespace graph
TUFF_NAMESPACE_END
