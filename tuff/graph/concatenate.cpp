// Which block is whose, and slices of the parts; see concatenate.h.
#include "tuff/graph/concatenate.h"

#include <algorithm>

#include <fmt/format.h>

#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

Chunks joined_chunks(const std::vector<Port>& inputs, size_t axis) {
  Chunks chunks = output_of(inputs[0]).chunks;
  std::vector<int64_t> sizes;
  for (const Port& input : inputs) {
    const std::vector<int64_t> own = output_of(input).chunks[axis]->sizes();
    sizes.insert(sizes.end(), own.begin(), own.end());
  }
  chunks[axis] = AxisChunks::of(sizes);
  return chunks;
}

}  // namespace

ConcatenateLayer::ConcatenateLayer(std::vector<Port> inputs, size_t axis)
    : Layer(inputs, output_of(inputs[0]).dtype, joined_chunks(inputs, axis)), axis_(axis) {
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
  if (inputs.empty()) reader.fail("a wrong number of inputs");
  const auto axis = reader.get<uint8_t>();
  const LayerOutput& first = output_of(inputs[0]);
  if (axis >= first.chunks.size()) reader.fail("an axis out of range");
  int64_t extent = 0;
  size_t blocks = 0;
  for (const Port& input : inputs) {
    const LayerOutput& part = output_of(input);
    blocks += part.chunks.size() > axis ? part.chunks[axis]->count() : 0;
    // 2^28 blocks, as arrays have at most: a few bytes that name one input often must not take all memory.
    bool fits = blocks <= (size_t{1} << 28) && part.dtype == first.dtype &&
                part.chunks.size() == first.chunks.size() && part.chunks[axis]->is_known() &&
                !__builtin_add_overflow(extent, part.chunks[axis]->extent().value(), &extent);
    for (size_t a = 0; fits && a < first.chunks.size(); ++a)
      fits = a == axis || same_chunks(part.chunks[a], first.chunks[a]);
    if (!fits) reader.fail("arrays that do not fit together");
  }
  return std::make_shared<ConcatenateLayer>(inputs, axis);
}

}  // namespace graph
TUFF_NAMESPACE_END
