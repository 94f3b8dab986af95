// One instruction per call, with its type and its labels; see emitter.h.
#include "tuff/graph/emitter.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

using kernels::Code;
using kernels::Instruction;

uint32_t Emitter::add(Instruction instruction) {
  program.instructions.push_back(instruction);
  return static_cast<uint32_t>(program.instructions.size()) - 1;
}

uint32_t Emitter::load(uint32_t operand) {
  Instruction i;
  i.code = Code::load;
  i.dtype = program.operands[operand].dtype;
  i.index = operand;
  i.labels = set_of(program.operands[operand].axes);
  return add(i);
}

uint32_t Emitter::constant(DType dtype, const std::array<std::byte, 8>& bytes) {
  Instruction i;
  i.code = Code::constant;
  i.dtype = dtype;
  i.constant = bytes;
  return add(i);
}

uint32_t Emitter::index(uint32_t label) {
  Instruction i;
  i.code = Code::index;
  i.dtype = DType::int64;
  i.index = label;
  i.labels = set_of(static_cast<int>(label));
  return add(i);
}

uint32_t Emitter::random(kernels::ProgramSource source, bool normal, DType dtype) {
  Instruction i;
  i.code = Code::random;
  i.dtype = dtype;
  i.op = normal ? 1 : 0;
  i.index = static_cast<uint32_t>(program.sources.size());
  i.labels = set_of(source.axes);
  program.sources.push_back(source);
  return add(i);
}

uint32_t Emitter::elementwise(ops::Elementwise op, DType operand, DType result,
                              std::span<const uint32_t> args) {
  Instruction i;
  i.code = Code::elementwise;
  i.op = static_cast<uint8_t>(op);
  i.operand = operand;
  i.dtype = result;
  for (size_t k = 0; k < args.size(); ++k) {
    i.args[k] = args[k];
    i.labels |= labels_of(args[k]);
  }
  return add(i);
}

uint32_t Emitter::cast(uint32_t value, DType to) {
  if (dtype_of_value(value) == to) return value;
  Instruction i;
  i.code = Code::cast;
  i.dtype = to;
  i.args[0] = value;
  i.labels = labels_of(value);
  return add(i);
}

uint32_t Emitter::reduce(ops::Reduction reduction, uint32_t value, LabelSet space, LabelSet over) {
  Instruction i;
  i.code = Code::reduce;
  i.dtype = dtype_of_value(value);
  i.op = static_cast<uint8_t>(reduction);
  i.args[0] = value;
  i.space = space | labels_of(value);
  i.over = over;
  i.labels = i.space & static_cast<LabelSet>(~over);
  return add(i);
}

uint32_t Emitter::contract(Code code, uint32_t a, uint32_t b, LabelSet over) {
  Instruction i;
  i.code = code;
  i.dtype = dtype_of_value(a);
  i.args[0] = a;
  i.args[1] = b;
  i.over = over;
  i.labels = (labels_of(a) | labels_of(b)) & static_cast<LabelSet>(~over);
  return add(i);
}

void Emitter::store(uint32_t value, uint32_t output) {
  Instruction i;
  i.code = Code::store;
  i.dtype = program.outputs[output].dtype;
  i.args[0] = cast(value, i.dtype);
  i.index = output;
  i.labels = labels_of(i.args[0]);
  add(i);
}

}  // namespace graph
TUFF_NAMESPACE_END
