// The message format; see serialize.h:
//   magic "TUFF", version, checksum of all that follows,
//   axis chunks (a table), layers (name, inputs, parameters), outputs, ranges.
#include "tuff/graph/serialize.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "tuff/base/key.h"
#include "tuff/graph/callable.h"
#include "tuff/graph/combine.h"
#include "tuff/graph/concatenate.h"
#include "tuff/graph/elementwise_layer.h"
#include "tuff/graph/fused.h"
#include "tuff/graph/generated_layers.h"
#include "tuff/graph/matmul_layer.h"
#include "tuff/graph/movement.h"
#include "tuff/graph/reduce_layer.h"
#include "tuff/graph/relabel_layer.h"
#include "tuff/graph/sources.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

constexpr uint32_t kMagic = 0x46465554;  // "TUFF", least significant byte first

using Read = LayerPtr (*)(LayerReader&, const std::vector<Port>&, std::string_view);

/// The reader of each kind of layer. Element-wise operations are found by the operation table.
const std::unordered_map<std::string_view, Read>& readers() {
  static const auto* table = [] {
    auto* map = new std::unordered_map<std::string_view, Read>{
        {"astype", CastLayer::read},
        {"full", FullLayer::read},
        {"index", IndexLayer::read},
        {"uniform", RandomLayer::read},
        {"normal", RandomLayer::read},
        {"relabel", RelabelLayer::read},
        {"sum", ReduceLayer::read},
        {"min", ReduceLayer::read},
        {"max", ReduceLayer::read},
        {"any", ReduceLayer::read},
        {"all", ReduceLayer::read},
        {"moments", ReduceLayer::read},
        {"matmul", MatmulLayer::read},
        {"combine", CombineLayer::read},
        {"finish_moments", FinishMomentsLayer::read},
        {"require_elements", RequireElementsLayer::read},
        {"fused", FusedLayer::read},
        {"memory", MemoryLayer::read},
        {"persisted", MemoryLayer::read},  // what was kept arrives in memory
        {"parameter", ParameterLayer::read},
        {"from_function", FunctionLayer::read},
        {"slice", SliceLayer::read},
        {"rechunk", RechunkLayer::read},
        {"concatenate", ConcatenateLayer::read},
        {"mask", MaskLayer::read},
        {"assume_chunks", AssumeChunksLayer::read},
        {"from_delayed", FromValuesLayer::read},
        {"to_delayed", PickLayer::read},
    };
    for (const ops::Operation& op : ops::operations())
      map->emplace(op.name, ElementwiseLayer::read);
    return map;
  }();
  return *table;
}

/// Bytes before those that the checksum is of.
constexpr size_t kHeadBytes = sizeof(kMagic) + sizeof(kFormatVersion) + sizeof(Key);

}  // namespace

