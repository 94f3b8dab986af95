// Which groups of nodes may become one without a cycle: a topological order of groups, kept as they merge.
//
// Called by: fuse.cpp, for each join it has found no other fault with. Whether a path leads out of the union of
// two groups and back in is asked for nearly every layer, so that a search must not walk the graph: it stays
// between the places of the two groups in the order. Invariant: every edge between two units leads to a later place.
#pragma once

#include <cstdint>
#include <vector>

#include "tuff/graph/dag.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// Nodes of an acyclic graph in units that grow; each node begins as a unit of its own.
///
/// Keeps the order as in Pearce & Kelly, "A dynamic topological sort algorithm for directed acyclic graphs", 2007,
/// with merging in place of a new edge. Depends on the graph and the sequence of merges alone.
class TUFF_API MergeOrder {
 public:
  /// The inputs of each node are less than the node.
  explicit MergeOrder(graph::Dag dag);

  /// Makes one unit of those of `a` and `b`, unless a path between them leads through a third. Also false, and
  /// nothing is merged, when that would take too long to find out; only in graphs where searches have walked over
  /// a million edges, and on average 256 for each node.
  bool merge(uint32_t a, uint32_t b);
  bool same_unit(uint32_t a, uint32_t b) const { return unit_[a] == unit_[b]; }
  /// Throws InternalError when an edge between units leads to an earlier place. For tests.
  void verify() const;

 private:
  struct Unit {
    std::vector<uint32_t> members;
    uint32_t place = 0;
    uint32_t lowest = 0;   ///< of the members
    uint32_t highest = 0;  ///< of the members
    uint32_t seen = 0;     ///< the last search that came here
  };
  enum class Found { nothing, path, too_much };

  void plant_tree();
  bool reaches_in_tree(uint32_t from, uint32_t to) const;
  Found search(uint32_t start, uint32_t other, const Rows& edges, std::vector<uint32_t>& found);
  void reorder(uint32_t low, uint32_t high, std::vector<uint32_t>& before,
               std::vector<uint32_t>& after);

  graph::Dag dag_;
  std::vector<uint32_t> unit_;  // of each node
  std::vector<Unit> units_;
  std::vector<uint32_t>
      entered_;                 // numbers of the tree's nodes from the root, in depth-first order
  std::vector<uint32_t> size_;  // of the subtree
  uint32_t searches_ = 0;
  int64_t credit_ = 0;  // edges that searches may still walk beyond their own share
};

}  // namespace optimize
TUFF_NAMESPACE_END
