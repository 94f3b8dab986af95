// Blockwise layers and how each is written into a program; see blockwise.h.
#include "tuff/graph/blockwise.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "tuff/graph/fused.h"
#include "tuff/graph/movement.h"
#include "tuff/kernels/bind.h"
#include "tuff/kernels/panel.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

using kernels::Code;
using kernels::Instruction;

constexpr LabelSet bit(int label) { return static_cast<LabelSet>(1U << label); }

LabelSet set_of(const LabelMap& map) {
  LabelSet labels = 0;
  for (int8_t label : map) {
    if (label != kNoLabel) labels |= bit(label);
  }
  return labels;
}

/// One block of one element: an axis that may stretch. (Blocks without elements may cut an extent of 1.)
bool is_one(const AxisChunksPtr& axis) {
  return axis->is_known() && axis->count() == 1 && axis->extent().value() == 1;
}

LabelMap counting(size_t rank) {
  LabelMap map;
  for (size_t a = 0; a < rank; ++a) map.push_back(static_cast<int8_t>(a));
  return map;
}

/// Inputs that broadcast against `space`, as NumPy: axes line up at the end, extent 1 stretches.
Alignment broadcast_alignment(const std::vector<Port>& inputs, const Chunks& space) {
  Alignment alignment;
  alignment.space = space;
  alignment.output = counting(space.size());
  for (const Port& input : inputs) {
    const Chunks& chunks = output_of(input).chunks;
    LabelMap map;
    for (size_t a = 0; a < chunks.size(); ++a) {
      const size_t axis = space.size() - chunks.size() + a;
      const bool stretched = is_one(chunks[a]) && !is_one(space[axis]);
      TUFF_CHECK(stretched || same_chunks(chunks[a], space[axis]));
      map.push_back(stretched ? kNoLabel : static_cast<int8_t>(axis));
    }
    alignment.inputs.push_back(map);
  }
  return alignment;
}

Alignment plain_alignment(const Chunks& space) {
  Alignment alignment;
  alignment.space = space;
  alignment.output = counting(space.size());
  return alignment;
}

std::vector<DType> dtypes_of(const std::vector<Port>& ports) {
  std::vector<DType> types;
  for (const Port& port : ports) types.push_back(output_of(port).dtype);
  return types;
}

}  // namespace

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

}  // namespace

// ---- Emitter -------------------------------------------------------------------------------------

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
  i.labels = bit(static_cast<int>(label));
  return add(i);
}

uint32_t Emitter::random(kernels::ProgramSource source, bool normal, DType dtype) {
  Instruction i;
  i.code = Code::random;
  i.dtype = dtype;
  i.op = normal ? 1 : 0;
  i.index = static_cast<uint32_t>(program.sources.size());
  i.labels = set_of(source.axes);
  program.sources.push_back(std::move(source));
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

// ---- BlockwiseLayer ------------------------------------------------------------------------------

BlockwiseLayer::BlockwiseLayer(std::vector<Port> inputs, DType dtype, Chunks chunks,
                               Alignment alignment)
    : Layer(std::move(inputs), dtype, std::move(chunks)), alignment_(std::move(alignment)) {}

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
      if (map[a] == kNoLabel) continue;
      const auto axis = static_cast<size_t>(map[a]);
      block = block * static_cast<int64_t>(alignment_.space[axis]->count()) + space[axis];
    }
    reads.push_back({k, static_cast<uint32_t>(block)});
  }
}

std::shared_ptr<const TaskFunction> BlockwiseLayer::lower(const LowerHints& hints) const {
  return weld_single(*this)->lower(hints);
}

// ---- ElementwiseLayer ----------------------------------------------------------------------------

ElementwiseLayer::ElementwiseLayer(ops::Elementwise op, std::vector<Port> inputs, Chunks space)
    : ElementwiseLayer(op, inputs, space, ops::types_of(ops::operation(op), dtypes_of(inputs))) {}

ElementwiseLayer::ElementwiseLayer(ops::Elementwise op, std::vector<Port> inputs, Chunks space,
                                   ops::OperationTypes types)
    : BlockwiseLayer(inputs, types.result, space, broadcast_alignment(inputs, space)),
      op_(op),
      types_(types) {}

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
  return std::make_shared<ElementwiseLayer>(op_, std::move(inputs), alignment().space, types_);
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

