// Layers that line up become one program; those whose blocks would be made twice, or that would wait for
// themselves, do not. Panels and products: fuse_panel_test.cpp.
#include "tuff/optimize/fuse.h"

#include <sstream>

#include "tuff/graph/fused.h"

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Fuse, ALineOfOperationsAndItsSumIsOneReadOfX) {
  const Array x = in_memory({100}, 25);
  const Ports built = {sum(exp(x) - 1.0 / x)};
  EXPECT_EQ(describe(built),
            "L0  memory  0 tasks  ->  float64 (100,) in (4,) blocks\n"
            "L1  exp  4 tasks  <-  L0  ->  float64 (100,) in (4,) blocks\n"
            "L2  full  1 task  ->  float64 () in () blocks\n"
            "L3  divide  4 tasks  <-  L2, L0  ->  float64 (100,) in (4,) blocks\n"
            "L4  subtract  4 tasks  <-  L1, L3  ->  float64 (100,) in (4,) blocks\n"
            "L5  sum(axes (0,))  4 tasks  <-  L4  ->  float64 (4,) in (4,) blocks\n"
            "L6  combine(axes (0,))  1 task  <-  L5  ->  float64 (1,) in (1,) blocks\n"
            "L7  relabel(axes ())  1 task  <-  L6  ->  float64 () in () blocks\n");
  const Plan plan = compiled(built);
  EXPECT_EQ(
      plan.describe(),
      "L0  memory  0 tasks  ->  float64 (100,) in (4,) blocks\n"
      "L1  fused(exp, divide, subtract -> sum)  4 tasks  <-  L0  ->  float64 (4,) in (4,) blocks\n"
      "L2  combine(axes (0,))  1 task  <-  L1  ->  float64 (1,) in (1,) blocks\n"
      "L3  relabel(axes ())  1 task  <-  L2  ->  float64 () in () blocks\n");
  EXPECT_EQ(plan.task_count(), 6u);
  EXPECT_EQ(compiled(built, none()).task_count(),
            4u + 1 + 4 + 4 + 4 + 1 + 1);  // the number is a task, too
  expect_same_results(built);
}

TEST(Fuse, ADiamondIsOneLayer) {
  const Array x = in_memory({100}, 25);
  const Array e = exp(x * 0.01);
  const Array y = (e + 1.0) * (e - 1.0);
  EXPECT_THAT(plan_of({y}), ElementsAre("fused(multiply x2, exp, add, subtract)"));
  EXPECT_EQ(compiled({y}).task_count(), 4u);
  expect_same_results({y});
}

TEST(Fuse, SeveralOutputsComeFromOneRead) {
  const Array x = in_memory({100}, 25);
  const Array e = exp(x * 0.01);
  const Ports outputs = {e, e + 1.0, sum(e)};
  const Plan plan = compiled(outputs);
  EXPECT_EQ(plan.describe(),
            "L0  memory  0 tasks  ->  float64 (100,) in (4,) blocks\n"
            "L1  fused(multiply, exp, add -> sum)  4 tasks  <-  L0  ->  float64 (100,) in (4,) "
            "blocks x2 and "
            "float64 (4,) in (4,) blocks\n"
            "L2  combine(axes (0,))  1 task  <-  L1.2  ->  float64 (1,) in (1,) blocks\n"
            "L3  relabel(axes ())  1 task  <-  L2  ->  float64 () in () blocks\n");
  expect_same_results(outputs);
}

TEST(Fuse, SiblingReductionsOfOneInputAreOneLayer) {
  const Array x = in_memory({100}, 25);
  const Ports outputs = {mean(x), var(x), min(x), max(x)};
  EXPECT_THAT(plan_of(outputs), Contains("fused(sum, moments, min, max)"));
  EXPECT_EQ(largest_fused(compiled(outputs).outputs())->outputs().size(), 4u);
  expect_same_results(outputs);
}

