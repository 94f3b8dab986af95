// The recorder: what it keeps of runs, phases and memory, and that several threads may use it.
#include "tuff/diagnostics/recorder.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/array/creation.h"
#include "tuff/array/reductions.h"
#include "tuff/base/buffer.h"
#include "tuff/base/context.h"
#include "tuff/base/error.h"
#include "tuff/compute.h"

namespace {

using namespace std::chrono_literals;

using tuff::Context;
using tuff::PhaseScope;
using tuff::Recorder;
using tuff::Recording;
using tuff::TraceRun;

using Names = std::shared_ptr<const tuff::TracePlan>;

Names names(std::vector<std::string> list) {
  return std::make_shared<const tuff::TracePlan>(tuff::TracePlan{std::move(list), {}, {}, {}, {}});
}

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// A run with one task for each of these operations.
TraceRun run_of(const Names& operations, const std::vector<uint32_t>& tasks) {
  TraceRun run;
  run.start_ns = now_ns();
  run.end_ns = run.start_ns;
  run.threads = 1;
  run.plan = operations;
  for (const uint32_t operation : tasks) {
    tuff::TraceEvent event;
    event.start_ns = run.end_ns;
    event.end_ns = ++run.end_ns;
    event.operation = operation;
    run.events.push_back(event);
  }
  return run;
}

void deliver(Context& context, const TraceRun& run) {
  for (const auto& sink : context.traces()) sink->on_run(run);
}

TEST(Recorder, KeepsTheRunsOfItsContextWhileItLives) {
  Context context({.threads = 3});
  const Names plan = names({"a", "b"});
  deliver(context, run_of(plan, {0}));
  Recording recording;
  {
    const Recorder recorder({.context = &context});
    deliver(context, run_of(plan, {0, 1, 1}));
    deliver(context, run_of(plan, {1}));
    recording = recorder.recording();
  }
  EXPECT_TRUE(context.traces().empty());
  EXPECT_EQ(recording.threads, 3u);
  ASSERT_EQ(recording.runs.size(), 2u);
  EXPECT_EQ(recording.runs[0].first_event, 0u);
  EXPECT_EQ(recording.runs[0].end_event, 3u);
  EXPECT_EQ(recording.runs[1].first_event, 3u);
  EXPECT_EQ(recording.runs[1].end_event, 4u);
  EXPECT_LE(recording.start_ns, recording.runs[0].start_ns);
  EXPECT_LE(recording.runs[1].end_ns, recording.end_ns);
}

TEST(Recorder, OperationsOfOneNameAreOneWhateverThePlan) {
  Context context({.threads = 1});
  const Recorder recorder({.context = &context});
  deliver(context, run_of(names({"a", "b", "a"}), {0, 1, 2}));
  deliver(context, run_of(names({"c", "b"}), {1, 0}));
  const Recording recording = recorder.recording();
  EXPECT_EQ(recording.operations, (std::vector<std::string>{"a", "b", "c"}));
  std::vector<uint32_t> operations;
  for (const auto& event : recording.events) operations.push_back(event.operation);
  EXPECT_EQ(operations, (std::vector<uint32_t>{0, 1, 0, 1, 2}));
  EXPECT_EQ(recorder.recording().events.back().operation, 2u) << "asking changes nothing";
}

TEST(Recorder, SeesWhatPlansDo) {
  Context context({.threads = 2});
  Recorder recorder({.context = &context});
  recorder.begin_phase("fit");
  tuff::Array sum = tuff::sum(tuff::arange(0.0, 1000.0, 1.0, {.chunks = 100}));
  const tuff::Plan plan = tuff::compile({sum.port()});
  for (int i = 0; i < 5; ++i) static_cast<void>(plan.run({}, {.context = &context}));
  recorder.end_phase();
  const Recording recording = recorder.recording();
  EXPECT_EQ(recording.runs.size(), 5u);
  EXPECT_EQ(recording.events.size(), 5 * plan.task_count());
  EXPECT_GT(recorder.white_space("fit"), 0.0);
  EXPECT_LT(recorder.white_space("fit"), 1.0);
  EXPECT_EQ(recorder.white_space("fit"), totals_of_phase(recording, "fit").white_space);
}

TEST(Recorder, PhasesLieInsideEachOther) {
  Context context({.threads = 1});
  Recorder recorder({.context = &context});
  {
    const PhaseScope fit(recorder, "fit");
    { const PhaseScope step(recorder, "step 1"); }
    recorder.begin_phase("step 2");
    recorder.end_phase();
  }
  const Recording recording = recorder.recording();
  ASSERT_EQ(recording.phases.size(), 3u);
  const auto& [fit, first, second] =
      std::tie(recording.phases[0], recording.phases[1], recording.phases[2]);
  EXPECT_EQ(fit.name, "fit");
  EXPECT_EQ(fit.depth, 0u);
  EXPECT_EQ(first.name, "step 1");
  EXPECT_EQ(first.depth, 1u);
  EXPECT_EQ(second.depth, 1u);
  EXPECT_LE(fit.start_ns, first.start_ns);
  EXPECT_LE(first.end_ns, second.start_ns);
  EXPECT_LE(second.end_ns, fit.end_ns);
}

TEST(Recorder, APhaseUnderWayEndsNowForWhoeverAsks) {
  Context context({.threads = 1});
  Recorder recorder({.context = &context});
  recorder.begin_phase("fit");
  const Recording before = recorder.recording();
  EXPECT_EQ(before.phases.at(0).end_ns, before.end_ns);
  std::this_thread::sleep_for(1ms);
  EXPECT_EQ(recorder.white_space("fit"), 1.0);
  recorder.end_phase();
  EXPECT_GT(recorder.recording().phases.at(0).end_ns, before.end_ns);
}

TEST(Recorder, SamplesMemoryWhileItLives) {
  Context context({.threads = 1});
  const size_t live_before = tuff::buffer_statistics().live_bytes;
  Recorder recorder({.context = &context, .interval_seconds = 0.001});
  const tuff::Buffer buffer = tuff::Buffer::allocate(50'000'000);
  const auto sampled = [&] { return recorder.recording().samples; };
  while (sampled().size() < 20) std::this_thread::sleep_for(1ms);
  const auto memory = sampled();
  for (size_t i = 1; i < memory.size(); ++i) EXPECT_LE(memory[i - 1].time_ns, memory[i].time_ns);
  EXPECT_GE(memory.back().live_bytes, live_before + 50'000'000);
  EXPECT_GT(memory.back().resident_bytes, 1'000'000u);
}

TEST(Recorder, LongRecordingsThinTheirSamplesAndKeepThePeaks) {
  Context context({.threads = 1});
  Recorder recorder({.context = &context, .interval_seconds = 3600});
  const size_t live_before = tuff::buffer_statistics().live_bytes;
  const auto sample = [&recorder] {
    recorder.begin_phase("x");
    recorder.end_phase();
  };
  for (int i = 0; i < 1000; ++i) sample();
  {
    const tuff::Buffer buffer = tuff::Buffer::allocate(80'000'000);
    sample();
  }
  for (int i = 0; i < 70'000; ++i) sample();
  const auto memory = recorder.recording().samples;
  EXPECT_LE(memory.size(), 65'536u);
  EXPECT_GT(memory.size(), 16'384u);
  uint64_t peak = 0;
  for (const auto& one : memory) peak = std::max(peak, one.live_bytes);
  EXPECT_GE(peak, live_before + 80'000'000);
}

TEST(Recorder, KeepsTheFirstRecordsUpToItsLimitAndCountsTheOthers) {
  Context context({.threads = 1});
  const Recorder recorder({.context = &context, .max_events = 10});
  const Names plan = names({"a"});
  deliver(context, run_of(plan, {0, 0, 0, 0}));
  EXPECT_EQ(context.traces().at(0)->max_events(), 5u) << "the run counts too";
  EXPECT_EQ(recorder.recording().dropped, 0u);
  EXPECT_EQ(recorder.recording().dropped_from_ns, INT64_MAX);
  const TraceRun second = run_of(plan, {0, 0, 0, 0, 0, 0, 0});
  deliver(context, second);
  TraceRun third = run_of(plan, {0, 0});
  third.dropped = 100;
  deliver(context, third);
  const Recording recording = recorder.recording();
  EXPECT_EQ(recording.events.size(), 9u);
  EXPECT_EQ(recording.runs.size(), 2u);
  EXPECT_EQ(recording.dropped, 2u + 2u + 100u);
  EXPECT_EQ(recording.dropped_from_ns, second.events[5].start_ns);
}

TEST(Recorder, KeepsWaitsSpillsAndPlans) {
  Context context({.threads = 2});
  const Recorder recorder({.context = &context});
  const Names plan = names({"a"});
  for (int i = 0; i < 2; ++i) {
    TraceRun run = run_of(plan, {0});
    run.waits = {{run.start_ns, run.end_ns, 1, tuff::WaitCause::memory}};
    run.spills = {{run.start_ns, run.end_ns, 100, 0, 0}, {run.start_ns, run.end_ns, 100, 0, 1}};
    deliver(context, run);
  }
  const Recording recording = recorder.recording();
  ASSERT_EQ(recording.runs.size(), 2u);
  EXPECT_EQ(recording.runs[1].plan, plan);
  EXPECT_EQ(recording.runs[1].first_wait, 1u);
  EXPECT_EQ(recording.runs[1].end_wait, 2u);
  EXPECT_EQ(recording.runs[1].first_spill, 2u);
  EXPECT_EQ(recording.runs[1].end_spill, 4u);
  EXPECT_EQ(recording.waits[1].cause, tuff::WaitCause::memory);
  EXPECT_EQ(recording.spills[3].read_back, 1u);
}

TEST(Recorder, ExplainsTheWhiteSpaceOfRealRuns) {
  Context context({.threads = 2});
  Recorder recorder({.context = &context});
  tuff::Array sum = tuff::sum(tuff::arange(0.0, 1e6, 1.0, {.chunks = 1000}));
  const tuff::Plan plan = tuff::compile({sum.port()});
  for (int i = 0; i < 20; ++i) static_cast<void>(plan.run({}, {.context = &context}));
  const Recording recording = recorder.recording();
  const tuff::TaskTotals totals = totals_of_all(recording);
  int64_t all = totals.task_ns + totals.outside_ns + totals.scheduling_ns;
  for (const int64_t ns : totals.wait_ns) all += ns;
  EXPECT_EQ(all, 2 * totals.wall_ns);
  EXPECT_GT(totals.scheduling_ns, 0);
}

TEST(Recorder, StandsManyThreadsAtOnce) {
  Context context({.threads = 1});
  Recorder recorder({.context = &context, .interval_seconds = 0.0001});
  std::vector<std::thread> clients;
  clients.reserve(4);
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      const Names plan = names({"op " + std::to_string(client), "shared"});
      for (int i = 0; i < 200; ++i) {
        deliver(context, run_of(plan, {0, 1}));
        const PhaseScope phase(recorder, "all");
        if (i % 50 == 0) {
          static_cast<void>(recorder.recording());
          static_cast<void>(recorder.white_space("all"));
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  const Recording recording = recorder.recording();
  EXPECT_EQ(recording.runs.size(), 800u);
  EXPECT_EQ(recording.operations.size(), 5u);
  for (const auto& totals : totals_by_operation(recording)) {
    EXPECT_EQ(totals.tasks, recording.operations[totals.operation] == "shared" ? 800u : 200u);
  }
}

TEST(Recorder, RefusesWhatMeansNothing) {
  Context context({.threads = 1});
  const auto error_of = [](auto call) -> std::string {
    try {
      call();
    } catch (const tuff::InvalidArgument& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(error_of([&] { const Recorder bad({.context = &context, .interval_seconds = 0}); }),
            "[recorder] interval_seconds = 0; more than 0 is needed");
  EXPECT_TRUE(context.traces().empty());
  Recorder recorder({.context = &context});
  EXPECT_EQ(error_of([&] { recorder.end_phase(); }),
            "[end_phase] no phase is under way; call begin_phase(name) first");
  EXPECT_EQ(error_of([&] { static_cast<void>(recorder.white_space("fit")); }),
            "[recording] no phase \"fit\"; none was begun: call begin_phase(name) first");
}

}  // namespace