namespace {

/// Chunks read from outside must fit the inputs before a layer may trust them.
void check_broadcast(LayerReader& reader, const std::vector<Port>& inputs, const Chunks& space) {
  for (const Port& input : inputs) {
    const Chunks& chunks = output_of(input).chunks;
    if (chunks.size() > space.size()) reader.fail("an input of higher rank than its result");
    for (size_t a = 0; a < chunks.size(); ++a) {
      const AxisChunksPtr& axis = space[space.size() - chunks.size() + a];
      if (!is_one(chunks[a]) && !same_chunks(chunks[a], axis))
        reader.fail("inputs cut differently");
    }
  }
}

}  // namespace

LayerPtr ElementwiseLayer::read(LayerReader& reader, std::vector<Port> inputs,
                                std::string_view name) {
  const DType operand = reader.dtype();
  const DType result = reader.dtype();
  Chunks space = reader.get_chunks();
  check_broadcast(reader, inputs, space);
  for (const ops::Operation& op : ops::operations()) {
    if (op.name != name) continue;
    if (static_cast<size_t>(op.arity) != inputs.size()) reader.fail("a wrong number of operands");
    return std::make_shared<ElementwiseLayer>(op.code, std::move(inputs), std::move(space),
                                              ops::OperationTypes{operand, result});
  }
  reader.fail("an unknown operation");
}

// ---- CastLayer -----------------------------------------------------------------------------------

CastLayer::CastLayer(Port input, DType dtype)
    : BlockwiseLayer({input}, dtype, output_of(input).chunks,
                     broadcast_alignment({input}, output_of(input).chunks)) {}

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

LayerPtr CastLayer::read(LayerReader& reader, std::vector<Port> inputs, std::string_view) {
  if (inputs.size() != 1) reader.fail("a wrong number of inputs");
  return std::make_shared<CastLayer>(inputs[0], reader.dtype());
}

// ---- FullLayer -----------------------------------------------------------------------------------

FullLayer::FullLayer(DType dtype, Chunks chunks, const std::array<std::byte, 8>& value)
    : BlockwiseLayer({}, dtype, chunks, plain_alignment(chunks)), value_(value) {}

uint32_t FullLayer::emit(Emitter& emitter, std::span<const uint32_t>, const LabelMap&) const {
  return emitter.constant(outputs()[0].dtype, value_);
}

LayerPtr FullLayer::with_inputs(std::vector<Port>) const {
  return rechunked(0, alignment().space).layer;
}

Port FullLayer::sliced(uint32_t, const Slices& slices) const {
  return rechunked(0, sliced_chunks(alignment().space, slices));
}

Port FullLayer::rechunked(uint32_t, const Chunks& chunks) const {
  return {std::make_shared<FullLayer>(outputs()[0].dtype, chunks, value_), 0};
}

void FullLayer::write(LayerWriter& writer) const {
  writer.put(outputs()[0].dtype);
  writer.put_chunks(alignment().space);
  writer.raw(value_.data(), value_.size());
}

LayerPtr FullLayer::read(LayerReader& reader, std::vector<Port> inputs, std::string_view) {
  if (!inputs.empty()) reader.fail("a wrong number of inputs");
  const DType dtype = reader.dtype();
  Chunks chunks = reader.get_chunks();
  std::array<std::byte, 8> value{};
  const auto bytes = reader.raw(value.size());
  std::copy(bytes.begin(), bytes.end(), value.begin());
  if (dtype == DType::bool_) value[0] &= std::byte{1};
  return std::make_shared<FullLayer>(dtype, std::move(chunks), value);
}

namespace {

/// Numbers read from outside: positions of all elements, first + the sum of strides[a] i[a], must be ones.
bool are_positions(int64_t first, const Dims& strides, const Chunks& chunks) {
  int64_t low = first;
  int64_t high = first;
  for (size_t a = 0; a < chunks.size(); ++a) {
    if (chunks[a]->extent().upper_bound() == 0) return true;
  }
  for (size_t a = 0; a < chunks.size(); ++a) {
    int64_t reach = 0;
    int64_t& end = strides[a] < 0 ? low : high;
    if (__builtin_mul_overflow(strides[a], chunks[a]->extent().upper_bound() - 1, &reach) ||
        __builtin_add_overflow(end, reach, &end)) {
      return false;
    }
  }
  return low >= 0;
}

}  // namespace

