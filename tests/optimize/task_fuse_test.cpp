// fuse and fuse_linear on task graphs: the cases that Dask's tests pin, under the labels of the design
// notes (L lines, R reductions, M several inputs, S robustness), closed forms, and 600 random graphs
// against dask.optimization.fuse (fuse_from_dask.py).
#include <fstream>
#include <limits>

#include "tests/data.h"
#include "tests/optimize/task_graphs.h"

namespace tuff {
namespace {

using task_test::expect_same_values;
using task_test::lines;
using task_test::make;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAreArray;

using Lines = std::vector<std::string>;

FuseOptions width(double ave_width, const Keys& keys = {}) {
  FuseOptions options;
  options.widths.ave_width = ave_width;
  options.keys = keys;
  options.rename_keys = false;
  return options;
}

FuseOptions renamed(double ave_width, const Keys& keys = {}) {
  FuseOptions options = width(ave_width, keys);
  options.rename_keys = true;
  return options;
}

/// What is left of a graph at a width, literals included.
void expect_fused(const TaskGraph& graph, double ave_width, const Lines& wanted,
                  const std::string& label) {
  SCOPED_TRACE(label + " at " + std::to_string(ave_width));
  const TaskGraph fused = fuse(graph, width(ave_width));
  EXPECT_THAT(lines(fused), UnorderedElementsAreArray(wanted));
  expect_same_values(graph, fused);
}

void expect_unchanged(const TaskGraph& graph, double ave_width, const std::string& label) {
  expect_fused(graph, ave_width, lines(graph), label);
}

// ---- L: lines ------------------------------------------------------------------------------------

struct LineCase {
  std::string label;
  std::string graph;
  Keys keys;
  Lines plain;
  Lines named;  // with rename_keys
};

std::vector<LineCase> line_cases() {
  return {
      {"L1",
       "w: x; x: y; y: z; z: a b; a = 1; b = 2",
       {},
       {"a = 1", "b = 2", "w = w(x(y(z(a, b))))"},
       {"a = 1", "b = 2", "z-y-x-w = w(x(y(z(a, b))))", "w = z-y-x-w"}},
      {"L2",
       "NEW: y; w: x; x: y; y: z; z: a b; a = 1; b = 2",
       {},
       {"a = 1", "b = 2", "NEW = NEW(y)", "w = w(x(y))", "y = y(z(a, b))"},
       {"a = 1", "b = 2", "NEW = NEW(y)", "x-w = w(x(y))", "w = x-w", "z-y = y(z(a, b))",
        "y = z-y"}},
      {"L3",
       "v: y; u: w; w: x; x: y; y: z; z: a b; a: c; b: d; c = 1; d = 2",
       {},
       {"v = v(y)", "u = u(w(x(y)))", "y = y(z(a, b))", "a = a(1)", "b = b(2)"},
       {"v = v(y)", "x-w-u = u(w(x(y)))", "u = x-w-u", "z-y = y(z(a, b))", "y = z-y", "c-a = a(1)",
        "a = c-a", "d-b = b(2)", "b = d-b"}},
      {"L4",
       "a: x; b: x; c: x; d: c; x: y; y = 0",
       {},
       {"a = a(x)", "b = b(x)", "d = d(c(x))", "x = x(0)"},
       {"a = a(x)", "b = b(x)", "c-d = d(c(x))", "d = c-d", "y-x = x(0)", "x = y-x"}},
      {"L5",
       "a = 1; b: a; c: b b",
       {},
       {"b = b(1)", "c = c(b, b)"},
       {"a-b = b(1)", "b = a-b", "c = c(b, b)"}},
      {"L6",
       "a = 1; b: a; c: b",
       {"b"},
       {"b = b(1)", "c = c(b)"},
       {"a-b = b(1)", "b = a-b", "c = c(b)"}},
      {"L7",
       "w: x; x: y; y: z; z: a b; a = 1; b = 2",
       {"x", "z"},
       {"w = w(x)", "x = x(y(z))", "z = z(a, b)", "a = 1", "b = 2"},
       {"w = w(x)", "y-x = x(y(z))", "x = y-x", "z = z(a, b)", "a = 1", "b = 2"}},
  };
}

/// Prefixes of chains stand in the order of the chain in fuse_linear, and sorted in fuse.
std::string sorted_prefixes(std::string line) {
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"z-y-x-w", "x-y-z-w"}, {"x-w-u", "w-x-u"}}) {
    for (size_t at = line.find(from); at != std::string::npos; at = line.find(from, at + 1))
      line.replace(at, from.size(), to);
  }
  return line;
}

