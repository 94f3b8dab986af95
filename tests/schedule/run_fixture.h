// What the tests of runs share: contexts of several sizes, a fixture that looks for leaks, and readers that keep
// what they are told.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/block.h"
#include "tuff/base/error.h"
#include "tuff/schedule/run.h"

#include "tests/schedule/plan_builder.h"

namespace tuff_test {

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

inline Context& context_of(int threads) {
  static Context one({.threads = 1});
  static Context two({.threads = 2});
  static Context seven({.threads = 7});
  return threads == 1 ? one : threads == 2 ? two : seven;
}

inline RunOptions with(int threads) {
  RunOptions options;
  options.context = &context_of(threads);
  return options;
}

inline std::vector<Value> values(std::initializer_list<double> numbers) {
  std::vector<Value> values;
  for (double number : numbers) values.emplace_back(number);
  return values;
}

inline void yield_block(TaskArguments& arguments, int64_t elements = 1000) {
  arguments.outputs[0].emplace<Block>(Block::allocate(DType::float64, Dims{elements}));
}

inline bool wait_for_stop(const std::stop_token& stop) {
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

/// 20 sources, a task that runs `fail` on all of them, and 20 tasks after it that count in `later`.
inline tuff::PlanArrays failing_plan(tuff_test::LambdaTask::Body fail, std::atomic<int>& later) {
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

/// A plan of `width` tasks, each of which runs `inner`, and their sum.
inline tuff::PlanArrays nesting_plan(const Runner& inner, int width, Context& context) {
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

}  // namespace tuff_test
