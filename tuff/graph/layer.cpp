// What all layers share; see layer.h.
#include "tuff/graph/layer.h"

#include <algorithm>

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN
namespace graph {

// A chain of 100,000 operations must not be destroyed by 100,000 nested destructors: the first one on
// a thread collects what the others let go of.
Layer::~Layer() {
  thread_local std::vector<Port>* pending = nullptr;
  if (pending != nullptr) {
    for (Port& port : inputs_) pending->push_back(std::move(port));
    return;
  }
  std::vector<Port> list = std::move(inputs_);
  pending = &list;
  while (!list.empty()) {
    const Port last = std::move(list.back());
    list.pop_back();
  }
  pending = nullptr;
}

Layer::Layer(std::vector<Port> inputs, std::vector<LayerOutput> outputs)
    : inputs_(std::move(inputs)), outputs_(std::move(outputs)) {
  for (const LayerOutput& output : outputs_) check_size("array", output.chunks, output.dtype);
}

Layer::Layer(std::vector<Port> inputs, DType dtype, Chunks chunks) : inputs_(std::move(inputs)) {
  check_size("array", chunks, dtype);
  outputs_.push_back({dtype, std::move(chunks)});
}

uint32_t Layer::task_of(uint32_t, uint32_t block) const { return block; }
Port Layer::sliced(uint32_t, const Slices&) const { return {}; }
Port Layer::rechunked(uint32_t, const Chunks&) const { return {}; }

void LayerWriter::put_axis(const AxisChunksPtr& axis) {
  const auto [at, added] = numbers_.try_emplace(axis.get(), static_cast<uint32_t>(table_.size()));
  if (added) {
    // Axes that were made apart but cut alike are one axis; so are layers that differ in nothing else.
    const auto [first, last] = alike_.equal_range({axis->extent().upper_bound(), axis->count()});
    const auto same = std::find_if(
        first, last, [&](const auto& known) { return same_chunks(table_[known.second], axis); });
    if (same != last) {
      at->second = same->second;
      kept_.push_back(axis);
    } else {
      alike_.emplace(std::pair(axis->extent().upper_bound(), axis->count()), at->second);
      table_.push_back(axis);
    }
  }
  put(at->second);
}

void LayerWriter::put_chunks(const Chunks& chunks) {
  put(static_cast<uint8_t>(chunks.size()));
  for (const AxisChunksPtr& axis : chunks) put_axis(axis);
}

void LayerReader::need_inputs(const std::vector<Port>& inputs, size_t count) const {
  if (inputs.size() != count)
    fail(fmt::format("{} inputs of a layer that has {}", inputs.size(), count));
}

AxisChunksPtr LayerReader::get_axis() {
  const auto number = get<uint32_t>();
  if (number >= table_.size()) fail("a chunk number out of range");
  return table_[number];
}

Chunks LayerReader::get_chunks() {
  Chunks chunks;
  const auto rank = get<uint8_t>();
  if (rank > kMaxRank) fail("a rank out of range");
  for (size_t a = 0; a < rank; ++a) chunks.push_back(get_axis());
  return chunks;
}

void check_port(std::string_view operation, const Port& port, bool as_array) {
  if (port.layer == nullptr)
    throw InvalidArgument(operation, "a port without a layer; that of an array is needed");
  if (port.output >= port.layer->outputs().size()) {
    throw InvalidArgument(operation,
                          fmt::format("output {} of a layer '{}', which has {}", port.output,
                                      port.layer->name(), port.layer->outputs().size()));
  }
  if (as_array && port.layer->yields_values()) {
    throw InvalidArgument(operation,
                          fmt::format("'{}' yields a value; from_delayed makes an array of blocks",
                                      port.layer->note()));
  }
}

void throw_unlike(std::string_view operation, int64_t a, int64_t b) {
  throw InvalidArgument(operation,
                        fmt::format("blocks of lengths {} and {} under one symbol; equal "
                                    "lengths are needed",
                                    a, b));
}

namespace {

/// A core reads and writes memory at 5 to 20 GB/s; a view or an empty call costs some 50 ns.
constexpr double kSecondsPerByte = 1e-10;
constexpr double kSecondsPerCall = 50e-9;

}  // namespace

double element_bound(const LayerOutput& output) {
  double elements = 1;
  for (const AxisChunksPtr& axis : output.chunks)
    elements *= static_cast<double>(axis->extent().upper_bound());
  return elements;
}

double byte_bound(const LayerOutput& output) {
  return element_bound(output) * static_cast<double>(size_of(output.dtype));
}

double largest_block(const LayerOutput& output) {
  double elements = 1;
  for (const AxisChunksPtr& axis : output.chunks) elements *= static_cast<double>(axis->largest());
  return elements;
}

double Layer::typical_seconds() const {
  if (is_view()) return kSecondsPerCall;
  double bytes = 0;
  for (const Port& input : inputs_)
    bytes += largest_block(output_of(input)) * static_cast<double>(size_of(output_of(input).dtype));
  for (const LayerOutput& output : outputs_)
    bytes += largest_block(output) * static_cast<double>(size_of(output.dtype));
  return kSecondsPerCall + bytes * kSecondsPerByte;
}

namespace {

/// A set of addresses in one flat table, at most half full: every pass walks all layers, and a node per layer
/// in a table of lists took most of that time.
class Seen {
 public:
  /// False when it was there before.
  bool add(const Layer* layer) {
    if (2 * count_ >= table_.size()) grow();
    const Layer*& place = find(layer);
    if (place == layer) return false;
    place = layer;
    ++count_;
    return true;
  }

