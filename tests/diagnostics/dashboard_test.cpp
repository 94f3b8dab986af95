// The dashboard with real runs: what clients see while they go on, and its beginning and end.
#include "tuff/diagnostics/dashboard.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tuff/array/creation.h"
#include "tuff/array/math.h"
#include "tuff/array/random.h"
#include "tuff/array/reductions.h"
#include "tuff/base/context.h"
#include "tuff/base/error.h"
#include "tuff/delayed.h"

#include "tests/diagnostics/http_client.h"

namespace {

using namespace std::chrono_literals;

using Json = nlohmann::json;
using tuff::Context;
using tuff::Dashboard;
using tuff::Delayed;
using tuff::http_test::answer_to;
using tuff::http_test::Events;
using tuff::http_test::get_text;
using tuff::http_test::status_of;

/// `count` tasks named "wait", of which each first waits until there is a permit.
class Gate {
 public:
  void open(int permits) { permits_ += permits; }
  Delayed<double> run_of(int count) {
    std::vector<Delayed<double>> parts;
    const auto wait = tuff::delayed(
        [this](int i) {
          for (int left = permits_; left == 0 || !permits_.compare_exchange_weak(left, left - 1);
               left = permits_)
            std::this_thread::sleep_for(1ms);
          return static_cast<double>(i);
        },
        "wait");
    for (int i = 0; i < count; ++i) parts.push_back(wait(i));
    return tuff::delayed(
        [](const std::vector<double>& all) {
          double sum = 0;
          for (const double value : all) sum += value;
          return sum;
        },
        "join")(parts);
  }

