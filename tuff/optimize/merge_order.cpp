// Searches between two places, and places given anew after a merge; see merge_order.h.
#include "tuff/optimize/merge_order.h"

#include <algorithm>
#include <utility>

#include "tuff/base/check.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

/// Edges that all searches together may walk: a million are 10 ms, 256 for each node some 3 us.
constexpr int64_t kEdgesAtLeast = 1 << 20;
constexpr int64_t kEdgesPerNode = 256;
/// Edges that each search may walk even so: those of two groups of 256 layers with two inputs each.
constexpr int64_t kEdgesPerSearch = 1024;

}  // namespace

MergeOrder::MergeOrder(graph::Dag dag) : dag_(std::move(dag)) {
  const auto count = static_cast<uint32_t>(dag_.count());
  credit_ = kEdgesAtLeast + kEdgesPerNode * int64_t{count};
  for (uint32_t n = 0; n < count; ++n) {
    for (uint32_t input : dag_.inputs[n]) TUFF_CHECK_LT(input, n);
    unit_.push_back(n);
    units_.push_back({{n}, n, n, n, 0});
  }
  plant_tree();
}

// The tree hangs each node below the deepest of its inputs. A long chain is then one branch, whatever else its
// nodes read, so that two nodes far apart on it need no search.
void MergeOrder::plant_tree() {
  const auto count = static_cast<uint32_t>(dag_.count());
  const uint32_t root = count;
  std::vector<uint32_t> parent(count, root);
  std::vector<uint32_t> depth(count + 1, 0);
  for (uint32_t n = 0; n < count; ++n) {
    for (uint32_t input : dag_.inputs[n]) {
      if (parent[n] == root || depth[input] > depth[parent[n]]) parent[n] = input;
    }
    depth[n] = depth[parent[n]] + 1;
  }
  size_.assign(count + 1, 1);
  for (uint32_t n = count; n-- > 0;) size_[parent[n]] += size_[n];
  entered_.assign(count + 1, 0);
  std::vector<uint32_t> next(count + 1, 1);
  for (uint32_t n = 0; n < count; ++n) {
    entered_[n] = next[parent[n]];
    next[parent[n]] += size_[n];
    next[n] = entered_[n] + 1;
  }
}

bool MergeOrder::reaches_in_tree(uint32_t from, uint32_t to) const {
  return entered_[from] <= entered_[to] && entered_[to] < entered_[from] + size_[from];
}

/// All units between the places of `start` and `other` that edges lead to from `start`, or the fact that one of them
/// leads on to `other`.
MergeOrder::Found MergeOrder::search(uint32_t start, uint32_t other, const Rows& edges,
                                     std::vector<uint32_t>& found) {
  const uint32_t low = std::min(units_[start].place, units_[other].place);
  const uint32_t high = std::max(units_[start].place, units_[other].place);
  const int64_t most = kEdgesPerSearch + credit_;
  int64_t walked = 0;
  bool adjacent = false;
  ++searches_;
  const auto look = [&](uint32_t unit) {
    for (uint32_t member : units_[unit].members) {
      walked += 1 + static_cast<int64_t>(edges[member].size());
      for (uint32_t node : edges[member]) {
        const uint32_t next = unit_[node];
        adjacent = adjacent || next == other;
        if (units_[next].seen == searches_ || units_[next].place <= low ||
            units_[next].place >= high)
          continue;
        units_[next].seen = searches_;
        found.push_back(next);
      }
    }
  };
  look(start);
  // Where no edge leads from one to the other, any way between them leads through a third.
  const Unit& first = low == units_[start].place ? units_[start] : units_[other];
  const Unit& last = low == units_[start].place ? units_[other] : units_[start];
  if (!adjacent && !found.empty() && reaches_in_tree(first.lowest, last.highest))
    return Found::path;
  adjacent = false;
  for (size_t next = 0; next < found.size() && !adjacent && walked <= most; ++next)
    look(found[next]);
  credit_ -= std::max(int64_t{0}, walked - kEdgesPerSearch);
  if (adjacent) return Found::path;
  return walked <= most ? Found::nothing : Found::too_much;
}

bool MergeOrder::merge(uint32_t a, uint32_t b) {
  uint32_t low = unit_[a];
  uint32_t high = unit_[b];
  if (low == high) return true;
  if (units_[low].place > units_[high].place) std::swap(low, high);
  // What is merged late has few inputs and maybe many readers, so backward first.
  std::vector<uint32_t> before;
  std::vector<uint32_t> after;
  if (search(high, low, dag_.inputs, before) != Found::nothing) return false;
  if (!before.empty() && search(low, high, dag_.users, after) != Found::nothing) return false;
  reorder(low, high, before, after);

  const bool low_grows = units_[low].members.size() >= units_[high].members.size();
  Unit& to = units_[low_grows ? low : high];
  Unit& from = units_[low_grows ? high : low];
  for (uint32_t member : from.members) unit_[member] = low_grows ? low : high;
  to.members.insert(to.members.end(), from.members.begin(), from.members.end());
  to.lowest = std::min(to.lowest, from.lowest);
  to.highest = std::max(to.highest, from.highest);
  to.place = units_[low].place;
  from.members = {};
  return true;
}

/// Gives `low` the place of both: after all of `before`, and before all of `after`.
void MergeOrder::reorder(uint32_t low, uint32_t high, std::vector<uint32_t>& before,
                         std::vector<uint32_t>& after) {
  if (before.empty()) return;
  if (after.empty()) {
    units_[low].place = units_[high].place;
    return;
  }
  std::vector<uint32_t> places = {units_[low].place, units_[high].place};
  const auto by_place = [&](uint32_t a, uint32_t b) { return units_[a].place < units_[b].place; };
  for (std::vector<uint32_t>* list : {&before, &after}) {
    std::sort(list->begin(), list->end(), by_place);
    for (uint32_t unit : *list) places.push_back(units_[unit].place);
  }
  std::sort(places.begin(), places.end());
  for (size_t k = 0; k < before.size(); ++k) units_[before[k]].place = places[k];
  units_[low].place = places[before.size()];
  for (size_t k = 0; k < after.size(); ++k)
    units_[after[k]].place = places[places.size() - after.size() + k];
}

void MergeOrder::verify() const {
  for (uint32_t n = 0; n < dag_.count(); ++n) {
    for (uint32_t input : dag_.inputs[n]) {
      TUFF_CHECK(same_unit(input, n) || units_[unit_[input]].place < units_[unit_[n]].place);
    }
  }
}

}  // namespace optimize
TUFF_NAMESPACE_END
