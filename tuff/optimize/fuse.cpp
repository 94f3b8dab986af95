// Grows groups, joins siblings, then welds each group into one layer; see fuse.h.
#include "tuff/optimize/fuse.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "tuff/graph/fused.h"
#include "tuff/graph/matmul_layer.h"
#include "tuff/graph/relabel_layer.h"
#include "tuff/optimize/cse.h"
#include "tuff/optimize/merge_order.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

using graph::BlockwiseLayer;
using graph::FusedMember;
using graph::kNoLabel;
using graph::LabelMap;
using graph::LayerPtr;
using graph::MatmulLayer;
using graph::Port;
using kernels::kMaxOutputs;
using kernels::kMaxPanelColumns;
using kernels::kMaxSmallOperand;

constexpr int kUnset = -2;

/// One layer of the graph.
struct Node {
  LayerPtr layer;
  std::shared_ptr<const BlockwiseLayer> blockwise;  // null when it cannot be in a group
  const MatmulLayer* matmul = nullptr;
  bool cheap_source = false;
  bool is_output = false;
  std::vector<std::pair<size_t, size_t>> readers;  // (node, input number)
  std::vector<size_t> inputs;                      // node of each input
  int group = -1;
  LabelMap labels;  // group label of each iteration axis
};

struct Group {
  std::vector<size_t> members;  // nodes
  std::vector<AxisChunksPtr> labels;
  size_t kept = 1;  // members that somebody outside reads
  bool alive = true;
};

/// How a group may be walked.
struct Walk {
  bool panel = false;
  size_t row = 0;
};

/// A union of two groups (or one group) under trial: the label of each iteration axis of each member.
struct Trial {
  size_t first = 0;  // the groups
  size_t second = 0;
  std::vector<AxisChunksPtr> labels;
  std::vector<size_t> members;
  std::vector<LabelMap> maps;  // by member
  size_t kept = 0;             // members that somebody outside reads
};

bool is_unit(const AxisChunksPtr& axis) {
  return axis->is_known() && axis->count() == 1 && axis->largest() == 1;
}

/// Whether a block may have no elements along the axis.
bool may_be_empty(const AxisChunks& axis) {
  if (!axis.is_known()) return true;
  for (size_t i = 0; i < axis.count(); ++i) {
    if (axis.size(i) == 0) return true;
  }
  return false;
}

uint32_t label_set(const LabelMap& axes, const LabelMap& labels,
                   const std::vector<AxisChunksPtr>& chunks) {
  uint32_t set = 0;
  for (int8_t axis : axes) {
    if (axis == kNoLabel) continue;
    const auto label = static_cast<size_t>(labels[static_cast<size_t>(axis)]);
    if (!is_unit(chunks[label])) set |= 1U << label;
  }
  return set;
}

uint32_t all_of(const LabelMap& labels, const std::vector<AxisChunksPtr>& chunks) {
  uint32_t set = 0;
  for (int8_t label : labels) {
    if (!is_unit(chunks[static_cast<size_t>(label)])) set |= 1U << label;
  }
  return set;
}

class Fuser {
 public:
  explicit Fuser(const std::vector<Port>& outputs) : outputs_(outputs) { make_nodes(); }

  std::vector<Port> run() {
    for (size_t n = 0; n < nodes_.size(); ++n) {
      for (size_t input : nodes_[n].inputs) join_nodes(input, n);
    }
    join_siblings();
    // Siblings that met may have brought producers and readers together that did not fit before.
    for (size_t n = 0; n < nodes_.size(); ++n) {
      for (size_t input : nodes_[n].inputs) join_nodes(input, n);
    }
    return weld();
  }

