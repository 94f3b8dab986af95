// The profilers: what they make of made-up runs, exactly, and of real ones.
#include "tuff/diagnostics/profilers.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tuff/array/creation.h"
#include "tuff/array/math.h"
#include "tuff/array/reductions.h"
#include "tuff/base/context.h"
#include "tuff/base/error.h"
#include "tuff/compute.h"
#include "tuff/diagnostics/watch.h"

namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

using tuff::CachePoint;
using tuff::CacheProfile;
using tuff::CacheProfiler;
using tuff::Context;
using tuff::ResourceProfile;
using tuff::ResourceProfiler;
using tuff::TaskProfile;
using tuff::TaskProfiler;
using tuff::TraceEvent;
using tuff::TracePlan;
using tuff::TraceRun;
using tuff::Watch;

TraceEvent event(uint32_t task, uint32_t operation, int64_t start_ns, int64_t end_ns,
                 uint64_t bytes_out, uint32_t thread = 0, uint32_t failed = 0) {
  TraceEvent made;
  made.start_ns = start_ns;
  made.end_ns = end_ns;
  made.bytes_in = 8;
  made.bytes_out = bytes_out;
  made.task = task;
  made.operation = operation;
  made.thread = thread;
  made.failed = failed;
  return made;
}

/// load 0 and load 1 are read by add 2; load 0 by sum 3 too, which is the run's result. drop 4 has no reader.
TraceRun example() {
  auto plan = std::make_shared<TracePlan>();
  plan->operations = {"load", "add", "sum", "drop"};
  plan->block = {0, 1, 0, 0, 7};
  plan->kept = {0, 0, 0, 1, 0};
  plan->first_reader = {0, 2, 3, 4, 4, 4};
  plan->readers = {2, 3, 2, 3};
  TraceRun run;
  run.start_ns = 1000;
  run.end_ns = 2000;
  run.threads = 2;
  run.plan = plan;
  run.events = {event(0, 0, 1000, 1100, 100), event(2, 1, 1300, 1500, 50),
                event(3, 2, 1500, 1600, 8), event(1, 0, 1050, 1250, 100, 1),
                event(4, 3, 1250, 1700, 1000, 1)};
  return run;
}

Context& two_threads() {
  static Context context({.threads = 2});
  return context;
}

tuff::Plan a_plan() {
  const tuff::Array x = tuff::arange(0.0, 1e5, 1.0, {.chunks = 1000}).persist();
  return tuff::compile({tuff::sum(tuff::exp(-x)).port()});
}

// --- Tasks -----------------------------------------------------------------------------------------

TEST(TaskProfiler, AddsUpTasksByOperation) {
  TaskProfiler profiler;
  profiler.on_part(example());
  profiler.on_run(example());
  const TaskProfile profile = profiler.results();
  EXPECT_EQ(profile.task_count, 5u);
  EXPECT_EQ(profile.runs, 1u);
  EXPECT_EQ(profile.wall_ns, 1000);
  ASSERT_EQ(profile.operations.size(), 4u);
  const TaskProfile::Operation& load = profile.operations[0];
  EXPECT_EQ(load.name, "load");
  EXPECT_EQ(load.tasks, 2u);
  EXPECT_EQ(load.failed, 0u);
  EXPECT_EQ(load.total_ns, 300);
  EXPECT_EQ(load.shortest_ns, 100);
  EXPECT_EQ(load.longest, (tuff::ProfiledTask{0, 1, 1, 1, false, 1050, 1250}));
  EXPECT_EQ(load.bytes_in, 16u);
  EXPECT_EQ(load.bytes_out, 200u);
  ASSERT_EQ(profile.tasks.size(), 5u);
  EXPECT_EQ(profile.tasks[4], (tuff::ProfiledTask{3, 4, 7, 1, false, 1250, 1700}));
}

