// The memory budget of a context: who may start, what goes to disk, and what comes back.
//
// Most runs hold less than there is: Runner::run promises their bound and nothing is asked per task. A run
// that could hold more has a RunMemory: each task waits until its outputs fit, and what is needed latest (by
// number of the next task that reads it) is written to a file meanwhile, by one thread of this budget. What
// blocks take is counted where they are allocated (live_bytes), so everybody's count, views and scratch
// included; what is kept here is which values may go to disk. One mutex guards all of it.
// What goes is a buffer, with all values that are views of it: memory comes back when the last view is gone, and a
// view that comes back lies as it did, so that sums over it have the same bits. Views that are small for their buffer are
// copied out of it instead, such that a walk over them does the same.
// Invariants: a value that is read by a task under way is pinned, and its buffer stays; what a task may take, or is
// about to free, is forgotten before; when nobody is at work who could free something, one task may start whatever it
// takes, so that no run waits for ever, for itself, for another or for the run around it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tuff/base/block.h"
#include "tuff/base/context.h"
#include "tuff/base/value.h"
#include "tuff/schedule/memory_statistics.h"
#include "tuff/schedule/spill_file.h"

TUFF_NAMESPACE_BEGIN

class RunMemory;

struct HeldBuffer;

/// A value that may be written to disk: a slot of a run, or a block that outlives runs.
struct Held {
  /// How a block that is on disk lies in its buffer.
  struct View {
    DType dtype = DType::float64;
    Dims shape;
    Dims strides;
    size_t offset = 0;  ///< of the first element, in bytes
  };
  HeldBuffer* buffer = nullptr;  ///< null: it holds no block of its own
  uint32_t index = 0;            ///< in the buffer's views
  uint32_t pins = 0;             ///< tasks under way that read it
  uint32_t slot = 0;             ///< of the run
  RunMemory* run = nullptr;      ///< null: outlives runs
  uint64_t used = 0;             ///< when it was last read, if it outlives runs
  Value* value = nullptr;        ///< holds a Block while in memory
  std::unique_ptr<View> view;    ///< while on disk
};

/// Whether a block is a piece of something larger, which it would keep alive.
bool is_piece(const Block& block);

/// Memory that values are views of: it is here or on disk with all of them.
struct HeldBuffer {
  enum class Place : uint8_t { memory, writing, disk, reading };
  Place place = Place::memory;
  const std::byte* data = nullptr;  ///< while in memory
  size_t bytes = 0;
  uint32_t pins = 0;   ///< of all views
  uint32_t index = 0;  ///< in MemoryBudget::buffers_
  std::vector<Held*> views;
  /// Where it is on disk; kept when it is read back, so that it need not be written again.
  SpillRegion region;
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
  friend class NestedInMemory;
  friend class StoredBlock;
  using Lock = std::unique_lock<std::mutex>;

  // All with the lock held; those that take it give it up while they wait, write or read.
  bool fits(uint64_t more, uint64_t limit) const;
  /// The value holds a block: it may go to disk from now on.
  void add(Held& held);
  /// The value is gone, or about to be.
  void forget(Held& held, Lock& lock);
  static void pin(Held& held);
  static void unpin(Held& held);
  static bool is_on_disk(const Held& held);
  /// Has a pinned value in memory. Returns how many bytes it read; the caller has been granted them. Throws Cancelled
  /// when stop is requested.
  size_t bring_back(Held& held, Lock& lock, StopRequest stop);
  static bool is_spillable(const HeldBuffer& buffer);
  bool can_spill() const;
  /// Somebody has freed what there was to free, or nobody will: who waits looks again.
  void end_work();
  /// When somebody reads it next: the smaller, the sooner.
  static uint64_t next_use(const Held& held);
  std::vector<HeldBuffer*> choose(uint64_t bytes) const;
  void ask(uint64_t bytes);
  void stop_asking();
  void serve();
  void spill_some(Lock& lock);
  /// Frees buffers that are large for the views that are left of them.
  void repack_all(Lock& lock);
  void repack(HeldBuffer& buffer, Lock& lock);
  bool write(HeldBuffer& buffer, Lock& lock);
  void let_go(HeldBuffer& buffer);
  void drop(HeldBuffer& buffer);

  mutable std::mutex mutex_;
  std::condition_variable freed_;   // memory was freed, a value came back, or a run ended
  std::condition_variable wanted_;  // the thread has something to do
  const size_t budget_bytes_;
  SpillFile file_;
  std::vector<std::unique_ptr<HeldBuffer>> buffers_;
  std::unordered_map<const std::byte*, HeldBuffer*> in_memory_;  // by where it lies
  uint64_t reserved_ = 0;      // by tasks under way in runs with a RunMemory
  uint64_t promised_ = 0;      // to runs without one
  uint64_t wanted_bytes_ = 0;  // to be taken out of memory
  uint32_t writing_ = 0;
  uint32_t waiting_ = 0;  // tasks
  // Tasks under way in runs with a RunMemory, and runs that were promised their memory, but for those that wait for
  // a run inside them.
  uint32_t at_work_ = 0;
  uint64_t ends_ = 0;  // of such tasks and runs so far
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
  friend class NestedInMemory;
  MemoryBudget& budget_;
  uint64_t bytes_ = 0;
  uint32_t nested_ = 0;  // runs inside its tasks
};

/// A run inside a task of another one, for as long as it asks for memory: the task is not at work meanwhile.
class NestedInMemory {
 public:
  /// How the run around it holds its memory; null: not so.
  NestedInMemory(RunMemory* tasks, MemoryPromise* promise);
  ~NestedInMemory();
  NestedInMemory(const NestedInMemory&) = delete;
  NestedInMemory& operator=(const NestedInMemory&) = delete;

 private:
  RunMemory* tasks_;
  MemoryPromise* promise_;
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
