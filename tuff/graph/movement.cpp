// Slices and rechunking; see movement.h. Masks are in mask_layer.cpp.
#include "tuff/graph/movement.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "tuff/graph/grid_task.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

/// Row-major block number from a block index per axis.
template <class IndexOf>
uint32_t block_number(const Chunks& chunks, IndexOf&& index_of) {
  uint64_t number = 0;
  for (size_t a = 0; a < chunks.size(); ++a) number = number * chunks[a]->count() + index_of(a);
  return static_cast<uint32_t>(number);
}

std::vector<SliceLayer::Piece> pieces_of(const AxisChunks& axis, const AxisSlice& slice) {
  std::vector<SliceLayer::Piece> pieces;
  if (slice.whole) {
    for (size_t b = 0; b < axis.count(); ++b)
      pieces.push_back({static_cast<uint32_t>(b), 0, 1, -1});
    return pieces;
  }
  int64_t at = slice.start;
  int64_t left = slice.count;
  while (left > 0) {
    const size_t block = axis.block_of(at);
    const int64_t first = axis.offset(block);
    const int64_t last = first + axis.size(block) - 1;
    const int64_t room = slice.step > 0 ? (last - at) / slice.step : (at - first) / -slice.step;
    const int64_t count = std::min(left, room + 1);
    pieces.push_back({static_cast<uint32_t>(block), at - first, slice.step, count});
    left -= count;
    if (left > 0) at += count * slice.step;
  }
  if (pieces.empty()) pieces.push_back({0, 0, 1, 0});
  return pieces;
}

/// Blocks of `from` that overlap block `index` of `to` along one axis: first and one past the last.
std::pair<size_t, size_t> overlap(const AxisChunks& from, const AxisChunks& to, size_t index) {
  if (&from == &to || !from.is_known()) return {index, index + 1};
  if (to.size(index) == 0) return {0, 1};
  return {from.block_of(to.offset(index)), from.block_of(to.offset(index + 1) - 1) + 1};
}

}  // namespace

// ---- what moves are made of ----------------------------------------------------------------------

AxisChunksPtr sliced_axis(const AxisChunksPtr& axis, const AxisSlice& slice) {
  if (slice.whole) return axis;
  std::vector<int64_t> sizes;
  for (const SliceLayer::Piece& piece : pieces_of(*axis, slice)) sizes.push_back(piece.count);
  return AxisChunks::of(sizes);
}

Chunks sliced_chunks(const Chunks& chunks, const Slices& slices) {
  Chunks result;
  for (size_t a = 0; a < chunks.size(); ++a) result.push_back(sliced_axis(chunks[a], slices[a]));
  return result;
}

std::vector<uint32_t> touched_blocks(const AxisChunks& axis, const AxisSlice& slice) {
  std::vector<uint32_t> blocks;
  for (const SliceLayer::Piece& piece : pieces_of(axis, slice)) {
    if (piece.count != 0) blocks.push_back(piece.block);
  }
  return blocks;
}

Slices whole_slices(size_t rank) { return Slices(rank, AxisSlice{0, 1, 0, true}); }

Slices compose(const Slices& first, const Slices& then) {
  Slices result;
  for (size_t a = 0; a < first.size(); ++a) {
    if (then[a].whole || first[a].whole) {
      result.push_back(then[a].whole ? first[a] : then[a]);
      continue;
    }
    AxisSlice slice;
    slice.count = then[a].count;
    if (slice.count > 0) slice.start = first[a].start + first[a].step * then[a].start;
    if (slice.count > 1) slice.step = first[a].step * then[a].step;
    result.push_back(slice);
  }
  return result;
}

