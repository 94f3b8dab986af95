// Building task graphs: keys, arguments of all kinds, handles, options, texts, and what is refused.
#include "tuff/graph/taskgraph.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tuff/graph/task_text.h"
#include "tuff/tasks.h"

namespace tuff {
namespace {

using ::testing::ElementsAre;

int add(int a, int b) { return a + b; }

template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "no error";
}

TEST(TaskGraph, TakesValuesHandlesAndContainersOfThem) {
  TaskGraph graph;
  const auto one = graph.literal("one", 1);
  const auto two = graph.add("two", add, one, 1);
  const auto text =
      graph.add([](const std::string& s, double d) { return s + std::to_string(d); }, "pi", 3.0);
  const auto list =
      graph.add([](const std::vector<int>& v,
                   const std::array<int, 2>& a) { return v[0] * 100 + v[1] * 10 + a[1]; },
                std::vector{one, two}, std::array{two, one});
  const auto nested = graph.add(
      [](const std::vector<std::vector<int>>& v, const std::map<std::string, int>& m,
         const std::optional<int>& o, const std::optional<int>& none) {
        return v.at(1).at(0) + m.at("two") + o.value() + (none ? 1000 : 0);
      },
      std::vector<std::vector<Node<int>>>{{one}, {two, one}},
      std::map<std::string, Node<int>>{{"one", one}, {"two", two}}, std::optional(two),
      std::optional<Node<int>>());
  const auto mixed = graph.add(
      [](const std::tuple<int, std::string>& t, const std::pair<double, int>& p,
         const std::vector<int>& plain) {
        return std::get<1>(t) + std::to_string(std::get<0>(t) + p.second) +
               std::to_string(plain.size());
      },
      std::tuple<Node<int>, std::string>{two, "x"}, std::pair<double, Node<int>>{0.5, one},
      std::vector<int>{7, 8, 9});
  const auto nothing = graph.add([](int) {}, two);
  const auto after = graph.add([](std::monostate) { return true; }, nothing);
  EXPECT_EQ(compute(graph, two), 2);
  EXPECT_EQ(compute(graph, text), "pi3.000000");
  EXPECT_EQ(compute(graph, list), 121);
  EXPECT_EQ(compute(graph, nested), 6);
  EXPECT_EQ(compute(graph, mixed), "x33");
  EXPECT_TRUE(compute(graph, after));
  EXPECT_EQ(graph.size(), 8U);
}

TEST(TaskGraph, GivesSeveralOutputsLivesOfTheirOwn) {
  TaskGraph graph;
  const auto [quotient, remainder] = graph.add_outputs(
      "divide", [](int a, int b) { return std::pair(a / b, std::to_string(a % b)); }, 17, 5);
  const auto both = graph.add(
      [](int q, const std::string& r) { return std::to_string(q) + "/" + r; }, quotient, remainder);
  EXPECT_EQ(compute(graph, both), "3/2");
  EXPECT_EQ(compute(graph, remainder), "2");
  EXPECT_EQ(compute(graph, quotient), 3);
  EXPECT_EQ(graph.size(), 2U);
  EXPECT_EQ(graph.expression(both), "task(divide, divide.1)");
}

TEST(TaskGraph, KeysAreNamesWithAPlaceOrFresh) {
  TaskGraph graph;
  const auto a = graph.add({"x", {0, 3}}, [] { return 1; });
  const auto b = graph.add({"x", {3, 0}}, [] { return 2; });
  const auto c = graph.add("x", [] { return 3; });
  const auto d = graph.add([] { return 4; });
  const auto e = graph.add(named("load", [] { return 5; }));
  EXPECT_EQ(to_string(graph.key(a)), "x[0, 3]");
  EXPECT_EQ(to_string(graph.key(d)), "task#3");
  EXPECT_EQ(to_string(graph.key(e)), "load#4");
  for (const TaskRef& node : std::vector<TaskRef>{a, b, c, d, e}) {
    EXPECT_EQ(graph.find(graph.key(node)), node);
  }
  EXPECT_FALSE(graph.find("y"));
  EXPECT_FALSE(graph.find({"x", {0}}));
  EXPECT_FALSE(graph.find("task#4"));
  EXPECT_FALSE(graph.find("task#99"));
}

TEST(TaskGraph, FindsEachOfManyKeys) {
  TaskGraph graph;
  for (int i = 0; i < 20'000; ++i) {
    graph.literal({"block", {i / 100, i % 100}}, i);
    graph.literal("name" + std::to_string(i), i);
  }
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_EQ(graph.find({"block", {i / 100, i % 100}})->task, static_cast<uint32_t>(2 * i));
    ASSERT_EQ(graph.find("name" + std::to_string(i))->task, static_cast<uint32_t>(2 * i + 1));
  }
  EXPECT_FALSE(graph.find({"block", {200, 0}}));
}