TEST(FusePinned, LinesFuseAsInDask) {
  for (const LineCase& each : line_cases()) {
    SCOPED_TRACE(each.label);
    const TaskGraph graph = make(each.graph);
    const TaskGraph plain = fuse(graph, width(1, each.keys));
    EXPECT_THAT(lines(plain), UnorderedElementsAreArray(each.plain));
    EXPECT_THAT(lines(fuse_linear(graph, width(1, each.keys))),
                UnorderedElementsAreArray(each.plain));
    const TaskGraph named = fuse_linear(graph, renamed(1, each.keys));
    EXPECT_THAT(lines(named), UnorderedElementsAreArray(each.named));
    Lines sorted;
    for (const std::string& line : each.named) sorted.push_back(sorted_prefixes(line));
    EXPECT_THAT(lines(fuse(graph, renamed(1, each.keys))), UnorderedElementsAreArray(sorted));
    expect_same_values(graph, plain);
    expect_same_values(graph, named);
  }
}

TEST(FuseLinear, LeavesJoinsAlone) {
  const TaskGraph graph = make("a: ; b: a; c: a b");
  EXPECT_EQ(lines(fuse_linear(graph, width(1))), lines(graph));
  EXPECT_THAT(lines(fuse(graph, width(1))), ElementsAre("a = a()", "c = c(a, b(a))"));
}

// ---- R: reductions of one input ------------------------------------------------------------------

TEST(FusePinned, SmallReductionsFuseAtTheirWidth) {
  const TaskGraph r1 = make("a = 1; b1: a; b2: a a; c: b1 b2");
  expect_unchanged(r1, 1.9, "R1");
  expect_fused(r1, 2, {"a = 1", "c = c(b1(a), b2(a, a))"}, "R1");
  EXPECT_THAT(lines(fuse(r1, renamed(2))),
              ElementsAre("a = 1", "b1-b2-c = c(b1(a), b2(a, a))", "c = b1-b2-c"));

  const TaskGraph r2 = make("a = 1; b1: a; b2: a a; b3: a a a; c: b1 b2 b3");
  expect_unchanged(r2, 2.9, "R2");
  expect_fused(r2, 3, {"a = 1", "c = c(b1(a), b2(a, a), b3(a, a, a))"}, "R2");

  const TaskGraph r3 = make("a = 1; b1: a; b2: a; c: a b1 b2");
  expect_unchanged(r3, 1.9, "R3");
  expect_fused(r3, 2, {"a = 1", "c = c(a, b1(a), b2(a))"}, "R3");

  const TaskGraph r4 = make("a = 1; b1: a; b2: a; c: b1 b2; d1: c; d2: c; e: d1 d2");
  expect_unchanged(r4, 1.9, "R4");
  expect_fused(r4, 2, {"a = 1", "c = c(b1(a), b2(a))", "e = e(d1(c), d2(c))"}, "R4");
}

/// A binary tree over one input, in the names of the pinned cases: b leaves, then c, d, e, ...
TaskGraph binary_tree(int levels) {
  std::string text = "a = 1";
  char name = 'b';
  const int leaves = 1 << levels;
  for (int i = 1; i <= leaves; ++i) text += "; b" + std::to_string(i) + ": a";
  for (int count = leaves / 2; count >= 1; count /= 2, ++name) {
    const auto next = std::string(1, static_cast<char>(name + 1));
    for (int i = 1; i <= count; ++i) {
      text += "; " + next + std::to_string(i) + ": " + name + std::to_string(2 * i - 1) + " " +
              name + std::to_string(2 * i);
    }
  }
  return make(text);
}

