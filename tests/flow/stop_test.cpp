// A deadline and a stop token end a run whose only task is a long one, and leave nothing of it behind.
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "tuff/tuff.h"

namespace tuff::flow {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// What a call throws that is cancelled, and that it takes no longer than a loaded machine needs to notice.
template <class F>
Cancelled::Reason reason_of(F&& f) {
  const Clock::time_point start = Clock::now();
  try {
    f();
    ADD_FAILURE() << "was not cancelled";
  } catch (const Cancelled& cancelled) {
    EXPECT_LT(Clock::now() - start, milliseconds(1000));
    return cancelled.reason();
  }
  return Cancelled::Reason::stop_requested;
}

/// One block of 1e9 elements, none of which is stored: some ten seconds.
Array endless() {
  const Array x = random::normal({1'000'000'000}, {.chunks = -1, .seed = 1});
  return sum(exp(x) - 1.0 / x);
}

/// Requests stop in 50 ms, from a thread of its own.
class Stopper {
 public:
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread thread_{[this] {
    std::this_thread::sleep_for(milliseconds(50));
    source_.request_stop();
  }};
};

TEST(Stop, ADeadlineEndsATaskUnderWay) {
  const size_t before = buffer_statistics().live_buffers;
  {
    const Plan plan = compile({endless()});
    for (int threads : {1, 2}) {
      EXPECT_EQ(
          reason_of([&] { plan.run({}, {.threads = threads, .deadline = milliseconds(50)}); }),
          Cancelled::Reason::deadline);
    }
  }
  EXPECT_EQ(buffer_statistics().live_buffers, before);
}

TEST(Stop, AStopTokenEndsATaskUnderWay) {
  const Plan plan = compile({endless()});
  const Stopper stopper;
  EXPECT_EQ(reason_of([&] { plan.run({}, {.stop = stopper.token()}); }),
            Cancelled::Reason::stop_requested);
}

TEST(Stop, TheErrorCountsTheTasksAsThePlanDoes) {
  try {
    endless().compute({.deadline = milliseconds(50)});
    ADD_FAILURE();
  } catch (const Cancelled& error) {
    EXPECT_STREQ(error.what(), "[run] the deadline passed after 0 of 2 tasks");
  }
}

TEST(Stop, NumbersInSequenceAndReductionsAlongAnAxisEndToo) {
  const Array i = arange(0, int64_t{1} << 40, 1, {.dtype = DType::float64, .chunks = -1});
  const Array x = random::uniform({1 << 20, 1 << 20}, {.chunks = -1, .seed = 2});
  for (const Array& y : {sum(sqrt(i)), sum(x, 0), sum(x, 1), var(x, 1), max(x * x)}) {
    EXPECT_EQ(reason_of([&] { (void)y.compute({.deadline = milliseconds(50)}); }),
              Cancelled::Reason::deadline);
  }
}

TEST(Stop, APanelEndsBetweenTwoOfItsTiles) {
  const Array X = random::uniform({1 << 28, 64}, {.chunks = -1, .seed = 3});
  const Array b = ones({64}).persist();
  const Array eta = matmul(X, b);
  for (const Array& y : {sum(eta), matmul(X.transpose(), eta)}) {
    EXPECT_EQ(reason_of([&] { (void)y.compute({.deadline = milliseconds(50)}); }),
              Cancelled::Reason::deadline);
  }
}

TEST(Stop, AProductOfTwoBlocksEnds) {
  const Array x = ones({3500, 3500}, {.chunks = -1}).persist();
  for (const Array& y : {matmul(x, x), matmul(x.astype(DType::int32), x.astype(DType::int32))}) {
    EXPECT_EQ(reason_of([&] { (void)y.compute({.deadline = milliseconds(50)}); }),
              Cancelled::Reason::deadline);
  }
}

TEST(Stop, NothingIsKeptOfAnArrayThatWasNotFinished) {
  const size_t before = buffer_statistics().live_buffers;
  EXPECT_EQ(reason_of([&] { (void)endless().persist({.deadline = milliseconds(50)}); }),
            Cancelled::Reason::deadline);
  EXPECT_EQ(buffer_statistics().live_buffers, before);
}

TEST(Stop, ARunInsideATaskEndsWithTheOneAround) {
  const auto inside = delayed([] { return endless().compute<double>(); }, "inside");
  EXPECT_EQ(reason_of([&] { inside().compute({.deadline = milliseconds(50)}); }),
            Cancelled::Reason::deadline);
}

TEST(Stop, AFailureEndsTheLongTaskBesideIt) {
  Context context({.threads = 2});
  // Roots are taken in order; the second one fails as soon as a helper has come in.
  const auto fail = delayed([]() -> double { throw std::runtime_error("broken"); }, "fail");
  const auto slow = delayed([] { return endless().compute<double>(); }, "slow");
  const auto both = delayed([](double a, double b) { return a + b; });
  const Clock::time_point start = Clock::now();
  EXPECT_THROW(both(slow(), fail()).compute({.context = &context}), TaskError);
  EXPECT_LT(Clock::now() - start, milliseconds(2000));
}

TEST(Gather, KeepsToTheOptionsItIsGiven) {
  const Result result = compute({ones({1 << 20}, {.chunks = 1 << 16}).port()})[0];
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(static_cast<void>(result.gather({.stop = stop.get_token()})), Cancelled);
  EXPECT_THROW(static_cast<void>(result.gather({.deadline = std::chrono::nanoseconds(0)})),
               Cancelled);
  EXPECT_THROW(static_cast<void>(result.to_vector<double>({.threads = 0})), InvalidArgument);
  Context context({.threads = 3});
  EXPECT_EQ(result.gather({.context = &context}).size(), 1 << 20);
}

TEST(TaskGraphs, KeepToTheOptionsTheyAreGiven) {
  TaskGraph graph;
  const auto one = graph.add("one", [] { return 1; });
  const auto two = graph.add(
      "two", [](int x) { return x + 1; }, one);
  EXPECT_EQ(compute(graph, one, two), (std::tuple(1, 2)));
  EXPECT_EQ(compute(RunOptions{.threads = 1}, graph, one, two), (std::tuple(1, 2)));
  EXPECT_THROW(static_cast<void>(compute(RunOptions{.threads = 0}, graph, one, two)),
               InvalidArgument);
}

}  // namespace
}  // namespace tuff::flow
