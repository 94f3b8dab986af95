// How a run ends early: failures, stops and deadlines.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/graph/task_group.h"
#include "tuff/schedule/run.h"

#include "tests/schedule/run_fixture.h"

namespace tuff_test {
namespace {

// --- Failures --------------------------------------------------------------------------------------

TEST_P(RunnerTest, AFailureNamesTaskBlockAndCauseAndCancelsTheRest) {
  std::atomic<int> later{0};
  const Runner runner(failing_plan(
      [](TaskArguments& a) {
        a.outputs[0].emplace<Block>(Block::scalar(1.0));
        throw std::runtime_error("disk full");
      },
      later));
  const size_t live = tuff::buffer_statistics().live_buffers;
  for (int round = 0; round < 3; ++round) {
    try {
      static_cast<void>(runner.run({}, options()));
      FAIL();
    } catch (const TaskError& error) {
      EXPECT_STREQ(error.what(), "[run] task 20 (bad) on block (20,) failed: disk full");
      ASSERT_EQ(error.failures().size(), 1u);
      EXPECT_EQ(error.failures()[0].task, 20u);
      EXPECT_EQ(error.failures()[0].operation, "bad");
      EXPECT_EQ(error.failures()[0].block, "(20,)");
      EXPECT_EQ(tuff::describe(error.failures()[0].cause), "disk full");
      try {
        std::rethrow_if_nested(error);
        FAIL() << "nothing is nested";
      } catch (const std::runtime_error& cause) {
        EXPECT_STREQ(cause.what(), "disk full");
      }
    }
    EXPECT_EQ(later.load(), 0);
    EXPECT_EQ(tuff::buffer_statistics().live_buffers, live);
  }
}

TEST_P(RunnerTest, WorksAgainAfterAFailure) {
  std::atomic<int> later{0};
  std::atomic<bool> broken{true};
  const Runner runner(failing_plan(
      [&broken](TaskArguments& a) {
        if (broken) throw std::runtime_error("not yet");
        yield_block(a);
      },
      later));
  EXPECT_THROW(static_cast<void>(runner.run({}, options())), TaskError);
  broken = false;
  EXPECT_EQ(runner.run({}, options()).size(), 21u);
  EXPECT_EQ(later.load(), 20);
}

TEST_P(RunnerTest, WhatIsThrownNeedNotBeAnException) {
  std::atomic<int> later{0};
  const Runner runner(failing_plan([](TaskArguments&) { throw 42; }, later));
  try {
    static_cast<void>(runner.run({}, options()));
    FAIL();
  } catch (const TaskError& error) {
    EXPECT_STREQ(
        error.what(),
        "[run] task 20 (bad) on block (20,) failed: an exception that is not a std::exception");
    EXPECT_THROW(std::rethrow_if_nested(error), int);
  }
}

TEST_P(RunnerTest, ParametersAreFreedAfterAFailure) {
  PlanBuilder builder;
  const uint32_t p = builder.parameter();
  builder.task("bad", [](TaskArguments&) { throw std::runtime_error("no"); }, {p});
  const Runner runner(builder.build());
  const size_t live = tuff::buffer_statistics().live_buffers;
  std::vector<Value> parameters;
  parameters.emplace_back(Block::scalar(1.0));
  EXPECT_THROW(static_cast<void>(runner.run(std::move(parameters), options())), TaskError);
  EXPECT_EQ(tuff::buffer_statistics().live_buffers, live);
}

TEST(Runner, AFailedTaskCanBeRunAgainWhereTheCallerIs) {
  PlanBuilder builder;
  std::vector<std::thread::id> threads;
  bool consumed = false;
  const uint32_t one =
      builder.task("one", [](TaskArguments& a) { a.outputs[0].emplace<double>(41.0); }, {});
  builder.output(builder.task("bad",
                              [&](TaskArguments& a) {
                                threads.push_back(std::this_thread::get_id());
                                consumed = consumed || a.last_use[0];
                                throw std::out_of_range("no " +
                                                        std::to_string(a.inputs[0]->get<double>()));
                              },
                              {one}));
  const Runner runner(builder.build());
  try {
    runner.run({}, {.rerun_failed = true});
    FAIL() << "no error";
  } catch (const std::out_of_range& error) {
    EXPECT_STREQ(error.what(), "no 41.000000");
  }
  ASSERT_EQ(threads.size(), 2u);
  EXPECT_EQ(threads[1], std::this_thread::get_id());
  EXPECT_FALSE(consumed);
  EXPECT_THROW(runner.run({}), TaskError);
}

TEST(Runner, ATaskThatSucceedsWhenItIsRunAgainIsReportedAllTheSame) {
  PlanBuilder builder;
  int calls = 0;
  builder.output(builder.task("flaky",
                              [&](TaskArguments& a) {
                                if (++calls == 1) throw std::runtime_error("once");
                                a.outputs[0].emplace<double>(1.0);
                              },
                              {}));
  const Runner runner(builder.build());
  EXPECT_THROW(runner.run({}, {.rerun_failed = true}), TaskError);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(runner.run({}, {.rerun_failed = true})[0].get<double>(), 1.0);
}

TEST(Runner, ListsEveryTaskThatFailedInOrderOfNumber) {
  std::atomic<int> begun{0};
  PlanBuilder builder;
  const uint32_t f = builder.function("bad", [&begun](TaskArguments& a) {
    ++begun;
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (begun.load() < 2 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    throw std::runtime_error("number " + std::to_string(a.task));
  });
  builder.task(f, {});
  builder.task(f, {});
  try {
    static_cast<void>(Runner(builder.build()).run({}, with(2)));
    FAIL();
  } catch (const TaskError& error) {
    ASSERT_EQ(error.failures().size(), 2u);
    EXPECT_EQ(error.failures()[0].task, 0u);
    EXPECT_EQ(error.failures()[1].task, 1u);
    EXPECT_STREQ(
        error.what(),
        "[run] task 0 (bad) on block (0,) failed: number 0; 1 more task(s) failed: 1 (bad) on "
        "block (1,)");
  }
}

TEST(Runner, RunningTasksSeeTheStopTokenWhenAnotherFails) {
  std::atomic<bool> begun{false};
  std::atomic<bool> saw_stop{false};
  PlanBuilder builder;
  builder.task("long",
               [&](TaskArguments& a) {
                 begun = true;
                 saw_stop = wait_for_stop(a.stop);
                 throw Cancelled(Cancelled::Reason::stop_requested, 0,
                                 0);  // giving up is not a failure
               },
               {});
  builder.task("bad",
               [&](TaskArguments&) {
                 while (!begun.load()) std::this_thread::yield();
                 throw std::runtime_error("no");
               },
               {});
  const Runner runner(builder.build());
  try {
    static_cast<void>(runner.run({}, with(2)));
    FAIL();
  } catch (const TaskError& error) {
    ASSERT_EQ(error.failures().size(), 1u);
    EXPECT_EQ(error.failures()[0].operation, "bad");
  }
  EXPECT_TRUE(saw_stop.load());
}

/// One group of the plan's first function alone, with these retries.
tuff::PlanArrays grouped(tuff::PlanArrays plan, uint32_t task, uint32_t retries) {
  const auto program = std::make_shared<tuff::graph::GroupProgram>();
  const uint32_t function = plan.function[task];
  const uint32_t operation = program->add_operation(plan.name_of(function));
  program->begin();
  program->add_part(plan.functions[function].get(), operation, plan.block[task], {}, 1, retries);
  plan.block[task] = program->end();
  plan.function[task] = static_cast<uint32_t>(plan.functions.size());
  plan.functions.push_back(std::make_shared<tuff::graph::GroupTask>(program, "group", false));
  return plan;
}

TEST(Runner, ATaskThatMightHaveBeenCalledAgainHasNotFailedWhenAnotherHas) {
  for (const bool in_group : {false, true}) {
    std::atomic<bool> begun{false};
    std::atomic<int> calls{0};
    PlanBuilder builder;
    builder.task("retried",
                 [&](TaskArguments& a) {
                   ++calls;
                   begun = true;
                   EXPECT_TRUE(wait_for_stop(a.stop));
                   throw std::runtime_error("for now");
                 },
                 {});
    builder.task("bad",
                 [&](TaskArguments&) {
                   while (!begun.load()) std::this_thread::yield();
                   throw std::runtime_error("for good");
                 },
                 {});
    tuff::PlanArrays plan = builder.build();
    plan.options = {{}, {.retries = 3}};
    plan.option_of = {1, 0};
    if (in_group) plan = grouped(std::move(plan), 0, 3);
    try {
      static_cast<void>(Runner(std::move(plan)).run({}, with(2)));
      FAIL();
    } catch (const TaskError& error) {
      ASSERT_EQ(error.failures().size(), 1u);
      EXPECT_EQ(error.failures()[0].operation, "bad");
    }
    EXPECT_EQ(calls, 1);
  }
}

TEST_P(RunnerTest, AFusedTaskIsNotCalledAgainAsAWhole) {
  std::atomic<int> calls{0};
  PlanBuilder builder;
  builder.output(builder.task(
      "bad",
      [&calls](TaskArguments&) { throw std::runtime_error("call " + std::to_string(++calls)); },
      {}));
  tuff::PlanArrays plan = builder.build();
  plan.options = {{}, {.retries = 3}};
  plan.option_of = {1};
  const Runner runner(grouped(std::move(plan), 0, 3));
  for (int run = 1; run <= 2; ++run) {
    try {
      static_cast<void>(runner.run({}, options()));
      FAIL();
    } catch (const TaskError& error) {
      EXPECT_EQ(error.failures()[0].operation, "bad");
      EXPECT_EQ(error.failures()[0].block, "(0,)");
      EXPECT_EQ(tuff::describe(error.failures()[0].cause), "call " + std::to_string(4 * run));
    }
  }
}

TEST(Runner, AnOutputThatCannotBeCopiedTwiceLeavesNothingBehind) {
  PlanBuilder builder;
  const uint32_t x = builder.task(
      "make", [](TaskArguments& a) { a.outputs[0].emplace<std::unique_ptr<int>>(new int(1)); }, {});
  builder.output(x);
  builder.output(x);
  const Runner runner(builder.build());
  EXPECT_THROW(static_cast<void>(runner.run({}, with(1))), tuff::InvalidArgument);
  EXPECT_THROW(static_cast<void>(runner.run({}, with(1))), tuff::InvalidArgument);
}

// --- Stop and deadline -----------------------------------------------------------------------------

TEST_P(RunnerTest, AStopThatWasAskedForBeforeRunsNothing) {
  std::atomic<int> later{0};
  const Runner runner(failing_plan([](TaskArguments&) {}, later));
  std::stop_source stop;
  stop.request_stop();
  RunOptions options = this->options();
  options.stop = stop.get_token();
  try {
    static_cast<void>(runner.run({}, options));
    FAIL();
  } catch (const Cancelled& error) {
    EXPECT_EQ(error.reason(), Cancelled::Reason::stop_requested);
    EXPECT_STREQ(error.what(), "[run] stop was requested after 0 of 41 tasks");
  }
}

TEST_P(RunnerTest, AStopEndsTheRunAndFreesEverything) {
  std::stop_source stop;
  std::atomic<int> later{0};
  const Runner runner(failing_plan(
      [&stop](TaskArguments& a) {
        const bool first = stop.request_stop();
        EXPECT_EQ(a.stop.stop_requested(), first);  // at once, and in the run that was asked to
        yield_block(a);
      },
      later));
  RunOptions options = this->options();
  options.stop = stop.get_token();
  EXPECT_THROW(static_cast<void>(runner.run({}, options)), Cancelled);
  EXPECT_EQ(later.load(), 0);
  EXPECT_EQ(runner.run({}, this->options()).size(), 21u);
}

TEST_P(RunnerTest, AStopReachesALongTaskWhileOthersWait) {
  std::stop_source stop;
  std::atomic<bool> begun{false};
  PlanBuilder builder;
  const uint32_t slow = builder.task("long",
                                     [&begun](TaskArguments& a) {
                                       begun = true;
                                       EXPECT_TRUE(wait_for_stop(a.stop));
                                     },
                                     {});
  builder.task("quick", add_up, {});
  builder.task("after", add_up, {slow});
  const Runner runner(builder.build());
  std::thread stopper([&] {
    while (!begun.load()) std::this_thread::yield();
    std::this_thread::sleep_for(2ms);  // the other workers have parked by now
    stop.request_stop();
  });
  RunOptions options = this->options();
  options.stop = stop.get_token();
  EXPECT_THROW(static_cast<void>(runner.run({}, options)), Cancelled);
  stopper.join();
}

TEST_P(RunnerTest, ADeadlineReachesALongTask) {
  PlanBuilder builder;
  const uint32_t slow =
      builder.task("long", [](TaskArguments& a) { EXPECT_TRUE(wait_for_stop(a.stop)); }, {});
  builder.task("after", add_up, {slow});
  const Runner runner(builder.build());
  RunOptions options = this->options();
  options.deadline = 5ms;
  const auto start = std::chrono::steady_clock::now();
  try {
    static_cast<void>(runner.run({}, options));
    FAIL();
  } catch (const Cancelled& error) {
    EXPECT_EQ(error.reason(), Cancelled::Reason::deadline);
    EXPECT_TRUE(std::string(error.what()).starts_with("[run] the deadline passed after "));
  }
  EXPECT_GE(std::chrono::steady_clock::now() - start, 5ms);
}

TEST_P(RunnerTest, ADeadlineEndsARunOfManyTasks) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", [](TaskArguments& a) {
    std::this_thread::sleep_for(200us);
    a.outputs[0].emplace<double>(0);
  });
  for (int i = 0; i < 100000; ++i) builder.task(f, {});
  const Runner runner(builder.build());
  RunOptions options = this->options();
  options.deadline = 10ms;
  EXPECT_THROW(static_cast<void>(runner.run({}, options)), Cancelled);
}