 private:
  void make_nodes() {
    std::unordered_map<const graph::Layer*, size_t> number;
    Rows inputs;
    for (const LayerPtr& layer : graph::layers_in_order(outputs_)) {
      const size_t n = nodes_.size();
      number[layer.get()] = n;
      Node node;
      node.layer = layer;
      node.blockwise = std::dynamic_pointer_cast<const BlockwiseLayer>(layer);
      node.matmul = dynamic_cast<const MatmulLayer*>(layer.get());
      node.cheap_source = node.blockwise && node.blockwise->is_cheap_source();
      for (size_t k = 0; k < layer->inputs().size(); ++k) {
        const size_t from = number.at(layer->inputs()[k].layer.get());
        node.inputs.push_back(from);
        inputs.items.push_back(static_cast<uint32_t>(from));
        nodes_[from].readers.emplace_back(n, k);
      }
      inputs.end_row();
      if (node.blockwise && !node.cheap_source) {
        node.group = static_cast<int>(groups_.size());
        Group group;
        group.members = {n};
        const Chunks& space = node.blockwise->alignment().space;
        group.labels.assign(space.begin(), space.end());
        for (size_t a = 0; a < space.size(); ++a) node.labels.push_back(static_cast<int8_t>(a));
        groups_.push_back(std::move(group));
      }
      nodes_.push_back(std::move(node));
    }
    for (const Port& output : outputs_) nodes_[number.at(output.layer.get())].is_output = true;
    order_.emplace(graph::make_dag(inputs));
  }

  void join_nodes(size_t producer, size_t consumer) {
    const int p = nodes_[producer].group;
    const int c = nodes_[consumer].group;
    if (p < 0 || c < 0 || p == c) return;
    try_join(static_cast<size_t>(p), static_cast<size_t>(c));
  }

  void join_siblings() {
    std::map<std::pair<size_t, uint32_t>, std::vector<size_t>> readers;  // port to reading nodes
    for (size_t n = 0; n < nodes_.size(); ++n) {
      if (nodes_[n].group < 0) continue;
      for (size_t k = 0; k < nodes_[n].inputs.size(); ++k) {
        // Numbers of rank 0 are read by everybody and bind nobody together.
        if (nodes_[n].layer->inputs()[k].layer->outputs()[0].chunks.empty()) continue;
        readers[{nodes_[n].inputs[k], nodes_[n].layer->inputs()[k].output}].push_back(n);
      }
    }
    for (const auto& [port, list] : readers) {
      // Later readers join the first that takes them: linear in readers for the usual few groups.
      std::vector<size_t> heads;
      for (size_t n : list) {
        bool joined = false;
        for (size_t head : heads) {
          const auto a = static_cast<size_t>(nodes_[head].group);
          const auto b = static_cast<size_t>(nodes_[n].group);
          if (a == b || try_join(a, b)) {
            joined = true;
            break;
          }
        }
        if (!joined && heads.size() < 8) heads.push_back(n);
      }
    }
  }

  // ---- joining two groups ------------------------------------------------------------------------

  bool try_join(size_t p, size_t c) {
    if (groups_[p].members.size() + groups_[c].members.size() > kMaxGroup) return false;
    std::vector<int> map(groups_[p].labels.size(), kUnset);
    const std::optional<bool> meet = map_by_edges(p, c, map);
    if (!meet) return false;
    // What leaves two groups that do not meet leaves their union, too.
    if (!*meet && groups_[p].kept + groups_[c].kept > kMaxOutputs) return false;
    pair_common_inputs(p, c, map);
    std::optional<Trial> trial = unify(p, c, map);
    if (!trial || !outputs_fit(*trial) || !walk_of(*trial)) return false;
    if (!order_->merge(any_member(p), any_member(c))) return false;
    accept(p, c, std::move(*trial));
    return true;
  }

  uint32_t any_member(size_t group) const {
    return static_cast<uint32_t>(groups_[group].members.front());
  }

  /// Pairs label `from` of group p with label `to` of group c; false when that contradicts.
  static bool pair(std::vector<int>& map, int from, int to) {
    int& mapped = map[static_cast<size_t>(from)];
    if (mapped == to) return true;
    if (mapped != kUnset || std::find(map.begin(), map.end(), to) != map.end()) return false;
    mapped = to;
    return true;
  }

