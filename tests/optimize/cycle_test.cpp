// Cycles among tasks.
#include "tuff/optimize/cycle.h"

#include "tests/optimize/dags.h"
#include "tests/optimize/order_shapes.h"

namespace tuff::optimize_test {
namespace {

using optimize::find_cycle;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(FindCycle, IsEmptyForAGraphWithoutOne) {
  EXPECT_THAT(find_cycle(dag_from({})), IsEmpty());
  EXPECT_THAT(find_cycle(dag_from({{1}, {2}, {}})), IsEmpty());
  for (uint32_t shape = 0; shape < kShapes.size(); ++shape)
    EXPECT_THAT(find_cycle(random_graph(shape, 1)), IsEmpty());
}

TEST(FindCycle, GivesEachTaskBeforeTheOneThatReadsIt) {
  EXPECT_THAT(find_cycle(dag_from({{1}, {0}})), ElementsAre(0, 1));
  EXPECT_THAT(find_cycle(dag_from({{2}, {0}, {1}})), ElementsAre(0, 1, 2));
}

TEST(FindCycle, LeavesOutWhatOnlyLeadsIntoTheCycleOrWaitsForIt) {
  // 0 feeds the cycle 3 -> 2 -> 4 -> 3, and 1 reads it.
  EXPECT_THAT(find_cycle(dag_from({{}, {4}, {0, 3}, {4}, {2}})), ElementsAre(2, 4, 3));
}

TEST(FindCycle, OfAHundredThousandTasksNeedsNoStack) {
  const uint32_t count = 100'000;
  std::vector<std::vector<uint32_t>> inputs;
  for (uint32_t t = 0; t < count; ++t) inputs.push_back({(t + count - 1) % count});
  const std::vector<uint32_t> cycle = find_cycle(dag_from(inputs));
  ASSERT_EQ(cycle.size(), count);
  for (uint32_t t = 0; t < count; ++t) ASSERT_EQ(cycle[t], t);
}

}  // namespace
}  // namespace tuff::optimize_test
