// Options of tasks, whatever passes make of the graph: fused, inlined and lowered tasks are called as often, name the
// same task in errors and end for the same reasons as tasks that stand alone.
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tuff/tuff.h"

namespace tuff {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

/// What fusion is tried at; 0 is off.
constexpr std::array<double, 4> kWidths = {0, 1, 2, 50};

TaskCompileOptions at_width(double width) {
  TaskCompileOptions options;
  options.widths.ave_width = width;
  return options;
}

FuseOptions fused_at(double width, bool rename, const Keys& outputs) {
  FuseOptions options;
  options.keys = outputs;
  options.widths.ave_width = width;
  options.rename_keys = rename;
  return options;
}

/// The graph itself, and what each pass that fuses makes of it, also one after another.
std::vector<std::pair<std::string, TaskGraph>> forms_of(const TaskGraph& graph,
                                                        const Keys& outputs) {
  const TaskGraph lines = fuse_linear(graph, fused_at(1, true, outputs));
  return {{"as it is", graph},
          {"fuse", fuse(graph, fused_at(2, false, outputs))},
          {"fuse, renamed", fuse(graph, fused_at(50, true, outputs))},
          {"fuse_linear", lines},
          {"fuse of fuse_linear", fuse(lines, fused_at(50, true, outputs))}};
}

/// Calls `check(plan, what it is)` for each form of the graph at each width.
void for_each_plan(const TaskGraph& graph, const Keys& outputs,
                   const std::function<void(const TaskPlan&, bool fused)>& check) {
  const size_t tasks = compile(graph, outputs, at_width(0)).task_count();
  for (const auto& [name, form] : forms_of(graph, outputs)) {
    for (double width : kWidths) {
      SCOPED_TRACE(name + ", compiled at width " + std::to_string(width));
      const TaskPlan plan = compile(form, outputs, at_width(width));
      plan.arrays().verify();
      check(plan, plan.task_count() < tasks);
    }
  }
}

// ---- retries -------------------------------------------------------------------------------------

/// Throws in the first `failures` calls of each run.
struct Flaky {
  std::string name;
  int failures = 0;
  int calls = 0;
  int operator()(int v) {
    if (++calls <= failures) throw std::runtime_error(name + " " + std::to_string(calls));
    return v + 1;
  }
};

TEST(RetriesOfFusedTasks, AreThoseOfEachPartAndCallNoOtherAgain) {
  std::array<Flaky, 4> parts = {Flaky{"a", 1}, Flaky{"b", 1}, Flaky{"c", 0}, Flaky{"d", 2}};
  TaskGraph graph;
  Node<int> last = graph.literal("start", 0);
  for (Flaky& part : parts) {
    last = graph.add(
        part.name, [&part](int v) { return part(v); }, last);
    graph.set(last, {.retries = 2});
  }
  for_each_plan(graph, last, [&](const TaskPlan& plan, bool) {
    for (Flaky& part : parts) part.calls = 0;
    EXPECT_EQ(plan.run()[0].get<int>(), 4);
    for (const Flaky& part : parts) EXPECT_EQ(part.calls, part.failures + 1) << part.name;
  });
  parts[1].failures = 3;
  for_each_plan(graph, last, [&](const TaskPlan& plan, bool) {
    for (Flaky& part : parts) part.calls = 0;
    try {
      plan.run();
      FAIL() << "no error";
    } catch (const TaskError& error) {
      EXPECT_EQ(error.failures()[0].operation, "b");
      EXPECT_EQ(error.failures()[0].block, "b");
      EXPECT_EQ(describe(error.failures()[0].cause), "b 3");
    }
    EXPECT_EQ(parts[0].calls, 2);
    EXPECT_EQ(parts[1].calls, 3);
    EXPECT_EQ(parts[2].calls, 0);
  });
}

TEST(RetriesOfFusedTasks, FindTheirInputsAsTheyWere) {
  // Containers of handles are moved from where nobody else reads them; `second` throws when it has them.
  using List = std::vector<std::string>;
  int made = 0;
  int calls = 0;
  TaskGraph graph;
  const auto first = graph.add("first", [&made] {
    ++made;
    return List(3, "a text that is not short");
  });
  const auto second = graph.add(
      "second",
      [&calls](std::vector<List> lists) {
        lists[0][1] = "changed";
        if (++calls < 3) throw std::runtime_error("not yet");
        return lists[0];
      },
      std::vector{first});
  const auto third = graph.add(
      "third", [](const std::vector<List>& lists) { return lists[0]; }, std::vector{second});
  for (const TaskRef& task : std::vector<TaskRef>{first, second, third})
    graph.set(task, {.retries = 2});
  for_each_plan(graph, third, [&](const TaskPlan& plan, bool) {
    made = calls = 0;
    EXPECT_THAT(plan.run()[0].get<List>(),
                ElementsAre("a text that is not short", "changed", "a text that is not short"));
    EXPECT_EQ(made, 1);
    EXPECT_EQ(calls, 3);
  });
}

TEST(RetriesOfFusedTasks, EndWithARunThatIsStoppedOrLate) {
  TaskGraph graph;
  std::stop_source stop;
  int made = 0;
  int calls = 0;
  const auto first = graph.add("first", [&made] { return ++made; });
  const auto second = graph.add(
      "second",
      [&](int) -> int {
        if (++calls == 5) stop.request_stop();
        throw std::runtime_error("never");
      },
      first);
  graph.set(first, {.retries = 1'000'000'000});
  graph.set(second, {.retries = 1'000'000'000});
  for_each_plan(graph, second, [&](const TaskPlan& plan, bool) {
    stop = std::stop_source();
    made = calls = 0;
    RunOptions options;
    options.stop = stop.get_token();
    EXPECT_THROW(plan.run(options), Cancelled);
    EXPECT_EQ(made, 1);
    EXPECT_EQ(calls, 5);
    try {
      plan.run({.deadline = 2ms});
      FAIL() << "no error";
    } catch (const Cancelled& error) {
      EXPECT_EQ(error.reason(), Cancelled::Reason::deadline);
    }
  });
}

TEST(RetriesOfFusedTasks, AreForEveryKindOfError) {
  for (const bool internal : {false, true}) {
    TaskGraph graph;
    int made = 0;
    int calls = 0;
    const auto first = graph.add("first", [&made] { return ++made; });
    const auto second = graph.add(
        "second",
        [&](int v) {
          if (++calls < 3) {
            if (internal) throw InternalError("ours");
            throw Cancelled(Cancelled::Reason::deadline, 1,
                            2);  // a run inside, with a deadline of its own
          }
          return v;
        },
        first);
    graph.set(first, {.retries = 2});
    graph.set(second, {.retries = 2});
    for_each_plan(graph, second, [&](const TaskPlan& plan, bool) {
      made = calls = 0;
      EXPECT_EQ(plan.run()[0].get<int>(), 1);
      EXPECT_EQ(made, 1);
      EXPECT_EQ(calls, 3);
    });
  }
}

TEST(RetriesOfFusedTasks, AreNotMadeWhenAFailedTaskIsRunAgainForItsUser) {
  TaskGraph graph;
  int made = 0;
  int calls = 0;
  const auto first = graph.add("first", [&made] { return ++made; });
  const auto second = graph.add(
      "second", [&](int) -> int { throw std::out_of_range("call " + std::to_string(++calls)); },
      first);
  graph.set(first, {.retries = 2});
  graph.set(second, {.retries = 2});
  for_each_plan(graph, second, [&](const TaskPlan& plan, bool fused) {
    for (int run = 0; run < 2; ++run) {
      made = calls = 0;
      try {
        plan.run({.rerun_failed = true});
        FAIL() << "no error";
      } catch (const std::out_of_range& error) {
        EXPECT_STREQ(error.what(), "call 4");
      }
      // What a fused task made of its inputs is gone by then.
      EXPECT_EQ(made, fused ? 2 : 1);
    }
  });
}

/// Counts the tasks of a run.
struct TaskCounter : RunObserver {
  void on_start(const std::shared_ptr<const RunProgress>& run) override {
    tasks = run->tasks_total;
  }
  void on_finish(bool) override {}
  uint64_t tasks = 0;
};

TEST(RetriesOfFusedTasks, HoldForDelayedCallsAndTheirArguments) {
  // As many, and as quick, as are fused without being asked for.
  constexpr size_t kChains = 400;
  std::vector<Flaky> parts(2 * kChains, Flaky{"part", 1});
  const TaskOptions options = {
      .resources = {{"GPU", 1}, {"disk", 2}}, .retries = 1, .cost_seconds = 5e-9};
  TaskOptions alike = options;
  std::swap(alike.resources[0], alike.resources[1]);
  const auto load = delayed([&parts](size_t i) { return parts[i](1); }, "load").with(options);
  const auto clean =
      delayed([&parts](size_t i, const std::vector<int>& v) { return parts[i](v[0]); }, "clean")
          .with(alike);
  std::vector<Delayed<int>> ends;
  for (size_t i = 0; i < kChains; ++i) ends.push_back(clean(kChains + i, std::vector{load(i)}));
  TaskCounter counter;
  const RunOptions run = {.observer = &counter, .resources = {{"GPU", 1}, {"disk", 2}}};
  EXPECT_EQ(compute(ends, run), std::vector<int>(kChains, 3));
  EXPECT_EQ(counter.tasks, kChains);
  for (const Flaky& part : parts) EXPECT_EQ(part.calls, 2);
  parts[7].calls = -1;  // fails once more than it may
  try {
    compute(ends, run);
    FAIL() << "no error";
  } catch (const TaskError& error) {
    EXPECT_EQ(error.failures()[0].operation, "load");
    EXPECT_EQ(describe(error.failures()[0].cause), "part 1");
  }
  EXPECT_THROW(compute(ends), InvalidArgument);
}

// ---- random graphs -------------------------------------------------------------------------------

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kGraphs = 20;  // a sanitized build is some 20 times slower
#else
constexpr uint64_t kGraphs = 160;
#endif

/// What a task makes: moved from where nobody else reads it, and then empty.
using Numbers = std::vector<uint64_t>;

/// A task, how it fails, and how often it was called.
struct Call {
  uint32_t number = 0;
  int failures = 0;
  std::atomic<int> calls = 0;

  Numbers make(const std::vector<Numbers>& inputs) const {
    Numbers made = {number};
    for (const Numbers& input : inputs) {
      uint64_t sum = input.size();
      for (uint64_t value : input) sum = sum * 0x9E3779B97F4A7C15U + value;
      made.push_back(sum);
    }
    return made;
  }
  Numbers operator()(const std::vector<Numbers>& inputs) {
    if (calls++ < failures) throw std::runtime_error("call " + std::to_string(calls));
    return make(inputs);
  }
};

/// A graph of tasks that fail as often as their retries allow: lines, trees and graphs, with aliases here and
/// there, in which neighbours often have the same options.
class FailingGraph {
 public:
  FailingGraph(uint64_t seed, uint32_t tasks, double cost_seconds) : random_(seed), calls_(tasks) {
    const uint32_t lines = random_() % 3;  // how often a task reads the one before
    for (uint32_t t = 0; t < tasks; ++t) add(t, lines, cost_seconds);
    for (uint32_t t = 0; t < tasks; ++t) {
      if (readers_[t] == 0 || random_() % 16 == 0) outputs_.push_back(t);
    }
  }

  const TaskGraph& graph() const { return graph_; }
  std::vector<Node<Numbers>> outputs() const {
    std::vector<Node<Numbers>> nodes;
    for (uint32_t t : outputs_) nodes.push_back(nodes_[t]);
    return nodes;
  }
  Call& call(uint32_t t) { return calls_[t]; }
  size_t size() const { return calls_.size(); }
  std::string key(uint32_t t) const { return to_string(graph_.key(tasks_[t])); }
  int retries(uint32_t t) const { return options_[t].retries; }
  /// Tasks that one task reads, once, and nobody else; they may be inlined without being called twice.
  std::vector<TaskKey> inlinable() const {
    std::vector<TaskKey> keys;
    for (uint32_t t = 0; t < size(); ++t) {
      if (readers_[t] == 1 && std::find(outputs_.begin(), outputs_.end(), t) == outputs_.end())
        keys.push_back(graph_.key(tasks_[t]));
    }
    return keys;
  }
  void forget_calls() {
    for (Call& call : calls_) call.calls = 0;
  }
  /// The outputs, each task computed once, by hand.
  std::vector<Numbers> expected() const {
    std::vector<Numbers> made(size());
    for (uint32_t t = 0; t < size(); ++t) {
      std::vector<Numbers> inputs;
      for (uint32_t input : inputs_[t]) inputs.push_back(made[input]);
      made[t] = calls_[t].make(inputs);
    }
    std::vector<Numbers> outputs;
    for (uint32_t t : outputs_) outputs.push_back(made[t]);
    return outputs;
  }

 private:
  void add(uint32_t t, uint32_t lines, double cost_seconds) {
    std::vector<uint32_t> inputs;
    if (t > 0 && random_() % 3 < lines) inputs.push_back(t - 1);
    for (size_t more = t > 0 ? random_() % 3 : 0; more > 0; --more)
      inputs.push_back(static_cast<uint32_t>(t - 1 - random_() % std::min(t, 8U)));
    std::vector<Node<Numbers>> nodes;
    for (uint32_t input : inputs) {
      nodes.push_back(nodes_[input]);
      ++readers_[input];
    }
    Call* const call = &calls_[t];
    call->number = t;
    const auto index = static_cast<int64_t>(t);
    tasks_.push_back(graph_.add(
        {"make", {index}}, [call](const std::vector<Numbers>& v) { return (*call)(v); }, nodes));
    options_.push_back(!inputs.empty() && random_() % 4 != 0 ? options_[inputs[0]]
                                                             : some_options());
    options_[t].cost_seconds = cost_seconds;
    graph_.set(tasks_[t], options_[t]);
    call->failures = static_cast<int>(random_() % static_cast<uint64_t>(options_[t].retries + 1));
    nodes_.push_back(random_() % 8 == 0 ? graph_.alias({"alias", {index}}, tasks_[t]) : tasks_[t]);
    inputs_.push_back(std::move(inputs));
    readers_.push_back(0);
  }

  TaskOptions some_options() {
    TaskOptions options;
    options.retries = static_cast<int>(random_() % 4);
    options.priority = random_() % 4 == 0 ? static_cast<int>(random_() % 3) - 1 : 0;
    if (random_() % 4 == 0) options.resources = {{"GPU", 0.5}};
    options.fusible = random_() % 8 != 0;
    return options;
  }

  std::mt19937_64 random_;
  TaskGraph graph_;
  std::vector<Call> calls_;
  std::vector<Node<Numbers>> tasks_;
  std::vector<Node<Numbers>> nodes_;  // by task: it, or its alias
  std::vector<std::vector<uint32_t>> inputs_;
  std::vector<uint32_t> readers_;
  std::vector<TaskOptions> options_;
  std::vector<uint32_t> outputs_;
};

RunOptions on(Context& context, int threads) {
  RunOptions options{.threads = threads, .resources = {{"GPU", 1}}};
  options.context = &context;
  return options;
}

/// Runs the plan: with what each task does made known, every one is called until it succeeds, and no more.
void expect_all_called(FailingGraph& graph, const TaskPlan& plan, const RunOptions& options) {
  graph.forget_calls();
  try {
    const std::vector<Value> values = plan.run(options);
    const std::vector<Numbers> want = graph.expected();
    for (size_t i = 0; i < want.size(); ++i) ASSERT_EQ(values[i].get<Numbers>(), want[i]);
  } catch (const std::exception&) {
    FAIL() << describe(std::current_exception());
  }
  for (uint32_t t = 0; t < graph.size(); ++t)
    ASSERT_EQ(graph.call(t).calls, graph.call(t).failures + 1) << graph.key(t);
}

/// One task fails once more than it may: the error names it, and says what its last call threw.
void expect_failure_of(FailingGraph& graph, uint32_t task, const TaskPlan& plan,
                       const RunOptions& options) {
  const int failures = std::exchange(graph.call(task).failures, graph.retries(task) + 1);
  graph.forget_calls();
  try {
    plan.run(options);
    ADD_FAILURE() << "no error";
  } catch (const TaskError& error) {
    ASSERT_EQ(error.failures().size(), 1U);
    EXPECT_EQ(error.failures()[0].operation, "make");
    EXPECT_EQ(error.failures()[0].block, graph.key(task));
    EXPECT_EQ(describe(error.failures()[0].cause),
              "call " + std::to_string(graph.retries(task) + 1));
  }
  for (uint32_t t = 0; t < graph.size(); ++t) {
    ASSERT_LE(graph.call(t).calls, t == task ? graph.retries(t) + 1 : graph.call(t).failures + 1);
  }
  graph.call(task).failures = failures;
}

void expect_options_hold(uint64_t seed, uint32_t tasks, double cost_seconds,
                         const std::vector<std::optional<double>>& widths, size_t& fused) {
  static Context context({.threads = 3});
  FailingGraph graph(seed, tasks, cost_seconds);
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::vector<Node<Numbers>> outputs = graph.outputs();
  auto forms = forms_of(graph.graph(), outputs);
  const TaskGraph inlined = cull(inline_tasks(graph.graph(), graph.inlinable()), outputs);
  forms.emplace_back("inline_tasks", inlined);
  forms.emplace_back("fuse of inline_tasks", fuse(inlined, fused_at(3, true, outputs)));
  const auto failing = static_cast<uint32_t>(seed % tasks);
  for (const auto& [name, form] : forms) {
    for (const std::optional<double> width : widths) {
      SCOPED_TRACE(name + (width ? " at " + std::to_string(*width) : ", automatically"));
      TaskCompileOptions options;
      options.widths.ave_width = width;
      const TaskPlan plan = compile(form, outputs, options);
      plan.arrays().verify();
      fused += plan.task_count() < tasks ? 1 : 0;
      for (int threads : {1, 3}) {
        expect_all_called(graph, plan, on(context, threads));
        expect_failure_of(graph, failing, plan, on(context, threads));
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(TaskOptions, HoldInRandomGraphsAtEachWidth) {
  size_t fused = 0;
  for (uint64_t seed = 1; seed <= kGraphs && !HasFailure(); ++seed)
    expect_options_hold(seed, 2 + static_cast<uint32_t>(seed * 7 % 60), 0, {0.0, 1.0, 3.0}, fused);
  EXPECT_GT(fused, kGraphs * 10);  // of 21 each
}

TEST(TaskOptions, HoldInRandomGraphsAtTheAutomaticWidth) {
  size_t fused = 0;
  for (uint64_t seed = 1; seed <= kGraphs / 20 && !HasFailure(); ++seed)
    expect_options_hold(seed, 1500, 5e-9, {std::nullopt}, fused);
  EXPECT_GT(fused, kGraphs / 20 * 6);  // of 7 each
}

}  // namespace
}  // namespace tuff