  bool pair_axes(const LabelMap& p_labels, const LabelMap& c_labels, uint8_t p_collapsed, size_t p,
                 size_t c, std::vector<int>& map) const {
    for (size_t a = 0; a < p_labels.size(); ++a) {
      if (p_labels[a] == kNoLabel || c_labels[a] == kNoLabel) continue;
      const AxisChunksPtr& pc = groups_[p].labels[static_cast<size_t>(p_labels[a])];
      const AxisChunksPtr& cc = groups_[c].labels[static_cast<size_t>(c_labels[a])];
      if (((p_collapsed >> a) & 1) != 0) {
        if (is_unit(cc)) continue;
        return false;
      }
      if (!same_chunks(pc, cc) || !pair(map, p_labels[a], c_labels[a])) return false;
    }
    return true;
  }

  LabelMap translated(const LabelMap& axes, const LabelMap& labels) const {
    LabelMap result;
    for (int8_t axis : axes) {
      result.push_back(axis == kNoLabel ? kNoLabel : labels[static_cast<size_t>(axis)]);
    }
    return result;
  }

  /// Labels paired by what flows from p to c, and from c to p; whether anything does.
  std::optional<bool> map_by_edges(size_t p, size_t c, std::vector<int>& map) const {
    bool meet = false;
    for (size_t n : groups_[p].members) {
      for (const auto& [reader, k] : nodes_[n].readers) {
        if (nodes_[reader].group != static_cast<int>(c)) continue;
        meet = true;
        const graph::Alignment& from = nodes_[n].blockwise->alignment();
        const graph::Alignment& to = nodes_[reader].blockwise->alignment();
        if (nodes_[n].blockwise->yields_moments()) return std::nullopt;
        if (!pair_axes(translated(from.output, nodes_[n].labels),
                       translated(to.inputs[k], nodes_[reader].labels), from.collapsed, p, c,
                       map)) {
          return std::nullopt;
        }
      }
    }
    for (size_t n : groups_[c].members) {
      for (const auto& [reader, k] : nodes_[n].readers) {
        if (nodes_[reader].group != static_cast<int>(p)) continue;
        meet = true;
        const graph::Alignment& from = nodes_[n].blockwise->alignment();
        const graph::Alignment& to = nodes_[reader].blockwise->alignment();
        if (nodes_[n].blockwise->yields_moments() || from.collapsed != 0) return std::nullopt;
        if (!pair_axes(translated(to.inputs[k], nodes_[reader].labels),
                       translated(from.output, nodes_[n].labels), 0, p, c, map)) {
          return std::nullopt;
        }
      }
    }
    return meet;
  }

  /// Common inputs are a wish, not a must: they may be read in two ways (x and x').
  void pair_common_inputs(size_t p, size_t c, std::vector<int>& map) const {
    // By the groups' own inputs: groups are small, but a number or an array may have 100,000 readers.
    using Input =
        std::tuple<size_t, uint32_t, size_t, size_t>;  // node, output; reader, input number
    const auto inputs_of = [&](size_t group) {
      std::vector<Input> inputs;
      for (size_t n : groups_[group].members) {
        for (size_t k = 0; k < nodes_[n].inputs.size(); ++k) {
          const Port& port = nodes_[n].layer->inputs()[k];
          if (graph::output_of(port).chunks.empty()) continue;  // a number has no axes to pair
          inputs.emplace_back(nodes_[n].inputs[k], port.output, n, k);
        }
      }
      return inputs;
    };
    std::vector<Input> theirs = inputs_of(c);
    std::sort(theirs.begin(), theirs.end());
    for (const auto& [from, output, n, k] : inputs_of(p)) {
      for (auto at = std::lower_bound(theirs.begin(), theirs.end(), Input{from, output, 0, 0});
           at != theirs.end() && std::get<0>(*at) == from && std::get<1>(*at) == output; ++at) {
        const auto [node, port, reader, r] = *at;
        std::vector<int> wished = map;
        if (pair_axes(
                translated(nodes_[n].blockwise->alignment().inputs[k], nodes_[n].labels),
                translated(nodes_[reader].blockwise->alignment().inputs[r], nodes_[reader].labels),
                0, p, c, wished)) {
          map = std::move(wished);
        }
      }
    }
  }

