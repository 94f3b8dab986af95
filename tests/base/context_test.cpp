// Contexts: where settings come from, what they keep, and what they refuse.
#include "tuff/base/context.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/error.h"

namespace {

using tuff::Context;

/// Sets an environment variable until the end of the scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const tuff::InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Context, ThreadsComeFromTheOptionThenTheEnvironmentThenTheMachine) {
  EXPECT_EQ(Context().threads(), tuff::usable_cpus());
  const Environment environment("TUFF_THREADS", "5");
  EXPECT_EQ(Context().threads(), 5);
  EXPECT_EQ(Context({.threads = 3}).threads(), 3);
}

TEST(Context, AnEmptyVariableCountsAsUnset) {
  const Environment environment("TUFF_THREADS", "");
  EXPECT_EQ(Context().threads(), tuff::usable_cpus());
}

TEST(Context, FewerThreadsThanOneAreAnError) {
  EXPECT_EQ(error_of([] { Context context({.threads = 0}); }),
            "[context] threads = 0; at least 1 is needed");
  const Environment environment("TUFF_THREADS", "-2");
  EXPECT_EQ(error_of([] { Context context; }), "[context] threads = -2; at least 1 is needed");
}

TEST(Context, AVariableThatIsNoNumberIsAnError) {
  for (const char* text : {"two", "2x", " 2", "2.5", "99999999999999999999"}) {
    const Environment environment("TUFF_THREADS", text);
    EXPECT_EQ(error_of([] { Context context; }),
              "[context] TUFF_THREADS='" + std::string(text) + "' is not a whole number");
  }
  const Environment environment("TUFF_RECYCLE_BYTES", "1GB");
  EXPECT_EQ(error_of([] { Context context; }),
            "[context] TUFF_RECYCLE_BYTES='1GB' is not a whole number");
}

TEST(Context, TimesAndBytesHaveDefaultsAndLimits) {
  {
    const Context context;
    EXPECT_EQ(context.idle_seconds(), 30);
    EXPECT_EQ(context.memory_bytes(), tuff::usable_memory() / 10 * 6);
    EXPECT_EQ(context.spill_folder(), "");
    EXPECT_FALSE(context.spill_bytes().has_value());
  }
  const Environment idle("TUFF_IDLE_SECONDS", "2.5");
  const Environment memory("TUFF_MEMORY_BYTES", "1000000");
  const Environment folder("TUFF_SPILL_FOLDER", "/scratch");
  const Environment bytes("TUFF_SPILL_BYTES", "77");
  const Context context;
  EXPECT_EQ(context.idle_seconds(), 2.5);
  EXPECT_EQ(context.memory_bytes(), 1'000'000u);
  EXPECT_EQ(context.spill_folder(), "/scratch");
  EXPECT_EQ(context.spill_bytes(), 77u);
  const Context own({.idle_seconds = 1, .memory_bytes = 5, .spill_folder = "/mine"});
  EXPECT_EQ(own.idle_seconds(), 1);
  EXPECT_EQ(own.memory_bytes(), 5u);
  EXPECT_EQ(own.spill_folder(), "/mine");
  EXPECT_EQ(error_of([] { Context none({.idle_seconds = 0}); }),
            "[context] idle_seconds = 0; more than 0 is needed");
  EXPECT_EQ(error_of([] { Context none({.memory_bytes = 0}); }),
            "[context] memory_bytes = 0; at least 1 is needed");
  const Environment wrong("TUFF_IDLE_SECONDS", "soon");
  EXPECT_EQ(error_of([] { Context none; }), "[context] TUFF_IDLE_SECONDS='soon' is not a number");
}

TEST(Context, CurrentIsOneForAllThreads) {
  Context* other = nullptr;
  std::thread([&other] { other = &Context::current(); }).join();
  EXPECT_EQ(other, &Context::current());
}

TEST(Context, TheMachineGrantsSomething) {
  EXPECT_GE(tuff::usable_cpus(), 1);
  EXPECT_GE(tuff::usable_memory(), size_t{1} << 20);
}

std::vector<std::string> service_log;

template <char kName>
struct Service {
  int threads;
  explicit Service(Context& context) : threads(context.threads()) {
    service_log.push_back(std::string("make ") + kName);
  }
  ~Service() { service_log.push_back(std::string("destroy ") + kName); }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
};

TEST(Context, MakesEachServiceOnceAndDestroysThemInReverseOrder) {
  service_log.clear();
  {
    Context context({.threads = 3});
    EXPECT_EQ(context.service<Service<'a'>>().threads, 3);
    Service<'b'>* first = &context.service<Service<'b'>>();
    EXPECT_EQ(&context.service<Service<'b'>>(), first);
  }
  EXPECT_EQ(service_log, (std::vector<std::string>{"make a", "make b", "destroy b", "destroy a"}));
}

struct NullObserver : tuff::RunObserver {
  void on_start(const std::shared_ptr<const tuff::RunProgress>&) override {}
  void on_finish(bool) override {}
};
struct NullSink : tuff::TraceSink {
  void on_run(const tuff::TraceRun&) override {}
};

TEST(Context, TakesNoObserverAndNoSinkThatIsNull) {
  Context context;
  EXPECT_THROW(context.add_observer(nullptr), tuff::InvalidArgument);
  EXPECT_THROW(context.add_trace(nullptr), tuff::InvalidArgument);
}

TEST(Context, KeepsObserversAndSinksUntilTheyAreRemoved) {
  Context context({.threads = 1});
  const auto observer = std::make_shared<NullObserver>();
  const auto sink = std::make_shared<NullSink>();
  context.add_observer(observer);
  context.add_trace(sink);
  EXPECT_EQ(context.observers().size(), 1u);
  EXPECT_EQ(context.traces().size(), 1u);
  EXPECT_EQ(observer.use_count(), 2);
  context.remove_observer(observer.get());
  context.remove_trace(sink.get());
  context.remove_trace(sink.get());
  EXPECT_TRUE(context.observers().empty());
  EXPECT_TRUE(context.traces().empty());
  EXPECT_EQ(observer.use_count(), 1);
}

}  // namespace