size_t nodes_at(const TaskGraph& graph, double ave_width) {
  return fuse(graph, width(ave_width)).size();
}

TEST(FusePinned, TreesCollapseByLevels) {
  // R5, R6, R7: what is left, the input included, at the widths where something changes.
  const TaskGraph r5 = binary_tree(2);
  for (double w : {1.0, 1.9}) EXPECT_EQ(nodes_at(r5, w), 8U) << w;
  for (double w : {2.0, 2.9}) EXPECT_EQ(nodes_at(r5, w), 4U) << w;
  for (double w : {3.0, 9.0}) EXPECT_EQ(nodes_at(r5, w), 2U) << w;
  expect_fused(
      r5, 2, {"a = 1", "c1 = c1(b1(a), b2(a))", "c2 = c2(b3(a), b4(a))", "d1 = d1(c1, c2)"}, "R5");
  const TaskGraph r6 = binary_tree(3);
  EXPECT_EQ(nodes_at(r6, 1.9), 16U);
  for (double w : {2.0, 2.9}) EXPECT_EQ(nodes_at(r6, w), 8U) << w;
  for (double w : {3.0, 4.6}) EXPECT_EQ(nodes_at(r6, w), 4U) << w;
  EXPECT_EQ(nodes_at(r6, 4.7), 2U);
  const TaskGraph r7 = binary_tree(4);
  EXPECT_EQ(nodes_at(r7, 1.9), 32U);
  for (double w : {2.0, 2.9}) EXPECT_EQ(nodes_at(r7, w), 16U) << w;
  for (double w : {3.0, 4.6}) EXPECT_EQ(nodes_at(r7, w), 8U) << w;
  for (double w : {4.7, 7.4}) EXPECT_EQ(nodes_at(r7, w), 4U) << w;
  EXPECT_EQ(nodes_at(r7, 7.5), 2U);
}

TEST(FusePinned, ChainsAndTrianglesFuseAtWidthOne) {
  expect_fused(make("a = 1; b: a"), 1, {"b = b(1)"}, "R8");
  expect_fused(make("a = 1; b: a; c: b; d: c"), 1, {"d = d(c(b(1)))"}, "R8");
  expect_fused(make("a = 1; b: a; c: a b; d: a c"), 1, {"a = 1", "d = d(a, c(a, b(a)))"}, "R9");
  expect_fused(make("a = 1; b = 2; c: b; d: b c; e: d; f: e; g: d f"), 1,
               {"d = d(b, c(b))", "b = 2", "g = g(d, f(e(d)))", "a = 1"}, "R13");
}

TEST(FusePinned, ALongBranchFusesBeforeTheJoin) {
  const TaskGraph r10 = make("a = 1; b1: a; b2: a; c1: b1; d1: c1; e1: d1; f: e1 b2");
  const Lines branch = {"a = 1", "b2 = b2(a)", "e1 = e1(d1(c1(b1(a))))", "f = f(e1, b2)"};
  expect_fused(r10, 1, branch, "R10");
  expect_fused(r10, 1.9, branch, "R10");
  expect_fused(r10, 2, {"a = 1", "f = f(e1(d1(c1(b1(a)))), b2(a))"}, "R10");

  const TaskGraph r11 = make("a = 1; b1: a; b2: a; c1: a b1; d1: a c1; e1: a d1; f: a e1 b2");
  const Lines fed = {"a = 1", "b2 = b2(a)", "e1 = e1(a, d1(a, c1(a, b1(a))))", "f = f(a, e1, b2)"};
  expect_fused(r11, 1, fed, "R11");
  expect_fused(r11, 1.9, fed, "R11");
  expect_fused(r11, 2, {"a = 1", "f = f(a, e1(a, d1(a, c1(a, b1(a)))), b2(a))"}, "R11");

  expect_fused(make("a = 1; b1: a; b2: a; b3: a; c1: b1; c2: b2; c3: b3; d1: c1; d2: c2; d3: c3; "
                    "e: d1 d2 d3; f: e; g: f"),
               1,
               {"a = 1", "d1 = d1(c1(b1(a)))", "d2 = d2(c2(b2(a)))", "d3 = d3(c3(b3(a)))",
                "g = g(f(e(d1, d2, d3)))"},
               "R12");
}

