// One function per hint; see hints.h.
#include "tuff/diagnostics/hints.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "tuff/diagnostics/text.h"
#include "tuff/graph/combine.h"
#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN

namespace {

using graph::Layer;
using graph::LayerPtr;

/// Below this no plan is slow for its tasks: 1000 of them are scheduled in well under a millisecond.
constexpr uint64_t kManyTasks = 1000;
/// A task of 32 kB takes some 5 us at 6 GB/s; handing it out takes some 0.3 us, so smaller ones lose 5 %
/// and more.
constexpr uint64_t kSmallTask = 32 * 1000;
/// What is smaller than this fits caches, and nothing about it is slow for its memory.
constexpr uint64_t kLarge = graph::kStreamingBytes;
/// A layer that reads its input so many times over is slow for reading.
constexpr uint64_t kManyReads = 4;

class Hints {
 public:
  Hints(const std::vector<LayerPtr>& order, const PlanBytes& bytes, int threads)
      : order_(order), bytes_(bytes), threads_(static_cast<uint64_t>(threads)) {
    std::unordered_map<const Layer*, uint32_t> number;
    readers_.resize(order.size());
    inputs_.resize(order.size());
    for (uint32_t l = 0; l < order.size(); ++l) {
      number[order[l].get()] = l;
      for (const graph::Port& input : order[l]->inputs()) {
        const uint32_t from = number.at(input.layer.get());
        readers_[from].push_back(l);
        inputs_[l].push_back(from);
      }
    }
  }

