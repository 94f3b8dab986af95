// What an order keeps alive: by hand, and as Dask counts it.
#include "tuff/optimize/pressure.h"

#include "tuff/base/error.h"

#include "tests/optimize/dags.h"
#include "tests/optimize/order_shapes.h"

namespace tuff::optimize_test {
namespace {

using optimize::Pressure;
using optimize::pressure;
using optimize::TaskPressure;
using ::testing::ElementsAre;
using Positions = std::vector<uint32_t>;

TEST(Pressure, OfAChainIsOne) {
  const Pressure p = pressure(dag_from({{}, {0}, {1}}), Positions{0, 1, 2});
  EXPECT_THAT(p.alive, ElementsAre(0, 1, 1));
  EXPECT_EQ(p.peak(), 1u);
  EXPECT_THAT(p.tasks, ElementsAre(TaskPressure{1, 0, 1, 0}, TaskPressure{1, 1, 1, 1},
                                   TaskPressure{0, 1, 1, 1}));
}

TEST(Pressure, CountsAResultUntilItsLastUser) {
  // 0 is read by 2 and 3, 1 by 2.
  const Pressure p = pressure(dag_from({{}, {}, {0, 1}, {0}}), Positions{0, 1, 2, 3});
  EXPECT_THAT(p.alive, ElementsAre(0, 1, 2, 1));
  EXPECT_THAT(p.tasks[0], (TaskPressure{3, 0, 1, 0}));
  EXPECT_THAT(p.tasks[1], (TaskPressure{1, 1, 2, 0}));
  EXPECT_THAT(p.tasks[2], (TaskPressure{0, 2, 2, 1}));
  EXPECT_THAT(p.tasks[3], (TaskPressure{0, 1, 1, 1}));
}

TEST(Pressure, DependsOnTheOrder) {
  // Two sources with a user each.
  const graph::Dag dag = dag_from({{}, {}, {0}, {1}});
  EXPECT_EQ(pressure(dag, Positions{0, 1, 2, 3}).peak(), 2u);
  EXPECT_EQ(pressure(dag, Positions{0, 2, 1, 3}).peak(), 1u);
}

TEST(Pressure, WhatNobodyReadsIsNotKept) {
  EXPECT_THAT(pressure(dag_from({{}, {}, {}}), Positions{2, 0, 1}).alive, ElementsAre(0, 0, 0));
  EXPECT_EQ(pressure(dag_from({}), Positions{}).peak(), 0u);
}

TEST(Pressure, AgreesWithDasksDiagnostics) {
  const auto lines = words_of("pressure_rows.txt");
  size_t graphs = 0;
  for (size_t at = 0; at < lines.size(); ++graphs) {
    const graph::Dag dag = random_graph(number(lines[at][0]), number(lines[at][1]));
    const size_t count = number(lines[at][2]);
    ASSERT_EQ(dag.count(), count);
    Positions position;
    std::vector<TaskPressure> tasks;
    Positions alive;
    for (size_t t = 0; t < count; ++t) {
      const std::vector<std::string>& row = lines[at + 1 + t];
      position.push_back(number(row[0]));
      tasks.push_back({number(row[1]), number(row[2]), number(row[3]), number(row[4])});
      alive.push_back(number(row[5]));
    }
    const Pressure p = pressure(dag, position);
    EXPECT_EQ(p.alive, alive);
    EXPECT_EQ(p.tasks, tasks);
    at += 1 + count;
  }
  EXPECT_EQ(graphs, 3u);
}

TEST(Pressure, RefusesPositionsThatAreNoOrder) {
  const graph::Dag dag = dag_from({{}, {0}, {1}});
  const auto error = [&](const Positions& position) {
    return error_of<InvalidArgument>([&] { pressure(dag, position); });
  };
  EXPECT_EQ(error({0, 1}), "[pressure] 2 positions for 3 tasks; each task has one");
  EXPECT_EQ(error({0, 1, 3}),
            "[pressure] task 2 is at position 3; 3 tasks have the positions 0 to 2, each once");
  EXPECT_EQ(error({0, 1, 1}),
            "[pressure] task 2 is at position 1, like task 1; 3 tasks have the positions 0 to 2, "
            "each once");
  EXPECT_EQ(error({0, 2, 1}),
            "[pressure] task 2 is at position 1, before task 1 at 2, which it reads; inputs come "
            "first");
}

}  // namespace
}  // namespace tuff::optimize_test