 private:
  std::atomic<int> permits_{0};
};

uint64_t done(const Json& message, const std::string& name) {
  for (const Json& operation : message["operations"]) {
    if (operation[1] == name) return operation[2];
  }
  return 0;
}

size_t threads_of_this_process() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

TEST(Dashboard, ThePageHoldsEverythingItNeeds) {
  Context context({.threads = 1});
  const Dashboard dashboard({.port = 0, .title = "A <b>title</b>", .context = &context});
  EXPECT_EQ(dashboard.url(), "http://127.0.0.1:" + std::to_string(dashboard.port()) + "/");
  const std::string page = answer_to(dashboard.port(), get_text(dashboard.port(), "/"));
  EXPECT_EQ(status_of(page), "200 OK");
  EXPECT_NE(page.find("<title>A &lt;b&gt;title&lt;/b&gt;</title>"), std::string::npos);
  EXPECT_EQ(page.find("{{"), std::string::npos);
  for (const char* from_elsewhere : {"src=", "@import", "url(", "<link rel=\"stylesheet\""})
    EXPECT_EQ(page.find(from_elsewhere), std::string::npos) << from_elsewhere;
}

TEST(Dashboard, ItsTitleIsTheProgramsName) {
  Context context({.threads = 1});
  const Dashboard dashboard({.port = 0, .context = &context});
  const std::string page = answer_to(dashboard.port(), get_text(dashboard.port(), "/"));
  EXPECT_NE(page.find("<title>tuff_test_diagnostics (" + std::to_string(::getpid()) + ")</title>"),
            std::string::npos);
}

TEST(Dashboard, FiguresMoveWhileARunGoesOn) {
  Context context({.threads = 2});
  const Dashboard dashboard({.port = 0, .context = &context});
  Events events(dashboard.port());
  const Json first = events.next_json();
  EXPECT_EQ(first["first"]["threads"], 2);
  EXPECT_EQ(first["runs"]["count"], 0);
  Gate gate;
  std::thread client([&] { EXPECT_EQ(gate.run_of(40).compute({.context = &context}), 780); });
  // A run is under way before any of its tasks has ended.
  Json message = events.next_json();
  while (message["runs"]["active"].empty()) message = events.next_json();
  EXPECT_EQ(message["runs"]["active"][0][2], 0);
  EXPECT_EQ(message["runs"]["active"][0][3], 41);
  for (int opened = 10; opened <= 40; opened += 10) {
    gate.open(10);
    for (uint64_t seen = 0;
         seen < static_cast<uint64_t>(opened) && message["runs"]["ended"].empty();) {
      message = events.next_json();
      if (!message["runs"]["active"].empty()) seen = message["runs"]["active"][0][2];
    }
  }
  client.join();
  while (message["runs"]["ended"].empty()) message = events.next_json();
  EXPECT_EQ(message["runs"]["ended"][0][3], 41);
  EXPECT_EQ(message["runs"]["ended"][0][5], 0);
  Events late(dashboard.port());
  const Json all = late.next_json();
  EXPECT_EQ(done(all, "wait"), 40u);
  EXPECT_EQ(done(all, "join"), 1u);
  EXPECT_FALSE(all["bins"].empty() && all["boxes"].empty());
}

TEST(Dashboard, ARunThatFailsIsCountedAsFailed) {
  Context context({.threads = 2});
  const Dashboard dashboard({.port = 0, .context = &context});
  Events events(dashboard.port());
  const auto fail = tuff::delayed(
      [](int i) -> double { throw std::runtime_error("no " + std::to_string(i)); }, "fail");
  EXPECT_THROW(fail(1).compute({.context = &context}), tuff::TaskError);
  Json message = events.next_json();
  while (message["runs"]["ended"].empty()) message = events.next_json();
  EXPECT_EQ(message["runs"]["failed"], 1);
  EXPECT_EQ(message["runs"]["ended"][0][5], 1);
  Events late(dashboard.port());
  const Json all = late.next_json();
  EXPECT_EQ(all["operations"][0][1], "fail");
  EXPECT_EQ(all["operations"][0][3], 1) << "failed";
}

TEST(Dashboard, TenClientsSeeTheSameRuns) {
  Context context({.threads = 2});
  const Dashboard dashboard({.port = 0, .context = &context});
  std::vector<std::unique_ptr<Events>> clients;
  for (int c = 0; c < 10; ++c) clients.push_back(std::make_unique<Events>(dashboard.port()));
  Gate gate;
  gate.open(1000);
  for (int r = 0; r < 5; ++r) gate.run_of(10).compute({.context = &context});
  for (const auto& client : clients) {
    Json message = client->next_json();
    while (message["runs"]["ended"].size() < 5) message = client->next_json();
    EXPECT_EQ(message["runs"]["count"], 5);
  }
}

TEST(Dashboard, SeveralInOneProcessShowTheirOwnContexts) {
  Context one({.threads = 1});
  Context two({.threads = 2});
  const Dashboard first({.port = 0, .context = &one});
  const Dashboard second({.port = 0, .context = &two});
  const Dashboard also_second({.port = 0, .context = &two});
  EXPECT_EQ(tuff::sum(tuff::ones({10})).compute<double>({.context = &two}), 10);
  EXPECT_EQ(Events(first.port()).next_json()["runs"]["count"], 0);
  EXPECT_EQ(Events(second.port()).next_json()["runs"]["count"], 1);
  EXPECT_EQ(Events(also_second.port()).next_json()["runs"]["count"], 1);
}

TEST(Dashboard, EndsWhileARunIsUnderWayAndLeavesNothingBehind) {
  Context context({.threads = 2});
  const size_t before = threads_of_this_process();
  auto dashboard =
      std::make_unique<Dashboard>(tuff::DashboardOptions{.port = 0, .context = &context});
  Events events(dashboard->port());
  Gate gate;
  std::thread client([&] { EXPECT_EQ(gate.run_of(10).compute({.context = &context}), 45); });
  Json message = events.next_json();
  while (message["runs"]["active"].empty()) message = events.next_json();
  dashboard.reset();
  EXPECT_TRUE(context.traces().empty());
  EXPECT_TRUE(context.observers().empty());
  gate.open(10);
  client.join();
  while (!events.next().empty()) {
  }
  EXPECT_LE(threads_of_this_process(), before + 1) << "the pool's own";
}

TEST(Dashboard, APortThatIsInUseIsNamed) {
  Context context({.threads = 1});
  const Dashboard dashboard({.port = 0, .context = &context});
  try {
    const Dashboard second({.port = dashboard.port(), .context = &context});
    FAIL() << "two on one port";
  } catch (const tuff::InvalidArgument& error) {
    EXPECT_EQ(std::string(error.what()), "[dashboard] port " + std::to_string(dashboard.port()) +
                                             " of 127.0.0.1 is in use by another program or "
                                             "dashboard; give another one, or 0 for any "
                                             "that is free");
  }
  EXPECT_EQ(context.traces().size(), 1u) << "the refused one has left nothing";
  EXPECT_EQ(context.observers().size(), 1u);
}

TEST(Dashboard, ReadersDoNotChangeResultsWithManyClientsAndRuns) {
  Context context({.threads = 2});
  std::atomic<bool> stop{false};
  const Dashboard dashboard({.port = 0, .context = &context});
  std::vector<std::thread> viewers;
  for (int v = 0; v < 3; ++v) {
    viewers.emplace_back([&] {
      while (!stop) {
        Events events(dashboard.port());
        for (int i = 0; i < 3 && !stop; ++i) static_cast<void>(events.next_json());
      }
    });
  }
  std::vector<std::thread> clients;
  for (int c = 0; c < 2; ++c) {
    clients.emplace_back([&] {
      const tuff::Array x = tuff::ones({64'000}, {.chunks = 1000});
      for (int r = 0; r < 50; ++r)
        EXPECT_EQ(tuff::sum(x + 1.0).compute<double>({.context = &context}), 128'000);
    });
  }
  for (std::thread& client : clients) client.join();
  stop = true;
  for (std::thread& viewer : viewers) viewer.join();
  EXPECT_EQ(Events(dashboard.port()).next_json()["runs"]["count"], 100);
}

/// For dashboard_browser_test.py: says where the dashboard is, and does what the lines of its input say.
TEST(DashboardPage, ServesABrowser) {
  if (std::getenv("TUFF_DASHBOARD_PAGE") == nullptr) GTEST_SKIP() << "a browser asks for this";
  Context context({.threads = 2, .memory_bytes = size_t{64} << 20});
  auto dashboard = std::make_unique<Dashboard>(
      tuff::DashboardOptions{.port = 0, .title = "A page in a test", .context = &context});
  std::printf("%s\n", dashboard->url().c_str());
  std::fflush(stdout);
  Gate gate;
  std::thread gated;
  std::atomic<bool> busy{false};
  std::vector<std::thread> workers;
  const auto work = [&] {
    while (busy) {
      const tuff::Array x = tuff::random::normal({1'000'000}, {.chunks = 50'000, .seed = 1});
      static_cast<void>(tuff::sum(tuff::exp(x) * 2.0).compute<double>({.context = &context}));
      const auto pause = tuff::delayed(
          [](int ms) {
            std::this_thread::sleep_for(ms * 1ms);
            return 1.0;
          },
          "read <b>file</b>");
      static_cast<void>(pause(80).compute({.context = &context}));
    }
  };
  char line[64];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    const std::string word(line, std::string_view(line).find_first_of(" \n"));
    if (word == "gated")
      gated = std::thread([&] { gate.run_of(100).compute({.context = &context}); });
    if (word == "open") gate.open(std::atoi(line + 5));
    if (word == "fail") {
      const auto fail =
          tuff::delayed([](int) -> double { throw std::runtime_error("no"); }, "fail");
      EXPECT_THROW(fail(1).compute({.context = &context}), tuff::TaskError);
    }
    if (word == "work") {
      busy = true;
      workers.emplace_back(work);
    }
    if (word == "rest") {
      busy = false;
      for (std::thread& worker : workers) worker.join();
      workers.clear();
    }
    if (word == "end") dashboard.reset();
    std::printf("done %s\n", word.c_str());
    std::fflush(stdout);
  }
  busy = false;
  for (std::thread& worker : workers) worker.join();
  gate.open(1000);
  if (gated.joinable()) gated.join();
}

}  // namespace