TEST(Fuse, SiblingSumsAlongTheSameAxisAreOneLayerAndAlongTwoAxesTwo) {
  const Array x = in_memory({12, 10}, {4, 5});
  EXPECT_THAT(plan_of({sum(x, 0), max(x, 0)}), Contains("fused(sum, max)"));
  const std::vector<std::string> crossed = plan_of({sum(x, 0), sum(x, 1)});
  EXPECT_EQ(std::count(crossed.begin(), crossed.end(), "fused(sum)"), 2);
  expect_same_results({sum(x, 0), max(x, 0)});
  expect_same_results({sum(x, 0), sum(x, 1), sum(x)});
}

TEST(Fuse, AFullReductionJoinsAPartialOneOfTheSameBlocks) {
  const Array x = in_memory({12, 10}, {4, 5});
  EXPECT_THAT(plan_of({sum(x), sum(x, 0)}), Contains("fused(sum x2)"));
  expect_same_results({sum(x), sum(x, 0)});
}

TEST(Fuse, TransposedOperandsAreReadInPlace) {
  const Array x = in_memory({6, 9}, {2, 3});
  const Array y = exp(x.transpose() * 0.1) + 1.0;
  EXPECT_EQ(compiled({y}).describe(),
            "L0  memory  0 tasks  ->  float64 (6, 9) in (3, 3) blocks\n"
            "L1  fused(relabel, multiply, exp, add)  9 tasks  <-  L0  ->  float64 (9, 6) in (3, 3) "
            "blocks\n");
  expect_same_results({y});
  expect_same_results({sum(y, 0), sum(y, 1)});
}

TEST(Fuse, BroadcastOperandsAreReadInPlace) {
  const Array x = in_memory({6, 8}, {3, 4});
  const Array row = in_memory({8}, 4);
  const Array column = in_memory({6, 1}, {3, 1});
  const Array y = x * row + column;
  EXPECT_EQ(
      compiled({y}).describe(),
      "L0  memory  0 tasks  ->  float64 (6, 8) in (2, 2) blocks\n"
      "L1  memory  0 tasks  ->  float64 (8,) in (2,) blocks\n"
      "L2  memory  0 tasks  ->  float64 (6, 1) in (2, 1) blocks\n"
      "L3  fused(multiply, add)  4 tasks  <-  L0, L1, L2  ->  float64 (6, 8) in (2, 2) blocks\n");
  expect_same_results({y});
}

TEST(Fuse, CheapSourcesAreMadeAgainInEachReader) {
  const Array u = random::uniform({100}, {.chunks = 25, .seed = 1});
  const Array r = u.rechunk(50);  // forces two programs
  const Ports outputs = {sum(exp(u)), sum(r * 2.0)};
  // The rechunk reads blocks in memory; the sum makes the numbers itself.
  EXPECT_THAT(plan_of(outputs), Contains("fused(uniform -> exp -> sum)"));
  const graph::LayerPtr made_inside = largest_fused(compiled({outputs[0]}).outputs());
  EXPECT_THAT(made_inside->inputs(), IsEmpty());
  expect_same_results(outputs);
  // A requested source is in memory anyway, and still nobody waits for it.
  const Plan kept = compiled({u, u + 1.0});
  EXPECT_THAT(titles(kept.outputs()), ElementsAre("fused(uniform)", "fused(uniform -> add)"));
  EXPECT_EQ(kept.arrays().roots.size(), 8u);
  expect_same_results({u, u + 1.0});
}

TEST(Fuse, SourcesInMemoryPlusTheirTransposeAreOneLayerThatReadsTwoBlocks) {
  const Array x = in_memory({6, 6}, 2);
  const Array y = x + x.transpose();
  EXPECT_EQ(compiled({y}).describe(),
            "L0  memory  0 tasks  ->  float64 (6, 6) in (3, 3) blocks\n"
            "L1  fused(relabel, add)  9 tasks  <-  L0 x2  ->  float64 (6, 6) in (3, 3) blocks\n");
  expect_same_results({y});
}

TEST(Fuse, WhatIsComputedIsNotComputedTwiceForItsTranspose) {
  const Array x = in_memory({6, 6}, 2);
  const Array e = exp(x * 0.1);
  const Plan plan = compiled({e + e.transpose()});
  std::vector<std::string> welded = titles(plan.outputs());
  EXPECT_EQ(std::count_if(welded.begin(), welded.end(),
                          [](const std::string& t) { return t.find("exp") != t.npos; }),
            1);
  EXPECT_THAT(welded.back(), HasSubstr("add"));
  EXPECT_THAT(welded.back(), Not(HasSubstr("exp")));
  expect_same_results({e + e.transpose()});
}

