// The memory budget is kept by any graph whose single tasks fit in it, and changes no bit of any answer.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/buffer.h"
#include "tuff/tuff.h"

namespace tuff {
namespace {

constexpr double kMargin = 0.1;  // of the budget
constexpr size_t kRestOfProcess = size_t{64} << 20;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // what is freed stays resident, and shadows of it
#else
constexpr bool kSanitized = false;
#endif

/// A line of /proc/self/status that is in kB, in bytes.
size_t status_bytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(name + ":", 0) == 0) return std::stoull(line.substr(name.size() + 1)) * 1024;
  return 0;
}
/// From here on VmHWM, the most that was resident, is counted anew.
void reset_peak_resident() { std::ofstream("/proc/self/clear_refs") << 5; }

/// What the statistics may miss for each thread that works on small blocks.
size_t slack(int threads, size_t budget) {
  return static_cast<size_t>(threads + 1) * std::min<size_t>(64 * 1024, budget / 256);
}

struct Small {
  Small(size_t bytes, int thread_count)
      : threads(thread_count),
        budget(bytes),
        before(live_bytes()),
        context(
            {.threads = thread_count, .memory_bytes = before + bytes, .spill_folder = "/var/tmp"}),
        ceiling_before(set_memory_ceiling(before + bytes)) {  // statistics as fine from the start
    reset_peak_live_bytes();
    reset_peak_resident();
  }
  ~Small() { set_memory_ceiling(ceiling_before); }
  Small(const Small&) = delete;
  Small& operator=(const Small&) = delete;
  RunOptions options() { return {.context = &context}; }
  size_t peak() { return memory_statistics(&context).peak_live_bytes - before; }
  size_t written() { return memory_statistics(&context).written_bytes; }
  /// `unannounced`: first results of unknown size, when others fill the budget already, and blocks too small for the
  /// disk.
  void expect_kept(size_t unannounced = 0) {
    const auto most = static_cast<size_t>((1 + kMargin) * static_cast<double>(budget));
    EXPECT_LE(peak(), most + slack(threads, before + budget) + unannounced)
        << "with " << threads << " threads and " << budget << " bytes";
    if (!kSanitized) {
      EXPECT_LE(status_bytes("VmHWM"), resident_before + most + kRestOfProcess);
    }
  }
  int threads;
  size_t budget;
  size_t before;
  size_t resident_before = status_bytes("VmRSS");
  Context context;
  size_t ceiling_before;
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

TEST_P(Budget, AColumnDoesNotKeepItsArray) {
  // 18 MB that only a callable makes; a cut of each block is kept until all are joined.
  const auto make = [](const BlockInfo& info) {
    Block block = Block::allocate(info.dtype, info.shape);
    for (int64_t i = 0; i < block.size(); ++i)
      block.data<double>()[i] = std::sin(static_cast<double>(1000 * info.start[0] + i));
    return block;
  };
  const Array x = from_function(make, {1500, 1500}, {.chunks = {50, 1500}});
  const std::vector<double> column = x[{whole, 3}].to_vector<double>();
  const Array cut = x[{Slice{0, 1500, 7}, Slice{5, 300, 3}}].rechunk(-1);
  const std::vector<double> some = cut.to_vector<double>();
  Small small(size_t{3} << 20, GetParam());
  const std::vector<double> got = x[{whole, 3}].to_vector<double>(small.options());
  EXPECT_EQ(got, column);
  EXPECT_EQ(cut.to_vector<double>(small.options()), some);
  small.expect_kept();
  EXPECT_LE(small.written(), size_t{4} << 20) << "copies of the cuts are enough, mostly";
}

TEST_P(Budget, DelayedValuesAreCompiledForTheBudgetOfTheirRun) {
  const Array x = noise({1500, 1500}, {125, 1500});  // 18 MB in 12 strips
  const auto twice = delayed([](const Block& total) { return 2 * total.item<double>(); });
  const double want = 2 * sum(square(x.rechunk({1500, 125}))).compute<double>();
  Small small(size_t{4} << 20, GetParam());
  const double got = twice(sum(square(x.rechunk({1500, 125})))).compute(small.options());
  EXPECT_NEAR(got, want, 1e-9 * want);
  small.expect_kept();
}

TEST(BudgetOf, TheProcessIsAsSmallAsItSays) {
  release_recycled_memory();
  const Array x = noise({6000, 6000}, {50, 6000});  // 288 MB
  Small small(size_t{16} << 20, 2);
  const Array p = x.persist(small.options());
  EXPECT_GT(sum(p + p.transpose()).compute<double>(small.options()), 0);
  small.expect_kept();  // of 288 MB, at most 18 + 64
}

// --- Any graph ---------------------------------------------------------------------------------------

size_t block_bytes(const graph::LayerOutput& output, uint32_t block) {
  const Dims index = grid_index(block, grid_of(output.chunks));
  size_t bytes = size_of(output.dtype);
  for (size_t a = 0; a < index.size(); ++a)
    bytes *= static_cast<size_t>(output.chunks[a]->size(static_cast<size_t>(index[a])));
  return bytes;
}

/// Of a plan for some budget: what its largest task reads and makes, and all blocks that are too small for the disk.
struct Needs {
  size_t largest = 0;
  size_t small = 0;
};
Needs operator|(const Needs& a, const Needs& b) {
  return {std::max(a.largest, b.largest), std::max(a.small, b.small)};
}

constexpr size_t kSmallestSpilled = 256;

Needs needs_of(const std::vector<graph::Port>& outputs, size_t memory_bytes) {
  const Plan plan = compile(outputs, {.passes = {.memory_bytes = memory_bytes}});
  Needs needs;
  for (const graph::LayerPtr& layer : graph::layers_in_order(plan.outputs())) {
    std::vector<size_t> held(layer->task_count(), 0);
    for (uint32_t o = 0; o < layer->outputs().size(); ++o) {
      const graph::LayerOutput& output = layer->outputs()[o];
      for (uint32_t b = 0; b < block_count(output.chunks); ++b) {
        const size_t bytes = block_bytes(output, b);
        held[layer->task_of(o, b)] += bytes;
        if (bytes < kSmallestSpilled) needs.small += bytes;
      }
    }
    std::vector<graph::InputBlock> reads;
    for (uint32_t t = 0; t < held.size(); ++t) {
      reads.clear();
      layer->inputs_of(t, reads);
      for (const graph::InputBlock& read : reads)
        held[t] += block_bytes(output_of(layer->inputs()[read.input]), read.block);
      needs.largest = std::max(needs.largest, held[t]);
    }
  }
  return needs;
}

/// Blocks that tasks of a task graph make and mix: nobody knows their sizes before. All are as large.
class RandomTasks {
 public:
  explicit RandomTasks(unsigned seed) : random_(seed) {
    const auto elements = static_cast<int64_t>(1000 + random_() % 8000);
    std::vector<Node<Block>> nodes;
    const auto count = static_cast<unsigned>(10 + random_() % 30);
    for (unsigned i = 0; i < count; ++i) {
      std::vector<Node<Block>> inputs;
      for (unsigned reads = nodes.empty() ? 0 : random_() % 4; reads > 0; --reads)
        inputs.push_back(nodes[random_() % nodes.size()]);
      most_read_ = std::max(most_read_, inputs.size());
      nodes.push_back(graph_.add(
          "block " + std::to_string(i),
          [elements, i](const std::vector<Block>& blocks) {
            Block block = Block::allocate(DType::float64, Dims{elements});
            for (int64_t k = 0; k < elements; ++k) {
              double sum = std::sin(static_cast<double>(i * 1000 + k));
              for (const Block& other : blocks) sum = 0.7 * sum + other.data<double>()[k];
              block.data<double>()[k] = sum;
            }
            return block;
          },
          inputs));
    }
    bytes_ = static_cast<size_t>(elements) * sizeof(double);
    last_ = nodes.back();
    middle_ = nodes[count / 2];
  }
  std::vector<double> run(const RunOptions& options) const {
    std::vector<double> values;
    for (const Block& block : compute(graph_, std::vector<Node<Block>>{last_, middle_}, options)) {
      const std::vector<double> some = block.to_vector<double>();
      values.insert(values.end(), some.begin(), some.end());
    }
    return values;
  }
  size_t bytes() const { return bytes_; }
  size_t largest() const { return (most_read_ + 3) * bytes_; }  // two results are held as well