  /// The union under one set of labels, those of c first. No value when a block would be made twice.
  std::optional<Trial> unify(size_t p, size_t c, std::vector<int> map) const {
    Trial trial;
    trial.first = p;
    trial.second = c;
    trial.labels = groups_[c].labels;
    std::vector<bool> taken(trial.labels.size(), false);
    for (int to : map) {
      if (to >= 0) taken[static_cast<size_t>(to)] = true;
    }
    for (size_t l = 0; l < map.size(); ++l) {
      if (map[l] != kUnset) continue;
      const AxisChunksPtr& axis = groups_[p].labels[l];
      if (axis->count() > 1) return std::nullopt;
      // A label bound inside p may as well be one of c's with the same chunks: loads then coincide.
      for (size_t t = 0; t < taken.size(); ++t) {
        if (taken[t] || !same_chunks(trial.labels[t], axis)) continue;
        taken[t] = true;
        map[l] = static_cast<int>(t);
        break;
      }
      if (map[l] != kUnset) continue;
      map[l] = static_cast<int>(trial.labels.size());
      trial.labels.push_back(axis);
      taken.push_back(true);
    }
    for (size_t t = 0; t < groups_[c].labels.size(); ++t) {
      if (!taken[t] && trial.labels[t]->count() > 1) return std::nullopt;
    }
    if (trial.labels.size() > kMaxRank) return std::nullopt;
    trial.members = groups_[p].members;
    trial.members.insert(trial.members.end(), groups_[c].members.begin(), groups_[c].members.end());
    for (size_t n : groups_[p].members) {
      LabelMap labels;
      for (int8_t label : nodes_[n].labels) {
        labels.push_back(static_cast<int8_t>(map[static_cast<size_t>(label)]));
      }
      trial.maps.push_back(labels);
    }
    for (size_t n : groups_[c].members) trial.maps.push_back(nodes_[n].labels);
    return trial;
  }

  bool contains(const Trial& trial, size_t node) const {
    const int group = nodes_[node].group;
    return group == static_cast<int>(trial.first) || group == static_cast<int>(trial.second);
  }

  bool is_kept(const Node& node, const Trial& trial) const {
    if (node.is_output) return true;
    return std::any_of(node.readers.begin(), node.readers.end(),
                       [&](const auto& reader) { return !contains(trial, reader.first); });
  }

  /// Every block of an output that leaves the group is made by exactly one task.
  bool outputs_fit(Trial& trial) const {
    uint32_t cut = 0;
    uint32_t maybe_empty = 0;
    for (size_t l = 0; l < trial.labels.size(); ++l) {
      if (trial.labels[l]->count() > 1) cut |= 1U << l;
      if (may_be_empty(*trial.labels[l])) maybe_empty |= 1U << l;
    }
    trial.kept = 0;
    for (size_t m = 0; m < trial.members.size(); ++m) {
      const Node& node = nodes_[trial.members[m]];
      if (!is_kept(node, trial)) continue;
      ++trial.kept;
      const uint32_t has =
          label_set(node.blockwise->alignment().output, trial.maps[m], trial.labels);
      if ((cut & ~has) != 0) return false;
      // A walk along an axis without elements makes nothing, so nothing but its sums may leave it.
      if ((maybe_empty & ~(has | reduced_labels(node, trial.maps[m]))) != 0) return false;
    }
    return trial.kept <= kMaxOutputs;
  }

  // ---- can the program be walked -----------------------------------------------------------------

  std::optional<Walk> walk_of(const Trial& trial) const {
    if (flat_fits(trial)) return Walk{};
    for (size_t row = 0; row < trial.labels.size(); ++row) {
      if (panel_fits(trial, row)) return Walk{true, row};
    }
    return std::nullopt;
  }

  bool has_reader_inside(const Node& node, const Trial& trial) const {
    return std::any_of(node.readers.begin(), node.readers.end(),
                       [&](const auto& reader) { return contains(trial, reader.first); });
  }

  bool flat_fits(const Trial& trial) const {
    uint32_t everything = 0;
    for (size_t l = 0; l < trial.labels.size(); ++l) {
      if (!is_unit(trial.labels[l])) everything |= 1U << l;
    }
    uint32_t partial = 0;
    for (size_t m = 0; m < trial.members.size(); ++m) {
      const Node& node = nodes_[trial.members[m]];
      if (node.matmul != nullptr) return false;
      if (!node.blockwise->is_reduction()) continue;
      if (has_reader_inside(node, trial)) return false;
      // A reduction counts each step of the walk, so the walk must be its own space.
      if (all_of(trial.maps[m], trial.labels) != everything) return false;
      const uint32_t over = reduced_labels(node, trial.maps[m]);
      if ((everything & ~over) == 0) continue;
      if (partial != 0 && partial != over) return false;
      partial = over;
    }
    return true;
  }