TEST(Fuse, AViewThatTheGroupHandsOutIsNoSecondCopy) {
  // The transpose of a result that is kept anyway is a header on the same memory.
  const Array x = in_memory({6, 6}, 2);
  const Array e = exp(x * 0.1);
  const Plan plan = compiled({e, e.transpose()});
  for (const graph::LayerPtr& layer : graph::layers_in_order(plan.outputs())) {
    if (layer->name() == "fused") {
      EXPECT_EQ(layer->outputs().size(), 1u) << plan.describe();
    }
  }
  expect_same_results({e, e.transpose()});
}

TEST(Fuse, ABlockThatSeveralBlocksOfTheReaderNeedIsMadeOnce) {
  const Array x = in_memory({100}, 25);
  const Array y = in_memory({8}, 2);
  const Array table = exp(x * 0.01)[{whole, newaxis}] + y;
  EXPECT_EQ(
      compiled({table}).describe(),
      "L0  memory  0 tasks  ->  float64 (100,) in (4,) blocks\n"
      "L1  fused(multiply, exp, relabel)  4 tasks  <-  L0  ->  float64 (100, 1) in (4, 1) blocks\n"
      "L2  memory  0 tasks  ->  float64 (8,) in (4,) blocks\n"
      "L3  fused(add)  16 tasks  <-  L1, L2  ->  float64 (100, 8) in (4, 4) blocks\n");
  expect_same_results({table});
  // With a single block of y nothing would be made twice, so it is one layer.
  const Array narrow = exp(x * 0.01)[{whole, newaxis}] + in_memory({8}, 8);
  EXPECT_THAT(plan_of({narrow}), ElementsAre("fused(multiply, exp, relabel, add)"));
  expect_same_results({narrow});
}

TEST(Fuse, AReductionAndWhatUsesItsResultStayApart) {
  const Array many = in_memory({100}, 25);
  EXPECT_THAT(plan_of({many - sum(many)}), ElementsAre("fused(sum)", "combine(axes (0,))",
                                                       "relabel(axes ())", "fused(subtract)"));
  expect_same_results({many - sum(many)});
  const Array one = in_memory({100}, -1);
  EXPECT_THAT(plan_of({one - sum(one)}), ElementsAre("fused(sum)", "fused(relabel, subtract)"));
  expect_same_results({one - sum(one)});
  const Array table = in_memory({12, 10}, {4, 5});
  EXPECT_THAT(plan_of({(table - mean(table, 0)) / tuff::std(table, 0)}),
              ElementsAre("fused(sum, moments)", "combine(axes (0,))", "fused(relabel, divide)",
                          "combine(axes (0,))", "finish_moments(std ddof 0)", "relabel(axes (1))",
                          "fused(subtract, divide)"));
  expect_same_results({(table - mean(table, 0)) / tuff::std(table, 0)});
}

TEST(Fuse, AReductionAlongARowOfThePanelMayBeUsedInTheSameRow) {
  const Array x = in_memory({12, 5}, {4, 5});
  const Array softmax = exp(x * 0.01) / sum(exp(x * 0.01), 1, {.keepdims = true});
  EXPECT_THAT(plan_of({softmax}), ElementsAre("fused(multiply, exp, sum, divide)"));
  expect_same_results({softmax});
  // Rows cut into several blocks have no sum inside a block.
  const Array cut = in_memory({12, 6}, {4, 3});
  EXPECT_GT(plan_of({cut / sum(cut, 1, {.keepdims = true})}).size(), 2u);
  expect_same_results({cut / sum(cut, 1, {.keepdims = true})});
}

