// One run from parameters to outputs: set up, work, tell observers, hand out results or errors.
//
// The work itself is in active_run.cpp. Every path out of here leaves no value behind and tells each
// observer that was told of the start.
#include "tuff/schedule/run.h"

#include <algorithm>
#include <optional>
#include <stop_token>
#include <utility>

#include <fmt/format.h>

#include "tuff/base/check.h"
#include "tuff/base/error.h"
#include "tuff/schedule/active_run.h"
#include "tuff/schedule/pool.h"
#include "tuff/schedule/timer.h"

TUFF_NAMESPACE_BEGIN

namespace {

// A plan whose last run took less than this is over before a helper has woken up (2-5 us to wake it,
// 5-50 us until it runs), so such a run asks for helpers only once it takes longer.
constexpr int64_t kShortRunNs = 20'000;
constexpr int64_t kShortRunTicks = 60'000;

// What is below both of these does not tell in any budget: nobody is asked.
constexpr uint64_t kNegligibleBytes = 1 << 20;
constexpr uint64_t kNegligiblePart = 64;

/// Holds an ActiveRun from the store; frees its values and gives it back.
class Lease {
 public:
  explicit Lease(RunStore& store) : run_(store.take()) {}
  ~Lease() {
    if (!clean_) run_.state().clear();
    run_.release();
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ActiveRun* operator->() const { return &run_; }
  ActiveRun& operator*() const { return run_; }
  /// All values have been handed out.
  void set_clean() { clean_ = true; }

 private:
  ActiveRun& run_;
  bool clean_ = false;
};

/// Tells observers of the start, and of the end on any path.
class Observers {
 public:
  Observers(Context& context, const RunOptions& options, bool nested) {
    if (nested) return;
    observers_ = context.observers();
    if (options.observer != nullptr) own_ = options.observer;
  }
  ~Observers() {
    for (size_t i = started_; i-- > 0;) drop_errors([&] { at(i).on_finish(failed_); });
  }
  Observers(const Observers&) = delete;
  Observers& operator=(const Observers&) = delete;

  bool any() const { return count() > 0; }
  void start(const std::shared_ptr<const RunProgress>& progress) {
    for (; started_ < count(); ++started_) drop_errors([&] { at(started_).on_start(progress); });
  }
  void set_succeeded() { failed_ = false; }
  std::vector<RunObserver*> that_want_tasks() const {
    std::vector<RunObserver*> found;
    for (size_t i = 0; i < count(); ++i) {
      bool wants = false;
      drop_errors([&] { wants = at(i).wants_tasks(); });
      if (wants) found.push_back(&at(i));
    }
    return found;
  }

 private:
  /// An observer must not change the result of the run that it watches.
  template <class F>
  static void drop_errors(F&& f) {
    try {
      f();
    } catch (...) {  // NOLINT(bugprone-empty-catch)
    }
  }
  size_t count() const { return observers_.size() + (own_ != nullptr ? 1 : 0); }
  RunObserver& at(size_t i) const { return i < observers_.size() ? *observers_[i] : *own_; }

  std::vector<std::shared_ptr<RunObserver>> observers_;
  RunObserver* own_ = nullptr;
  size_t started_ = 0;
  bool failed_ = true;
};

/// Ends the run when the deadline passes, for as long as this exists.
class DeadlineGuard {
 public:
  DeadlineGuard(Context& context, ActiveRun& run, std::chrono::nanoseconds after) {
    if (after <= std::chrono::nanoseconds::zero()) {
      run.end(End::deadline);
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (after >= Timer::Time::max() - now) return;
    timer_ = &context.service<Timer>();
    id_ = timer_->call_at(now + after, [&run] { run.end(End::deadline); });
  }
  ~DeadlineGuard() {
    if (timer_ != nullptr) timer_->cancel(id_);
  }
  DeadlineGuard(const DeadlineGuard&) = delete;
  DeadlineGuard& operator=(const DeadlineGuard&) = delete;

 private:
  Timer* timer_ = nullptr;
  uint64_t id_ = 0;
};

/// What a stop token calls.
struct Ender {
  ActiveRun* run;
  void operator()() const noexcept { run->end(End::stop_requested); }
};

/// Promises the run what it may hold, or has its tasks ask one by one.
class MemoryOfRun {
 public:
  MemoryOfRun(Context& context, ActiveRun* outer, ActiveRun& run, const Program& program,
              uint64_t limit) {
    const uint64_t bytes = program.plan.output_bytes;
    if (bytes <= std::min(kNegligibleBytes, limit / kNegligiblePart)) return;
    auto& budget = context.service<MemoryBudget>();
    if (outer != nullptr) nested_.emplace(outer->memory(), outer->promise());
    if (bytes != BlockBytes::kUnknown && promise_.emplace(budget, bytes, limit).is_kept()) {
      run.set_promise(&*promise_);
      return;
    }
    tasks_.emplace(budget, program, run.state(), limit, run.tracing(), run.stop_token());
    run.set_memory(&*tasks_);
  }

