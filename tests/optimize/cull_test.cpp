// Only what is asked for is computed: one point touches one block.
#include "tuff/optimize/cull.h"

#include <set>

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

using ::testing::ElementsAre;

/// Tasks of the plan of these outputs.
size_t tasks_of(const Ports& outputs, const Passes& passes = {}) {
  return compiled(outputs, passes).task_count();
}

/// An array whose blocks are noted down when they are made.
struct Watched {
  Watched(const Dims& shape, const ChunkSpec& chunks)
      : array(from_function(
            [asked = asked, mutex = mutex](const BlockInfo& info) {
              const std::lock_guard lock(*mutex);
              asked->insert(to_string(info.index));
              Block block = Block::allocate(info.dtype, info.shape);
              std::fill(block.data<double>(), block.data<double>() + block.size(), 2.0);
              return block;
            },
            shape, {.dtype = DType::float64, .chunks = chunks})) {}
  std::shared_ptr<std::set<std::string>> asked = std::make_shared<std::set<std::string>>();
  std::shared_ptr<std::mutex> mutex = std::make_shared<std::mutex>();
  Array array;
};

TEST(Cull, OnePointTouchesOneBlock) {
  const Watched x({1000, 1000}, 10);  // 10,000 blocks
  const Array point = (exp(x.array) * 2.0)[{int64_t{503}, int64_t{-1}}];
  EXPECT_NEAR(point.compute<double>(), 2.0 * std::exp(2.0), 1e-14);
  EXPECT_THAT(*x.asked, ElementsAre("(50, 99)"));
  const Plan plan = compiled({point}, without_moves());
  EXPECT_EQ(plan.describe(),
            "L0  from_function  10000 tasks  ->  float64 (1000, 1000) in (100, 100) blocks\n"
            "L1  fused(exp, multiply)  10000 tasks  <-  L0  ->  float64 (1000, 1000) in (100, 100) "
            "blocks\n"
            "L2  slice(503:1x1, 999:1x1)  1 task  <-  L1  ->  float64 (1, 1) in (1, 1) blocks\n"
            "L3  relabel(axes ())  1 task  <-  L2  ->  float64 () in () blocks\n");
  EXPECT_EQ(plan.task_count(), 4u);
}

TEST(Cull, SwitchedOffEverythingIsComputed) {
  const Watched x({40}, 10);
  const Ports point = {exp(x.array)[{int64_t{0}}]};
  EXPECT_EQ(tasks_of(point, {.push_slices = false}), 4u);
  EXPECT_EQ(tasks_of(point, {.push_slices = false, .cull = false}), 4u + 4 + 1 + 1);
}

TEST(Cull, NothingIsCutWhereEverythingIsNeeded) {
  const Watched x({40}, 10);
  const Ports outputs = {sum(exp(x.array)), x.array.transpose()};
  EXPECT_EQ(tasks_of(outputs), tasks_of(outputs, without({"cull"})));
  const auto layers = graph::layers_in_order(outputs);
  for (const auto& [layer, flags] : optimize::cull(layers, outputs).tasks)
    EXPECT_TRUE(flags.empty());
}

TEST(Cull, LayersThatNoOutputReachesAreNotEvenSeen) {
  const Watched x({40}, 10);
  const Array unused = exp(x.array) * 3.0;
  EXPECT_THAT(plan_of({x.array + 1.0}), ElementsAre("from_function", "fused(add)"));
}

TEST(Cull, ASliceTakesTheBlocksItOverlaps) {
  const Watched x({40}, 10);
  (void)x.array[{Slice{15, 35, 5}}].compute();  // 15, 20, 25, 30
  EXPECT_THAT(*x.asked, ElementsAre("(1,)", "(2,)", "(3,)"));
  x.asked->clear();
  (void)x.array[{Slice{9, {}, -9}}].compute();  // 9, 0
  EXPECT_THAT(*x.asked, ElementsAre("(0,)"));
  x.asked->clear();
  (void)x.array[{Slice{5, 5}}].compute();  // nothing; one block knows the shape
  EXPECT_LE(x.asked->size(), 1u);
}