TEST(Fuse, NoLayerWaitsForItself) {
  // exp and add line up, but the way from one to the other leads through other blocks.
  const Array x = in_memory({100}, 25);
  const Array e = exp(x * 0.01);
  const Array y = e + e.rechunk(-1).rechunk(25);
  EXPECT_EQ(compiled({y}, without_moves()).describe(),
            "L0  memory  0 tasks  ->  float64 (100,) in (4,) blocks\n"
            "L1  fused(multiply, exp)  4 tasks  <-  L0  ->  float64 (100,) in (4,) blocks\n"
            "L2  rechunk(((100,),))  1 task  <-  L1  ->  float64 (100,) in (1,) blocks\n"
            "L3  rechunk(((25, 25, 25, 25),))  4 tasks  <-  L2  ->  float64 (100,) in (4,) blocks\n"
            "L4  fused(add)  4 tasks  <-  L1, L3  ->  float64 (100,) in (4,) blocks\n");
  expect_same_results({y});
}

TEST(Fuse, SiblingsBetweenWhichAPathLeadsStayApart) {
  const Array x = in_memory({100}, 25);
  const Array first = exp(x * 0.01);
  const Array last = x + first.rechunk(10).rechunk(25);  // reads x as well, but later
  const Array other = x * 2.0;
  const Plan plan = compiled({first, last, other}, without_moves());
  EXPECT_THAT(titles(plan.outputs()).front(), HasSubstr("exp"));
  EXPECT_THAT(titles(plan.outputs()).front(), Not(HasSubstr("add")));
  expect_same_results({first, last, other});
  // The same through a reduction's tree, and in the other order.
  const Array total = sum(x);
  expect_same_results({other * total, total, x - total});
}

TEST(Fuse, TwoGroupsThatWouldWaitForEachOtherStayApart) {
  // a -> (outside) -> b and c -> (outside) -> d: joining a with d and b with c would close a circle.
  const Array x = in_memory({100}, 25);
  const Array y = in_memory({100}, 25);
  const Array a = exp(x * 0.01);
  const Array c = exp(y * 0.01);
  const Array b = y * a.rechunk(50).rechunk(25);
  const Array d = x * c.rechunk(50).rechunk(25);
  expect_same_results({a, b, c, d});
  expect_same_results({a + 1.0, d, b - c});
  expect_same_results({d, c, b, a});
}

TEST(Fuse, SlicesAndMasksEndAProgram) {
  const Array x = in_memory({100}, 25);
  EXPECT_THAT(plan_of({exp(x * 0.01)[{Slice{10, 60}}] + 1.0}, without_moves()),
              ElementsAre("fused(multiply, exp)", "slice(10:1x50)", "fused(add)"));
  const Array chosen = x[x > 30.0];
  EXPECT_THAT(plan_of({sum(chosen * 2.0)}),
              ElementsAre("fused(greater)", "mask", "fused(multiply -> sum)", "combine(axes (0,))",
                          "relabel(axes ())"));
  expect_same_results({exp(x * 0.01)[{Slice{10, 60}}] + 1.0, sum(chosen * 2.0)});
}

TEST(Fuse, DifferentCutsStayApart) {
  const Array x = in_memory({100}, 25);
  EXPECT_THAT(
      plan_of({exp(x * 0.01).rechunk(20) + 1.0}),
      ElementsAre("fused(multiply, exp)", "rechunk(((20, 20, 20, 20, 20),))", "fused(add)"));
  expect_same_results({exp(x * 0.01).rechunk(20) + 1.0});
}

TEST(Fuse, AGroupHoldsAtMost256Layers) {
  Array y = in_memory({100}, 25);
  for (int i = 0; i < 600; ++i) y = -y;
  const std::vector<std::string> welded = plan_of({y});
  ASSERT_EQ(welded.size(), 3u);
  EXPECT_THAT(welded[0], HasSubstr("negative x256"));
  EXPECT_THAT(welded[2], HasSubstr("negative x88"));
  EXPECT_EQ(run(compiled({y})), run(compiled({in_memory({100}, 25)})));
}

TEST(Fuse, ItsTextNamesSourcesOperationsAndWhatTheyEndIn) {
  const Array z = random::normal({100}, {.chunks = 25, .seed = 1});
  const Ports outputs = {sum(exp(z) - 1.0 / z), mean(z), var(z)};
  EXPECT_THAT(plan_of(outputs),
              Contains("fused(normal -> exp, divide, subtract -> sum x2, moments)"));
  const Array i = arange(0, 100, 1, {.chunks = 25});
  const Array u = random::uniform({100}, {.chunks = 25, .seed = 2});
  EXPECT_THAT(plan_of({i * u + z * u}),
              ElementsAre("fused(index, uniform, normal -> multiply x2, add)"));
  EXPECT_THAT(plan_of({z}), ElementsAre("fused(normal)"));
  EXPECT_THAT(plan_of({zeros({100}, {.chunks = 25}) + 1.0}), ElementsAre("fused(full)"));
}

