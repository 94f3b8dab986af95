// The list of passes and their switches.
#include "tuff/optimize/optimize.h"

#include <cstdlib>
#include <set>

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

using ::testing::ElementsAre;

std::vector<std::string_view> names_of_passes() {
  std::vector<std::string_view> names;
  for (const optimize::Pass& pass : optimize::passes()) names.push_back(pass.name);
  return names;
}

/// Sets TUFF_OPTIMIZE_DISABLE until the end of the scope.
class Disabled {
 public:
  explicit Disabled(const char* names) { ::setenv("TUFF_OPTIMIZE_DISABLE", names, 1); }
  ~Disabled() { ::unsetenv("TUFF_OPTIMIZE_DISABLE"); }
  Disabled(const Disabled&) = delete;
  Disabled& operator=(const Disabled&) = delete;
};

TEST(PassList, NamesAreUniqueAndEveryPassSaysWhatItIsFor) {
  const std::vector<std::string_view> names = names_of_passes();
  EXPECT_EQ(std::set<std::string_view>(names.begin(), names.end()).size(), names.size());
  for (const optimize::Pass& pass : optimize::passes()) EXPECT_FALSE(pass.purpose.empty());
  for (const optimize::LayerPass& pass : optimize::layer_passes()) EXPECT_NE(pass.run, nullptr);
  for (const optimize::TaskPass& pass : optimize::task_passes()) EXPECT_NE(pass.run, nullptr);
}

TEST(PassList, StandsInTheOrderInWhichPassesRun) {
  EXPECT_THAT(names_of_passes(),
              ElementsAre("cse", "push_slices", "fold_sources", "rechunk", "rematerialize", "fuse",
                          "cull", "fuse_tasks", "order"));
}

TEST(PassList, EverySwitchIsOfOnePass) {
  for (const optimize::Pass& pass : optimize::passes()) {
    const Passes one = only({pass.name});
    for (const optimize::Pass& other : optimize::passes())
      EXPECT_EQ(one.*other.enabled, other.name == pass.name) << other.name;
  }
}

TEST(PassList, EverySwitchSwitchesItsPass) {
  const Array x = in_memory({40}, 10);
  const Ports outputs = {(exp(x * 0.1) + exp(x * 0.1))[{Slice{0, 10}}]};
  const auto layers = [&](const Passes& passes) {
    return titles(optimize::optimize_layers(outputs, passes)).size();
  };
  EXPECT_EQ(layers(none()), 6u);
  EXPECT_EQ(layers(only({"cse"})), 4u);
  EXPECT_EQ(layers(only({"fuse"})), 2u);
  EXPECT_EQ(titles(optimize::optimize_layers(outputs, only({"push_slices"})))[0], "slice(0:1x10)");
  const Ports twice = {x.rechunk(20).rechunk(5)};
  EXPECT_EQ(titles(optimize::optimize_layers(twice, none())).size(), 2u);
  EXPECT_EQ(titles(optimize::optimize_layers(twice, only({"rechunk"}))).size(), 1u);
  const auto tasks = [&](const Passes& passes) { return compiled(outputs, passes).task_count(); };
  EXPECT_EQ(tasks(without({"push_slices", "cull"})), 5u);
  EXPECT_EQ(tasks(without({"push_slices"})), 2u);
  // Without order tasks come layer by layer.
  const Ports line = {sum(exp(x).rechunk(5))};
  const PlanArrays plan = lowered(line, without({"order"}));
  EXPECT_TRUE(std::is_sorted(plan.function.begin(), plan.function.end()));
  const PlanArrays ordered = lowered(line);
  EXPECT_FALSE(std::is_sorted(ordered.function.begin(), ordered.function.end()));
}

TEST(PassList, TheEnvironmentSwitchesPassesOff) {
  const Array x = in_memory({40}, 10);
  const Ports outputs = {exp(x) + exp(x)};
  const auto layers = [&] { return titles(optimize::optimize_layers(outputs)).size(); };
  EXPECT_EQ(layers(), 1u);
  {
    const Disabled disabled("fuse");
    EXPECT_EQ(layers(), 2u);
  }
  {
    const Disabled disabled("fuse,cse");
    EXPECT_EQ(layers(), 3u);
    // What it names is off whatever the caller says.
    EXPECT_EQ(titles(optimize::optimize_layers(outputs, only({"cse"}))).size(), 3u);
  }
  {
    const Disabled disabled("");
    EXPECT_EQ(layers(), 1u);
  }
  {
    const Disabled disabled("order,");
    const PlanArrays plan = lowered({sum(exp(x).rechunk(5))});
    EXPECT_TRUE(std::is_sorted(plan.function.begin(), plan.function.end()));
  }
}

