// The progress bar: what it writes where, when it keeps quiet, and runs of several threads.
#include "tuff/diagnostics/progress.h"

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tuff/base/context.h"
#include "tuff/base/error.h"

namespace {

using namespace std::chrono_literals;

using tuff::Context;
using tuff::ProgressBar;
using tuff::ProgressBarOptions;
using tuff::RunProgress;

/// A pipe whose text can be read back.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_, O_NONBLOCK) != 0) throw std::runtime_error("no pipe");
  }
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int in() const { return ends_[1]; }
  std::string text() const { return read_all(ends_[0]); }

  static std::string read_all(int stream) {
    std::string text;
    char buffer[4096];
    for (ssize_t n = ::read(stream, buffer, sizeof buffer); n > 0;
         n = ::read(stream, buffer, sizeof buffer)) {
      text.append(buffer, static_cast<size_t>(n));
    }
    return text;
  }

 private:
  int ends_[2] = {-1, -1};
};

/// A pseudo-terminal.
class Terminal {
 public:
  explicit Terminal(unsigned short columns)
      : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) {
    ::setenv("TERM", "xterm", 1);
    if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0) {
      throw std::runtime_error("no pseudo-terminal");
    }
    slave_ = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);
    winsize size{};
    size.ws_col = columns;
    size.ws_row = 24;
    ::ioctl(slave_, TIOCSWINSZ, &size);
  }
  ~Terminal() {
    ::close(slave_);
    ::close(master_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  int in() const { return slave_; }
  std::string text() const { return Pipe::read_all(master_); }

 private:
  int master_ = -1;
  int slave_ = -1;
};

/// What a run does to the observers of its context.
class FakeRun {
 public:
  FakeRun(Context& context, uint64_t total) : observers_(context.observers()) {
    progress_->tasks_total = total;
    for (const auto& observer : observers_) observer->on_start(progress_);
  }
  void advance(uint64_t done) { progress_->tasks_done += done; }
  void finish(bool failed = false) {
    for (const auto& observer : observers_) observer->on_finish(failed);
  }

 private:
  std::vector<std::shared_ptr<tuff::RunObserver>> observers_;
  std::shared_ptr<RunProgress> progress_ = std::make_shared<RunProgress>();
};

ProgressBarOptions options_for(Context& context, int stream) {
  ProgressBarOptions options;
  options.minimum_seconds = 0;
  options.redraw_seconds = 0.002;
  options.stream = stream;
  options.context = &context;
  return options;
}

/// Replaces the digits of times, so that texts can be compared.
std::string without_times(std::string text) {
  for (size_t at = text.find(" | ", text.find("tasks")); at != std::string::npos;
       at = text.find(" | ", text.find("tasks", at))) {
    for (at += 3; at < text.size() && (std::isdigit(text[at]) != 0 || text[at] == '.'); ++at) {
      text[at] = '#';
    }
  }
  return text;
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(ProgressBar, WritesALastLineWhereThereIsNoTerminal) {
  Context context({.threads = 1});
  const Pipe pipe;
  const ProgressBar bar(options_for(context, pipe.in()));
  FakeRun run(context, 12);
  run.advance(12);
  run.finish();
  EXPECT_EQ(without_times(pipe.text()), "100 % | 12 of 12 tasks | ### s, done\n");
}

TEST(ProgressBar, WritesALineNowAndThenWhereThereIsNoTerminal) {
  Context context({.threads = 1});
  const Pipe pipe;
  ProgressBarOptions options = options_for(context, pipe.in());
  options.line_seconds = 0.01;
  const ProgressBar bar(options);
  FakeRun run(context, 10);
  run.advance(5);
  std::string text;
  while (text.find("left\n") == std::string::npos) text += pipe.text();
  EXPECT_TRUE(text.starts_with(" 50 % | 5 of 10 tasks | ")) << text;
  run.finish();
}

TEST(ProgressBar, SaysSoWhenARunFailed) {
  Context context({.threads = 1});
  const Pipe pipe;
  const ProgressBar bar(options_for(context, pipe.in()));
  FakeRun run(context, 12);
  run.advance(3);
  run.finish(true);
  EXPECT_EQ(without_times(pipe.text()), " 25 % | 3 of 12 tasks | ### s, failed\n");
}

TEST(ProgressBar, KeepsQuietAboutShortRuns) {
  Context context({.threads = 1});
  const Pipe pipe;
  ProgressBarOptions options = options_for(context, pipe.in());
  options.minimum_seconds = 60;
  {
    const ProgressBar bar(options);
    for (int i = 0; i < 100; ++i) FakeRun(context, 1).finish();
  }
  EXPECT_EQ(pipe.text(), "");
}

TEST(ProgressBar, RedrawsOneLineOnATerminal) {
  Context context({.threads = 1});
  const Terminal terminal(100);
  const ProgressBar bar(options_for(context, terminal.in()));
  FakeRun run(context, 4);
  run.advance(1);
  std::string text;
  while (count_of(text, "\r[") < 3) text += terminal.text();
  EXPECT_NE(text.find("\r[##########                              ]  25 % | 1 of 4 tasks | "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(" s left\x1b[K"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
  run.advance(3);
  run.finish();
  text = terminal.text();
  EXPECT_NE(text.find("[########################################] 100 % | 4 of 4 tasks | "),
            std::string::npos)
      << text;
  EXPECT_EQ(count_of(text, "\n"), 1u);
  EXPECT_NE(text.find(", done\x1b[K"), std::string::npos) << text;
}

TEST(ProgressBar, FitsANarrowTerminal) {
  Context context({.threads = 1});
  const Terminal terminal(50);
  const ProgressBar bar(options_for(context, terminal.in()));
  FakeRun run(context, 1000);
  run.advance(1000);
  run.finish();
  std::string text = terminal.text();
  const size_t start = text.rfind("\r[");
  ASSERT_NE(start, std::string::npos);
  EXPECT_LT(text.find("\x1b[K", start) - start - 1, 50u);
}

TEST(ProgressBar, ATerminalThatCannotRedrawGetsLines) {
  Context context({.threads = 1});
  const Terminal terminal(100);
  ::setenv("TERM", "dumb", 1);
  const ProgressBar bar(options_for(context, terminal.in()));
  FakeRun(context, 1).finish();
  const std::string text = terminal.text();
  EXPECT_EQ(text.find('\r'), text.find("\r\n")) << text;  // the terminal's own line ends
  EXPECT_EQ(text.find('['), std::string::npos) << text;
  ::setenv("TERM", "xterm", 1);
}

TEST(ProgressBar, ShowsOneRunAfterAnother) {
  Context context({.threads = 1});
  const Pipe pipe;
  const ProgressBar bar(options_for(context, pipe.in()));
  for (uint64_t total : {3, 5}) {
    FakeRun run(context, total);
    run.advance(total);
    run.finish();
  }
  EXPECT_EQ(without_times(pipe.text()),
            "100 % | 3 of 3 tasks | ### s, done\n100 % | 5 of 5 tasks | ### s, done\n");
}

TEST(ProgressBar, AddsUpRunsThatOverlap) {
  Context context({.threads = 1});
  const Pipe pipe;
  const ProgressBar bar(options_for(context, pipe.in()));
  FakeRun first(context, 10);
  std::thread([&context] {
    FakeRun second(context, 30);
    second.advance(30);
    second.finish();
  }).join();
  first.advance(10);
  first.finish();
  const std::string text = pipe.text();
  EXPECT_TRUE(without_times(text).ends_with("100 % | 40 of 40 tasks | ### s, done\n")) << text;
  EXPECT_EQ(count_of(text, "done"), 1u);
}

TEST(ProgressBar, CountsARunOnceThatItHearsOfTwice) {
  Context context({.threads = 1});
  const Pipe pipe;
  ProgressBar bar(options_for(context, pipe.in()));
  const auto progress = std::make_shared<RunProgress>();
  progress->tasks_total = 8;
  progress->tasks_done = 8;
  const auto registered = context.observers();
  registered[0]->on_start(progress);
  bar.on_start(progress);
  bar.on_finish(false);
  registered[0]->on_finish(false);
  EXPECT_EQ(without_times(pipe.text()), "100 % | 8 of 8 tasks | ### s, done\n");
}

TEST(ProgressBar, APlanWithoutTasksIsDoneAtOnce) {
  Context context({.threads = 1});
  const Pipe pipe;
  const ProgressBar bar(options_for(context, pipe.in()));
  FakeRun(context, 0).finish();
  EXPECT_EQ(without_times(pipe.text()), "100 % | 0 of 0 tasks | ### s, done\n");
}

TEST(ProgressBar, MayBeDestroyedWhileRunsAreUnderWay) {
  Context context({.threads = 1});
  const Pipe pipe;
  auto bar = std::make_unique<ProgressBar>(options_for(context, pipe.in()));
  FakeRun before(context, 1);
  bar.reset();
  EXPECT_TRUE(context.observers().empty());
  static_cast<void>(pipe.text());
  before.advance(1);
  before.finish();
  EXPECT_EQ(pipe.text(), "");
}

TEST(ProgressBar, StandsManyClientsAtOnce) {
  Context context({.threads = 1});
  const Pipe pipe;
  ProgressBarOptions options = options_for(context, pipe.in());
  options.line_seconds = 0.001;
  std::vector<std::thread> clients;
  {
    const ProgressBar bar(options);
    for (int client = 0; client < 4; ++client) {
      clients.emplace_back([&context, &pipe] {
        for (int i = 0; i < 200; ++i) {
          FakeRun run(context, 2);
          run.advance(2);
          if (i % 50 == 0) std::this_thread::sleep_for(2ms);
          run.finish();
          if (i % 10 == 0) static_cast<void>(pipe.text());  // keep the pipe from filling up
        }
      });
    }
    std::this_thread::sleep_for(5ms);
  }
  for (std::thread& client : clients) client.join();
}

TEST(ProgressBar, WritesTimesInWords) {
  // Nothing of an hour's run can be waited for here; a remainder can, since it is extrapolated.
  Context context({.threads = 1});
  const Pipe pipe;
  ProgressBarOptions options = options_for(context, pipe.in());
  options.line_seconds = 0.01;
  const ProgressBar bar(options);
  FakeRun run(context, 10'000'000);
  run.advance(1);
  std::string text;
  while (text.find('\n') == std::string::npos) text += pipe.text();
  EXPECT_NE(text.find(" h "), std::string::npos) << text;
  EXPECT_NE(text.find(" min left\n"), std::string::npos) << text;
  run.finish();
}

TEST(ProgressBar, RefusesTimesAndWidthsThatMeanNothing) {
  Context context({.threads = 1});
  const auto error_of = [&context](auto change) -> std::string {
    ProgressBarOptions options = options_for(context, 2);
    change(options);
    try {
      const ProgressBar bar(options);
    } catch (const tuff::InvalidArgument& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(error_of([](auto& o) { o.minimum_seconds = -1; }),
            "[progress] minimum_seconds = -1; at least 0 is needed");
  EXPECT_EQ(error_of([](auto& o) { o.redraw_seconds = 0; }),
            "[progress] redraw_seconds = 0; more than 0 is needed");
  EXPECT_EQ(error_of([](auto& o) { o.line_seconds = -2; }),
            "[progress] line_seconds = -2; more than 0 is needed");
  EXPECT_EQ(error_of([](auto& o) { o.width = 0; }), "[progress] width = 0; more than 0 is needed");
  EXPECT_TRUE(context.observers().empty());
}

}  // namespace
