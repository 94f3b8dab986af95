// The pool alone: helpers join what is offered, as many as there is room for, and park when idle.
#include "tuff/schedule/pool.h"

#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>
#include <time.h>

#include "tuff/base/buffer.h"
#include "tuff/schedule/timer.h"

namespace {

using tuff::Context;
using tuff::Joinable;
using tuff::ThreadPool;

/// Work with a number of places; each helper that joins counts itself and waits for `open`.
class Work : public Joinable {
 public:
  explicit Work(int places) : places_(places) {}
  int try_join() override {
    if (joined_.load() >= places_ || !wanted.load()) return kNoPlace;
    return joined_.fetch_add(1);
  }
  void help(int place) noexcept override {
    sum_of_places.fetch_add(place);
    inside.fetch_add(1);
    while (!open.load()) std::this_thread::yield();
    done.fetch_add(1);
  }
  std::atomic<bool> wanted{true};
  std::atomic<bool> open{false};
  std::atomic<int> inside{0};
  std::atomic<int> done{0};
  std::atomic<int> sum_of_places{0};

 private:
  const int places_;
  std::atomic<int> joined_{0};
};

template <class F>
bool becomes_true(F&& condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(ThreadPool, HasOneHelperLessThanTheContextHasThreads) {
  Context one({.threads = 1});
  EXPECT_EQ(one.service<ThreadPool>().helpers(), 0);
  Context five({.threads = 5});
  EXPECT_EQ(five.service<ThreadPool>().helpers(), 4);
}

TEST(ThreadPool, HelpersJoinWhatIsOfferedUpToItsRoom) {
  Context context({.threads = 5});
  ThreadPool& pool = context.service<ThreadPool>();
  Work work(3);
  pool.offer(work);
  for (int i = 0; i < 4; ++i) pool.wake();
  EXPECT_TRUE(becomes_true([&] { return work.inside.load() == 3; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(work.inside.load(), 3);
  EXPECT_EQ(work.sum_of_places.load(), 0 + 1 + 2);
  pool.withdraw(work);
  work.open = true;
  EXPECT_TRUE(becomes_true([&] { return work.done.load() == 3; }));
}

TEST(ThreadPool, AParkedHelperIsWokenForWorkThatTurnsUpLater) {
  Context context({.threads = 2});
  ThreadPool& pool = context.service<ThreadPool>();
  Work work(1);
  work.open = true;
  work.wanted = false;
  pool.offer(work);
  ASSERT_TRUE(becomes_true([&] { return pool.anyone_parked(); }));
  work.wanted = true;
  pool.wake();
  EXPECT_TRUE(becomes_true([&] { return work.done.load() == 1; }));
  pool.withdraw(work);
}

TEST(ThreadPool, TheNewestOfferIsServedFirst) {
  Context context({.threads = 2});
  ThreadPool& pool = context.service<ThreadPool>();
  Work older(1);
  Work newer(1);
  older.wanted = false;
  newer.wanted = false;
  newer.open = true;
  pool.offer(older);
  pool.offer(newer);
  ASSERT_TRUE(becomes_true([&] { return pool.anyone_parked(); }));
  newer.wanted = true;
  older.wanted = true;
  pool.wake();
  ASSERT_TRUE(becomes_true([&] { return older.inside.load() == 1; }));
  EXPECT_EQ(newer.done.load(), 1);
  older.open = true;
  pool.withdraw(older);
  pool.withdraw(newer);
  EXPECT_TRUE(becomes_true([&] { return older.done.load() == 1; }));
}

TEST(ThreadPool, WithdrawnWorkIsNotJoined) {
  Context context({.threads = 2});
  ThreadPool& pool = context.service<ThreadPool>();
  ASSERT_TRUE(becomes_true([&] { return pool.anyone_parked(); }));
  {
    Work work(1);
    work.wanted = false;
    pool.offer(work);
    pool.withdraw(work);
    work.wanted = true;
    pool.wake();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(work.inside.load(), 0);
  }
  pool.wake();
}

/// Has every helper report the clock of its processor time; they wait for each other, so each reports once.
class Clocks : public Joinable {
 public:
  explicit Clocks(int helpers) : clocks_(static_cast<size_t>(helpers)) {}
  int try_join() override {
    const int place = joined_.fetch_add(1);
    return place < static_cast<int>(clocks_.size()) ? place : kNoPlace;
  }
  void help(int place) noexcept override {
    known_ += ::pthread_getcpuclockid(::pthread_self(), &clocks_[static_cast<size_t>(place)]) == 0
                  ? 1
                  : 0;
    while (!all_known()) std::this_thread::yield();
    left_.fetch_add(1);
  }
  bool all_known() const { return known_.load() == static_cast<int>(clocks_.size()); }
  bool all_left() const { return left_.load() == static_cast<int>(clocks_.size()); }
  /// Processor time of each helper, in nanoseconds.
  std::vector<int64_t> spent() const {
    std::vector<int64_t> times;
    for (clockid_t clock : clocks_) {
      timespec time{};
      EXPECT_EQ(::clock_gettime(clock, &time), 0);
      times.push_back(int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec);
    }
    return times;
  }

 private:
  std::vector<clockid_t> clocks_;
  std::atomic<int> joined_{0};
  std::atomic<int> known_{0};
  std::atomic<int> left_{0};
};

TEST(ThreadPool, GivesRecycledMemoryBackWhenIdle) {
  Context context({.threads = 2, .idle_seconds = 0.05});
  ThreadPool& pool = context.service<ThreadPool>();
  Clocks clocks(pool.helpers());
  pool.offer(clocks);
  pool.wake();
  ASSERT_TRUE(becomes_true([&] { return clocks.all_left(); }));
  pool.withdraw(clocks);
  tuff::Buffer::allocate(size_t{8} << 20);  // freed at once, and kept
  EXPECT_TRUE(becomes_true([] { return tuff::buffer_statistics().recycled_bytes < (8 << 20); }));
}

TEST(ThreadPool, ParksAllHelpersWhenIdle) {
  Context context({.threads = 4});
  ThreadPool& pool = context.service<ThreadPool>();
  Clocks clocks(pool.helpers());
  pool.offer(clocks);
  for (int i = 0; i < pool.helpers(); ++i) pool.wake();
  ASSERT_TRUE(becomes_true([&] { return clocks.all_left(); }));
  pool.withdraw(clocks);
  ASSERT_TRUE(becomes_true([&] { return pool.parked() == pool.helpers(); }));
  // A thread that sleeps uses no time at all, however busy the machine is. One that spins or wakes up
  // from time to time would use some in every stretch; only the first may hold the way into sleep.
  EXPECT_TRUE(becomes_true([&] {
    const std::vector<int64_t> before = clocks.spent();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return clocks.spent() == before;
  }));
  EXPECT_EQ(pool.parked(), pool.helpers());
}

TEST(ThreadPool, NamesItsThreads) {
  Context context({.threads = 2});
  ThreadPool& pool = context.service<ThreadPool>();
  class Name : public Joinable {
   public:
    int try_join() override { return asked_.exchange(true) ? kNoPlace : 0; }
    void help(int) noexcept override {
      std::ifstream("/proc/thread-self/comm") >> name;
      done = true;
    }
    std::string name;
    std::atomic<bool> done{false};

   private:
    std::atomic<bool> asked_{false};
  } work;
  pool.offer(work);
  ASSERT_TRUE(becomes_true([&] { return work.done.load(); }));
  pool.withdraw(work);
  EXPECT_EQ(work.name, "tuff-1");
}

/// Keeps the timer's thread busy with a call until opened, so that what is registered meanwhile waits,
/// however slowly this thread gets on.
class Gate {
 public:
  explicit Gate(tuff::Timer& timer) {
    timer.call_at(std::chrono::steady_clock::now(), [this] {
      closed_ = true;
      while (!open_.load()) std::this_thread::yield();
      passed_ = true;
    });
    EXPECT_TRUE(becomes_true([&] { return closed_.load(); }));
  }
  ~Gate() {
    open();
    EXPECT_TRUE(becomes_true([&] { return passed_.load(); }));
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  void open() { open_ = true; }

 private:
  std::atomic<bool> closed_{false};
  std::atomic<bool> open_{false};
  std::atomic<bool> passed_{false};
};

TEST(Timer, CallsInOrderOfTime) {
  Context context({.threads = 1});
  tuff::Timer& timer = context.service<tuff::Timer>();
  Gate gate(timer);
  const auto now = std::chrono::steady_clock::now();
  std::mutex mutex;
  std::vector<int> order;
  std::atomic<int> calls{0};
  for (int i : {2, 3, 1}) {
    timer.call_at(now + std::chrono::milliseconds(5 * i), [&, i] {
      const std::lock_guard lock(mutex);
      order.push_back(i);
      ++calls;
    });
  }
  gate.open();
  ASSERT_TRUE(becomes_true([&] { return calls.load() == 3; }));
  EXPECT_GE(std::chrono::steady_clock::now() - now, std::chrono::milliseconds(15));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Timer, WhatWasCancelledIsNotCalled) {
  Context context({.threads = 1});
  tuff::Timer& timer = context.service<tuff::Timer>();
  Gate gate(timer);
  std::atomic<int> calls{0};
  std::atomic<bool> later{false};
  const auto now = std::chrono::steady_clock::now();
  const uint64_t id = timer.call_at(now, [&calls] { ++calls; });
  timer.call_at(now + std::chrono::milliseconds(1), [&later] { later = true; });
  timer.cancel(id);
  timer.cancel(id);
  gate.open();
  EXPECT_TRUE(becomes_true([&] { return later.load(); }));
  EXPECT_EQ(calls.load(), 0);
}

TEST(Timer, CancelWaitsForACallUnderWay) {
  Context context({.threads = 1});
  tuff::Timer& timer = context.service<tuff::Timer>();
  std::atomic<bool> begun{false};
  std::atomic<bool> ended{false};
  const uint64_t id = timer.call_at(std::chrono::steady_clock::now(), [&] {
    begun = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ended = true;
  });
  ASSERT_TRUE(becomes_true([&] { return begun.load(); }));
  timer.cancel(id);
  EXPECT_TRUE(ended.load());
}

}  // namespace
