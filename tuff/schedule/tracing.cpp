// See tracing.h.
#include "tuff/schedule/tracing.h"

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

#include "tuff/base/block.h"
#include "tuff/schedule/pool.h"

TUFF_NAMESPACE_BEGIN

namespace {

// A live picture that lags by 50 ms looks immediate, and 20 calls per second and worker cost nothing.
constexpr int64_t kPartNs = 50'000'000;
// What a worker did before it fell asleep is sent at once, unless it keeps falling asleep.
constexpr int64_t kIdlePartNs = 5'000'000;
// Workers claim room for this many records at a time, so that they share a counter without fighting for it.
constexpr uint64_t kMostClaimed = 256;
// Buffers up to this size (1.6 MB) are kept for the next part or run; larger ones would outlive their use.
constexpr size_t kMostKept = 32768;

uint64_t bytes_of(const Value& value) {
  if (!value.holds<Block>()) return 0;
  const Block& block = value.get<Block>();
  return block ? block.bytes() : 0;
}

/// A reader of the trace must not change the result of the run, so what it throws is dropped.
template <class Call>
void tell(Call&& call) noexcept {
  try {
    call();
  } catch (...) {
  }
}

/// False when there is no memory for it.
template <class T>
bool push(std::vector<T>& all, const T& item) noexcept {
  try {
    all.push_back(item);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace

std::shared_ptr<const TracePlan> trace_plan_of(const PlanArrays& plan) {
  auto result = std::make_shared<TracePlan>();
  result->operations.reserve(plan.functions.size());
  for (uint32_t f = 0; f < plan.functions.size(); ++f)
    result->operations.push_back(plan.name_of(f));
  result->task_count.assign(plan.functions.size(), 0);
  for (const uint32_t f : plan.function) ++result->task_count[f];
  result->block = plan.block;
  result->first_reader = plan.successors.first;
  result->readers = plan.successors.items;
  result->kept.assign(plan.task_count(), 0);
  const std::vector<uint32_t>& first = plan.first_output;
  for (const uint32_t slot : plan.output_slots) {
    // The last task whose outputs begin at or before this slot; parameters and constants have none.
    const auto after = std::upper_bound(first.begin(), first.end(), slot);
    if (after == first.begin() || after == first.end()) continue;
    result->kept[static_cast<size_t>(after - first.begin()) - 1] = 1;
  }
  return result;
}

void Tracing::prepare(Readers readers, std::shared_ptr<const TracePlan> plan, uint32_t threads,
                      int64_t start_ns) {
  static std::atomic<uint64_t> runs{0};
  id_ = runs.fetch_add(1, std::memory_order_relaxed) + 1;
  readers_ = std::move(readers);
  plan_ = std::move(plan);
  threads_ = threads;
  start_ns_ = start_ns;
  live_.clear();
  uint64_t room = 0;
  const auto ask = [&](TraceSink* sink) {
    tell([&] { room = std::max<uint64_t>(room, sink->max_events()); });
    bool is_live = false;
    tell([&] { is_live = sink->live(); });
    if (is_live) live_.push_back(sink);
  };
  for (const auto& sink : readers_.sinks) ask(sink.get());
  if (readers_.sink != nullptr) ask(readers_.sink);
  room_.store(room, std::memory_order_relaxed);
  while (workers_.size() < threads) workers_.push_back(std::make_unique<Worker>());
  for (uint32_t w = 0; w < threads; ++w) {
    Worker& worker = *workers_[w];
    worker.events.clear();
    worker.unsent_events.clear();
    worker.waits.clear();
    worker.spills.clear();
    worker.unsent_waits.clear();
    worker.unsent_spills.clear();
    worker.allowance = 0;
    worker.mutex_allowance = 0;
    worker.dropped = 0;
    worker.dropped_from_ns = INT64_MAX;
    worker.was_away = w != 0;
    worker.lost_round = false;
    worker.sent_ns = start_ns;
    worker.collected = false;
    worker.open = {w != 0, WaitCause::none_ready, start_ns};  // helpers sleep until they join
  }
}

// --- Tasks -----------------------------------------------------------------------------------------

void Tracing::begin_task(uint32_t w, uint32_t task, uint32_t operation,
                         std::span<Value* const> inputs) {
  Worker& worker = *workers_[w];
  worker.bytes_in = 0;
  for (const Value* input : inputs) worker.bytes_in += bytes_of(*input);
  worker.operation = operation;
  worker.task.task = task;
  worker.task.thread = w;
  if (!readers_.tasks.empty()) {
    worker.task.operation = plan_->operations[operation];
    worker.task.block = plan_->block[task];
    worker.task.start_ns = now_ns();
    for (RunObserver* observer : readers_.tasks) tell([&] { observer->before_task(worker.task); });
  }
  worker.task.start_ns = now_ns();
}

void Tracing::end_task(uint32_t w, std::span<const Value> outputs, bool failed) noexcept {
  Worker& worker = *workers_[w];
  TraceEvent event;
  event.end_ns = worker.end_ns = now_ns();
  event.start_ns = worker.task.start_ns;
  event.bytes_in = worker.bytes_in;
  for (const Value& output : outputs) event.bytes_out += bytes_of(output);
  event.task = worker.task.task;
  event.operation = worker.operation;
  event.thread = w;
  event.failed = failed ? 1 : 0;
  keep(worker, event);
  for (RunObserver* observer : readers_.tasks)
    tell([&] { observer->after_task(worker.task, event); });
  if (live_.empty()) return;
  push(worker.unsent_events, event);
  if (event.end_ns - worker.sent_ns < kPartNs) return;
  const std::lock_guard lock(worker.mutex);
  send(worker, event.end_ns);
}

void Tracing::keep(Worker& worker, const TraceEvent& event) noexcept {
  if (may_keep(worker.allowance) && push(worker.events, event)) return;
  ++worker.dropped;
  worker.dropped_from_ns = std::min(worker.dropped_from_ns, event.start_ns);
}

/// Claims less and less towards the end, so that the room is used up before anything is dropped, but for
/// what other workers hold.
bool Tracing::may_keep(uint64_t& allowance) noexcept {
  uint64_t room = room_.load(std::memory_order_relaxed);
  while (allowance == 0 && room > 0) {
    const uint64_t claim = std::clamp(room / (4 * threads_), uint64_t{1}, kMostClaimed);
    if (room_.compare_exchange_weak(room, room - claim, std::memory_order_relaxed)) {
      allowance = claim;
    }
  }
  if (allowance == 0) return false;
  --allowance;
  return true;
}

// --- Waits and spills ------------------------------------------------------------------------------

void Tracing::add_wait(Worker& worker, const TraceWait& wait) noexcept {
  if (wait.end_ns <= wait.start_ns) return;
  const auto add = [&wait](std::vector<TraceWait>& all, bool may_grow) {
    if (!all.empty() && all.back().end_ns == wait.start_ns && all.back().cause == wait.cause) {
      all.back().end_ns = wait.end_ns;
    } else if (may_grow) {
      push(all, wait);
    }
  };
  add(worker.waits, may_keep(worker.mutex_allowance));
  if (!live_.empty()) add(worker.unsent_waits, true);
}

void Tracing::open_wait(Worker& worker, uint32_t w, WaitCause cause, int64_t now) noexcept {
  if (worker.open.is_open && worker.open.cause == cause) return;
  close_wait(worker, w, now);
  worker.open = {true, cause, now};
}

void Tracing::close_wait(Worker& worker, uint32_t w, int64_t now) noexcept {
  if (!std::exchange(worker.open.is_open, false)) return;
  add_wait(worker, {worker.open.start_ns, now, w, worker.open.cause});
}

void Tracing::begin_wait(uint32_t w, WaitCause cause) noexcept {
  Worker& worker = *workers_[w];
  const std::lock_guard lock(worker.mutex);
  if (!worker.collected) open_wait(worker, w, cause, now_ns());
}

void Tracing::end_wait(uint32_t w) noexcept {
  Worker& worker = *workers_[w];
  const std::lock_guard lock(worker.mutex);
  if (!worker.collected) close_wait(worker, w, now_ns());
}

void Tracing::begin_search(uint32_t w) noexcept {
  Worker& worker = *workers_[w];
  worker.search_ns = now_ns();
  worker.lost_round = false;
}

void Tracing::keep_searching(uint32_t w, bool resources) noexcept {
  Worker& worker = *workers_[w];
  const WaitCause cause = resources ? WaitCause::resources : WaitCause::input;
  if (worker.lost_round && worker.search_cause == cause) return;
  const int64_t since = worker.lost_round ? now_ns() : worker.search_ns;
  worker.lost_round = true;
  worker.was_away = false;
  worker.search_cause = cause;
  const std::lock_guard lock(worker.mutex);
  if (!worker.collected) open_wait(worker, w, cause, since);
}

void Tracing::end_search(uint32_t w, bool stolen) noexcept {
  Worker& worker = *workers_[w];
  if (!worker.lost_round && !worker.was_away && !stolen) return;
  const std::lock_guard lock(worker.mutex);
  if (worker.collected) return;
  const int64_t now = now_ns();
  if (worker.lost_round) {
    close_wait(worker, w, now);
  } else {
    close_wait(worker, w, worker.search_ns);
    if (stolen) add_wait(worker, {worker.search_ns, now, w, WaitCause::stealing});
  }
  worker.was_away = false;
}

void Tracing::give_up(uint32_t w) noexcept {
  Worker& worker = *workers_[w];
  worker.was_away = true;
  {
    const std::lock_guard lock(worker.mutex);
    if (worker.open.is_open && worker.open.cause == WaitCause::input) {
      worker.open.cause = WaitCause::none_ready;
    }
  }
  flush(w);
}

void Tracing::spilled(const TraceSpill& spill) noexcept {
  Worker& worker = *workers_[spill.thread];
  const std::lock_guard lock(worker.mutex);
  if (worker.collected) return;
  if (may_keep(worker.mutex_allowance)) push(worker.spills, spill);
  if (!live_.empty()) push(worker.unsent_spills, spill);
}

// --- Telling ---------------------------------------------------------------------------------------

void Tracing::flush(uint32_t w) noexcept {
  if (live_.empty()) return;
  Worker& worker = *workers_[w];
  const std::lock_guard lock(worker.mutex);
  if (worker.collected) return;
  const int64_t now = now_ns();
  if (now - worker.sent_ns >= kIdlePartNs) send(worker, now);
}

TraceRun Tracing::header(int64_t end_ns) const {
  TraceRun run;
  run.id = id_;
  run.start_ns = start_ns_;
  run.end_ns = end_ns;
  run.threads = threads_;
  run.plan = plan_;
  return run;
}

void Tracing::send(Worker& worker, int64_t now) noexcept {
  worker.sent_ns = now;
  if (worker.unsent_events.empty() && worker.unsent_waits.empty() && worker.unsent_spills.empty())
    return;
  TraceRun part = header(now);
  part.events = std::exchange(worker.unsent_events, {});
  part.waits = std::exchange(worker.unsent_waits, {});
  part.spills = std::exchange(worker.unsent_spills, {});
  for (TraceSink* sink : live_) tell([&] { sink->on_part(part); });
  // Into the same buffers again: new ones would cost a page fault for every 85 tasks.
  const auto reuse = [](auto& buffer, auto& sent) {
    sent.clear();
    if (sent.capacity() <= kMostKept) buffer = std::move(sent);
  };
  reuse(worker.unsent_events, part.events);
  reuse(worker.unsent_waits, part.waits);
  reuse(worker.unsent_spills, part.spills);
}

void Tracing::collect() noexcept {
  // Nobody tells anything after this, so that no part ends later than the run.
  for (uint32_t w = 0; w < threads_; ++w) {
    const std::lock_guard lock(workers_[w]->mutex);
    workers_[w]->collected = true;
  }
  const int64_t end_ns = now_ns();
  TraceRun run = header(end_ns);
  const auto append = [](auto& to, auto& from) {
    try {
      to.insert(to.end(), from.begin(), from.end());
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  };
  for (uint32_t w = 0; w < threads_; ++w) {
    Worker& worker = *workers_[w];
    const std::lock_guard lock(worker.mutex);
    if (worker.open.is_open && worker.open.cause == WaitCause::input) {
      worker.open.cause = WaitCause::none_ready;
    }
    close_wait(worker, w, end_ns);
    if (!live_.empty()) send(worker, end_ns);
    if (!append(run.events, worker.events) && !worker.events.empty()) {
      worker.dropped += worker.events.size();
      worker.dropped_from_ns = worker.events.front().start_ns;
    }
    append(run.waits, worker.waits);
    append(run.spills, worker.spills);
    if (worker.events.capacity() > kMostKept) worker.events = {};
    if (worker.waits.capacity() > kMostKept) worker.waits = {};
    run.dropped += worker.dropped;
    run.dropped_from_ns = std::min(run.dropped_from_ns, worker.dropped_from_ns);
  }
  for (const auto& sink : readers_.sinks) tell([&] { sink->on_run(run); });
  if (readers_.sink != nullptr) tell([&] { readers_.sink->on_run(run); });
  readers_ = {};
}

TUFF_NAMESPACE_END
