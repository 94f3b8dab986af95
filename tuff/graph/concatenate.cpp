// Which block is whose, and slices of the parts; see concatenate.h.
#include "tuff/graph/concatenate.h"

#include <algorithm>

#include <fmt/format.h>

#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

Chunks joined_chunks(const std::vector<Port>& inputs, size_t axis) {
  const auto refuse = [](const std::string& what) { throw InvalidArgument("concatenate", what); };
  if (inputs.empty()) refuse("no arrays; at least one is needed");
  const LayerOutput& first = output_of(inputs[0]);
  if (axis >= first.chunks.size())
    refuse(fmt::format("axis {} of arrays of rank {}", axis, first.chunks.size()));
  size_t blocks = 0;
  for (size_t k = 0; k < inputs.size(); ++k) {
    const LayerOutput& part = output_of(inputs[k]);
    bool fits = part.dtype == first.dtype && part.chunks.size() == first.chunks.size() &&
                part.chunks[axis]->is_known();
    for (size_t a = 0; fits && a < first.chunks.size(); ++a)
      fits = a == axis || same_chunks(part.chunks[a], first.chunks[a]);
    if (!fits) {
      refuse(fmt::format("array {} is {} {}, which does not fit {} {} along axis {}", k,
                         name_of(part.dtype), tuff::to_string(part.chunks), name_of(first.dtype),
                         tuff::to_string(first.chunks), axis));
    }
    // Before they are listed: a few bytes that name one input often must not take all memory.
    blocks += part.chunks[axis]->count();
    if (blocks > static_cast<size_t>(kMaxBlocks))
      refuse(fmt::format("more than {} blocks along axis {}", kMaxBlocks, axis));
  }
  std::vector<int64_t> sizes;
  sizes.reserve(blocks);
  for (const Port& input : inputs) {
    const AxisChunks& own = *output_of(input).chunks[axis];
    for (size_t i = 0; i < own.count(); ++i) sizes.push_back(own.size(i));
  }
  Chunks chunks = first.chunks;
  chunks[axis] = AxisChunks::of(sizes);
  return chunks;
}

}  // namespace

ConcatenateLayer::ConcatenateLayer(std::vector<Port> inputs, size_t axis)
    : ConcatenateLayer(joined_chunks(inputs, axis), inputs, axis) {}

ConcatenateLayer::ConcatenateLayer(Chunks chunks, std::vector<Port> inputs, size_t axis)
    : Layer(inputs, output_of(inputs[0]).dtype, std::move(chunks)), axis_(axis) {
  uint32_t first = 0;
  for (const Port& input : inputs) {
    first_block_.push_back(first);
    first += static_cast<uint32_t>(output_of(input).chunks[axis]->count());
  }
  first_block_.push_back(first);
}

void ConcatenateLayer::inputs_of(uint32_t task, std::vector<InputBlock>& reads) const {
  const Dims index = grid_index(task, grid_of(outputs()[0].chunks));
  const auto after = std::upper_bound(first_block_.begin(), first_block_.end(),
                                      static_cast<uint32_t>(index[axis_]));
  const auto input = static_cast<uint32_t>(after - first_block_.begin()) - 1;
  Dims there = index;
  there[axis_] -= first_block_[input];
  const Dims grid = grid_of(output_of(inputs()[input]).chunks);
  reads.push_back({input, static_cast<uint32_t>(linear_index(there, grid))});
}

LayerPtr ConcatenateLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<ConcatenateLayer>(std::move(inputs), axis_);
}

Port ConcatenateLayer::sliced(uint32_t, const Slices& slices) const {
  const AxisSlice& along = slices[axis_];
  std::vector<Port> parts;
  const auto add = [&](const Port& input, const AxisSlice& part) {
    Slices cut = slices;
    cut[axis_] = part;
    parts.push_back(slice_of(input, cut));
  };
  int64_t first = 0;  // of the input, along the axis
  for (const Port& input : inputs()) {
    const int64_t extent = output_of(input).chunks[axis_]->extent().value();
    if (along.whole) {
      add(input, along);
    } else if (along.count > 0 && extent > 0) {
      // Elements k of the slice that lie in the input: a range, for they go in one direction.
      const int64_t step = along.step > 0 ? along.step : -along.step;
      const int64_t before =
          along.step > 0 ? first - along.start : along.start - (first + extent - 1);
      const int64_t until = before + extent;
      const int64_t from = before <= 0 ? 0 : (before - 1) / step + 1;
      const int64_t to = until <= 0 ? 0 : std::min(along.count, (until - 1) / step + 1);
      if (from < to)
        add(input, {along.start + from * along.step - first, to - from > 1 ? along.step : 1,
                    to - from, false});
    }
    first += extent;
  }
  if (parts.empty()) add(inputs()[0], along);  // no elements, of any input
  if (along.step < 0) std::reverse(parts.begin(), parts.end());
  if (parts.size() == 1) return parts[0];
  return {std::make_shared<ConcatenateLayer>(std::move(parts), axis_), 0};
}

void ConcatenateLayer::write(LayerWriter& writer) const { writer.put(static_cast<uint8_t>(axis_)); }

std::string ConcatenateLayer::note() const { return fmt::format("axis {}", axis_); }

LayerPtr ConcatenateLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                                std::string_view) {
  return reader.make<ConcatenateLayer>(inputs, reader.get<uint8_t>());
}

}  // namespace graph
TUFF_NAMESPACE_END
