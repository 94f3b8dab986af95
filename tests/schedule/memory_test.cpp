// Runs under a memory budget that they would exceed: exact results, a peak within the budget, and errors that
// lose nothing.
#include "tuff/schedule/memory.h"

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/buffer.h"
#include "tuff/base/error.h"
#include "tuff/schedule/run.h"

#include "tests/schedule/memory_plans.h"

namespace {

using namespace tuff_test;  // NOLINT(google-build-using-namespace)
using tuff::MemoryError;
using tuff::Runner;
using tuff::StoredBlock;
using tuff::TaskError;

PlanArrays random_plan(unsigned seed) {
  std::mt19937 random(seed);
  PlanBuilder builder;
  const uint32_t source = builder.function("source", make);
  const uint32_t add = builder.function("mix", mix);
  const auto tasks = static_cast<uint32_t>(20 + random() % 60);
  std::vector<uint32_t> slots;
  for (uint32_t t = 0; t < tasks; ++t) {
    std::vector<uint32_t> inputs;
    const uint32_t count = slots.empty() || random() % 4 == 0 ? 0 : 1 + random() % 3;
    for (uint32_t i = 0; i < count; ++i) inputs.push_back(slots[random() % slots.size()]);
    slots.push_back(builder.task(inputs.empty() ? source : add, inputs));
  }
  builder.output(slots.back());
  builder.output(slots[slots.size() / 2]);
  return sized(builder.build());
}

class Memory : public testing::Test {
 protected:
  void SetUp() override { before_ = tuff::live_bytes(); }
  void TearDown() override { EXPECT_EQ(tuff::live_bytes(), before_) << "blocks are left"; }
  size_t before_ = 0;
};

TEST_F(Memory, ARunThatDoesNotFitIsExactAndStaysWithinItsBudget) {
  const Runner runner(two_passes(64));
  const std::vector<double> want = values_of(runner.run({}));
  for (int threads : {1, 2, 4}) {
    Small small(12, threads);
    tuff::reset_peak_live_bytes();
    EXPECT_EQ(values_of(runner.run({}, small.options())), want) << threads << " threads";
    const MemoryStatistics seen = small.statistics();
    EXPECT_LE(seen.peak_live_bytes, before_ + 12 * kBytes);
    EXPECT_GE(seen.spilled_bytes, 40 * kBytes);
    EXPECT_GE(seen.read_back_bytes, 40 * kBytes);
    // 64 blocks, and with more threads some of what the second pass makes; none of them twice.
    EXPECT_LE(seen.written_bytes, (threads == 1 ? 70 : 128) * kBytes);
    EXPECT_EQ(seen.disk_bytes, 0u);
  }
}

TEST_F(Memory, ARunThatFitsSpillsNothing) {
  Small small(1000);
  values_of(Runner(two_passes(64)).run({}, small.options()));
  EXPECT_EQ(small.statistics().spilled_bytes, 0u);
}

TEST_F(Memory, WhatIsNeededLatestGoesFirst) {
  // 20 blocks, read one by one from the last one made to the first: all must be there when that begins.
  PlanBuilder builder;
  const uint32_t source = builder.function("source", make);
  const uint32_t add = builder.function("mix", mix);
  std::vector<uint32_t> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back(builder.task(source, {}));
  uint32_t gate = builder.task(add, {blocks[19]});
  for (size_t i = 19; i-- > 0;) gate = builder.task(add, {gate, blocks[i]});
  builder.output(gate);
  const Runner runner(sized(builder.build()));
  Small small(10, 1);
  values_of(runner.run({}, small.options()));
  // Each block that was spilled was needed once more, so each is read back once and none is spilled twice.
  EXPECT_EQ(small.statistics().read_back_bytes, small.statistics().spilled_bytes);
  EXPECT_GE(small.statistics().spilled_bytes, 10 * kBytes);
  EXPECT_LE(small.statistics().spilled_bytes, 14 * kBytes);
}

TEST_F(Memory, RandomGraphsUnderTinyBudgetsGiveEqualBits) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const Runner runner(random_plan(seed));
    const std::vector<double> want = values_of(runner.run({}));
    Small small(6 + seed % 5, 1 + static_cast<int>(seed % 4));
    for (int repeat = 0; repeat < 2; ++repeat)
      ASSERT_EQ(values_of(runner.run({}, small.options())), want) << "seed " << seed;
    ASSERT_EQ(small.statistics().disk_bytes, 0u) << "seed " << seed;
  }
}