Port slice_of(const Port& port, const Slices& slices) {
  const Chunks& chunks = output_of(port).chunks;
  Slices cuts = slices;
  bool any = false;
  for (size_t a = 0; a < chunks.size(); ++a) {
    AxisSlice& s = cuts[a];
    // All of one block is the axis as it is; of several, empty ones would go.
    s.whole = s.whole || (chunks[a]->count() == 1 && chunks[a]->is_known() && s.start == 0 &&
                          s.step == 1 && s.count == chunks[a]->extent().value());
    if (s.whole) s = AxisSlice{0, 1, 0, true};
    any = any || !s.whole;
  }
  return any ? Port{std::make_shared<SliceLayer>(port, cuts), 0} : port;
}

bool cut_alike(const Chunks& a, const Chunks& b) {
  for (size_t axis = 0; axis < a.size(); ++axis) {
    if (!same_chunks(a[axis], b[axis])) return false;
  }
  return true;
}

Port rechunk_of(const Port& port, const Chunks& chunks) {
  if (cut_alike(output_of(port).chunks, chunks)) return port;
  return {std::make_shared<RechunkLayer>(port, chunks), 0};
}

RechunkWork rechunk_work(const Chunks& from, const Chunks& to) {
  RechunkWork work{1, 1, 0};
  double all = 1;
  double viewed = 1;
  size_t last = 0;  // the last axis that is cut: what lies behind it is one run of memory
  for (size_t a = 0; a < to.size(); ++a) {
    if (from[a]->count() > 1 || to[a]->count() > 1) last = a;
  }
  for (size_t a = 0; a < to.size(); ++a) {
    const auto extent = static_cast<double>(to[a]->extent().upper_bound());
    double pairs = 0;
    double inside = 0;
    int64_t most_read = 0;
    int64_t most_made = 0;
    for (size_t i = 0; i < to[a]->count(); ++i) {
      const auto [first, end] = overlap(*from[a], *to[a], i);
      pairs += static_cast<double>(end - first);
      if (end - first == 1) inside += static_cast<double>(to[a]->size(i));
      most_made = std::max(most_made, to[a]->size(i));
      if (end > first) {
        most_read = std::max(
            most_read, from[a]->offset(end - 1) + from[a]->size(end - 1) - from[a]->offset(first));
      }
    }
    work.edges *= pairs;
    work.most_read *= static_cast<double>(most_read);
    work.most_made *= static_cast<double>(most_made);
    all *= extent;
    viewed *= inside;
    if (a <= last) work.rows *= a < last ? extent : pairs;
  }
  work.elements = all - viewed;
  work.rows *= all > 0 ? work.elements / all : 0;
  return work;
}

// ---- SliceLayer ----------------------------------------------------------------------------------

namespace {

/// Throws unless the slices lie inside; where one takes at most one element, its step means nothing and is 1.
Slices checked_slices(const Chunks& chunks, Slices slices) {
  if (slices.size() != chunks.size()) {
    throw InvalidArgument(
        "slice", fmt::format("{} slices of an array of rank {}", slices.size(), chunks.size()));
  }
  for (size_t a = 0; a < slices.size(); ++a) {
    AxisSlice& s = slices[a];
    if (s.whole) {
      s = AxisSlice{0, 1, 0, true};
      continue;
    }
    if (s.count <= 1) s.step = 1;
    const int64_t extent = chunks[a]->is_known() ? chunks[a]->extent().value() : -1;
    int64_t way = 0;
    int64_t last = 0;
    const bool inside =
        extent >= 0 && s.count >= 0 && s.step != 0 &&
        (s.count == 0 ||
         (s.start >= 0 && s.start < extent && !__builtin_mul_overflow(s.count - 1, s.step, &way) &&
          !__builtin_add_overflow(s.start, way, &last) && last >= 0 && last < extent));
    if (!inside) {
      throw InvalidArgument(
          "slice",
          fmt::format("{} elements from {} on in steps of {} of axis {}, of extent {}", s.count,
                      s.start, s.step, a, extent < 0 ? "unknown" : std::to_string(extent)));
    }
  }
  return slices;
}

}  // namespace

struct SliceLayer::Cut {
  Slices slices;
  Chunks chunks;
  std::vector<std::vector<Piece>> pieces;
};