// ---- IndexLayer ----------------------------------------------------------------------------------

IndexLayer::IndexLayer(AxisChunksPtr axis, int64_t first, int64_t step)
    : BlockwiseLayer({}, DType::int64, Chunks{axis}, plain_alignment(Chunks{axis})),
      first_(first),
      step_(step) {}

namespace {

uint32_t whole_number(Emitter& emitter, int64_t value) {
  std::array<std::byte, 8> bytes{};
  std::memcpy(bytes.data(), &value, sizeof(value));
  return emitter.constant(DType::int64, bytes);
}

}  // namespace

uint32_t IndexLayer::emit(Emitter& emitter, std::span<const uint32_t>,
                          const LabelMap& labels) const {
  // An axis of extent 1 that meets a longer one has no label, and only one position.
  if (labels[0] == kNoLabel) return whole_number(emitter, first_);
  uint32_t value = emitter.index(static_cast<uint32_t>(labels[0]));
  const auto apply = [&](ops::Elementwise op, int64_t number) {
    const uint32_t pair[2] = {value, whole_number(emitter, number)};
    value = emitter.elementwise(op, DType::int64, DType::int64, pair);
  };
  if (step_ != 1) apply(ops::Elementwise::multiply, step_);
  if (first_ != 0) apply(ops::Elementwise::add, first_);
  return value;
}

LayerPtr IndexLayer::with_inputs(std::vector<Port>) const {
  return std::make_shared<IndexLayer>(alignment().space[0], first_, step_);
}

Port IndexLayer::sliced(uint32_t, const Slices& slices) const {
  const AxisChunksPtr axis = sliced_axis(alignment().space[0], slices[0]);
  if (slices[0].whole) return {std::make_shared<IndexLayer>(axis, first_, step_), 0};
  return {
      std::make_shared<IndexLayer>(axis, first_ + slices[0].start * step_, slices[0].step * step_),
      0};
}

Port IndexLayer::rechunked(uint32_t, const Chunks& chunks) const {
  return {std::make_shared<IndexLayer>(chunks[0], first_, step_), 0};
}

void IndexLayer::write(LayerWriter& writer) const {
  writer.put_axis(alignment().space[0]);
  writer.put(first_);
  writer.put(step_);
}

LayerPtr IndexLayer::read(LayerReader& reader, std::vector<Port> inputs, std::string_view) {
  if (!inputs.empty()) reader.fail("a wrong number of inputs");
  AxisChunksPtr axis = reader.get_axis();
  const auto first = reader.get<int64_t>();
  const auto step = reader.get<int64_t>();
  if (!are_positions(first, Dims{step}, Chunks{axis})) reader.fail("positions out of range");
  return std::make_shared<IndexLayer>(std::move(axis), first, step);
}

// ---- RandomLayer ---------------------------------------------------------------------------------

namespace {

Dims strides_of(const Chunks& chunks) {
  Dims shape;
  for (const AxisChunksPtr& axis : chunks) shape.push_back(axis->extent().value());
  return row_major_strides(shape);
}

}  // namespace

RandomLayer::RandomLayer(bool normal, kernels::RandomKey key, DType dtype, Chunks chunks)
    : RandomLayer(normal, key, dtype, chunks, 0, strides_of(chunks)) {}

RandomLayer::RandomLayer(bool normal, kernels::RandomKey key, DType dtype, Chunks chunks,
                         int64_t first, Dims strides)
    : BlockwiseLayer({}, dtype, chunks, plain_alignment(chunks)),
      normal_(normal),
      key_(key),
      first_(first),
      strides_(strides) {}

uint32_t RandomLayer::emit(Emitter& emitter, std::span<const uint32_t>,
                           const LabelMap& labels) const {
  kernels::ProgramSource source;
  source.key = key_;
  source.axes = labels;
  source.first = first_;
  source.global_strides = strides_;
  return emitter.random(std::move(source), normal_, outputs()[0].dtype);
}

