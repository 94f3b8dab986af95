// What a dashboard tells of runs: figures, the picture of the last half minute, and that both stay bounded.
#include "tuff/diagnostics/live.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tuff/base/context.h"

namespace {

using namespace std::chrono_literals;

using Json = nlohmann::json;
using tuff::Context;
using tuff::LiveState;
using tuff::TraceRun;

constexpr int64_t kMs = 1'000'000;

std::shared_ptr<const tuff::TracePlan> plan_of(std::vector<std::string> operations,
                                               std::vector<uint64_t> tasks) {
  auto plan = std::make_shared<tuff::TracePlan>();
  plan->operations = std::move(operations);
  plan->task_count = std::move(tasks);
  return plan;
}

class Live : public ::testing::Test {
 protected:
  /// A part of run `id`, without events.
  TraceRun part(uint64_t id, std::shared_ptr<const tuff::TracePlan> plan, int64_t start = 0) const {
    TraceRun run;
    run.id = id;
    run.threads = 2;
    run.start_ns = begin_ + start;
    run.end_ns = begin_ + start;
    run.plan = std::move(plan);
    return run;
  }
  tuff::TraceEvent event(uint32_t operation, int64_t start, int64_t end,
                         uint32_t thread = 0) const {
    return {begin_ + start, begin_ + end, 100, 10, 7, operation, thread, 0};
  }
  Json step() { return Json::parse(state_.step()); }
  Json snapshot() { return Json::parse(state_.snapshot()); }
  /// Moments of the picture begin at the start of the state, a little before this.
  static Json operation(const Json& message, const std::string& name) {
    for (const Json& found : message["operations"]) {
      if (found[1] == name) return found;
    }
    return {};
  }
  /// Time of each operation over all bins of a row.
  static std::map<int, int64_t> time_in_bins(const Json& message, int row) {
    std::map<int, int64_t> time;
    for (const Json& bin : message["bins"]) {
      if (bin[0] != row) continue;
      for (size_t i = 2; i < bin.size(); i += 2) time[bin[i]] += bin[i + 1].get<int64_t>();
    }
    return time;
  }