TEST(Cull, NeedsPassThroughTransposeRechunkAndBroadcast) {
  const Watched x({40, 20}, 10);
  (void)x.array.transpose()[{Slice{0, 10}, Slice{30, 40}}].compute();
  EXPECT_THAT(*x.asked, ElementsAre("(3, 0)"));
  x.asked->clear();
  (void)x.array.rechunk(8)[{Slice{8, 16}, Slice{0, 8}}].compute();
  EXPECT_THAT(*x.asked, ElementsAre("(0, 0)", "(1, 0)"));
  x.asked->clear();
  const Array table = broadcast_to(x.array[{int64_t{39}}], {50, 20}, {10, 10});
  (void)table[{int64_t{49}, int64_t{0}}].compute();
  EXPECT_THAT(*x.asked, ElementsAre("(3, 0)"));
}

TEST(Cull, NeedsPassThroughReductionsAndProducts) {
  const Watched x({40, 20}, 10);
  (void)sum(x.array, 0)[{int64_t{3}}].compute();
  EXPECT_THAT(*x.asked, ElementsAre("(0, 0)", "(1, 0)", "(2, 0)", "(3, 0)"));
  x.asked->clear();
  (void)var(x.array, 1)[{int64_t{39}}].compute();
  EXPECT_THAT(*x.asked, ElementsAre("(3, 0)", "(3, 1)"));
  x.asked->clear();
  const Array product = matmul(x.array, in_memory({20, 30}, 10));
  (void)product[{int64_t{10}, int64_t{0}}].compute();
  EXPECT_THAT(*x.asked, ElementsAre("(1, 0)", "(1, 1)"));
}

TEST(Cull, AMaskTakesTheBlockAndItsPartOfTheMask) {
  const Watched x({40}, 10);
  const Watched y({40}, 10);
  const Array chosen = x.array[y.array > 1.0].compute_chunk_sizes();
  x.asked->clear();
  y.asked->clear();
  (void)chosen[{int64_t{25}}].compute();
  // What follows a mask is taken whole today: which rows lie where is known, which blocks made them as well.
  EXPECT_THAT(*x.asked, ::testing::Contains("(2,)"));
  EXPECT_EQ(*x.asked, *y.asked);
}

TEST(Cull, SeveralOutputsNeedTheUnion) {
  const Watched x({40}, 10);
  const Array e = exp(x.array);
  (void)compute({e[{int64_t{0}}], e[{int64_t{39}}]});
  EXPECT_THAT(*x.asked, ElementsAre("(0,)", "(3,)"));
  x.asked->clear();
  (void)compute({e[{int64_t{0}}], e});
  EXPECT_EQ(x.asked->size(), 4u);
}

TEST(Cull, AFusedLayerOfSeveralOutputsRunsTheBlocksThatAnyOutputNeeds) {
  const Watched x({40}, 10);
  const Array e = exp(x.array);
  const Ports outputs = {e[{Slice{0, 5}}], (e + 1.0)[{Slice{30, 40}}]};
  expect_same_results(outputs);
  EXPECT_EQ(x.asked->size(), 4u);  // all, by the run without passes
  x.asked->clear();
  (void)compute(outputs);
  EXPECT_THAT(*x.asked, ElementsAre("(0,)", "(3,)"));
}

TEST(Cull, EverythingMeansEveryTaskOfEveryLayer) {
  const Array x = in_memory({40}, 10);
  const Ports outputs = {exp(x)[{int64_t{0}}]};
  const auto layers = graph::layers_in_order(outputs);
  const graph::Needed needed = optimize::everything(layers);
  EXPECT_EQ(needed.tasks.size(), layers.size());
  for (const auto& [layer, flags] : needed.tasks) EXPECT_TRUE(flags.empty());
}

}  // namespace
}  // namespace tuff::optimize_test
