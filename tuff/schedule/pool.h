// The helper threads of a Context: parked until a run has work to share.
//
// One per Context, made when a run first has parallel work (context.service<ThreadPool>()). The pool
// knows runs only as Joinable; run.cpp offers them. Invariant: a helper is parked, looking for a run, or
// inside exactly one run; the thread that started a run is never a helper, so a run never depends on
// one. Idle costs nothing: helpers look around for 50 us, then sleep on a condition variable. While some
// run's tasks are too short to be shared, one sleeping helper looks at it now and then.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/context.h"

TUFF_NAMESPACE_BEGIN

/// Waits between two looks at a shared place: short pauses first, then the processor is offered to
/// others.
class Backoff {
 public:
  /// Waits a little longer than last time. False once 50 us have passed since the first wait: a
  /// wake-up costs 2-5 us on either side, so that much searching is worth it and more is not.
  bool wait();
  void reset() { rounds_ = 0; }

 private:
  uint32_t rounds_ = 0;
  int64_t give_up_ns_ = 0;
};

/// Nanoseconds of the steady clock (some 25 ns to read).
int64_t now_ns();
/// A coarse clock, cheap enough to be read at each task of a tiny plan: 0.2 to 1 ns per tick.
int64_t now_ticks();

/// Work that helpers may take part in.
class Joinable {
 public:
  virtual ~Joinable() = default;
  static constexpr int kNoPlace = -1;
  static constexpr int kNotYet = -2;
  /// Reserves a place for the calling helper if there is room and work, else returns kNoPlace, or kNotYet
  /// when it should be asked again soon. Called under the pool's lock: must be short and must not call the
  /// pool.
  virtual int try_join() = 0;
  /// Works until nothing is left to do, then gives the place back. Called without the lock, once for
  /// each place that try_join returned. `this` may be gone when it returns.
  virtual void help(int place) noexcept = 0;
};

class TUFF_API ThreadPool {
 public:
  /// Starts context.threads() - 1 helpers.
  explicit ThreadPool(Context& context);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int helpers() const { return static_cast<int>(threads_.size()); }
  /// From now on helpers may join `work`; the newest offer is looked at first (a nested run, whose
  /// caller holds up an older one).
  void offer(Joinable& work);
  /// After this returns, try_join is not called any more.
  void withdraw(Joinable& work);
  /// Wakes one parked helper, if there is one.
  void wake();
  /// Whether some helper sleeps. May lag behind by the time a store takes to become visible.
  bool anyone_parked() const { return parked() > 0; }
  /// How many helpers sleep, or are about to. May lag behind likewise.
  int parked() const { return static_cast<int>(parked_.load(std::memory_order_relaxed)); }

 private:
  struct Found {
    Joinable* work = nullptr;
    int place = Joinable::kNoPlace;
    bool later = false;  // some offer wants to be asked again
  };
  void serve();
  bool sleep(Found& found, uint64_t& known_changes);
  Found find() const;
  Found look_around();

  mutable std::mutex mutex_;
  std::condition_variable woken_;
  std::vector<Joinable*> offers_;
  bool stopping_ = false;
  std::chrono::duration<double> idle_;
  bool watched_ = false;    // a sleeping helper looks at the offers now and then
  bool gave_back_ = false;  // recycled memory, since the last offer
  // Hints, relaxed: what decides is looked at under the lock.
  alignas(64) std::atomic<uint32_t> parked_{0};  // read at each surplus: not on the lock's line
  std::atomic<size_t> offer_count_{0};  // offers_.size(), so that looking around needs no lock
  uint64_t changes_ = 0;                // counts offers and wake-ups
  std::vector<std::thread> threads_;
};

TUFF_NAMESPACE_END
