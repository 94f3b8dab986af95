// The log behind Recorder; see recorder.h.
//
// Invariant: `kept_` has operation numbers as the plan has them; they are put into one list of names
// only when somebody asks for the recording, so that a run costs no look-up of names.
#include "tuff/diagnostics/recorder.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

#include "tuff/base/context.h"
#include "tuff/base/error.h"
#include "tuff/diagnostics/operation_names.h"
#include "tuff/diagnostics/sampler.h"

TUFF_NAMESPACE_BEGIN

class Recorder::Log final : public TraceSink {
 public:
  Log(uint32_t threads, std::chrono::duration<double> pause, uint64_t max_events)
      : sampler_(pause), max_events_(max_events) {
    kept_.threads = threads;
    kept_.start_ns = trace_now_ns();
    sampler_.start();
  }

  uint64_t max_events() const override {
    const std::lock_guard lock(mutex_);
    return room();
  }

  void on_run(const TraceRun& run) override {
    const std::lock_guard lock(mutex_);
    RecordedRun recorded{.start_ns = run.start_ns, .end_ns = run.end_ns, .threads = run.threads};
    recorded.plan = run.plan;
    recorded.first_event = kept_.events.size();
    recorded.first_wait = kept_.waits.size();
    recorded.first_spill = kept_.spills.size();
    size_t events = 0;
    if (room() > 0) {
      try {
        events = append(run.events, kept_.events);
        append(run.waits, kept_.waits);
        append(run.spills, kept_.spills);
        recorded.end_event = kept_.events.size();
        recorded.end_wait = kept_.waits.size();
        recorded.end_spill = kept_.spills.size();
        kept_.runs.push_back(recorded);
      } catch (...) {
        kept_.events.resize(recorded.first_event);
        kept_.waits.resize(recorded.first_wait);
        kept_.spills.resize(recorded.first_spill);
        throw;
      }
    }
    note_dropped(run, events);
  }

  void begin_phase(std::string name) {
    sampler_.look();
    const std::lock_guard lock(mutex_);
    open_.push_back(kept_.phases.size());
    const auto depth = static_cast<uint32_t>(open_.size() - 1);
    kept_.phases.push_back({std::move(name), trace_now_ns(), 0, depth});
  }

  void end_phase() {
    const int64_t now = trace_now_ns();
    {
      const std::lock_guard lock(mutex_);
      if (open_.empty()) {
        throw InvalidArgument("end_phase", "no phase is under way; call begin_phase(name) first");
      }
      kept_.phases[open_.back()].end_ns = now;
      open_.pop_back();
    }
    sampler_.look();
  }

  double white_space(std::string_view phase) {
    const std::lock_guard lock(mutex_);
    end_now();
    return totals_of_phase(kept_, phase).white_space;
  }

  Recording recording() {
    sampler_.look();
    const std::lock_guard lock(mutex_);
    end_now();
    Recording copy = kept_;
    copy.samples = sampler_.samples();
    name_operations(copy);
    return copy;
  }

  void close() { sampler_.stop(); }

 private:
  // All below: caller holds mutex_.

  uint64_t room() const {
    const uint64_t used =
        kept_.events.size() + kept_.waits.size() + kept_.spills.size() + kept_.runs.size();
    return max_events_ - std::min(used, max_events_);
  }

  /// As many of the first ones as there is room for.
  template <class T>
  size_t append(const std::vector<T>& from, std::vector<T>& to) const {
    const auto count = static_cast<size_t>(std::min<uint64_t>(from.size(), room()));
    to.insert(to.end(), from.begin(), from.begin() + static_cast<ptrdiff_t>(count));
    return count;
  }

  void note_dropped(const TraceRun& run, size_t appended) {
    kept_.dropped += run.dropped + (run.events.size() - appended);
    kept_.dropped_from_ns = std::min(kept_.dropped_from_ns, run.dropped_from_ns);
    for (size_t e = appended; e < run.events.size(); ++e)
      kept_.dropped_from_ns = std::min(kept_.dropped_from_ns, run.events[e].start_ns);
  }

  /// What is under way has lasted until now; its end is set anew when it comes.
  void end_now() {
    kept_.end_ns = trace_now_ns();
    for (const size_t phase : open_) kept_.phases[phase].end_ns = kept_.end_ns;
  }

  static void name_operations(Recording& all) {
    OperationNames names;
    for (const RecordedRun& run : all.runs) {
      const std::vector<uint32_t>& numbers = names.numbers_of(run.plan);
      for (uint64_t e = run.first_event; e < run.end_event; ++e) {
        all.events[e].operation = numbers[all.events[e].operation];
      }
    }
    all.operations = names.names();
  }

  Sampler sampler_;
  const uint64_t max_events_;
  mutable std::mutex mutex_;
  Recording kept_;  // without names and samples; operations are numbered as in the run's plan
  std::vector<size_t> open_;  // phases under way, outermost first
};

Recorder::Recorder(const RecorderOptions& options)
    : context_(options.context != nullptr ? options.context : &Context::current()) {
  const auto pause = checked_pause("recorder", "interval_seconds", options.interval_seconds);
  log_ =
      std::make_shared<Log>(static_cast<uint32_t>(context_->threads()), pause, options.max_events);
  context_->add_trace(log_);
}

Recorder::~Recorder() {
  context_->remove_trace(log_.get());
  log_->close();
}

void Recorder::begin_phase(std::string name) { log_->begin_phase(std::move(name)); }
void Recorder::end_phase() { log_->end_phase(); }
Recording Recorder::recording() const { return log_->recording(); }

double Recorder::white_space(std::string_view phase) const { return log_->white_space(phase); }

TUFF_NAMESPACE_END
