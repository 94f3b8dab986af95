// The memory budget of a context: who may start, what goes to disk, and what comes back.
//
// Most runs hold less than there is: Runner::run promises their bound and nothing is asked per task. A run
// that could hold more has a RunMemory: each task waits until its outputs fit, and what is needed latest (by
// number of the next task that reads it) is written to a file meanwhile, by one thread of this budget. What
// blocks take is counted where they are allocated (live_bytes), so everybody's count, views and scratch
// included; what is kept here is which values may go to disk. One mutex guards all of it.
// Invariants: a value that is read by a task under way is pinned and stays; a run may always have one task
// under way, so that no run waits for itself or for the run around it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tuff/base/block.h"
#include "tuff/base/context.h"
#include "tuff/base/value.h"
#include "tuff/schedule/memory_statistics.h"
#include "tuff/schedule/spill_file.h"

TUFF_NAMESPACE_BEGIN

class RunMemory;

/// A value that may be written to disk: a slot of a run, or a block that outlives runs.
struct Held {
  enum class Place : uint8_t { nowhere, memory, writing, disk, reading };
  /// What is on disk; kept when the value is read back, so that it need not be written again.
  struct Copy {
    SpillRegion region;
    DType dtype = DType::float64;
    Dims shape;
    Dims strides;
    size_t offset = 0;  ///< of the first element in the buffer, in bytes
    size_t buffer_bytes = 0;
  };
  Place place = Place::nowhere;
  uint32_t pins = 0;         ///< tasks under way that read it
  uint32_t index = kNone;    ///< in MemoryBudget::in_memory_
  uint32_t slot = 0;         ///< of the run
  RunMemory* run = nullptr;  ///< null: outlives runs
  uint64_t used = 0;         ///< when it was last read, if it outlives runs
  Value* value = nullptr;    ///< holds a Block while in memory
  std::unique_ptr<Copy> copy;
  static constexpr uint32_t kNone = UINT32_MAX;
};

class TUFF_API MemoryBudget : public std::enable_shared_from_this<MemoryBudget> {
 public:
  explicit MemoryBudget(Context& context);
  ~MemoryBudget();
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  MemoryStatistics statistics() const;

 private:
  friend class RunMemory;
  friend class MemoryPromise;
  friend class StoredBlock;
  using Lock = std::unique_lock<std::mutex>;

  // All with the lock held; those that take it give it up while they wait, write or read.
  bool fits(uint64_t more, uint64_t limit) const;
  void add(Held& held);
  void remove(Held& held);
  void forget(Held& held, Lock& lock);
  /// Returns how many bytes it read. Throws Cancelled when stop is requested.
  size_t bring_back(Held& held, Lock& lock, StopRequest stop);
  bool is_spillable(const Held& held) const;
  bool can_spill() const;
  std::vector<Held*> choose(uint64_t bytes) const;
  void ask(uint64_t bytes);
  void stop_asking();
  void serve();
  void spill(Held& held, Lock& lock);
  void let_go(Held& held);

  mutable std::mutex mutex_;
  std::condition_variable freed_;   // memory was freed, a value came back, or a run ended
  std::condition_variable wanted_;  // the thread has something to do
  const size_t budget_bytes_;
  SpillFile file_;
  std::vector<Held*> in_memory_;
  uint64_t reserved_ = 0;      // by tasks under way in runs with a RunMemory
  uint64_t promised_ = 0;      // to runs without one
  uint64_t wanted_bytes_ = 0;  // to be taken out of memory
  uint32_t writing_ = 0;
  uint32_t waiting_ = 0;  // tasks
  uint64_t clock_ = 0;
  std::exception_ptr error_;  // of the last write, until a run has reported it
  MemoryStatistics counts_;
  bool stopping_ = false;
  std::thread thread_;  // from the first request on
};

/// The bound of a run that may start without asking again, for as long as this exists.
class MemoryPromise {
 public:
  /// `bytes`: what its tasks yield in all; kept is whether that fits.
  MemoryPromise(MemoryBudget& budget, uint64_t bytes, uint64_t limit);
  ~MemoryPromise();
  MemoryPromise(const MemoryPromise&) = delete;
  MemoryPromise& operator=(const MemoryPromise&) = delete;
  bool is_kept() const { return bytes_ > 0; }

 private:
  MemoryBudget& budget_;
  uint64_t bytes_ = 0;
};

/// A block that outlives runs, in memory or on disk. Thread-safe.
class TUFF_API StoredBlock {
 public:
  /// Throws Cancelled when stop is requested on the way; so does get().
  StoredBlock(std::shared_ptr<MemoryBudget> budget, Block block, StopRequest stop = {});
  ~StoredBlock();
  StoredBlock(const StoredBlock&) = delete;
  StoredBlock& operator=(const StoredBlock&) = delete;
  /// The block, read back if it is on disk. Throws MemoryError when that fails.
  Block get(StopRequest stop = {});
  const Dims& shape() const { return shape_; }
  /// The budget of the run in which the calling task runs, else of the current context.
  static std::shared_ptr<MemoryBudget> budget_of_this_task();

 private:
  std::shared_ptr<MemoryBudget> budget_;
  Value value_;
  Held held_;
  Dims shape_;
};

TUFF_NAMESPACE_END