TEST(Fuse, ItsTextStaysShortHoweverMuchIsInside) {
  Array y = in_memory({100}, 25);
  Ports outputs;
  for (int i = 0; i < 8; ++i) {
    y = sin(
        cos(tanh(floor(ceil(abs(sign(sqrt(square(maximum(minimum(expm1(log1p(-y)), 1.0), y)))))))) +
            y));
    outputs.push_back(y);
    outputs.push_back(y > 0.5);
    outputs.push_back(sum(y));
    outputs.push_back(max(y));
  }
  for (int i = 0; i < 20; ++i) y = y + in_memory({100}, 25);
  outputs.push_back(y);
  const Plan plan = compiled(outputs);
  std::istringstream lines(plan.describe());
  for (std::string line; std::getline(lines, line);) EXPECT_LT(line.size(), 500u) << line;
  EXPECT_THAT(plan.describe(),
              HasSubstr("negative x8, log1p x8, expm1 x8, minimum x8, maximum x8, "));
  EXPECT_THAT(plan.describe(), HasSubstr(" more -> sum x8, max x8)"));
  EXPECT_THAT(plan.describe(), HasSubstr("bool (100,) in (4,) blocks x8"));
  EXPECT_EQ(plan.describe(), compiled(outputs).describe());
}

TEST(Fuse, AGroupHasAtMost32Outputs) {
  const Array x = in_memory({100}, 25);
  Ports outputs;
  for (int i = 0; i < 40; ++i) outputs.push_back(x + static_cast<double>(i));
  const Plan plan = compiled(outputs);
  std::vector<size_t> sizes;
  for (const graph::LayerPtr& layer : graph::layers_in_order(plan.outputs())) {
    if (layer->name() == "fused") sizes.push_back(layer->outputs().size());
  }
  EXPECT_THAT(sizes, ElementsAre(32u, 8u));
  EXPECT_EQ(plan.task_count(), 8u);
  expect_same_results(outputs);
  // One more than fits of what shares a computed value.
  const Array e = exp(x * 0.01);
  Ports more = {e};
  for (int i = 0; i < 33; ++i) more.push_back(e * static_cast<double>(i));
  expect_same_results(more);
}

TEST(Fuse, SymbolicExtentsFuseWhenTheyAreTheSameSymbol) {
  const Array x = in_memory({100}, 25);
  const Array y = in_memory({100}, 25);
  const Array m = x > 30.0;
  const Array z = exp(x[m] * 0.01) + y[m];
  EXPECT_THAT(plan_of({z}),
              ElementsAre("fused(greater)", "mask", "mask", "fused(multiply, exp, add)"));
  expect_same_results({z});
}

TEST(Fuse, LeavesAViewAloneAViewAndASingleProductAProduct) {
  const Array x = in_memory({6, 6}, 2);
  EXPECT_THAT(plan_of({x.transpose()}), ElementsAre("relabel(axes (1, 0))"));
  EXPECT_THAT(
      plan_of({matmul(x, x.transpose())}),
      ElementsAre("relabel(axes (1, 0))", "matmul", "combine(axes (2,))", "relabel(axes (0, 1))"));
}

TEST(Fuse, KeepsTheOrderOfOutputsAndAnswersDuplicates) {
  const Array x = in_memory({10}, 5);
  const Array e = exp(x * 0.1);
  const Array s = e + 1.0;
  const Ports outputs = optimize::fuse({s, e, s, x});
  EXPECT_EQ(outputs[0], outputs[2]);
  EXPECT_EQ(outputs[3], x.port());
  const auto values = run(compiled({s, e, s, x}));
  EXPECT_EQ(values[0], values[2]);
  EXPECT_NEAR(values[0][3], values[1][3] + 1.0, 1e-15);
  EXPECT_EQ(values[3][9], 9.25);
}

}  // namespace
}  // namespace tuff::optimize_test