SliceLayer::SliceLayer(const Port& input, const Slices& slices)
    : SliceLayer(input, [&] {
        const Chunks& chunks = output_of(input).chunks;
        Cut cut{checked_slices(chunks, slices), {}, {}};
        for (size_t a = 0; a < chunks.size(); ++a) {
          cut.pieces.push_back(pieces_of(*chunks[a], cut.slices[a]));
          cut.chunks.push_back(sliced_axis(chunks[a], cut.slices[a]));
        }
        return cut;
      }()) {}

SliceLayer::SliceLayer(const Port& input, Cut cut)
    : Layer({input}, output_of(input).dtype, std::move(cut.chunks)),
      slices_(cut.slices),
      pieces_(std::make_shared<std::vector<std::vector<Piece>>>(std::move(cut.pieces))) {}

void SliceLayer::inputs_of(uint32_t task, std::vector<InputBlock>& reads) const {
  const Dims index = grid_index(task, grid_of(outputs()[0].chunks));
  reads.push_back({0, block_number(output_of(inputs()[0]).chunks, [&](size_t a) {
                     return (*pieces_)[a][static_cast<size_t>(index[a])].block;
                   })});
}

namespace {

class SliceTask final : public GridTask {
 public:
  SliceTask(const Chunks& chunks,
            std::shared_ptr<const std::vector<std::vector<SliceLayer::Piece>>> pieces)
      : GridTask(chunks), pieces_(std::move(pieces)) {}
  std::string_view name() const override { return "slice"; }
  void run(TaskArguments& arguments) const override {
    const Block& block = arguments.inputs[0]->get<Block>();
    const Dims index = grid_index(arguments.block, grid_);
    int64_t offset = 0;
    Dims shape;
    Dims strides;
    for (size_t a = 0; a < pieces_->size(); ++a) {
      const SliceLayer::Piece& piece = (*pieces_)[a][static_cast<size_t>(index[a])];
      shape.push_back(piece.count < 0 ? block.shape()[a] : piece.count);
      if (shape.back() > 0) offset += piece.start * block.strides()[a];
      strides.push_back(piece.step * block.strides()[a]);
    }
    arguments.outputs[0].emplace<Block>(block.strided_view(offset, shape, strides));
  }

 private:
  std::shared_ptr<const std::vector<std::vector<SliceLayer::Piece>>> pieces_;
};

}  // namespace

std::shared_ptr<const TaskFunction> SliceLayer::lower(const LowerHints&) const {
  return std::make_shared<SliceTask>(outputs()[0].chunks, pieces_);
}

LayerPtr SliceLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<SliceLayer>(inputs[0], slices_);
}

Port SliceLayer::sliced(uint32_t, const Slices& slices) const {
  return slice_of(inputs()[0], compose(slices_, slices));
}

void SliceLayer::write(LayerWriter& writer) const {
  writer.put(static_cast<uint8_t>(slices_.size()));
  for (const AxisSlice& s : slices_) {
    writer.put(s.start);
    writer.put(s.step);
    writer.put(s.count);
    writer.put(s.whole);
  }
}

std::string SliceLayer::note() const {
  std::string text;
  for (const AxisSlice& s : slices_) {
    if (!text.empty()) text += ", ";
    text += s.whole ? ":" : fmt::format("{}:{}x{}", s.start, s.step, s.count);
  }
  return text;
}

LayerPtr SliceLayer::read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view) {
  reader.need_inputs(inputs, 1);
  Slices slices;
  const auto rank = reader.get<uint8_t>();
  if (rank > kMaxRank) reader.fail("a rank out of range");
  for (size_t a = 0; a < rank; ++a) {
    AxisSlice s;
    s.start = reader.get<int64_t>();
    s.step = reader.get<int64_t>();
    s.count = reader.get<int64_t>();
    s.whole = reader.get<bool>();
    slices.push_back(s);
  }
  return reader.make<SliceLayer>(inputs[0], slices);
}

