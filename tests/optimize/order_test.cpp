// The static order of plans: inputs first, few values alive at once. Orders of graphs: static_order_test.cpp.
#include "tuff/optimize/order.h"

#include <algorithm>

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

/// Runs tasks in their static order on paper and counts values of tasks that are alive at once.
size_t peak_alive(const PlanArrays& plan) {
  std::vector<uint32_t> uses = plan.use_count;
  size_t alive = 0;
  size_t peak = 0;
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    alive += plan.first_output[t + 1] - plan.first_output[t];
    peak = std::max(peak, alive);
    for (uint32_t slot : plan.inputs[t]) {
      if (--uses[slot] == 0 && slot < plan.first_output.back()) --alive;
    }
  }
  return peak;
}

bool is_topological(const PlanArrays& plan) {
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    for (uint32_t next : plan.successors[t]) {
      if (next <= t) return false;
    }
  }
  return true;
}

Array made_blocks(const Dims& shape, const ChunkSpec& chunks) {
  return from_function(
      [](const BlockInfo& info) { return Block::allocate(info.dtype, info.shape); }, shape,
      {.dtype = DType::float64, .chunks = chunks});
}

TEST(Order, TasksComeAfterWhatTheyRead) {
  const Array x = made_blocks({60, 60}, 10);
  for (const Ports& outputs : {Ports{sum(exp(x) + x.transpose())}, Ports{matmul(x, x), mean(x, 0)},
                               Ports{x.rechunk(25)[{Slice{3, 50, 7}}], var(x)}}) {
    EXPECT_TRUE(is_topological(compiled(outputs).arrays()));
    EXPECT_TRUE(is_topological(compiled(outputs, only({"order"})).arrays()));
  }
}

TEST(Order, ATreeOverAHundredBlocksHoldsAFanInOfEachLevel) {
  // 100 blocks: seven groups of 16 and the rest, then one. While the last leaf of a group is made the group's
  // others are alive (16), and the finished groups (6), each next to its source block.
  const Array x = made_blocks({1000}, 10);
  const Ports outputs = {sum(exp(x))};
  const PlanArrays plan = lowered(outputs);
  EXPECT_EQ(plan.task_count(), 100u + 100 + 7 + 1 + 1);
  EXPECT_LE(peak_alive(plan), 16u + 7 + 2);
  EXPECT_GE(peak_alive(lowered(outputs, without({"order"}))), 100u);
}

TEST(Order, ALargeTreeHoldsAFanInTimesItsDepth) {
  const Array x = made_blocks({10'000}, 1);
  EXPECT_LE(peak_alive(compiled({sum(exp(x))}).arrays()), 16u * 4 + 4);
}

TEST(Order, IndependentPipelinesFinishOneAfterAnother) {
  // Two layers per block with something between that does not fuse: block 0 is through before 1 begins.
  const Array x = made_blocks({100}, 10);
  const Array y = exp(x)[{Slice{0, 100, 1}, newaxis}][{Slice{{}, {}, -1}}] * 2.0;
  const Plan plan = compiled({y});
  const PlanArrays& arrays = plan.arrays();
  EXPECT_LE(peak_alive(arrays), 10u + 3);
  // Each task's input was made by the task right before it.
  size_t jumps = 0;
  for (uint32_t t = 0; t < arrays.task_count(); ++t) {
    for (uint32_t next : arrays.successors[t]) jumps += next == t + 1 ? 0 : 1;
  }
  EXPECT_EQ(jumps, 0u);
}

TEST(Order, TheFirstOutputIsFinishedBeforeTheSecondIsBegun) {
  const Array x = made_blocks({100}, 10);
  const Array y = made_blocks({100}, 10);
  const Plan plan = compiled({sum(x), sum(y)});
  const PlanArrays& arrays = plan.arrays();
  const uint32_t first = arrays.output_slots[0];
  EXPECT_EQ(arrays.first_output[arrays.task_count() / 2 - 1], first);
}

TEST(Order, RenumberingKeepsThePlan) {
  const Array x = in_memory({60, 60}, 10);
  const Parameter p("p", {60}, DType::float64, 10);
  const Ports outputs = {sum(x + p, 0), x.transpose(), exp(p), max(x)};
  const std::vector<Binding> bindings = {{p, std::vector<double>(60, 0.5)}};
  const Plan a = compiled(outputs);
  const Plan b = compiled(outputs, without({"order"}));
  EXPECT_EQ(a.task_count(), b.task_count());
  EXPECT_EQ(a.arrays().slot_count(), b.arrays().slot_count());
  EXPECT_EQ(a.arrays().constants.size(), b.arrays().constants.size());
  EXPECT_EQ(run(a, bindings), run(b, bindings));
}

TEST(Order, OrderingTwiceKeepsThePeak) {
  // Not the numbers: where two ways are equally good, they decide.
  const Array x = made_blocks({60, 60}, 10);
  graph::Lowered lowered = optimize::lower({matmul(x, x), sum(x)});
  const size_t peak = peak_alive(lowered.arrays);
  optimize::order(lowered.arrays);
  EXPECT_EQ(peak_alive(lowered.arrays), peak);
  lowered.arrays.verify();
}

TEST(Order, TasksThatWaitForNobodyKeepTheirNumbers) {
  const Array x = in_memory({60}, 10);
  graph::Lowered lowered = optimize::lower({exp(x)}, {.order = false});
  const std::vector<uint32_t> blocks = lowered.arrays.block;
  optimize::order(lowered.arrays);
  EXPECT_EQ(lowered.arrays.block, blocks);
}

TEST(Order, TasksThatNoOutputNeedsComeLast) {
  const Array x = made_blocks({40}, 10);
  const Plan plan = compiled({exp(x)[{int64_t{39}}]}, {.push_slices = false, .cull = false});
  EXPECT_EQ(plan.arrays().output_slots[0], plan.arrays().first_output[3]);
}

TEST(Order, AnEmptyPlanIsAPlan) {
  const Array x = in_memory({4}, 2);
  const Plan plan = compiled({x});
  EXPECT_EQ(plan.task_count(), 0u);
  EXPECT_EQ(run(plan)[0], (std::vector<double>{0.25, 1.25, 2.25, 3.25}));
}

}  // namespace
}  // namespace tuff::optimize_test
