// The door of a run in which its caller works alone. As long as it is shut, the caller counts without
// atomic read-modify-writes: tasks of a few nanoseconds take two threads twice as long as one.
//
// Used by ActiveRun. The caller says when it is inside a task, where it touches nothing of the run, and
// looks at the door after each. A helper that wants to come in says so, and may enter once the caller is
// inside a task or has answered. Both write, then read what the other writes, so each needs a full
// barrier in between (Dekker). Only the helper pays for it, with a system call that is a barrier on all
// processors (membarrier; the technique of biased locking). The thread sanitizer does not know that
// call, so under it both sides use sequentially consistent operations.
#pragma once

#include <atomic>
#include <cstdint>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

class Door {
 public:
  /// Whether doors of this process can be opened; else all must stand open from the start.
  static bool can_open();

  // By the run's caller.

  /// Before anybody else knows the run: helpers hear of it through the pool's lock, so nothing is released here.
  void shut() {
    caller_.store(Caller::between_tasks, std::memory_order_relaxed);
    asked_.store(false, std::memory_order_relaxed);
    has_seen_barrier_ = false;
  }
  /// Anybody may come in at any time. Releases what the caller counted in plain words, to is_open().
  void stand_open() { caller_.store(Caller::knows, std::memory_order_release); }
  /// Releases the same, to open().
  void enter_task() { caller_.store(Caller::in_task, std::memory_order_release); }
  /// False when others may be inside from now on.
  bool leave_task() {
    // The light half of the barrier: the compiler keeps the order, and a processor that has not kept it is put in
    // order by the helper's call, on arm64 as on x86. Relaxed, since nothing is read that a helper published: once
    // one is inside, counts are read with orders of their own. (On arm64 an acquiring load would wait for the
    // releasing store of enter_task to drain, at each task.)
    caller_.store(Caller::between_tasks, kCallerOrder);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (!asked_.load(kCallerOrder)) [[likely]]
      return true;
    stand_open();
    return false;
  }

  // By helpers, one at a time (under a lock).

  /// Whether they may enter. After false the caller is going to answer; ask again.
  bool open();
  bool is_open() const { return caller_.load(std::memory_order_acquire) == Caller::knows; }

 private:
  enum class Caller : uint8_t { between_tasks, in_task, knows };
#if defined(__SANITIZE_THREAD__)
  static constexpr bool kMembarrier = false;
#else
  static constexpr bool kMembarrier = true;
#endif
  static constexpr std::memory_order kCallerOrder =
      kMembarrier ? std::memory_order_relaxed : std::memory_order_seq_cst;

  alignas(64) std::atomic<Caller> caller_{Caller::between_tasks};
  alignas(64) std::atomic<bool> asked_{false};
  bool has_seen_barrier_ = false;  // since it was asked for; the helpers' own
};

TUFF_NAMESPACE_END
