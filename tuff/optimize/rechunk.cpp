// Costs of rechunks, where they go, and by which way; see rechunk.h.
#include "tuff/optimize/rechunk.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "tuff/base/key.h"
#include "tuff/graph/blockwise.h"
#include "tuff/optimize/wishes.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

/// Layers that are looked through for a cheaper place of one rechunk: as deep as a group of fuse, beyond
/// which nothing is read once instead of twice any more.
constexpr int kMostLookedThrough = 256;

bool is_known_where_cut(const Chunks& from, const Chunks& to) {
  for (size_t a = 0; a < to.size(); ++a) {
    if (!from[a]->is_known() && !same_chunks(from[a], to[a])) return false;
  }
  return true;
}

/// Groups of neighbours of the finer of two cuts: `times` as many as lie halfway between them on a scale of factors.
AxisChunksPtr halfway(const AxisChunksPtr& from, const AxisChunksPtr& to, double times) {
  if (!from->is_known() || same_chunks(from, to)) return to;
  const AxisChunksPtr& fine = from->count() >= to->count() ? from : to;
  const double groups =
      times * std::sqrt(static_cast<double>(from->count()) * static_cast<double>(to->count()));
  if (groups >= static_cast<double>(fine->count())) return fine;
  const double size = static_cast<double>(fine->extent().value()) / std::ceil(groups);
  std::vector<int64_t> sizes = {0};
  for (size_t b = 0; b < fine->count(); ++b) {
    const auto wanted = static_cast<double>(sizes.size()) * size;
    // A block on the boundary goes where more of it lies.
    const double middle =
        static_cast<double>(fine->offset(b)) + 0.5 * static_cast<double>(fine->size(b));
    if (sizes.back() > 0 && middle > wanted) sizes.push_back(0);
    sizes.back() += fine->size(b);
  }
  return AxisChunks::of(sizes);
}

}  // namespace

namespace {

/// What an array that does not fit in memory is read back from disk for one step: once, if what a new block
/// is made of fits (its neighbours are made of the same), else for each new block anew.
double disk_ns(const graph::RechunkWork& work, const Chunks& from, const Chunks& to, double bytes,
               double memory_bytes) {
  if (bytes <= memory_bytes) return 0;
  const auto old_blocks = static_cast<double>(block_count(from));
  const auto new_blocks = static_cast<double>(block_count(to));
  const double for_one = work.edges / new_blocks * bytes / old_blocks;
  return (2 * for_one <= memory_bytes ? bytes : new_blocks * for_one) * kNsPerDiskByte;
}

}  // namespace

double rechunk_task_bytes(const Chunks& from, const Chunks& to, DType dtype) {
  const graph::RechunkWork work = graph::rechunk_work(from, to);
  return (work.most_read + work.most_made) * static_cast<double>(size_of(dtype));
}

double rechunk_ns(const Chunks& from, const Chunks& to, DType dtype, double memory_bytes) {
  const graph::RechunkWork work = graph::rechunk_work(from, to);
  const double bytes = work.elements * static_cast<double>(size_of(dtype));
  return work.edges * kNsPerEdge + work.rows * kNsPerRow + bytes * kNsPerByte +
         disk_ns(work, from, to, bytes, memory_bytes);
}

Chunks rechunk_by_way_of(const Chunks& from, const Chunks& to, DType dtype, double memory_bytes) {
  const double direct_bytes = rechunk_task_bytes(from, to, dtype);
  Chunks best = to;
  Chunks last;
  double least_bytes = direct_bytes;
  for (double times = 1;; times *= 2) {
    Chunks way;
    for (size_t a = 0; a < to.size(); ++a) way.push_back(halfway(from[a], to[a], times));
    if (graph::cut_alike(way, to) || graph::cut_alike(way, from)) return best;
    if (times > 1 && graph::cut_alike(way, last)) return best;  // no finer any more
    last = way;
    const double bytes =
        std::max(rechunk_task_bytes(from, way, dtype), rechunk_task_bytes(way, to, dtype));
    if (bytes <= memory_bytes && direct_bytes <= memory_bytes) {
      const double direct = rechunk_ns(from, to, dtype, memory_bytes);
      const double stepped =
          rechunk_ns(from, way, dtype, memory_bytes) + rechunk_ns(way, to, dtype, memory_bytes);
      return stepped * kTwoStepGain < direct ? way : to;
    }
    if (bytes < least_bytes) {
      best = way;
      least_bytes = bytes;
    }
    // The other half is for what is read next.
    if (direct_bytes <= memory_bytes || 2 * bytes <= memory_bytes) return best;
  }
}

namespace {

/// Memory is short for an array that takes so much of it: it holds others too.
constexpr double kShort = 4;

struct RechunkPolicy {
  using Wish = Chunks;

  RechunkPolicy(const std::vector<graph::LayerPtr>& layers, const std::vector<graph::Port>& outputs,
                double memory_bytes)
      : memory_bytes_(memory_bytes) {
    for (const graph::LayerPtr& layer : layers) {
      readers_.try_emplace(layer.get(), 0);
      std::set<const graph::Layer*> inputs;
      for (const graph::Port& input : layer->inputs()) inputs.insert(input.layer.get());
      for (const graph::Layer* input : inputs) ++readers_[input];
    }
    for (const graph::Port& output : outputs) readers_[output.layer.get()] += 2;
  }