 private:
  std::mt19937 random_;
  TaskGraph graph_;
  Node<Block> last_;
  Node<Block> middle_;
  size_t most_read_ = 0;
  size_t bytes_ = 0;
};

/// Draws a graph, step by step; the same one for the same seed, whatever the budget.
class RandomGraph {
 public:
  RandomGraph(unsigned seed, RunOptions options) : random_(seed), options_(std::move(options)) {}

  std::vector<graph::Port> results() {
    pool_.push_back(source());
    if (below(2) == 0) pool_.push_back(source());
    for (unsigned steps = 2 + below(6); steps > 0; --steps) pool_.push_back(step());
    const Array last = pool_.back();
    const Array other = any_of_pool();
    const Array some = other[mean(other, {1}) > 0.0];
    const Array few = last[last > 0.2];
    return {sum(last).port(),
            sum(last, {0}).port(),
            max(abs(any_of_pool())).port(),
            sum(few - sum(few)).port(),
            sum(some - sum(some, {0})).port(),
            a_part().port()};
  }
  /// Of blocks of unknown size, the largest.
  size_t unannounced() const { return unannounced_; }
  /// Of the largest array.
  size_t bytes() const { return bytes_; }
  /// Of the runs that results() makes on its way.
  const Needs& needs() const { return needs_; }

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
      unannounced_ = std::max(unannounced_, static_cast<size_t>(strip * columns) * sizeof(double));
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
      case 3: return x - mean(x, {0});
      case 4: return rows == columns ? x + x.transpose() : x - mean(x);
      case 5: {
        const int64_t at = between(1, rows - 1);
        return concatenate({x[{Slice{at, rows}}], x[{Slice{0, at}}]}, 0);
      }
      case 6: return rows > 40 ? x[{Slice{between(0, 10), rows, between(1, 2)}}] : x;
      case 7: return note(matmul(x, x.transpose()));
      default:
        needs_ = needs_ | needs_of({x.port()}, options_.context->memory_bytes());
        return x.persist(options_);
    }
  }

  /// A result of several blocks, no larger than a 32nd of the data.
  Array a_part() {
    const Array x = any_of_pool();
    const int64_t columns = x.shape()[1].value();
    const auto rows = static_cast<int64_t>(bytes_ / 32 / sizeof(double)) / columns;
    return x[{Slice{0, std::clamp<int64_t>(rows, 1, x.shape()[0].value())}}];
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
  Needs needs_;
  size_t unannounced_ = 0;
};