LayerPtr RandomLayer::with_inputs(std::vector<Port>) const {
  return rechunked(0, alignment().space).layer;
}

namespace {

/// Elements that a few microseconds make: below that nothing is worth a thought.
constexpr double kFewElements = 5000;

/// Whether a slice of random numbers is made sooner than the blocks that it lies in. It is made in runs along
/// its last axis, and a short run takes as long as one of kRandomRun elements.
bool is_made_sooner(const Chunks& chunks, const Dims& strides, const Slices& slices) {
  double made = 1;
  double whole = 1;
  bool in_run = true;
  for (size_t a = chunks.size(); a-- > 0;) {
    double along = 0;
    for (uint32_t block : touched_blocks(*chunks[a], slices[a]))
      along += static_cast<double>(chunks[a]->size(block));
    whole *= along;
    const int64_t count = slices[a].whole ? chunks[a]->extent().value() : slices[a].count;
    if (!in_run || count <= 1) {
      made *= static_cast<double>(count);
      continue;
    }
    in_run = false;
    const auto step = std::abs(static_cast<double>(strides[a] * slices[a].step));
    const auto short_run = static_cast<double>(kernels::kRandomRun);
    const auto elements = static_cast<double>(count);
    made *= std::max(short_run, elements * std::min(step, short_run));
  }
  return made <= whole + kFewElements;
}

}  // namespace

Port RandomLayer::sliced(uint32_t, const Slices& slices) const {
  if (!is_made_sooner(alignment().space, strides_, slices)) return {};
  int64_t first = first_;
  Dims strides = strides_;
  for (size_t a = 0; a < slices.size(); ++a) {
    if (slices[a].whole || slices[a].count == 0) continue;
    first += slices[a].start * strides_[a];
    strides[a] *= slices[a].step;
  }
  return {std::make_shared<RandomLayer>(normal_, key_, outputs()[0].dtype,
                                        sliced_chunks(alignment().space, slices), first, strides),
          0};
}

Port RandomLayer::rechunked(uint32_t, const Chunks& chunks) const {
  return {
      std::make_shared<RandomLayer>(normal_, key_, outputs()[0].dtype, chunks, first_, strides_),
      0};
}

void RandomLayer::write(LayerWriter& writer) const {
  writer.put(key_.seed);
  writer.put(key_.stream);
  writer.put(outputs()[0].dtype);
  writer.put_chunks(alignment().space);
  writer.put(first_);
  writer.put(strides_);
}

std::string RandomLayer::note() const {
  return fmt::format("seed {} stream {}", key_.seed, key_.stream);
}

LayerPtr RandomLayer::read(LayerReader& reader, std::vector<Port> inputs, std::string_view name) {
  if (!inputs.empty()) reader.fail("a wrong number of inputs");
  kernels::RandomKey key;
  key.seed = reader.get<uint64_t>();
  key.stream = reader.get<uint64_t>();
  const DType dtype = reader.dtype();
  if (!is_floating(dtype)) reader.fail("random numbers that are not floating");
  Chunks chunks = reader.get_chunks();
  if (!is_known(chunks)) reader.fail("a random array of unknown extent");
  const auto first = reader.get<int64_t>();
  const Dims strides = reader.dims();
  if (strides.size() != chunks.size()) reader.fail("strides of another rank");
  if (!are_positions(first, strides, chunks)) reader.fail("positions out of range");
  return std::make_shared<RandomLayer>(name == "normal", key, dtype, std::move(chunks), first,
                                       strides);
}

// ---- RelabelLayer --------------------------------------------------------------------------------

namespace {

Alignment relabel_alignment(const Port& input, const LabelMap& from, const Chunks& chunks) {
  Alignment alignment;
  alignment.space = chunks;
  alignment.output = counting(chunks.size());
  const Chunks& given = output_of(input).chunks;
  LabelMap map(given.size(), kNoLabel);
  for (size_t a = 0; a < from.size(); ++a) {
    if (from[a] == kNoLabel) continue;
    const auto axis = static_cast<size_t>(from[a]);
    if (same_chunks(given[axis], chunks[a])) map[axis] = static_cast<int8_t>(a);
  }
  alignment.inputs.push_back(map);
  return alignment;
}

class RelabelTask final : public TaskFunction {
 public:
  explicit RelabelTask(LabelMap from) : from_(std::move(from)) {}
  std::string_view name() const override { return "relabel"; }
  void run(TaskArguments& arguments) const override {
    const Block& block = arguments.inputs[0]->get<Block>();
    Dims shape;
    Dims strides;
    for (int8_t axis : from_) {
      shape.push_back(axis == kNoLabel ? 1 : block.shape()[static_cast<size_t>(axis)]);
      strides.push_back(axis == kNoLabel ? 0 : block.strides()[static_cast<size_t>(axis)]);
    }
    arguments.outputs[0].emplace<Block>(block.strided_view(0, shape, strides));
  }