 private:
  /// Where the layer is or would be.
  const Layer*& find(const Layer* layer) {
    // Fibonacci hashing (Knuth, volume 3, section 6.4): neighbours in memory are spread over the table.
    const uint64_t spread = reinterpret_cast<uint64_t>(layer) * 0x9E3779B97F4A7C15U;
    size_t at = static_cast<size_t>(spread >> 32) & (table_.size() - 1);
    while (table_[at] != nullptr && table_[at] != layer) at = (at + 1) & (table_.size() - 1);
    return table_[at];
  }

  void grow() {
    const std::vector<const Layer*> old = std::move(table_);
    table_.assign(2 * old.size(), nullptr);
    for (const Layer* layer : old) {
      if (layer != nullptr) find(layer) = layer;
    }
  }

  std::vector<const Layer*> table_ = std::vector<const Layer*>(64, nullptr);  // a power of two
  size_t count_ = 0;
};

}  // namespace

std::vector<LayerPtr> layers_in_order(const std::vector<Port>& outputs) {
  std::vector<LayerPtr> order;
  struct Visit {
    const LayerPtr* layer;
    size_t next_input;
  };
  Seen seen;
  std::vector<Visit> stack;
  for (const Port& output : outputs) {
    check_port("graph", output, false);
    if (!seen.add(output.layer.get())) continue;
    stack.push_back({&output.layer, 0});
    while (!stack.empty()) {
      Visit& top = stack.back();
      const std::vector<Port>& inputs = (*top.layer)->inputs();
      if (top.next_input == inputs.size()) {
        order.push_back(*top.layer);
        stack.pop_back();
        continue;
      }
      const LayerPtr& input = inputs[top.next_input++].layer;
      if (seen.add(input.get())) stack.push_back({&input, 0});
    }
  }
  return order;
}

void Replacements::set(const Layer* from, uint32_t output, Port to) {
  std::vector<Port>& ports = map_[from];
  if (ports.size() <= output) ports.resize(output + 1);
  ports[output] = std::move(to);
}

Port Replacements::operator()(const Port& port) const {
  const auto found = map_.find(port.layer.get());
  if (found == map_.end() || found->second.size() <= port.output) return port;
  const Port& to = found->second[port.output];
  return to.layer ? to : port;
}

LayerPtr Replacements::with_new_inputs(const LayerPtr& layer) const {
  std::vector<Port> inputs;
  bool changed = false;
  for (const Port& input : layer->inputs()) {
    inputs.push_back((*this)(input));
    changed = changed || !(inputs.back() == input);
  }
  return changed ? layer->with_inputs(std::move(inputs)) : layer;
}

}  // namespace graph
TUFF_NAMESPACE_END
