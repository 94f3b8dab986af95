// cull, inline_tasks, inline_functions and toposort of task graphs.
#include "tests/optimize/task_graphs.h"

namespace tuff {
namespace {

using task_test::expect_same_values;
using task_test::lines;
using task_test::make;
using ::testing::ElementsAre;

template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "no error";
}

// ---- cull ----------------------------------------------------------------------------------------

TEST(CullTasks, KeepsWhatTheKeysNeed) {
  const TaskGraph graph = make("x = 1; y: x; z: x; out: y; unused: z");
  EXPECT_THAT(lines(cull(graph, "out")), ElementsAre("out = out(y)", "x = 1", "y = y(x)"));
  EXPECT_EQ(lines(cull(graph, std::vector<std::vector<TaskKey>>{{"out"}, {"unused"}})),
            lines(graph));
  EXPECT_EQ(cull(graph, Keys()).size(), 0U);
  expect_same_values(graph, cull(graph, {"out", "z"}));
}

TEST(CullTasks, LeavesDependenciesWithTheirMultiplicity) {
  const TaskGraph graph = make("x: ; y: x x; z: y");
  const TaskGraph culled = cull(graph, "y");
  EXPECT_THAT(culled.dependencies(*culled.find("y")), ElementsAre(TaskKey("x"), TaskKey("x")));
}

TEST(CullTasks, CutsCirclesAwayAndWalksLongLines) {
  const TaskGraph graph = make("a: c; b: a; c: b; x: ; y: x");
  EXPECT_EQ(cull(graph, "y").size(), 2U);
  TaskGraph line;
  auto x = line.add([] { return 0; });
  for (int i = 0; i < 200'000; ++i) x = line.add([](int v) { return v; }, x);
  EXPECT_EQ(cull(line, x).size(), 200'001U);
}

TEST(CullTasks, NamesMissingKeys) {
  const TaskGraph graph = make("a: nowhere; b: ");
  EXPECT_EQ(refusal([&] { cull(graph, "c"); }), "[cull] no task has the key 'c'");
  EXPECT_EQ(refusal([&] { cull(graph, "a"); }),
            "[cull] 'a' reads 'nowhere', but no task, literal or alias has that key; add it");
  const TaskGraph culled = cull(graph, "b");
  EXPECT_EQ(refusal([&] { cull(culled, *graph.find("a")); }),
            "[cull] 'a' was removed by cull, since nothing it was asked to keep needs it");
}

// ---- inline_tasks --------------------------------------------------------------------------------

TEST(InlineTasks, PutsConstantsAndChainsInPlace) {
  const TaskGraph graph = make("a = 1; b: a; c: b; d: a c");
  EXPECT_THAT(lines(inline_tasks(graph)),
              ElementsAre("a = 1", "b = b(1)", "c = c(b)", "d = d(1, c)"));
  const TaskGraph all = inline_tasks(graph, {"a", "b", "c"});
  EXPECT_THAT(lines(all), ElementsAre("a = 1", "b = b(1)", "c = c(b(1))", "d = d(1, c(b(1)))"));
  expect_same_values(graph, all);

  const TaskGraph xyz = make("x = 1; y: x; z: x y");
  EXPECT_THAT(lines(inline_tasks(xyz)), ElementsAre("x = 1", "y = y(1)", "z = z(1, y)"));
  EXPECT_THAT(lines(inline_tasks(xyz, "y")), ElementsAre("x = 1", "y = y(1)", "z = z(1, y(1))"));
  EXPECT_THAT(lines(inline_tasks(xyz, "y", false)),
              ElementsAre("x = 1", "y = y(x)", "z = z(x, y(x))"));
}

TEST(InlineTasks, FollowsAliasesAndLists) {
  TaskGraph graph;
  const auto a = graph.literal("a", int64_t{1});
  const auto b = graph.alias("b", a);
  const auto c = graph.alias("c", b);
  const auto d = graph.add(
      "d", [](const std::vector<int64_t>& v) { return v; }, std::vector{a, b, c});
  graph.add(
      "e",
      [](const std::vector<int64_t>& v, int64_t n) { return static_cast<int64_t>(v.size()) + n; },
      d, a);
  const TaskGraph inlined = inline_tasks(graph, "d");
  EXPECT_THAT(lines(inlined),
              ElementsAre("a = 1", "b = 1", "c = 1", "d = d(1, 1, 1)", "e = e(d(1, 1, 1), 1)"));
  const TaskGraph only_a = inline_tasks(graph, "a", false);
  EXPECT_THAT(lines(only_a),
              ElementsAre("a = 1", "b = 1", "c = b", "d = d(1, b, c)", "e = e(d, 1)"));
  for (const TaskGraph* each : std::vector<const TaskGraph*>{&graph, &inlined, &only_a})
    EXPECT_EQ(compute(*each, Node<int64_t>{*each->find("e")}), 4);
}

TEST(InlineTasks, CallsASharedTaskOncePerUser) {
  TaskGraph graph;
  std::atomic<int> calls = 0;
  const auto x = graph.add("x", [&calls] {
    ++calls;
    return 2;
  });
  const auto y = graph.add(
      "y", [](int a, int b) { return a * b; }, x, x);
  const auto z = graph.add(
      "z", [](int a, int b) { return a - b; }, x, y);
  const TaskGraph inlined = cull(inline_tasks(graph, "x"), {"y", "z"});
  EXPECT_THAT(lines(inlined), ElementsAre("y = y(x(), x())", "z = z(x(), y)"));
  EXPECT_EQ(compute(inlined, z), -2);
  EXPECT_EQ(calls, 2);
}

TEST(InlineTasks, TakesTheRightOutput) {
  TaskGraph graph;
  const auto [low, high] = graph.add_outputs("range", [] { return std::pair(1, 9); });
  const auto top = graph.alias("top", high);
  const auto sum = graph.add(
      "sum", [](int a, int b, int c) { return a * 100 + b * 10 + c; }, low, high, top);
  const TaskGraph inlined = inline_tasks(graph, "range");
  EXPECT_EQ(compute(inlined, sum), 199);
  EXPECT_EQ(compute(inlined, top), 9);
}

// ---- inline_functions ----------------------------------------------------------------------------

TEST(InlineFunctions, InlinesAndRemovesCheapTasks) {
  const TaskGraph graph = make("out: i d; i: x; d: y; x = 1; y = 1");
  EXPECT_THAT(lines(inline_functions(graph, Keys(), {"i"})),
              ElementsAre("d = d(y)", "out = out(i(x), d)", "x = 1", "y = 1"));
  // Outputs stay, and so does what nobody reads.
  EXPECT_THAT(lines(inline_functions(graph, {"i", "out"}, {"i", "d", "out"})),
              ElementsAre("i = i(x)", "out = out(i, d(y))", "x = 1", "y = 1"));
  const TaskGraph top = make("x: y; y = 1");
  EXPECT_EQ(lines(inline_functions(top, Keys(), {"x"})), lines(top));
  EXPECT_EQ(lines(inline_functions(graph, Keys(), {})), lines(graph));
}

TEST(InlineFunctions, GoesByTheNameOfWhatIsCalled) {
  TaskGraph graph;
  const auto one = graph.literal("one", 1);
  const auto a = graph.add("a-1", named("inc", [](int v) { return v + 1; }), one);
  const auto b = graph.add(
      "b-1", [k = 3](int v) { return v * k; }, a);
  const auto c = graph.add(
      "c-1", [](const std::vector<int>& v) { return v[0] + v[1]; }, std::vector{a, b});
  const TaskGraph inlined = inline_functions(graph, Keys(), {"inc", "b"}, true);
  EXPECT_THAT(lines(inlined), ElementsAre("c-1 = c(inc(1), b(inc(1)))", "one = 1"));
  EXPECT_EQ(compute(inlined, c), 8);
  EXPECT_EQ(refusal([&] { compute(inlined, a); }),
            "[compile] 'a-1' was inlined into its users; name it among the outputs to keep it");
}

TEST(InlineFunctions, WalksLongLines) {
  TaskGraph graph;
  auto x = graph.add("start", [] { return 0; });
  for (int i = 0; i < 100'000; ++i)
    x = graph.add(
        {"inc", {i}}, [](int v) { return v + 1; }, x);
  const auto last = graph.add(
      "last", [](int v) { return v; }, x);
  const TaskGraph inlined = inline_functions(graph, Keys(), {"inc"});
  EXPECT_EQ(inlined.size(), 2U);
  EXPECT_EQ(compute(inlined, last), 100'000);
}

// ---- toposort ------------------------------------------------------------------------------------

TEST(ToposortTasks, PutsInputsFirstAndNamesCircles) {
  const TaskGraph graph = make("d: b c; c: a; b: a; a: ");
  std::map<uint32_t, size_t> place;
  for (const TaskRef& node : toposort(graph)) place.emplace(node.task, place.size());
  EXPECT_EQ(place.size(), 4U);
  for (const TaskKey& key : graph.keys()) {
    for (const TaskKey& input : graph.dependencies(*graph.find(key)))
      EXPECT_LT(place.at(graph.find(input)->task), place.at(graph.find(key)->task));
  }
  EXPECT_EQ(refusal([] { toposort(make("a: c; b: a; c: b")); }),
            "[toposort] tasks need each other in a circle: c -> b -> a -> c");
  EXPECT_EQ(refusal([] { toposort(make("a: a")); }),
            "[toposort] tasks need each other in a circle: a -> a");
  std::string ring = "t0: t99";
  for (int i = 1; i < 100; ++i) ring += "; t" + std::to_string(i) + ": t" + std::to_string(i - 1);
  EXPECT_EQ(
      refusal([&] { toposort(make(ring)); }),
      "[toposort] tasks need each other in a circle: t99 -> t98 -> t97 -> t96 -> t95 -> t94 -> "
      "t93 -> ... (92 more) -> t0 -> t99");
  TaskGraph aliases;
  aliases.alias("a", aliases.ref<int>("b"));
  aliases.alias("b", aliases.ref<int>("a"));
  EXPECT_EQ(refusal([&] { compute(aliases, aliases.ref<int>("a")); }),
            "[compile] tasks need each other in a circle: b -> a -> b");
}

}  // namespace
}  // namespace tuff
