// The pool alone: helpers join what is offered, as many as there is room for, and park when idle.
#include "tuff/schedule/pool.h"

#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

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

TEST(ThreadPool, ParksAllHelpersWhenIdle) {
  Context context({.threads = 4});
  ThreadPool& pool = context.service<ThreadPool>();
  ASSERT_TRUE(becomes_true([&] { return pool.anyone_parked(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto cpu_seconds = [] {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double before = cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  // Three spinning helpers would have used up to 0.6 s.
  EXPECT_LT(cpu_seconds() - before, 0.02);
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

TEST(Timer, CallsInOrderOfTime) {
  Context context({.threads = 1});
  tuff::Timer& timer = context.service<tuff::Timer>();
  const auto now = std::chrono::steady_clock::now();
  std::atomic<int> calls{0};
  std::atomic<int> first{0};
  for (int i = 3; i >= 1; --i) {
    timer.call_at(now + std::chrono::milliseconds(5 * i), [&calls, &first, i] {
      if (calls.fetch_add(1) == 0) first = i;
    });
  }
  EXPECT_TRUE(becomes_true([&] { return calls.load() == 3; }));
  EXPECT_EQ(first.load(), 1);
  EXPECT_GE(std::chrono::steady_clock::now() - now, std::chrono::milliseconds(15));
}

TEST(Timer, WhatWasCancelledIsNotCalled) {
  Context context({.threads = 1});
  tuff::Timer& timer = context.service<tuff::Timer>();
  std::atomic<int> calls{0};
  const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  const uint64_t id = timer.call_at(soon, [&calls] { ++calls; });
  timer.cancel(id);
  timer.cancel(id);
  std::this_thread::sleep_for(std::chrono::milliseconds(15));
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