// ---- M: several inputs ---------------------------------------------------------------------------

TEST(FusePinned, SeveralInputsFuseAtTheirWidth) {
  const TaskGraph m1 = make("a1 = 1; a2 = 2; b: a1 a2; c: b");
  expect_fused(m1, 2, {"c = c(b(1, 2))"}, "M1");
  expect_fused(m1, 1, {"a1 = 1", "a2 = 2", "c = c(b(a1, a2))"}, "M1");

  const TaskGraph m2 = make("a1 = 1; a2 = 2; b1: a1; b2: a1 a2; b3: a2; c: b1 b2 b3");
  const Lines whole = {"a1 = 1", "a2 = 2", "c = c(b1(a1), b2(a1, a2), b3(a2))"};
  expect_unchanged(m2, 1, "M2");
  expect_unchanged(m2, 2.9, "M2");
  expect_fused(m2, 3, whole, "M2");

  const TaskGraph m3 = make("a1 = 1; a2 = 2; b1: a1; b2: a1 a2; b3: a2; c1: b1 b2; c2: b2 b3");
  expect_unchanged(m3, 1, "M3");
  const Lines pairs = {"a1 = 1", "a2 = 2", "b2 = b2(a1, a2)", "c1 = c1(b1(a1), b2)",
                       "c2 = c2(b2, b3(a2))"};
  expect_fused(m3, 2, pairs, "M3");

  const TaskGraph m4 =
      make("a1 = 1; a2 = 2; b1: a1; b2: a1 a2; b3: a2; c1: b1 b2; c2: b2 b3; d: c1 c2");
  expect_unchanged(m4, 1, "M4");
  expect_fused(m4, 3,
               {"a1 = 1", "a2 = 2", "b2 = b2(a1, a2)", "d = d(c1(b1(a1), b2), c2(b2, b3(a2)))"},
               "M4");
}

// ---- closed forms --------------------------------------------------------------------------------

TEST(FuseClosedForm, APerfectTreeCollapsesAtTwiceItsNodesByItsHeight) {
  for (int h = 1; h <= 6; ++h) {
    const TaskGraph graph = binary_tree(h);
    const double threshold = (std::exp2(h + 1) - 2) / h;
    EXPECT_EQ(nodes_at(graph, threshold + 1e-9), 2U) << h;
    EXPECT_GT(nodes_at(graph, threshold - 1e-9), 2U) << h;
  }
}

TEST(FuseClosedForm, AFlatJoinCollapsesAtItsLeaves) {
  for (int n : {2, 3, 4, 8}) {
    std::string text = "c:";
    for (int i = 0; i < n; ++i) text += " b" + std::to_string(i);
    for (int i = 0; i < n; ++i) text += "; b" + std::to_string(i) + ": ";
    const TaskGraph graph = make(text);
    EXPECT_EQ(nodes_at(graph, n), 1U) << n;
    EXPECT_EQ(nodes_at(graph, n - 0.01), static_cast<size_t>(n) + 1) << n;
  }
}

TEST(FuseClosedForm, ADiamondCollapsesAtTwo) {
  const TaskGraph graph = make("a: ; b: a; c: a; d: b c");
  EXPECT_EQ(nodes_at(graph, 2), 2U);  // a is read twice, so it stays
  EXPECT_EQ(nodes_at(graph, 1.99), 4U);
}

