// The timer's thread; see timer.h.
#include "tuff/schedule/timer.h"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>
#include <pthread.h>

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

Timer::Timer(Context&) {
  try {
    thread_ = std::thread([this] { serve(); });
  } catch (const std::system_error& error) {
    throw Error(
        fmt::format("[run] no thread can be had to watch the deadline: {}; end others, raise "
                    "the limit (ulimit -u), or run without a deadline",
                    error.code().message()));
  }
  static_cast<void>(::pthread_setname_np(thread_.native_handle(), "tuff-timer"));
}

Timer::~Timer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

uint64_t Timer::call_at(Time when, std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  const uint64_t id = next_id_++;
  entries_.push_back({when, id, std::move(action)});
  changed_.notify_one();
  return id;
}

void Timer::cancel(uint64_t id) {
  std::unique_lock lock(mutex_);
  std::erase_if(entries_, [id](const Entry& entry) { return entry.id == id; });
  idle_.wait(lock, [&] { return running_ != id; });
}

void Timer::serve() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto earliest =
        std::min_element(entries_.begin(), entries_.end(),
                         [](const Entry& a, const Entry& b) { return a.when < b.when; });
    if (earliest == entries_.end()) {
      changed_.wait(lock);
    } else if (const Time when = earliest->when; std::chrono::steady_clock::now() < when) {
      changed_.wait_until(lock, when);
    } else {
      const std::function<void()> action = std::move(earliest->action);
      running_ = earliest->id;
      entries_.erase(earliest);
      lock.unlock();
      action();
      lock.lock();
      running_ = 0;
      idle_.notify_all();
    }
  }
}

TUFF_NAMESPACE_END