TEST(PassList, AnUnknownNameInTheEnvironmentIsRefused) {
  const Disabled disabled("fuse,fuze");
  std::string names;
  for (const std::string_view name : names_of_passes())
    names += (names.empty() ? "" : ", ") + std::string(name);
  try {
    (void)compile({in_memory({4}, 2)});
    FAIL() << "nothing was thrown";
  } catch (const InvalidArgument& error) {
    EXPECT_EQ(std::string(error.what()),
              "[optimize] TUFF_OPTIMIZE_DISABLE='fuse,fuze' names 'fuze'; the passes are " + names);
  }
}

TEST(Lower, APlanThatWouldTakeAllMemoryIsRefusedBeforeItIsMade) {
  const Array x = random::uniform({1 << 11, 1 << 11}, {.chunks = 1, .seed = 1});
  CompileOptions options;
  options.passes.memory_bytes = size_t{1} << 28;
  try {
    (void)compile({(exp(x) + 1.0).port()}, options);
    FAIL() << "nothing was thrown";
  } catch (const MemoryError& error) {
    EXPECT_STREQ(error.what(),
                 "[compile] a plan of 4194304 tasks takes some 629 MB, the memory budget is "
                 "268 MB; give larger chunks, or raise it with RunOptions::memory_bytes or "
                 "TUFF_MEMORY_BYTES");
  }
  // What nobody needs is not counted, and plans of a million tasks are always made.
  const double one = (exp(x) + 1.0)[{7, 9}].compute<double>();
  EXPECT_GT(one, 1.0);
  options.passes.memory_bytes = 1;
  EXPECT_EQ(compile({zeros({100, 100}, {.chunks = 1}).port()}, options).task_count(), 10000u);
}

TEST(Trace, HasAStepForEachPassThatIsOnWithLayersBeforeAndAfter) {
  const Array x = in_memory({40}, 10);
  const Ports outputs = {(exp(x) + exp(x))[{Slice{0, 10}}]};
  optimize::Trace trace;
  const Ports optimised = optimize::optimize_layers(outputs, {}, &trace);
  (void)optimize::lower(optimised, {}, &trace);
  std::vector<std::string_view> names;
  for (const optimize::Step& step : trace) {
    names.push_back(step.name);
    EXPECT_GE(step.seconds, 0.0);
  }
  std::vector<std::string_view> want = names_of_passes();
  want.insert(std::find(want.begin(), want.end(), "cull") + 1, "lower");
  EXPECT_EQ(names, want);
  EXPECT_EQ(trace.front().before, graph::layers_in_order(outputs).size());
  for (size_t s = 0; s < optimize::layer_passes().size(); ++s) {
    EXPECT_EQ(trace[s].after, graph::layers_in_order(trace[s].outputs).size());
    if (s > 0) {
      EXPECT_EQ(trace[s].before, trace[s - 1].after);
    }
  }
  EXPECT_EQ(trace[optimize::layer_passes().size() - 1].outputs, optimised);
  const auto lowered = std::find_if(trace.begin(), trace.end(),
                                    [](const auto& step) { return step.name == "lower"; });
  EXPECT_EQ(lowered->after, compiled(outputs).task_count());
}

TEST(Trace, SaysHowManyTasksWereCulled) {
  const Array x = in_memory({40}, 10);
  optimize::Trace trace;
  (void)optimize::lower({exp(x)[{Slice{0, 10}}]}, only({"cull"}), &trace);
  ASSERT_EQ(trace.size(), 2u);
  EXPECT_EQ(trace[0].name, "cull");
  EXPECT_EQ(trace[0].before, 5u);
  EXPECT_EQ(trace[0].after, 2u);
  EXPECT_EQ(trace[1].after, 2u);
}

TEST(PassList, NoPassChangesALayer) {
  const Array x = in_memory({40}, 10);
  const Ports outputs = {sum(exp(x) + exp(x)), x[{Slice{3, 9}}]};
  const std::string before = describe(outputs);
  (void)compiled(outputs);
  EXPECT_EQ(describe(outputs), before);
}