// ---- against Dask --------------------------------------------------------------------------------

struct Reference {
  FuseWidths widths;
  std::vector<std::vector<uint32_t>> inputs;
  std::vector<uint32_t> kept;
  std::vector<uint32_t> left;
};

std::vector<uint32_t> numbers(const std::string& text) {
  std::istringstream words(text);
  std::vector<uint32_t> list;
  for (uint32_t n = 0; words >> n;) list.push_back(n);
  return list;
}

std::vector<Reference> references() {
  std::ifstream file(test_data("fuse_from_dask.txt"));
  std::vector<Reference> all;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> columns(1);
    for (char c : line) {
      if (c == '|') {
        columns.emplace_back();
      } else {
        columns.back() += c;
      }
    }
    Reference reference;
    std::istringstream limits(columns.at(0));
    for (auto limit : {&FuseWidths::ave_width, &FuseWidths::max_width, &FuseWidths::max_height,
                       &FuseWidths::max_depth_new_edges}) {
      std::string word;
      limits >> word;
      if (word != "-") reference.widths.*limit = std::stod(word);
    }
    reference.kept = numbers(columns.at(1));
    std::istringstream rows(columns.at(2));
    for (std::string word; rows >> word;) {
      if (word.back() == ':') {
        reference.inputs.emplace_back();
      } else {
        reference.inputs.back().push_back(static_cast<uint32_t>(std::stoul(word)));
      }
    }
    reference.left = numbers(columns.at(3));
    all.push_back(std::move(reference));
  }
  return all;
}

/// The graph with its tasks added in the order that `position` gives.
TaskGraph graph_of(const Reference& reference, const std::vector<uint32_t>& order) {
  TaskGraph graph;
  for (uint32_t t : order) {
    std::vector<Node<int64_t>> inputs;
    for (uint32_t input : reference.inputs[t])
      inputs.push_back(graph.ref<int64_t>("t" + std::to_string(input)));
    graph.add(
        "t" + std::to_string(t),
        [t](const std::vector<int64_t>& values) { return task_test::mix(t, values); }, inputs);
  }
  return graph;
}

TEST(FuseAgainstDask, LeavesTheSameTasksOfRandomGraphsInAnyOrder) {
  const std::vector<Reference> all = references();
  ASSERT_EQ(all.size(), 600U);
  uint64_t seed = 7;
  size_t fused_somewhere = 0;
  for (const Reference& reference : all) {
    std::vector<uint32_t> order(reference.inputs.size());
    for (uint32_t t = 0; t < order.size(); ++t) order[t] = t;
    for (int shuffled = 0; shuffled < 3; ++shuffled) {
      const TaskGraph graph = graph_of(reference, order);
      FuseOptions options;
      options.widths = reference.widths;
      options.rename_keys = false;
      for (uint32_t t : reference.kept) options.keys.add("t" + std::to_string(t));
      const TaskGraph fused = fuse(graph, options);
      std::vector<std::string> wanted;
      for (uint32_t t : reference.left) wanted.push_back("t" + std::to_string(t));
      std::vector<std::string> left;
      for (const TaskKey& key : fused.keys()) left.push_back(key.name);
      ASSERT_THAT(left, UnorderedElementsAreArray(wanted)) << to_text(graph);
      expect_same_values(graph, fused);
      fused_somewhere += left.size() < order.size() ? 1 : 0;
      for (size_t i = order.size(); i > 1; --i) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        std::swap(order[i - 1], order[(seed >> 33) % i]);
      }
    }
  }
  EXPECT_GT(fused_somewhere, 900U);  // the references are not all graphs that must not change
}

// ---- S: robustness -------------------------------------------------------------------------------

