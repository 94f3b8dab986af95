// The memory budget is kept by any graph whose single tasks fit in it, and changes no bit of any answer.
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
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
  const auto ramp = [](const BlockInfo& info) {
    Block block = Block::allocate(info.dtype, info.shape);
    for (int64_t i = 0; i < block.size(); ++i)
      block.data<double>()[i] = static_cast<double>(info.start[0] + i);
    return block;
  };
  // 26 MB in blocks of 4 KiB, each half of a thousandth of the budget.
  const Array x = from_function(ramp, {25 << 17}, {.chunks = 512});
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
  const auto ramp = [](const BlockInfo& info) {
    Block block = Block::allocate(info.dtype, info.shape);
    for (int64_t i = 0; i < block.size(); ++i)
      block.data<double>()[i] = static_cast<double>(500 * info.start[0] + i);
    return block;
  };
  std::vector<int64_t> rows(100, 4);
  rows.push_back(100);
  // 2 MB in 101 blocks, of which the last has 0.4: kept for the second pass, beside a result of as much.
  const Array x =
      from_function(ramp, {500, 500}, {.chunks = std::vector<std::vector<int64_t>>{rows, {500}}});
  const std::vector<double> want = (x - mean(x)).to_vector<double>();
  Small small(size_t{3} << 20, 2);
  EXPECT_EQ((x - mean(x)).to_vector<double>(small.options()), want);
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

// --- Any graph ---------------------------------------------------------------------------------------

size_t block_bytes(const graph::LayerOutput& output, uint32_t block) {
  const Dims index = grid_index(block, grid_of(output.chunks));
  size_t bytes = size_of(output.dtype);
  for (size_t a = 0; a < index.size(); ++a)
    bytes *= static_cast<size_t>(output.chunks[a]->size(static_cast<size_t>(index[a])));
  return bytes;
}

/// What the largest task of a plan for this budget reads and makes.
size_t largest_task(const std::vector<graph::Port>& outputs, size_t memory_bytes) {
  const Plan plan = compile(outputs, {.passes = {.memory_bytes = memory_bytes}});
  size_t largest = 0;
  for (const graph::LayerPtr& layer : graph::layers_in_order(plan.outputs())) {
    std::vector<size_t> held(layer->task_count(), 0);
    for (uint32_t o = 0; o < layer->outputs().size(); ++o) {
      const graph::LayerOutput& output = layer->outputs()[o];
      for (uint32_t b = 0; b < block_count(output.chunks); ++b)
        held[layer->task_of(o, b)] += block_bytes(output, b);
    }
    std::vector<graph::InputBlock> reads;
    for (uint32_t t = 0; t < held.size(); ++t) {
      reads.clear();
      layer->inputs_of(t, reads);
      for (const graph::InputBlock& read : reads)
        held[t] += block_bytes(output_of(layer->inputs()[read.input]), read.block);
      largest = std::max(largest, held[t]);
    }
  }
  return largest;
}

/// Draws a graph, step by step; the same one for the same seed, whatever the budget.
class RandomGraph {
 public:
  RandomGraph(unsigned seed, RunOptions options) : random_(seed), options_(std::move(options)) {}

  std::vector<graph::Port> results() {
    pool_.push_back(source());
    if (below(2) == 0) pool_.push_back(source());
    for (unsigned steps = 2 + below(6); steps > 0; --steps) pool_.push_back(step());
    const Array last = pool_.back();
    return {sum(last).port(), sum(last, ReduceOptions{.axes = {0}}).port(),
            max(abs(any_of_pool())).port()};
  }
  /// Of the largest array.
  size_t bytes() const { return bytes_; }
  /// Of the runs that results() makes on its way.
  size_t largest() const { return largest_; }

