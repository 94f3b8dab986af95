// One run under way: its workers, what they share, and how they find tasks.
//
// Runner (run.cpp) takes an ActiveRun from its RunStore, sets it up, works in it as worker 0 and gives
// it back; helpers of the ThreadPool join while there is work and room. Invariants: all tasks are done
// when `remaining_` is 0 (workers count on their own and subtract when they run out of work); a worker
// that is inside counts in `holders_`, and whoever leaves last gives the object back to its store.
// The caller works alone until a helper finds that tasks take long enough to be worth sharing (door.h).
// A worker looks for tasks in this order: what its last task made ready (lowest number first), its own
// deque, the next root, the oldest task of another worker. So consumers run before new sources. Where that would hold
// too much (run_order.h), all take the ready task of the lowest number from one queue.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "tuff/base/trace.h"
#include "tuff/graph/plan.h"
#include "tuff/schedule/deque.h"
#include "tuff/schedule/door.h"
#include "tuff/schedule/number_queue.h"
#include "tuff/schedule/pool.h"
#include "tuff/schedule/resources.h"
#include "tuff/schedule/run_memory.h"
#include "tuff/schedule/state.h"
#include "tuff/schedule/tracing.h"

TUFF_NAMESPACE_BEGIN

class RunStore;

/// Why a run ended before all of its tasks had run.
enum class End : uint8_t { none, failed, stop_requested, deadline, stuck };

/// What one thread inside a run needs; written by that thread only, but for the deque's top.
struct alignas(64) Worker {
  Deque deque;
  std::unique_ptr<Value*[]> inputs;
  std::unique_ptr<bool[]> last_use;
  TaskArguments arguments;
  uint32_t number = 0;
  size_t root = 0;  // claimed roots that have not started: [root, root_end)
  size_t root_end = 0;
  // Tasks since the last publication; helpers read that of a caller who works alone.
  std::atomic<uint64_t> done{0};
  uint64_t unreported = 0;  // tasks since the last report to progress
  int64_t reported_ns = 0;
  int64_t last_wake_ns = 0;
  RunMemory::Grant grant;       // of the task under way, when memory is short
  bool taken = false;           // by a helper; guarded by the run's mutex
  std::vector<uint32_t> ready;  // by the last task, of a run by number
};

class ActiveRun final : public Joinable {
 public:
  struct Settings {
    int threads = 1;
    Context* context = nullptr;  // in which the run takes place
    ThreadPool* pool = nullptr;  // null when threads is 1
    int64_t offer_at_ticks = 0;  // helpers are not asked before this time
    bool keep_inputs = false;    // of failed tasks, for rerun()
    int64_t start_ns = 0;
    Tracing::Readers readers;
    std::shared_ptr<RunProgress> progress;  // null when nobody looks
  };
  struct Failure {
    uint32_t task;
    std::exception_ptr cause;
    /// Which call of a fused task it was; its function is null when the task is one call.
    PartFailed part;
  };

  ActiveRun(const Program& program, RunStore& store);

  /// Before a run, by its caller: counts and queues start anew. Throws InvalidArgument when a task
  /// demands more than `resources` has.
  void prepare(Settings settings, const std::map<std::string, double>& resources);
  /// Before work: tasks start when `memory` lets them. It must live until the run is over; null at first.
  void set_memory(RunMemory* memory) {
    memory_ = memory;
    watched_ = true;
  }
  RunMemory* memory() const { return memory_; }
  /// Before work: the run was promised its memory, for as long as `promise` lives; null at first.
  void set_promise(MemoryPromise* promise) { promise_ = promise; }
  MemoryPromise* promise() const { return promise_; }
  /// Works as worker 0 until all tasks are done or the run was ended and nobody is inside any more.
  void work_as_caller();
  /// After a failed run, by its caller: the lowest number.
  uint32_t first_failed() const {
    return std::min_element(failures_.begin(), failures_.end(),
                            [](const Failure& a, const Failure& b) { return a.task < b.task; })
        ->task;
  }
  /// After a failed run, by its caller: calls the task again, here. Throws what it throws.
  void rerun(uint32_t task);
  /// Ends the run early; the first reason stays. Any thread.
  void end(End reason) noexcept;
  /// By the caller, at the very end: the object may be reused or gone afterwards.
  void release();

  RunState& state() { return state_; }
  Context& context() const { return *settings_.context; }
  /// Null when nobody reads.
  Tracing* tracing() const { return traced_ ? tracing_.get() : nullptr; }
  End ended() const { return end_.load(std::memory_order_acquire); }
  /// Fires when the run ends early.
  std::stop_token stop_token() const { return stop_.get_token(); }
  uint64_t tasks_done() const;
  /// After a failed run, by its caller.
  std::vector<Failure> take_failures() { return std::move(failures_); }
  /// After a run, by its caller: tells readers of the trace, if there are any.
  void deliver_trace();
  /// The innermost run that this thread is working in, or null.
  static ActiveRun* current();

