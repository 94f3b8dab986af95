// Boolean masks, whose results have extents that only a run tells, and chunk sizes made known; see movement.h.
#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "tuff/graph/grid_task.h"
#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

// ---- MaskLayer -----------------------------------------------------------------------------------

namespace {

/// Throws unless the mask fits the array, and `selected` what both can leave.
void check_mask(const LayerOutput& array, const LayerOutput& mask, const AxisChunks& selected) {
  bool fits = mask.dtype == DType::bool_ && !array.chunks.empty() && !mask.chunks.empty() &&
              (mask.chunks.size() == 1 || mask.chunks.size() == array.chunks.size());
  int64_t others = 1;  // elements of the axes that vanish
  for (size_t a = 0; fits && a < mask.chunks.size(); ++a) {
    fits = same_chunks(mask.chunks[a], array.chunks[a]) && (a == 0 || mask.chunks[a]->count() == 1);
    if (a > 0) others *= mask.chunks[a]->largest();
  }
  fits = fits && !selected.is_known() && selected.count() == array.chunks[0]->count();
  for (size_t i = 0; fits && i < selected.count(); ++i)
    fits = selected.size(i) == array.chunks[0]->size(i) * others;
  if (!fits) {
    throw InvalidArgument("mask",
                          fmt::format("{} {} by {} {}; a bool mask is needed that is cut alike",
                                      name_of(array.dtype), tuff::to_string(array.chunks),
                                      name_of(mask.dtype), tuff::to_string(mask.chunks)));
  }
}

Chunks masked_chunks(const Port& input, const Port& mask, AxisChunksPtr selected) {
  check_mask(output_of(input), output_of(mask), *selected);
  if (output_of(mask).chunks.size() > 1) return Chunks{std::move(selected)};
  Chunks chunks = output_of(input).chunks;
  chunks[0] = std::move(selected);
  return chunks;
}

// Of a block that is not row-major; they stay in the first cache.
constexpr size_t kBytesCopied = size_t{16} << 10;

class MaskTask final : public GridTask {
 public:
  explicit MaskTask(const Chunks& chunks) : GridTask(chunks) {}
  std::string_view name() const override { return "mask"; }
  void run(TaskArguments& arguments) const override {
    const Block& block = arguments.inputs[0]->get<Block>();
    const Block& mask = arguments.inputs[1]->get<Block>();
    for (size_t a = 0; a < mask.rank(); ++a) check_alike("mask", block.shape()[a], mask.shape()[a]);
    const StopRequest stop(arguments.stop);
    int64_t selected = 0;
    for_stretches(mask, mask, stop, [&](const Block& flags, int64_t) {
      selected += std::count(flags.data<bool>(), flags.data<bool>() + flags.size(), true);
    });
    Dims shape = block.shape();
    if (mask.rank() > 1) {
      shape = Dims{selected};
    } else {
      shape[0] = selected;
    }
    Block result = Block::allocate(block.dtype(), shape);
    const size_t chosen_at_once = mask.rank() > 1 ? size_of(block.dtype()) : bytes_of_row(block);
    std::byte* to = result.bytes_data();
    if (result.bytes() > 0) {
      for_stretches(mask, block, stop, [&](const Block& flags, int64_t first) {
        const Block from = rows(block, first, flags.shape()[0]).contiguous(stop);
        to += copy_chosen_rows(flags.data<bool>(), flags.size(), from.bytes_data(), to,
                               chosen_at_once);
      });
    }
    arguments.outputs[0].emplace<Block>(std::move(result));
  }

 private:
  /// Of all elements at one place along the first axis.
  static size_t bytes_of_row(const Block& block) {
    return block.bytes() / static_cast<size_t>(std::max<int64_t>(block.shape()[0], 1));
  }
  static Block rows(const Block& block, int64_t first, int64_t count) {
    Dims shape = block.shape();
    shape[0] = count;
    return block.strided_view(first * block.strides()[0], shape, block.strides());
  }
  /// Calls visit(rows of the mask, row-major; number of the first one), so many at a time that a copy of these rows of
  /// `block` is small.
  template <class Visit>
  static void for_stretches(const Block& mask, const Block& block, const StopRequest& stop,
                            Visit&& visit) {
    const int64_t n = mask.shape()[0];
    const size_t most = block.is_row_major() ? kBytesBetweenLooks : kBytesCopied;
    const auto stretch =
        static_cast<int64_t>(std::max<size_t>(most / std::max<size_t>(bytes_of_row(block), 1), 1));
    for (int64_t first = 0; first < n; first += stretch) {
      stop.check();
      visit(rows(mask, first, std::min(stretch, n - first)).contiguous(stop), first);
    }
  }

  /// Returns how many bytes were copied.
  static size_t copy_chosen_rows(const bool* chosen, int64_t n, const std::byte* from,
                                 std::byte* to, size_t row) {
    if (row == 8) return 8 * copy_chosen<uint64_t>(chosen, n, from, to);
    if (row == 4) return 4 * copy_chosen<uint32_t>(chosen, n, from, to);
    const std::byte* const start = to;
    for (int64_t i = 0; i < n; ++i, from += row) {
      if (!chosen[i]) continue;
      std::memcpy(to, from, row);
      to += row;
    }
    return static_cast<size_t>(to - start);
  }

