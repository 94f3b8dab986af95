// Layers that move or select elements: slices, rechunking, boolean masks, chunk sizes made known.
#pragma once

#include "tuff/base/block.h"
#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// An axis, or all axes, as slices leave them: one block for each block that a slice touches.
TUFF_API AxisChunksPtr sliced_axis(const AxisChunksPtr& axis, const AxisSlice& slice);
TUFF_API Chunks sliced_chunks(const Chunks& chunks, const Slices& slices);
/// The blocks of an axis in which a slice has elements, in the order in which it comes to them.
TUFF_API std::vector<uint32_t> touched_blocks(const AxisChunks& axis, const AxisSlice& slice);
/// Slices that change nothing, for each axis.
TUFF_API Slices whole_slices(size_t rank);
/// What is left by `then` of what `first` leaves, as one.
TUFF_API Slices compose(const Slices& first, const Slices& then);

/// The port under a SliceLayer, or itself when nothing is cut off.
TUFF_API Port slice_of(const Port& port, const Slices& slices);
/// The port under a RechunkLayer, or itself when it has these chunks.
TUFF_API Port rechunk_of(const Port& port, const Chunks& chunks);
TUFF_API bool cut_alike(const Chunks& a, const Chunks& b);

/// What it takes to cut an array anew. Blocks that lie inside one old block are views and copy nothing.
struct RechunkWork {
  double edges = 0;      ///< pairs of an old and a new block that overlap
  double rows = 0;       ///< runs of memory that are copied
  double elements = 0;   ///< that are copied
  double most_read = 1;  ///< elements of all old blocks that one new block overlaps
  double most_made = 1;  ///< elements of a new block
};
TUFF_API RechunkWork rechunk_work(const Chunks& from, const Chunks& to);

/// A slice per axis. Each output block is a view of one input block, so nothing is copied.
class TUFF_API SliceLayer final : public Layer {
 public:
  /// Of an axis of unknown extent, all.
  SliceLayer(const Port& input, const Slices& slices);
  std::string_view name() const override { return "slice"; }
  bool is_view() const override { return true; }
  const Slices& slices() const { return slices_; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override;
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

  /// What one output block takes of one input block along one axis.
  struct Piece {
    uint32_t block = 0;
    int64_t start = 0;
    int64_t step = 1;
    int64_t count = 0;  ///< -1: all of it
  };

 private:
  struct Cut;
  SliceLayer(const Port& input, Cut cut);
  Slices slices_;
  std::shared_ptr<const std::vector<std::vector<Piece>>> pieces_;  // by axis, by output block
};

/// The same elements in other blocks. Each output block is copied straight from the input blocks that
/// it overlaps; a block that lies inside one input block is a view, or a copy that does not keep the input block.
class TUFF_API RechunkLayer final : public Layer {
 public:
  /// Of the same extents; an axis of unknown extent stays as it is. `copies`: there are no views.
  RechunkLayer(const Port& input, Chunks chunks, bool copies = false);
  /// By way of `way`, the same elements cut otherwise: blocks that lie inside one block of the input are views of that
  /// as ever, so that they lie as they would without the way; all others are copied from the way.
  RechunkLayer(const Port& input, const Port& way, Chunks chunks);
  std::string_view name() const override { return "rechunk"; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override;
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  const Port& source() const { return inputs().back(); }
  bool copies_;
};

/// Elements where a mask is true. Input 0: the array; input 1: the mask (bool), either 1-d, selecting
/// along axis 0, or of the array's rank (then all axes but the first are whole and the result is 1-d).
/// The first extent of the result is a symbol: `selected`, whose bounds are the elements of each block of the mask.
class TUFF_API MaskLayer final : public Layer {
 public:
  MaskLayer(const Port& input, const Port& mask, AxisChunksPtr selected);
  std::string_view name() const override { return "mask"; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override;
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);
};

/// The same blocks under chunks that are now known (or other symbols); each block is checked as it passes.
class TUFF_API AssumeChunksLayer final : public Layer {
 public:
  /// In the same grid; what is known stays as it is.
  AssumeChunksLayer(const Port& input, Chunks chunks);
  std::string_view name() const override { return "assume_chunks"; }
  bool is_view() const override { return true; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override {
    reads.push_back({0, task});
  }
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);
};

}  // namespace graph
TUFF_NAMESPACE_END