 private:
  std::optional<NestedInMemory> nested_;
  std::optional<MemoryPromise> promise_;
  std::optional<RunMemory> tasks_;
};

[[noreturn]] void throw_task_error(std::vector<ActiveRun::Failure> failures,
                                   const PlanArrays& plan) {
  std::sort(failures.begin(), failures.end(),
            [](const auto& a, const auto& b) { return a.task < b.task; });
  std::vector<TaskFailure> described;
  for (ActiveRun::Failure& failure : failures) {
    const PartFailed& part = failure.part;
    const bool is_part = part.function != nullptr;
    described.push_back(
        {is_part ? part.operation : plan.name_of(plan.function[failure.task]), failure.task,
         is_part ? plan.block_name(*part.function, part.block) : plan.block_name_of(failure.task),
         std::move(failure.cause)});
  }
  try {
    std::rethrow_exception(described.front().cause);
  } catch (...) {
    std::throw_with_nested(TaskError(std::move(described)));
  }
}

[[noreturn]] void throw_early_end(ActiveRun& run, const PlanArrays& plan) {
  const uint64_t done = run.tasks_done();
  const uint64_t total = plan.task_count();
  switch (run.ended()) {
    case End::failed: throw_task_error(run.take_failures(), plan);
    case End::stop_requested: throw Cancelled(Cancelled::Reason::stop_requested, done, total);
    case End::deadline: throw Cancelled(Cancelled::Reason::deadline, done, total);
    default: break;
  }
  throw InternalError(fmt::format("[run] {} of {} tasks wait for each other", total - done, total));
}

}  // namespace

Runner::Runner(PlanArrays arrays) : store_(std::make_unique<RunStore>(std::move(arrays))) {}
Runner::~Runner() = default;
Runner::Runner(Runner&& other) noexcept = default;
Runner& Runner::operator=(Runner&& other) noexcept = default;

const PlanArrays& Runner::arrays() const { return store_->program.plan; }

std::vector<Value> Runner::run(std::vector<Value> parameters, const RunOptions& options) const {
  ActiveRun* const outer = ActiveRun::current();
  const bool nested = outer != nullptr;
  Context& context = options.context != nullptr ? *options.context
                     : nested                   ? outer->context()
                                                : Context::current();
  const int asked = options.threads.value_or(context.threads());
  if (asked < 1) {
    throw InvalidArgument("run", fmt::format("threads = {}; at least 1 is needed", asked));
  }
  const PlanArrays& plan = store_->program.plan;
  TUFF_CHECK_EQ(parameters.size(), plan.parameter_slots.size());

  Observers observers(context, options, nested);
  const int64_t start_ns = now_ns();

  const uint64_t limit = options.memory_bytes.value_or(context.memory_bytes());
  if (limit == 0) throw InvalidArgument("run", "memory_bytes = 0; at least 1 is needed");

  ActiveRun::Settings settings;
  settings.context = &context;
  settings.threads = plan.task_count() > 1 ? std::min(asked, context.threads()) : 1;
  if (settings.threads > 1) settings.pool = &context.service<ThreadPool>();
  if (store_->last_run_ns.load(std::memory_order_relaxed) < kShortRunNs) {
    settings.offer_at_ticks = now_ticks() + kShortRunTicks;
  }
  settings.keep_inputs = options.rerun_failed;
  settings.start_ns = start_ns;
  settings.readers.sink = options.trace;
  if (!nested) settings.readers.sinks = context.traces();
  if (observers.any()) {
    settings.progress = std::make_shared<RunProgress>();
    settings.progress->tasks_total.store(plan.task_count(), std::memory_order_relaxed);
  }
  observers.start(settings.progress);
  settings.readers.tasks = observers.that_want_tasks();
  Lease run(*store_);
  run->prepare(std::move(settings), options.resources);
  run->state().set_parameters(std::move(parameters));
  const MemoryOfRun memory(context, outer, *run, store_->program, limit);
  {
    const std::stop_callback<Ender> asked_to_stop(options.stop, Ender{&*run});
    const std::stop_callback<Ender> outer_ends(nested ? outer->stop_token() : std::stop_token(),
                                               Ender{&*run});
    const DeadlineGuard deadline(context, *run,
                                 options.deadline.value_or(std::chrono::nanoseconds::max()));
    run->work_as_caller();
  }
  run->deliver_trace();
  if (run->ended() == End::failed && options.rerun_failed) run->rerun(run->first_failed());
  if (run->ended() != End::none) throw_early_end(*run, plan);
  std::vector<Value> outputs = run->state().take_outputs();
  run.set_clean();
  store_->last_run_ns.store(now_ns() - start_ns, std::memory_order_relaxed);
  observers.set_succeeded();
  return outputs;
}

TUFF_NAMESPACE_END