  Context context_{{.threads = 2}};
  LiveState state_{context_};
  const int64_t begin_ = tuff::trace_now_ns();
};

TEST_F(Live, AsksForPartsAndForNoRecordsAtTheEnd) {
  EXPECT_TRUE(state_.live());
  EXPECT_EQ(state_.max_events(), 0u);
  EXPECT_FALSE(state_.wants_tasks());
}

TEST_F(Live, ASnapshotOfNothingIsComplete) {
  const Json first = snapshot();
  EXPECT_EQ(first["first"]["threads"], 2);
  EXPECT_EQ(first["first"]["bin"], LiveState::kBinNs);
  EXPECT_EQ(first["first"]["bins"], LiveState::kBins);
  EXPECT_EQ(first["rows"], Json::parse("[[0,0],[0,1]]"));
  for (const char* list : {"operations", "bins", "boxes", "samples"})
    EXPECT_TRUE(first[list].empty()) << list;
  EXPECT_EQ(first["runs"],
            Json::parse(R"({"active":[],"ended":[],"underWay":0,"count":0,"failed":0})"));
}

TEST_F(Live, TasksAddUpByOperationWhateverPlanTheyComeFrom) {
  TraceRun a = part(1, plan_of({"load", "sum"}, {2, 5}));
  a.events = {event(0, 0, 1 * kMs), event(1, 1 * kMs, 4 * kMs)};
  a.events[1].failed = 1;
  state_.on_part(a);
  TraceRun b = part(2, plan_of({"sum"}, {1}));
  b.events = {event(0, 0, 2 * kMs, 1)};
  state_.on_part(b);
  const Json told = step();
  //                                     number, name, done, failed, in all, time, in, out
  EXPECT_EQ(operation(told, "load"), Json({1, "load", 1, 0, 2, 1 * kMs, 100, 10}));
  EXPECT_EQ(operation(told, "sum"), Json({2, "sum", 2, 1, 6, 5 * kMs, 200, 20}));
  EXPECT_EQ(told["samples"].size(), 1u);
  EXPECT_EQ(told["samples"][0][8], 6 * kMs) << "time in tasks";
  EXPECT_EQ(told["samples"][0][9], 3) << "tasks";
}

TEST_F(Live, TasksThatDidNotRunAreNoLongerExpectedWhenTheRunHasEnded) {
  TraceRun run = part(1, plan_of({"a", "b"}, {3, 4}));
  run.events = {event(0, 0, kMs)};
  state_.on_part(run);
  EXPECT_EQ(operation(step(), "b")[4], 4);
  state_.on_run(run);
  const Json told = step();
  EXPECT_EQ(operation(told, "a")[4], 1);
  EXPECT_EQ(operation(told, "b")[4], 0);
}

TEST_F(Live, AStepTellsWhatIsNewAndASnapshotEverything) {
  TraceRun run = part(1, plan_of({"a"}, {3}));
  run.events = {event(0, 0, kMs), event(0, 0, 100 * kMs, 1)};
  state_.on_part(run);
  const Json first = step();
  EXPECT_FALSE(first["operations"].empty());
  EXPECT_EQ(first["boxes"].size(), 1u);
  EXPECT_TRUE(first.contains("rows"));
  const Json second = step();
  for (const char* list : {"operations", "bins", "boxes"})
    EXPECT_TRUE(second[list].empty()) << list;
  EXPECT_FALSE(second.contains("rows"));
  EXPECT_EQ(second["samples"].size(), 1u) << "always the last look";
  const Json all = snapshot();
  EXPECT_EQ(all["operations"], first["operations"]);
  EXPECT_EQ(all["bins"], first["bins"]);
  EXPECT_EQ(all["boxes"], first["boxes"]);
  EXPECT_EQ(all["samples"].size(), 2u);
}

TEST_F(Live, ShortTasksAddUpInBinsAndLongOnesAreBoxes) {
  TraceRun run = part(1, plan_of({"a", "b"}, {1000, 3}));
  for (int64_t i = 0; i < 1000; ++i)
    run.events.push_back(event(0, i * 100'000, i * 100'000 + 50'000));  // half of 100 ms
  run.events.push_back(event(1, 0, 59 * kMs, 1));
  run.events.push_back(event(1, 59 * kMs, 119 * kMs, 1));
  state_.on_part(run);
  const Json told = step();
  EXPECT_EQ(time_in_bins(told, 0), (std::map<int, int64_t>{{1, 50 * kMs}}));
  EXPECT_EQ(time_in_bins(told, 1), (std::map<int, int64_t>{{2, 59 * kMs}}));
  for (const Json& bin : told["bins"]) EXPECT_LE(bin[3], LiveState::kBinNs) << "no bin overflows";
  ASSERT_EQ(told["boxes"].size(), 1u);
  const Json& box = told["boxes"][0];  // number, row, operation, task, failed, start, end
  EXPECT_EQ(box[1], 1);
  EXPECT_EQ(box[2], 2);
  EXPECT_EQ(box[3], 7);
  EXPECT_EQ(box[6].get<int64_t>() - box[5].get<int64_t>(), 60 * kMs);
}

TEST_F(Live, ABinHasRoomForSevenOperationsAndTheirOthers) {
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) names.push_back("operation " + std::to_string(i));
  TraceRun run = part(1, plan_of(names, std::vector<uint64_t>(20, 1)));
  // All in one bin, wherever its edges are: within 2 ms of 20.
  for (uint32_t i = 0; i < 20; ++i) run.events.push_back(event(i, 100'000 * i, 100'000 * (i + 1)));
  state_.on_part(run);
  const Json told = step();
  int64_t all = 0;
  for (const Json& bin : told["bins"]) EXPECT_LE(bin.size(), 2 + 2 * LiveState::kBinOperations);
  const auto times = time_in_bins(told, 0);
  for (const auto& [operation, ns] : times) all += ns;
  EXPECT_EQ(all, 2 * kMs);
  EXPECT_TRUE(times.contains(0)) << "others";
}

TEST_F(Live, RunsThatOverlapGetRowsOfTheirOwn) {
  const auto plan = plan_of({"a"}, {1});
  const auto one_task = [&](uint64_t id, int64_t start) {
    TraceRun run = part(id, plan, start);
    run.end_ns = run.start_ns + 2 * kMs;
    run.events = {event(0, start, start + kMs)};
    return run;
  };
  const TraceRun a = one_task(1, 0);
  const TraceRun b = one_task(2, kMs);
  state_.on_part(a);
  state_.on_part(b);
  EXPECT_EQ(step()["rows"], Json::parse("[[0,0],[0,1],[1,0]]"));
  state_.on_run(a);
  state_.on_run(b);
  state_.on_part(one_task(3, 5 * kMs));  // after both
  EXPECT_FALSE(step().contains("rows"));
}

TEST_F(Live, WaitsAddUpByCause) {
  TraceRun run = part(1, plan_of({"a"}, {1}));
  run.waits = {{begin_, begin_ + 3 * kMs, 1, tuff::WaitCause::memory},
               {begin_, begin_ + 4 * kMs, 0, tuff::WaitCause::stealing},
               {begin_, begin_ + 5 * kMs, 0, tuff::WaitCause::memory}};
  state_.on_part(run);
  const Json told = step();
  const std::vector<int64_t> waits(told["samples"][0].begin() + 10, told["samples"][0].end());
  EXPECT_EQ(waits, (std::vector<int64_t>{0, 8 * kMs, 0, 0, 4 * kMs}));
}

TEST_F(Live, RunsAreShownWhileTheyAreUnderWayAndAfter) {
  const auto progress = std::make_shared<tuff::RunProgress>();
  progress->tasks_total = 100;
  state_.on_start(progress);
  progress->tasks_done = 40;
  Json runs = step()["runs"];
  ASSERT_EQ(runs["active"].size(), 1u);
  EXPECT_EQ(runs["active"][0][2], 40);
  EXPECT_EQ(runs["active"][0][3], 100);
  EXPECT_EQ(runs["underWay"], 1);
  std::thread([&] {  // another client
    const auto other = std::make_shared<tuff::RunProgress>();
    state_.on_start(other);
    EXPECT_EQ(step()["runs"]["underWay"], 2);
    state_.on_finish(true);
  })
      .join();
  progress->tasks_done = 100;
  state_.on_finish(false);
  runs = step()["runs"];
  EXPECT_TRUE(runs["active"].empty());
  ASSERT_EQ(runs["ended"].size(), 2u);
  EXPECT_EQ(runs["ended"][0][5], 1) << "failed";
  EXPECT_EQ(runs["ended"][1][0], 1) << "its number";
  EXPECT_EQ(runs["ended"][1][3], 100);
  EXPECT_EQ(runs["ended"][1][5], 0);
  EXPECT_EQ(runs["count"], 2);
  EXPECT_EQ(runs["failed"], 1);
}

TEST_F(Live, ALookHasMemoryAndProcessorTime) {
  const Json before = step()["samples"][0];
  EXPECT_GT(before[1], 1'000'000) << "resident";
  EXPECT_EQ(before[3], context_.memory_bytes()) << "budget";
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < 20ms) {
  }
  EXPECT_GT(step()["samples"][0][7], before[7]);
}

TEST_F(Live, HoweverMuchRunsAMessageStaysBounded) {
  // A hundred names per run, 200 runs that never end, ten thousand tasks each.
  for (uint64_t id = 1; id <= 200; ++id) {
    std::vector<std::string> names;
    for (int i = 0; i < 100; ++i) names.push_back(std::to_string(id) + "/" + std::to_string(i));
    TraceRun run = part(id, plan_of(names, std::vector<uint64_t>(100, 100)));
    for (uint32_t i = 0; i < 10'000; ++i)
      run.events.push_back(
          event(i % 100, i * 1000, i * 1000 + (i % 100 == 0 ? 100 * kMs : 900), i % 2));
    state_.on_part(run);
  }
  const Json all = snapshot();
  EXPECT_EQ(all["rows"].size(), LiveState::kMostRows);
  EXPECT_LE(all["operations"].size(), LiveState::kMostOperations + 1);
  EXPECT_LE(all["boxes"].size(), LiveState::kMostBoxes);
  uint64_t done = 0;
  for (const Json& found : all["operations"]) done += found[2].get<uint64_t>();
  EXPECT_EQ(done, 2'000'000u) << "what is not drawn is counted";
  EXPECT_NE(operation(all, "others"), Json());
  EXPECT_LT(state_.snapshot().size(), size_t{4} << 20);
}

TEST_F(Live, NamesAreTextWhateverIsInThem) {
  TraceRun run = part(1, plan_of({"</script><b>\"\n\xff"}, {1}));
  run.events = {event(0, 0, kMs)};
  state_.on_part(run);
  const std::string told = state_.step();
  EXPECT_EQ(told.find('<'), std::string::npos);
  EXPECT_EQ(told.find('\n'), std::string::npos) << "would end the event";
  EXPECT_EQ(Json::parse(told)["operations"][0][1], "</script><b>\"\n\xEF\xBF\xBD");
}

}  // namespace