  static uint32_t reduced_labels(const Node& node, const LabelMap& labels) {
    uint32_t over = 0;
    for (size_t a = 0; a < labels.size(); ++a) {
      if (((node.blockwise->alignment().reduced >> a) & 1) != 0) over |= 1U << labels[a];
    }
    return over;
  }

  bool panel_fits(const Trial& trial, size_t row) const {
    // An axis of extent 1 may have been dropped on the way to a factor, whose value would still have the row.
    if (is_unit(trial.labels[row])) return false;
    for (size_t l = 0; l < trial.labels.size(); ++l) {
      if (l != row && trial.labels[l]->count() > 1) return false;
    }
    for (size_t m = 0; m < trial.members.size(); ++m) {
      if (!member_fits_panel(trial, m, row)) return false;
    }
    return true;
  }

  bool column_fits(const Trial& trial, uint32_t columns) const {
    if (columns == 0) return true;
    if ((columns & (columns - 1)) != 0) return false;
    size_t label = 0;
    while (((columns >> label) & 1) == 0) ++label;
    return trial.labels[label]->is_known() && trial.labels[label]->largest() <= kMaxPanelColumns;
  }

  bool member_fits_panel(const Trial& trial, size_t m, size_t row) const {
    const Node& node = nodes_[trial.members[m]];
    const graph::Alignment& alignment = node.blockwise->alignment();
    const LabelMap& labels = trial.maps[m];
    const uint32_t row_bit = 1U << row;
    const auto columns_of = [&](const LabelMap& axes) {
      return label_set(axes, labels, trial.labels) & ~row_bit;
    };
    const uint32_t over = reduced_labels(node, labels);
    if ((over & row_bit) != 0 && has_reader_inside(node, trial)) return false;
    // Moments over axes of extent 1 alone would be one per element, which a panel has no place for.
    if (node.blockwise->yields_moments()) {
      uint32_t units = 0;
      for (size_t l = 0; l < trial.labels.size(); ++l)
        units |= l != row && is_unit(trial.labels[l]) ? 1U << l : 0U;
      if ((over & ~units) == 0) return false;
    }
    if (node.matmul == nullptr) return column_fits(trial, all_of(labels, trial.labels) & ~row_bit);

    size_t row_axis = 0;
    while (row_axis < labels.size() && labels[row_axis] != static_cast<int8_t>(row)) ++row_axis;
    if (row_axis == labels.size() || !node.matmul->panel_form(row_axis)) return false;
    int64_t operand = 1;
    for (size_t k = 0; k < 2; ++k) {
      if (static_cast<int>(k) == node.matmul->matrix_input(row_axis)) {
        // The matrix must lie in memory, whole.
        const Node& from = nodes_[node.inputs[k]];
        if (contains(trial, node.inputs[k]) || from.cheap_source) return false;
        for (const AxisChunksPtr& axis : graph::output_of(node.layer->inputs()[k]).chunks)
          operand *= axis->largest();
      } else if (!column_fits(trial, columns_of(alignment.inputs[k]))) {
        return false;
      }
    }
    if ((over & row_bit) != 0) {
      for (const AxisChunksPtr& axis : node.layer->outputs()[0].chunks) operand *= axis->largest();
    } else if (!column_fits(trial, columns_of(alignment.output))) {
      return false;
    }
    return operand <= kMaxSmallOperand;
  }

  void accept(size_t p, size_t c, Trial trial) {
    groups_[c].labels = std::move(trial.labels);
    groups_[c].kept = trial.kept;
    for (size_t m = 0; m < trial.members.size(); ++m) {
      nodes_[trial.members[m]].labels = trial.maps[m];
      nodes_[trial.members[m]].group = static_cast<int>(c);
    }
    groups_[c].members = std::move(trial.members);
    std::sort(groups_[c].members.begin(), groups_[c].members.end());
    groups_[p].members.clear();
    groups_[p].alive = false;
  }