  int try_join() override;
  void help(int place) noexcept override;

 private:
  static constexpr uint32_t kNone = Deque::kNone;

  /// Whether others are in this run.
  enum class Company : uint8_t { never, not_yet, maybe };

  Company company_at_start() const;
  void work(Worker& worker, Company company);
  template <bool kByNumber>
  void work_in(Worker& worker, Company company);
  template <Company kCompany, bool kByNumber>
  void work_from(Worker& worker, uint32_t task);
  template <Company kCompany, bool kByNumber>
  uint32_t next_task(Worker& worker);
  template <Company kCompany, bool kByNumber>
  uint32_t run_task(Worker& worker, uint32_t task);
  uint32_t search(Worker& worker);
  template <Company kCompany>
  uint32_t claim_root(Worker& worker);
  uint32_t steal(Worker& worker);
  template <Company kCompany>
  uint32_t next_by_number(Worker& worker);
  uint32_t exchange_by_number(Worker& worker);

  void surplus(Worker& worker);
  bool is_worth_sharing();
  void wake_someone(Worker& worker);
  void park_caller();
  bool is_stuck() const;
  bool has_work() const;
  /// Acquires what every worker did before it published, so that the caller may take the results. An early
  /// end needs no order: the caller waits for the others under the mutex.
  bool is_over() const {
    return remaining_.load(std::memory_order_acquire) == 0 ||
           end_.load(std::memory_order_relaxed) != End::none;
  }

  /// Calls the task, again if it throws and may be called again. False when it failed.
  bool call(Worker& worker, const TaskRecord& record_of_task, uint32_t task);
  void release_resources(Worker& worker, uint32_t task);
  /// Waits until the task may start. False when it may not any more.
  bool wait_for_memory(Worker& worker, uint32_t task);
  void fail(Worker& worker, uint32_t task, bool gave_up = false) noexcept;
  void publish(Worker& worker);
  void report(Worker& worker);
  void note_end_of_task(Worker& worker);
  /// Gives a helper's hold back, or with null the caller's.
  void leave(Worker* helper);

  const Program& program_;
  RunStore& store_;
  RunState state_;
  std::vector<std::unique_ptr<Worker>> workers_;  // grows in prepare only
  Settings settings_;
  std::unique_ptr<Tracing> tracing_;  // made by the first run that is traced
  bool traced_ = false;
  bool watched_ = false;       // traced, or memory is short
  bool instrumented_ = false;  // traced or observed
  bool has_options_ = false;   // some task has retries or demands
  Resources resources_;
  RunMemory* memory_ = nullptr;
  MemoryPromise* promise_ = nullptr;
  // By number: the caller alone starts this task next, and has started all before it. Others read it once the door
  // is open, when it changes no more.
  uint32_t next_number_ = 0;
  NumberQueue number_queue_;
  bool offered_ = false;  // to the pool; written before any helper is inside
  bool alone_ = false;    // the caller's: the door is shut
  // When a helper last looked how fast a lonely caller is, and what it saw; guarded by the pool's lock.
  int64_t looked_ns_ = 0;
  uint64_t looked_done_ = 0;
  bool looked_slow_ = false;
  std::stop_source stop_;

  Door door_;
  // Read for each task, relaxed: whoever misses an end for a moment runs one more task.
  alignas(64) std::atomic<End> end_{End::none};
  // Others change it without the lock, and then wake who sleeps on it under the mutex.
  std::atomic<bool> caller_parked_{false};
  // Written when a worker claims or runs out of work: among several workers by read-modify-writes that release,
  // so that a load that acquires has seen what came before every earlier change.
  alignas(64) std::atomic<size_t> next_root_{0};
  alignas(64) std::atomic<uint64_t> remaining_{0};
  std::atomic<uint32_t> holders_{0};  // the caller and the helpers inside

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // over, caller woken, or somebody left
  std::vector<Failure> failures_;    // guarded by mutex_
};

/// The runs of one plan: those that wait for reuse and those under way.
class RunStore {
 public:
  explicit RunStore(PlanArrays arrays) : program(std::move(arrays)) {}
  /// Waits for helpers that have not yet left a finished run.
  ~RunStore();
  RunStore(const RunStore&) = delete;
  RunStore& operator=(const RunStore&) = delete;

  /// A run that nobody uses.
  ActiveRun& take();
  void give_back(ActiveRun& run);
  /// The plan as readers of traces see it, made for the first traced run.
  std::shared_ptr<const TracePlan> trace_plan();

  const Program program;
  /// Duration of the last run that succeeded; a guess at the next one's, so relaxed.
  std::atomic<int64_t> last_run_ns{INT64_MAX};

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<ActiveRun>> all_;
  std::vector<ActiveRun*> free_;
  std::shared_ptr<const TracePlan> trace_plan_;
};

TUFF_NAMESPACE_END