 private:
  LabelMap from_;
};

}  // namespace

RelabelLayer::RelabelLayer(Port input, LabelMap from, Chunks chunks)
    : BlockwiseLayer({input}, output_of(input).dtype, chunks,
                     relabel_alignment(input, from, chunks)),
      from_(from) {
  const Chunks& given = output_of(input).chunks;
  for (size_t a = 0; a < from.size(); ++a) {
    view_ = view_ &&
            (from[a] == kNoLabel ? is_one(chunks[a])
                                 : same_chunks(given[static_cast<size_t>(from[a])], chunks[a]));
  }
}

uint32_t RelabelLayer::emit(Emitter&, std::span<const uint32_t> args, const LabelMap&) const {
  return args[0];
}

LayerPtr RelabelLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<RelabelLayer>(inputs[0], from_, alignment().space);
}

Port RelabelLayer::sliced(uint32_t, const Slices& slices) const {
  return {std::make_shared<RelabelLayer>(sliced_input(*this, 0, slices), from_,
                                         sliced_chunks(alignment().space, slices)),
          0};
}

Port RelabelLayer::rechunked(uint32_t, const Chunks& chunks) const {
  return {std::make_shared<RelabelLayer>(rechunked_input(*this, 0, chunks), from_, chunks), 0};
}

void RelabelLayer::write(LayerWriter& writer) const {
  writer.put(static_cast<uint8_t>(from_.size()));
  for (int8_t axis : from_) writer.put(axis);
  writer.put_chunks(alignment().space);
}

std::string RelabelLayer::note() const {
  std::string text;
  for (int8_t axis : from_)
    text += fmt::format("{}{}", text.empty() ? "" : ", ",
                        axis == kNoLabel ? "new" : fmt::format("{}", axis));
  return fmt::format("axes ({})", text);
}

std::shared_ptr<const TaskFunction> RelabelLayer::lower(const LowerHints& hints) const {
  if (!view_) return BlockwiseLayer::lower(hints);
  return std::make_shared<RelabelTask>(from_);
}

LayerPtr RelabelLayer::read(LayerReader& reader, std::vector<Port> inputs, std::string_view) {
  if (inputs.size() != 1) reader.fail("a wrong number of inputs");
  const Chunks& given = output_of(inputs[0]).chunks;
  LabelMap from;
  const auto rank = reader.get<uint8_t>();
  if (rank > kMaxRank) reader.fail("a rank out of range");
  uint32_t used = 0;
  for (size_t a = 0; a < rank; ++a) {
    const auto axis = reader.get<int8_t>();
    if (axis < kNoLabel || axis >= static_cast<int>(given.size()))
      reader.fail("an axis out of range");
    if (axis != kNoLabel && ((used >> axis) & 1) != 0) reader.fail("an axis used twice");
    if (axis != kNoLabel) used |= 1U << axis;
    from.push_back(axis);
  }
  Chunks chunks = reader.get_chunks();
  if (chunks.size() != rank) reader.fail("chunks of another rank");
  for (size_t a = 0; a < rank; ++a) {
    if (from[a] == kNoLabel) continue;
    const AxisChunksPtr& axis = given[static_cast<size_t>(from[a])];
    if (!is_one(axis) && !same_chunks(axis, chunks[a])) reader.fail("axes cut differently");
  }
  for (size_t a = 0; a < given.size(); ++a) {
    if (((used >> a) & 1) == 0 && !is_one(given[a]))
      reader.fail("a dropped axis of extent other than 1");
  }
  return std::make_shared<RelabelLayer>(inputs[0], from, std::move(chunks));
}