TEST(PassList, EveryCombinationGivesTheSameResults) {
  const Array x = in_memory({12, 10}, {4, 5});
  const Array m = in_memory({12}, 4) > 3.0;
  const Parameter p("p", {10}, DType::float64, 5);
  const std::vector<std::pair<std::string, Ports>> graphs = {
      {"line", {exp(x * 0.01) - 1.0 / (x + 1.0), 1.0 - x}},
      {"numbers on the left", {2.0 / (1.0 - (3.0 - x * 0.001)), where(x > 5.0, 1.0, x)}},
      {"reductions", {mean(x), var(x, 0), max(x, 1), sum(x + p)}},
      {"standardise", {(x - mean(x, 0)) / tuff::std(x, 0)}},
      {"transposes",
       {x.transpose() * 2.0 + 1.0, matmul(x, x.transpose()), matmul(x.transpose() * 0.01, x)}},
      {"movement",
       {x.rechunk(3)[{Slice{1, 11, 2}, Slice{{}, {}, -1}}] * p[{Slice{0, 10}}], x[m],
        sum(x[m], 0)}},
      {"joined",
       {concatenate({x, x * 2.0})[{Slice{5, 20, 3}}].rechunk(2),
        stack({x, exp(x * 0.01)}, 1)[{Slice{2, 9}, 1}], concatenate({x, x}, 1).rechunk({5, 20})}},
      {"cut differently",
       {matmul(x.transpose(), sigmoid(matmul(x, p) * 0.01) - in_memory({12}, 5)),
        ((x.rechunk(3) * 2.0).rechunk({4, 5}) + x)[{Slice{3, 9}}]}},
      {"sources",
       {random::normal({12, 10}, {.chunks = {4, 5}, .seed = 3}) + x, arange(12) * 2, ones({3})}},
      {"moved sources",
       {random::normal({12, 10}, {.chunks = {4, 5}, .seed = 3}).rechunk({6, 10}) +
            x.rechunk({6, 10}),
        arange(12).rechunk(5) * 2, (ones({3}) * 2.5 - 1.0).astype(DType::float32)}},
      {"panels", {matmul(x.transpose(), sigmoid(matmul(x, p) * 0.01)), matmul(p, p)}},
      {"the same twice", {x, x, exp(x * 0.01), exp(x * 0.01), p}},
  };
  const std::vector<Binding> values = {{p, std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}};
  for (const auto& [name, outputs] : graphs) {
    const std::string text = describe(outputs);
    const std::vector<Binding> bindings =
        text.find("parameter(p)") != std::string::npos ? values : std::vector<Binding>{};
    const auto want = run(compiled(outputs, none()), bindings);
    const std::vector<std::string_view> all = names_of_passes();
    for (unsigned bits = 1; bits < 1U << all.size(); ++bits) {
      std::vector<std::string_view> names;
      for (size_t k = 0; k < all.size(); ++k) {
        if (((bits >> k) & 1) != 0) names.push_back(all[k]);
      }
      const Passes passes = only(names);
      SCOPED_TRACE(name + ", passes " + std::to_string(bits));
      const auto got = run(compiled(outputs, passes), bindings);
      ASSERT_EQ(got.size(), want.size());
      for (size_t o = 0; o < got.size(); ++o) {
        ASSERT_EQ(got[o].size(), want[o].size());
        for (size_t i = 0; i < got[o].size(); ++i) {
          ASSERT_NEAR(got[o][i], want[o][i], 1e-12 * (1 + std::abs(want[o][i])))
              << "output " << o << " at " << i;
        }
      }
    }
  }
}

TEST(PassList, EveryCombinationGivesTheSameResultsAcrossReductions) {
  // Large enough to be made twice, so without the combinations of what has no part in it.
  const Array z = exp(random::normal({1'200'000}, {.chunks = 200'000, .seed = 5}) * 0.1);
  const Ports outputs = {max(z - mean(z)), sum(z * 2.0 / tuff::std(z))};
  const std::vector<std::string_view> some = {"cse", "rematerialize", "fuse", "order"};
  const auto want = run(compiled(outputs, none()));
  for (unsigned bits = 1; bits < 1U << some.size(); ++bits) {
    std::vector<std::string_view> names;
    for (size_t k = 0; k < some.size(); ++k) {
      if (((bits >> k) & 1) != 0) names.push_back(some[k]);
    }
    const auto got = run(compiled(outputs, only(names)));
    for (size_t o = 0; o < got.size(); ++o)
      EXPECT_NEAR(got[o][0], want[o][0], 1e-12 * (1 + std::abs(want[o][0]))) << "passes " << bits;
  }
}

}  // namespace
}  // namespace tuff::optimize_test
