// Writes a block program, one value after the other.
//
// Layers write themselves with it (`BlockwiseLayer::emit`), called by fused.cpp, which sets operands and outputs,
// and by passes that compute a constant. Invariant: the labels of a value are the axes it varies along.
#pragma once

#include <span>

#include "tuff/graph/alignment.h"
#include "tuff/kernels/program.h"
#include "tuff/ops/table.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// Collects a program. Values carry their labels; labels of instructions are derived here.
class TUFF_API Emitter {
 public:
  kernels::Program program;

  uint32_t load(uint32_t operand);
  uint32_t constant(DType dtype, const std::array<std::byte, 8>& bytes);
  uint32_t index(uint32_t label);
  uint32_t random(kernels::ProgramSource source, bool normal, DType dtype);
  uint32_t elementwise(ops::Elementwise op, DType operand, DType result,
                       std::span<const uint32_t> args);
  uint32_t cast(uint32_t value, DType to);
  uint32_t reduce(ops::Reduction reduction, uint32_t value, LabelSet space, LabelSet over);
  uint32_t contract(kernels::Code code, uint32_t a, uint32_t b, LabelSet over);
  void store(uint32_t value, uint32_t output);
  DType dtype_of_value(uint32_t value) const { return program.instructions[value].dtype; }
  LabelSet labels_of(uint32_t value) const { return program.instructions[value].labels; }

 private:
  uint32_t add(kernels::Instruction instruction);
};

}  // namespace graph
TUFF_NAMESPACE_END