// ---- ReduceLayer ---------------------------------------------------------------------------------

namespace {

Alignment reduce_alignment(const Port& input, const Axes& axes) {
  Alignment alignment;
  alignment.space = output_of(input).chunks;
  alignment.inputs.push_back(counting(alignment.space.size()));
  alignment.output = counting(alignment.space.size());
  for (int64_t axis : axes) {
    alignment.collapsed |= static_cast<uint8_t>(1U << axis);
    alignment.reduced |= static_cast<uint8_t>(1U << axis);
    // Nobody needs to line up with an axis of one element; without its label it may meet any axis.
    if (alignment.space[static_cast<size_t>(axis)]->count() == 1) {
      alignment.output[static_cast<size_t>(axis)] = kNoLabel;
    }
  }
  return alignment;
}

Chunks reduced_chunks(const Port& input, const Axes& axes, bool moments) {
  Chunks chunks = output_of(input).chunks;
  for (int64_t axis : axes) {
    AxisChunksPtr& a = chunks[static_cast<size_t>(axis)];
    a = AxisChunks::regular(static_cast<int64_t>(a->count()), 1);
  }
  if (moments) chunks.push_back(AxisChunks::whole(3));
  return chunks;
}

constexpr std::string_view kPartialNames[] = {"sum", "min", "max", "any", "all", "moments"};

}  // namespace

ReduceLayer::ReduceLayer(ops::Reduction reduction, DType element, Port input, Axes axes)
    : BlockwiseLayer({input}, element,
                     reduced_chunks(input, axes, reduction == ops::Reduction::moments),
                     reduce_alignment(input, axes)),
      reduction_(reduction),
      element_(element),
      axes_(axes) {}

std::string_view ReduceLayer::name() const {
  return kPartialNames[static_cast<size_t>(reduction_)];
}

uint32_t ReduceLayer::emit(Emitter& emitter, std::span<const uint32_t> args,
                           const LabelMap& labels) const {
  const uint32_t value = emitter.cast(args[0], element_);
  // Over no axes there is nothing to reduce, and the result may be used again in the same program.
  LabelSet over = 0;
  for (int64_t axis : axes_) {
    if (labels[static_cast<size_t>(axis)] != kNoLabel)
      over |= bit(labels[static_cast<size_t>(axis)]);
  }
  if (over == 0 && reduction_ != ops::Reduction::moments) return value;
  return emitter.reduce(reduction_, value, set_of(labels), over);
}

LayerPtr ReduceLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<ReduceLayer>(reduction_, element_, inputs[0], axes_);
}

void ReduceLayer::write(LayerWriter& writer) const {
  writer.put(element_);
  writer.put(axes_);
}

std::string ReduceLayer::note() const { return "axes " + tuff::to_string(axes_); }

LayerPtr ReduceLayer::read(LayerReader& reader, std::vector<Port> inputs, std::string_view name) {
  if (inputs.size() != 1) reader.fail("a wrong number of inputs");
  const DType element = reader.dtype();
  const Axes axes = reader.dims();
  int64_t last = -1;
  for (int64_t axis : axes) {
    if (axis <= last || axis >= static_cast<int64_t>(output_of(inputs[0]).chunks.size())) {
      reader.fail("axes out of range");
    }
    last = axis;
  }
  for (size_t r = 0; r < std::size(kPartialNames); ++r) {
    if (kPartialNames[r] != name) continue;
    const auto reduction = static_cast<ops::Reduction>(r);
    if (kernels::find_reduction(reduction, element) == nullptr)
      reader.fail("a reduction of that type");
    if (reduction == ops::Reduction::moments && output_of(inputs[0]).chunks.size() == kMaxRank) {
      reader.fail("a rank out of range");
    }
    return std::make_shared<ReduceLayer>(reduction, element, inputs[0], axes);
  }
  reader.fail("an unknown reduction");
}

// ---- MatmulLayer ---------------------------------------------------------------------------------

