// The workers of a run; see active_run.h.
#include "tuff/schedule/active_run.h"

#include <algorithm>

#include "tuff/base/block.h"
#include "tuff/base/check.h"
#include "tuff/base/error.h"
#include "tuff/base/of_thread.h"

TUFF_NAMESPACE_BEGIN

namespace {

// Roots are claimed one by one as long as each worker gets fewer than 256 of them, so that neighbours
// (which tend to share consumers) are made together. Beyond, a batch amortises the cursor's line (some
// 60 ns to fetch) over at most 32 tasks; batches shrink towards the end, so that nobody is left with
// many while others idle (Polychronopoulos & Kuck, "Guided self-scheduling", 1987).
constexpr size_t kRootsPerWorkerAndBatch = 256;
constexpr size_t kMostRootsPerBatch = 32;
// Progress is published after this many tasks or nanoseconds of one worker.
constexpr uint64_t kReportTasks = 64;
constexpr int64_t kReportNs = 1'000'000;
// Sharing tasks costs each thread some 20 ns per task more, and 40 where counts are not in the caches: atomic
// counts, and lines that move. It pays when tasks take longer than this, all in all, seen twice in a row
// over stretches that add up to kSurelyNs more than that (an interrupt takes longer, but comes once).
constexpr int64_t kWorthSharingNs = 50;
constexpr int64_t kSurelyNs = 2'000;
constexpr int64_t kStretchNs = 20'000;
// What offering takes when a helper must be woken: no task, so it does not count.
constexpr int64_t kOfferNs = 5'000;
// A woken helper looks for work for 50 us before it parks again, so more wake-ups find nobody.
constexpr int64_t kWakeNs = 50'000;

thread_local ActiveRun* current_run = nullptr;

/// What a thread holds while it works in a run. A nested run has its own scratch, since the task around
/// it may be using the thread's; so has a thread that is ending.
class Inside {
 public:
  explicit Inside(ActiveRun* run, Worker& worker) : outer_(std::exchange(current_run, run)) {
    scratch_ = outer_ == nullptr ? of_this_thread<Scratch>() : nullptr;
    if (scratch_ == nullptr) scratch_ = &own_;
    worker.arguments.scratch = scratch_;
  }
  ~Inside() {
    scratch_->trim();
    current_run = outer_;
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  ActiveRun* outer_;
  Scratch own_;
  Scratch* scratch_;
};

}  // namespace

ActiveRun::ActiveRun(const Program& program, RunStore& store)
    : program_(program), store_(store), state_(program) {}

ActiveRun* ActiveRun::current() { return current_run; }

/// All stores are plain or relaxed: helpers learn of the run through the pool's lock, in offer().
void ActiveRun::prepare(Settings settings, const std::map<std::string, double>& resources) {
  holders_.store(1, std::memory_order_relaxed);
  resources_.prepare(program_.plan, resources);
  has_options_ = !program_.plan.option_of.empty();
  memory_ = nullptr;
  promise_ = nullptr;
  const size_t tasks = program_.plan.task_count();
  settings_ = std::move(settings);
  traced_ = settings_.readers.any();
  watched_ = traced_;
  instrumented_ = traced_ || settings_.progress != nullptr;
  offered_ = false;
  const auto threads = static_cast<size_t>(settings_.threads);
  while (workers_.size() < threads) {
    auto worker = std::make_unique<Worker>();
    worker->number = static_cast<uint32_t>(workers_.size());
    worker->inputs = std::make_unique<Value*[]>(program_.most_inputs);
    worker->last_use = std::make_unique<bool[]>(program_.most_inputs);
    if (program_.by_number) worker->ready.reserve(program_.most_successors);
    workers_.push_back(std::move(worker));
  }
  const size_t roots = program_.plan.roots.size();
  for (size_t w = 0; w < threads; ++w) {
    Worker& worker = *workers_[w];
    worker.deque.reset(resources_.any() ? tasks : tasks - roots);  // roots are queued only to wait
    worker.root = 0;
    worker.root_end = 0;
    worker.ready.clear();
    worker.done.store(0, std::memory_order_relaxed);
    worker.unreported = 0;
    worker.reported_ns = 0;
    worker.last_wake_ns = 0;
  }
  if (threads == 1) workers_[0]->root_end = roots;  // nobody to share them with
  if (traced_) {
    if (tracing_ == nullptr) tracing_ = std::make_unique<Tracing>();
    tracing_->prepare(std::move(settings_.readers), store_.trace_plan(),
                      static_cast<uint32_t>(threads), settings_.start_ns);
  }
  next_number_ = 0;
  number_queue_.reset();
  failures_.clear();
  failures_.reserve(threads);  // each worker stops at its first
  if (stop_.stop_requested()) stop_ = std::stop_source();
  state_.reset();
  end_.store(End::none, std::memory_order_relaxed);
  caller_parked_.store(false, std::memory_order_relaxed);
  next_root_.store(0, std::memory_order_relaxed);
  remaining_.store(tasks, std::memory_order_relaxed);
}

// --- Working ---------------------------------------------------------------------------------------

void ActiveRun::work_as_caller() {
  work(*workers_[0], company_at_start());
  if (offered_) settings_.pool->withdraw(*this);
  if (ended() == End::none) {
    // Helpers are about to see that all is done. Wait a moment, so that this object (and its memory,
    // warm in the caches) can be taken for the next run; a helper that the system has put aside must
    // not hold up the caller. Relaxed: is_over() has acquired what they did, and leave() orders the rest.
    Backoff backoff;
    while (holders_.load(std::memory_order_relaxed) > 1 && backoff.wait()) {
    }
  } else {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return holders_.load(std::memory_order_relaxed) == 1; });
  }
}