TEST_P(RunnerTest, ADeadlineThatIsNotReachedChangesNothing) {
  PlanBuilder builder;
  builder.output(builder.task("f", add_up, {}));
  const Runner runner(builder.build());
  RunOptions options = this->options();
  for (const std::chrono::nanoseconds deadline :
       {std::chrono::nanoseconds(1h), std::chrono::nanoseconds::max()}) {
    options.deadline = deadline;
    EXPECT_EQ(runner.run({}, options)[0].get<double>(), 1.0 / 3);
  }
}

TEST_P(RunnerTest, ADeadlineOfZeroRunsNothing) {
  PlanBuilder builder;
  builder.output(builder.task("f", [](TaskArguments&) { ADD_FAILURE(); }, {}));
  const Runner runner(builder.build());
  RunOptions options = this->options();
  options.deadline = 0ns;
  EXPECT_THROW(static_cast<void>(runner.run({}, options)), Cancelled);
}

/// A broken plan, as no pass makes it: a count that nobody counts down. Debug builds refuse it from the start.
TEST_P(RunnerTest, ABrokenPlanEndsThoughTheCallerSleepsWhenTheLastHelperLeaves) {
  PlanBuilder builder;
  builder.task("short", [](TaskArguments&) { std::this_thread::sleep_for(10ms); }, {});
  const uint32_t slot =
      builder.task("long", [](TaskArguments&) { std::this_thread::sleep_for(40ms); }, {});
  builder.task("never", add_up, {slot});
  tuff::PlanArrays plan = builder.build();
  ++plan.wait_count[2];
  RunOptions options = this->options();
  options.deadline = 10s;  // ends a run that hangs, as Cancelled
  EXPECT_THROW(static_cast<void>(Runner(std::move(plan)).run({}, options)), tuff::InternalError);
}

TEST(Runner, WhatFailsAfterAStopIsNotReportedAsTheReason) {
  std::stop_source stop;
  PlanBuilder builder;
  builder.task("bad",
               [&stop](TaskArguments&) {
                 stop.request_stop();
                 throw std::runtime_error("interrupted");
               },
               {});
  RunOptions options = with(1);
  options.stop = stop.get_token();
  EXPECT_THROW(static_cast<void>(Runner(builder.build()).run({}, options)), Cancelled);
}

}  // namespace
}  // namespace tuff_test
