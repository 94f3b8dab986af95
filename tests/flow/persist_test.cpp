// Arrays that are kept: under the budget, used by later graphs, gone with the last handle.
#include "tuff/persist.h"

#include <cmath>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/buffer.h"
#include "tuff/glm/fit.h"
#include "tuff/tuff.h"

namespace tuff {
namespace {

constexpr int64_t kRows = 1024;
constexpr int64_t kColumns = 512;
constexpr size_t kBytes = kRows * kColumns * sizeof(double);  // 4 MiB in 16 blocks of rows

Block made(const BlockInfo& info) {
  Block block = Block::allocate(info.dtype, info.shape);
  auto* to = block.data<double>();
  for (int64_t i = 0; i < info.shape[0]; ++i) {
    for (int64_t j = 0; j < info.shape[1]; ++j)
      *to++ = std::sin(static_cast<double>((info.start[0] + i) * kColumns + info.start[1] + j));
  }
  return block;
}

Array source() { return from_function(made, {kRows, kColumns}, {.chunks = {64, kColumns}}); }

struct Small {
  explicit Small(size_t bytes, int threads = 2)
      : context({.threads = threads, .memory_bytes = bytes, .spill_folder = "/var/tmp"}) {}
  RunOptions options() { return {.context = &context}; }
  Context context;
};

class Persist : public testing::Test {
 protected:
  void SetUp() override { before_ = live_bytes(); }
  void TearDown() override { EXPECT_EQ(live_bytes(), before_) << "blocks are left"; }
  size_t before_ = 0;
};

TEST_F(Persist, MoreThanTheBudgetIsKeptAndReadAgainAndAgain) {
  const std::vector<double> want = source().to_vector<double>();
  for (int threads : {1, 2, 4}) {
    Small small(before_ + kBytes / 3, threads);
    reset_peak_live_bytes();
    {
      const Array y = (source() * 2.0 - source()).persist(small.options());
      EXPECT_GE(memory_statistics(&small.context).disk_bytes, kBytes / 3);
      for (int repeat = 0; repeat < 3; ++repeat) {
        const double squares = sum(y * y).compute<double>(small.options());
        EXPECT_EQ(squares, sum(y * y).compute<double>({.threads = 1, .context = &small.context}));
      }
      EXPECT_LE(memory_statistics(&small.context).peak_live_bytes,
                before_ + kBytes / 3 + 64 * 1024);
      EXPECT_EQ(y.to_vector<double>(), want);
    }
    EXPECT_EQ(memory_statistics(&small.context).disk_bytes, 0u);
  }
}

TEST_F(Persist, AnAllToAllRechunkIsExact) {
  const std::vector<double> want = source().to_vector<double>();
  const Array rows = from_function(made, {kRows, kColumns}, {.chunks = {16, kColumns}});
  Small small(before_ + kBytes / 4);
  reset_peak_live_bytes();
  const Array y = rows.rechunk({-1, 8}).persist(small.options());
  // The statistic is exact to 64 KiB for each thread that works on blocks of no more.
  EXPECT_LE(memory_statistics(&small.context).peak_live_bytes,
            before_ + kBytes / 4 + 3 * 64 * 1024);
  EXPECT_EQ(y.chunks()[1]->count(), 64u);
  EXPECT_EQ(y.to_vector<double>(), want);
}

TEST_F(Persist, SeveralArraysShareOneRun) {
  int calls = 0;
  const Array x = from_function(
      [&calls](const BlockInfo& info) {
        ++calls;
        return made(info);
      },
      {kRows, kColumns}, {.chunks = {kRows, kColumns}});
  const std::vector<graph::Port> kept = persist({x + 1.0, x.transpose()}, {.threads = 1});
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(sum(Array(kept[0])).compute<double>(),
            sum(source().rechunk({kRows, kColumns}) + 1.0).compute<double>());
  EXPECT_EQ(Array(kept[1]).shape(), (Shape{Extent(kColumns), Extent(kRows)}));
  EXPECT_EQ(calls, 1) << "what is kept is not computed again";
  EXPECT_THROW(persist({}), InvalidArgument);
}

TEST_F(Persist, ExtentsThatOnlyARunKnowsAreKnownAfterwards) {
  const Array x = arange(0.0, 1000.0, 1.0, {.chunks = 100});
  const Array odd = x[x % 2.0 == 1.0].persist();
  EXPECT_EQ(odd.shape(), (Shape{Extent(500)}));
  EXPECT_EQ(odd.chunks()[0]->size(3), 50);
  EXPECT_EQ(odd.to_vector<double>()[7], 15);
}

TEST_F(Persist, OneBlockIsReadForOnePoint) {
  Small small(before_ + kBytes / 3);
  const Array y = source().persist(small.options());
  const uint64_t before = memory_statistics(&small.context).read_back_bytes;
  const double point = y[{3, 5}].compute<double>(small.options());
  EXPECT_EQ(point, std::sin(3.0 * kColumns + 5));
  EXPECT_LE(memory_statistics(&small.context).read_back_bytes - before, kBytes / 16);
}

TEST_F(Persist, WhatIsKeptTravelsByValue) {
  const Array y = source().persist();
  const graph::Message there = graph::deserialize(graph::serialize({{sum(y)}, {}}));
  EXPECT_EQ(compute(there.outputs)[0].item<double>(), sum(y).compute<double>());
}

TEST_F(Persist, ManyClientsReadOneArray) {
  Small small(before_ + kBytes / 2, 2);
  const Array y = source().persist(small.options());
  const double want = sum(y * y).compute<double>(small.options());
  std::vector<std::thread> clients;
  std::atomic<int> wrong{0};
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&] {
      for (int i = 0; i < 5; ++i) wrong += sum(y * y).compute<double>(small.options()) != want;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Persist, AHandleMayOutliveTheContextThatMadeIt) {
  std::vector<Array> kept;
  {
    Small small(before_ + kBytes / 3);
    kept.push_back(source().persist(small.options()));
  }
  EXPECT_EQ(kept[0].to_vector<double>(), source().to_vector<double>());
}

// ---- models of data larger than the budget -----------------------------------------------------------

constexpr int64_t kManyRows = 1 << 17;
constexpr size_t kHalf = kManyRows * 8 * sizeof(double) / 2;

Array tall() { return from_function(made, {kManyRows, 8}, {.chunks = {8192, 8}}); }

Array classes_of(const Array& X) {
  return (sum(X[{whole, Slice{0, 3}}], 1) > 0.1) != (X[{whole, 7}] > 0.8);
}

TEST_F(Persist, AModelIsFittedToMoreThanTheBudget) {
  const Array X = tall();
  glm::FitOptions options{.alpha = 1e-3};
  const glm::FitResult want = glm::fit(X, classes_of(X), options);
  Small small(before_ + kHalf);
  options.run = small.options();
  for (const bool persisted : {false, true}) {
    std::vector<graph::Port> data = {X, classes_of(X)};
    if (persisted) data = persist(data, options.run);
    const glm::FitResult got = glm::fit(Array(data[0]), Array(data[1]), options);
    EXPECT_EQ(got.n_iter, want.n_iter);
    EXPECT_NEAR(got.intercept, want.intercept, 1e-10 * std::fabs(want.intercept));
    for (size_t j = 0; j < 8; ++j)
      EXPECT_NEAR(got.coef[j], want.coef[j], 1e-9 * std::fabs(want.coef[j])) << j;
  }
}

TEST_F(Persist, WhatIsWrongWithDataLargerThanTheBudgetIsSaidByRow) {
  const Array X = tall();
  const Array row = arange(0.0, static_cast<double>(kManyRows), 1.0, {.chunks = 8192});
  const Array bad = where((row == 77'777.0)[{whole, newaxis}], std::nan(""), X);
  Small small(before_ + kHalf);
  try {
    glm::fit(bad, classes_of(X), {.run = small.options()});
    FAIL();
  } catch (const InvalidArgument& error) {
    EXPECT_NE(std::string(error.what()).find("feature 'x0' is nan in row 77777"), std::string::npos)
        << error.what();
  }
}

TEST_F(Persist, SaysWhatIsPersisted) {
  const Array x = source();
  EXPECT_FALSE(is_persisted(x.port()));
  EXPECT_TRUE(is_persisted(x.persist().port()));
  EXPECT_FALSE(is_persisted((x.persist() + 1.0).port()));
}

}  // namespace
}  // namespace tuff
