// Element-wise operations, and the cast between types: one output element per position, from one of each input.
//
// Appended by array/math.cpp and array/array.cpp; read back by serialize.cpp.
#pragma once

#include "tuff/graph/blockwise.h"
#include "tuff/ops/table.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// An operation of the table on inputs that broadcast against each other. Operands are cast inside.
class TUFF_API ElementwiseLayer final : public BlockwiseLayer {
 public:
  /// `space`: chunks of the result; every input axis has these chunks or one block of extent 1, and where all have
  /// that, the extent is known.
  ElementwiseLayer(ops::Elementwise op, const std::vector<Port>& inputs, const Chunks& space);
  /// With the operand type given instead of promoted: for operands that are C++ scalars. The types are some that
  /// ops::types_of() gives.
  ElementwiseLayer(ops::Elementwise op, std::vector<Port> inputs, const Chunks& space,
                   ops::OperationTypes types);
  std::string_view name() const override { return ops::operation(op_).name; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  ElementwiseLayer(ops::Elementwise op, std::vector<Port>&& inputs, ops::OperationTypes types,
                   Alignment&& alignment);
  ops::Elementwise op_;
  ops::OperationTypes types_;
};

class TUFF_API CastLayer final : public BlockwiseLayer {
 public:
  CastLayer(const Port& input, DType dtype);
  std::string_view name() const override { return "astype"; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override { return std::string(name_of(outputs()[0].dtype)); }
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);
};

}  // namespace graph
TUFF_NAMESPACE_END
