// Finds arrays that would be held across a reduction, and splits their readers; see rematerialize.h.
#include "tuff/optimize/rematerialize.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "tuff/graph/blockwise.h"
#include "tuff/graph/combine.h"
#include "tuff/graph/lower.h"
#include "tuff/graph/matmul_layer.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

using graph::BlockwiseLayer;
using graph::Layer;
using graph::LayerPtr;
using graph::Port;

// Measured with sums of 2^24 float64 in blocks of 2^20, AVX-512, one thread of a Zen 5 core at 4 GHz, and
// rounded up; what is not listed is simple arithmetic. AVX2 takes up to twice as long. A relabelling is free,
// but must cost something, so that no endless chain of them is worth copying.
double typical_ns(const Layer& layer) {
  struct Row {
    std::string_view name;
    double ns;
  };
  static constexpr double kArithmetic = 0.1;  // add 0.06, multiply 0.06, floor 0.1, astype 0.1
  static constexpr Row kRows[] = {
      {"full", 0.0},    {"relabel", 0.01}, {"uniform", 0.7},     {"normal", 1.5},
      {"divide", 0.25}, {"sqrt", 0.3},     {"reciprocal", 0.25}, {"where", 0.15},
      {"clip", 0.15},   {"exp", 0.4},      {"expm1", 0.7},       {"log", 0.5},
      {"log1p", 0.7},   {"sin", 0.8},      {"cos", 0.8},         {"tanh", 0.7},
      {"sigmoid", 0.6}, {"power", 3.8},    {"remainder", 0.6},   {"floor_divide", 0.6},
  };
  const std::string_view name = layer.name();
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                 [&](const Row& candidate) { return candidate.name == name; });
  return row != std::end(kRows) ? row->ns : kArithmetic;
}

namespace {

struct Node {
  LayerPtr layer;
  std::vector<size_t> inputs;
  std::vector<std::pair<size_t, size_t>> readers;  // (node, input number)
  bool is_output = false;
  /// Whether it is computed element by element from cheap sources alone, and what all its elements take
  /// then. A value read twice counts twice: an upper bound.
  bool makeable = false;
  double making_ns = 0;
  size_t reductions = 0;  ///< combine layers on the longest way from a source to here
};

class Rematerializer {
 public:
  explicit Rematerializer(const std::vector<Port>& outputs) : outputs_(outputs) { make_nodes(); }

  std::vector<Port> run() {
    for (size_t n = 0; n < nodes_.size(); ++n) {
      if (nodes_[n].makeable && !is_source(n) && nodes_[n].readers.size() > 1) split_readers(n);
    }
    return split_.empty() ? outputs_ : rewritten();
  }

 private:
  void make_nodes() {
    std::unordered_map<const Layer*, size_t> number;
    for (const LayerPtr& layer : graph::layers_in_order(outputs_)) {
      const size_t n = nodes_.size();
      number[layer.get()] = n;
      Node node;
      node.layer = layer;
      const bool combines = dynamic_cast<const graph::CombineLayer*>(layer.get()) != nullptr;
      for (size_t k = 0; k < layer->inputs().size(); ++k) {
        const size_t from = number.at(layer->inputs()[k].layer.get());
        node.inputs.push_back(from);
        nodes_[from].readers.emplace_back(n, k);
        node.reductions = std::max(node.reductions, nodes_[from].reductions + (combines ? 1 : 0));
      }
      find_making(node);
      nodes_.push_back(std::move(node));
    }
    for (const Port& output : outputs_) nodes_[number.at(output.layer.get())].is_output = true;
  }

  void find_making(Node& node) const {
    const auto* blockwise = dynamic_cast<const BlockwiseLayer*>(node.layer.get());
    if (blockwise == nullptr || blockwise->is_reduction()) return;
    if (node.inputs.empty() && !blockwise->is_cheap_source()) return;
    const graph::LayerOutput& output = node.layer->outputs()[0];
    if (!is_known(output.chunks)) return;
    node.making_ns = typical_ns(*node.layer) * graph::element_bound(output);
    node.makeable = true;
    for (size_t input : node.inputs) {
      node.makeable = node.makeable && nodes_[input].makeable;
      node.making_ns += nodes_[input].making_ns;
    }
    // What costs more than any element of 8 bytes is worth can be no part of what is made again.
    node.makeable =
        node.makeable && node.making_ns <= kKeepingNsPerByte * 8.0 * graph::element_bound(output);
  }

  bool is_source(size_t n) const { return nodes_[n].inputs.empty(); }

  /// Somebody who is not made from sources alone, reading what is.
  struct End {
    size_t made;
    size_t reader;
    size_t input;
  };

  /// All ends that node n reaches through what is made from it.
  std::vector<End> ends_of(size_t n) const {
    std::vector<End> ends;
    std::set<size_t> seen = {n};
    std::vector<size_t> stack = {n};
    while (!stack.empty()) {
      const size_t made = stack.back();
      stack.pop_back();
      for (const auto& [reader, input] : nodes_[made].readers) {
        if (!nodes_[reader].makeable) {
          ends.push_back({made, reader, input});
        } else if (seen.insert(reader).second) {
          stack.push_back(reader);
        }
      }
    }
    return ends;
  }

