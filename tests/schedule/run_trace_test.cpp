// What a run tells its readers and observers.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/schedule/run.h"

#include "tests/schedule/run_fixture.h"

namespace tuff_test {
namespace {

// --- Trace and progress ----------------------------------------------------------------------------

TEST_P(RunnerTest, TheTraceHasOneEventPerTask) {
  PlanBuilder builder;
  const uint32_t make = builder.function("make", [](TaskArguments& a) { yield_block(a); });
  const uint32_t sum = builder.function("sum", [](TaskArguments& a) {
    std::this_thread::sleep_for(10us);
    a.outputs[0].emplace<double>(1);
  });
  for (int i = 0; i < 100; ++i) builder.task(sum, {builder.task(make, {})});
  const Runner runner(builder.build());
  KeepingSink sink;
  RunOptions options = this->options();
  options.trace = &sink;
  static_cast<void>(runner.run({}, options));
  static_cast<void>(runner.run({}, options));
  ASSERT_EQ(sink.runs.size(), 2u);
  EXPECT_EQ(sink.runs[0].plan, sink.runs[1].plan) << "it is made once per plan";
  const tuff::TraceRun& run = sink.runs[1];
  EXPECT_EQ(run.plan->operations, (std::vector<std::string>{"make", "sum"}));
  ASSERT_EQ(run.events.size(), 200u);
  std::set<uint32_t> tasks;
  std::vector<int64_t> end_of_thread(run.threads, run.start_ns);
  for (const tuff::TraceEvent& event : run.events) {
    EXPECT_TRUE(tasks.insert(event.task).second);
    EXPECT_EQ(event.operation, event.task % 2);
    EXPECT_EQ(event.bytes_in, event.operation == 0 ? 0u : 8000u);
    EXPECT_EQ(event.bytes_out, event.operation == 0 ? 8000u : 0u);
    EXPECT_EQ(event.failed, 0u);
    ASSERT_LT(event.thread, run.threads);
    EXPECT_LE(end_of_thread[event.thread], event.start_ns);
    EXPECT_LE(event.start_ns, event.end_ns);
    EXPECT_LE(event.end_ns, run.end_ns);
    end_of_thread[event.thread] = event.end_ns;
  }
}

TEST_P(RunnerTest, TheTraceOfAFailedRunShowsTheFailure) {
  std::atomic<int> later{0};
  const Runner runner(failing_plan([](TaskArguments&) { throw std::runtime_error("no"); }, later));
  KeepingSink sink;
  RunOptions options = this->options();
  options.trace = &sink;
  EXPECT_THROW(static_cast<void>(runner.run({}, options)), TaskError);
  ASSERT_EQ(sink.runs.size(), 1u);
  const auto& events = sink.runs[0].events;
  EXPECT_EQ(std::count_if(events.begin(), events.end(),
                          [](const auto& event) { return event.failed != 0; }),
            1);
}

TEST_P(RunnerTest, ProgressCountsEveryTask) {
  PlanBuilder builder;
  std::vector<uint32_t> all;
  all.reserve(1000);
  for (int i = 0; i < 1000; ++i) all.push_back(builder.task("f", add_up, {}));
  builder.output(builder.task("f", add_up, all));
  const Runner runner(builder.build());
  KeepingObserver observer;
  RunOptions options = this->options();
  options.observer = &observer;
  static_cast<void>(runner.run({}, options));
  EXPECT_EQ(observer.started, 1);
  EXPECT_EQ(observer.finished, 1);
  EXPECT_FALSE(observer.failed);
  EXPECT_EQ(observer.progress->tasks_total.load(), 1001u);
  EXPECT_EQ(observer.progress->tasks_done.load(), 1001u);
}

TEST_P(RunnerTest, ProgressMovesWhileLongTasksRun) {
  KeepingObserver observer;
  PlanBuilder builder;
  uint32_t last = builder.task("f", add_up, {});
  for (int i = 0; i < 3; ++i) {
    last = builder.task("slow",
                        [&observer, i](TaskArguments& a) {
                          std::this_thread::sleep_for(2ms);
                          EXPECT_GE(observer.progress->tasks_done.load() + 1,
                                    static_cast<uint64_t>(i));
                          a.outputs[0].emplace<double>(0);
                        },
                        {last});
  }
  builder.output(last);
  RunOptions options = this->options();
  options.observer = &observer;
  static_cast<void>(Runner(builder.build()).run({}, options));
}

TEST_P(RunnerTest, ObserversHearTheEndOfEveryRunTheyHeardStart) {
  std::atomic<int> later{0};
  const Runner runner(failing_plan([](TaskArguments&) { throw std::runtime_error("no"); }, later));
  KeepingObserver observer;
  RunOptions options = this->options();
  options.observer = &observer;
  EXPECT_THROW(static_cast<void>(runner.run({}, options)), TaskError);
  EXPECT_EQ(observer.finished, 1);
  EXPECT_TRUE(observer.failed);
  options.deadline = 0ns;
  EXPECT_THROW(static_cast<void>(runner.run({}, options)), Cancelled);
  EXPECT_EQ(observer.started, 2);
  EXPECT_EQ(observer.finished, 2);
}

TEST(Runner, ContextWideReadersHearTheOutermostRunOnly) {
  Context context({.threads = 2});
  const auto sink = std::make_shared<KeepingSink>();
  const auto observer = std::make_shared<KeepingObserver>();
  PlanBuilder builder;
  builder.output(builder.task("one", add_up, {}));
  const Runner inner(builder.build());
  const Runner outer(nesting_plan(inner, 10, context));
  context.add_trace(sink);
  context.add_observer(observer);
  RunOptions options;
  options.context = &context;
  static_cast<void>(outer.run({}, options));
  context.remove_trace(sink.get());
  context.remove_observer(observer.get());
  static_cast<void>(outer.run({}, options));
  ASSERT_EQ(sink->runs.size(), 1u);
  EXPECT_EQ(sink->runs[0].events.size(), 11u);
  EXPECT_EQ(observer->started, 1);
  EXPECT_EQ(observer->finished, 1);
}

TEST(Runner, ReadersThatThrowDoNotChangeTheResult) {
  struct Bad : tuff::TraceSink, tuff::RunObserver {
    uint64_t max_events() const override { throw std::runtime_error("sink"); }
    bool live() const override { throw std::runtime_error("sink"); }
    void on_run(const tuff::TraceRun&) override { throw std::runtime_error("sink"); }
    bool wants_tasks() const override { throw std::runtime_error("observer"); }
    void on_start(const std::shared_ptr<const tuff::RunProgress>&) override {
      throw std::runtime_error("no terminal");
    }
    void on_finish(bool) override {
      ++finished;
      throw std::runtime_error("observer");
    }
    int finished = 0;
  } bad;
  Context context({.threads = 1});
  const auto good = std::make_shared<KeepingObserver>();
  context.add_observer(good);
  PlanBuilder builder;
  builder.output(builder.task("f", add_up, {}));
  RunOptions options;
  options.context = &context;
  options.trace = &bad;
  options.observer = &bad;
  EXPECT_EQ(Runner(builder.build()).run({}, options)[0].get<double>(), 1.0 / 3);
  EXPECT_EQ(good->finished, 1);
  EXPECT_EQ(bad.finished, 1);
}

}  // namespace
}  // namespace tuff_test
