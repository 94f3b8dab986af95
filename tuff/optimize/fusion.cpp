// See fusion.h. One pass over the tasks in topological order: when a task is reached, the trees of all
// tasks that only it reads are known.
#include "tuff/optimize/fusion.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <unordered_set>

#include <fmt/format.h>

#include "tuff/base/check.h"
#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

/// Outside inputs of a tree. Most trees have a few.
class EdgeSet {
 public:
  size_t size() const { return large_ ? large_->size() : count_; }
  /// Whether it is new.
  bool insert(uint32_t task) {
    if (large_) return large_->insert(task).second;
    const auto end = few_.begin() + count_;
    if (std::find(few_.begin(), end, task) != end) return false;
    if (count_ < few_.size()) {
      few_[count_++] = task;
      return true;
    }
    large_ = std::make_unique<std::unordered_set<uint32_t>>(few_.begin(), few_.end());
    return large_->insert(task).second;
  }
  void merge(EdgeSet&& other) {
    if (other.size() > size()) std::swap(*this, other);
    if (other.large_) {
      for (uint32_t task : *other.large_) insert(task);
    } else {
      for (uint8_t i = 0; i < other.count_; ++i) insert(other.few_[i]);
    }
  }

 private:
  std::array<uint32_t, 7> few_{};
  uint8_t count_ = 0;
  std::unique_ptr<std::unordered_set<uint32_t>> large_;
};

/// What is known of a tree whose root may yet be swallowed.
struct Tree {
  double height = 1;
  double width = 1;
  double nodes = 1;
  double fudge = 0;
  EdgeSet edges;
};

class Chooser {
 public:
  Chooser(const Rows& inputs, std::span<const uint8_t> may_go, const Widths& widths)
      : inputs_(inputs), widths_(widths), swallowed_by_(inputs.count(), kNotSwallowed) {
    // A task may be swallowed when exactly one edge reads it.
    readers_.assign(inputs.count(), 0);
    for (uint32_t input : inputs.items) {
      if (readers_[input] < 2) ++readers_[input];
    }
    for (size_t t = 0; t < inputs.count(); ++t)
      readers_[t] = readers_[t] == 1 && may_go[t] != 0 ? 1 : 0;
    tree_of_.assign(inputs.count(), 0);
  }

  std::vector<uint32_t> run(std::span<const uint32_t> order) {
    for (uint32_t t : order) visit(t);
    return std::move(swallowed_by_);
  }

 private:
  bool is_reducible(uint32_t t) const { return readers_[t] != 0; }

  void visit(uint32_t t) {
    children_.clear();
    for (uint32_t input : inputs_[t]) {
      if (is_reducible(input)) children_.push_back(input);
    }
    const bool goes_on = is_reducible(t);
    if (children_.empty()) {
      if (!goes_on) return;
      Tree leaf;
      for (uint32_t input : inputs_[t]) leaf.edges.insert(input);
      keep(t, std::move(leaf));
      return;
    }
    Tree tree = children_.size() == 1 ? join_one(t) : join_many(t);
    if (goes_on) keep(t, std::move(tree));
  }

  /// The task's own outside inputs go into the tree's edges. Whether any was new there.
  bool add_own_edges(uint32_t t, Tree& tree) const {
    bool any = false;
    for (uint32_t input : inputs_[t]) {
      if (!is_reducible(input)) any = tree.edges.insert(input) || any;
    }
    return any;
  }

  /// What children and boundary have in common is limited by the edges; new edges are one more.
  static void settle_fudge(Tree& tree, size_t children_edges, bool new_edges) {
    const double most = static_cast<double>(children_edges) - 1;
    if (most >= 0 && tree.fudge > most) tree.fudge = most;
    if (new_edges) tree.fudge += 1;
  }

  Tree join_one(uint32_t t) {
    Tree tree = take(children_[0]);
    const size_t children_edges = tree.edges.size();
    const bool new_edges = add_own_edges(t, tree);
    settle_fudge(tree, children_edges, new_edges);
    const bool fuses = (tree.nodes + tree.fudge) / tree.height <= widths_.ave_width &&
                       (!new_edges || tree.height < widths_.max_depth_new_edges);
    if (!fuses) return start_again(std::move(tree));
    swallowed_by_[children_[0]] = t;
    if (new_edges) {
      tree.height += 1;
      tree.nodes += 1;
    }
    return tree;
  }