  /// Which of the nodes from `n` to `last` must wait for a reduction over n.
  std::set<size_t> waiting_for(size_t n, size_t last) const {
    std::map<size_t, bool> reached = {{n, false}};  // in order: inputs before users
    std::set<size_t> waiting;
    while (!reached.empty()) {
      const auto [at, waits] = *reached.begin();
      reached.erase(reached.begin());
      if (waits) waiting.insert(at);
      for (const auto& [reader, input] : nodes_[at].readers) {
        if (reader > last) continue;
        const bool combines =
            dynamic_cast<const graph::CombineLayer*>(nodes_[reader].layer.get()) != nullptr;
        reached[reader] = reached[reader] || waits || combines;
      }
    }
    return waiting;
  }

  void split_readers(size_t n) {
    const std::vector<End> ends = ends_of(n);
    size_t last = n;
    for (const End& end : ends) last = std::max(last, end.reader);
    const std::set<size_t> waiting = waiting_for(n, last);
    if (waiting.empty()) return;
    // What is held for a reader that cannot make it itself may as well serve those before it.
    std::map<size_t, size_t> held_for;  // made: reductions before the last such reader
    for (const End& end : ends) {
      if (waiting.contains(end.reader) && !fits(end)) {
        size_t& until = held_for[end.made];
        until = std::max(until, nodes_[end.reader].reductions);
      }
    }
    for (const End& end : ends) {
      const auto held = held_for.find(end.made);
      const bool is_held = held != held_for.end() && nodes_[end.reader].reductions <= held->second;
      if (waiting.contains(end.reader) && fits(end) && !is_held && worth_making(end.made))
        split_.insert({end.reader, end.input});
    }
  }

  /// Whether fuse can make the array inside this reader: it reads each block in one task.
  bool fits(const End& end) const {
    const auto* reader = dynamic_cast<const BlockwiseLayer*>(nodes_[end.reader].layer.get());
    if (reader == nullptr || dynamic_cast<const graph::MatmulLayer*>(reader) != nullptr)
      return false;
    const graph::Alignment& alignment = reader->alignment();
    for (size_t axis = 0; axis < alignment.space.size(); ++axis) {
      const graph::LabelMap& map = alignment.inputs[end.input];
      const bool read = std::find(map.begin(), map.end(), static_cast<int8_t>(axis)) != map.end();
      if (!read && alignment.space[axis]->count() > 1) return false;
    }
    return true;
  }

  bool worth_making(size_t n) const {
    const double bytes = graph::byte_bound(nodes_[n].layer->outputs()[0]);
    return !is_source(n) && !nodes_[n].is_output &&
           bytes > static_cast<double>(graph::kStreamingBytes) &&
           nodes_[n].making_ns <= kKeepingNsPerByte * bytes;
  }

  /// A copy of node n for readers after so many reductions. Depth is limited by what may be made again.
  Port copied(size_t n, size_t reductions) {
    if (is_source(n)) return {nodes_[n].layer, 0};
    LayerPtr& copy = copies_[{n, reductions}];
    if (copy == nullptr) {
      std::vector<Port> inputs;
      for (size_t input : nodes_[n].inputs) inputs.push_back(copied(input, reductions));
      copy = nodes_[n].layer->with_inputs(std::move(inputs));
    }
    return {copy, 0};
  }

  std::vector<Port> rewritten() {
    graph::Replacements replacements;
    for (size_t n = 0; n < nodes_.size(); ++n) {
      const Node& node = nodes_[n];
      LayerPtr now = replacements.with_new_inputs(node.layer);
      std::vector<Port> inputs = now->inputs();
      bool splits = false;
      for (size_t k = 0; k < inputs.size(); ++k) {
        if (!split_.contains({n, k})) continue;
        inputs[k] = copied(node.inputs[k], node.reductions);
        splits = true;
      }
      if (splits) now = now->with_inputs(std::move(inputs));
      if (now == node.layer) continue;
      for (uint32_t o = 0; o < now->outputs().size(); ++o)
        replacements.set(node.layer.get(), o, {now, o});
    }
    std::vector<Port> result;
    for (const Port& output : outputs_) result.push_back(replacements(output));
    return result;
  }

  const std::vector<Port>& outputs_;
  std::vector<Node> nodes_;
  std::set<std::pair<size_t, size_t>> split_;             // (reader, input number)
  std::map<std::pair<size_t, size_t>, LayerPtr> copies_;  // (node, reductions before its readers)
};

}  // namespace

std::vector<Port> rematerialize(const std::vector<Port>& outputs) {
  return Rematerializer(outputs).run();
}

}  // namespace optimize
TUFF_NAMESPACE_END
