// The static order of graphs: what it keeps alive, against Dask's order on the same graphs.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tuff/base/error.h"
#include "tuff/optimize/order.h"
#include "tuff/optimize/pressure.h"

#include "tests/optimize/dags.h"
#include "tests/optimize/order_shapes.h"

namespace tuff::optimize_test {
namespace {

using graph::Dag;
using optimize::static_order;
using ::testing::ElementsAre;

/// The peak of our order; that it is one, pressure() checks.
uint32_t peak(const Dag& dag) { return optimize::pressure(dag, static_order(dag)).peak(); }

Dag made(const Shape& shape) { return dag_from(shape.inputs()); }

/// Like `dag`, but task t is number[t].
Dag renumbered(const Dag& dag, const std::vector<uint32_t>& number) {
  std::vector<std::vector<uint32_t>> inputs(dag.count());
  for (uint32_t t = 0; t < dag.count(); ++t) {
    for (const uint32_t input : dag.inputs[t]) inputs[number[t]].push_back(number[input]);
  }
  return dag_from(inputs);
}

/// A graph of order_graphs.txt, and the peak of Dask's order.
std::pair<Dag, uint32_t> graph_of_dask(const std::string& name) {
  const auto lines = words_of("order_graphs.txt");
  const auto head = std::find_if(lines.begin(), lines.end(), [&](const auto& words) {
    return !words.empty() && words[0] == name;
  });
  std::vector<std::vector<uint32_t>> inputs(number(head->at(1)));
  for (size_t t = 0; t < inputs.size(); ++t) {
    for (const std::string& word : *(head + 1 + static_cast<std::ptrdiff_t>(t)))
      inputs[t].push_back(number(word));
  }
  return {dag_from(inputs), number(head->at(2))};
}

/// Means of two variables' squares and of their product, over 500 blocks, by trees of four. `fused`: a square
/// or product and the first step of its mean are one task.
Dag quadratic_means(bool fused) {
  Shape shape(0);
  const Ids u = shape.sources(500);
  const Ids v = shape.sources(500);
  for (const auto& [left, right] : {std::pair(&u, &u), std::pair(&v, &v), std::pair(&u, &v)}) {
    Ids made;
    for (size_t i = 0; i < u.size(); ++i) {
      const uint32_t product = shape.add({(*left)[i], (*right)[i]});
      made.push_back(shape.chain(product, fused ? 0 : 1));
    }
    shape.reduce(made, 4);
  }
  return made(shape);
}

TEST(StaticOrder, MeetsThePeaksOfDasksOwnTests) {
  for (const std::string name : {"cumulative", "quadratic_frame", "anomaly"}) {
    const auto [dag, peak_of_dask] = graph_of_dask(name);
    EXPECT_LE(peak(dag), peak_of_dask) << name;
  }
  EXPECT_LE(peak(quadratic_means(false)), 38u);
  EXPECT_LE(peak(quadratic_means(true)), 38u);
}

TEST(StaticOrder, KeepsNineAliveInThreeReductionsOverOverlappingParts) {
  // Three groups of two sources, of which three parts are taken; the reductions go across the groups.
  Shape shape(0);
  std::vector<Ids> parts(3);
  for (int group = 0; group < 3; ++group) {
    const Ids source = shape.sources(2);
    const Ids taken = {shape.add({source[0]}), shape.add(source), shape.add({source[1]})};
    for (const uint32_t part : taken)
      parts[static_cast<size_t>(group)].push_back(shape.add({part}));
  }
  for (const Ids& part : parts) shape.add(part);
  EXPECT_LE(peak(made(shape)), 9u);
}

TEST(StaticOrder, MeanPeaksOfAThousandGraphsAreNoWorseThanDasksOnAnyShape) {
  const auto lines = words_of("order_peaks.txt");
  ASSERT_EQ(lines.size(), kShapes.size());
  double ratios = 0;
  for (size_t s = 0; s < kShapes.size(); ++s) {
    const std::vector<std::string>& row = lines[s];
    ASSERT_EQ(row[0], kShapes[s].name);
    double ours = 0;
    double of_dask = 0;
    size_t tasks = 0;
    for (size_t g = 2; g < row.size(); ++g) {
      const Dag dag = random_graph(s, static_cast<uint32_t>(g - 2));
      tasks += dag.count();
      ours += peak(dag);
      of_dask += number(row[g]);
    }
    ASSERT_EQ(tasks, number(row[1])) << "another graph than the script's";
    EXPECT_EQ(row.size(), 1002u);
    const auto graphs = static_cast<double>(row.size() - 2);
    std::printf("%-10s  %6.2f  dask %6.2f  ratio %.3f\n", row[0].c_str(), ours / graphs,
                of_dask / graphs, ours / of_dask);
    EXPECT_LE(ours, 1.001 * of_dask) << row[0];
    ratios += ours / of_dask;
  }
  EXPECT_LE(ratios / static_cast<double>(kShapes.size()), 0.82);
}

TEST(StaticOrder, NearlyNoGraphKeepsATenthMoreAliveThanDask) {
  const auto lines = words_of("order_peaks.txt");
  size_t above = 0;
  for (size_t s = 0; s < kShapes.size(); ++s) {
    for (size_t g = 2; g < lines[s].size(); ++g) {
      const auto ours = static_cast<double>(peak(random_graph(s, static_cast<uint32_t>(g - 2))));
      const auto of_dask = static_cast<double>(number(lines[s][g]));
      EXPECT_LE(ours, 1.4 * of_dask + 1) << kShapes[s].name << " " << g - 2;
      if (ours <= std::max(1.1 * of_dask, of_dask + 1)) continue;
      std::printf("%s %zu: %g, dask %g\n", std::string(kShapes[s].name).c_str(), g - 2, ours,
                  of_dask);
      ++above;
    }
  }
  EXPECT_LE(above, 8U) << "of 12,000; three are map_reduce, three expansions, two fork_join";
}

TEST(StaticOrder, ReductionsOverTheSameSourcesGoOnSideBySide) {
  // 1024 sources with k users each, and k trees of four branches: so many alive with Dask (2026.8.0), and by hand.
  for (const auto& [users, of_dask, by_hand] :
       {std::tuple(3U, 47U, 47U), std::tuple(4U, 59U, 62U), std::tuple(8U, 1040U, 122U)}) {
    Shape shape(0);
    std::vector<Ids> leaves(users);
    for (uint32_t source : shape.sources(1024)) {
      for (Ids& of_tree : leaves) of_tree.push_back(shape.add({source}));
    }
    for (const Ids& of_tree : leaves) shape.reduce(of_tree, 4);
    EXPECT_LE(peak(made(shape)), std::min(of_dask, by_hand) * 11 / 10) << users << " users";
  }
}

TEST(StaticOrder, FourPipelinesRunOneAfterAnotherBlockByBlock) {
  // As in dask/dask#6668: four arrays of 100 blocks, each block read, worked on and written.
  Shape shape(0);
  for (int array = 0; array < 4; ++array) {
    for (const uint32_t source : shape.sources(100)) shape.chain(source, 3);
  }
  const Dag dag = made(shape);
  EXPECT_EQ(peak(dag), 1u);
  const std::vector<uint32_t> position = static_order(dag);
  for (uint32_t t = 0; t < dag.count(); ++t) {
    for (const uint32_t user : dag.users[t]) EXPECT_EQ(position[user], position[t] + 1);
  }
}

TEST(StaticOrder, AStencilIsWalkedAlongItsShorterSide) {
  for (const auto& [width, steps] : {std::pair(2000U, 4U), std::pair(4U, 2000U)}) {
    Shape shape(0);
    Ids last = shape.sources(width);
    for (uint32_t s = 1; s < steps; ++s) {
      Ids next;
      for (uint32_t i = 0; i < width; ++i) {
        next.push_back(
            shape.add({last[i], last[i == 0 ? 0 : i - 1], last[std::min(i + 1, width - 1)]}));
      }
      last = next;
    }
    EXPECT_LE(peak(made(shape)), 3u * std::min(width, steps)) << width;
  }
}

TEST(StaticOrder, ATreeNeedsNoMoreThanItsRegisters) {
  // Binary trees of 2^k leaves need k + 1 registers, one of which is the task's own.
  Shape shape(0);
  shape.reduce(shape.sources(1024), 2);
  EXPECT_EQ(peak(made(shape)), 11u);
}

TEST(StaticOrder, TheLargerSubtreeComesFirst) {
  // 4 joins a leaf and a join of joins: with the leaf first, it would wait all the time.
  const Dag dag = dag_from({{}, {}, {}, {1, 2}, {0, 3}});
  EXPECT_THAT(static_order(dag), ElementsAre(3, 0, 1, 2, 4));
}

TEST(StaticOrder, WhatFreesMoreThanItMakesRunsAtOnce) {
  // 0 is read by 1 and 5; 5 reads nothing else, so it comes before the long way over 2.
  const Dag dag = dag_from({{}, {0, 4}, {}, {2}, {3}, {0}});
  EXPECT_EQ(peak(dag), 2u);
}

TEST(StaticOrder, AnInputThatAllShareDoesNotOpenAllBranches) {
  // Blocks that are centred by a number and reduced in a tree: the number is not a reason to centre all.
  Shape shape(0);
  const uint32_t shared = shape.add({});
  Ids centred;
  for (const uint32_t block : shape.sources(256)) centred.push_back(shape.add({block, shared}));
  shape.reduce(centred, 4);
  EXPECT_LE(peak(made(shape)), 1u + 3 * 4 + 1);
}

TEST(StaticOrder, DependsOnShapeAndNumbersOnly) {
  for (uint32_t shape = 0; shape < kShapes.size(); ++shape)
    EXPECT_EQ(static_order(random_graph(shape, 7)), static_order(random_graph(shape, 7)));
}

TEST(StaticOrder, NumbersMatterLittle) {
  // Whatever the numbers, and so whichever way ties go, the peaks stay within a third of their mean.
  for (uint32_t s = 0; s < kShapes.size(); ++s) {
    const Dag dag = random_graph(s, 3);
    Draws draws(s);
    double sum = 0;
    uint32_t most = 0;
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::vector<uint32_t> number(dag.count());
      std::iota(number.begin(), number.end(), 0U);
      for (size_t i = number.size(); i > 1; --i) std::swap(number[i - 1], number[draws.below(i)]);
      const uint32_t p = peak(renumbered(dag, number));
      most = std::max(most, p);
      sum += p;
    }
    EXPECT_LE(most, std::ceil(sum / 20 * 4 / 3)) << kShapes[s].name;
  }
}

TEST(StaticOrder, AMillionTasksInAChainNeedNoStack) {
  const uint32_t count = 1'000'000;
  Rows rows;
  for (uint32_t t = 0; t < count; ++t) {
    if (t + 1 < count) rows.items.push_back(t + 1);
    rows.end_row();
  }
  const std::vector<uint32_t> position = static_order(graph::make_dag(rows));
  for (uint32_t t = 0; t < count; ++t) ASSERT_EQ(position[t], count - 1 - t);
}

TEST(StaticOrder, WideTasksCostNoMoreThanTheirEdges) {
  // 100,000 tasks that share an input and feed one join: quadratic work would take minutes.
  Shape shape(0);
  const Ids shared = shape.sources(2);
  Ids parts;
  for (int i = 0; i < 100'000; ++i) parts.push_back(shape.add(shared));
  const Ids halves = {shape.add(parts), shape.add(parts)};
  shape.add(halves);
  EXPECT_EQ(peak(made(shape)), 100'001u);
}

TEST(StaticOrder, ResultsOfTargetsAreKept) {
  // 1 is asked for and read by 2: running 2 frees nothing, so nothing speaks for running it early.
  const Dag dag = dag_from({{}, {0}, {1}});
  EXPECT_THAT(static_order(dag, std::vector<uint32_t>{1, 2}), ElementsAre(0, 1, 2));
  EXPECT_THAT(static_order(dag, std::vector<uint32_t>{1, 1}), ElementsAre(0, 1, 2));
}

TEST(StaticOrder, WhatNoTargetNeedsComesLast) {
  // 0 -> 1 -> 2 and 3 -> 4 -> 5, and 6 reads 1 and 4; asked for: 5.
  const Dag dag = dag_from({{}, {0}, {1}, {}, {3}, {4}, {1, 4}});
  EXPECT_THAT(static_order(dag, std::vector<uint32_t>{5}), ElementsAre(3, 4, 5, 0, 1, 2, 6));
  for (uint32_t s = 0; s < kShapes.size(); ++s) {
    const Dag random = random_graph(s, 5);
    const std::vector<uint32_t> target = {static_cast<uint32_t>(random.count()) / 2};
    EXPECT_NO_THROW(optimize::pressure(random, static_order(random, target)));
  }
}

TEST(StaticOrder, AnEmptyGraphHasAnOrder) { EXPECT_TRUE(static_order(dag_from({})).empty()); }

TEST(StaticOrder, NamesTheTasksOfACycle) {
  EXPECT_EQ(error_of<InvalidArgument>([] {
              static_order(dag_from({{2}, {0}, {1}, {}}));
            }),
            "[order] 3 tasks wait for each other: 0 -> 1 -> 2 -> 0; a graph of tasks must have no "
            "cycle");
  std::vector<std::vector<uint32_t>> inputs;
  for (uint32_t t = 0; t < 12; ++t) inputs.push_back({(t + 11) % 12});
  EXPECT_EQ(
      error_of<InvalidArgument>([&] { static_order(dag_from(inputs)); }),
      "[order] 12 tasks wait for each other: 0 -> 1 -> 2 -> 3 -> 4 -> 5 -> 6 -> 7 -> 8 -> 9 -> "
      "... -> 0; a graph of tasks must have no cycle");
}

TEST(StaticOrder, RefusesATargetThatIsNoTask) {
  EXPECT_EQ(error_of<InvalidArgument>([] {
              static_order(dag_from({{}, {0}}), std::vector<uint32_t>{0, 2});
            }),
            "[order] target 2 of 2 tasks; tasks have the numbers 0 to 1");
}

}  // namespace
}  // namespace tuff::optimize_test
