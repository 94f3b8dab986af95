// What runs tell the readers of their trace: waits by cause, parts on the way, tasks one by one, limits.
#include "tuff/schedule/tracing.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/block.h"
#include "tuff/base/context.h"
#include "tuff/base/error.h"
#include "tuff/schedule/pool.h"
#include "tuff/schedule/run.h"

#include "tests/schedule/plan_builder.h"

namespace {

using namespace std::chrono_literals;

using tuff::Context;
using tuff::Runner;
using tuff::RunOptions;
using tuff::TaskArguments;
using tuff::TaskStart;
using tuff::TraceEvent;
using tuff::TraceRun;
using tuff::TraceSpill;
using tuff::TraceWait;
using tuff::Tracing;
using tuff::WaitCause;
using tuff_test::add_up;
using tuff_test::PlanBuilder;

struct Sink : tuff::TraceSink {
  void on_run(const TraceRun& run) override { runs.push_back(run); }
  bool live() const override { return is_live; }
  void on_part(const TraceRun& part) override {
    const std::lock_guard lock(mutex);
    parts.push_back(part);
  }
  uint64_t max_events() const override { return most; }
  std::vector<TraceRun> runs;
  std::mutex mutex;
  std::vector<TraceRun> parts;
  bool is_live = false;
  uint64_t most = UINT64_MAX;
};

void sleeps(TaskArguments& arguments) {
  std::this_thread::sleep_for(3ms);
  arguments.outputs[0].emplace<double>(0);
}

int64_t waited(const TraceRun& run, WaitCause cause) {
  int64_t sum = 0;
  for (const TraceWait& wait : run.waits) {
    if (wait.cause == cause) sum += wait.end_ns - wait.start_ns;
  }
  return sum;
}

/// Waits lie inside the run, in order, and never over a task of the same thread.
void expect_sane(const TraceRun& run) {
  std::map<uint32_t, std::vector<std::pair<int64_t, int64_t>>> spans;
  for (const TraceEvent& event : run.events)
    spans[event.thread].emplace_back(event.start_ns, event.end_ns);
  std::map<uint32_t, const TraceWait*> last;
  for (const TraceWait& wait : run.waits) {
    EXPECT_LT(wait.start_ns, wait.end_ns);
    EXPECT_GE(wait.start_ns, run.start_ns);
    EXPECT_LE(wait.end_ns, run.end_ns);
    EXPECT_LT(wait.thread, run.threads);
    const TraceWait*& before = last[wait.thread];
    if (before != nullptr) {
      EXPECT_LE(before->end_ns, wait.start_ns);
      EXPECT_FALSE(before->end_ns == wait.start_ns && before->cause == wait.cause) << "not merged";
    }
    before = &wait;
    spans[wait.thread].emplace_back(wait.start_ns, wait.end_ns);
  }
  for (auto& [thread, all] : spans) {
    std::sort(all.begin(), all.end());
    for (size_t i = 1; i < all.size(); ++i) EXPECT_LE(all[i - 1].second, all[i].first);
  }
}

// --- Waits -----------------------------------------------------------------------------------------

TEST(Tracing, AThreadWithNothingToDoInARunWaitsForNothingReady) {
  Context context({.threads = 2});
  PlanBuilder builder;
  uint32_t last = builder.task("a", sleeps, {});
  for (int i = 0; i < 5; ++i) last = builder.task("a", sleeps, {last});
  const Runner runner(builder.build());
  Sink sink;
  RunOptions options{.trace = &sink, .context = &context};
  static_cast<void>(runner.run({}, options));
  const TraceRun& run = sink.runs.at(0);
  expect_sane(run);
  // A chain keeps one of the two threads busy; the other one sleeps.
  const int64_t wall = run.end_ns - run.start_ns;
  EXPECT_GE(waited(run, WaitCause::none_ready), wall * 8 / 10);
  EXPECT_LE(waited(run, WaitCause::none_ready), wall);
}

TEST(Tracing, OneThreadNeverWaits) {
  Context context({.threads = 1});
  PlanBuilder builder;
  for (int i = 0; i < 100; ++i) builder.task("a", add_up, {});
  Sink sink;
  RunOptions options{.trace = &sink, .context = &context};
  static_cast<void>(Runner(builder.build()).run({}, options));
  EXPECT_EQ(sink.runs.at(0).events.size(), 100u);
  EXPECT_TRUE(sink.runs.at(0).waits.empty());
}

TEST(Tracing, WhoHasToLeaveTasksToAResourceWaitsForResources) {
  Context context({.threads = 2});
  PlanBuilder builder;
  for (int i = 0; i < 8; ++i) builder.task("on the GPU", sleeps, {});
  tuff::PlanArrays plan = builder.build();
  plan.options = {{}, {.resources = {{"GPU", 1}}}};
  plan.option_of.assign(plan.task_count(), 1);
  Sink sink;
  RunOptions options{.trace = &sink, .resources = {{"GPU", 1}}, .context = &context};
  static_cast<void>(Runner(std::move(plan)).run({}, options));
  const TraceRun& run = sink.runs.at(0);
  expect_sane(run);
  EXPECT_GT(waited(run, WaitCause::resources), 0);
}

TEST(Tracing, WaitsAreSaneInRunsOfEveryKind) {
  Context context({.threads = 4});
  for (int width : {1, 3, 40}) {
    PlanBuilder builder;
    std::vector<uint32_t> row;
    for (int i = 0; i < width; ++i) row.push_back(builder.task("a", sleeps, {}));
    for (int depth = 0; depth < 4; ++depth) {
      std::vector<uint32_t> next;
      for (int i = 0; i < width; ++i) {
        const auto at = static_cast<size_t>(i);
        const auto beside = static_cast<size_t>((i + 1) % width);
        next.push_back(builder.task("f", i % 3 == 0 ? sleeps : add_up, {row[at], row[beside]}));
      }
      row = next;
    }
    const Runner runner(builder.build());
    Sink sink;
    RunOptions options{.trace = &sink, .context = &context};
    for (int i = 0; i < 3; ++i) static_cast<void>(runner.run({}, options));
    for (const TraceRun& run : sink.runs) expect_sane(run);
  }
}

/// Tracing by hand: two workers of a plan with one function.
class TracingByHand : public testing::Test {
 protected:
  void prepare() {
    auto plan = std::make_shared<tuff::TracePlan>();
    plan->operations = {"f"};
    plan->block = {0, 1, 2, 3};
    Tracing::Readers readers;
    readers.sink = &sink;
    tracing.prepare(std::move(readers), plan, 2, tuff::now_ns());
  }
  void task(uint32_t worker, uint32_t number) {
    tracing.begin_task(worker, number, 0, {});
    pass();
    tracing.end_task(worker, {}, false);
  }
  static void pass() {
    const int64_t until = tuff::now_ns() + 2000;
    while (tuff::now_ns() < until) {
    }
  }
  std::vector<WaitCause> causes(uint32_t worker) {
    std::vector<WaitCause> found;
    for (const TraceWait& wait : sink.runs.at(0).waits) {
      if (wait.thread == worker) found.push_back(wait.cause);
    }
    return found;
  }
  Sink sink;
  Tracing tracing;
};

TEST_F(TracingByHand, ASearchThatEndsWithATaskWaitedForItsInput) {
  prepare();
  tracing.begin_search(1);
  pass();
  tracing.end_search(1, true);
  task(1, 0);
  tracing.begin_search(1);
  pass();
  tracing.keep_searching(1, false);
  tracing.keep_searching(1, false);
  pass();
  tracing.end_search(1, true);
  task(1, 1);
  tracing.collect();
  EXPECT_EQ(causes(1), (std::vector{WaitCause::none_ready, WaitCause::stealing, WaitCause::input}));
  expect_sane(sink.runs[0]);
}

TEST_F(TracingByHand, ASearchThatEndsWithSleepHadNothingReady) {
  prepare();
  tracing.begin_search(1);
  tracing.keep_searching(1, false);
  pass();
  tracing.give_up(1);
  pass();
  tracing.begin_search(1);
  pass();
  tracing.end_search(1, false);
  pass();
  tracing.collect();
  EXPECT_EQ(causes(1), std::vector{WaitCause::none_ready})
      << "the search before and the sleep are one";
}

TEST_F(TracingByHand, TheRootsThatAWorkerClaimsAreNoWaits) {
  prepare();
  tracing.begin_search(0);
  pass();
  tracing.end_search(0, false);
  task(0, 0);
  tracing.collect();
  EXPECT_TRUE(causes(0).empty());
}

TEST_F(TracingByHand, ACauseThatChangesEndsTheWait) {
  prepare();
  tracing.begin_search(0);
  pass();
  tracing.keep_searching(0, false);
  pass();
  tracing.keep_searching(0, true);
  pass();
  tracing.end_search(0, false);
  tracing.begin_wait(0, WaitCause::memory);
  pass();
  tracing.begin_wait(0, WaitCause::memory);
  tracing.end_wait(0);
  tracing.end_wait(0);
  tracing.collect();
  EXPECT_EQ(causes(0), (std::vector{WaitCause::input, WaitCause::resources, WaitCause::memory}));
}

TEST_F(TracingByHand, SpillsAndMemoryWaitsReachTheReader) {
  sink.is_live = true;
  prepare();
  tracing.spilled({10, 20, 4096, 1, 0});
  tracing.spilled({30, 40, 4096, 0, 1});
  tracing.collect();
  ASSERT_EQ(sink.runs.at(0).spills.size(), 2u);
  EXPECT_EQ(sink.runs[0].spills[0].read_back, 1u) << "by thread";
  EXPECT_EQ(sink.runs[0].spills[1].bytes, 4096u);
  size_t in_parts = 0;
  for (const TraceRun& part : sink.parts) in_parts += part.spills.size();
  EXPECT_EQ(in_parts, 2u);
}

TEST_F(TracingByHand, WhatComesAfterTheEndIsDropped) {
  sink.is_live = true;
  prepare();
  tracing.collect();
  const size_t parts = sink.parts.size();
  tracing.begin_search(1);
  tracing.keep_searching(1, false);
  tracing.give_up(1);
  tracing.flush(1);
  tracing.begin_wait(1, WaitCause::memory);
  tracing.end_wait(1);
  tracing.spilled({10, 20, 4096, 1, 0});
  EXPECT_EQ(sink.runs.size(), 1u);
  EXPECT_EQ(sink.parts.size(), parts);
  prepare();
  tracing.collect();
  EXPECT_TRUE(sink.runs.at(1).spills.empty());
  EXPECT_EQ(sink.runs[1].waits.size(), 1u) << "the helper that never came";
  EXPECT_NE(sink.runs[0].id, sink.runs[1].id);
}

// --- Limits ----------------------------------------------------------------------------------------

TEST(Tracing, KeepsTheFirstTasksUpToTheLimitAndCountsTheOthers) {
  for (int threads : {1, 2}) {
    Context context({.threads = threads});
    PlanBuilder builder;
    uint32_t last = builder.task("f", add_up, {});
    for (int i = 1; i < 1000; ++i) last = builder.task("f", add_up, {last});
    Sink sink;
    sink.most = 100;
    RunOptions options{.trace = &sink, .context = &context};
    static_cast<void>(Runner(builder.build()).run({}, options));
    const TraceRun& run = sink.runs.at(0);
    EXPECT_LE(run.events.size() + run.waits.size(), 100u);
    EXPECT_GE(run.events.size(), 80u) << "what other workers claimed is little";
    EXPECT_EQ(run.events.size() + run.dropped, 1000u);
    EXPECT_GE(run.dropped_from_ns, run.events.back().end_ns);
    EXPECT_LE(run.dropped_from_ns, run.end_ns);
  }
}

TEST(Tracing, TheReaderThatWantsMostDecides) {
  Context context({.threads = 1});
  const auto other = std::make_shared<Sink>();
  context.add_trace(other);
  PlanBuilder builder;
  for (int i = 0; i < 50; ++i) builder.task("f", add_up, {});
  Sink sink;
  sink.most = 0;
  RunOptions options{.trace = &sink, .context = &context};
  static_cast<void>(Runner(builder.build()).run({}, options));
  EXPECT_EQ(sink.runs.at(0).events.size(), 50u);
  EXPECT_EQ(sink.runs[0].dropped, 0u);
  EXPECT_EQ(sink.runs[0].dropped_from_ns, INT64_MAX);
}

// --- Parts -----------------------------------------------------------------------------------------

TEST(Tracing, PartsTogetherAreTheWholeRunWhateverIsKept) {
  Context context({.threads = 3});
  PlanBuilder builder;
  std::vector<uint32_t> all;
  for (int i = 0; i < 120; ++i) all.push_back(builder.task("a", sleeps, {}));
  builder.task("b", add_up, all);
  Sink sink;
  sink.is_live = true;
  sink.most = 10;
  RunOptions options{.trace = &sink, .context = &context};
  static_cast<void>(Runner(builder.build()).run({}, options));
  const TraceRun& run = sink.runs.at(0);
  std::set<uint32_t> tasks;
  int64_t last_end = 0;
  for (const TraceRun& part : sink.parts) {
    EXPECT_EQ(part.id, run.id);
    EXPECT_EQ(part.plan, run.plan);
    EXPECT_EQ(part.start_ns, run.start_ns);
    EXPECT_LE(part.end_ns, run.end_ns);
    for (const TraceEvent& event : part.events) {
      EXPECT_LE(event.end_ns, part.end_ns);
      EXPECT_TRUE(tasks.insert(event.task).second) << "nothing twice";
      last_end = std::max(last_end, event.end_ns);
    }
  }
  EXPECT_EQ(tasks.size(), 121u);
  EXPECT_LE(run.events.size(), 10u);
  // 120 x 3 ms on three threads take 120 ms, so each worker has told something before the end.
  EXPECT_GT(sink.parts.size(), 3u);
  EXPECT_LT(sink.parts.front().end_ns, last_end);
}

TEST(Tracing, PartsOfAFailedRunAreWholeToo) {
  Context context({.threads = 2});
  PlanBuilder builder;
  const uint32_t first = builder.task("a", add_up, {});
  builder.task("bad", [](TaskArguments&) { throw std::runtime_error("no"); }, {first});
  Sink sink;
  sink.is_live = true;
  RunOptions options{.trace = &sink, .context = &context};
  EXPECT_THROW(static_cast<void>(Runner(builder.build()).run({}, options)), tuff::TaskError);
  size_t failed = 0;
  for (const TraceRun& part : sink.parts) {
    for (const TraceEvent& event : part.events) failed += event.failed;
  }
  EXPECT_EQ(failed, 1u);
}

// --- Tasks one by one ------------------------------------------------------------------------------

struct Watcher : tuff::RunObserver {
  void on_start(const std::shared_ptr<const tuff::RunProgress>&) override {}
  void on_finish(bool) override {}
  bool wants_tasks() const override { return wanted; }
  void before_task(const TaskStart& start) override {
    const std::lock_guard lock(mutex);
    before.push_back(start);
    names.emplace_back(start.operation);
  }
  void after_task(const TaskStart& start, const TraceEvent& event) override {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(start.task, event.task);
    EXPECT_EQ(start.thread, event.thread);
    EXPECT_EQ(start.start_ns, event.start_ns);
    after.push_back(event);
  }
  bool wanted = true;
  std::mutex mutex;
  std::vector<TaskStart> before;
  std::vector<std::string> names;
  std::vector<TraceEvent> after;
};

TEST(Tracing, ObserversThatWantTasksSeeEachOneBeforeAndAfter) {
  for (int threads : {1, 3}) {
    Context context({.threads = threads});
    PlanBuilder builder;
    std::vector<uint32_t> all;
    for (int i = 0; i < 30; ++i) all.push_back(builder.task("one", sleeps, {}));
    builder.task("all", add_up, all);
    Watcher watcher;
    RunOptions options{.observer = &watcher, .context = &context};
    static_cast<void>(Runner(builder.build()).run({}, options));
    ASSERT_EQ(watcher.before.size(), 31u);
    ASSERT_EQ(watcher.after.size(), 31u);
    EXPECT_EQ(watcher.names.back(), "all");
    EXPECT_EQ(watcher.before.back().block, 30u);
    EXPECT_EQ(std::count(watcher.names.begin(), watcher.names.end(), "one"), 30);
    for (const TraceEvent& event : watcher.after)
      EXPECT_LT(event.thread, static_cast<uint32_t>(threads));
  }
}

TEST(Tracing, ObserversThatDoNotWantTasksAreNotCalled) {
  Context context({.threads = 1});
  PlanBuilder builder;
  builder.task("one", add_up, {});
  Watcher watcher;
  watcher.wanted = false;
  RunOptions options{.observer = &watcher, .context = &context};
  static_cast<void>(Runner(builder.build()).run({}, options));
  EXPECT_TRUE(watcher.before.empty());
  EXPECT_TRUE(watcher.after.empty());
}

TEST(Tracing, ATaskThatIsRetriedIsOneTask) {
  Context context({.threads = 1});
  PlanBuilder builder;
  std::atomic<int> calls{0};
  builder.task("shaky",
               [&calls](TaskArguments& arguments) {
                 if (++calls < 3) throw std::runtime_error("not yet");
                 arguments.outputs[0].emplace<double>(0);
               },
               {});
  tuff::PlanArrays plan = builder.build();
  plan.options = {{}, {.retries = 5}};
  plan.option_of.assign(1, 1);
  Watcher watcher;
  RunOptions options{.observer = &watcher, .context = &context};
  static_cast<void>(Runner(std::move(plan)).run({}, options));
  EXPECT_EQ(calls.load(), 3);
  EXPECT_EQ(watcher.before.size(), 1u);
  ASSERT_EQ(watcher.after.size(), 1u);
  EXPECT_EQ(watcher.after[0].failed, 0u);
}

TEST(Tracing, WhatReadersThrowOnTheWayIsDropped) {
  struct Bad : tuff::TraceSink, tuff::RunObserver {
    void on_run(const TraceRun&) override { throw std::runtime_error("run"); }
    bool live() const override { return true; }
    void on_part(const TraceRun&) override { throw std::runtime_error("part"); }
    void on_start(const std::shared_ptr<const tuff::RunProgress>&) override {}
    void on_finish(bool) override {}
    bool wants_tasks() const override { return true; }
    void before_task(const TaskStart&) override { throw std::runtime_error("before"); }
    void after_task(const TaskStart&, const TraceEvent&) override {
      throw std::runtime_error("after");
    }
  } bad;
  Context context({.threads = 2});
  PlanBuilder builder;
  builder.output(builder.task("f", add_up, {}));
  RunOptions options{.trace = &bad, .observer = &bad, .context = &context};
  EXPECT_EQ(Runner(builder.build()).run({}, options)[0].get<double>(), 1.0 / 3);
}

// --- The plan --------------------------------------------------------------------------------------

TEST(TracePlan, KnowsWhoReadsWhatAndWhatIsKept) {
  PlanBuilder builder;
  const uint32_t constant = builder.constant(tuff::Value(1.0));
  const uint32_t a = builder.task("a", add_up, {constant});
  const uint32_t two = builder.task("b", add_up, {a}, 2);
  const uint32_t c = builder.task("a", add_up, {a, two, two});
  builder.output(two + 1);
  builder.output(c);
  builder.output(constant);
  const tuff::PlanArrays arrays = builder.build();
  const auto plan = tuff::trace_plan_of(arrays);
  EXPECT_EQ(plan->operations, (std::vector<std::string>{"a", "b", "a"}));
  EXPECT_EQ(plan->task_count, (std::vector<uint64_t>{1, 1, 1}));
  EXPECT_EQ(plan->block, (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(plan->kept, (std::vector<uint8_t>{0, 1, 1}));
  const auto readers = [&](uint32_t task) {
    const auto found = plan->readers_of(task);
    return std::vector<uint32_t>(found.begin(), found.end());
  };
  EXPECT_EQ(readers(0), (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(readers(1), (std::vector<uint32_t>{2}));
  EXPECT_TRUE(readers(2).empty());
}

}  // namespace
