// A work-stealing deque of task numbers: its owner pushes and pops at the bottom, thieves take the
// oldest at the top.
//
// Used by run.cpp, one per worker. Chase & Lev, "Dynamic circular work-stealing deque" (SPAA 2005), in
// the C11 form of Le, Pop, Cohen & Nardelli, "Correct and efficient work-stealing for weak memory
// models" (PPoPP 2013), with two departures. The fences are replaced by sequentially consistent
// operations on top and bottom, because the thread sanitizer does not understand fences (same code on
// x86, one more barrier on arm64). The capacity is fixed before the run at an upper bound of what can be
// ready at once, so that a push never reads `top`, never fails and never allocates.
// Invariant: the entries are those at [top, bottom), at most `capacity` of them.
// Why no entry is taken twice: an owner that takes entry i without the compare-and-swap has stored
// bottom = i and then seen top < i, both in the one order of sequentially consistent operations; a thief of
// entry i has seen top = i, later in that order, so its next load sees that bottom, or one of a later push.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tuff/base/check.h"

TUFF_NAMESPACE_BEGIN

class Deque {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  /// Makes room for `capacity` entries and empties the deque. Nobody else may be using it.
  void reset(size_t capacity) {
    // One more, since a full ring would let a push overwrite what a slow thief is reading.
    const size_t needed = std::bit_ceil(capacity + 1);
    if (needed > capacity_) {
      // Left uninitialised: the system hands out the pages of a large ring only when they are used.
      ring_ = std::make_unique_for_overwrite<uint32_t[]>(needed);
      capacity_ = needed;
    }
    // Relaxed: whoever else gets to see this deque does so through the pool's lock, or the run's door.
    top_.store(0, std::memory_order_relaxed);
    bottom_.store(0, std::memory_order_relaxed);
  }

  /// Owner only.
  void push(uint32_t task) {
    const int64_t bottom = bottom_.load(std::memory_order_relaxed);
    TUFF_DEBUG_CHECK_LT(bottom - top_.load(std::memory_order_relaxed),
                        static_cast<int64_t>(capacity_));
    slot(bottom).store(task, std::memory_order_relaxed);
    // A thief that sees the new bottom (its load in steal) sees the entry, and all that the owner wrote before.
    bottom_.store(bottom + 1, std::memory_order_release);
  }

  /// The entry pushed last, or kNone. Owner only. Without thieves (`kShared` false) it costs two loads
  /// and a store; with them, one full barrier.
  template <bool kShared>
  uint32_t pop() {
    const int64_t last = bottom_.load(std::memory_order_relaxed) - 1;
    if constexpr (!kShared) {
      if (top_.load(std::memory_order_relaxed) > last) return kNone;
      bottom_.store(last, std::memory_order_relaxed);
      return slot(last).load(std::memory_order_relaxed);
    }
    // Top only grows, so an old value that is past `last` proves the deque empty, without a barrier. Acquires
    // what the thief released with its compare-and-swap: an owner who has nothing left knows who has it.
    if (top_.load(std::memory_order_acquire) > last) return kNone;
    // The store must be visible to thieves before top is read: either they see the entry gone, or
    // this sees their claim.
    bottom_.store(last, std::memory_order_seq_cst);
    int64_t top = top_.load(std::memory_order_seq_cst);
    // Both restores below leave the deque empty, so no thief takes an entry on their account: relaxed.
    if (top > last) {
      bottom_.store(last + 1, std::memory_order_relaxed);
      return kNone;
    }
    uint32_t task = slot(last).load(std::memory_order_relaxed);
    if (top == last) {  // the last entry: race for it like a thief
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                        std::memory_order_acquire)) {
        task = kNone;
      }
      bottom_.store(last + 1, std::memory_order_relaxed);
    }
    return task;
  }

  /// The entry pushed first, or kNone when there is none or another thread was faster. Any thread.
  uint32_t steal() {
    // In this order, or an old bottom would seem to hold what the owner has taken since.
    int64_t top = top_.load(std::memory_order_seq_cst);
    if (top >= bottom_.load(std::memory_order_seq_cst)) return kNone;
    const uint32_t task = slot(top).load(std::memory_order_relaxed);
    // Success means that top was still this one, so the entry just read had not been overwritten.
    return top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                        std::memory_order_relaxed)
               ? task
               : kNone;
  }

  /// Whether it held nothing a moment ago. Any thread. A hint: what is found here is taken by steal().
  bool looks_empty() const {
    return top_.load(std::memory_order_relaxed) >= bottom_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic_ref<uint32_t> slot(int64_t index) const {
    return std::atomic_ref<uint32_t>(ring_[static_cast<size_t>(index) & (capacity_ - 1)]);
  }

  // Thieves write top, the owner writes bottom: on one line, each push would miss.
  alignas(64) std::atomic<int64_t> top_{0};
  alignas(64) std::atomic<int64_t> bottom_{0};
  size_t capacity_ = 0;
  std::unique_ptr<uint32_t[]> ring_;
};

TUFF_NAMESPACE_END
