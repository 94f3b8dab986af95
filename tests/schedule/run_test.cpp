// What a run promises: values, lifetimes, order, errors, early ends, nesting, trace and progress.
#include "tuff/schedule/run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/block.h"
#include "tuff/base/error.h"

#include "tests/schedule/plan_builder.h"

namespace {

using namespace std::chrono_literals;

using tuff::Block;
using tuff::Cancelled;
using tuff::Context;
using tuff::Dims;
using tuff::DType;
using tuff::Runner;
using tuff::RunOptions;
using tuff::TaskArguments;
using tuff::TaskError;
using tuff::Value;
using tuff_test::add_up;
using tuff_test::PlanBuilder;

Context& context_of(int threads) {
  static Context one({.threads = 1});
  static Context two({.threads = 2});
  static Context seven({.threads = 7});
  return threads == 1 ? one : threads == 2 ? two : seven;
}

RunOptions with(int threads) {
  RunOptions options;
  options.context = &context_of(threads);
  return options;
}

std::vector<Value> values(std::initializer_list<double> numbers) {
  std::vector<Value> values;
  for (double number : numbers) values.emplace_back(number);
  return values;
}

void yield_block(TaskArguments& arguments, int64_t elements = 1000) {
  arguments.outputs[0].emplace<Block>(Block::allocate(DType::float64, Dims{elements}));
}

bool wait_for_stop(const std::stop_token& stop) {
  const auto limit = std::chrono::steady_clock::now() + 20s;
  while (!stop.stop_requested()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

struct KeepingSink : tuff::TraceSink {
  void on_run(const tuff::TraceRun& run) override {
    const std::lock_guard lock(mutex);
    runs.push_back(run);
  }
  std::mutex mutex;
  std::vector<tuff::TraceRun> runs;
};

struct KeepingObserver : tuff::RunObserver {
  void on_start(const std::shared_ptr<const tuff::RunProgress>& run) override {
    ++started;
    progress = run;
  }
  void on_finish(bool run_failed) override {
    ++finished;
    failed = run_failed;
  }
  std::shared_ptr<const tuff::RunProgress> progress;
  int started = 0;
  int finished = 0;
  bool failed = false;
};

/// Each test ends with as many live buffers as it began with.
class RunnerTest : public testing::TestWithParam<int> {
 protected:
  ~RunnerTest() override { EXPECT_EQ(tuff::buffer_statistics().live_buffers, live_buffers_); }
  RunOptions options() const { return with(GetParam()); }

 private:
  size_t live_buffers_ = tuff::buffer_statistics().live_buffers;
};

INSTANTIATE_TEST_SUITE_P(Threads, RunnerTest, testing::Values(1, 2, 7),
                         [](const auto& threads) { return std::to_string(threads.param); });

// --- Values ----------------------------------------------------------------------------------------

TEST_P(RunnerTest, PassesParametersAndConstantsAndReturnsOutputsInOrder) {
  PlanBuilder builder;
  const uint32_t p = builder.parameter();
  const uint32_t c = builder.constant(Value(10.0));
  const uint32_t q = builder.parameter();
  const auto minus = [](TaskArguments& a) {
    a.outputs[0].emplace<double>(a.inputs[0]->get<double>() - a.inputs[1]->get<double>());
  };
  const uint32_t x = builder.task("minus", minus, {p, c});
  const uint32_t y = builder.task("minus", minus, {x, q});
  builder.output(y);
  builder.output(x);
  builder.output(c);
  builder.output(y);
  builder.output(q);
  const Runner runner(builder.build());
  for (int round = 0; round < 3; ++round) {
    const std::vector<Value> out = runner.run(values({1.0 + round, 5.0}), options());
    ASSERT_EQ(out.size(), 5u);
    EXPECT_EQ(out[0].get<double>(), -14.0 + round);
    EXPECT_EQ(out[1].get<double>(), -9.0 + round);
    EXPECT_EQ(out[2].get<double>(), 10.0);
    EXPECT_EQ(out[3].get<double>(), -14.0 + round);
    EXPECT_EQ(out[4].get<double>(), 5.0);
  }
}

TEST_P(RunnerTest, APlanWithoutTasksReturnsParametersAndConstants) {
  EXPECT_TRUE(Runner(PlanBuilder().build()).run({}, options()).empty());
  PlanBuilder builder;
  builder.output(builder.constant(Value(2.5)));
  builder.output(builder.parameter());
  builder.parameter();
  const Runner runner(builder.build());
  const std::vector<Value> out = runner.run(values({7, 8}), options());
  EXPECT_EQ(out[0].get<double>(), 2.5);
  EXPECT_EQ(out[1].get<double>(), 7.0);
}

TEST_P(RunnerTest, PassesValuesOfAnyTypeWithoutCopyingThem) {
  PlanBuilder builder;
  const uint32_t made = builder.task(
      "make", [](TaskArguments& a) { a.outputs[0].emplace<std::unique_ptr<int>>(new int(5)); }, {});
  const uint32_t more = builder.task("increase",
                                     [](TaskArguments& a) {
                                       EXPECT_TRUE(a.last_use[0]);
                                       a.outputs[0] = std::move(*a.inputs[0]);
                                       ++*a.outputs[0].get<std::unique_ptr<int>>();
                                     },
                                     {made});
  builder.output(more);
  const Runner runner(builder.build());
  EXPECT_EQ(*runner.run({}, options())[0].get<std::unique_ptr<int>>(), 6);
}

TEST_P(RunnerTest, ATaskMayYieldSeveralValues) {
  PlanBuilder builder;
  const uint32_t three = builder.task("three", add_up, {}, 3);
  const uint32_t none = builder.task(
      "none", [](TaskArguments& a) { EXPECT_TRUE(a.outputs.empty()); }, {three}, 0);
  static_cast<void>(none);
  builder.output(three + 2);
  builder.output(builder.task("sum", add_up, {three, three + 1}));
  const Runner runner(builder.build());
  const std::vector<Value> out = runner.run({}, options());
  EXPECT_DOUBLE_EQ(out[0].get<double>(), 1.0 / 3 + 2);
  EXPECT_DOUBLE_EQ(out[1].get<double>(), (3.0 + 2.0 / 3 + 1) / 3);
}

TEST_P(RunnerTest, AnOutputGoesIntoTheNextRunWithoutACopy) {
  PlanBuilder builder;
  const uint32_t x = builder.parameter();
  builder.output(builder.task("in place",
                              [](TaskArguments& a) {
                                ASSERT_TRUE(a.last_use[0]);
                                Block block = std::move(a.inputs[0]->get<Block>());
                                ASSERT_TRUE(block.is_unique());
                                block.data<double>()[0] += 1;
                                a.outputs[0].emplace<Block>(std::move(block));
                              },
                              {x}));
  const Runner runner(builder.build());
  std::vector<Value> state;
  state.emplace_back(Block::scalar(0.0));
  const double* address = state[0].get<Block>().data<double>();
  for (int i = 0; i < 10; ++i) state = runner.run(std::move(state), options());
  EXPECT_EQ(state[0].get<Block>().data<double>(), address);
  EXPECT_EQ(state[0].get<Block>().item<double>(), 10.0);
}

TEST_P(RunnerTest, NobodyMayConsumeWhatIsReturnedOrReadByOthers) {
  PlanBuilder builder;
  const uint32_t returned = builder.task("returned", add_up, {});
  const uint32_t constant = builder.constant(Value(1.0));
  const uint32_t shared = builder.task("shared", add_up, {});
  std::atomic<int> consumed{0};
  const auto reader = [&consumed](TaskArguments& a) {
    EXPECT_FALSE(a.last_use[0]);
    EXPECT_FALSE(a.last_use[1]);
    consumed += a.last_use[2] ? 1 : 0;
    a.outputs[0].emplace<double>(0);
  };
  const uint32_t first = builder.task("reader", reader, {returned, constant, shared});
  builder.task("reader", reader, {returned, constant, shared, first});
  builder.output(returned);
  const Runner runner(builder.build());
  EXPECT_EQ(runner.run({}, options())[0].get<double>(), 1.0 / 3);
  EXPECT_EQ(consumed, 1);  // the second reader, which waits for the first
}

TEST_P(RunnerTest, FreesValuesAtTheirLastUse) {
  PlanBuilder builder;
  uint32_t last = builder.task("source", [](TaskArguments& a) { yield_block(a); }, {});
  for (int i = 0; i < 50; ++i) {
    last = builder.task("step", [](TaskArguments& a) { yield_block(a); }, {last});
  }
  builder.output(last);
  const Runner runner(builder.build());
  tuff::release_recycled_memory();
  const size_t before = tuff::buffer_statistics().live_bytes;
  tuff::reset_peak_live_bytes();
  const std::vector<Value> out = runner.run({}, options());
  const tuff::BufferStatistics after = tuff::buffer_statistics();
  EXPECT_EQ(after.live_bytes, before + 8000);
  // Two blocks; the statistics may miss, or add, 64 KiB per further thread.
  EXPECT_LE(after.peak_live_bytes, before + 16000 + 65536 * static_cast<size_t>(GetParam() - 1));
}

TEST_P(RunnerTest, ConsumersRunBeforeNewSources) {
  // Four independent pipelines over 100 blocks each: source, step, step, and a sum that keeps a number.
  std::atomic<int> live{0};
  std::atomic<int> most{0};
  struct Live {
    std::atomic<int>* live;
    explicit Live(std::atomic<int>* count) : live(count) { live->fetch_add(1); }
    Live(Live&& other) noexcept : live(std::exchange(other.live, nullptr)) {}
    ~Live() {
      if (live != nullptr) live->fetch_sub(1);
    }
  };
  PlanBuilder builder;
  const uint32_t make = builder.function("make", [&](TaskArguments& a) {
    a.outputs[0].emplace<std::shared_ptr<Live>>(std::make_shared<Live>(&live));
    int seen = most.load();
    while (seen < live.load() && !most.compare_exchange_weak(seen, live.load())) {
    }
    std::this_thread::yield();
  });
  const uint32_t finish =
      builder.function("finish", [](TaskArguments& a) { a.outputs[0].emplace<double>(1); });
  for (int pipeline = 0; pipeline < 4; ++pipeline) {
    std::vector<uint32_t> sums;
    for (int block = 0; block < 100; ++block) {
      const uint32_t source = builder.task(make, {});
      const uint32_t step = builder.task(make, {builder.task(make, {source})});
      sums.push_back(builder.task(finish, {step}));
    }
    builder.output(builder.task("total", add_up, sums));
  }
  const Runner runner(builder.build());
  static_cast<void>(runner.run({}, options()));
  EXPECT_LE(most.load(), 4 * GetParam());
  EXPECT_EQ(live.load(), 0);
}

// --- Order and threads -----------------------------------------------------------------------------

TEST(Runner, GoesDepthFirstByLowestNumber) {
  std::vector<uint32_t> order;
  PlanBuilder builder;
  const uint32_t f = builder.function("f", [&order](TaskArguments& a) {
    order.push_back(a.block);
    a.outputs[0].emplace<double>(0);
  });
  const uint32_t r0 = builder.task(f, {});    // 0
  const uint32_t a1 = builder.task(f, {r0});  // 1
  const uint32_t a2 = builder.task(f, {r0});  // 2
  const uint32_t b3 = builder.task(f, {a1});  // 3
  const uint32_t r4 = builder.task(f, {});    // 4
  builder.task(f, {r0});                      // 5
  builder.task(f, {a2, r4});                  // 6
  builder.task(f, {b3, r4});                  // 7
  static_cast<void>(Runner(builder.build()).run({}, with(1)));
  EXPECT_EQ(order, (std::vector<uint32_t>{0, 1, 3, 2, 5, 4, 6, 7}));
}

TEST(Runner, TasksRunSideBySide) {
  // Each of two tasks waits until the other has begun.
  std::atomic<int> begun{0};
  PlanBuilder builder;
  const uint32_t f = builder.function("meet", [&begun](TaskArguments& a) {
    ++begun;
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (begun.load() < 2 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    a.outputs[0].emplace<double>(begun.load());
  });
  builder.output(builder.task(f, {}));
  builder.output(builder.task(f, {}));
  const std::vector<Value> out = Runner(builder.build()).run({}, with(2));
  EXPECT_EQ(out[0].get<double>(), 2);
  EXPECT_EQ(out[1].get<double>(), 2);
}

TEST(Runner, ThreadsThatParkedComeBackWhenWorkTurnsUp) {
  // A long first task lets the helper park; then two tasks become ready that need each other.
  std::atomic<int> begun{0};
  PlanBuilder builder;
  const uint32_t slow = builder.task("slow",
                                     [](TaskArguments& a) {
                                       std::this_thread::sleep_for(20ms);
                                       a.outputs[0].emplace<double>(0);
                                     },
                                     {});
  const uint32_t quick = builder.task("quick", add_up, {});
  const uint32_t meet = builder.function("meet", [&begun](TaskArguments& a) {
    ++begun;
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (begun.load() < 2 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    a.outputs[0].emplace<double>(begun.load());
  });
  builder.output(builder.task(meet, {slow, quick}));
  builder.output(builder.task(meet, {slow}));
  const Runner runner(builder.build());
  for (int round = 0; round < 5; ++round) {
    begun = 0;
    const std::vector<Value> met = runner.run({}, with(2));
    EXPECT_EQ(met[0].get<double>(), 2);
    EXPECT_EQ(met[1].get<double>(), 2);
  }
}

TEST(Runner, TasksRunSideBySideAfterManyThatWereTooShortToBeShared) {
  // The caller works alone through 20,000 tasks of a few nanoseconds. Then two come that need each other:
  // whoever looks while the first of them runs must get in.
  std::atomic<int> begun{0};
  PlanBuilder builder;
  const uint32_t tiny = builder.function("tiny", add_up);
  const uint32_t meet = builder.function("meet", [&begun](TaskArguments& a) {
    ++begun;
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (begun.load() < 2 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    a.outputs[0].emplace<double>(begun.load());
  });
  std::vector<uint32_t> ends;
  for (int i = 0; i < 100; ++i) {
    uint32_t end = builder.task(tiny, {});
    for (int step = 0; step < 200; ++step) end = builder.task(tiny, {end});
    ends.push_back(end);
  }
  const uint32_t all = builder.task(tiny, ends);
  builder.output(builder.task(meet, {all}));
  builder.output(builder.task(meet, {all}));
  const Runner runner(builder.build());
  for (int round = 0; round < 20; ++round) {
    begun = 0;
    const std::vector<Value> met = runner.run({}, with(round % 2 == 0 ? 2 : 7));
    EXPECT_EQ(met[0].get<double>(), 2);
    EXPECT_EQ(met[1].get<double>(), 2);
  }
}

TEST(Runner, NobodyIsLeftAloneWhenItsWatcherGoesElsewhere) {
  // A client with tiny tasks is watched by one of two helpers. Another client's run takes a helper for as
  // long as it lasts; then the first one's tasks become long and need each other.
  Context context({.threads = 3});
  std::atomic<bool> tiny_runs{false}, others_are_in{false}, over{false};
  std::atomic<int> begun{0};
  const auto wait_until = [](const auto& ready) {
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (!ready() && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    return ready();
  };
  PlanBuilder lonely;
  const uint32_t tiny = lonely.function("tiny", [&](TaskArguments& a) {
    tiny_runs.store(true, std::memory_order_relaxed);
    a.outputs[0].emplace<double>(1);
  });
  const uint32_t more = lonely.function("more", [&](TaskArguments& a) {
    // A chain of tiny tasks does not know its end: the other run decides.
    a.outputs[0].emplace<double>(others_are_in.load(std::memory_order_relaxed) ? 1 : 0);
  });
  const uint32_t meet = lonely.function("meet", [&](TaskArguments& a) {
    ++begun;
    a.outputs[0].emplace<bool>(wait_until([&] { return begun.load() == 2; }));
    over.store(true);
  });
  std::vector<uint32_t> ends;
  for (int chain = 0; chain < 50; ++chain) {
    uint32_t end = lonely.task(tiny, {});
    for (int step = 0; step < 20'000; ++step) end = lonely.task(more, {end});
    ends.push_back(end);
  }
  const uint32_t all = lonely.task(more, ends);
  lonely.output(lonely.task(meet, {all}));
  lonely.output(lonely.task(meet, {all}));
  const Runner first(lonely.build());

  std::atomic<int> others{0};
  PlanBuilder other;
  const uint32_t hold = other.function("hold", [&](TaskArguments& a) {
    if (++others == 2) others_are_in.store(true);
    wait_until([&] { return over.load(); });
    a.outputs[0].emplace<double>(0);
  });
  other.output(other.task(hold, {}));
  other.output(other.task(hold, {}));
  const Runner second(other.build());

  RunOptions options;
  options.context = &context;
  for (int round = 0; round < 3; ++round) {
    begun = 0;
    others = 0;
    tiny_runs = others_are_in = over = false;
    std::thread client([&] {
      wait_until([&] { return tiny_runs.load(); });
      static_cast<void>(second.run({}, options));
    });
    const std::vector<Value> met = first.run({}, options);
    client.join();
    EXPECT_TRUE(met[0].get<bool>());
    EXPECT_TRUE(met[1].get<bool>());
  }
}

TEST(Runner, NothingStartsAfterAStopThatComesWhileTheDoorIsOpened) {
  // A chain in a long first task: a helper asks to come in for the sake of a second root, which then fails.
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> failing{false};
    std::atomic<int> later{0};
    PlanBuilder builder;
    const uint32_t slow = builder.task("slow",
                                       [&](TaskArguments& a) {
                                         while (!a.stop.stop_requested()) std::this_thread::yield();
                                         a.outputs[0].emplace<double>(0);
                                       },
                                       {});
    builder.output(builder.task("later",
                                [&](TaskArguments& a) {
                                  ++later;
                                  a.outputs[0].emplace<double>(0);
                                },
                                {slow}));
    builder.output(builder.task("bad",
                                [&](TaskArguments&) {
                                  failing = true;
                                  throw std::runtime_error("bad");
                                },
                                {}));
    EXPECT_THROW(static_cast<void>(Runner(builder.build()).run({}, with(2))), TaskError);
    EXPECT_TRUE(failing.load());
    EXPECT_EQ(later.load(), 0);
  }
}

TEST(Runner, UsesNoMoreThreadsThanAsked) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  PlanBuilder builder;
  const uint32_t f = builder.function("f", [&](TaskArguments& a) {
    {
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    }
    std::this_thread::sleep_for(100us);
    a.outputs[0].emplace<double>(0);
  });
  for (int i = 0; i < 200; ++i) builder.task(f, {});
  const Runner runner(builder.build());
  for (int limit : {1, 2, 3}) {
    threads.clear();
    RunOptions options = with(7);
    options.threads = limit;
    KeepingSink sink;
    options.trace = &sink;
    static_cast<void>(runner.run({}, options));
    EXPECT_TRUE(threads.contains(std::this_thread::get_id()));
    EXPECT_EQ(sink.runs[0].threads, static_cast<uint32_t>(limit));
    EXPECT_TRUE(limit > 1 || threads.size() == 1);
  }
}

TEST(Runner, MoreThreadsThanTheContextHasAreFine) {
  PlanBuilder builder;
  for (int i = 0; i < 100; ++i) builder.output(builder.task("f", add_up, {}));
  RunOptions options = with(2);
  options.threads = 1000;
  EXPECT_EQ(Runner(builder.build()).run({}, options).size(), 100u);
}

TEST(Runner, WorksInTheCurrentContextByDefault) {
  PlanBuilder builder;
  builder.output(builder.task("f", add_up, {}));
  EXPECT_EQ(Runner(builder.build()).run({})[0].get<double>(), 1.0 / 3);
}

TEST(Runner, FewerThreadsThanOneAreAnError) {
  PlanBuilder builder;
  builder.task("f", add_up, {});
  const Runner runner(builder.build());
  RunOptions options = with(2);
  options.threads = 0;
  try {
    static_cast<void>(runner.run({}, options));
    FAIL();
  } catch (const tuff::InvalidArgument& error) {
    EXPECT_STREQ(error.what(), "[run] threads = 0; at least 1 is needed");
  }
}

TEST(Runner, TheWrongNumberOfParametersIsAnInternalError) {
  PlanBuilder builder;
  builder.parameter();
  const Runner runner(builder.build());
  EXPECT_THROW(static_cast<void>(runner.run({})), tuff::InternalError);
  EXPECT_THROW(static_cast<void>(runner.run(values({1, 2}))), tuff::InternalError);
}

TEST(Runner, TasksThatWaitForEachOtherAreAnErrorAndNotAHang) {
  for (int threads : {1, 2}) {
    PlanBuilder builder;
    const uint32_t a = builder.task("a", add_up, {});
    const uint32_t b = builder.task("b", add_up, {a});
    builder.task("c", add_up, {b});
    tuff::PlanArrays plan = builder.build();
    plan.wait_count[1] = 2;  // one more than there are, so b is never ready
    EXPECT_THROW(
        {
          const Runner runner(std::move(plan));  // a build with checks refuses it here
          static_cast<void>(runner.run({}, with(threads)));
        },
        tuff::InternalError);
  }
}

TEST(Runner, CanBeMoved) {
  PlanBuilder builder;
  builder.output(builder.task("f", add_up, {}));
  Runner first(builder.build());
  static_cast<void>(first.run({}, with(2)));
  const Runner second = std::move(first);
  EXPECT_EQ(second.run({}, with(2))[0].get<double>(), 1.0 / 3);
  EXPECT_EQ(second.arrays().task_count(), 1u);
}

// --- Failures --------------------------------------------------------------------------------------

tuff::PlanArrays failing_plan(tuff_test::LambdaTask::Body fail, std::atomic<int>& later) {
  PlanBuilder builder;
  std::vector<uint32_t> sources;
  sources.reserve(20);
  const uint32_t source = builder.function("source", [](TaskArguments& a) { yield_block(a); });
  for (int i = 0; i < 20; ++i) sources.push_back(builder.task(source, {}));
  const uint32_t bad = builder.task("bad", std::move(fail), sources);
  for (int i = 0; i < 20; ++i) {
    builder.output(builder.task("later",
                                [&later](TaskArguments& a) {
                                  ++later;
                                  yield_block(a);
                                },
                                {bad, sources[static_cast<size_t>(i)]}));
  }
  builder.output(sources[0]);
  return builder.build();
}

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

TEST(Runner, AnOutputThatCannotBeCopiedTwiceLeavesNothingBehind) {
  PlanBuilder builder;
  const uint32_t x = builder.task(
      "make", [](TaskArguments& a) { a.outputs[0].emplace<std::unique_ptr<int>>(new int(1)); }, {});
  builder.output(x);
  builder.output(x);
  const Runner runner(builder.build());
  EXPECT_THROW(static_cast<void>(runner.run({}, with(1))), tuff::InternalError);
  EXPECT_THROW(static_cast<void>(runner.run({}, with(1))), tuff::InternalError);
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

// --- Nesting ---------------------------------------------------------------------------------------

/// A plan of `width` tasks, each of which runs `inner`, and their sum.
tuff::PlanArrays nesting_plan(const Runner& inner, int width, Context& context) {
  PlanBuilder builder;
  const uint32_t f = builder.function("nest", [&inner, &context](TaskArguments& a) {
    RunOptions options;
    options.context = &context;
    a.outputs[0] = std::move(inner.run({}, options)[0]);
  });
  std::vector<uint32_t> all;
  all.reserve(static_cast<size_t>(width));
  for (int i = 0; i < width; ++i) all.push_back(builder.task(f, {}));
  builder.output(builder.task(
      "sum",
      [](TaskArguments& a) {
        double sum = 0;
        for (const Value* input : a.inputs) sum += input->get<double>();
        a.outputs[0].emplace<double>(sum);
      },
      all));
  return builder.build();
}

TEST_P(RunnerTest, NestedRunsGiveTheRightSumAtAnyDepth) {
  Context& context = context_of(GetParam());
  PlanBuilder builder;
  builder.output(
      builder.task("one", [](TaskArguments& a) { a.outputs[0].emplace<double>(1); }, {}));
  std::vector<std::unique_ptr<Runner>> levels;
  levels.push_back(std::make_unique<Runner>(builder.build()));
  for (int level = 0; level < 5; ++level) {
    levels.push_back(std::make_unique<Runner>(nesting_plan(*levels.back(), 4, context)));
  }
  EXPECT_EQ(levels.back()->run({}, options())[0].get<double>(), 1024.0);
}

TEST_P(RunnerTest, AFailureInANestedRunIsNestedInTheError) {
  PlanBuilder builder;
  builder.output(
      builder.task("deep", [](TaskArguments&) { throw std::runtime_error("disk full"); }, {}));
  const Runner inner(builder.build());
  const Runner outer(nesting_plan(inner, 1, context_of(GetParam())));
  try {
    static_cast<void>(outer.run({}, options()));
    FAIL();
  } catch (const TaskError& error) {
    EXPECT_STREQ(
        error.what(),
        "[run] task 0 (nest) on block (0,) failed: [run] task 0 (deep) on block (0,) failed: "
        "disk full");
  }
}

TEST_P(RunnerTest, ANestedRunEndsWithTheRunAroundIt) {
  std::stop_source stop;
  PlanBuilder builder;
  builder.output(builder.task("deep",
                              [&stop](TaskArguments& a) {
                                stop.request_stop();
                                EXPECT_TRUE(wait_for_stop(a.stop));
                                a.outputs[0].emplace<double>(0);
                              },
                              {}));
  const Runner inner(builder.build());
  const Runner outer(nesting_plan(inner, 3, context_of(GetParam())));
  RunOptions options = this->options();
  options.stop = stop.get_token();
  EXPECT_THROW(static_cast<void>(outer.run({}, options)), Cancelled);
}

TEST_P(RunnerTest, ANestedRunHasItsOwnScratch) {
  PlanBuilder builder;
  builder.output(builder.task("inner",
                              [](TaskArguments& a) {
                                std::fill_n(a.scratch->get(1000), 1000, std::byte{2});
                                a.outputs[0].emplace<double>(1);
                              },
                              {}));
  const Runner inner(builder.build());
  PlanBuilder outer;
  outer.task("outer",
             [&inner, this](TaskArguments& a) {
               std::byte* mine = a.scratch->get(1000);
               std::fill_n(mine, 1000, std::byte{1});
               static_cast<void>(inner.run({}, options()));
               EXPECT_EQ(std::count(mine, mine + 1000, std::byte{1}), 1000);
               a.outputs[0].emplace<double>(1);
             },
             {});
  static_cast<void>(Runner(outer.build()).run({}, options()));
}

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
    void on_run(const tuff::TraceRun&) override { throw std::runtime_error("sink"); }
    void on_start(const std::shared_ptr<const tuff::RunProgress>&) override {}
    void on_finish(bool) override { throw std::runtime_error("observer"); }
  } bad;
  PlanBuilder builder;
  builder.output(builder.task("f", add_up, {}));
  RunOptions options = with(1);
  options.trace = &bad;
  options.observer = &bad;
  EXPECT_EQ(Runner(builder.build()).run({}, options)[0].get<double>(), 1.0 / 3);
}

TEST(Runner, ObserversThatStartedAreToldWhenALaterOneRefuses) {
  struct Refuses : KeepingObserver {
    void on_start(const std::shared_ptr<const tuff::RunProgress>&) override {
      throw std::runtime_error("no terminal");
    }
  } refuses;
  Context context({.threads = 1});
  const auto good = std::make_shared<KeepingObserver>();
  context.add_observer(good);
  PlanBuilder builder;
  builder.task("f", [](TaskArguments&) { ADD_FAILURE(); }, {});
  RunOptions options;
  options.context = &context;
  options.observer = &refuses;
  EXPECT_THROW(static_cast<void>(Runner(builder.build()).run({}, options)), std::runtime_error);
  EXPECT_EQ(good->finished, 1);
  EXPECT_EQ(refuses.finished, 0);
}

}  // namespace
