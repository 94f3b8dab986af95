// What a run promises: values, lifetimes, order, threads and nesting. How it fails: run_failure_test.cpp; what it
// tells: run_trace_test.cpp.
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

#include "tests/schedule/run_fixture.h"

namespace tuff_test {
namespace {

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

/// Counts what is alive, and the most that was.
struct Counts {
  std::atomic<int> live{0};
  std::atomic<int> most{0};
};
class Live {
 public:
  explicit Live(Counts& counts) : counts_(&counts) {
    const int now = counts.live.fetch_add(1) + 1;
    int seen = counts.most.load();
    while (seen < now && !counts.most.compare_exchange_weak(seen, now)) {
    }
  }
  ~Live() { counts_->live.fetch_sub(1); }
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;

 private:
  Counts* counts_;
};

/// A function whose tasks yield one Live each, and let other threads go first.
uint32_t make_live(PlanBuilder& builder, Counts& counts) {
  return builder.function("make", [&counts](TaskArguments& a) {
    a.outputs[0].emplace<std::shared_ptr<Live>>(std::make_shared<Live>(counts));
    std::this_thread::yield();
  });
}
uint32_t yield_number(PlanBuilder& builder) {
  return builder.function("finish", [](TaskArguments& a) { a.outputs[0].emplace<double>(1); });
}

TEST_P(RunnerTest, ConsumersRunBeforeNewSources) {
  // Four independent pipelines over 100 blocks each: source, step, step, and a sum that keeps a number.
  Counts counts;
  PlanBuilder builder;
  const uint32_t make = make_live(builder, counts);
  const uint32_t finish = yield_number(builder);
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
  EXPECT_LE(counts.most.load(), 4 * GetParam());
  EXPECT_EQ(counts.live.load(), 0);
}

TEST_P(RunnerTest, WhatARootMakesReadyWaitsForWhatElseItsReadersNeed) {
  // use(expand(a root, i), load(i)): a root makes hundreds of tasks ready that each need a load as well.
  for (int roots : {1, 32}) {
    Counts counts;
    PlanBuilder builder;
    const uint32_t make = make_live(builder, counts);
    const uint32_t finish = yield_number(builder);
    PlanBuilder::Slots shared;
    for (int r = 0; r < roots; ++r) shared.push_back(builder.task(make, {}));
    PlanBuilder::Slots sums;
    for (int i = 0; i < 512; ++i) {
      const uint32_t expanded = builder.task(make, {shared[static_cast<size_t>(i % roots)]});
      const uint32_t loaded = builder.task(make, {});
      sums.push_back(builder.task(finish, {expanded, loaded}));
      for (int joined = i + 1; joined % 2 == 0; joined /= 2) {
        const PlanBuilder::Slots two(sums.end() - 2, sums.end());
        sums.resize(sums.size() - 2);
        sums.push_back(builder.task("sum", add_up, two));
      }
    }
    for (uint32_t slot : sums) builder.output(slot);
    tuff::PlanArrays plan = builder.build();
    plan.is_ordered = true;
    const Runner runner(std::move(plan));
    for (int again = 0; again < 3; ++again) {
      EXPECT_EQ(runner.run({}, options())[0].get<double>(),
                runner.run({}, with(1))[0].get<double>());
      // Threads that the system puts aside hold up what others have made for them; depth first holds more than 512.
      EXPECT_LE(counts.most.load(), GetParam() == 1 ? roots + 2 : 256);
      EXPECT_EQ(counts.live.load(), 0);
    }
  }
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

TEST(Runner, AnEarlierPriorityComesBeforeWhatHasJustBecomeReady) {
  std::string order;
  const auto note = [&order](const char* name) {
    return [&order, name](TaskArguments& a) {
      order += name;
      a.outputs[0].emplace<double>(0);
    };
  };
  PlanBuilder builder;
  const uint32_t a = builder.task("a", note("A"), {});
  const uint32_t c = builder.task("c", note("C"), {});
  const uint32_t b = builder.task("b", note("B"), {a});
  builder.output(b);
  builder.output(c);
  tuff::PlanArrays plan = builder.build();
  plan.is_ordered = true;
  plan.options = {{}, {.priority = 10}, {.priority = -10}};
  plan.option_of = {1, 0, 2};
  static_cast<void>(Runner(std::move(plan)).run({}, with(1)));
  EXPECT_EQ(order, "ACB");
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

// --- Nesting ---------------------------------------------------------------------------------------

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

}  // namespace
}  // namespace tuff_test
