// See watch.h. A context holds links, which outlive both the watch and its reader, and lead nowhere after
// the watch has gone.
#include "tuff/diagnostics/watch.h"

#include <mutex>
#include <shared_mutex>

TUFF_NAMESPACE_BEGIN

namespace {

/// A pointer that may be cut at any time, but not while it is in use.
template <class Target>
class Link {
 public:
  explicit Link(Target& target) : target_(&target) {}
  void cut() {
    const std::unique_lock lock(mutex_);
    target_ = nullptr;
  }
  template <class Call>
  void call(Call&& call) const {
    const std::shared_lock lock(mutex_);
    if (target_ != nullptr) call(*target_);
  }
  template <class Result, class Ask>
  Result ask(Result otherwise, Ask&& ask) const {
    const std::shared_lock lock(mutex_);
    return target_ != nullptr ? ask(*target_) : otherwise;
  }

 private:
  mutable std::shared_mutex mutex_;
  Target* target_;
};

}  // namespace

class Watch::SinkLink final : public TraceSink {
 public:
  explicit SinkLink(TraceSink& sink) : link(sink) {}
  void on_run(const TraceRun& run) override {
    link.call([&](TraceSink& sink) { sink.on_run(run); });
  }
  bool live() const override {
    return link.ask(false, [](TraceSink& sink) { return sink.live(); });
  }
  void on_part(const TraceRun& part) override {
    link.call([&](TraceSink& sink) { sink.on_part(part); });
  }
  uint64_t max_events() const override {
    return link.ask(uint64_t{0}, [](TraceSink& sink) { return sink.max_events(); });
  }
  Link<TraceSink> link;
};

class Watch::ObserverLink final : public RunObserver {
 public:
  explicit ObserverLink(RunObserver& observer) : link(observer) {}
  void on_start(const std::shared_ptr<const RunProgress>& progress) override {
    link.call([&](RunObserver& observer) { observer.on_start(progress); });
  }
  void on_finish(bool failed) override {
    link.call([&](RunObserver& observer) { observer.on_finish(failed); });
  }
  bool wants_tasks() const override {
    return link.ask(false, [](RunObserver& observer) { return observer.wants_tasks(); });
  }
  void before_task(const TaskStart& start) override {
    link.call([&](RunObserver& observer) { observer.before_task(start); });
  }
  void after_task(const TaskStart& start, const TraceEvent& event) override {
    link.call([&](RunObserver& observer) { observer.after_task(start, event); });
  }
  Link<RunObserver> link;
};

Watch::Watch(TraceSink* sink, RunObserver* observer, Context* context)
    : context_(context != nullptr ? context : &Context::current()), life_(context_->life()) {
  if (sink != nullptr) context_->add_trace(sink_ = std::make_shared<SinkLink>(*sink));
  if (observer != nullptr)
    context_->add_observer(observer_ = std::make_shared<ObserverLink>(*observer));
}

Watch::~Watch() {
  const bool is_there = !life_.expired();
  if (sink_ != nullptr) {
    if (is_there) context_->remove_trace(sink_.get());
    sink_->link.cut();
  }
  if (observer_ != nullptr) {
    if (is_there) context_->remove_observer(observer_.get());
    observer_->link.cut();
  }
}

void Callbacks::on_start(const std::shared_ptr<const RunProgress>& progress) {
  if (start) start(*progress);
}
void Callbacks::on_finish(bool failed) {
  if (finish) finish(failed);
}
bool Callbacks::wants_tasks() const { return before_task_runs || after_task_ran; }
void Callbacks::before_task(const TaskStart& task) {
  if (before_task_runs) before_task_runs(task);
}
void Callbacks::after_task(const TaskStart& task, const TraceEvent& event) {
  if (after_task_ran) after_task_ran(task, event);
}

TUFF_NAMESPACE_END