TEST(TaskProfiler, OneNameIsOneOperationInAllPlans) {
  TaskProfiler profiler;
  profiler.on_part(example());
  TraceRun other;
  auto plan = std::make_shared<TracePlan>();
  plan->operations = {"sum", "new"};
  plan->block = {3};
  other.plan = plan;
  other.events = {event(0, 0, 0, 1000, 0, 0, 1)};
  profiler.on_part(other);
  const TaskProfile profile = profiler.results();
  ASSERT_EQ(profile.operations.size(), 5u);
  EXPECT_EQ(profile.operations[2].name, "sum");
  EXPECT_EQ(profile.operations[2].tasks, 2u);
  EXPECT_EQ(profile.operations[2].failed, 1u);
  EXPECT_EQ(profile.operations[2].longest.block, 3u);
  EXPECT_EQ(profile.operations[4].tasks, 0u);
}

TEST(TaskProfiler, KeepsNoMoreTasksThanAskedAndCountsThemAll) {
  TaskProfiler profiler({.max_tasks = 3});
  profiler.on_part(example());
  profiler.on_part(example());
  const TaskProfile profile = profiler.results();
  EXPECT_EQ(profile.tasks.size(), 3u);
  EXPECT_EQ(profile.task_count, 10u);
  EXPECT_EQ(profile.operations[3].tasks, 2u);
}

TEST(TaskProfiler, SaysItAsATable) {
  TaskProfiler profiler;
  EXPECT_EQ(profiler.to_text(), "no tasks ran\n");
  TraceRun run = example();
  run.events[4].failed = 1;
  profiler.on_part(run);
  profiler.on_run(run);
  EXPECT_EQ(profiler.to_text(),
            "5 tasks in 1 run, 1.05 us in tasks, 1 us in runs\n"
            "\n"
            "  operation         tasks   total   share    mean  shortest  longest  at block\n"
            "  drop       1 (1 failed)  450 ns  42.9 %  450 ns    450 ns   450 ns         7\n"
            "  load                  2  300 ns  28.6 %  150 ns    100 ns   200 ns         1\n"
            "  add                   1  200 ns  19.0 %  200 ns    200 ns   200 ns         0\n"
            "  sum                   1  100 ns   9.5 %  100 ns    100 ns   100 ns         0\n");
  profiler.clear();
  EXPECT_EQ(profiler.to_text(), "no tasks ran\n");
}

TEST(TaskProfiler, SeesEveryTaskOfARun) {
  const tuff::Plan plan = a_plan();
  TaskProfiler profiler;
  static_cast<void>(plan.run({}, {.trace = &profiler, .context = &two_threads()}));
  static_cast<void>(plan.run({}, {.trace = &profiler, .context = &two_threads()}));
  const TaskProfile profile = profiler.results();
  EXPECT_EQ(profile.runs, 2u);
  EXPECT_EQ(profile.task_count, 2 * plan.task_count());
  EXPECT_EQ(profile.tasks.size(), 2 * plan.task_count());
  uint64_t sum = 0;
  for (const auto& operation : profile.operations) {
    sum += operation.tasks;
    EXPECT_GE(operation.total_ns, operation.shortest_ns * static_cast<int64_t>(operation.tasks));
  }
  EXPECT_EQ(sum, profile.task_count);
}

// --- Memory and processors -------------------------------------------------------------------------

TEST(ResourceProfiler, SamplesWhileARunIsUnderWayAndNotBetween) {
  ResourceProfiler profiler({.interval_seconds = 0.001});
  EXPECT_TRUE(profiler.results().samples.empty());
  EXPECT_EQ(profiler.to_text(), "nothing was sampled: no run was under way\n");
  profiler.on_start(nullptr);
  while (profiler.results().samples.size() < 5) std::this_thread::yield();
  profiler.on_finish(false);
  const size_t after = profiler.results().samples.size();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(profiler.results().samples.size(), after);
  profiler.on_start(nullptr);
  while (profiler.results().samples.size() < after + 5) std::this_thread::yield();
  profiler.on_finish(false);
  const ResourceProfile profile = profiler.results();
  EXPECT_GT(profile.cpu_ns, 0) << "this thread has been busy waiting";
  EXPECT_GT(profile.mean_percent, 0);
  EXPECT_GT(profile.peak_resident_bytes, 1'000'000u);
  for (size_t i = 1; i < profile.samples.size(); ++i) {
    EXPECT_LE(profile.samples[i - 1].time_ns, profile.samples[i].time_ns);
    EXPECT_LE(profile.samples[i - 1].cpu_ns, profile.samples[i].cpu_ns);
  }
  EXPECT_THAT(profiler.to_text(), HasSubstr("processors"));
  EXPECT_THAT(profiler.to_text(), HasSubstr("live blocks"));
  profiler.clear();
  EXPECT_TRUE(profiler.results().samples.empty());
}

