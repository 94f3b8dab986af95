// See measure.h.
//
// A slot that is a view shares the memory of the slot that it was made from, its root: bytes belong to
// roots, and are held until the last slot over them has had its last use.
#include "tuff/diagnostics/measure.h"

#include <algorithm>
#include <utility>

#include "tuff/base/block.h"

TUFF_NAMESPACE_BEGIN

namespace {

using graph::Layer;

constexpr uint32_t kNone = UINT32_MAX;

uint64_t block_bytes(const graph::LayerOutput& output, uint32_t block) {
  const Dims index = grid_index(block, grid_of(output.chunks));
  uint64_t bytes = size_of(output.dtype);
  for (size_t a = 0; a < output.chunks.size(); ++a)
    bytes *= static_cast<uint64_t>(output.chunks[a]->size(static_cast<size_t>(index[a])));
  return bytes;
}

class Meter {
 public:
  explicit Meter(const graph::Lowered& lowered) : lowered_(lowered), plan_(lowered.arrays) {}

  PlanBytes run() {
    size_slots();
    find_roots();
    count_traffic();
    const auto [peak, at] = walk(plan_.task_count());
    result_.held = peak;
    if (plan_.task_count() > 0) snapshot(at);
    return std::move(result_);
  }

 private:
  const Layer& layer_of(uint32_t task) const {
    return *lowered_.layer_of_function[plan_.function[task]];
  }

  /// By layer, output and task: the block that the task makes of the output.
  uint32_t block_of(const Layer& layer, uint32_t output, uint32_t task) {
    std::vector<std::vector<uint32_t>>& made = blocks_[&layer];
    if (made.empty()) {
      made.resize(layer.outputs().size());
      for (uint32_t o = 0; o < made.size(); ++o) {
        made[o].resize(layer.task_count());
        const auto blocks = static_cast<uint32_t>(block_count(layer.outputs()[o].chunks));
        for (uint32_t b = 0; b < blocks; ++b) made[o][layer.task_of(o, b)] = b;
      }
    }
    return made[output][task];
  }

  void size_slots() {
    bytes_.assign(plan_.slot_count(), 0);
    maker_.assign(plan_.slot_count(), kNone);
    for (uint32_t t = 0; t < plan_.task_count(); ++t) {
      const Layer& layer = layer_of(t);
      for (uint32_t s = plan_.first_output[t]; s < plan_.first_output[t + 1]; ++s) {
        const uint32_t output = s - plan_.first_output[t];
        maker_[s] = t;
        bytes_[s] = block_bytes(layer.outputs()[output], block_of(layer, output, plan_.block[t]));
      }
    }
    for (const PlanConstant& constant : plan_.constants) {
      const Value& value = constant.value();
      bytes_[constant.slot] = value.holds<Block>() ? value.get<Block>().bytes() : 0;
    }
    for (size_t p = 0; p < lowered_.parameters.size(); ++p) {
      const graph::LayerOutput& output = lowered_.parameters[p]->outputs()[0];
      const auto blocks = static_cast<uint32_t>(block_count(output.chunks));
      for (uint32_t b = 0; b < blocks; ++b)
        bytes_[plan_.parameter_slots[lowered_.first_parameter_slot[p] + b]] =
            block_bytes(output, b);
    }
  }

  /// A view's task hands its input on under another header; so does a rechunk within one block.
  bool is_view(uint32_t task) const {
    const Layer& layer = layer_of(task);
    return plan_.inputs[task].size() == 1 && (layer.is_view() || layer.name() == "rechunk");
  }

  void find_roots() {
    root_.resize(plan_.slot_count());
    for (uint32_t s = 0; s < root_.size(); ++s) root_[s] = s;
    for (uint32_t t = 0; t < plan_.task_count(); ++t) {
      // Inputs may have higher numbers when tasks are not ordered, so roots are looked up through.
      if (is_view(t)) root_[plan_.first_output[t]] = plan_.inputs[t][0];
    }
    for (uint32_t s = 0; s < root_.size(); ++s) {
      uint32_t root = s;
      while (root_[root] != root) root = root_[root];
      for (uint32_t at = s; root_[at] != root;) at = std::exchange(root_[at], root);
    }
  }