  /// Without branches: random masks would mispredict every other element.
  template <class T>
  static size_t copy_chosen(const bool* chosen, int64_t n, const std::byte* from, std::byte* to) {
    const auto* source = reinterpret_cast<const T*>(from);
    auto* target = reinterpret_cast<T*>(to);
    int64_t last = n;
    while (last > 0 && !chosen[last - 1]) --last;  // what follows must not be written past the end
    int64_t at = 0;
    for (int64_t i = 0; i < last; ++i) {
      target[at] = source[i];
      at += chosen[i] ? 1 : 0;
    }
    return static_cast<size_t>(at);
  }
};

}  // namespace

MaskLayer::MaskLayer(const Port& input, const Port& mask, AxisChunksPtr selected)
    : Layer({input, mask}, output_of(input).dtype,
            masked_chunks(input, mask, std::move(selected))) {}

void MaskLayer::inputs_of(uint32_t task, std::vector<InputBlock>& reads) const {
  const size_t first = output_of(inputs()[0]).chunks[0]->count();
  const size_t blocks = block_count(output_of(inputs()[0]).chunks);
  reads.push_back({0, task});
  reads.push_back({1, static_cast<uint32_t>(task / (blocks / first))});
}

std::shared_ptr<const TaskFunction> MaskLayer::lower(const LowerHints&) const {
  return std::make_shared<MaskTask>(outputs()[0].chunks);
}

LayerPtr MaskLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<MaskLayer>(inputs[0], inputs[1], outputs()[0].chunks[0]);
}

/// Rows are chosen by a mask of one axis, whichever of the other elements of a row are there.
Port MaskLayer::sliced(uint32_t, const Slices& slices) const {
  if (output_of(inputs()[1]).chunks.size() > 1 || !slices[0].whole) return {};
  return {std::make_shared<MaskLayer>(slice_of(inputs()[0], slices), inputs()[1],
                                      outputs()[0].chunks[0]),
          0};
}

void MaskLayer::write(LayerWriter& writer) const { writer.put_axis(outputs()[0].chunks[0]); }

LayerPtr MaskLayer::read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view) {
  reader.need_inputs(inputs, 2);
  return reader.make<MaskLayer>(inputs[0], inputs[1], reader.get_axis());
}

// ---- AssumeChunksLayer ---------------------------------------------------------------------------

namespace {

class AssumeChunksTask final : public GridTask {
 public:
  explicit AssumeChunksTask(Chunks chunks) : GridTask(chunks), chunks_(std::move(chunks)) {}
  std::string_view name() const override { return "assume_chunks"; }
  void run(TaskArguments& arguments) const override {
    const Block& block = arguments.inputs[0]->get<Block>();
    const Dims index = grid_index(arguments.block, grid_);
    for (size_t a = 0; a < chunks_.size(); ++a) {
      const int64_t size = chunks_[a]->size(static_cast<size_t>(index[a]));
      if (chunks_[a]->is_known() ? block.shape()[a] != size : block.shape()[a] > size) {
        throw InvalidArgument(
            "compute_chunk_sizes",
            fmt::format("block {} has shape {}, but axis {} was found to be {} before: the "
                        "data changed since",
                        tuff::to_string(index), tuff::to_string(block.shape()), a, size));
      }
    }
    arguments.outputs[0].emplace<Block>(block);
  }

 private:
  Chunks chunks_;
};

}  // namespace

namespace {

/// Throws unless the blocks are in the same grid, and what was known stays.
Chunks assumed_chunks(const Port& input, Chunks chunks) {
  const Chunks& given = output_of(input).chunks;
  bool fits = chunks.size() == given.size();
  for (size_t a = 0; fits && a < chunks.size(); ++a) {
    fits = chunks[a] != nullptr && (given[a]->is_known() ? same_chunks(chunks[a], given[a])
                                                         : chunks[a]->count() == given[a]->count());
  }
  if (!fits) {
    throw InvalidArgument("assume_chunks", fmt::format("chunks {} to others that they cannot be",
                                                       tuff::to_string(given)));
  }
  return chunks;
}

}  // namespace

AssumeChunksLayer::AssumeChunksLayer(const Port& input, Chunks chunks)
    : Layer({input}, output_of(input).dtype, assumed_chunks(input, std::move(chunks))) {}

std::shared_ptr<const TaskFunction> AssumeChunksLayer::lower(const LowerHints&) const {
  return std::make_shared<AssumeChunksTask>(outputs()[0].chunks);
}

LayerPtr AssumeChunksLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<AssumeChunksLayer>(inputs[0], outputs()[0].chunks);
}

Port AssumeChunksLayer::sliced(uint32_t, const Slices& slices) const {
  const Chunks& chunks = outputs()[0].chunks;
  for (size_t a = 0; a < chunks.size(); ++a) {
    if (!slices[a].whole && !same_chunks(output_of(inputs()[0]).chunks[a], chunks[a])) return {};
  }
  return {std::make_shared<AssumeChunksLayer>(slice_of(inputs()[0], slices),
                                              sliced_chunks(chunks, slices)),
          0};
}

void AssumeChunksLayer::write(LayerWriter& writer) const { writer.put_chunks(outputs()[0].chunks); }

LayerPtr AssumeChunksLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                                 std::string_view) {
  reader.need_inputs(inputs, 1);
  return reader.make<AssumeChunksLayer>(inputs[0], reader.get_chunks());
}

}  // namespace graph
TUFF_NAMESPACE_END