TEST(ResourceProfiler, RunsThatOverlapAreOneStretch) {
  ResourceProfiler profiler({.interval_seconds = 3600});
  profiler.on_start(nullptr);
  profiler.on_start(nullptr);
  profiler.on_finish(false);
  EXPECT_EQ(profiler.results().samples.size(), 1u);
  profiler.on_finish(false);
  EXPECT_EQ(profiler.results().samples.size(), 2u);
}

TEST(ResourceProfiler, SeesTheShortestRunTwice) {
  ResourceProfiler profiler;
  static_cast<void>(a_plan().run({}, {.observer = &profiler, .context = &two_threads()}));
  EXPECT_GE(profiler.results().samples.size(), 2u);
}

TEST(ResourceProfiler, RefusesTimesThatMeanNothing) {
  try {
    const ResourceProfiler bad({.interval_seconds = -1});
    FAIL() << "nothing was thrown";
  } catch (const tuff::InvalidArgument& error) {
    EXPECT_STREQ(error.what(), "[resource_profiler] interval_seconds = -1; more than 0 is needed");
  }
}

TEST(ResourceProfile, PercentIsTheMeanOfTheLast25Milliseconds) {
  const auto ms = [](int64_t count) { return count * 1'000'000; };
  // The clock of processor time stands still now and then; the mean does not.
  EXPECT_THAT(tuff::cpu_percent({{ms(100), 0, 0, ms(7)},
                                 {ms(110), 0, 0, ms(7)},
                                 {ms(120), 0, 0, ms(27)},
                                 {ms(130), 0, 0, ms(27)},
                                 {ms(140), 0, 0, ms(67)},
                                 {ms(200), 0, 0, ms(67)}}),
              ElementsAre(0, 0, 100, DoubleNear(200.0 / 3, 1e-9), 200, 0));
  EXPECT_TRUE(tuff::cpu_percent({}).empty());
  EXPECT_THAT(tuff::cpu_percent({{5, 0, 0, 5}}), ElementsAre(0));
  EXPECT_THAT(tuff::cpu_percent({{5, 0, 0, 5}, {5, 0, 0, 9}, {9, 0, 0, 13}}),
              ElementsAre(0, 0, 200));
}

// --- Results in memory -----------------------------------------------------------------------------

TEST(CacheProfiler, AResultStaysUntilItsLastReaderHasEnded) {
  CacheProfiler profiler;
  profiler.on_run(example());
  const CacheProfile profile = profiler.results();
  ASSERT_EQ(profile.results.size(), 5u);
  const auto expect = [&](size_t at, uint32_t task, int64_t enter, int64_t leave) {
    EXPECT_EQ(profile.results[at].task, task);
    EXPECT_EQ(profile.results[at].enter_ns, enter);
    EXPECT_EQ(profile.results[at].leave_ns, leave) << "task " << task;
  };
  expect(0, 0, 1100, 1600);  // add and then sum read it
  expect(1, 1, 1250, 1500);
  expect(2, 2, 1500, 1600);
  expect(3, 3, 1600, 2000);  // the run's result
  expect(4, 4, 1700, 1700);  // nobody reads it
  EXPECT_EQ(profile.results[4].block, 7u);
}

