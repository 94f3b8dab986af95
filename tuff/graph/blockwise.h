// Layers whose blocks line up with the blocks of their inputs: what can be fused into one program.
//
// Each has an iteration space (axes with chunks) and says how the axes of inputs and output lie in
// it, like the indices of an einsum. A task is one block of that space. `emit` writes the layer into
// a block program; a layer that is not fused with others is a program of its own.
#pragma once

#include <optional>

#include "tuff/graph/layer.h"
#include "tuff/kernels/program.h"
#include "tuff/ops/table.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

using kernels::kNoLabel;
using kernels::LabelMap;
using kernels::LabelSet;

/// How a layer's arrays lie in its iteration space.
struct Alignment {
  Chunks space;                  ///< chunks of each iteration axis
  std::vector<LabelMap> inputs;  ///< by input, by axis: the iteration axis, or kNoLabel (extent 1)
  LabelMap output;        ///< by axis of the output: the iteration axis, or kNoLabel (extent 1)
  uint8_t collapsed = 0;  ///< bit a: output axis a has one element per block of its iteration axis
  uint8_t reduced = 0;    ///< bit i: iteration axis i vanishes inside the block
};

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

 private:
  Alignment alignment_;
};

/// An operation of the table on inputs that broadcast against each other. Operands are cast inside.
class TUFF_API ElementwiseLayer final : public BlockwiseLayer {
 public:
  /// `space`: chunks of the result; every input axis has these chunks or one block of extent 1.
  ElementwiseLayer(ops::Elementwise op, std::vector<Port> inputs, Chunks space);
  /// With the operand type given instead of promoted: for operands that are C++ scalars.
  ElementwiseLayer(ops::Elementwise op, std::vector<Port> inputs, Chunks space,
                   ops::OperationTypes types);
  std::string_view name() const override { return ops::operation(op_).name; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, std::vector<Port> inputs, std::string_view name);

 private:
  ops::Elementwise op_;
  ops::OperationTypes types_;
};

class TUFF_API CastLayer final : public BlockwiseLayer {
 public:
  CastLayer(Port input, DType dtype);
  std::string_view name() const override { return "astype"; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override { return std::string(name_of(outputs()[0].dtype)); }
  static LayerPtr read(LayerReader& reader, std::vector<Port> inputs, std::string_view name);
};

/// Arrays made from nothing: one value everywhere.
class TUFF_API FullLayer final : public BlockwiseLayer {
 public:
  FullLayer(DType dtype, Chunks chunks, const std::array<std::byte, 8>& value);
  std::string_view name() const override { return "full"; }
  /// The element, in the first bytes.
  const std::array<std::byte, 8>& value() const { return value_; }
  bool is_cheap_source() const override { return true; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, std::vector<Port> inputs, std::string_view name);

 private:
  std::array<std::byte, 8> value_;
};

/// int64 numbers first, first + step, first + 2 step, ... in a 1-d array; 0, 1, 2, ... unless it was sliced.
class TUFF_API IndexLayer final : public BlockwiseLayer {
 public:
  explicit IndexLayer(AxisChunksPtr axis, int64_t first = 0, int64_t step = 1);
  std::string_view name() const override { return "index"; }
  bool is_cheap_source() const override { return true; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, std::vector<Port> inputs, std::string_view name);

 private:
  int64_t first_;
  int64_t step_;
};

/// Random numbers keyed by (seed, stream, position in the whole array).
class TUFF_API RandomLayer final : public BlockwiseLayer {
 public:
  RandomLayer(bool normal, kernels::RandomKey key, DType dtype, Chunks chunks);
  /// A part of a larger array: element i has the position first + the sum of strides[a] i[a] there.
  RandomLayer(bool normal, kernels::RandomKey key, DType dtype, Chunks chunks, int64_t first,
              Dims strides);
  std::string_view name() const override { return normal_ ? "normal" : "uniform"; }
  bool is_cheap_source() const override { return true; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  static LayerPtr read(LayerReader& reader, std::vector<Port> inputs, std::string_view name);

 private:
  bool normal_;
  kernels::RandomKey key_;
  int64_t first_ = 0;
  Dims strides_;
};

/// The same elements under other axes: transposed, with axes of extent 1 added or dropped, broadcast.
class TUFF_API RelabelLayer final : public BlockwiseLayer {
 public:
  /// `from[a]`: the input axis that output axis a shows, or kNoLabel for a new one. `chunks`: of the
  /// output; a new axis, or one whose input has extent 1, may have any chunks (broadcast).
  RelabelLayer(Port input, LabelMap from, Chunks chunks);
  std::string_view name() const override { return "relabel"; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  /// A new header on the same memory, unless an axis is broadcast over several blocks' extents.
  bool is_view() const override { return view_; }
  std::shared_ptr<const TaskFunction> lower(const LowerHints& hints) const override;
  static LayerPtr read(LayerReader& reader, std::vector<Port> inputs, std::string_view name);

 private:
  LabelMap from_;
  bool view_ = true;
};

/// Each block reduced on its own along some axes. The output keeps these axes, with one element per
/// block; combine.h puts the blocks together.
class TUFF_API ReduceLayer final : public BlockwiseLayer {
 public:
  ReduceLayer(ops::Reduction reduction, DType element, Port input, Axes axes);
  std::string_view name() const override;
  bool yields_moments() const override { return reduction_ == ops::Reduction::moments; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  const Axes& axes() const { return axes_; }
  static LayerPtr read(LayerReader& reader, std::vector<Port> inputs, std::string_view name);

 private:
  ops::Reduction reduction_;
  DType element_;
  Axes axes_;
};

/// Products of blocks: a (i, k) b (k, j), either of them also 1-d. Where k is cut into several blocks
/// the output has one more axis at the end, with one element per block of k, for combine.h to sum.
class TUFF_API MatmulLayer final : public BlockwiseLayer {
 public:
  MatmulLayer(Port a, Port b);
  std::string_view name() const override { return "matmul"; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  /// How the product fits a panel program whose rows are iteration axis `row`; null when it does not.
  enum class Form : uint8_t { times, sums };
  std::optional<Form> panel_form(size_t row) const;
  /// Input that must be a whole small matrix in that form (times with two columns axes), or -1.
  int matrix_input(size_t row) const;
  bool has_i() const { return has_i_; }
  bool has_j() const { return has_j_; }
  /// Iteration axes, in the order i, k, j; -1 when absent.
  int axis_i() const { return has_i_ ? 0 : -1; }
  int axis_k() const { return has_i_ ? 1 : 0; }
  int axis_j() const { return has_j_ ? axis_k() + 1 : -1; }
  double typical_seconds() const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  std::shared_ptr<const TaskFunction> lower(const LowerHints& hints) const override;
  static LayerPtr read(LayerReader& reader, std::vector<Port> inputs, std::string_view name);

 private:
  static Alignment align(const Port& a, const Port& b);
  static Chunks output_chunks(const Alignment& alignment);
  bool has_i_;
  bool has_j_;
};

}  // namespace graph
TUFF_NAMESPACE_END