  std::vector<Explanation::Hint> run() {
    for (uint32_t l = 0; l < order_.size(); ++l) {
      const auto found = bytes_.layers.find(order_[l].get());
      if (found == bytes_.layers.end()) continue;
      held_whole(l, found->second);
      small_tasks(l, found->second);
      few_tasks(l, found->second);
      many_reads(l, found->second);
      unknown_extents(l);
      unknown_values(l);
    }
    // The largest first: what costs most is read first.
    std::stable_sort(hints_.begin(), hints_.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<Explanation::Hint> result;
    for (auto& [weight, hint] : hints_) result.push_back(std::move(hint));
    return result;
  }

 private:
  void add(uint64_t weight, uint32_t layer, std::string text) {
    hints_.push_back({weight, {layer, fmt::format("L{} {}", layer, text)}});
  }

  /// Layers that l leads to, or that lead to l; l too.
  std::unordered_set<uint32_t> below(uint32_t l) const {
    return walked(l, [&](uint32_t at) -> const std::vector<uint32_t>& { return readers_[at]; });
  }
  std::unordered_set<uint32_t> above(uint32_t l) const {
    return walked(l, [&](uint32_t at) -> const std::vector<uint32_t>& { return inputs_[at]; });
  }
  template <class Next>
  static std::unordered_set<uint32_t> walked(uint32_t from, Next&& next) {
    std::unordered_set<uint32_t> seen = {from};
    std::vector<uint32_t> stack = {from};
    while (!stack.empty()) {
      const uint32_t at = stack.back();
      stack.pop_back();
      for (uint32_t other : next(at)) {
        if (seen.insert(other).second) stack.push_back(other);
      }
    }
    return seen;
  }

  void held_whole(uint32_t l, const LayerBytes& measured) {
    if (!measured.held_whole || measured.held <= kLarge || measured.tasks < 2) return;
    const uint32_t reader = *std::max_element(readers_[l].begin(), readers_[l].end());
    // The reduction that the reader waits for: below l, and above the reader.
    const std::unordered_set<uint32_t> after = below(l);
    const std::unordered_set<uint32_t> before = above(reader);
    for (uint32_t c = l; c < reader; ++c) {
      if (!after.contains(c) || !before.contains(c)) continue;
      if (dynamic_cast<const graph::CombineLayer*>(order_[c].get()) == nullptr) continue;
      add(measured.held, l,
          fmt::format("is held whole, {}: L{} reads it and waits for a reduction over all of it "
                      "(L{}). Computing the reduction first, in a run of its own, holds one block "
                      "at a time if what L{} is made from can be made or read again.",
                      bytes_text(measured.held), reader, c, l));
      return;
    }
    add(measured.held, l,
        fmt::format("is held whole, {}: the tasks of L{} read its blocks in another order than "
                    "they are made. Chunks that go along with L{} free them sooner.",
                    bytes_text(measured.held), reader, reader));
  }

  void small_tasks(uint32_t l, const LayerBytes& measured) {
    const uint64_t all = measured.from_memory + measured.from_tasks + measured.written;
    const bool merges = dynamic_cast<const graph::CombineLayer*>(order_[l].get()) != nullptr;
    if (merges || measured.tasks < kManyTasks || all / measured.tasks >= kSmallTask) return;
    // A program that makes its numbers and leaves a sum touches no memory, and may yet work for long.
    if (made_inside(l)) return;
    add(measured.tasks * 1000, l,
        fmt::format("has {} tasks of {} on average: blocks are very small. Larger chunks would "
                    "save most of the scheduling.",
                    count_text(measured.tasks), bytes_text(all / measured.tasks)));
  }

  /// Whether a block has many more elements than its task reads and writes.
  bool made_inside(uint32_t l) const {
    const auto* fused = dynamic_cast<const graph::FusedLayer*>(order_[l].get());
    return fused != nullptr && elements_of(*fused) * 8 >= kSmallTask;
  }

  void few_tasks(uint32_t l, const LayerBytes& measured) {
    const uint64_t all = measured.from_memory + measured.from_tasks + measured.written;
    if (measured.tasks >= threads_ || all <= kLarge) return;
    add(all, l,
        fmt::format("has {} task{} for {}: {} threads have too little to do. Smaller chunks would "
                    "keep all of them busy.",
                    measured.tasks, measured.tasks == 1 ? "" : "s", bytes_text(all), threads_));
  }

  void many_reads(uint32_t l, const LayerBytes& measured) {
    const uint64_t read = measured.from_memory + measured.from_tasks;
    if (order_[l]->name() == "rechunk" && measured.blocks_read > kManyReads * measured.tasks &&
        measured.blocks_read > kManyTasks) {
      add(read, l,
          fmt::format("reads {} blocks to make {}: every block is cut into many pieces. Fewer "
                      "pieces come from chunks that are changed along one axis at a time.",
                      count_text(measured.blocks_read), count_text(measured.tasks)));
      return;
    }
    if (read <= kLarge || read < kManyReads * measured.distinct_read) return;
    add(read, l,
        fmt::format("reads {} of blocks that are {}: each is read {} times. Larger chunks are read "
                    "less often.",
                    bytes_text(read), bytes_text(measured.distinct_read),
                    read / std::max<uint64_t>(measured.distinct_read, 1)));
  }

  void unknown_extents(uint32_t l) {
    if (order_[l]->name() != "mask" || std::exchange(has_masks_, true)) return;
    add(0, l,
        "yields blocks whose sizes only a run knows: bytes count the most that they can be. After "
        "compute_chunk_sizes() they are numbers, and what needs numbers (slices, rechunk) works.");
  }

  void unknown_values(uint32_t l) {
    if (order_[l]->name() != "call" || std::exchange(has_calls_, true)) return;
    add(0, l,
        "yields a value whose size only a run knows; bytes here count 8 for each such value.");
  }

  const std::vector<LayerPtr>& order_;
  const PlanBytes& bytes_;
  uint64_t threads_;
  std::vector<std::vector<uint32_t>> readers_;  // by layer
  std::vector<std::vector<uint32_t>> inputs_;
  std::vector<std::pair<uint64_t, Explanation::Hint>> hints_;  // with what they weigh
  bool has_calls_ = false;                                     // said once
  bool has_masks_ = false;
};

}  // namespace

std::vector<Explanation::Hint> hints_of(const std::vector<LayerPtr>& order, const PlanBytes& bytes,
                                        int threads) {
  return Hints(order, bytes, threads).run();
}

std::vector<Explanation::Choice> choices_of(const Explanation& explanation) {
  std::vector<Explanation::Choice> choices;
  const auto largest =
      std::max_element(explanation.layers.begin(), explanation.layers.end(),
                       [](const auto& a, const auto& b) { return a.elements < b.elements; });
  if (largest != explanation.layers.end() && largest->elements > 0) {
    choices.push_back({"blocks", fmt::format("{} elements", count_text(largest->elements)),
                       fmt::format("at most in one task, of L{}; automatic chunks are 8.4 MB, "
                                   "about a millisecond of work",
                                   largest - explanation.layers.begin())});
  }
  size_t flat = 0;
  size_t panels = 0;
  std::string panel;
  for (const Explanation::Layer& layer : explanation.layers) {
    flat += layer.width.starts_with("tiles") ? 1U : 0U;
    if (!layer.width.starts_with("panels")) continue;
    ++panels;
    panel = layer.width;
  }
  if (flat > 0) {
    choices.push_back({"tiles", fmt::format("{} elements", kernels::kTileElements),
                       fmt::format("in {} program{}: values stay in the first-level cache", flat,
                                   flat == 1 ? "" : "s")});
  }
  if (panels > 0) {
    choices.push_back({"panels", panel.substr(std::string_view("panels of ").size()),
                       fmt::format("in {} program{}: rows are read once for all products", panels,
                                   panels == 1 ? "" : "s")});
  }
  for (const Explanation::Step& step : explanation.steps) {
    if (step.name != "fuse_tasks") continue;
    const bool looked = step.ave_width > 0;
    choices.push_back(
        {"fusion of tasks", looked ? fmt::format("width {}", step.ave_width) : "none",
         looked ? fmt::format("{} tasks became {}: scheduling them would cost a share of the work",
                              count_text(step.before), count_text(step.after))
                : "tasks are few, or long beside what scheduling them costs"});
  }
  const bool combines =
      std::any_of(explanation.layers.begin(), explanation.layers.end(),
                  [](const Explanation::Layer& layer) { return layer.name == "combine"; });
  if (combines) {
    choices.push_back({"tree of reductions", fmt::format("{} blocks per task", graph::kFanIn),
                       "whatever the number of threads, so that sums are equal to the last bit"});
  }
  return choices;
}

uint64_t elements_of(const graph::FusedLayer& layer) {
  uint64_t elements = 1;
  for (const AxisChunksPtr& axis : layer.label_chunks())
    elements *= static_cast<uint64_t>(axis->largest());
  return elements;
}

TUFF_NAMESPACE_END
