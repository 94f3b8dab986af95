// Element-wise operations and casts as layers; see elementwise_layer.h.
#include "tuff/graph/elementwise_layer.h"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

std::vector<DType> dtypes_of(const std::vector<Port>& ports) {
  std::vector<DType> types;
  types.reserve(ports.size());
  for (const Port& port : ports) types.push_back(output_of(port).dtype);
  return types;
}

/// The alignment, when there are as many inputs as operands, and they broadcast against the space.
Alignment checked_alignment(const ops::Operation& operation, const std::vector<Port>& inputs,
                            const Chunks& space) {
  const auto refuse = [&](std::string_view what) { throw InvalidArgument(operation.name, what); };
  if (static_cast<size_t>(operation.arity) != inputs.size()) refuse("a wrong number of operands");
  uint32_t told = 0;  // axes of the space that an input has
  for (const Port& input : inputs) {
    const Chunks& chunks = output_of(input).chunks;
    if (chunks.size() > space.size()) refuse("an operand of higher rank than its result");
    for (size_t a = 0; a < chunks.size(); ++a) {
      const size_t axis = space.size() - chunks.size() + a;
      if (same_chunks(chunks[a], space[axis])) {
        told |= 1U << axis;
      } else if (!is_one(chunks[a])) {
        refuse("operands cut differently");
      }
    }
  }
  for (size_t axis = 0; axis < space.size(); ++axis) {
    if (((told >> axis) & 1) == 0 && !space[axis]->is_known())
      refuse("an unknown extent that no operand has");
  }
  return broadcast_alignment(inputs, space);
}

}  // namespace

ElementwiseLayer::ElementwiseLayer(ops::Elementwise op, const std::vector<Port>& inputs,
                                   const Chunks& space)
    : ElementwiseLayer(op, inputs, space, ops::types_of(ops::operation(op), dtypes_of(inputs))) {}

ElementwiseLayer::ElementwiseLayer(ops::Elementwise op, std::vector<Port> inputs,
                                   const Chunks& space, ops::OperationTypes types)
    : ElementwiseLayer(op, std::move(inputs), types,
                       checked_alignment(ops::operation(op), inputs, space)) {}

ElementwiseLayer::ElementwiseLayer(ops::Elementwise op, std::vector<Port>&& inputs,
                                   ops::OperationTypes types, Alignment&& alignment)
    : BlockwiseLayer(std::move(inputs), types.result, std::move(alignment)),
      op_(op),
      types_(types) {
  const ops::Operation& operation = ops::operation(op);
  std::array<DType, 3> operands;
  operands.fill(types.operand);
  const ops::OperationTypes derived =
      ops::types_of(operation, std::span(operands).first(this->inputs().size()));
  if (derived.operand != types.operand || derived.result != types.result) {
    throw InvalidArgument(
        operation.name,
        fmt::format("{} of operands of type {}", name_of(types.result), name_of(types.operand)));
  }
}

uint32_t ElementwiseLayer::emit(Emitter& emitter, std::span<const uint32_t> args,
                                const LabelMap&) const {
  std::array<uint32_t, 3> cast_args{};
  for (size_t k = 0; k < args.size(); ++k) {
    const bool condition = op_ == ops::Elementwise::where && k == 0;
    cast_args[k] = emitter.cast(args[k], condition ? DType::bool_ : types_.operand);
  }
  const ops::TypeRule rule = ops::operation(op_).rule;
  if (!is_floating(types_.operand)) {
    // Whole numbers are their own floor, never NaN, and absolute values of unsigned ones are themselves.
    if (rule == ops::TypeRule::rounding) return cast_args[0];
    if (op_ == ops::Elementwise::absolute && !is_signed_integer(types_.operand))
      return cast_args[0];
    if (rule == ops::TypeRule::predicate) {
      std::array<std::byte, 8> answer{};
      answer[0] = std::byte{op_ == ops::Elementwise::isfinite};
      return emitter.constant(DType::bool_, answer);
    }
  }
  return emitter.elementwise(op_, types_.operand, types_.result,
                             std::span(cast_args.data(), args.size()));
}

LayerPtr ElementwiseLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<ElementwiseLayer>(op_, inputs, alignment().space, types_);
}

Port ElementwiseLayer::sliced(uint32_t, const Slices& slices) const {
  return {std::make_shared<ElementwiseLayer>(op_, sliced_inputs(*this, slices),
                                             sliced_chunks(alignment().space, slices), types_),
          0};
}

Port ElementwiseLayer::rechunked(uint32_t, const Chunks& chunks) const {
  return {std::make_shared<ElementwiseLayer>(op_, rechunked_inputs(*this, chunks), chunks, types_),
          0};
}

void ElementwiseLayer::write(LayerWriter& writer) const {
  writer.put(types_.operand);
  writer.put(types_.result);
  writer.put_chunks(alignment().space);
}

LayerPtr ElementwiseLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                                std::string_view name) {
  const DType operand = reader.dtype();
  const DType result = reader.dtype();
  const Chunks space = reader.get_chunks();
  const auto operations = ops::operations();
  const auto op = std::find_if(operations.begin(), operations.end(),
                               [&](const ops::Operation& row) { return row.name == name; });
  if (op == operations.end()) reader.fail("an unknown operation");
  return reader.make<ElementwiseLayer>(op->code, inputs, space,
                                       ops::OperationTypes{operand, result});
}

// ---- CastLayer -----------------------------------------------------------------------------------

CastLayer::CastLayer(const Port& input, DType dtype)
    : BlockwiseLayer({input}, dtype, broadcast_alignment({input}, output_of(input).chunks)) {}

uint32_t CastLayer::emit(Emitter& emitter, std::span<const uint32_t> args, const LabelMap&) const {
  return emitter.cast(args[0], outputs()[0].dtype);
}

LayerPtr CastLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<CastLayer>(inputs[0], outputs()[0].dtype);
}

Port CastLayer::sliced(uint32_t, const Slices& slices) const {
  return {std::make_shared<CastLayer>(sliced_input(*this, 0, slices), outputs()[0].dtype), 0};
}

Port CastLayer::rechunked(uint32_t, const Chunks& chunks) const {
  return {std::make_shared<CastLayer>(rechunked_input(*this, 0, chunks), outputs()[0].dtype), 0};
}

void CastLayer::write(LayerWriter& writer) const { writer.put(outputs()[0].dtype); }

LayerPtr CastLayer::read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view) {
  reader.need_inputs(inputs, 1);
  return reader.make<CastLayer>(inputs[0], reader.dtype());
}

}  // namespace graph
TUFF_NAMESPACE_END