  void count_traffic() {
    std::unordered_map<const Layer*, std::vector<uint32_t>> read;
    std::vector<bool> counted(plan_.slot_count(), false);
    for (uint32_t t = 0; t < plan_.task_count(); ++t) {
      LayerBytes& bytes = result_.layers[&layer_of(t)];
      ++bytes.tasks;
      bytes.blocks_read += plan_.inputs[t].size();
      uint64_t task = 0;
      const bool view = is_view(t);
      std::vector<uint32_t>& slots = read[&layer_of(t)];
      for (uint32_t s : plan_.inputs[t]) {
        if (view) break;
        task += bytes_[s];
        (maker_[root_[s]] == kNone ? bytes.from_memory : bytes.from_tasks) += bytes_[s];
        slots.push_back(s);
        if (maker_[root_[s]] == kNone && !counted[s]) {
          counted[s] = true;
          result_.in_memory += bytes_[s];
        }
      }
      for (uint32_t s = plan_.first_output[t]; s < plan_.first_output[t + 1]; ++s) {
        bytes.largest_block = std::max(bytes.largest_block, bytes_[s]);
        if (root_[s] != s) continue;
        task += bytes_[s];
        bytes.written += bytes_[s];
      }
      bytes.largest_task = std::max(bytes.largest_task, task);
    }
    for (auto& [layer, slots] : read) {
      std::sort(slots.begin(), slots.end());
      slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
      for (uint32_t s : slots) result_.layers[layer].distinct_read += bytes_[s];
    }
    is_result_.assign(plan_.slot_count(), false);
    for (uint32_t s : plan_.output_slots) {
      if (!is_result_[s]) result_.results += bytes_[s];
      is_result_[s] = is_result_[root_[s]] = true;
    }
  }

  /// Runs tasks 0 to `last - 1` in their order. Returns the most bytes held, and after how many tasks were
  /// begun that was. Leaves uses_ as they are then.
  std::pair<uint64_t, uint32_t> walk(size_t last) {
    uses_.assign(plan_.slot_count(), 0);
    for (uint32_t s = 0; s < plan_.slot_count(); ++s) uses_[root_[s]] += plan_.use_count[s];
    made_.assign(plan_.slot_count(), false);
    uint64_t now = 0;
    uint64_t most = 0;
    uint32_t at = 0;
    const auto release = [&](uint32_t root) {
      if (maker_[root] != kNone && made_[root]) now -= bytes_[root];
      made_[root] = false;
    };
    for (uint32_t t = 0; t < last; ++t) {
      for (uint32_t s = plan_.first_output[t]; s < plan_.first_output[t + 1]; ++s) {
        if (root_[s] != s) continue;
        made_[s] = true;
        now += bytes_[s];
      }
      if (now > most) {
        most = now;
        at = t + 1;
      }
      if (t + 1 == last) break;  // as things are while the last one runs
      for (uint32_t s : plan_.inputs[t]) {
        if (--uses_[root_[s]] == 0) release(root_[s]);
      }
      for (uint32_t s = plan_.first_output[t]; s < plan_.first_output[t + 1]; ++s) {
        if (root_[s] == s && uses_[s] == 0) release(s);
      }
    }
    return {most, at};
  }

  /// What is held by whom when most is held.
  void snapshot(uint32_t tasks) {
    static_cast<void>(walk(tasks));
    std::unordered_map<const Layer*, std::vector<std::pair<uint64_t, uint64_t>>> counts;
    for (uint32_t t = 0; t < plan_.task_count(); ++t) {
      const Layer& layer = layer_of(t);
      std::vector<std::pair<uint64_t, uint64_t>>& outputs = counts[&layer];
      outputs.resize(layer.outputs().size());
      for (uint32_t s = plan_.first_output[t]; s < plan_.first_output[t + 1]; ++s) {
        auto& [held, all] = outputs[s - plan_.first_output[t]];
        ++all;
        if (root_[s] != s || !made_[s]) continue;
        result_.layers[&layer].held += bytes_[s];
        if (!is_result_[s]) ++held;
      }
    }
    for (const auto& [layer, outputs] : counts) {
      result_.layers[layer].held_whole = std::any_of(
          outputs.begin(), outputs.end(), [](const auto& o) { return o.first == o.second; });
    }
  }

  const graph::Lowered& lowered_;
  const PlanArrays& plan_;
  PlanBytes result_;
  std::unordered_map<const Layer*, std::vector<std::vector<uint32_t>>> blocks_;
  std::vector<uint64_t> bytes_;  // by slot
  std::vector<uint32_t> maker_;  // by slot: task, or kNone
  std::vector<uint32_t> root_;   // by slot
  std::vector<uint32_t> uses_;   // by root: uses still to come
  std::vector<bool> made_;       // by root: held now
  std::vector<bool> is_result_;  // by slot
};

}  // namespace

PlanBytes measure(const graph::Lowered& lowered) { return Meter(lowered).run(); }

TUFF_NAMESPACE_END
