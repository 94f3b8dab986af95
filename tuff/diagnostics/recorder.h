// Keeps what the runs of a context did and when, and how much memory and processor time there was.
//
// A reader of the trace: nothing in the layers below knows it. Keeping a run costs one lock and one copy
// of its records (up to 48 bytes each); names are shared with the plan.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tuff/base/api.h"
#include "tuff/diagnostics/recording.h"

TUFF_NAMESPACE_BEGIN

class Context;

struct RecorderOptions {
  /// Whose runs to record; null is Context::current().
  Context* context = nullptr;
  /// Time between two looks at memory and processors. Long recordings look less often, and keep the peaks.
  double interval_seconds = 0.01;
  /// Most records (runs, tasks, waits, spills) that are kept: 200 MB. The first ones stay; tasks beyond are
  /// counted in Recording::dropped.
  uint64_t max_events = uint64_t{1} << 22;
};

/// Records every outermost run of a context that starts after construction and ends before destruction.
///
/// Thread-safe. A run is seen when it has ended; what is under way is not in the recording yet.
class TUFF_API Recorder {
 public:
  /// Throws InvalidArgument unless interval_seconds is positive.
  explicit Recorder(const RecorderOptions& options = {});
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Begins a phase, inside those that are under way. Phases end in reverse order.
  void begin_phase(std::string name);
  /// Ends the phase that began last. Throws InvalidArgument when none is under way.
  void end_phase();

  /// The share of the threads' time in this phase that was not spent in tasks, in [0, 1]:
  /// 1 - sum of task time / (threads x wall). Throws InvalidArgument for a phase that never began.
  double white_space(std::string_view phase) const;
  /// Everything so far. Phases that are under way end now.
  Recording recording() const;

 private:
  class Log;
  std::shared_ptr<Log> log_;
  Context* context_;
};

/// A phase that lasts as long as this object.
class PhaseScope {
 public:
  PhaseScope(Recorder& recorder, std::string name) : recorder_(recorder) {
    recorder_.begin_phase(std::move(name));
  }
  ~PhaseScope() { recorder_.end_phase(); }
  PhaseScope(const PhaseScope&) = delete;
  PhaseScope& operator=(const PhaseScope&) = delete;

 private:
  Recorder& recorder_;
};

TUFF_NAMESPACE_END