 private:
  unsigned below(unsigned count) { return static_cast<unsigned>(random_() % count); }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<unsigned>(high - low + 1)));
  }
  const Array& any_of_pool() { return pool_[below(static_cast<unsigned>(pool_.size()))]; }

  ChunkSpec chunks(int64_t rows, int64_t columns) {
    switch (below(4)) {
      case 0: return ChunkSpec({between(8, rows), columns});
      case 1: return ChunkSpec({rows, between(8, columns)});
      default: return ChunkSpec({between(16, rows), between(16, columns)});
    }
  }

  Array source() {
    const int64_t rows = between(100, 300);
    const int64_t columns = below(2) == 0 ? rows : between(100, 300);
    const auto scale = static_cast<double>(1 + below(100));
    const auto fill = [scale](const Block& block, int64_t first) {
      for (int64_t i = 0; i < block.size(); ++i)
        block.data<double>()[i] = std::sin(scale * static_cast<double>(first + i));
    };
    if (below(3) == 0) {
      const int64_t strip = between(16, 64);
      std::vector<Delayed<Block>> blocks;
      for (int64_t at = 0; at < rows; at += strip) {
        blocks.push_back(delayed([fill, at, strip, rows, columns](int) {
          Block block = Block::allocate(DType::float64, Dims{std::min(strip, rows - at), columns});
          fill(block, at * columns);
          return block;
        })(0));
      }
      return note(from_delayed(blocks, DType::float64, {rows, columns}, {strip, columns}));
    }
    return note(from_function(
        [fill](const BlockInfo& info) {
          Block block = Block::allocate(info.dtype, info.shape);
          fill(block, 1000 * info.start[0] + info.start[1]);
          return block;
        },
        {rows, columns}, {.chunks = chunks(rows, columns)}));
  }

  Array step() {
    const Array x = any_of_pool();
    const int64_t rows = x.shape()[0].value();
    const int64_t columns = x.shape()[1].value();
    switch (below(9)) {
      case 0: return x.rechunk(chunks(rows, columns));
      case 1: return x.transpose();
      case 2: return x * 1.5 + 1.0;
      case 3: return x - mean(x, ReduceOptions{.axes = {0}});
      case 4: return rows == columns ? x + x.transpose() : x - mean(x);
      case 5: {
        const int64_t at = between(1, rows - 1);
        return concatenate({x[{Slice{at, rows}}], x[{Slice{0, at}}]}, 0);
      }
      case 6: return rows > 40 ? x[{Slice{between(0, 10), rows, between(1, 2)}}] : x;
      case 7: return note(matmul(x, x.transpose()));
      default:
        largest_ = std::max(largest_, largest_task({x.port()}, options_.context->memory_bytes()));
        return x.persist(options_);
    }
  }

  Array note(Array x) {
    auto bytes = static_cast<size_t>(8);
    for (const Extent& extent : x.shape()) bytes *= static_cast<size_t>(extent.value());
    bytes_ = std::max(bytes_, bytes);
    return x;
  }

  std::mt19937 random_;
  RunOptions options_;
  std::vector<Array> pool_;
  size_t bytes_ = 0;
  size_t largest_ = 0;
};

std::vector<double> values_of(const std::vector<graph::Port>& arrays, const RunOptions& options) {
  std::vector<double> values;
  for (const Result& result : compute(arrays, options)) {
    const std::vector<double> some = result.to_vector<double>();
    values.insert(values.end(), some.begin(), some.end());
  }
  return values;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kCases = 150;
#else
constexpr int64_t kCases = 2000;
#endif

/// More than a test has time for: TUFF_BUDGET_CASES=100000, and TUFF_BUDGET_SEED for others.
int64_t cases() {
  const char* text = std::getenv("TUFF_BUDGET_CASES");
  return text != nullptr ? std::atoll(text) : kCases;
}

/// Budgets from twice the largest task on.
TEST(BudgetOf, AnyGraphIsKept) {
  const char* first = std::getenv("TUFF_BUDGET_SEED");
  const auto begin = static_cast<unsigned>(first != nullptr ? std::atoll(first) : 1);
  const size_t before = live_bytes();
  int64_t kept = 0;
  int64_t short_of_memory = 0;
  for (unsigned seed = begin; seed < begin + cases() && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    size_t data = 0;
    std::vector<double> want;
    {
      Small ample(size_t{1} << 30, 1);
      RandomGraph graph(seed, ample.options());
      want = values_of(graph.results(), ample.options());
      data = graph.bytes();
    }
    const int threads = seed % 4 == 0 ? 1 + static_cast<int>(seed / 4 % 4) : 1;
    bool ran = false;
    std::string refused;
    for (size_t budget = data / 8;
         (!ran || budget < 4 * data) && budget < 64 * data && !HasFailure(); budget *= 2) {
      Small small(budget, threads);
      try {
        RandomGraph graph(seed, small.options());
        const std::vector<graph::Port> results = graph.results();
        EXPECT_EQ(values_of(results, small.options()), want);
        ran = true;
        if (budget <
            2 * std::max(graph.largest(), largest_task(results, small.context.memory_bytes())))
          continue;
      } catch (const MemoryError& error) {
        EXPECT_FALSE(ran) << budget << ": " << error.what();
        refused = error.what();
        continue;
      }
      small.expect_kept();
      ++kept;
      short_of_memory += small.written() > 0 ? 1 : 0;
    }
    EXPECT_TRUE(ran) << refused;
    EXPECT_EQ(live_bytes(), before) << "blocks are left";
  }
  std::printf("%lld runs, %lld of them by way of the disk\n", static_cast<long long>(kept),
              static_cast<long long>(short_of_memory));
  EXPECT_GT(kept, cases());
  EXPECT_GT(short_of_memory, cases() / 4);
}

}  // namespace
}  // namespace tuff