void ActiveRun::help(int place) noexcept {
  Worker& worker = *workers_[static_cast<size_t>(place)];
  work(worker, Company::maybe);
  leave(&worker);
}

/// Waiting for memory or for resources means waiting for others.
ActiveRun::Company ActiveRun::company_at_start() const {
  if (settings_.threads == 1) return Company::never;
  return memory_ == nullptr && !resources_.any() && Door::can_open() ? Company::not_yet
                                                                     : Company::maybe;
}

void ActiveRun::work(Worker& worker, Company company) {
  {
    const Inside inside(this, worker);
    worker.arguments.stop = stop_.get_token();
    worker.arguments.may_retry = true;
    if (program_.by_number) {
      work_in<true>(worker, company);
    } else {
      work_in<false>(worker, company);
    }
  }
  publish(worker);  // when it holds nothing any more
}

template <bool kByNumber>
void ActiveRun::work_in(Worker& worker, Company company) {
  switch (company) {
    case Company::never: work_from<Company::never, kByNumber>(worker, kNone); break;
    case Company::not_yet:
      alone_ = true;
      door_.shut();
      work_from<Company::not_yet, kByNumber>(worker, kNone);
      break;
    case Company::maybe:
      if (worker.number == 0) door_.stand_open();
      work_from<Company::maybe, kByNumber>(worker, kNone);
      break;
  }
}

template <ActiveRun::Company kCompany, bool kByNumber>
void ActiveRun::work_from(Worker& worker, uint32_t task) {
  if (task == kNone) task = next_task<kCompany, kByNumber>(worker);
  while (task != kNone) {
    task = run_task<kCompany, kByNumber>(worker, task);
    if constexpr (kCompany == Company::not_yet) {
      if (!alone_) [[unlikely]] {
        if (end_.load(std::memory_order_relaxed) != End::none) return;
        return work_from<Company::maybe, kByNumber>(worker, task);
      }
    }
    if (task == kNone || end_.load(std::memory_order_relaxed) != End::none)
      task = next_task<kCompany, kByNumber>(worker);
  }
}

template <ActiveRun::Company kCompany, bool kByNumber>
uint32_t ActiveRun::next_task(Worker& worker) {
  if (end_.load(std::memory_order_relaxed) != End::none) return kNone;
  if constexpr (kByNumber) return next_by_number<kCompany>(worker);
  const uint32_t task = worker.deque.pop<kCompany == Company::maybe>();
  if (task != kNone) return task;
  if (worker.root < worker.root_end) return program_.plan.roots[worker.root++];
  if constexpr (kCompany == Company::maybe) return search(worker);
  if constexpr (kCompany == Company::not_yet) {
    if (worker.unreported > 0) [[unlikely]]
      report(worker);
    const uint32_t root = claim_root<Company::not_yet>(worker);
    if (root != kNone) return root;
  }
  publish(worker);
  if (remaining_.load(std::memory_order_relaxed) != 0) end(End::stuck);
  return kNone;
}