TEST(CacheProfiler, KnowsWhoHeldWhatWhenMostWasHeld) {
  CacheProfiler profiler;
  profiler.on_run(example());
  const CacheProfile profile = profiler.results();
  EXPECT_EQ(profile.peak_bytes, 200u);
  EXPECT_EQ(profile.peak_ns, 1250);
  EXPECT_EQ(profile.operations[0].peak_bytes, 200u);
  EXPECT_EQ(profile.operations[0].bytes_at_peak, 200u);
  EXPECT_EQ(profile.operations[1].peak_bytes, 50u);
  EXPECT_EQ(profile.operations[1].bytes_at_peak, 0u);
  EXPECT_EQ(profile.operations[3].results, 1u);
  EXPECT_EQ(profile.operations[3].peak_bytes, 0u) << "it was gone at once";
  EXPECT_DOUBLE_EQ(profile.operations[0].byte_seconds, 100e-9 * 500 + 100e-9 * 250);
}

TEST(CacheProfiler, LiveBytesAreACurve) {
  CacheProfiler profiler;
  profiler.on_run(example());
  const CacheProfile profile = profiler.results();
  EXPECT_THAT(tuff::live_bytes(profile),
              ElementsAre(CachePoint{1100, 100}, CachePoint{1250, 200}, CachePoint{1500, 150},
                          CachePoint{1600, 8}, CachePoint{2000, 0}));
  EXPECT_THAT(tuff::live_bytes(profile, 1), ElementsAre(CachePoint{1500, 50}, CachePoint{1600, 0}));
}

TEST(CacheProfiler, WhatAFailedRunLeftBehindGoesAtItsEnd) {
  TraceRun run = example();
  run.events.resize(1);  // load 0 alone; its readers never ran
  CacheProfiler profiler;
  profiler.on_run(run);
  EXPECT_EQ(profiler.results().results.at(0).leave_ns, 2000);
  run.events[0].failed = 1;
  profiler.clear();
  profiler.on_run(run);
  EXPECT_TRUE(profiler.results().results.empty());
}

TEST(CacheProfiler, KeepsNoMoreThanAskedAndSaysSo) {
  CacheProfiler profiler({.max_results = 3});
  EXPECT_EQ(profiler.max_events(), 3u);
  TraceRun run = example();
  run.dropped = 2;
  profiler.on_run(run);
  EXPECT_EQ(profiler.max_events(), 0u);
  EXPECT_EQ(profiler.results().results.size(), 3u);
  EXPECT_EQ(profiler.results().dropped, 4u);
  EXPECT_THAT(profiler.to_text(),
              HasSubstr("4 tasks more are not counted: see CacheProfilerOptions::max_results\n"));
}

TEST(CacheProfiler, SaysItAsATable) {
  CacheProfiler profiler;
  EXPECT_EQ(profiler.to_text(), "no results were made\n");
  profiler.on_run(example());
  EXPECT_EQ(profiler.to_text(),
            "at most 200 B in results of 5 tasks\n"
            "\n"
            "  operation  results  bytes  at the peak  own peak  mean stay\n"
            "  load             2  200 B        200 B     200 B     375 ns\n"
            "  add              1   50 B          0 B      50 B     100 ns\n"
            "  sum              1    8 B          0 B       8 B     400 ns\n"
            "  drop             1   1 kB          0 B       0 B       0 ns\n");
}

TEST(CacheProfiler, ARealRunEndsWithItsResultsAlone) {
  const tuff::Plan plan = a_plan();
  CacheProfiler profiler;
  static_cast<void>(plan.run({}, {.trace = &profiler, .context = &two_threads()}));
  const CacheProfile profile = profiler.results();
  EXPECT_EQ(profile.results.size(), plan.task_count());
  const auto curve = tuff::live_bytes(profile);
  if (!curve.empty()) {
    EXPECT_EQ(curve.back().bytes, 0u);
  }
}

// --- Watching a context ----------------------------------------------------------------------------