TEST(TaskGraph, TasksMayBeReferredToBeforeTheyAreAdded) {
  TaskGraph graph;
  const auto sum = graph.add("sum", add, graph.ref<int>("a"), graph.ref<int>("b"));
  EXPECT_EQ(graph.size(), 1U);
  EXPECT_FALSE(graph.find("a"));
  graph.literal("a", 1);
  graph.alias("b", graph.ref<int>("a"));
  EXPECT_EQ(compute(graph, sum), 2);
}

TEST(TaskGraph, AliasesFollowEachOther) {
  TaskGraph graph;
  const auto [low, high] = graph.add_outputs("range", [] { return std::pair(1, 9); });
  const auto top = graph.alias("top", graph.alias("high", high));
  EXPECT_EQ(compute(graph, top), 9);
  EXPECT_EQ(compute(graph, graph.add(add, top, low)), 10);
  EXPECT_EQ(graph.expression(top), "high");
}

TEST(TaskGraph, LiteralsAreSharedAndMayBeOfAnyType) {
  struct OnlyMoves {
    explicit OnlyMoves(int v) : value(std::make_unique<int>(v)) {}
    std::unique_ptr<int> value;
  };
  TaskGraph graph;
  const auto big = graph.literal("big", OnlyMoves(7));
  const auto value = graph.add([](const OnlyMoves& m) { return *m.value; }, big);
  EXPECT_EQ(compute(graph, value), 7);
  EXPECT_EQ(compute(graph, value), 7);
  const TaskGraph fused = fuse(graph, {});
  EXPECT_EQ(compute(fused, value), 7);
  // One number, however many tasks have it.
  for (int i = 0; i < 1000; ++i) graph.add(add, 1, 2);
  EXPECT_EQ(graph.literal_count(), 3U);
}

TEST(TaskGraph, CallablesWithoutStateAreKeptOnce) {
  TaskGraph graph;
  auto x = graph.literal("x", 1);
  for (int i = 0; i < 100; ++i) x = graph.add({"step", {i}}, add, x, 1);
  auto y = x;
  for (int i = 0; i < 100; ++i) y = graph.add([](int v) { return v * 2; }, y);
  EXPECT_LE(graph.function_count(), 101U);
  EXPECT_EQ(compute(graph, x), 101);
}

TEST(TaskGraph, ShowsItselfAsTextAndDot) {
  TaskGraph graph;
  const auto a = graph.literal("a", 2.5);
  const auto b = graph.add(
      {"scale", {1}}, [](double v, double w) { return v * w; }, a, 3.0);
  graph.alias("last \"one\"", b);
  EXPECT_EQ(to_text(graph), "a = 2.5\nscale[1] = scale(a, 3)\nlast \"one\" = scale[1]\n");
  EXPECT_EQ(to_text(graph, 1), "a = 2.5\n... and 2 more\n");
  const std::string dot = to_dot(graph);
  EXPECT_NE(dot.find("0 [label = \"a = 2.5\", shape = box]"), std::string::npos) << dot;
  EXPECT_NE(dot.find("2 [label = \"last \\\"one\\\"\", shape = plaintext]"), std::string::npos);
  EXPECT_NE(dot.find("0 -> 1"), std::string::npos);
}

TEST(TaskGraph, LongExpressionsAreCut) {
  TaskGraph line;
  auto y = line.add([] { return 0; });
  for (int i = 0; i < 3000; ++i) y = line.add([](int v) { return v; }, y);
  FuseOptions options;
  options.widths.ave_width = 1;
  const TaskGraph fused = fuse(line, options);
  EXPECT_LT(fused.expression(y).size(), 600U);
}

TEST(KeyPrefix, StopsAtNumbersAndHashes) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"x", "x"},
                                                                  {"x-1", "x"},
                                                                  {"x-1-2-3", "x"},
                                                                  {"hello-world-1", "hello-world"},
                                                                  {"load-1f0a99bc", "load"},
                                                                  {"read-csv", "read-csv"},
                                                                  {"task#12", "task"},
                                                                  {"a-abcdefab-b", "a"},
                                                                  {"x-", "x"},
                                                                  {"-x", "-x"},
                                                                  {"", ""}};
  for (const auto& [name, prefix] : cases) EXPECT_EQ(graph::key_prefix(name), prefix) << name;
}