  Tree join_many(uint32_t t) {
    Tree tree = take(children_[0]);
    size_t most_edges = tree.edges.size();
    double singles = tree.height == 1 ? 1 : 0;
    for (size_t c = 1; c < children_.size(); ++c) {
      Tree child = take(children_[c]);
      singles += child.height == 1 ? 1 : 0;
      tree.height = std::max(tree.height, child.height);
      tree.width += child.width;
      tree.nodes += child.nodes;
      tree.fudge += child.fudge;
      most_edges = std::max(most_edges, child.edges.size());
      tree.edges.merge(std::move(child.edges));
    }
    const size_t children_edges = tree.edges.size();
    // A careful guess of the parallelism at the boundary.
    tree.fudge += static_cast<double>(std::min(children_.size() - 1, children_edges - most_edges));
    const bool new_edges = add_own_edges(t, tree);
    settle_fudge(tree, children_edges, new_edges);
    const bool fuses = (tree.nodes + tree.fudge) / tree.height <= widths_.ave_width &&
                       singles <= widths_.ave_width && tree.width <= widths_.max_width &&
                       tree.height <= widths_.max_height &&
                       (!new_edges || tree.height < widths_.max_depth_new_edges);
    if (!fuses) {
      tree.width = std::min(tree.width, widths_.max_width);
      return start_again(std::move(tree));
    }
    for (uint32_t child : children_) swallowed_by_[child] = t;
    tree.height += 1;
    tree.nodes += 1;
    return tree;
  }

  /// The task stays apart from its children, but lines above it may still fuse: it is a leaf that
  /// depends on what its children depend on.
  Tree start_again(Tree tree) const {
    tree.height = 1;
    tree.nodes = 1;
    tree.fudge = std::min(tree.fudge, std::trunc(widths_.ave_width - 1));
    return tree;
  }

  void keep(uint32_t t, Tree tree) {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(trees_.size()));
      trees_.emplace_back();
    }
    tree_of_[t] = free_.back();
    free_.pop_back();
    trees_[tree_of_[t]] = std::move(tree);
  }
  Tree take(uint32_t t) {
    free_.push_back(tree_of_[t]);
    return std::move(trees_[tree_of_[t]]);
  }

  const Rows& inputs_;
  const Widths& widths_;
  std::vector<uint32_t> swallowed_by_;
  std::vector<uint8_t> readers_;
  std::vector<uint32_t> tree_of_;
  std::vector<Tree> trees_;  // those whose root has not been reached yet
  std::vector<uint32_t> free_;
  std::vector<uint32_t> children_;
};

double checked(std::optional<double> given, double otherwise, std::string_view name,
               std::string_view operation) {
  const double value = given.value_or(otherwise);
  if (!(value >= 0)) {
    throw InvalidArgument(operation, fmt::format("{} = {}; 0 or more is accepted", name, value));
  }
  return value;
}

}  // namespace

Widths widths_of(const FuseWidths& given, double ave_width, std::string_view operation) {
  Widths widths;
  widths.ave_width = checked(given.ave_width, ave_width, "ave_width", operation);
  widths.max_width =
      checked(given.max_width, 1.5 + widths.ave_width * std::log(widths.ave_width + 1), "max_width",
              operation);
  widths.max_height =
      checked(given.max_height, std::numeric_limits<double>::infinity(), "max_height", operation);
  widths.max_depth_new_edges =
      checked(given.max_depth_new_edges, 1.5 * widths.ave_width, "max_depth_new_edges", operation);
  return widths;
}

std::vector<uint32_t> choose_fusion(const Rows& inputs, std::span<const uint32_t> order,
                                    std::span<const uint8_t> may_go, const Widths& widths) {
  TUFF_CHECK_EQ(order.size(), inputs.count());
  TUFF_CHECK_EQ(may_go.size(), inputs.count());
  if (widths.ave_width == 0 || widths.max_height == 0)
    return std::vector<uint32_t>(inputs.count(), kNotSwallowed);
  return Chooser(inputs, may_go, widths).run(order);
}

Rows fused_trees(const Rows& inputs, std::span<const uint32_t> order,
                 std::span<const uint32_t> swallowed_by) {
  Rows trees;
  std::vector<uint32_t> next(inputs.first.begin(), inputs.first.end() - 1);
  std::vector<uint32_t> path;
  for (uint32_t root : order) {
    if (swallowed_by[root] != kNotSwallowed) continue;
    const size_t before = trees.items.size();
    path.assign(1, root);
    while (!path.empty()) {
      const uint32_t t = path.back();
      while (next[t] < inputs.first[t + 1] && swallowed_by[inputs.items[next[t]]] != t) ++next[t];
      if (next[t] == inputs.first[t + 1]) {
        trees.items.push_back(t);
        path.pop_back();
      } else {
        path.push_back(inputs.items[next[t]++]);
      }
    }
    if (trees.items.size() == before + 1) {
      trees.items.pop_back();
    } else {
      trees.end_row();
    }
  }
  return trees;
}

}  // namespace optimize
TUFF_NAMESPACE_END