std::vector<double> values_of(const std::vector<graph::Port>& arrays, const RunOptions& options) {
  std::vector<double> values;
  for (const Result& result : compute(arrays, options)) {
    const std::vector<double> some = result.to_vector<double>();
    values.insert(values.end(), some.begin(), some.end());
  }
  return values;
}

/// What one client of a context does: arrays or a task graph. The same for the same seed, whatever the budget.
struct Work {
  std::vector<double> values;
  size_t data = 0;  ///< bytes of the largest array
  Needs needs;
  size_t unannounced = 0;  ///< the largest block of unknown size
};

Work work(unsigned seed, const RunOptions& options) {
  if (seed % 5 == 3) {
    const RandomTasks tasks(seed);
    return {tasks.run(options), 10 * tasks.bytes(), {tasks.largest(), 0}, tasks.bytes()};
  }
  RandomGraph graph(seed, options);
  const std::vector<graph::Port> results = graph.results();
  const Needs needs = needs_of(results, options.context->memory_bytes());
  return {values_of(results, options), graph.bytes(), graph.needs() | needs, graph.unannounced()};
}

/// Twice the largest task, and few blocks that must stay.
bool is_promised(size_t budget, const Needs& needs) {
  return budget >= 2 * needs.largest && budget >= 20 * needs.small;
}

constexpr int64_t kCases = kSanitized ? 150 : 2000;