TEST(TaskGraphErrors, SayWhatIsAccepted) {
  TaskGraph graph;
  const auto x = graph.add("x", [] { return 1; });
  EXPECT_EQ(refusal([&] { graph.literal("x", 2); }),
            "[TaskGraph] key 'x' is taken by a task; keys must differ");
  graph.literal({"y", {1}}, 2);
  EXPECT_EQ(refusal([&] {
              graph.add({"y", {1}}, [] { return 1; });
            }),
            "[TaskGraph] key 'y[1]' is taken by a literal; keys must differ");
  EXPECT_EQ(refusal([&] { graph.literal("", 2); }),
            "[TaskGraph] an empty key; a key needs a name (or leave it out for a fresh one)");
  EXPECT_EQ(refusal([&] { graph.literal("z#12", 2); }),
            "[TaskGraph] key 'z#12': a name may not end in # and a number, as fresh keys do");
  TaskGraph other;
  EXPECT_EQ(
      refusal([&] {
        other.add(
            "z", [](int v) { return v; }, x);
      }),
      "[TaskGraph] a handle of another graph (task 0 there); use handles of this graph, or of the "
      "one it was made from");
  EXPECT_EQ(refusal([&] {
              other.add(
                  "z", [](int v) { return v; }, Node<int>());
            }),
            "[TaskGraph] a handle that was never filled; handles come from add()");
  EXPECT_EQ(other.size(), 0U);
  EXPECT_EQ(refusal([&] { graph.set(x, {.retries = -1}); }),
            "[x] retries = -1; 0 or more are accepted");
  EXPECT_EQ(refusal([&] { graph.set(x, {.cost_seconds = -0.5}); }),
            "[x] cost_seconds = -0.5; 0 (not known) or more is accepted");
  EXPECT_EQ(refusal([&] {
              graph.set(x, {.resources = {{"GPU", 0}}});
            }),
            "[x] 0 of resource 'GPU'; an amount above 0 is needed");
  EXPECT_EQ(refusal([&] { graph.set(graph.ref<int>("later"), {}); }),
            "[TaskGraph] no task has the key 'later'; it was only referred to");
}

TEST(TaskGraph, OptionsSetThroughAnAliasAreThoseOfItsTask) {
  TaskGraph graph;
  int calls = 0;
  const auto flaky = graph.add("flaky", [&calls] {
    if (++calls < 3) throw std::runtime_error("not yet");
    return 1;
  });
  const auto best = graph.alias("best", flaky);
  const auto top = graph.alias("top", best);
  graph.set(top, {.retries = 2});
  EXPECT_EQ(graph.options(flaky).retries, 2);
  EXPECT_EQ(graph.options(best).retries, 2);
  EXPECT_EQ(compute(graph, flaky), 1);
  const auto one = graph.alias("one", graph.literal("literal", 1));
  EXPECT_EQ(refusal([&] { graph.set(one, {.retries = 2}); }),
            "[TaskGraph] 'literal' is a literal, which is not called; options are for tasks");
  const auto later = graph.alias("later", graph.ref<int>("nowhere"));
  EXPECT_EQ(refusal([&] { graph.set(later, {}); }),
            "[TaskGraph] no task has the key 'nowhere'; it was only referred to");
  const auto a = graph.alias("a", graph.ref<int>("b"));
  graph.alias("b", a);
  const auto c = graph.alias("c", a);
  EXPECT_THAT(refusal([&] { graph.set(c, {}); }),
              ::testing::HasSubstr("[TaskGraph] tasks need each other in a circle: "));
}

TEST(TaskGraph, OptionsAskForAResourceOnceWhateverTheOrder) {
  TaskGraph graph;
  const auto x = graph.add("x", [] { return 1; });
  graph.set(x, {.resources = {{"disk", 1}, {"GPU", 1}, {"disk", 2}}});
  EXPECT_EQ(graph.options(x).resources,
            (std::vector<std::pair<std::string, double>>{{"GPU", 1}, {"disk", 3}}));
  EXPECT_THROW(compute(graph, x, {.resources = {{"GPU", 1}, {"disk", 2}}}), InvalidArgument);
  EXPECT_EQ(compute(graph, x, {.resources = {{"GPU", 1}, {"disk", 3}}}), 1);
}

}  // namespace
}  // namespace tuff