TEST(FuseRobust, AFusedTaskReadsWhatItsPartsRead) {
  // S1: a Cholesky-like graph with kept keys.
  const TaskGraph graph = make(
      "A0 = 1; A1 = 2; A2 = 3; L00: A0; L10: L00 A1; L20: L00 A2; D1: L10; S11: A1 D1; L11: S11; "
      "P: L20 L10; L21: L11 P; D2: L20; E2: L21; S22: A2 D2 E2; L22: S22");
  const TaskGraph fused = fuse(graph, width(2, {"L00", "L10", "L11", "L22"}));
  expect_same_values(graph, fused);
  for (const TaskKey& key : fused.keys()) {
    // The expression tells all that is read; what dependencies() says must be in it.
    const TaskRef node = *fused.find(key);
    const std::string text = fused.expression(node);
    for (const TaskKey& input : fused.dependencies(node))
      EXPECT_NE(text.find(to_string(input)), std::string::npos) << text;
  }
  for (const char* kept : {"L00", "L10", "L11", "L22"}) EXPECT_TRUE(fused.find(kept)) << kept;
}

TEST(FuseRobust, ANodeReadTwiceByOneTaskIsCalledOnce) {
  // S2, dask/dask#10645.
  TaskGraph graph;
  std::atomic<int> calls = 0;
  const auto a = graph.literal("A", 42);
  const auto b = graph.add(
      "B",
      [&calls](int x) {
        ++calls;
        return x + 1;
      },
      a);
  const auto c = graph.add(
      "C", [](int x, int y) { return x + y; }, b, b);
  const auto d = graph.add(
      "D", [](int x) { return x + 1; }, c);
  const TaskGraph fused = fuse(graph, width(8, {"A", "D"}));
  EXPECT_EQ(compute(fused, d), 87);
  EXPECT_EQ(calls, 1);
}

TEST(FuseRobust, LargeLiteralsKeepTheirOwnKeyAndNumbersAndTextsGoIn) {
  // S3
  TaskGraph graph;
  const auto array = graph.literal("array", std::vector<double>{1, 2});
  const auto text = graph.literal("text", std::string("x"));
  const auto size = graph.add(
      "size", [](const std::vector<double>& v) { return v.size(); }, array);
  const auto length = graph.add(
      "length", [](const std::string& s) { return s.size(); }, text);
  const TaskGraph fused = fuse(graph, width(1));
  EXPECT_THAT(lines(fused), ElementsAre("array = <std::vector<double, std::allocator<double> >>",
                                        "length = length(\"x\")", "size = size(array)"));
  EXPECT_EQ(compute(fused, size), 2U);
  EXPECT_EQ(compute(fused, length), 1U);
}

TEST(FuseRobust, WidthZeroOrHeightZeroSwitchesFusionOff) {
  // S4
  const TaskGraph graph = make("a = 1; b: a; c: b");
  EXPECT_EQ(lines(fuse(graph, width(0))), lines(graph));
  FuseOptions flat = width(2);
  flat.widths.max_height = 0;
  EXPECT_EQ(lines(fuse(graph, flat)), lines(graph));
}

TEST(FuseRobust, FusedKeysAreBoundedAndDiffer) {
  // S5
  TaskGraph graph;
  for (int chain = 0; chain < 2; ++chain) {
    auto x = graph.add("start-" + std::to_string(chain), [] { return 1; });
    for (int i = 0; i < 60; ++i) {
      x = graph.add(
          "a_rather_long_name_of_" + std::to_string(i * 2 + chain) + "_steps",
          [](int v) { return v + 1; }, x);
    }
  }
  const TaskGraph fused = fuse(graph, renamed(1));
  EXPECT_EQ(fused.size(), 4U);
  std::set<std::string> names;
  for (const TaskKey& key : fused.keys()) {
    EXPECT_LE(key.name.size(), 120U);
    EXPECT_TRUE(names.insert(key.name).second);
  }
}

