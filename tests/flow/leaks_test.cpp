// Every block is freed when its run ends, however it ends; errors say which operation failed where.
#include <thread>

#include "random_graph.h"

namespace tuff::flow {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kGraphs = 30;
#else
constexpr uint64_t kGraphs = 1000;
#endif

/// Expects as many live buffers at its end as at its start.
class NoLeak {
 public:
  NoLeak() : before_(buffer_statistics()) {}
  ~NoLeak() {
    EXPECT_EQ(buffer_statistics().live_buffers, before_.live_buffers);
    EXPECT_EQ(buffer_statistics().live_bytes, before_.live_bytes);
  }

 private:
  BufferStatistics before_;
};

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Ones, but block `bad` throws.
Array failing(int64_t bad, const Dims& shape, const ChunkSpec& chunks) {
  return from_function(
      [bad](const BlockInfo& info) {
        if (info.index[0] == bad) throw Broken("block " + std::to_string(bad) + " is broken");
        Block block = Block::allocate(info.dtype, info.shape);
        std::fill_n(block.data<double>(), block.size(), 1.0);
        return block;
      },
      shape, {.chunks = chunks});
}

TEST(Leaks, AreNotLeftByRandomGraphs) {
  for (uint64_t seed = 1; seed <= kGraphs && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const NoLeak no_leak;
    const RandomGraph graph(seed);
    compute(graph.ports(Cutter(seed + 1)), {.threads = 2});
  }
}

TEST(Leaks, AreNotLeftByAFailingFunctionWhereverItFails) {
  for (int64_t bad = 0; bad < 20; ++bad) {
    for (int threads : {1, 2, 5}) {
      const NoLeak no_leak;
      const Array x = failing(bad, {100, 10}, ChunkSpec{5, 3});
      const Array y = exp(x) + random::normal({100, 10}, {.chunks = ChunkSpec{5, 3}, .seed = 1});
      EXPECT_THROW(
          compute({sum(y, 0), y.rechunk(7), matmul(y.transpose(), y)}, {.threads = threads}),
          TaskError);
    }
  }
}

TEST(TaskError, NamesOperationAndBlockAndNestsTheCause) {
  const Array x = failing(3, {100}, 10);
  try {
    sum(x.rechunk(7)).compute({.threads = 1});
    FAIL() << "no error";
  } catch (const TaskError& error) {
    ASSERT_EQ(error.failures().size(), 1U);
    EXPECT_EQ(error.failures()[0].operation, "from_function");
    EXPECT_EQ(error.failures()[0].block, "(3,)");
    EXPECT_THROW(std::rethrow_exception(error.failures()[0].cause), Broken);
    try {
      std::rethrow_if_nested(error);
      ADD_FAILURE() << "nothing nested";
    } catch (const Broken& cause) {
      EXPECT_STREQ(cause.what(), "block 3 is broken");
    }
    EXPECT_NE(describe(std::current_exception()).find("block 3 is broken"), std::string::npos);
  }
}

TEST(TaskError, TellsAWrongBlockFromItsFunction) {
  const NoLeak no_leak;
  const Array x =
      from_function([](const BlockInfo&) { return Block::allocate(DType::float64, Dims{1}); }, {4},
                    {.chunks = 2});
  EXPECT_THROW(x.compute(), TaskError);
  const Array y = from_function([](const BlockInfo&) { return Block(); }, {4}, {.chunks = 2});
  EXPECT_THROW(y.compute(), TaskError);
  const Array z =
      from_function([](const BlockInfo& info) { return Block::allocate(DType::int8, info.shape); },
                    {4}, {.chunks = 2});
  EXPECT_THROW(z.compute(), TaskError);
}

TEST(Leaks, AreNotLeftByFailingDelayedCallables) {
  for (int threads : {1, 3}) {
    const NoLeak no_leak;
    const auto fail = delayed(
        [](const Block& block) -> double {
          throw Broken("sum of " + std::to_string(block.size()));
        },
        "fail");
    const Array x = ones({1000}, {.chunks = 10});
    try {
      fail(x + 1.0).compute({.threads = threads});
      FAIL() << "no error";
    } catch (const TaskError& error) {
      EXPECT_EQ(error.failures()[0].operation, "fail");
      EXPECT_NE(describe(std::current_exception()).find("sum of 1000"), std::string::npos);
    }
  }
}

TEST(Leaks, AreNotLeftByAStop) {
  for (int threads : {1, 2, 4}) {
    const NoLeak no_leak;
    std::stop_source stop;
    const Array x = from_function(
        [&](const BlockInfo& info) {
          if (info.index[0] == 20) stop.request_stop();
          Block block = Block::allocate(info.dtype, info.shape);
          std::fill_n(block.data<double>(), block.size(), 1.0);
          return block;
        },
        {100000}, {.chunks = 10});
    try {
      compute({sum(x), x + 1.0}, {.threads = threads, .stop = stop.get_token()});
      FAIL() << "not cancelled";
    } catch (const Cancelled& error) {
      EXPECT_EQ(error.reason(), Cancelled::Reason::stop_requested);
    }
  }
}

TEST(Leaks, AreNotLeftByADeadline) {
  for (int threads : {1, 3}) {
    const NoLeak no_leak;
    const Array x = from_function(
        [](const BlockInfo& info) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
          Block block = Block::allocate(info.dtype, info.shape);
          std::fill_n(block.data<double>(), block.size(), 1.0);
          return block;
        },
        {100000}, {.chunks = 10});
    try {
      compute({sum(x)}, {.threads = threads, .deadline = std::chrono::milliseconds(20)});
      FAIL() << "not cancelled";
    } catch (const Cancelled& error) {
      EXPECT_EQ(error.reason(), Cancelled::Reason::deadline);
    }
  }
}

TEST(Leaks, AreNotLeftByAPlanThatFailedAndThenRuns) {
  const NoLeak no_leak;
  std::atomic<bool> broken = true;
  const Array x = from_function(
      [&](const BlockInfo& info) {
        if (broken && info.index[0] == 7) throw Broken("once");
        Block block = Block::allocate(info.dtype, info.shape);
        std::fill_n(block.data<double>(), block.size(), 1.0);
        return block;
      },
      {100}, {.chunks = 10});
  const Plan plan = compile({sum(x), x * 2.0});
  for (int repeat = 0; repeat < 5; ++repeat) EXPECT_THROW(plan.run(), TaskError);
  broken = false;
  EXPECT_EQ(plan.run()[0].item<double>(), 100.0);
}

}  // namespace
}  // namespace tuff::flow
