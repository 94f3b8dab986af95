// The same elements under other axes. Appended by array/array.cpp, linalg.cpp and reductions.cpp.
//
// In a program it is no instruction at all: the labels of a load say it. Alone it is a view, where it can be.
#pragma once

#include "tuff/graph/blockwise.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// The same elements under other axes: transposed, with axes of extent 1 added or dropped, broadcast.
class TUFF_API RelabelLayer final : public BlockwiseLayer {
 public:
  /// `from[a]`: the input axis that output axis a shows, each at most once, or kNoLabel for a new one. `chunks`: of
  /// the output; a new axis, or one whose input has extent 1, may have any known chunks (broadcast). What is
  /// left out has extent 1.
  RelabelLayer(const Port& input, const LabelMap& from, const Chunks& chunks);
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
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  LabelMap from_;
  bool view_ = true;
};

}  // namespace graph
TUFF_NAMESPACE_END