// ---- RechunkLayer --------------------------------------------------------------------------------

namespace {

/// Calls f(block number, first index per axis) for the input blocks of one output block.
template <class F>
void for_each_overlap(const Chunks& from, const Chunks& to, const Dims& index, F&& f) {
  Dims first;
  Dims last;
  for (size_t a = 0; a < to.size(); ++a) {
    const auto [b, e] = overlap(*from[a], *to[a], static_cast<size_t>(index[a]));
    first.push_back(static_cast<int64_t>(b));
    last.push_back(static_cast<int64_t>(e));
  }
  Dims at = first;
  while (true) {
    f(block_number(from, [&](size_t a) { return static_cast<size_t>(at[a]); }), at);
    size_t a = to.size();
    while (a-- > 0) {
      if (++at[a] < last[a]) break;
      at[a] = first[a];
    }
    if (a == SIZE_MAX) return;
  }
}

/// Whether a block lies inside one block of another cut.
bool lies_inside(const Chunks& from, const Chunks& to, const Dims& index) {
  for (size_t a = 0; a < to.size(); ++a) {
    const auto [first, end] = overlap(*from[a], *to[a], static_cast<size_t>(index[a]));
    if (end - first != 1) return false;
  }
  return true;
}

class RechunkTask final : public GridTask {
 public:
  /// `way`: null when there is none.
  RechunkTask(DType dtype, Chunks source, const Chunks* way, Chunks to, bool copies)
      : GridTask(to),
        dtype_(dtype),
        source_(std::move(source)),
        way_(way != nullptr ? std::optional(*way) : std::nullopt),
        to_(std::move(to)),
        copies_(copies) {}

  std::string_view name() const override { return "rechunk"; }
  void run(TaskArguments& arguments) const override {
    const Dims index = grid_index(arguments.block, grid_);
    Dims shape;
    for (size_t a = 0; a < to_.size(); ++a) {
      shape.push_back(to_[a]->is_known() ? to_[a]->size(static_cast<size_t>(index[a]))
                                         : arguments.inputs[0]->get<Block>().shape()[a]);
    }
    const bool inside = lies_inside(source_, to_, index);
    const bool is_view = inside && !copies_;
    const Chunks& from = way_ && !inside ? *way_ : source_;
    Block result;
    if (!is_view) result = Block::allocate(dtype_, shape);
    size_t k = 0;
    for_each_overlap(from, to_, index, [&](uint32_t, const Dims& at) {
      const Block& input = arguments.inputs[k++]->get<Block>();
      for (size_t a = 0; a < to_.size(); ++a) {
        if (!to_[a]->is_known()) check_alike("rechunk", shape[a], input.shape()[a]);
      }
      int64_t from_offset = 0;
      int64_t to_offset = 0;
      Dims piece;
      for (size_t a = 0; a < to_.size(); ++a) {
        if (!to_[a]->is_known()) {
          piece.push_back(shape[a]);
          continue;
        }
        const int64_t out_first = to_[a]->offset(static_cast<size_t>(index[a]));
        const int64_t in_first = from[a]->offset(static_cast<size_t>(at[a]));
        const int64_t begin = std::max(out_first, in_first);
        const int64_t end =
            std::min(out_first + shape[a], in_first + from[a]->size(static_cast<size_t>(at[a])));
        piece.push_back(std::max<int64_t>(end - begin, 0));
        if (piece.back() > 0) {
          from_offset += (begin - in_first) * input.strides()[a];
          if (!is_view) to_offset += (begin - out_first) * result.strides()[a];
        }
      }
      const Block source = input.strided_view(from_offset, piece, input.strides());
      if (is_view) {
        result = source;
      } else {
        copy_elements(source, result.strided_view(to_offset, piece, result.strides()),
                      StopRequest(arguments.stop));
      }
    });
    arguments.outputs[0].emplace<Block>(std::move(result));
  }

