// The memory budget is kept by any graph whose single tasks fit in it, and changes no bit of any answer.
#include <cmath>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/buffer.h"
#include "tuff/tuff.h"

namespace tuff {
namespace {

constexpr double kMargin = 0.1;  // of the budget

/// What the statistics may miss: 64 KiB for each thread that works on small blocks.
size_t slack(int threads) { return static_cast<size_t>(threads + 1) * 64 * 1024; }

struct Small {
  Small(size_t bytes, int thread_count)
      : threads(thread_count),
        budget(bytes),
        before(live_bytes()),
        context(
            {.threads = thread_count, .memory_bytes = before + bytes, .spill_folder = "/var/tmp"}) {
    reset_peak_live_bytes();
  }
  RunOptions options() { return {.context = &context}; }
  size_t peak() { return memory_statistics(&context).peak_live_bytes - before; }
  size_t written() { return memory_statistics(&context).written_bytes; }
  void expect_kept() {
    EXPECT_LE(peak(),
              static_cast<size_t>((1 + kMargin) * static_cast<double>(budget)) + slack(threads))
        << "with " << threads << " threads and " << budget << " bytes";
  }
  int threads;
  size_t budget;
  size_t before;
  Context context;
};

class Budget : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { before_ = live_bytes(); }
  void TearDown() override { EXPECT_EQ(live_bytes(), before_) << "blocks are left"; }
  size_t before_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Threads, Budget, testing::Values(1, 2, 4));

Array noise(const ShapeSpec& shape, const ChunkSpec& chunks) {
  return random::uniform(shape, {.chunks = chunks, .seed = 7});
}

TEST_P(Budget, AnArrayPlusItsTransposeIsCutBySquares) {
  const Array x = noise({1200, 1200}, {20, 1200});  // 11.5 MB
  const double want = sum(x + x.transpose()).compute<double>({.threads = 1});
  for (const size_t budget : {size_t{3} << 20, size_t{6} << 20}) {
    Small small(budget, GetParam());
    const Array p = x.persist(small.options());
    const double got = sum(p + p.transpose()).compute<double>(small.options());
    EXPECT_NEAR(got, want, 1e-9 * want);
    small.expect_kept();
    EXPECT_GT(small.written(), 0u);
  }
}

TEST_P(Budget, RowsToColumnsAndBackHoldNoMore) {
  const Array x = noise({1500, 1500}, {125, 1500});  // 18 MB in 12 strips
  const std::vector<double> want = x.to_vector<double>();
  Small small(size_t{4} << 20, GetParam());
  const Array columns = x.rechunk({1500, 125}).persist(small.options());
  small.expect_kept();
  const Array rows = columns.rechunk({125, 1500}).persist(small.options());
  small.expect_kept();
  EXPECT_EQ(sum(rows).compute<double>(small.options()), sum(x).compute<double>({.threads = 1}));
}

TEST_P(Budget, KeptDataThatOneRunReadsTwiceAreReadFromDiskTwice) {
  const Array x = noise({1 << 20}, {1 << 14});  // 8 MiB
  const double want = mean(square(x - mean(x))).compute<double>({.threads = 1});
  Small small(size_t{1} << 20, GetParam());
  const Array p = x.persist(small.options());
  EXPECT_EQ(mean(square(p - mean(p))).compute<double>(small.options()), want);
  small.expect_kept();
}

TEST_P(Budget, SmallBlocksCount) {
  const auto ones = [](const BlockInfo& info) {
    Block block = Block::allocate(info.dtype, info.shape);
    for (int64_t i = 0; i < block.size(); ++i)
      block.data<double>()[i] = static_cast<double>(info.start[0] + i);
    return block;
  };
  // 25 MB in blocks of 16 KiB, each less than a thousandth of the budget.
  const Array x = from_function(ones, {25 << 17}, {.chunks = 2048});
  const double want = sum(abs(x - mean(x))).compute<double>({.threads = 1});
  Small small(size_t{8} << 20, GetParam());
  EXPECT_EQ(sum(abs(x - mean(x))).compute<double>(small.options()), want);
  small.expect_kept();
  const Array p = x.persist(small.options());
  small.expect_kept();
}

TEST_P(Budget, CallsOfUnknownResultsLearnFromEachOther) {
  const auto make = delayed([](int number) {
    Block block = Block::allocate(DType::float64, Dims{1 << 15});
    for (int64_t i = 0; i < block.size(); ++i)
      block.data<double>()[i] = std::sin(static_cast<double>(number + i));
    return block;
  });
  const auto centred = [&] {
    std::vector<Delayed<Block>> blocks;
    for (int i = 0; i < 100; ++i) blocks.push_back(make(i));
    const Array x = from_delayed(blocks, DType::float64, {100 << 15}, {1 << 15});  // 26 MB
    return sum(abs(x - mean(x)));
  };
  const double want = centred().compute<double>({.threads = 1});
  Small small(size_t{5} << 20, GetParam());
  EXPECT_EQ(centred().compute<double>(small.options()), want);
  small.expect_kept();
}

TEST(BudgetOf, SizesAreSumsOfWhatIs) {
  Array x = noise({500, 500}, {500, 500});  // 2 MB
  const Array whole = x;
  for (int i = 1; i <= 16; ++i) {
    x = concatenate({x[{Slice{0, i}}], x[{Slice{i, 500}}]}, 0);
  }
  Small small(size_t{8} << 20, 2);
  const Array same = x;
  EXPECT_EQ(same.to_vector<double>(small.options()), whole.to_vector<double>());
}

TEST(BudgetOf, WhatRunsUnderABudgetRunsUnderEveryLargerOne) {
  const Array x = noise({1024, 1024}, {1024, 64});  // 8 MiB
  const double want =
      sum((x.rechunk({1024, 64}) * 1.5).rechunk({64, 1024}) * x).compute<double>({.threads = 1});
  bool ran = false;
  for (size_t kilobytes = 1024; kilobytes <= 9984; kilobytes += 256) {
    Small small(kilobytes << 10, 2);
    double got = 0;
    try {
      const Array p = x.rechunk({1024, 64}).persist(small.options());
      got = sum((p * 1.5).rechunk({64, 1024}) * x).compute<double>(small.options());
    } catch (const MemoryError& error) {
      EXPECT_FALSE(ran) << kilobytes << " KiB: " << error.what();
      continue;
    }
    ran = true;
    EXPECT_NEAR(got, want, 1e-9 * std::abs(want)) << kilobytes;
    small.expect_kept();
  }
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace tuff
