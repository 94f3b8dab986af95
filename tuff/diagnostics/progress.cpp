// The meter behind ProgressBar: which runs are under way, when to draw, and what; see progress.h.
//
// Invariant: one busy period lasts from the first run that starts to the last that ends; its totals
// include the runs of the period that have ended, so that the bar never goes back when one of several
// runs ends. The last line is written by the thread whose run ends the period, before its run returns.
#include "tuff/diagnostics/progress.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tuff/base/context.h"
#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// How long the thread outlives the last run.
constexpr Seconds kLinger{0.5};

std::string time_text(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const int64_t whole = std::llround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

bool is_terminal(int stream) {
  const char* term = std::getenv("TERM");
  return ::isatty(stream) == 1 && (term == nullptr || std::string_view(term) != "dumb");
}

int terminal_columns(int stream) {
  winsize size{};
  if (::ioctl(stream, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void write_all(int stream, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(stream, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody reads: progress is not worth an error
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void check_positive(std::string_view what, double value) {
  if (!(value > 0)) {
    throw InvalidArgument("progress", fmt::format("{} = {}; more than 0 is needed", what, value));
  }
}

}  // namespace

class ProgressBar::Meter final : public RunObserver {
 public:
  explicit Meter(const ProgressBarOptions& options)
      : options_(options), on_terminal_(is_terminal(options.stream)) {}
  ~Meter() override { close(); }
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  void on_start(const std::shared_ptr<const RunProgress>& progress) override {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    if (runs_.empty()) begin_period();
    // The bar may hear of a run twice, from the context and from the run's options.
    const bool known = std::any_of(runs_.begin(), runs_.end(),
                                   [&](const Run& run) { return run.progress == progress; });
    runs_.push_back({std::this_thread::get_id(), known ? nullptr : progress});
    if (!drawing_) start_thread();
  }

  void on_finish(bool failed) override {
    const std::lock_guard lock(mutex_);
    // A thread runs one outermost plan at a time, so its latest entry is the one that ends.
    const auto mine = std::find_if(runs_.rbegin(), runs_.rend(), [](const Run& run) {
      return run.thread == std::this_thread::get_id();
    });
    if (closed_ || mine == runs_.rend()) return;
    if (mine->progress != nullptr) add_to(ended_, *mine->progress);
    failed_ = failed_ || failed;
    runs_.erase(std::next(mine).base());
    if (!runs_.empty()) return;
    idle_since_ = Clock::now();
    if (shown_ || elapsed() >= options_.minimum_seconds) draw(true);
  }

  /// No drawing and no counting from now on.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      if (!closed_ && shown_ && !runs_.empty() && on_terminal_) write_all(options_.stream, "\n");
      closed_ = true;
      runs_.clear();
    }
    closing_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Run {
    std::thread::id thread;
    std::shared_ptr<const RunProgress> progress;  // null for one that is counted elsewhere
  };
  struct Counts {
    uint64_t done = 0;
    uint64_t total = 0;
  };

  // All below: caller holds mutex_.

  static void add_to(Counts& counts, const RunProgress& progress) {
    counts.done += progress.tasks_done.load(std::memory_order_relaxed);
    counts.total += progress.tasks_total.load(std::memory_order_relaxed);
  }

  void begin_period() {
    start_ = Clock::now();
    next_line_seconds_ = std::max(options_.minimum_seconds, options_.line_seconds);
    ended_ = {};
    shown_ = false;
    failed_ = false;
  }

  void start_thread() {
    if (thread_.joinable()) thread_.join();  // it has let go of the mutex for good
    try {
      thread_ = std::thread([this] { draw_until_idle(); });
      drawing_ = true;
    } catch (const std::system_error&) {
      // No thread to be had: the last line alone is drawn.
    }
  }

  double elapsed() const { return Seconds(Clock::now() - start_).count(); }

  void draw_until_idle() {
    std::unique_lock lock(mutex_);
    const Seconds pause{std::min(options_.redraw_seconds, options_.line_seconds)};
    while (!closed_) {
      closing_.wait_for(lock, pause, [this] { return closed_; });
      if (closed_) break;
      if (runs_.empty()) {
        if (Clock::now() - idle_since_ < kLinger) continue;
        break;
      }
      const double seconds = elapsed();
      if (seconds < options_.minimum_seconds) continue;
      if (on_terminal_) {
        draw(false);
      } else if (seconds >= next_line_seconds_) {
        next_line_seconds_ = seconds + options_.line_seconds;
        draw(false);
      }
    }
    drawing_ = false;
  }

  void draw(bool last) {
    Counts counts = ended_;
    for (const Run& run : runs_) {
      if (run.progress != nullptr) add_to(counts, *run.progress);
    }
    const double seconds = elapsed();
    const double fraction =
        counts.total == 0 ? 1.0
                          : static_cast<double>(counts.done) / static_cast<double>(counts.total);
    std::string text = fmt::format("{:3.0f} % | {} of {} tasks | {}", 100 * fraction, counts.done,
                                   counts.total, time_text(seconds));
    if (last) {
      text += failed_ ? ", failed" : ", done";
    } else if (counts.done > 0) {
      text += fmt::format(", {} left", time_text(seconds * (1 - fraction) / fraction));
    }
    shown_ = true;
    if (!on_terminal_) {
      write_all(options_.stream, text + "\n");
      return;
    }
    // "[", "] " and the last column, which some terminals wrap at.
    const int room = terminal_columns(options_.stream) - static_cast<int>(text.size()) - 4;
    const int width = std::clamp(room, 1, options_.width);
    const int filled = static_cast<int>(fraction * width);
    write_all(options_.stream, fmt::format("\r[{:#<{}}{:{}}] {}\x1b[K{}", "", filled, "",
                                           width - filled, text, last ? "\n" : ""));
  }

  const ProgressBarOptions options_;
  const bool on_terminal_;
  std::mutex mutex_;
  std::condition_variable closing_;
  std::vector<Run> runs_;
  Counts ended_;
  Clock::time_point start_;
  Clock::time_point idle_since_;
  double next_line_seconds_ = 0;
  bool shown_ = false;
  bool failed_ = false;
  bool closed_ = false;
  bool drawing_ = false;  // the thread is running and will look again
  std::thread thread_;
};

ProgressBar::ProgressBar(const ProgressBarOptions& options)
    : context_(options.context != nullptr ? options.context : &Context::current()) {
  if (!(options.minimum_seconds >= 0)) {
    throw InvalidArgument("progress", fmt::format("minimum_seconds = {}; at least 0 is needed",
                                                  options.minimum_seconds));
  }
  check_positive("redraw_seconds", options.redraw_seconds);
  check_positive("line_seconds", options.line_seconds);
  check_positive("width", options.width);
  meter_ = std::make_shared<Meter>(options);
  context_->add_observer(meter_);
}

ProgressBar::~ProgressBar() {
  context_->remove_observer(meter_.get());
  meter_->close();
}

void ProgressBar::on_start(const std::shared_ptr<const RunProgress>& progress) {
  meter_->on_start(progress);
}

void ProgressBar::on_finish(bool failed) { meter_->on_finish(failed); }

TUFF_NAMESPACE_END