/// Runs one task and returns the one to continue with, or kNone.
template <ActiveRun::Company kCompany, bool kByNumber>
uint32_t ActiveRun::run_task(Worker& worker, uint32_t task) {
  constexpr bool kShared = kCompany == Company::maybe;
  const TaskRecord& record_of_task = program_.tasks[task];
  TaskArguments& arguments = worker.arguments;
  arguments.task = task;
  arguments.block = record_of_task.block;
  arguments.inputs = {worker.inputs.get(), record_of_task.input_count};
  arguments.last_use = {worker.last_use.get(), record_of_task.input_count};
  arguments.outputs = state_.outputs(record_of_task);
  if (has_options_ && resources_.any() && !resources_.acquire(task)) [[unlikely]]
    return kNone;
  if (memory_ != nullptr && !wait_for_memory(worker, task)) [[unlikely]]
    return kNone;
  state_.begin<kShared>(record_of_task, worker.inputs.get(), worker.last_use.get());
  if (watched_) [[unlikely]] {
    if (memory_ != nullptr) memory_->may_consume(task, worker.last_use.get());
    if (traced_)
      tracing_->begin_task(worker.number, task, program_.plan.function[task], arguments.inputs);
  }
  if constexpr (kCompany == Company::not_yet) door_.enter_task();
  const bool succeeded = call(worker, record_of_task, task);
  bool in_company = kShared;
  if constexpr (kCompany == Company::not_yet) {
    in_company = !door_.leave_task();
    if (in_company) [[unlikely]]
      alone_ = false;
  }
  if (!succeeded) {
    if (memory_ != nullptr) memory_->done(task, worker.grant, false);
    return kNone;
  }
  if (memory_ != nullptr) [[unlikely]] {
    arguments.scratch->trim();
    memory_->made(task);
  }
  uint32_t next = kNone;
  bool pushed = false;
  // Ready tasks come highest number first, so the last one is the lowest, and the lowest of the others
  // is on the deque's bottom.
  const auto on_ready = [&](uint32_t ready) {
    if constexpr (kByNumber) {
      if (in_company) worker.ready.push_back(ready);
      return;
    }
    if (next != kNone) {
      worker.deque.push(next);
      pushed = true;
    }
    next = ready;
  };
  if (kCompany == Company::not_yet && in_company) [[unlikely]] {
    state_.finish<true>(record_of_task, worker.last_use.get(), on_ready);
  } else {
    state_.finish<kShared>(record_of_task, worker.last_use.get(), on_ready);
  }
  if (memory_ != nullptr) [[unlikely]]
    memory_->done(task, worker.grant, true);
  if constexpr (kByNumber) {
    if (in_company) next = exchange_by_number(worker);
    pushed = !number_queue_.looks_empty();
  }
  // Its own count; a helper that looks how fast a lonely caller is may see an old one.
  worker.done.store(worker.done.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if constexpr (kCompany != Company::never) {
    if (pushed && (in_company || !offered_)) surplus(worker);
  }
  if (instrumented_) [[unlikely]]
    note_end_of_task(worker);
  return next;
}

bool ActiveRun::call(Worker& worker, const TaskRecord& record_of_task, uint32_t task) {
  TaskArguments& arguments = worker.arguments;
  const uint32_t retries =
      has_options_ ? static_cast<uint32_t>(program_.plan.options_of(task).retries) : 0;
  // What may be called again must find its inputs as they were.
  if (settings_.keep_inputs || retries > 0) [[unlikely]]
    std::fill_n(worker.last_use.get(), record_of_task.input_count, false);
  for (uint32_t attempts = 1;; ++attempts) {
    try {
      record_of_task.function->run(arguments);
      if (memory_ != nullptr) [[unlikely]]
        memory_->trim_results(task);
      break;
    } catch (const PartFailed&) {
      // The one call of a fused task that failed has been made as often as it may.
      fail(worker, task);
      return false;
    } catch (...) {
      if (may_call_again(arguments, attempts, retries)) continue;
      fail(worker, task, attempts <= retries);
      return false;
    }
  }
  if (traced_) [[unlikely]]
    tracing_->end_task(worker.number, arguments.outputs, false);
  if (has_options_ && resources_.any()) [[unlikely]]
    release_resources(worker, task);
  return true;
}

void ActiveRun::rerun(uint32_t task) {
  Worker& worker = *workers_[0];
  const Inside inside(this, worker);
  const TaskRecord& record_of_task = program_.tasks[task];
  const uint32_t count = record_of_task.input_count;
  if (memory_ != nullptr) memory_->bring_back_inputs(task);
  state_.begin<false>(record_of_task, worker.inputs.get(), worker.last_use.get());
  std::fill_n(worker.last_use.get(), count, false);
  TaskArguments& arguments = worker.arguments;
  arguments.task = task;
  arguments.block = record_of_task.block;
  arguments.inputs = {worker.inputs.get(), count};
  arguments.last_use = {worker.last_use.get(), count};
  arguments.outputs = state_.outputs(record_of_task);
  arguments.stop = {};
  arguments.may_retry = false;
  try {
    record_of_task.function->run(arguments);
  } catch (PartFailed& part) {
    std::rethrow_exception(part.cause);
  }
}

bool ActiveRun::wait_for_memory(Worker& worker, uint32_t task) {
  bool admitted = false;
  try {
    admitted = memory_->admit(task, worker.number, worker.grant);
  } catch (...) {
    if (traced_) tracing_->begin_task(worker.number, task, program_.plan.function[task], {});
    fail(worker, task);
  }
  if (!admitted && has_options_ && resources_.any()) release_resources(worker, task);
  return admitted;
}

void ActiveRun::release_resources(Worker& worker, uint32_t task) {
  bool any = false;
  resources_.release(task, [&](uint32_t ready) {
    if (program_.by_number) {
      worker.ready.push_back(ready);  // in the queue when this task is done
    } else {
      worker.deque.push(ready);
    }
    any = true;
  });
  if (any && settings_.threads > 1) surplus(worker);
}

// --- Finding tasks ---------------------------------------------------------------------------------

template <ActiveRun::Company kCompany>
uint32_t ActiveRun::claim_root(Worker& worker) {
  const std::vector<uint32_t>& roots = program_.plan.roots;
  // Acquires the claims of others: who finds no root left knows of everybody who has one (is_stuck).
  size_t at = next_root_.load(std::memory_order_acquire);
  if (at >= roots.size()) return kNone;
  const size_t share =
      (roots.size() - at) / (kRootsPerWorkerAndBatch * static_cast<size_t>(settings_.threads));
  const size_t batch = std::clamp(share, size_t{1}, kMostRootsPerBatch);
  if constexpr (kCompany == Company::maybe) {
    at = next_root_.fetch_add(batch, std::memory_order_acq_rel);
    if (at >= roots.size()) return kNone;
  } else {
    next_root_.store(at + batch, std::memory_order_relaxed);
  }
  worker.root = at;
  worker.root_end = std::min(at + batch, roots.size());
  if (worker.root_end < roots.size() && (kCompany == Company::maybe || !offered_)) surplus(worker);
  return roots[worker.root++];
}

uint32_t ActiveRun::steal(Worker& worker) {
  const auto threads = static_cast<uint32_t>(settings_.threads);
  for (uint32_t i = 1; i < threads; ++i) {
    Deque& victim = workers_[(worker.number + i) % threads]->deque;
    if (victim.looks_empty()) continue;
    const uint32_t task = victim.steal();
    if (task == kNone) continue;
    if (!victim.looks_empty()) surplus(worker);
    return task;
  }
  return kNone;
}

template <ActiveRun::Company kCompany>
uint32_t ActiveRun::next_by_number(Worker& worker) {
  if constexpr (kCompany == Company::maybe) return search(worker);
  // Alone, whatever comes before a number has run, and inputs come first.
  if (next_number_ < program_.plan.task_count()) return next_number_++;
  publish(worker);
  return kNone;
}

/// Puts into the queue what the worker's last task made ready, and takes the lowest number there is.
uint32_t ActiveRun::exchange_by_number(Worker& worker) {
  const uint32_t task = number_queue_.exchange(worker.ready, [this](std::vector<uint32_t>& tasks) {
    const auto count = static_cast<uint32_t>(program_.plan.task_count());
    tasks.reserve(count);
    for (uint32_t t = next_number_; t < count; ++t) {
      if (state_.was_ready(t)) tasks.push_back(t);
    }
  });
  worker.ready.clear();
  return task;
}

/// Looks for work until there is some, the run is over, or (a helper) 50 us have passed.
uint32_t ActiveRun::search(Worker& worker) {
  publish(worker);
  if (traced_) tracing_->begin_search(worker.number);
  Backoff backoff;
  for (;;) {
    if (is_over()) return kNone;
    uint32_t task =
        program_.by_number ? exchange_by_number(worker) : claim_root<Company::maybe>(worker);
    const bool steals = task == kNone && !program_.by_number;
    if (steals) task = steal(worker);
    if (task != kNone) {
      if (traced_) tracing_->end_search(worker.number, steals);
      return task;
    }
    if (traced_) tracing_->keep_searching(worker.number, resources_.anyone_waits());
    if (worker.number == 0 && is_stuck()) end(End::stuck);
    if (backoff.wait()) continue;
    if (worker.number != 0) {
      if (traced_) tracing_->give_up(worker.number);
      return kNone;
    }
    if (traced_) tracing_->flush(worker.number);
    park_caller();
    backoff.reset();
  }
}

/// A hint, by relaxed loads: what it sees is taken by operations that make sure.
bool ActiveRun::has_work() const {
  if (program_.by_number) return !number_queue_.looks_empty();
  if (next_root_.load(std::memory_order_relaxed) < program_.plan.roots.size()) return true;
  for (size_t w = 0; w < static_cast<size_t>(settings_.threads); ++w) {
    if (!workers_[w]->deque.looks_empty()) return true;
  }
  return false;
}

/// Whether tasks remain that nothing can make ready: the plan has a cycle. For the caller, which has
/// published its count and found nothing to do. Then nobody else inside means that nobody has a task. For a
/// worker that took one from the caller or from the roots had joined before, and taking releases what finding
/// nothing left acquires: it is counted here until it leaves, with nothing left of its own. So is, for the same
/// reason, whoever took one from that worker.
bool ActiveRun::is_stuck() const {
  return holders_.load(std::memory_order_acquire) == 1 && !is_over();
}

/// There are ready tasks that another thread could take.
void ActiveRun::surplus(Worker& worker) {
  if (!offered_) {
    // Only the caller gets here: nobody else is inside before the offer.
    if (settings_.offer_at_ticks != 0 && now_ticks() < settings_.offer_at_ticks) return;
    offered_ = true;
    looked_ns_ = now_ns() + kOfferNs;
    looked_done_ = worker.done.load(std::memory_order_relaxed);
    looked_slow_ = false;
    settings_.pool->offer(*this);
    // Not ordered after the push that made the surplus, which would take a full barrier: see park_caller().
  } else if (settings_.pool->anyone_parked() || caller_parked_.load(std::memory_order_relaxed)) {
    wake_someone(worker);
  }
}

void ActiveRun::wake_someone(Worker& worker) {
  if (caller_parked_.load(std::memory_order_relaxed)) {
    // Before the lock, under which the caller looks at it: either it has not slept yet, or it is woken.
    if (caller_parked_.exchange(false, std::memory_order_relaxed)) {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    }
    return;
  }
  if (holders_.load(std::memory_order_relaxed) >= static_cast<uint32_t>(settings_.threads)) return;
  const int64_t now = now_ns();
  if (now - worker.last_wake_ns < kWakeNs) return;
  worker.last_wake_ns = now;
  settings_.pool->wake();
}

/// Sleeps until there may be work, or the run is over.
void ActiveRun::park_caller() {
  caller_parked_.store(true, std::memory_order_seq_cst);
  // As in ThreadPool::serve: work that was made just before this store is seen by one more look. Nothing but
  // time orders the two; were it missed, its maker would do the work, and wake this thread when it makes more.
  // The end is never missed: publish(), end() and leave() tell it under the mutex.
  Backoff backoff;
  for (int i = 0; i < 6; ++i) backoff.wait();
  if (!has_work()) {
    std::unique_lock lock(mutex_);
    // When the last helper has left, nobody would wake the caller of a plan with a cycle.
    changed_.wait(lock, [this] {
      return !caller_parked_.load(std::memory_order_relaxed) || is_over() ||
             holders_.load(std::memory_order_relaxed) == 1;
    });
  }
  caller_parked_.store(false, std::memory_order_relaxed);
}

// --- Joining and leaving ---------------------------------------------------------------------------

int ActiveRun::try_join() {
  const auto threads = static_cast<uint32_t>(settings_.threads);
  if (holders_.load(std::memory_order_relaxed) >= threads || is_over()) return kNoPlace;  // hints
  // Either way acquires what the caller counted in plain words (door.h).
  if (door_.is_open()) {
    if (!has_work()) return kNoPlace;  // who makes some wakes a helper
  } else if (!is_worth_sharing() || !door_.open()) {
    return kNotYet;
  }
  const std::lock_guard lock(mutex_);
  for (uint32_t w = 1; w < threads; ++w) {
    if (workers_[w]->taken) continue;
    workers_[w]->taken = true;
    holders_.fetch_add(1, std::memory_order_acq_rel);
    return static_cast<int>(w);
  }
  return kNoPlace;
}

/// Whether a caller who works alone has tasks to share that take long enough.
bool ActiveRun::is_worth_sharing() {
  const int64_t now = now_ns();
  const uint64_t done = workers_[0]->done.load(std::memory_order_relaxed);
  const int64_t passed = now - looked_ns_;
  const bool is_slow =
      passed - static_cast<int64_t>(done - looked_done_) * kWorthSharingNs > kSurelyNs;
  if (!is_slow && passed <= kStretchNs) return false;
  looked_ns_ = now;
  looked_done_ = done;
  const bool was_slow = std::exchange(looked_slow_, is_slow && has_work());
  return was_slow && looked_slow_;
}

void ActiveRun::leave(Worker* helper) {
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    if (helper != nullptr) helper->taken = false;
    // Releases all that this thread did in the run, and acquires what those did who left before.
    last = holders_.fetch_sub(1, std::memory_order_acq_rel) == 1;
    changed_.notify_all();
  }
  if (last) store_.give_back(*this);
}