  // ---- welding -----------------------------------------------------------------------------------

  /// Views cost nothing, and one product of two blocks is what BLAS is for.
  bool worth_welding(const Group& group) const {
    size_t products = 0;
    for (size_t n : group.members) {
      if (nodes_[n].matmul != nullptr) {
        ++products;
      } else if (!nodes_[n].layer->is_view()) {
        return true;
      }
    }
    return products > 1;
  }

  std::vector<Port> weld() {
    std::vector<bool> welded(groups_.size(), false);
    for (size_t g = 0; g < groups_.size(); ++g)
      welded[g] = groups_[g].alive && worth_welding(groups_[g]);
    for (size_t n : finished_order(welded)) {
      const Node& node = nodes_[n];
      if (node.group >= 0 && welded[static_cast<size_t>(node.group)]) {
        weld_group(static_cast<size_t>(node.group));
      } else if (node.cheap_source) {
        if (needs_memory(node, welded))
          replacements_.set(node.layer.get(), graph::weld_single(*node.blockwise));
      } else {
        const LayerPtr rebuilt = replacements_.with_new_inputs(node.layer);
        if (rebuilt == node.layer) continue;
        for (uint32_t o = 0; o < node.layer->outputs().size(); ++o) {
          replacements_.set(node.layer.get(), o, {rebuilt, o});
        }
      }
    }
    std::vector<Port> result;
    for (const Port& output : outputs_) result.push_back(replacements_(output));
    return result;
  }

  /// Whether somebody reads a source's blocks rather than computing them inside a program.
  bool needs_memory(const Node& node, const std::vector<bool>& welded) const {
    return node.is_output ||
           std::any_of(node.readers.begin(), node.readers.end(), [&](const auto& reader) {
             const int group = nodes_[reader.first].group;
             return group < 0 || !welded[static_cast<size_t>(group)];
           });
  }

  /// One node per unit (group or single node), inputs first. Iterative, any depth.
  std::vector<size_t> finished_order(const std::vector<bool>& welded) const {
    std::vector<size_t> order;
    std::vector<bool> done_node(nodes_.size(), false);
    std::vector<bool> done_group(groups_.size(), false);
    const auto is_group = [&](size_t n) {
      return nodes_[n].group >= 0 && welded[static_cast<size_t>(nodes_[n].group)];
    };
    const auto mark = [&](size_t n) -> bool {  // false when it was marked before
      if (is_group(n)) {
        const auto g = static_cast<size_t>(nodes_[n].group);
        if (done_group[g]) return false;
        done_group[g] = true;
      } else {
        if (done_node[n]) return false;
        done_node[n] = true;
      }
      return true;
    };
    struct Visit {
      size_t node;
      std::vector<size_t> inputs;
      size_t next = 0;
    };
    std::vector<Visit> stack;
    const auto open = [&](size_t n) {
      Visit visit{n, {}, 0};
      if (is_group(n)) {
        for (size_t member : groups_[static_cast<size_t>(nodes_[n].group)].members) {
          for (size_t input : nodes_[member].inputs) {
            if (nodes_[input].group != nodes_[n].group) visit.inputs.push_back(input);
          }
        }
      } else {
        visit.inputs = nodes_[n].inputs;
      }
      stack.push_back(std::move(visit));
    };
    for (size_t n = 0; n < nodes_.size(); ++n) {
      if (!mark(n)) continue;
      open(n);
      while (!stack.empty()) {
        Visit& top = stack.back();
        if (top.next == top.inputs.size()) {
          order.push_back(top.node);
          stack.pop_back();
          continue;
        }
        const size_t input = top.inputs[top.next++];
        if (mark(input)) open(input);
      }
    }
    return order;
  }