/// More than a test has time for: TUFF_BUDGET_CASES=100000, and TUFF_BUDGET_SEED for others.
int64_t cases() {
  const char* text = std::getenv("TUFF_BUDGET_CASES");
  return text != nullptr ? std::atoll(text) : kCases;
}
unsigned first_seed() {
  const char* text = std::getenv("TUFF_BUDGET_SEED");
  return static_cast<unsigned>(text != nullptr ? std::atoll(text) : 1);
}

/// Budgets from twice the largest task on.
TEST(BudgetOf, AnyGraphIsKept) {
  const unsigned begin = first_seed();
  const size_t before = live_bytes();
  int64_t kept = 0;
  int64_t short_of_memory = 0;
  for (unsigned seed = begin; seed < begin + cases() && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Work want = work(seed, std::make_unique<Small>(size_t{1} << 30, 1)->options());
    const int threads = seed % 4 == 0 ? 1 + static_cast<int>(seed / 4 % 4) : 1;
    bool ran = false;
    std::string refused;
    size_t small_blocks = 0;
    for (size_t budget = want.data / 8;
         (!ran || budget < 4 * want.data) && budget < 64 * want.data && !HasFailure();
         budget *= 2) {
      Small small(budget, threads);
      try {
        const Work got = work(seed, small.options());
        EXPECT_EQ(got.values, want.values);
        ran = true;
        if (!is_promised(budget, got.needs)) continue;
        small_blocks = got.needs.small;
      } catch (const MemoryError& error) {
        EXPECT_FALSE(ran) << budget << ": " << error.what();
        refused = error.what();
        continue;
      }
      small.expect_kept(small_blocks);
      ++kept;
      short_of_memory += small.written() > 0 ? 1 : 0;
    }
    EXPECT_TRUE(ran) << refused;
    EXPECT_EQ(live_bytes(), before) << "blocks are left";
  }
  std::printf("%lld runs, %lld of them by way of the disk\n", static_cast<long long>(kept),
              static_cast<long long>(short_of_memory));
  EXPECT_GT(kept, cases() / 2);
  EXPECT_GT(short_of_memory, cases() / 4);
}

/// Several clients of one context share its budget.
TEST(BudgetOf, AnyGraphsOfManyClientsAreKept) {
  const unsigned begin = first_seed();
  const size_t before = live_bytes();
  int64_t kept = 0;
  for (unsigned seed = begin; seed < begin + cases() / 10 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const unsigned clients = 2 + seed % 7;
    std::vector<Work> want;
    size_t data = 0;
    for (unsigned c = 0; c < clients; ++c) {
      want.push_back(work(8 * seed + c, std::make_unique<Small>(size_t{1} << 30, 1)->options()));
      data = std::max(data, want.back().data);
    }
    bool ran = false;
    for (size_t budget = data / 2; (!ran || budget < 8 * data) && !HasFailure(); budget *= 2) {
      Small small(budget, 1 + static_cast<int>(seed % 3));
      std::vector<Work> got(clients);
      std::vector<std::string> refused(clients);
      std::vector<std::thread> threads;
      for (unsigned c = 0; c < clients; ++c) {
        threads.emplace_back([&, c] {
          try {
            got[c] = work(8 * seed + c, small.options());
          } catch (const MemoryError& error) {
            refused[c] = error.what();
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      Needs needs;
      size_t unannounced = 0;
      const bool all = std::all_of(refused.begin(), refused.end(),
                                   [](const std::string& why) { return why.empty(); });
      ran = ran || all;
      for (unsigned c = 0; c < clients; ++c) {
        EXPECT_TRUE(!ran || refused[c].empty()) << budget << " bytes: " << refused[c];
        EXPECT_LT(budget, 64 * data) << refused[c];
        if (!refused[c].empty()) continue;
        EXPECT_EQ(got[c].values, want[c].values) << "client " << c << ", " << budget << " bytes";
        needs = {std::max(needs.largest, got[c].needs.largest), needs.small + got[c].needs.small};
        unannounced += got[c].unannounced;
      }
      if (!all || !is_promised(budget, needs)) continue;
      small.expect_kept(unannounced + needs.small);
      ++kept;
    }
    EXPECT_EQ(live_bytes(), before) << "blocks are left";
  }
  EXPECT_GT(kept, cases() / 20);
}

}  // namespace
}  // namespace tuff