void ActiveRun::release() { leave(nullptr); }

void ActiveRun::end(End reason) noexcept {
  End expected = End::none;
  // Releases what the ending thread knows (a failure is in the list), for ended().
  if (!end_.compare_exchange_strong(expected, reason, std::memory_order_acq_rel)) return;
  stop_.request_stop();
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

/// Called in a handler, for the exception that is being handled. `gave_up`: the task might have been called again,
/// had the run not ended.
void ActiveRun::fail(Worker& worker, uint32_t task, bool gave_up) noexcept {
  if (traced_) tracing_->end_task(worker.number, {}, true);
  Failure failure{task, std::current_exception(), {}};
  try {
    throw;
  } catch (PartFailed& part) {
    failure.cause = part.cause;
    failure.part = part;
    gave_up = part.gave_up;
  } catch (...) {
  }
  const End before = end_.load(std::memory_order_acquire);
  if (before != End::none) {
    // The run had been ended. A task that gives up for that reason has not failed.
    if (before != End::failed || gave_up) return;
    try {
      std::rethrow_exception(failure.cause);
    } catch (const Cancelled&) {
      return;
    } catch (...) {
    }
  }
  {
    const std::lock_guard lock(mutex_);
    failures_.push_back(std::move(failure));
  }
  end(End::failed);
}

// --- Counting and telling --------------------------------------------------------------------------

void ActiveRun::publish(Worker& worker) {
  const uint64_t done = worker.done.load(std::memory_order_relaxed);
  if (done == 0) return;
  if (worker.unreported > 0) report(worker);
  worker.done.store(0, std::memory_order_relaxed);
  // Releases what these tasks wrote to the one who finds that none remains (is_over), and acquires theirs. Told
  // under the mutex, under which a parked caller looks.
  if (remaining_.fetch_sub(done, std::memory_order_acq_rel) == done && worker.number != 0) {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
}

uint64_t ActiveRun::tasks_done() const {
  return program_.plan.task_count() - remaining_.load(std::memory_order_acquire);
}

void ActiveRun::report(Worker& worker) {
  // A picture for watchers: ordered with nothing.
  settings_.progress->tasks_done.fetch_add(std::exchange(worker.unreported, 0),
                                           std::memory_order_relaxed);
}

void ActiveRun::note_end_of_task(Worker& worker) {
  if (settings_.progress == nullptr) return;
  ++worker.unreported;
  const int64_t now = traced_ ? tracing_->last_end_ns(worker.number) : now_ns();
  if (worker.unreported < kReportTasks && now - worker.reported_ns < kReportNs) return;
  worker.reported_ns = now;
  report(worker);
}

void ActiveRun::deliver_trace() {
  if (traced_) tracing_->collect();
}

// --- The store -------------------------------------------------------------------------------------

RunStore::~RunStore() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return free_.size() == all_.size(); });
}

ActiveRun& RunStore::take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    free_.reserve(all_.size() + 1);  // so that giving back never allocates
    all_.push_back(std::make_unique<ActiveRun>(program, *this));
    return *all_.back();
  }
  ActiveRun& run = *free_.back();
  free_.pop_back();
  return run;
}

void RunStore::give_back(ActiveRun& run) {
  const std::lock_guard lock(mutex_);
  free_.push_back(&run);
  returned_.notify_all();
}

std::shared_ptr<const TracePlan> RunStore::trace_plan() {
  const std::lock_guard lock(mutex_);
  if (trace_plan_ == nullptr) trace_plan_ = trace_plan_of(program.plan);
  return trace_plan_;
}

TUFF_NAMESPACE_END