Alignment MatmulLayer::align(const Port& a, const Port& b) {
  const Chunks& ac = output_of(a).chunks;
  const Chunks& bc = output_of(b).chunks;
  Alignment alignment;
  const bool has_i = ac.size() == 2;
  const bool has_j = bc.size() == 2;
  if (has_i) alignment.space.push_back(ac[0]);
  const auto k = static_cast<int8_t>(alignment.space.size());
  alignment.space.push_back(ac.back());
  const auto j = static_cast<int8_t>(alignment.space.size());
  if (has_j) alignment.space.push_back(bc[1]);
  alignment.inputs.push_back(has_i ? LabelMap{0, k} : LabelMap{k});
  alignment.inputs.push_back(has_j ? LabelMap{k, j} : LabelMap{k});
  if (has_i) alignment.output.push_back(0);
  if (has_j) alignment.output.push_back(j);
  if (ac.back()->count() > 1) {
    alignment.collapsed = static_cast<uint8_t>(1U << alignment.output.size());
    alignment.output.push_back(k);
  }
  alignment.reduced = static_cast<uint8_t>(1U << k);
  return alignment;
}

Chunks MatmulLayer::output_chunks(const Alignment& alignment) {
  Chunks chunks;
  for (size_t a = 0; a < alignment.output.size(); ++a) {
    const AxisChunksPtr& axis = alignment.space[static_cast<size_t>(alignment.output[a])];
    const bool collapsed = ((alignment.collapsed >> a) & 1) != 0;
    chunks.push_back(collapsed ? AxisChunks::regular(static_cast<int64_t>(axis->count()), 1)
                               : axis);
  }
  return chunks;
}

MatmulLayer::MatmulLayer(Port a, Port b)
    : BlockwiseLayer({a, b}, output_of(a).dtype, output_chunks(align(a, b)), align(a, b)),
      has_i_(output_of(a).chunks.size() == 2),
      has_j_(output_of(b).chunks.size() == 2) {
  TUFF_CHECK_EQ(name_of(output_of(a).dtype), name_of(output_of(b).dtype));
}

std::optional<MatmulLayer::Form> MatmulLayer::panel_form(size_t row) const {
  if (kernels::find_panel(outputs()[0].dtype) == nullptr) return std::nullopt;
  // The product of two vectors ends in a sum, which is float64's alone.
  if (!has_i_ && !has_j_ && outputs()[0].dtype != DType::float64) return std::nullopt;
  return static_cast<int>(row) == axis_k() ? Form::sums : Form::times;
}

int MatmulLayer::matrix_input(size_t row) const {
  if (static_cast<int>(row) == axis_i() && has_j_) return 1;
  if (static_cast<int>(row) == axis_j() && has_i_) return 0;
  return -1;
}

namespace {

/// The same values, with all of `labels`: a factor that was stretched (a constant, say) lacks some, and
/// contractions take their extents from the labels of their factors.
uint32_t spread(Emitter& emitter, uint32_t value, LabelSet labels) {
  const DType dtype = emitter.dtype_of_value(value);
  for (int label = 0; label < static_cast<int>(kernels::kMaxLabels); ++label) {
    if ((labels & static_cast<LabelSet>(~emitter.labels_of(value)) & bit(label)) == 0) continue;
    const std::array<std::byte, 8> yes{std::byte{1}};
    const uint32_t choice[3] = {emitter.constant(DType::bool_, yes), value,
                                emitter.cast(emitter.index(static_cast<uint32_t>(label)), dtype)};
    value = emitter.elementwise(ops::Elementwise::where, dtype, dtype, choice);
  }
  return value;
}

}  // namespace

