// A progress bar for whatever runs in a context.
//
// A reader of RunProgress: nothing in the layers below knows it. Its thread exists only while a run is
// under way (and for half a second after it, so that a loop of short runs does not start a thread each
// time), and looks at the counters ten times a second.
#pragma once

#include <memory>

#include "tuff/base/api.h"
#include "tuff/base/trace.h"

TUFF_NAMESPACE_BEGIN

class Context;

struct ProgressBarOptions {
  /// Runs that end sooner show nothing.
  double minimum_seconds = 0.5;
  /// Time between two drawings on a terminal.
  double redraw_seconds = 0.1;
  /// Time between two lines when the stream is not a terminal.
  double line_seconds = 5;
  /// Characters of the bar itself; fewer on a narrow terminal.
  int width = 40;
  /// File descriptor to write to; 2 is standard error.
  int stream = 2;
  /// Whose runs to show; null is Context::current().
  Context* context = nullptr;
};

/// Shows the progress of every outermost run of a context, from construction to destruction.
///
/// On a terminal: one line that is redrawn, with a bar, percent, tasks done and in all, time elapsed and
/// an estimate of the time left. Elsewhere: a line now and then, and a last one. Runs that overlap, from
/// several threads, share one bar. Thread-safe. A run that is under way at destruction goes on unseen.
/// Also usable for single runs, as RunOptions::observer.
/// Throws InvalidArgument when a time or the width is not positive (minimum_seconds may be 0).
class TUFF_API ProgressBar : public RunObserver {
 public:
  explicit ProgressBar(const ProgressBarOptions& options = {});
  ~ProgressBar() override;
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void on_start(const std::shared_ptr<const RunProgress>& progress) override;
  void on_finish(bool failed) override;

 private:
  class Meter;
  std::shared_ptr<Meter> meter_;
  Context* context_;
};

TUFF_NAMESPACE_END