std::vector<std::string_view> travelling_layers() {
  std::vector<std::string_view> names;
  for (const auto& [name, read] : readers()) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

Bytes serialize(const Message& message) {
  for (const Port& output : message.outputs) check_port("serialize", output, false);
  const std::vector<LayerPtr> layers = layers_in_order(message.outputs);
  std::unordered_map<const Layer*, uint32_t> numbers;
  LayerWriter body;
  body.put(static_cast<uint64_t>(layers.size()));
  for (const LayerPtr& layer : layers) {
    numbers[layer.get()] = static_cast<uint32_t>(numbers.size());
    body.put(layer->name());
    body.put(static_cast<uint64_t>(layer->inputs().size()));
    for (const Port& input : layer->inputs()) {
      body.put(numbers.at(input.layer.get()));
      body.put(input.output);
    }
    layer->write(body);
    if (!readers().contains(layer->name())) {
      throw InvalidArgument("serialize",
                            fmt::format("'{}' ({}) does not travel", layer->name(), layer->note()));
    }
  }
  body.put(static_cast<uint64_t>(message.outputs.size()));
  for (const Port& output : message.outputs) {
    body.put(numbers.at(output.layer.get()));
    body.put(output.output);
  }
  body.put(static_cast<uint64_t>(message.wanted.size()));
  for (const BlockRange& range : message.wanted) {
    const size_t blocks = range.output < message.outputs.size()
                              ? block_count(output_of(message.outputs[range.output]).chunks)
                              : 0;
    if (range.first > range.last || range.last > blocks) {
      throw InvalidArgument("serialize",
                            fmt::format("blocks {} to {} of output {}, which has {}", range.first,
                                        range.last, range.output, blocks));
    }
    body.put(range.output);
    body.put(range.first);
    body.put(range.last);
  }
  ByteWriter writer;
  writer.put(kMagic);
  writer.put(kFormatVersion);
  writer.put(Key().high);
  writer.put(Key().low);
  writer.put(static_cast<uint64_t>(body.table().size()));
  for (const AxisChunksPtr& axis : body.table()) writer.put(*axis);
  writer.raw(body.bytes().data(), body.bytes().size());
  Bytes bytes = writer.take();
  seal(bytes);
  return bytes;
}

void seal(Bytes& bytes) {
  if (bytes.size() < kHeadBytes) return;
  const Key checksum = hash_bytes(std::span(bytes).subspan(kHeadBytes));
  std::byte* const at = bytes.data() + kHeadBytes - sizeof(Key);
  std::memcpy(at, &checksum.high, sizeof checksum.high);
  std::memcpy(at + sizeof checksum.high, &checksum.low, sizeof checksum.low);
}

Message deserialize(std::span<const std::byte> bytes) {
  ByteReader head(bytes);
  if (head.get<uint32_t>() != kMagic) head.fail("not a graph: the first bytes are not 'TUFF'");
  const auto version = head.get<uint32_t>();
  if (version != kFormatVersion) {
    head.fail(
        fmt::format("format version {}; this build reads version {}", version, kFormatVersion));
  }
  Key checksum;
  checksum.high = head.get<uint64_t>();
  checksum.low = head.get<uint64_t>();
  if (hash_bytes(bytes.subspan(kHeadBytes)) != checksum)
    head.fail("a checksum that is not of these bytes: they were changed or cut off on the way");
  std::vector<AxisChunksPtr> table(head.count(16));
  for (AxisChunksPtr& axis : table) axis = head.axis_chunks();

  LayerReader reader(bytes, bytes.size() - head.remaining(), table);
  std::vector<LayerPtr> layers;
  const auto get_port = [&]() -> Port {
    const auto number = reader.get<uint32_t>();
    const auto output = reader.get<uint32_t>();
    if (number >= layers.size() || output >= layers[number]->outputs().size())
      reader.fail("an input that does not exist");
    return {layers[number], output};
  };
  const size_t layer_count = reader.count(16);
  for (size_t l = 0; l < layer_count; ++l) {
    const std::string name = reader.text();
    std::vector<Port> inputs;
    const size_t input_count = reader.count(8);
    for (size_t k = 0; k < input_count; ++k) inputs.push_back(get_port());
    const auto read = readers().find(name);
    if (read == readers().end()) reader.fail(fmt::format("an unknown layer '{}'", name));
    layers.push_back(read->second(reader, std::move(inputs), name));
  }
  Message message;
  const size_t output_count = reader.count(8);
  for (size_t o = 0; o < output_count; ++o) message.outputs.push_back(get_port());
  const size_t range_count = reader.count(12);
  for (size_t r = 0; r < range_count; ++r) {
    BlockRange range;
    range.output = reader.get<uint32_t>();
    range.first = reader.get<uint32_t>();
    range.last = reader.get<uint32_t>();
    if (range.output >= message.outputs.size() || range.first > range.last ||
        range.last > block_count(output_of(message.outputs[range.output]).chunks)) {
      reader.fail("a range of blocks that do not exist");
    }
    message.wanted.push_back(range);
  }
  if (reader.remaining() != 0) reader.fail("bytes after the end");
  return message;
}

}  // namespace graph
TUFF_NAMESPACE_END