TEST(FuseRobust, WhatMayNotBeFusedStopsTheChainWhereItStands) {
  // S6: in each position, at widths 1 and 2.
  for (double w : {1.0, 2.0}) {
    const std::vector<std::pair<const char*, size_t>> left = {
        {"a", 2}, {"b", 3}, {"c", 3}, {"d", 2}};
    for (const auto& [where, count] : left) {
      TaskGraph graph = make("a: ; b: a; c: b; d: c");
      TaskOptions alone;
      alone.fusible = false;
      graph.set(*graph.find(where), alone);
      EXPECT_EQ(nodes_at(graph, w), count) << where << " " << w;
    }
  }
}

TEST(FuseRobust, KeysMayBeGivenInAnyForm) {
  // S7
  const TaskGraph graph = make("a: ; b: a; c: b");
  const TaskRef b = *graph.find("b");
  const std::vector<Keys> forms = {"b",
                                   TaskKey("b"),
                                   b,
                                   std::vector<std::string>{"b"},
                                   std::vector<std::vector<TaskKey>>{{"b"}, {"b", "c"}},
                                   std::set<std::string>{"b"}};
  for (const Keys& keys : forms) {
    EXPECT_THAT(lines(fuse(graph, width(1, keys))), ElementsAre("b = b(a())", "c = c(b)"));
  }
}

TEST(FuseRobust, DifferentDemandsNeverMerge) {
  TaskGraph graph = make("a: ; b: a; c: b; d: c");
  graph.set(*graph.find("b"), {.resources = {{"GPU", 1}}});
  graph.set(*graph.find("c"), {.resources = {{"GPU", 1}}});
  const TaskGraph fused = fuse(graph, width(4));
  EXPECT_THAT(lines(fused), ElementsAre("a = a()", "c = c(b(a))", "d = d(c)"));
  const auto resources = fused.options(*fused.find("c")).resources;
  EXPECT_THAT(resources, ElementsAre(std::pair<std::string, double>("GPU", 1)));
}

TEST(Fuse, RenamesByPrefixAndKeepsTheIndex) {
  TaskGraph graph;
  const auto load = graph.add({"load-1f0a99bc", {3, 1}}, [] { return 1.0; });
  const auto clean = graph.add(
      {"clean-2", {3, 1}}, [](double v) { return v; }, load);
  const auto sum = graph.add(
      {"sum-part", {3, 1}}, [](double v) { return v; }, clean);
  const TaskGraph fused = fuse(graph, renamed(1));
  EXPECT_THAT(lines(fused), ElementsAre("clean-load-sum-part[3, 1] = sum-part(clean(load()))",
                                        "sum-part[3, 1] = clean-load-sum-part[3, 1]"));
  EXPECT_EQ(compute(fused, sum), 1.0);
}

TEST(Fuse, ARenamerOfOnesOwnGetsAllKeysTheRootLast) {
  const TaskGraph graph = make("a: ; b: a; c: b; other: ; last: other");
  FuseOptions options = renamed(1);
  options.renamer = [](const std::vector<TaskKey>& keys) {
    return TaskKey("all-of-" + keys.back().name + "-" + std::to_string(keys.size()));
  };
  EXPECT_THAT(
      lines(fuse(graph, options)),
      UnorderedElementsAreArray(Lines{"all-of-c-3 = c(b(a()))", "c = all-of-c-3",
                                      "all-of-last-2 = last(other())", "last = all-of-last-2"}));
}

TEST(Fuse, ANameThatIsTakenIsNotUsed) {
  const TaskGraph graph = make("a: ; b: a; a-b: ");
  EXPECT_THAT(lines(fuse(graph, renamed(1))), ElementsAre("a-b = a-b()", "b = b(a())"));
}

TEST(Fuse, HandlesOfTheOldGraphAreGoodInTheNew) {
  TaskGraph graph;
  const auto a = graph.add("a", [] { return 2; });
  const auto b = graph.add(
      "b", [](int v) { return v * 10; }, a);
  const auto c = graph.add(
      "c", [](int v) { return v + 1; }, b);
  const TaskGraph fused = fuse(graph, renamed(1));
  EXPECT_EQ(compute(fused, c), 21);
  EXPECT_EQ(compute(graph, a), 2);
  TaskGraph more = fused;
  const auto d = more.add(
      "d", [](int v) { return -v; }, c);
  EXPECT_EQ(compute(more, d), -21);
}

