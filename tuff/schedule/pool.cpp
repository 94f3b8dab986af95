// Helper threads: looking for runs, parking and waking; see pool.h.
#include "tuff/schedule/pool.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include <pthread.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "tuff/base/buffer.h"

TUFF_NAMESPACE_BEGIN

namespace {

constexpr int64_t kSearchNs = 50'000;
// Pauses double up to 64, some 1-3 us: a look costs the looked-at thread a cache miss (about 60 ns),
// which at this rate stays below 5 % of its time.
constexpr uint32_t kDoublings = 6;

// How long a helper sleeps between two looks at runs whose tasks are too short to be shared. A look
// takes some 5 us, so the longest one costs 0.1 % of a processor.
constexpr std::chrono::microseconds kFirstWatch{100};
constexpr std::chrono::microseconds kLastWatch{4000};

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb");
#endif
}

void name_thread(std::thread& thread, int number) {
  const std::string name = "tuff-" + std::to_string(number);
  static_cast<void>(::pthread_setname_np(thread.native_handle(), name.c_str()));
}

}  // namespace

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int64_t now_ticks() {
#if defined(__x86_64__)
  return static_cast<int64_t>(__rdtsc());
#else
  return now_ns();
#endif
}

bool Backoff::wait() {
  if (rounds_ == 0) give_up_ns_ = now_ns() + kSearchNs;
  for (uint32_t i = 0; i < uint32_t{1} << std::min(rounds_, kDoublings); ++i) pause();
  // With more threads than processors, the one that we wait for may need this processor.
  if (rounds_ > kDoublings) std::this_thread::yield();
  return ++rounds_ <= kDoublings || now_ns() < give_up_ns_;
}

ThreadPool::ThreadPool(Context& context) : idle_(std::min(context.idle_seconds(), 1e8)) {
  threads_.reserve(static_cast<size_t>(context.threads()) - 1);
  try {
    for (int i = 1; i < context.threads(); ++i) {
      threads_.emplace_back([this] { serve(); });
      name_thread(threads_.back(), i);
    }
  } catch (const std::system_error&) {
    // The system grants no more threads: fewer helpers do the same work.
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  woken_.notify_all();
  for (std::thread& thread : threads_) {
    // A callable that exits the process ends here, in a static destructor: it cannot wait for itself.
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

void ThreadPool::offer(Joinable& work) {
  {
    const std::lock_guard lock(mutex_);
    offers_.push_back(&work);
    gave_back_ = false;
    offer_count_.store(offers_.size(), std::memory_order_relaxed);
    ++changes_;
  }
  // A helper that found no offer under the lock before this had counted itself as parked before that.
  if (anyone_parked()) woken_.notify_one();
}

void ThreadPool::withdraw(Joinable& work) {
  const std::lock_guard lock(mutex_);
  std::erase(offers_, &work);
  offer_count_.store(offers_.size(), std::memory_order_relaxed);
}

void ThreadPool::wake() {
  {
    const std::lock_guard lock(mutex_);
    ++changes_;
  }
  woken_.notify_one();
}

/// Caller holds the lock.
ThreadPool::Found ThreadPool::find() const {
  Found found;
  for (size_t i = offers_.size(); i-- > 0;) {
    const int place = offers_[i]->try_join();
    if (place >= 0) return {offers_[i], place, false};
    found.later = found.later || place == Joinable::kNotYet;
  }
  return found;
}

/// Looks for work for 50 us.
ThreadPool::Found ThreadPool::look_around() {
  Backoff backoff;
  do {
    if (offer_count_.load(std::memory_order_relaxed) == 0) continue;
    bool later = false;
    {
      const std::lock_guard lock(mutex_);
      const Found found = find();
      if (found.work != nullptr) return found;
      later = found.later;
    }
    // The wake-up may have put this thread in the place of the one that it looks at, which then makes no progress.
    if (later) std::this_thread::yield();
  } while (backoff.wait());
  return {};
}

void ThreadPool::serve() {
  uint64_t known_changes = 0;
  for (;;) {
    Found found = look_around();
    if (found.work == nullptr) {
      parked_.fetch_add(1, std::memory_order_seq_cst);
      // A worker that made work just before it could see parked_ does not wake anybody. Its store is
      // visible long before this pause ends (1-3 us; on arm64 no load moves up across it, since isb empties
      // the pipeline), so one more look finds that work. Without the clock it would take a full barrier per
      // surplus; all that a miss could cost is a helper that sleeps until the next one.
      for (int i = 0; i < 64; ++i) pause();
      const bool stops = !sleep(found, known_changes);
      parked_.fetch_sub(1, std::memory_order_relaxed);
      if (stops) return;
      if (found.work == nullptr) continue;
    }
    found.work->help(found.place);
  }
}

/// Until there is work, or a new offer that wants more than one look: `known_changes` are those that this
/// helper had looked at when it last left. False when the pool stops.
bool ThreadPool::sleep(Found& found, uint64_t& known_changes) {
  std::unique_lock lock(mutex_);
  bool has_news = changes_ != known_changes;
  std::chrono::microseconds watch = kFirstWatch;
  while (!stopping_) {
    found = find();
    if (found.work != nullptr) {
      // Whoever watched the other offers may be this one.
      if (offers_.size() > 1) {
        ++changes_;
        woken_.notify_one();
      }
      return true;
    }
    if (found.later && has_news) {
      known_changes = changes_;
      return true;
    }
    const auto changed = [this, changes = changes_] { return changes_ != changes || stopping_; };
    if (found.later && !watched_) {
      watched_ = true;
      has_news = woken_.wait_for(lock, watch, changed);
      watched_ = false;
      watch = std::min(2 * watch, kLastWatch);
      continue;
    }
    watch = kFirstWatch;
    has_news = woken_.wait_for(lock, idle_, changed);
    if (has_news || std::exchange(gave_back_, true)) continue;
    lock.unlock();
    release_recycled_memory();
    lock.lock();
  }
  return false;
}

TUFF_NAMESPACE_END
