// Calls functions at given times, for the deadlines of runs.
//
// One per Context, made by the first run with a deadline (context.service<Timer>()); its thread sleeps
// until the earliest time. So a deadline costs nothing per task, and it reaches a run whose only task
// is a long one that polls its stop token.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/context.h"

TUFF_NAMESPACE_BEGIN

class TUFF_API Timer {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Timer(Context& context);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Calls `action` once at `when` on the timer's thread, unless it is cancelled before. Returns a
  /// number for cancel().
  uint64_t call_at(Time when, std::function<void()> action);
  /// After this returns, the action is not running and will not run.
  void cancel(uint64_t id);

 private:
  struct Entry {
    Time when;
    uint64_t id;
    std::function<void()> action;
  };
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable idle_;
  std::vector<Entry> entries_;  // unsorted: there are as many as clients with deadlines
  uint64_t next_id_ = 1;
  uint64_t running_ = 0;  // id of the action that is being called
  bool stopping_ = false;
  std::thread thread_;
};

TUFF_NAMESPACE_END
