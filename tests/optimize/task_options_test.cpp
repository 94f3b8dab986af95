// What each pass that touches tasks makes of their options: retries, priority, resources, fusible, costs, sizes
// and names.
#include "tuff/graph/lower_tasks.h"
#include "tuff/optimize/fuse_tasks.h"

#include "tests/optimize/task_graphs.h"

namespace tuff {
namespace {

using task_test::make;
using ::testing::ElementsAre;

FuseOptions width(double ave_width, bool rename = false) {
  FuseOptions options;
  options.widths.ave_width = ave_width;
  options.rename_keys = rename;
  return options;
}

TaskGraph with(TaskGraph graph, const std::vector<std::pair<const char*, TaskOptions>>& options) {
  for (const auto& [key, of] : options) graph.set(*graph.find(key), of);
  return graph;
}

/// Retries of each call of a task, or of the task behind an alias, in the order in which they are made.
std::vector<uint32_t> retries(const TaskGraph& graph, const TaskKey& key) {
  uint32_t node = graph.find(key)->task;
  while (graph.kind(node) == TaskGraph::Kind::alias) node = graph.target(node).number;
  std::vector<uint32_t> result;
  for (uint32_t p = 0; p < graph.parts(node).size(); ++p)
    result.push_back(graph.retries_of(node, p));
  return result;
}

PlanArrays lowered(const TaskGraph& graph, const TaskKey& key) {
  const std::vector<TaskRef> outputs = {*graph.find(key)};
  return graph::lower_tasks(graph, outputs);
}

/// The same, fused at this width.
PlanArrays fused_plan(const TaskGraph& graph, const TaskKey& key, double ave_width) {
  PlanArrays plan = lowered(graph, key);
  FuseWidths widths;
  widths.ave_width = ave_width;
  optimize::fuse_tasks(plan, widths, 1);
  plan.verify();
  return plan;
}

const std::vector<TaskOptions>& each_option() {
  static const std::vector<TaskOptions> options = {
      {.priority = 3},
      {.priority = -3},
      {.resources = {{"GPU", 1}, {"disk", 0.5}}},
      {.retries = 2},
      {.priority = 1, .resources = {{"GPU", 1}}, .retries = 7}};
  return options;
}

// ---- fusion --------------------------------------------------------------------------------------

TEST(OptionsInFusion, AreThoseThatAllPartsShare) {
  for (const TaskOptions& options : each_option()) {
    const TaskGraph graph =
        with(make("a: ; b: a; c: b"), {{"a", options}, {"b", options}, {"c", options}});
    const auto retried = static_cast<uint32_t>(options.retries);
    for (const TaskGraph& fused : {fuse(graph, width(1)), fuse(graph, width(4, true)),
                                   fuse_linear(graph), fuse(fuse_linear(graph), width(4, true))}) {
      EXPECT_EQ(fused.options(*fused.find("c")), options);
      EXPECT_EQ(retries(fused, "c"), std::vector<uint32_t>(3, retried));
    }
    const PlanArrays plan = fused_plan(graph, "c", 1);
    ASSERT_EQ(plan.task_count(), 1U);
    EXPECT_EQ(plan.options_of(0), options);
  }
}

TEST(OptionsInFusion, KeepTasksApartAcrossAnAlias) {
  for (const TaskOptions& options : each_option()) {
    TaskGraph graph = make("a: ; d: c");
    graph.alias("b", graph.ref<int64_t>("a"));
    graph.alias("c", graph.ref<int64_t>("b"));
    for (const char* key : {"a", "d"}) {
      const TaskGraph given = with(graph, {{key, options}});
      for (const TaskGraph& fused :
           {fuse(given, width(4)), fuse(given, width(4, true)), fuse_linear(given)}) {
        EXPECT_EQ(lowered(fused, "d").task_count(), 2U);
        EXPECT_EQ(fused.options(*fused.find("d")), key[0] == 'd' ? options : TaskOptions());
        EXPECT_EQ(fused.options(*fused.find("c")), key[0] == 'a' ? options : TaskOptions());
      }
    }
    const TaskGraph alike = with(graph, {{"a", options}, {"d", options}});
    EXPECT_EQ(lowered(fuse(alike, width(4)), "d").task_count(), 1U);
  }
}

TEST(OptionsInFusion, ComeAlongWhenAnAliasTakesATaskIn) {
  for (const TaskOptions& options : each_option()) {
    TaskGraph graph = make("a: ; b: a");
    graph.alias("c", graph.ref<int64_t>("b"));
    graph = with(graph, {{"a", options}, {"b", options}});
    for (const TaskGraph& fused :
         {fuse(graph, width(4)), fuse(graph, width(4, true)), fuse_linear(graph)}) {
      EXPECT_EQ(fused.options(*fused.find("c")), options);
      const PlanArrays plan = lowered(fused, "c");
      ASSERT_EQ(plan.task_count(), 1U);
      EXPECT_EQ(plan.options_of(0), options);
    }
  }
}

TEST(OptionsInFusion, WhatMayNotBeFusedStaysApartAcrossAnAlias) {
  for (const char* alone : {"a", "c"}) {
    TaskGraph graph = make("a: ; c: b");
    graph.alias("b", graph.ref<int64_t>("a"));
    graph = with(graph, {{alone, {.fusible = false}}});
    EXPECT_EQ(lowered(fuse(graph, width(4)), "c").task_count(), 2U) << alone;
    EXPECT_EQ(lowered(fuse_linear(graph), "c").task_count(), 2U) << alone;
    EXPECT_EQ(fused_plan(graph, "c", 4).task_count(), 2U) << alone;
  }
}

TEST(OptionsInFusion, CostsAddUp) {
  const TaskGraph graph =
      with(make("a: ; b: a; c: b; d: c"), {{"a", {.cost_seconds = 1}}, {"b", {.cost_seconds = 2}}});
  const double all = 3 + 2 * static_cast<double>(PlanArrays::kTypicalCallSeconds);
  const TaskGraph fused = fuse(graph, width(1, true));
  EXPECT_DOUBLE_EQ(fused.options(*fused.find("d")).cost_seconds, all);
  EXPECT_DOUBLE_EQ(fused.typical_seconds(fused.find("a-b-c-d")->task), all);
  const TaskGraph twice = fuse(fuse(graph, width(1, true)), width(1, true));
  EXPECT_DOUBLE_EQ(twice.options(*twice.find("d")).cost_seconds, all);
  const PlanArrays plan = fused_plan(graph, "d", 1);
  ASSERT_EQ(plan.task_count(), 1U);
  EXPECT_FLOAT_EQ(static_cast<float>(plan.options_of(0).cost_seconds), static_cast<float>(all));
  // Not known of any: not known of all, and then what is typical of so many calls.
  const TaskGraph unknown = fuse(make("a: ; b: a"), width(1));
  EXPECT_EQ(unknown.options(*unknown.find("b")).cost_seconds, 0);
  const PlanArrays typical = lowered(unknown, "b");
  EXPECT_FLOAT_EQ(typical.seconds_of(typical.function[0]), 2 * PlanArrays::kTypicalCallSeconds);
}

TEST(OptionsInFusion, OfMembersAloneAreAskedForByNobody) {
  const TaskOptions gpu = {.resources = {{"GPU", 2}}, .cost_seconds = 1};
  const TaskGraph graph = with(make("a: ; b: a"), {{"a", gpu}, {"b", gpu}});
  TaskCompileOptions options;
  options.widths.ave_width = 1;
  const TaskPlan plan = compile(graph, "b", options);
  EXPECT_THAT(
      plan.arrays().options,
      ElementsAre(TaskOptions(), TaskOptions{.resources = {{"GPU", 2}}, .cost_seconds = 2}));
  try {
    plan.run();
    FAIL() << "no error";
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(error.what(),
                 "[run] task 0 (a, b) needs 2 of resource 'GPU', but the run has no 'GPU'; set "
                 "RunOptions::resources");
  }
}

TEST(OptionsInFusion, CostsOfGroupsOfOneNameDifferWithTheirLengths) {
  // Six operations are shown; the rest is cut.
  TaskGraph graph;
  const auto line = [&](int length) {
    auto x = graph.add([] { return 0; });
    for (int i = 0; i < length; ++i)
      x = graph.add(named("f" + std::to_string(i), [](int v) { return v; }), x);
    return x;
  };
  const auto first = line(9);
  const auto second = line(11);
  graph.add(
      "end", [](int a, int b) { return a + b; }, first, second);
  FuseOptions options = width(1);
  options.keys = Keys(std::vector<TaskRef>{first, second});
  const PlanArrays plan = lowered(fuse(graph, options), "end");
  ASSERT_EQ(plan.task_count(), 3U);
  EXPECT_EQ(plan.name_of(plan.function[0]), plan.name_of(plan.function[1]));
  EXPECT_FLOAT_EQ(plan.seconds_of(plan.function[0]), 10 * PlanArrays::kTypicalCallSeconds);
  EXPECT_FLOAT_EQ(plan.seconds_of(plan.function[1]), 12 * PlanArrays::kTypicalCallSeconds);
}

TEST(OptionsInFusion, SizesAreUnknownWhereAPartYieldsBlocksAndNowhereElse) {
  TaskGraph graph;
  const auto number = graph.add("number", [] { return 1; });
  const auto more = graph.add(
      "more", [](int v) { return v + 1; }, number);
  const auto block = graph.add("block", [] { return Block::scalar(1.0); });
  const auto size = graph.add(
      "size", [](const Block& b) { return static_cast<int>(b.size()); }, block);
  graph.add(
      "end", [](int a, int b) { return a + b; }, more, size);
  FuseOptions options = width(1);
  options.keys = Keys(std::vector<TaskRef>{more, size});
  for (const PlanArrays& plan :
       {lowered(fuse(graph, options), "end"), fused_plan(graph, "end", 1)}) {
    ASSERT_EQ(plan.task_count(), 3U);
    for (uint32_t t = 0; t < 3; ++t) {
      EXPECT_EQ(plan.bytes_of(t, 0) == BlockBytes::kUnknown,
                plan.name_of(plan.function[t]) == "block, size");
    }
  }
}

TEST(OptionsInFusion, MayBeSetForAllCallsOfAFusedTask) {
  const TaskGraph graph = with(make("a: ; b: a"), {{"a", {.retries = 1}}, {"b", {.retries = 1}}});
  TaskGraph fused = fuse(graph, width(1, true));
  EXPECT_EQ(retries(fused, "a-b"), (std::vector<uint32_t>{1, 1}));
  fused.set(*graph.find("b"),
            {.priority = 2, .retries = 5});  // a handle of the old graph, now an alias
  EXPECT_EQ(retries(fused, "a-b"), (std::vector<uint32_t>{5, 5}));
  EXPECT_EQ(fused.options(*fused.find("a-b")), (TaskOptions{.priority = 2, .retries = 5}));
  EXPECT_EQ(lowered(fused, "b").options_of(0).priority, 2);
}

TEST(OptionsInFusion, TheNameOfAFusedTaskIsThatOfItsResult) {
  const TaskGraph graph = make("a: ; b: a; x: ; end: b x");
  const auto names = [](const PlanArrays& plan) {
    std::vector<std::string> result;
    for (uint32_t t = 0; t < plan.task_count(); ++t) result.push_back(plan.block_name_of(t));
    return result;
  };
  EXPECT_THAT(names(lowered(fuse(graph, width(1, true)), "end")),
              ::testing::UnorderedElementsAre("b", "x", "end"));
  EXPECT_THAT(names(fused_plan(graph, "end", 1)), ::testing::UnorderedElementsAre("b", "x", "end"));
  EXPECT_THAT(names(fused_plan(fuse(graph, width(1)), "end", 4)), ElementsAre("end"));
}

// ---- inlining ------------------------------------------------------------------------------------

TEST(OptionsInInlining, ReachEachReader) {
  for (const TaskOptions& options : each_option()) {
    const TaskGraph graph = with(make("x: ; y: x; z: x y"), {{"x", options}});
    const TaskGraph inlined = inline_tasks(graph, "x");
    for (const char* key : {"x", "y", "z"}) {
      TaskOptions want = options;
      // A reader that needs what is not urgent is no less urgent for that.
      if (key[0] != 'x') want.priority = std::max(0, options.priority);
      EXPECT_EQ(inlined.options(*inlined.find(key)), want);
    }
    const auto retried = static_cast<uint32_t>(options.retries);
    EXPECT_EQ(retries(inlined, "y"), (std::vector<uint32_t>{retried, 0}));
    EXPECT_EQ(retries(inlined, "z"), (std::vector<uint32_t>{retried, 0}));
  }
}

TEST(OptionsInInlining, OfReadersStay) {
  for (const TaskOptions& options : each_option()) {
    const TaskGraph graph = with(make("x: ; y: x; z: y"), {{"z", options}});
    const TaskGraph inlined = inline_tasks(graph, {"x", "y"});
    EXPECT_EQ(inlined.options(*inlined.find("z")), options);
    EXPECT_EQ(inlined.options(*inlined.find("y")), TaskOptions());
    const auto retried = static_cast<uint32_t>(options.retries);
    EXPECT_EQ(retries(inlined, "z"), (std::vector<uint32_t>{0, 0, retried}));
  }
}

TEST(OptionsInInlining, ComeAlongWhenAnAliasTakesATaskIn) {
  for (const TaskOptions& options : each_option()) {
    TaskGraph graph = make("x: ");
    graph.alias("y", graph.ref<int64_t>("x"));
    graph.alias("z", graph.ref<int64_t>("y"));
    const TaskGraph inlined = inline_tasks(with(graph, {{"x", options}}), "x");
    for (const char* key : {"y", "z"}) {
      EXPECT_EQ(inlined.options(*inlined.find(key)), options);
      EXPECT_EQ(lowered(inlined, key).options_of(0), options);
      EXPECT_EQ(retries(inlined, key), std::vector{static_cast<uint32_t>(options.retries)});
    }
  }
}

TEST(OptionsInInlining, AddUpCostsAndNeedTheLargestAmounts) {
  const TaskGraph graph =
      with(make("x: ; y: x; z: y"),
           {{"x", {.resources = {{"GPU", 1}}, .retries = 1, .cost_seconds = 2}},
            {"y", {.resources = {{"GPU", 0.5}, {"disk", 1}}, .retries = 3, .cost_seconds = 5}}});
  const TaskGraph inlined = inline_tasks(graph, {"x", "y"});
  const TaskOptions options = inlined.options(*inlined.find("z"));
  EXPECT_THAT(options.resources, ElementsAre(std::pair<std::string, double>("GPU", 1),
                                             std::pair<std::string, double>("disk", 1)));
  EXPECT_DOUBLE_EQ(options.cost_seconds, 7 + static_cast<double>(PlanArrays::kTypicalCallSeconds));
  EXPECT_EQ(retries(inlined, "z"), (std::vector<uint32_t>{1, 3, 0}));
  // And stay so when what was inlined is fused and lowered.
  const TaskGraph fused = fuse(with(inlined, {{"y", {.fusible = false}}}), width(4));
  EXPECT_EQ(retries(fused, "z"), (std::vector<uint32_t>{1, 3, 0}));
  EXPECT_EQ(lowered(fused, "z").options_of(0), options);
}

TEST(OptionsInInlining, WhatMayNotBeFusedIsInlinedByKeyAlone) {
  const TaskGraph graph = with(make("inc: ; y: inc; z: y"), {{"inc", {.fusible = false}}});
  EXPECT_THAT(task_test::lines(inline_functions(graph, "z", {"inc", "y"})),
              ElementsAre("inc = inc()", "z = z(y(inc))"));
  const TaskGraph inlined = inline_tasks(graph, "inc");
  EXPECT_EQ(inlined.expression(*inlined.find("y")), "y(inc())");
  EXPECT_FALSE(inlined.options(*inlined.find("y")).fusible);
}

TEST(OptionsInInlining, ByNameAreThoseOfWhatIsInlined) {
  for (const TaskOptions& options : each_option()) {
    const TaskGraph graph = with(make("inc: ; y: inc"), {{"inc", options}});
    const TaskGraph inlined = inline_functions(graph, "y", {"inc"});
    EXPECT_EQ(inlined.size(), 1U);
    TaskOptions want = options;
    want.priority = std::max(0, options.priority);
    EXPECT_EQ(inlined.options(*inlined.find("y")), want);
  }
}

// ---- cull and order ------------------------------------------------------------------------------

TEST(OptionsInCulling, StayWithTheirTasks) {
  for (const TaskOptions& options : each_option()) {
    const TaskGraph graph =
        with(make("x: ; y: x; z: y; other: x"), {{"x", options}, {"other", options}});
    const TaskGraph culled = cull(graph, "z");
    EXPECT_EQ(culled.options(*culled.find("x")), options);
    EXPECT_EQ(retries(culled, "x"), std::vector{static_cast<uint32_t>(options.retries)});
    EXPECT_EQ(culled.options(*culled.find("y")), TaskOptions());
  }
}

}  // namespace
}  // namespace tuff