TEST(Watch, ShowsAReaderTheRunsOfAContextWhileItLives) {
  Context context({.threads = 2});
  const tuff::Plan plan = a_plan();
  TaskProfiler tasks;
  ResourceProfiler resources;
  CacheProfiler cache;
  const auto run = [&] { static_cast<void>(plan.run({}, {.context = &context})); };
  run();
  {
    const Watch a(tasks, &context);
    const Watch b(resources, &context);
    const Watch c(cache, &context);
    run();
    run();
  }
  run();
  EXPECT_EQ(tasks.results().task_count, 2 * plan.task_count());
  EXPECT_EQ(tasks.results().runs, 2u);
  EXPECT_EQ(cache.results().results.size(), 2 * plan.task_count());
  EXPECT_GE(resources.results().samples.size(), 4u);
  EXPECT_TRUE(context.traces().empty());
  EXPECT_TRUE(context.observers().empty());
}

TEST(Watch, AReaderOfBothKindsIsBoth) {
  struct Both : tuff::TraceSink, tuff::RunObserver {
    void on_run(const TraceRun& run) override { tasks += run.events.size(); }
    void on_start(const std::shared_ptr<const tuff::RunProgress>&) override { ++runs; }
    void on_finish(bool) override { ++runs; }
    size_t tasks = 0;
    int runs = 0;
  } both;
  Context context({.threads = 1});
  const tuff::Plan plan = a_plan();
  {
    const Watch watch(both, &context);
    static_cast<void>(plan.run({}, {.context = &context}));
  }
  EXPECT_EQ(both.tasks, plan.task_count());
  EXPECT_EQ(both.runs, 2);
}

TEST(Watch, MayEndWhileARunIsUnderWay) {
  Context context({.threads = 2});
  const tuff::Plan plan = a_plan();
  std::atomic<bool> stop{false};
  std::thread client([&] {
    while (!stop) static_cast<void>(plan.run({}, {.context = &context}));
  });
  for (int i = 0; i < 50; ++i) {
    tuff::Callbacks callbacks;
    std::atomic<int> calls{0};
    callbacks.before_task_runs = [&](const tuff::TaskStart&) { ++calls; };
    TaskProfiler tasks;
    const Watch a(callbacks, &context);
    const Watch b(tasks, &context);
    while (calls == 0) std::this_thread::yield();
  }
  stop = true;
  client.join();
}

TEST(Callbacks, SeeARunAndItsTasks) {
  Context context({.threads = 1});
  const tuff::Plan plan = a_plan();
  tuff::Callbacks callbacks;
  std::vector<std::string> seen;
  uint64_t total = 0;
  callbacks.start = [&](const tuff::RunProgress& progress) { total = progress.tasks_total; };
  callbacks.before_task_runs = [&](const tuff::TaskStart& task) {
    seen.push_back("before " + std::string(task.operation));
  };
  callbacks.after_task_ran = [&](const tuff::TaskStart& task, const TraceEvent& event) {
    EXPECT_EQ(task.task, event.task);
    seen.push_back("after " + std::string(task.operation));
  };
  callbacks.finish = [&](bool failed) { seen.push_back(failed ? "failed" : "done"); };
  static_cast<void>(plan.run({}, {.observer = &callbacks, .context = &context}));
  EXPECT_EQ(total, plan.task_count());
  ASSERT_EQ(seen.size(), 2 * plan.task_count() + 1);
  EXPECT_EQ(seen.back(), "done");
  EXPECT_THAT(seen[0], HasSubstr("before "));
  EXPECT_THAT(seen[1], HasSubstr("after "));
}

TEST(Callbacks, WithoutFunctionsAskForNothing) {
  tuff::Callbacks callbacks;
  EXPECT_FALSE(callbacks.wants_tasks());
  Context context({.threads = 1});
  static_cast<void>(a_plan().run({}, {.observer = &callbacks, .context = &context}));
}

TEST(WatchOf, MayOutliveItsContext) {
  tuff::Callbacks callbacks;
  int runs = 0;
  callbacks.finish = [&](bool) { ++runs; };
  auto context = std::make_unique<Context>(tuff::ContextOptions{.threads = 1});
  const auto watch = std::make_unique<Watch>(callbacks, context.get());
  static_cast<void>(tuff::sum(tuff::ones({4})).compute<double>({.context = context.get()}));
  context.reset();
  EXPECT_EQ(runs, 1);
}

}  // namespace
