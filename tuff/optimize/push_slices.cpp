// When a slice goes through a layer; how it does is each layer's own affair (Layer::sliced). See push_slices.h.
#include "tuff/optimize/push_slices.h"

#include <algorithm>

#include "tuff/graph/blockwise.h"
#include "tuff/graph/movement.h"
#include "tuff/optimize/wishes.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

using graph::AxisSlice;
using graph::Slices;

/// Blocks that are looked at one by one to see which of them several slices share. Beyond it the widest
/// slice alone is counted, which only makes the pass more careful.
constexpr size_t kMostBlocks = 65'536;

double elements_of(const Chunks& chunks) {
  double count = 1;
  for (const AxisChunksPtr& axis : chunks)
    count *= static_cast<double>(axis->extent().upper_bound());
  return count;
}

/// By axis, the blocks that the slices touch.
using Touched = std::vector<std::vector<uint32_t>>;

Touched touched(const Chunks& chunks, const Slices& slices) {
  Touched blocks;
  for (size_t a = 0; a < chunks.size(); ++a)
    blocks.push_back(graph::touched_blocks(*chunks[a], slices[a]));
  return blocks;
}

double elements_in(const Chunks& chunks, const Touched& blocks) {
  double count = 1;
  for (size_t a = 0; a < chunks.size(); ++a) {
    double along = 0;
    for (size_t b : blocks[a]) along += static_cast<double>(chunks[a]->size(b));
    count *= along;
  }
  return count;
}

struct SlicePolicy {
  using Wish = Slices;
  SlicePolicy(const std::vector<graph::LayerPtr>&, const std::vector<graph::Port>&) {}

  static bool is_movement(const graph::Layer& layer) {
    return dynamic_cast<const graph::SliceLayer*>(&layer) != nullptr;
  }
  static const Slices& wish_of(const graph::Layer& layer) {
    return static_cast<const graph::SliceLayer&>(layer).slices();
  }
  static Slices as_it_is(const graph::Layer& layer) {
    return graph::whole_slices(layer.outputs()[0].chunks.size());
  }
  static std::vector<int64_t> key_of(const Slices& slices) {
    std::vector<int64_t> key;
    for (const AxisSlice& s : slices)
      key.insert(key.end(), {s.start, s.step, s.count, int64_t{s.whole}});
    return key;
  }
  static graph::Port through(const graph::Layer& layer, uint32_t output, const Slices& slices) {
    return layer.sliced(output, slices);
  }
  static graph::Port above(const graph::Port& port, const Slices& slices) {
    return graph::slice_of(port, slices);
  }

  bool grants(const graph::Layer& layer, const Demand<Slices>& needed, const Part<Slices>&) {
    if (layer.is_view()) return true;
    const auto* blockwise = dynamic_cast<const graph::BlockwiseLayer*>(&layer);
    if (blockwise != nullptr && blockwise->is_cheap_source()) return true;
    if (&layer != last_) {
      last_ = &layer;
      saves_ = !needed.whole && saves_work(layer, needed.parts);
    }
    return saves_;
  }

 private:
  static bool saves_work(const graph::Layer& layer, const std::vector<Part<Slices>>& parts) {
    if (layer.outputs().size() > 1) return false;
    if (parts.size() == 1) return true;
    const Chunks& chunks = layer.outputs()[0].chunks;
    const bool looks = block_count(chunks) <= kMostBlocks;
    std::vector<bool> seen(looks ? block_count(chunks) : 0, false);
    double wanted = 0;
    double together = 0;
    double widest = 0;
    const Dims grid = grid_of(chunks);
    for (const Part<Slices>& part : parts) {
      wanted += elements_of(graph::sliced_chunks(chunks, part.wish));
      const Touched blocks = touched(chunks, part.wish);
      widest = std::max(widest, elements_in(chunks, blocks));
      if (!looks) continue;
      bool any = true;
      for (const auto& along : blocks) any = any && !along.empty();
      Dims at(chunks.size(), 0);  // positions in `blocks`
      while (any) {
        Dims index;
        double elements = 1;
        for (size_t a = 0; a < chunks.size(); ++a) {
          const size_t b = blocks[a][static_cast<size_t>(at[a])];
          index.push_back(static_cast<int64_t>(b));
          elements *= static_cast<double>(chunks[a]->size(b));
        }
        const size_t number = linear_index(index, grid);
        if (!seen[number]) together += elements;
        seen[number] = true;
        size_t a = chunks.size();
        while (a-- > 0) {
          if (++at[a] < static_cast<int64_t>(blocks[a].size())) break;
          at[a] = 0;
        }
        any = a != SIZE_MAX;
      }
    }
    return wanted + kElementsPerCopy * static_cast<double>(parts.size() - 1) <=
           std::max(together, widest);
  }

  // The last layer asked about, and the answer, which is one for all its slices.
  const graph::Layer* last_ = nullptr;
  bool saves_ = false;
};

}  // namespace

std::vector<graph::Port> push_slices(const std::vector<graph::Port>& outputs) {
  return grant_wishes<SlicePolicy>(outputs);
}

}  // namespace optimize
TUFF_NAMESPACE_END
