// Lets any reader of traces or runs see all runs of a context for a while; and a reader made of functions.
//
// For readers whose life ends before the context's: profilers, callbacks, a program's own. A reader of one
// run needs neither: it goes into RunOptions.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>

#include "tuff/base/api.h"
#include "tuff/base/context.h"
#include "tuff/base/trace.h"

TUFF_NAMESPACE_BEGIN

/// While this lives, `reader` (a TraceSink, a RunObserver, or both) sees every outermost run of the context
/// that starts. Runs that are under way at its end go on unseen; its destructor waits for calls under way. It may
/// outlive the context.
class TUFF_API Watch {
 public:
  /// Null is Context::current(). The reader must outlive this.
  template <class Reader>
  explicit Watch(Reader& reader, Context* context = nullptr)
      : Watch(as<TraceSink>(reader), as<RunObserver>(reader), context) {
    static_assert(std::is_base_of_v<TraceSink, Reader> || std::is_base_of_v<RunObserver, Reader>,
                  "a reader is a TraceSink or a RunObserver");
  }
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  template <class Role, class Reader>
  static Role* as(Reader& reader) {
    if constexpr (std::is_base_of_v<Role, Reader>) return &reader;
    return nullptr;
  }
  Watch(TraceSink* sink, RunObserver* observer, Context* context);

  class SinkLink;
  class ObserverLink;
  std::shared_ptr<SinkLink> sink_;
  std::shared_ptr<ObserverLink> observer_;
  Context* context_;
  std::weak_ptr<const void> life_;  // of the context
};

/// An observer out of functions; those that are not set cost nothing. `before_task` and `after_task` are
/// called on worker threads, several at once.
struct TUFF_API Callbacks final : RunObserver {
  std::function<void(const RunProgress&)> start;  ///< the progress lives as long as the run
  std::function<void(const TaskStart&)> before_task_runs;
  std::function<void(const TaskStart&, const TraceEvent&)> after_task_ran;
  std::function<void(bool failed)> finish;

  void on_start(const std::shared_ptr<const RunProgress>& progress) override;
  void on_finish(bool failed) override;
  bool wants_tasks() const override;
  void before_task(const TaskStart& task) override;
  void after_task(const TaskStart& task, const TraceEvent& event) override;
};

TUFF_NAMESPACE_END