  static bool is_movement(const graph::Layer& layer) {
    return dynamic_cast<const graph::RechunkLayer*>(&layer) != nullptr;
  }
  static const Chunks& wish_of(const graph::Layer& layer) { return layer.outputs()[0].chunks; }
  static Chunks as_it_is(const graph::Layer& layer) { return layer.outputs()[0].chunks; }
  static Key key_of(const Chunks& chunks) {
    ByteWriter writer;
    writer.put(chunks);
    return hash_bytes(writer.bytes());
  }
  static graph::Port through(const graph::Layer& layer, uint32_t output, const Chunks& chunks) {
    return layer.rechunked(output, chunks);
  }
  graph::Port above(const graph::Port& port, const Chunks& chunks) const {
    const graph::LayerOutput& from = graph::output_of(port);
    const Chunks way = rechunk_by_way_of(from.chunks, chunks, from.dtype, memory_bytes_);
    if (graph::cut_alike(way, from.chunks) || graph::cut_alike(way, chunks))
      return graph::rechunk_of(port, chunks);
    // Pieces that are views would keep the blocks that they lie in, and those may be larger than what is read of them.
    const bool is_short = kShort * graph::byte_bound(from) > memory_bytes_;
    const graph::Port squares = {std::make_shared<graph::RechunkLayer>(port, way, is_short), 0};
    return {std::make_shared<graph::RechunkLayer>(port, squares, chunks), 0};
  }

  bool grants(const graph::Layer& layer, const Demand<Chunks>& needed, const Part<Chunks>& part) {
    const bool only = !needed.whole && needed.parts.size() == 1;
    if (is_movement(layer) && (only || graph::cut_alike(part.wish, layer.outputs()[0].chunks))) {
      return true;
    }
    if (!only && !costs_nothing(layer) && !is_movement(layer)) return false;
    const graph::Port plan = layer.rechunked(part.output, part.wish);
    if (!plan.layer) return false;
    const double moved = cost_of_inputs(plan, kMostLookedThrough);
    const double stays = here(layer, part.output, part.wish);
    return costs_nothing(layer) ? moved <= stays : moved < stays;
  }

 private:
  /// Whether making the layer twice is no work.
  static bool costs_nothing(const graph::Layer& layer) {
    const auto* blockwise = dynamic_cast<const graph::BlockwiseLayer*>(&layer);
    return layer.is_view() || (blockwise != nullptr && blockwise->is_cheap_source());
  }

  double here(const graph::Layer& layer, uint32_t output, const Chunks& chunks) const {
    const graph::LayerOutput& from = layer.outputs()[output];
    if (!is_known_where_cut(from.chunks, chunks)) return HUGE_VAL;
    // Where a rechunk goes decides how blocks lie, and so the last digits of sums: that must not depend on the budget.
    return rechunk_ns(from.chunks, chunks, from.dtype);
  }

  bool is_of_before(const graph::Port& port) const { return readers_.count(port.layer.get()) != 0; }

  /// Of the rechunks below a new layer that stands for an old one.
  double cost_of_inputs(const graph::Port& plan, int depth) {
    if (is_of_before(plan)) return 0;
    const auto below = [&](const graph::Layer& rechunk) {
      return best(rechunk.inputs()[0], rechunk.outputs()[0].chunks, depth);
    };
    if (is_movement(*plan.layer)) return below(*plan.layer);
    double cost = 0;
    std::set<std::pair<const graph::Layer*, uint32_t>> counted;  // x * x needs x once
    for (const graph::Port& input : plan.layer->inputs()) {
      if (is_of_before(input)) continue;
      const graph::Port& from = input.layer->inputs()[0];
      if (counted.emplace(from.layer.get(), from.output).second) cost += below(*input.layer);
    }
    return cost;
  }

  /// The least that `chunks` of a port cost, here or further down, less what is spared on the way.
  double best(const graph::Port& port, const Chunks& chunks, int depth) {
    Place place{port.layer.get(), port.output, {}};
    for (const AxisChunksPtr& axis : chunks) std::get<2>(place).push_back(axis.get());
    const auto known = costs_.find(place);
    if (known != costs_.end()) return known->second;
    const graph::Layer& layer = *port.layer;
    const bool movement = is_movement(layer);
    const bool only = readers_[&layer] == 1;
    double cost = here(layer, port.output, chunks);
    if (depth > 0 && (movement || only || costs_nothing(layer))) {
      const graph::Port plan = layer.rechunked(port.output, chunks);
      if (plan.layer) {
        const double moved = cost_of_inputs(plan, depth - 1);
        // A rechunk that nobody else needs is spared.
        cost = movement && only ? moved - here(*layer.inputs()[0].layer, layer.inputs()[0].output,
                                               layer.outputs()[0].chunks)
                                : std::min(cost, moved);
      }
    }
    costs_.emplace(std::move(place), cost);
    return cost;
  }

  /// Chunks by address: they are passed down as they are.
  using Place = std::tuple<const graph::Layer*, uint32_t, std::vector<const AxisChunks*>>;
  const double memory_bytes_;
  std::map<Place, double> costs_;
  std::unordered_map<const graph::Layer*, int> readers_;  // an output counts as two
};

}  // namespace

std::vector<graph::Port> plan_rechunks(const std::vector<graph::Port>& outputs,
                                       double memory_bytes) {
  return grant_wishes<RechunkPolicy>(outputs, memory_bytes);
}

}  // namespace optimize
TUFF_NAMESPACE_END
