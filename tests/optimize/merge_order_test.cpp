// The order of merging groups, against reachability computed anew for each question.
#include "tuff/optimize/merge_order.h"

#include <random>

#include "tests/optimize/dags.h"

namespace tuff::optimize_test {
namespace {

using optimize::MergeOrder;
using Inputs = std::vector<std::vector<uint32_t>>;

/// Whether a path leads from a node of unit `from` to one of `to` through other units: by plain search.
bool detour(const Inputs& inputs, const std::vector<uint32_t>& unit, uint32_t from, uint32_t to) {
  std::vector<bool> reached(inputs.size(), false);  // by unit: from `from`, and not `from` or `to`
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t n = 0; n < inputs.size(); ++n) {
      for (uint32_t input : inputs[n]) {
        const bool comes = reached[unit[input]];
        if (comes && unit[n] == to) return true;
        if (unit[n] == from || unit[n] == to || reached[unit[n]]) continue;
        if (comes || unit[input] == from) changed = reached[unit[n]] = true;
      }
    }
  }
  return false;
}

TEST(MergeOrder, MergesJustWhatNoPathLeavesAndComesBackTo) {
  std::mt19937 random(7);
  size_t merged = 0;
  size_t refused = 0;
  for (int graph = 0; graph < 300; ++graph) {
    const uint32_t count = 2 + random() % 30;
    Inputs inputs(count);
    for (uint32_t n = 1; n < count; ++n) {
      for (uint32_t k = random() % 4; k > 0; --k) inputs[n].push_back(random() % n);
    }
    MergeOrder order(dag_from(inputs));
    std::vector<uint32_t> unit(count);
    for (uint32_t n = 0; n < count; ++n) unit[n] = n;
    for (int trial = 0; trial < 60; ++trial) {
      const uint32_t a = random() % count;
      const uint32_t b = random() % count;
      const bool want = unit[a] == unit[b] || (!detour(inputs, unit, unit[a], unit[b]) &&
                                               !detour(inputs, unit, unit[b], unit[a]));
      ASSERT_EQ(order.merge(a, b), want) << "graph " << graph << ", " << a << " and " << b;
      order.verify();
      ++(want ? merged : refused);
      if (want) std::replace(unit.begin(), unit.end(), uint32_t{unit[b]}, uint32_t{unit[a]});
      ASSERT_EQ(order.same_unit(a, b), want);
    }
  }
  EXPECT_GT(merged, 1000u);
  EXPECT_GT(refused, 1000u);
}

TEST(MergeOrder, ADirectEdgeIsNoDetour) {
  MergeOrder order(dag_from({{}, {0}, {0, 1}}));
  EXPECT_FALSE(order.merge(0, 2));
  EXPECT_TRUE(order.merge(0, 1));
  EXPECT_TRUE(order.merge(2, 1));
}

TEST(MergeOrder, EndsOfALongChainDoNotMeet) {
  Inputs inputs(100'000);
  for (uint32_t n = 1; n < inputs.size(); ++n) inputs[n] = {n - 1};
  MergeOrder order(dag_from(inputs));
  for (uint32_t n = 2; n < inputs.size(); ++n) EXPECT_FALSE(order.merge(0, n));
  for (uint32_t n = 1; n < inputs.size(); ++n) EXPECT_TRUE(order.merge(n - 1, n));
}

// Every one of 100 pairs lies on both sides of 20,000 edges, which is more than 100 searches may walk.
TEST(MergeOrder, RefusesWhatWouldTakeTooLongToFindOut) {
  constexpr uint32_t kPairs = 100;
  constexpr uint32_t kBetween = 200;
  Inputs inputs(kPairs);
  for (uint32_t n = 0; n < kBetween; ++n) {
    inputs.emplace_back();
    for (uint32_t k = 0; k < n; ++k) inputs.back().push_back(kPairs + k);
  }
  for (uint32_t n = 0; n < kPairs; ++n) inputs.push_back({kPairs + kBetween - 1});
  inputs.push_back({});
  const auto last = static_cast<uint32_t>(inputs.size()) - 1;
  inputs.push_back({last});
  MergeOrder order(dag_from(inputs));
  EXPECT_TRUE(order.merge(0, kPairs + kBetween));
  uint32_t merged = 1;
  while (merged < kPairs && order.merge(merged, kPairs + kBetween + merged)) ++merged;
  EXPECT_GT(merged, 10u);
  EXPECT_LT(merged, kPairs);
  EXPECT_FALSE(order.same_unit(merged, kPairs + kBetween + merged));
  order.verify();
  // What is near is found even then.
  EXPECT_TRUE(order.merge(last, last + 1));
  order.verify();
}

}  // namespace
}  // namespace tuff::optimize_test