TEST(Fuse, ALineOfAHundredThousandFusesAndRuns) {
  TaskGraph graph;
  auto x = graph.add([] { return int64_t{0}; });
  for (int i = 0; i < 100'000; ++i) x = graph.add([](int64_t v) { return v + 1; }, x);
  const TaskGraph fused = fuse(graph, width(1));
  EXPECT_EQ(fused.size(), 1U);
  EXPECT_EQ(compute(fused, x), 100'000);
}

TEST(Fuse, LinesWithAnInputAtEachLinkCostNoMoreThanOthers) {
  // Outside inputs are merged small into large: with n sets of up to n this would not end.
  TaskGraph graph;
  auto x = graph.add([] { return int64_t{0}; });
  for (int i = 0; i < 100'000; ++i) {
    const auto shared = graph.add([i] { return int64_t{i}; });
    x = graph.add([](int64_t a, int64_t b, int64_t c) { return a + b - c; }, x, shared, shared);
  }
  const TaskGraph fused = fuse(graph, width(2));
  EXPECT_EQ(compute(fused, x), 0);
}

TEST(Fuse, PartsRunInTheOrderThatWasFixed) {
  TaskGraph graph;
  std::vector<std::string> calls;
  const auto note = [&calls](const char* name) {
    return [&calls, name](const std::vector<int>&) {
      calls.emplace_back(name);
      return 0;
    };
  };
  std::vector<Node<int>> leaves;
  leaves.push_back(graph.add("b", note("b"), std::vector<Node<int>>{}));
  leaves.push_back(graph.add("a", note("a"), std::vector<Node<int>>{}));
  const auto middle = graph.add("m", note("m"), leaves);
  const auto last = graph.add("z", note("z"), std::vector{middle});
  const TaskGraph fused = fuse(graph, width(2));
  for (int i = 0; i < 3; ++i) compute(fused, last, {.threads = 2});
  EXPECT_THAT(calls, ElementsAre("b", "a", "m", "z", "b", "a", "m", "z", "b", "a", "m", "z"));
}

TEST(FuseErrors, NameTheKeys) {
  const auto refused = [](auto&& call, const std::string& text) {
    try {
      call();
      FAIL() << "no error: " << text;
    } catch (const InvalidArgument& error) {
      EXPECT_EQ(error.what(), text);
    }
  };
  const TaskGraph missing = make("a: nowhere");
  refused([&] { fuse(missing, width(1)); },
          "[fuse] 'a' reads 'nowhere', but no task, literal or alias has that key; add it");
  refused([&] { fuse_linear(missing, width(1)); },
          "[fuse_linear] 'a' reads 'nowhere', but no task, literal or alias has that key; add it");
  const TaskGraph cycle = make("a: c; b: a; c: b; d: c");
  refused([&] { fuse(cycle, width(1)); },
          "[fuse] tasks need each other in a circle: c -> b -> a -> c");
  const TaskGraph graph = make("a: ; b: a");
  refused([&] { fuse(graph, width(1, {"x"})); }, "[fuse] no task has the key 'x'");
  refused([&] { fuse(graph, width(-1)); }, "[fuse] ave_width = -1; 0 or more is accepted");
  FuseOptions nan = width(1);
  nan.widths.max_width = std::numeric_limits<double>::quiet_NaN();
  refused([&] { fuse(graph, nan); }, "[fuse] max_width = nan; 0 or more is accepted");
  const TaskGraph fused = fuse(graph, width(1));
  refused([&] { compute(fused, Node<int64_t>{*graph.find("a")}); },
          "[compile] 'a' was fused into 'b'; name it among the keys to keep");
}

}  // namespace
}  // namespace tuff
