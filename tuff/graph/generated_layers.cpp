// Full, index and random arrays as layers; see generated_layers.h.
#include "tuff/graph/generated_layers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "tuff/graph/movement.h"
#include "tuff/kernels/bind.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

const Chunks& known(std::string_view layer, const Chunks& chunks) {
  check_size(layer, chunks, DType::int8);
  if (!is_known(chunks)) {
    throw InvalidArgument(layer, fmt::format("shape {}; known extents are needed",
                                             tuff::to_string(shape_of(chunks))));
  }
  return chunks;
}

/// Throws unless the positions of all elements, first + the sum of strides[a] i[a], are ones.
void check_positions(std::string_view layer, int64_t first, const Dims& strides,
                     const Chunks& chunks) {
  if (are_positions(first, strides, chunks)) return;
  throw InvalidArgument(
      layer, fmt::format("positions from {} on with strides {} for shape {} are out of range; 0 to "
                         "2^63 - 2 are accepted",
                         first, tuff::to_string(strides), tuff::to_string(shape_of(chunks))));
}

}  // namespace

bool are_positions(int64_t first, const Dims& strides, const Chunks& chunks) {
  if (strides.size() != chunks.size()) return false;
  // Without elements a walk still works out where it begins.
  Dims bounds;
  for (const AxisChunksPtr& axis : chunks)
    bounds.push_back(std::max<int64_t>(axis->extent().upper_bound(), 1));
  const std::optional<Reach> reach = reach_of(bounds, strides);
  int64_t least = 0;
  int64_t after = 0;
  return reach && !__builtin_add_overflow(first, reach->first, &least) && least >= 0 &&
         !__builtin_add_overflow(first, reach->last, &after);
}

// ---- FullLayer ----------------------------------------------------------------------------------

FullLayer::FullLayer(DType dtype, const Chunks& chunks, const std::array<std::byte, 8>& value)
    : BlockwiseLayer({}, dtype, plain_alignment(known("full", chunks))), value_(value) {
  if (is_bool(dtype) && value[0] > std::byte{1})
    throw InvalidArgument("full", "a truth value that is neither 0 nor 1");
}

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

LayerPtr FullLayer::read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view) {
  reader.need_inputs(inputs, 0);
  const DType dtype = reader.dtype();
  const Chunks chunks = reader.get_chunks();
  std::array<std::byte, 8> value{};
  const auto bytes = reader.raw(value.size());
  std::copy(bytes.begin(), bytes.end(), value.begin());
  return reader.make<FullLayer>(dtype, chunks, value);
}

// ---- IndexLayer ---------------------------------------------------------------------------------

IndexLayer::IndexLayer(const AxisChunksPtr& axis, int64_t first, int64_t step)
    : BlockwiseLayer({}, DType::int64, plain_alignment(known("index", Chunks{axis}))),
      first_(first),
      step_(step) {
  check_positions("index", first, Dims{step}, alignment().space);
}

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
  if (slices[0].whole || slices[0].count == 0)
    return {std::make_shared<IndexLayer>(axis, first_, step_), 0};
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

LayerPtr IndexLayer::read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view) {
  reader.need_inputs(inputs, 0);
  AxisChunksPtr axis = reader.get_axis();
  const auto first = reader.get<int64_t>();
  const auto step = reader.get<int64_t>();
  return reader.make<IndexLayer>(std::move(axis), first, step);
}

// ---- RandomLayer --------------------------------------------------------------------------------

namespace {

Dims strides_of(const Chunks& chunks) {
  Dims shape;
  for (const AxisChunksPtr& axis : known("random", chunks)) shape.push_back(axis->extent().value());
  return row_major_strides(shape);
}

}  // namespace

RandomLayer::RandomLayer(bool normal, kernels::RandomKey key, DType dtype, const Chunks& chunks)
    : RandomLayer(normal, key, dtype, chunks, 0, strides_of(chunks)) {}

RandomLayer::RandomLayer(bool normal, kernels::RandomKey key, DType dtype, const Chunks& chunks,
                         int64_t first, Dims strides)
    : BlockwiseLayer({}, dtype, plain_alignment(known("random", chunks))),
      normal_(normal),
      key_(key),
      first_(first),
      strides_(strides) {
  if (!is_floating(dtype)) {
    throw InvalidArgument(
        "random", fmt::format("dtype {}; float32 and float64 are accepted", name_of(dtype)));
  }
  check_positions("random", first, strides, chunks);
}

uint32_t RandomLayer::emit(Emitter& emitter, std::span<const uint32_t>,
                           const LabelMap& labels) const {
  kernels::ProgramSource source;
  source.key = key_;
  source.axes = labels;
  source.first = first_;
  source.global_strides = strides_;
  return emitter.random(source, normal_, outputs()[0].dtype);
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

LayerPtr RandomLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                           std::string_view name) {
  reader.need_inputs(inputs, 0);
  kernels::RandomKey key;
  key.seed = reader.get<uint64_t>();
  key.stream = reader.get<uint64_t>();
  const DType dtype = reader.dtype();
  const Chunks chunks = reader.get_chunks();
  const auto first = reader.get<int64_t>();
  const Dims strides = reader.dims();
  return reader.make<RandomLayer>(name == "normal", key, dtype, chunks, first, strides);
}

}  // namespace graph
TUFF_NAMESPACE_END
