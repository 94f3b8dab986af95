// Graphs of 100,000 layers and more: each lives and dies without deep recursion, and no part of that grows faster
// than the graph, or the tests called slow would take minutes.
#include <cmath>
#include <functional>

#include "tuff/diagnostics/explain.h"

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

/// Describes, draws, compiles and runs a graph of at least `layers` layers, with all passes and with none.
void live(const Array& y, size_t layers, double want) {
  const std::string text = describe({y});
  EXPECT_GE(std::count(text.begin(), text.end(), '\n'), static_cast<std::ptrdiff_t>(layers));
  const std::string dot = to_dot({y});
  EXPECT_GE(std::count(dot.begin(), dot.end(), '\n'), static_cast<std::ptrdiff_t>(layers));
  for (const Passes& passes : {Passes{}, none()}) {
    const Plan plan = compiled({y}, passes);
    EXPECT_FALSE(plan.describe().empty());
    EXPECT_NEAR(run(plan)[0][0], want, 1e-9 * std::abs(want));
  }
}

/// A graph of `count` equal steps from {0.25, 1.25, ..., 7.25} in two blocks on.
Array grown(int count, const std::function<Array(const Array&, int)>& next) {
  Array y = in_memory({8}, 4);
  for (int i = 0; i < count; ++i) y = next(y, i);
  return y;
}

void expect_few_tasks(const Array& y, size_t operations) {
  EXPECT_LE(compiled({y}).task_count(), 2 * ((operations + 255) / 256));
}

TEST(LongGraphs, AThousandOperationsLiveAndDie) {
  const Array negated = grown(1000, [](const Array& y, int) { return -y; });
  live(negated, 1000, 0.25);
  expect_few_tasks(negated, 1000);
  const Array raised = grown(1000, [](const Array& y, int) { return y + 1.0; });
  live(raised, 2000, 1000.25);
  expect_few_tasks(raised, 1000);
}

TEST(LongGraphsSlow, AHundredThousandOperationsNeedNoStack) {
  const Array y = grown(100'000, [](const Array& v, int) { return -v; });
  live(y, 100'000, 0.25);
  expect_few_tasks(y, 100'000);
}

TEST(LongGraphsSlow, ANumberThatEverybodyReadsCostsNoMoreThanOneEach) {
  const Array y = grown(100'000, [](const Array& v, int) { return v + 1.0; });
  live(y, 200'000, 100'000.25);
  expect_few_tasks(y, 100'000);
}

TEST(LongGraphsSlow, AnArrayThatEverybodyReadsCostsNoMoreThanOneEach) {
  const Array x = in_memory({8}, 4);
  const Array y = grown(100'000, [&](const Array& v, int) { return v + x; });
  live(y, 100'000, 100'001 * 0.25);
  expect_few_tasks(y, 100'000);
}

TEST(LongGraphsSlow, AHundredThousandBranchesAreOneGraph) {
  const Array x = in_memory({8}, 4);
  const Array y =
      grown(50'000, [&](const Array& v, int i) { return v + x * static_cast<double>(i % 7); });
  live(y, 100'000, 0.25 * (1.0 + 149'997.0));
}

TEST(LongGraphsSlow, SiblingsWhoseSumsMeetLaterAreJoinedWithoutWalkingTheGraph) {
  const Array x = in_memory({8}, 4);
  Array z = sum(x);
  for (int i = 0; i < 20'000; ++i) z = z + sum(x * static_cast<double>(i % 7));
  live(z, 60'000, 30.0 * (1.0 + 59'997.0));
}

TEST(LongGraphsSlow, ManySmallArraysAreOneGraph) {
  Array z = sum(in_memory({8}, 4));
  for (int i = 0; i < 20'000; ++i) z = z + mean(in_memory({8}, 4) * 2.0);
  live(z, 100'000, 30.0 + 20'000 * 7.5);
}

TEST(LongGraphsSlow, DiamondsInARowAreSearchedOneByOne) {
  live(grown(33'000, [](const Array& y, int) { return y * 0.25 + y * 0.75; }), 99'000, 0.25);
}

TEST(LongGraphsSlow, ReductionsInARowAreSearchedOneByOne) {
  live(grown(20'000, [](const Array& y, int) { return y - mean(y) + 1.0; }), 100'000,
       0.25 - 3.75 + 1.0);
}

// All steps read the matrix, and each waits for the one before: the search for siblings finds a path each time.
TEST(LongGraphsSlow, ALoopOfProductsIsNoSearchThroughAllOfIt) {
  constexpr int kSteps = 12'000;
  const Array x = in_memory({4, 2}, {2, 2});
  Array b = in_memory({2}, 2);
  double want[2] = {0.25, 1.25};
  for (int i = 0; i < kSteps; ++i) {
    b = b * 0.5 + matmul(x.transpose(), matmul(x, b)) * 0.001 + 1.0;
    double next[2] = {want[0] * 0.5 + 1.0, want[1] * 0.5 + 1.0};
    for (int r = 0; r < 4; ++r) {
      const double row[2] = {0.25 + 2 * r, 1.25 + 2 * r};
      const double product = row[0] * want[0] + row[1] * want[1];
      for (int k = 0; k < 2; ++k) next[k] += row[k] * product * 0.001;
    }
    std::copy(next, next + 2, want);
  }
  live(b, 8 * kSteps, want[0]);
}

TEST(LongGraphsSlow, LayersThatDoNotFuseNeedNoStackEither) {
  const Array turned = grown(50'000, [](const Array& y, int) { return y[{Slice{{}, {}, -1}}]; });
  live(turned, 50'000, 0.25);
  EXPECT_EQ(run(compiled({turned}, without_moves()))[0][0], 0.25);
  live(grown(25'000, [](const Array& y, int i) { return (y + 1.0).rechunk(i % 2 == 0 ? 8 : 4); }),
       75'000, 25'000.25);
  live(grown(25'000,
             [](const Array& y, int) {
               return (y + 1.0)[{Slice{{}, {}, -1}}];
             }),
       75'000, 25'000.25);
  const auto add_one = delayed([](double v) { return v + 1; });
  auto value = add_one(0.0);
  for (int i = 1; i < 100'000; ++i) value = add_one(value);
  EXPECT_EQ(value.compute(), 100'000.0);
}

TEST(LongGraphsSlow, AreExplained) {
  const Array x = in_memory({8}, 4);
  Array z = sum(x);
  for (int i = 0; i < 8'000; ++i) z = z + sum(x * static_cast<double>(i));
  const Explanation explanation = explain({z});
  EXPECT_GE(explanation.built.size(), 32'000u);
  EXPECT_LT(explanation.layers.size(), explanation.built.size());
  EXPECT_FALSE(explanation.to_text().empty());
  EXPECT_FALSE(explanation.to_html().empty());
}

}  // namespace
}  // namespace tuff::optimize_test
