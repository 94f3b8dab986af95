// What the workers of one run write down for readers of the trace (base/trace.h).
//
// Used by ActiveRun when somebody reads; else nothing in here is touched. Each worker writes tasks into
// buffers of its own without a lock, before it counts the task as done; so whoever has seen that all tasks
// are done may read them. Waits and spills have a lock per worker, since a helper may still be looking for
// work when the caller collects; after collect() what comes late is dropped, and no reader is called.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "tuff/base/trace.h"
#include "tuff/base/value.h"
#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN

/// The plan as its trace's readers see it.
std::shared_ptr<const TracePlan> trace_plan_of(const PlanArrays& plan);

class Tracing {
 public:
  /// Who reads one run. All outlive it.
  struct Readers {
    std::vector<std::shared_ptr<TraceSink>> sinks;  // the context's
    TraceSink* sink = nullptr;                      // the run's own
    std::vector<RunObserver*> tasks;                // observers that want tasks
    bool any() const { return !sinks.empty() || sink != nullptr || !tasks.empty(); }
  };

  /// Before a run: buffers start anew.
  void prepare(Readers readers, std::shared_ptr<const TracePlan> plan, uint32_t threads,
               int64_t start_ns);

  // By worker number `w`, on the thread that works as this worker. `operation`: number of the function.

  /// The task's start. Inputs may be consumed after this.
  void begin_task(uint32_t w, uint32_t task, uint32_t operation, std::span<Value* const> inputs);
  /// It has run, or thrown; `outputs` are none then.
  void end_task(uint32_t w, std::span<const Value> outputs, bool failed) noexcept;
  /// When the worker's last task ended.
  int64_t last_end_ns(uint32_t w) const { return workers_[w]->end_ns; }

  /// From now on the worker waits for `cause`, until it waits for something else or ends the wait.
  void begin_wait(uint32_t w, WaitCause cause) noexcept;
  void end_wait(uint32_t w) noexcept;

  // The steps of a search for tasks, in this order:
  void begin_search(uint32_t w) noexcept;
  /// A round found nothing. `resources`: some task waits for its resources.
  void keep_searching(uint32_t w, bool resources) noexcept;
  /// A round found a task, taken from another worker or not. Instead of give_up.
  void end_search(uint32_t w, bool stolen) noexcept;
  /// The helper goes to sleep. What it had been waiting for did not come.
  void give_up(uint32_t w) noexcept;
  /// The worker may not do anything for long: live readers get what they have not seen.
  void flush(uint32_t w) noexcept;

  /// Any thread, on behalf of worker `spill.thread`.
  void spilled(const TraceSpill& spill) noexcept;

  /// By the caller at the end, once all tasks are done or nobody else is inside: tells the readers.
  void collect() noexcept;

 private:
  struct OpenWait {
    bool is_open = false;
    WaitCause cause = WaitCause::none_ready;
    int64_t start_ns = 0;
  };
  struct alignas(64) Worker {
    // The worker's own.
    TaskStart task;
    uint32_t operation = 0;
    uint64_t bytes_in = 0;
    int64_t end_ns = 0;                     // of the last task
    std::vector<TraceEvent> events;         // kept for on_run
    std::vector<TraceEvent> unsent_events;  // for on_part
    uint64_t allowance = 0;                 // claimed from room_ for events
    uint64_t dropped = 0;
    int64_t dropped_from_ns = INT64_MAX;
    int64_t search_ns = 0;
    bool was_away = true;     // asleep until this search
    bool lost_round = false;  // in this search
    WaitCause search_cause = WaitCause::input;
    // Guarded by the mutex.
    std::mutex mutex;
    OpenWait open;
    std::vector<TraceWait> waits;
    std::vector<TraceSpill> spills;
    std::vector<TraceWait> unsent_waits;
    std::vector<TraceSpill> unsent_spills;
    uint64_t mutex_allowance = 0;  // claimed from room_ for waits and spills
    int64_t sent_ns = 0;
    bool collected = false;
  };

  bool may_keep(uint64_t& allowance) noexcept;
  void keep(Worker& worker, const TraceEvent& event) noexcept;
  // Caller holds worker.mutex:
  void open_wait(Worker& worker, uint32_t w, WaitCause cause, int64_t now) noexcept;
  void close_wait(Worker& worker, uint32_t w, int64_t now) noexcept;
  void add_wait(Worker& worker, const TraceWait& wait) noexcept;
  void send(Worker& worker, int64_t now) noexcept;
  TraceRun header(int64_t end_ns) const;

  std::vector<std::unique_ptr<Worker>> workers_;  // grows in prepare only
  Readers readers_;
  std::vector<TraceSink*> live_;
  std::shared_ptr<const TracePlan> plan_;
  uint32_t threads_ = 0;
  int64_t start_ns_ = 0;
  uint64_t id_ = 0;
  std::atomic<uint64_t> room_{0};  // records that may still be kept; a number and no more: relaxed
};

TUFF_NAMESPACE_END