TEST_F(Memory, SizesThatNobodyKnowsAreLearned) {
  PlanArrays plan = two_passes(64);
  plan.function_bytes.clear();
  plan.output_bytes = tuff::BlockBytes::kUnknown;
  struct Unknown final : tuff::TaskFunction {
    explicit Unknown(std::shared_ptr<const tuff::TaskFunction> function)
        : inner(std::move(function)) {}
    void run(TaskArguments& arguments) const override { inner->run(arguments); }
    std::string_view name() const override { return inner->name(); }
    bool yields_unknown_sizes() const override { return true; }
    std::shared_ptr<const tuff::TaskFunction> inner;
  };
  for (auto& function : plan.functions) function = std::make_shared<Unknown>(function);
  const Runner runner(std::move(plan));
  const std::vector<double> want = values_of(runner.run({}));
  Small small(12);
  tuff::reset_peak_live_bytes();
  EXPECT_EQ(values_of(runner.run({}, small.options())), want);
  EXPECT_LE(small.statistics().peak_live_bytes, before_ + 14 * kBytes);
}

TEST_F(Memory, TheBudgetOfOneRunCanBeSet) {
  Small large(1000);
  const Runner runner(two_passes(64));
  tuff::reset_peak_live_bytes();
  RunOptions options = large.options();
  options.memory_bytes = 12 * kBytes;
  values_of(runner.run({}, options));
  EXPECT_LE(large.statistics().peak_live_bytes, before_ + 12 * kBytes);
  EXPECT_GT(large.statistics().spilled_bytes, 0u);
}

TEST_F(Memory, ATaskThatCannotFitIsAnErrorBeforeAnythingRuns) {
  PlanBuilder builder;
  int ran = 0;
  const uint32_t source = builder.function("source", [&ran](TaskArguments& arguments) {
    ++ran;
    make(arguments);
  });
  std::vector<uint32_t> blocks;
  for (int i = 0; i < 10; ++i) blocks.push_back(builder.task(source, {}));
  builder.output(builder.task("join", mix, blocks));
  const Runner runner(sized(builder.build()));
  Small small(8);
  try {
    runner.run({}, small.options());
    FAIL() << "no error";
  } catch (const MemoryError& error) {
    EXPECT_STREQ(
        error.what(),
        "[run] task 10 (join) on block (10,) needs 2.9 MB at once, 2.6 MB of inputs and 0.3 MB of "
        "outputs; "
        "the memory budget is 2.1 MB; cut the arrays into smaller blocks, or raise it with "
        "RunOptions::memory_bytes or TUFF_MEMORY_BYTES");
  }
  EXPECT_EQ(ran, 0);
}

TEST_F(Memory, ResultsThatCannotFitAreAnErrorBeforeAnythingRuns) {
  PlanBuilder builder;
  const uint32_t source = builder.function("source", make);
  for (int i = 0; i < 10; ++i) builder.output(builder.task(source, {}));
  const Runner runner(sized(builder.build()));
  Small small(8);
  try {
    runner.run({}, small.options());
    FAIL() << "no error";
  } catch (const MemoryError& error) {
    EXPECT_STREQ(error.what(),
                 "[run] the results take 2.6 MB, the memory budget is 2.1 MB; persist() keeps on "
                 "disk what does not "
                 "fit; or raise it with RunOptions::memory_bytes or TUFF_MEMORY_BYTES");
  }
}

TEST_F(Memory, ABudgetOfNothingIsRefused) {
  EXPECT_THROW(Context({.memory_bytes = 0}), tuff::InvalidArgument);
  const Runner runner(two_passes(4));
  try {
    runner.run({}, {.memory_bytes = 0});
    FAIL() << "no error";
  } catch (const tuff::InvalidArgument& error) {
    EXPECT_STREQ(error.what(), "[run] memory_bytes = 0; at least 1 is needed");
  }
}

TEST_F(Memory, AFullDiskIsAnErrorThatLosesNothing) {
  const Runner runner(two_passes(64));
  const std::vector<double> want = values_of(runner.run({}));
  for (int threads : {1, 2, 4}) {
    Small full(12, threads, 10 * kBytes);
    for (int repeat = 0; repeat < 3; ++repeat) {
      try {
        runner.run({}, full.options());
        FAIL() << "no error";
      } catch (const TaskError& error) {
        EXPECT_NE(std::string(error.what()).find("[spill] no room for 0.3 MB more in /var/tmp: "),
                  std::string::npos)
            << error.what();
        EXPECT_THROW(std::rethrow_exception(error.failures()[0].cause), MemoryError);
      }
      EXPECT_EQ(tuff::live_bytes(), before_);
      EXPECT_EQ(full.statistics().disk_bytes, 0u);
    }
    RunOptions more = full.options();
    more.memory_bytes = 1000 * kBytes;
    EXPECT_EQ(values_of(runner.run({}, more)), want);
  }
}

