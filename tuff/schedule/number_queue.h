// The ready tasks of a run that goes by number, for all its workers: who asks gets the lowest.
//
// Used by ActiveRun where depth first would hold too much (run_order.h); one mutex guards it, which is nothing to
// tasks that make blocks, and tasks too short for that are not shared (door.h). A caller who is alone needs no queue:
// it runs one number after the other. So the queue is filled by whoever comes first when the caller is alone no more.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

class NumberQueue {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  /// Before a run, with nobody else there.
  void reset() {
    tasks_.clear();
    filled_ = false;
    looks_empty_.store(false, std::memory_order_relaxed);
  }
  /// Adds tasks, and takes the lowest; kNone when there is none. `fill(tasks)` appends, ascending, those that were
  /// ready at first, and is called once.
  template <class Fill>
  uint32_t exchange(std::span<const uint32_t> ready, Fill&& fill) {
    const std::lock_guard lock(mutex_);
    if (!filled_) {
      fill(tasks_);  // ascending: a heap already
      filled_ = true;
    }
    for (uint32_t task : ready) {
      tasks_.push_back(task);
      std::push_heap(tasks_.begin(), tasks_.end(), std::greater<>());
    }
    uint32_t lowest = kNone;
    if (!tasks_.empty()) {
      std::pop_heap(tasks_.begin(), tasks_.end(), std::greater<>());
      lowest = tasks_.back();
      tasks_.pop_back();
    }
    looks_empty_.store(tasks_.empty(), std::memory_order_relaxed);
    return lowest;
  }
  /// A hint; false until it is known.
  bool looks_empty() const { return looks_empty_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;
  std::vector<uint32_t> tasks_;  // a heap, the lowest first
  bool filled_ = false;
  std::atomic<bool> looks_empty_{false};
};

TUFF_NAMESPACE_END