  void weld_group(size_t number) {
    const Group& group = groups_[number];
    Trial trial;
    trial.first = trial.second = number;
    trial.labels = group.labels;
    trial.members = group.members;
    for (size_t n : group.members) trial.maps.push_back(nodes_[n].labels);
    const Walk walk = walk_of(trial).value_or(Walk{});
    // The row axis of a panel is label 0.
    std::vector<int8_t> renumber(trial.labels.size());
    std::vector<AxisChunksPtr> labels;
    if (walk.panel) labels.push_back(trial.labels[walk.row]);
    for (size_t l = 0; l < trial.labels.size(); ++l) {
      if (walk.panel && l == walk.row) {
        renumber[l] = 0;
        continue;
      }
      renumber[l] = static_cast<int8_t>(labels.size());
      labels.push_back(trial.labels[l]);
    }
    std::vector<FusedMember> members;
    std::vector<size_t> kept;
    for (size_t m = 0; m < trial.members.size(); ++m) {
      FusedMember member{nodes_[trial.members[m]].blockwise, {}};
      for (int8_t label : trial.maps[m])
        member.labels.push_back(renumber[static_cast<size_t>(label)]);
      members.push_back(std::move(member));
      if (is_kept(nodes_[trial.members[m]], trial)) kept.push_back(m);
    }
    // A view of what is handed out anyway is a header on that memory, not a second copy.
    std::vector<size_t> views;
    const auto handed_out = [&](size_t node) {
      return std::any_of(kept.begin(), kept.end(),
                         [&](size_t m) { return trial.members[m] == node; });
    };
    for (size_t k = kept.size(); k-- > 0;) {
      const Node& node = nodes_[trial.members[kept[k]]];
      if (!node.layer->is_view() || !handed_out(node.inputs[0])) continue;
      views.push_back(trial.members[kept[k]]);
      kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(k));
    }
    const auto fused =
        graph::FusedLayer::weld(members, std::move(labels), walk.panel, kept, replacements_);
    for (uint32_t o = 0; o < kept.size(); ++o) {
      replacements_.set(members[kept[o]].layer.get(), 0, {fused, o});
    }
    std::sort(views.begin(), views.end());
    for (size_t n : views)
      replacements_.set(nodes_[n].layer.get(), replacements_.with_new_inputs(nodes_[n].layer));
  }

  const std::vector<Port>& outputs_;
  std::vector<Node> nodes_;
  std::vector<Group> groups_;
  std::optional<MergeOrder> order_;  // of groups and of nodes that are in none
  graph::Replacements replacements_;
};

/// Views cost nothing, so each reader gets its own: X' may then be the panel in one place (X' r) and the
/// other factor in another (X' W X). cse merges again those that were not welded.
std::vector<Port> with_own_views(const std::vector<Port>& outputs) {
  graph::Replacements replacements;
  std::unordered_map<const graph::Layer*, size_t> readers;
  const std::vector<LayerPtr> layers = graph::layers_in_order(outputs);
  for (const LayerPtr& layer : layers) {
    for (const Port& input : layer->inputs()) ++readers[input.layer.get()];
  }
  const auto is_shared_view = [&](const Port& port) {
    return port.layer->is_view() &&
           dynamic_cast<const graph::RelabelLayer*>(port.layer.get()) != nullptr &&
           readers[port.layer.get()] > 1;
  };
  for (const LayerPtr& layer : layers) {
    const bool splits = std::any_of(layer->inputs().begin(), layer->inputs().end(), is_shared_view);
    LayerPtr now = replacements.with_new_inputs(layer);
    if (splits) {
      std::vector<Port> inputs = now->inputs();
      for (size_t k = 0; k < inputs.size(); ++k) {
        if (is_shared_view(layer->inputs()[k]))
          inputs[k] = {inputs[k].layer->with_inputs(inputs[k].layer->inputs()), 0};
      }
      now = now->with_inputs(std::move(inputs));
    }
    if (now == layer) continue;
    for (uint32_t o = 0; o < layer->outputs().size(); ++o)
      replacements.set(layer.get(), o, {now, o});
  }
  std::vector<Port> result;
  for (const Port& output : outputs) result.push_back(replacements(output));
  return result;
}

}  // namespace

std::vector<Port> fuse(const std::vector<Port>& outputs) {
  const std::vector<Port> split = with_own_views(outputs);
  return cse(Fuser(split).run());
}

}  // namespace optimize
TUFF_NAMESPACE_END