TEST_F(Memory, AFailedTaskFindsItsInputsAgainWhenItIsRerun) {
  PlanBuilder builder;
  const uint32_t source = builder.function("source", make);
  std::vector<uint32_t> blocks;
  for (int i = 0; i < 30; ++i) blocks.push_back(builder.task(source, {}));
  int calls = 0;
  std::vector<double> seen;
  const uint32_t sum = builder.task("sum",
                                    [&](TaskArguments& arguments) {
                                      ++calls;
                                      seen = arguments.inputs[1]->get<Block>().to_vector<double>();
                                      throw std::runtime_error("no");
                                    },
                                    {blocks[29], blocks[3]});
  uint32_t last = sum;
  for (uint32_t block : blocks) last = builder.task("mix", mix, {last, block});
  builder.output(last);
  const Runner runner(sized(builder.build()));
  Small small(12);
  RunOptions options = small.options();
  options.rerun_failed = true;
  try {
    runner.run({}, options);
    FAIL() << "no error";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "no");
  }
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(seen[5], std::sin(3 * 7919 + 5));
  EXPECT_GT(small.statistics().spilled_bytes, 0u);
}

TEST_F(Memory, StoredBlocksSpillAndComeBackAndGoWithTheLastHandle) {
  Small small(12);
  auto budget = small.context.service<tuff::MemoryBudget>().shared_from_this();
  std::vector<std::shared_ptr<StoredBlock>> stored;
  std::vector<std::vector<double>> want;
  for (uint32_t i = 0; i < 10; ++i) {
    Block block = Block::allocate(DType::float64, Dims{kElements / 4, 4});
    for (int64_t k = 0; k < kElements; ++k)
      block.data<double>()[k] = i + 1e-6 * static_cast<double>(k);
    const int64_t turned[] = {1, 0};
    if (i % 2 == 1) block = block.transposed(turned);
    want.push_back(block.to_vector<double>());
    stored.push_back(std::make_shared<StoredBlock>(budget, std::move(block)));
  }
  // The run needs the room that stored blocks have.
  const Runner runner(two_passes(64));
  const std::vector<double> expected = values_of(runner.run({}));
  tuff::reset_peak_live_bytes();
  EXPECT_EQ(values_of(runner.run({}, small.options())), expected);
  EXPECT_LE(small.statistics().peak_live_bytes, before_ + 12 * kBytes);
  EXPECT_GE(small.statistics().disk_bytes, 5 * kBytes / 4);
  for (int repeat = 0; repeat < 2; ++repeat) {
    for (size_t i = 0; i < stored.size(); ++i) {
      const Block block = stored[i]->get();
      EXPECT_EQ(block.to_vector<double>(), want[i]);
      EXPECT_EQ(block.strides(), i % 2 == 1 ? (Dims{1, 4}) : (Dims{4, 1}));
      EXPECT_EQ(stored[i]->shape(), block.shape());
    }
  }
  stored.clear();
  EXPECT_EQ(small.statistics().disk_bytes, 0u);
}

TEST_F(Memory, APieceOfSomethingLargeIsStoredAlone) {
  Small small(12);
  auto budget = small.context.service<tuff::MemoryBudget>().shared_from_this();
  Block large = Block::allocate(DType::float64, Dims{kElements});
  large.data<double>()[5] = 42;
  StoredBlock stored(budget, large.strided_view(5, Dims{10}, Dims{1}));
  large = Block();
  EXPECT_LE(tuff::live_bytes(), before_ + 1000);
  EXPECT_EQ(stored.get().data<double>()[0], 42);
}

/// Of so many clients of one context that run the plan so often, all at once.
int wrong_answers(const Runner& runner, Small& small, const std::vector<double>& want, int clients,
                  int repeats) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int c = 0; c < clients; ++c) {
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < repeats; ++repeat)
        wrong += values_of(runner.run({}, small.options())) != want;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return wrong;
}