 private:
  DType dtype_;
  Chunks source_;
  std::optional<Chunks> way_;
  Chunks to_;
  bool copies_;
};

}  // namespace

namespace {

/// Throws unless the axes are as long as those of the input; one of unknown extent stays as it is.
Chunks rechunked_chunks(const Port& input, Chunks chunks) {
  const Chunks& given = output_of(input).chunks;
  bool fits = chunks.size() == given.size();
  for (size_t a = 0; fits && a < chunks.size(); ++a) {
    fits = chunks[a] != nullptr && (given[a]->is_known() ? chunks[a]->extent() == given[a]->extent()
                                                         : same_chunks(chunks[a], given[a]));
  }
  if (!fits) {
    throw InvalidArgument("rechunk", fmt::format("chunks {} to others of another extent or rank",
                                                 tuff::to_string(given)));
  }
  return chunks;
}

}  // namespace

RechunkLayer::RechunkLayer(const Port& input, Chunks chunks, bool copies)
    : Layer({input}, output_of(input).dtype, rechunked_chunks(input, std::move(chunks))),
      copies_(copies) {}

RechunkLayer::RechunkLayer(const Port& input, const Port& way, Chunks chunks)
    : Layer({way, input}, output_of(input).dtype, rechunked_chunks(input, std::move(chunks))),
      copies_(false) {
  rechunked_chunks(input, output_of(way).chunks);
  if (output_of(way).dtype != output_of(input).dtype)
    throw InvalidArgument("rechunk", "a way of another type than the input");
}

void RechunkLayer::inputs_of(uint32_t task, std::vector<InputBlock>& reads) const {
  const Chunks& to = outputs()[0].chunks;
  const Dims index = grid_index(task, grid_of(to));
  const bool inside = lies_inside(output_of(source()).chunks, to, index);
  const auto from = static_cast<uint32_t>(inside ? inputs().size() - 1 : 0);
  for_each_overlap(output_of(inputs()[from]).chunks, to, index, [&](uint32_t block, const Dims&) {
    reads.push_back({from, block});
  });
}

std::shared_ptr<const TaskFunction> RechunkLayer::lower(const LowerHints&) const {
  const Chunks* const way = inputs().size() > 1 ? &output_of(inputs()[0]).chunks : nullptr;
  return std::make_shared<RechunkTask>(outputs()[0].dtype, output_of(source()).chunks, way,
                                       outputs()[0].chunks, copies_);
}

LayerPtr RechunkLayer::with_inputs(std::vector<Port> inputs) const {
  if (inputs.size() > 1)
    return std::make_shared<RechunkLayer>(inputs[1], inputs[0], outputs()[0].chunks);
  return std::make_shared<RechunkLayer>(inputs[0], outputs()[0].chunks, copies_);
}

Port RechunkLayer::sliced(uint32_t, const Slices& slices) const {
  return rechunk_of(slice_of(source(), slices), sliced_chunks(outputs()[0].chunks, slices));
}

Port RechunkLayer::rechunked(uint32_t, const Chunks& chunks) const {
  return rechunk_of(source(), chunks);
}

void RechunkLayer::write(LayerWriter& writer) const {
  writer.put_chunks(outputs()[0].chunks);
  writer.put(static_cast<uint8_t>(copies_));
}

std::string RechunkLayer::note() const { return tuff::to_string(outputs()[0].chunks); }

LayerPtr RechunkLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                            std::string_view) {
  const Chunks chunks = reader.get_chunks();
  const auto copies = reader.get<uint8_t>();
  if (inputs.size() == 2 && copies == 0)
    return reader.make<RechunkLayer>(inputs[1], inputs[0], chunks);
  reader.need_inputs(inputs, 1);
  if (copies > 1) reader.fail("neither views nor copies");
  return reader.make<RechunkLayer>(inputs[0], chunks, copies != 0);
}

}  // namespace graph
TUFF_NAMESPACE_END