uint32_t MatmulLayer::emit(Emitter& emitter, std::span<const uint32_t> args,
                           const LabelMap& labels) const {
  const int8_t inner = labels[static_cast<size_t>(axis_k())];
  const LabelSet k = inner == kNoLabel ? LabelSet{0} : bit(inner);
  const auto factor = [&](size_t input) {
    LabelSet wanted = 0;
    for (int8_t axis : alignment().inputs[input]) {
      const int8_t label = labels[static_cast<size_t>(axis)];
      if (label != kNoLabel) wanted |= bit(label);
    }
    return spread(emitter, args[input], wanted);
  };
  const uint32_t a = factor(0);
  const uint32_t b = factor(1);
  if (k == 1) {  // the rows of the panel are summed over
    if (has_i_ && has_j_) return emitter.contract(Code::gram, a, b, k);
    if (has_i_) return emitter.contract(Code::row_sums, a, b, k);
    if (has_j_) return emitter.contract(Code::row_sums, b, a, k);
    const uint32_t pair[2] = {a, b};
    const DType t = emitter.dtype_of_value(a);
    return emitter.reduce(ops::Reduction::sum,
                          emitter.elementwise(ops::Elementwise::multiply, t, t, pair), k, k);
  }
  if (k == 0) {  // an inner extent of 1: nothing to sum
    const uint32_t pair[2] = {a, b};
    return emitter.elementwise(ops::Elementwise::multiply, outputs()[0].dtype, outputs()[0].dtype,
                               pair);
  }
  // A matrix of one column (or one row, from the left) is read as a vector.
  const auto is_matrix = [&](bool has, int axis) {
    return has && labels[static_cast<size_t>(axis)] != kNoLabel;
  };
  if (has_i_ && labels[static_cast<size_t>(axis_i())] == 0) {
    return emitter.contract(is_matrix(has_j_, axis_j()) ? Code::times_matrix : Code::times_vector,
                            a, b, k);
  }
  return emitter.contract(is_matrix(has_i_, axis_i()) ? Code::times_matrix : Code::times_vector, b,
                          a, k);
}

LayerPtr MatmulLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<MatmulLayer>(inputs[0], inputs[1]);
}

void MatmulLayer::write(LayerWriter&) const {}

LayerPtr MatmulLayer::read(LayerReader& reader, std::vector<Port> inputs, std::string_view) {
  if (inputs.size() != 2) reader.fail("a wrong number of inputs");
  const Chunks& a = output_of(inputs[0]).chunks;
  const Chunks& b = output_of(inputs[1]).chunks;
  const bool fits = !a.empty() && a.size() <= 2 && !b.empty() && b.size() <= 2 &&
                    same_chunks(a.back(), b[0]) &&
                    output_of(inputs[0]).dtype == output_of(inputs[1]).dtype;
  if (!fits) reader.fail("factors that do not fit");
  return std::make_shared<MatmulLayer>(inputs[0], inputs[1]);
}

namespace {

class MatmulTask final : public TaskFunction {
 public:
  MatmulTask(DType dtype, bool has_i, bool has_j, bool partial)
      : dtype_(dtype), has_i_(has_i), has_j_(has_j), partial_(partial) {}
  std::string_view name() const override { return "matmul"; }
  void run(TaskArguments& arguments) const override {
    const Block& a = arguments.inputs[0]->get<Block>();
    const Block& b = arguments.inputs[1]->get<Block>();
    const int64_t m = has_i_ ? a.shape()[0] : 1;
    const int64_t k = a.shape().back();
    const int64_t n = has_j_ ? b.shape()[1] : 1;
    Dims shape;
    if (has_i_) shape.push_back(m);
    if (has_j_) shape.push_back(n);
    if (partial_) shape.push_back(1);
    Block product = Block::allocate(dtype_, shape);
    kernels::matrix_multiply(
        dtype_, static_cast<size_t>(m), static_cast<size_t>(n), static_cast<size_t>(k),
        a.bytes_data(), has_i_ ? a.strides()[0] : k, a.strides().back(), b.bytes_data(),
        b.strides()[0], has_j_ ? b.strides()[1] : 1, product.bytes_data(), static_cast<size_t>(n));
    arguments.outputs[0].emplace<Block>(std::move(product));
  }

 private:
  DType dtype_;
  bool has_i_;
  bool has_j_;
  bool partial_;
};

}  // namespace

double MatmulLayer::typical_seconds() const {
  constexpr double kSecondsPerProduct = 1e-10;  // BLAS on one core: 10 to 50 multiply-adds per ns
  double products = 1;
  for (const AxisChunksPtr& axis : alignment().space)
    products *= static_cast<double>(axis->largest());
  return Layer::typical_seconds() + products * kSecondsPerProduct;
}

std::shared_ptr<const TaskFunction> MatmulLayer::lower(const LowerHints&) const {
  return std::make_shared<MatmulTask>(outputs()[0].dtype, has_i_, has_j_,
                                      alignment().collapsed != 0);
}

}  // namespace graph
TUFF_NAMESPACE_END