TEST_F(Memory, RunsOfManyClientsShareOneBudget) {
  const Runner runner(two_passes(48));
  const std::vector<double> want = values_of(runner.run({}));
  Small small(24, 3);
  tuff::reset_peak_live_bytes();
  EXPECT_EQ(wrong_answers(runner, small, want, 4, 3), 0);
  EXPECT_LE(small.statistics().peak_live_bytes, before_ + 24 * kBytes);
}

TEST_F(Memory, ClientsWaitForEachOtherWhenNothingCanGoToDisk) {
  // Nothing is ever spillable: each task's only input is pinned, and its output is read by the next.
  PlanBuilder builder;
  uint32_t last = builder.task("source", make, {});
  for (int i = 0; i < 20; ++i) last = builder.task("mix", mix, {last, last});
  builder.output(last);
  const Runner runner(sized(builder.build()));
  const std::vector<double> want = values_of(runner.run({}));
  Small small(6, 1);  // a client needs two
  tuff::reset_peak_live_bytes();
  EXPECT_EQ(wrong_answers(runner, small, want, 8, 5), 0);
  EXPECT_LE(small.statistics().peak_live_bytes, before_ + 6 * kBytes);
}

TEST_F(Memory, ATaskMayWaitForARunInAThreadOfItsOwn) {
  Small small(6, 2);
  const auto inner = std::make_shared<Runner>(two_passes(12));
  const std::vector<double> want = values_of(inner->run({}));
  std::vector<double> got;
  PlanBuilder builder;
  const uint32_t source = builder.task("source", make, {});
  builder.output(
      builder.task("waits",
                   [&](TaskArguments& arguments) {
                     std::thread([&] { got = values_of(inner->run({}, small.options())); }).join();
                     mix(arguments);
                   },
                   {source, source, source, source}));
  PlanArrays plan = sized(builder.build());
  plan.output_bytes = 100 * kBytes;  // so that it asks for its memory
  static_cast<void>(Runner(std::move(plan)).run({}, small.options()));
  EXPECT_EQ(got, want);
}

TEST_F(Memory, ResultsKeepNoMoreThanTheyNeed) {
  // Of each of 40 blocks the run yields the first ten elements.
  PlanBuilder builder;
  const uint32_t source = builder.function("source", make);
  const uint32_t head = builder.function("head", [](TaskArguments& arguments) {
    arguments.outputs[0].emplace<Block>(
        arguments.inputs[0]->get<Block>().strided_view(0, Dims{10}, Dims{1}));
  });
  for (int i = 0; i < 40; ++i) builder.output(builder.task(head, {builder.task(source, {})}));
  PlanArrays plan = builder.build();
  struct Sizes final : tuff::BlockBytes {
    explicit Sizes(uint64_t each) : bytes_of_each(each) {}
    uint64_t bytes(uint32_t, uint32_t) const override { return bytes_of_each; }
    uint64_t bytes_of_each;
  };
  plan.function_bytes = {std::make_shared<Sizes>(kBytes), std::make_shared<Sizes>(0)};
  plan.output_bytes = 40 * kBytes;
  const Runner runner(std::move(plan));
  const std::vector<double> want = values_of(runner.run({}));
  Small small(6, 1);
  tuff::reset_peak_live_bytes();
  std::vector<Value> results = runner.run({}, small.options());
  EXPECT_LE(small.statistics().peak_live_bytes, before_ + 6 * kBytes);
  EXPECT_LE(tuff::live_bytes(), before_ + 40 * 10 * sizeof(double));
  EXPECT_EQ(values_of(std::move(results)), want);
}

TEST_F(Memory, ANestedRunDoesNotWaitForTheTaskAroundIt) {
  const auto inner = std::make_shared<Runner>(two_passes(32));
  const std::vector<double> want = values_of(inner->run({}));
  PlanBuilder builder;
  const uint32_t source = builder.function("source", make);
  const uint32_t nested = builder.function("nested", [inner](TaskArguments& arguments) {
    arguments.outputs[0] = std::move(inner->run({})[0]);
  });
  std::vector<uint32_t> all;
  for (int i = 0; i < 6; ++i) all.push_back(builder.task(nested, {builder.task(source, {})}));
  for (uint32_t slot : all) builder.output(slot);
  const Runner runner(sized(builder.build()));
  Small small(14, 2);
  const std::vector<double> got = values_of(runner.run({}, small.options()));
  for (size_t i = 0; i < all.size(); ++i)
    EXPECT_TRUE(std::equal(want.begin(), want.end(),
                           got.begin() + static_cast<std::ptrdiff_t>(i * want.size())));
}

}  // namespace
