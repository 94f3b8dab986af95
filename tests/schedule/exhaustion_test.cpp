// When the system gives no more threads, memory or disk: an error of ours that says so, and the next run works.
#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include "tuff/base/error.h"
#include "tuff/schedule/run.h"

#include "tests/schedule/allocations.h"
#include "tests/schedule/memory_plans.h"

namespace {

using namespace tuff_test;  // NOLINT(google-build-using-namespace)
using tuff::Runner;
using tuff::TaskError;

/// For as long as this exists, the system grants no new thread: each would get a stack that no address space holds.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, size_t{1} << 48);
    EXPECT_EQ(pthread_setattr_default_np(&huge), 0);
    pthread_attr_destroy(&huge);
  }
  ~NoMoreThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }
  NoMoreThreads(const NoMoreThreads&) = delete;
  NoMoreThreads& operator=(const NoMoreThreads&) = delete;

 private:
  pthread_attr_t before_{};
};

std::string error_of(const Runner& runner, const RunOptions& options) {
  try {
    static_cast<void>(runner.run({}, options));
  } catch (const tuff::Error&) {
    return tuff::describe(std::current_exception());
  }
  return "no error";
}

TEST(Exhaustion, NoThreadToSpill) {
  const Runner runner(two_passes(64));
  const std::vector<double> want = values_of(runner.run({}));
  Small small(12, 1);
  {
    const NoMoreThreads none;
    EXPECT_THROW(static_cast<void>(runner.run({}, small.options())), TaskError);
    EXPECT_THAT(error_of(runner, small.options()),
                testing::HasSubstr("[spill] no thread can be had to write to the disk: "));
  }
  EXPECT_EQ(values_of(runner.run({}, small.options())), want);
}

TEST(Exhaustion, NoThreadToWatchADeadline) {
  const Runner runner(two_passes(4));
  Small small(1000, 1);
  RunOptions options = small.options();
  options.deadline = std::chrono::hours(1);
  {
    const NoMoreThreads none;
    EXPECT_THAT(error_of(runner, options),
                testing::HasSubstr("[run] no thread can be had to watch the deadline: "));
  }
  EXPECT_EQ(error_of(runner, options), "no error");
}

TEST(Exhaustion, NoThreadsToHelp) {
  const Runner runner(two_passes(64));
  const std::vector<double> want = values_of(runner.run({}));
  const NoMoreThreads none;
  Small small(1000, 4);
  EXPECT_EQ(values_of(runner.run({}, small.options())), want);
}

TEST(Exhaustion, NoMemoryForTheBooksOfTheSpillThread) {
  const Runner runner(two_passes(64));
  const std::vector<double> want = values_of(runner.run({}));
  Small small(12, 2);
  refuse_memory_to("tuff-spill");
  const std::string text = error_of(runner, small.options());
  refuse_memory_to(nullptr);
  EXPECT_THAT(text, testing::HasSubstr("std::bad_alloc"));
  EXPECT_EQ(values_of(runner.run({}, small.options())), want);
}

TEST(Exhaustion, AFileThatMayNotGrowIsAnErrorAndNotTheEndOfTheProcess) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 1 << 20;
  Small small(8);
  const Runner runner(two_passes(64));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  std::string text;
  try {
    static_cast<void>(runner.run({}, small.options()));
  } catch (const TaskError&) {
    text = tuff::describe(std::current_exception());
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_NE(text.find("[spill] writing 0.3 MB to /var/tmp failed: File too large"),
            std::string::npos)
      << text;
  EXPECT_EQ(small.statistics().disk_bytes, 0U);
  EXPECT_FALSE(values_of(runner.run({}, small.options())).empty());
}

}  // namespace
