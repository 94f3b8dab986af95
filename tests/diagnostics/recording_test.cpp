// The arithmetic on recordings, on made-up ones.
#include "tuff/diagnostics/recording.h"

#include <string>

#include <gtest/gtest.h>

#include "tuff/base/error.h"

namespace {

using tuff::Recording;
using tuff::TaskTotals;
using tuff::TraceEvent;

TraceEvent event(int64_t start_ns, int64_t end_ns, uint32_t operation = 0, uint64_t bytes_in = 0,
                 uint64_t bytes_out = 0, uint32_t failed = 0) {
  TraceEvent made;
  made.start_ns = start_ns;
  made.end_ns = end_ns;
  made.operation = operation;
  made.bytes_in = bytes_in;
  made.bytes_out = bytes_out;
  made.failed = failed;
  return made;
}

/// Two threads for 1000 ns from moment 5000 on, with 600 + 400 + 500 ns of tasks.
Recording example() {
  Recording recording;
  recording.start_ns = 5000;
  recording.end_ns = 6000;
  recording.threads = 2;
  recording.operations = {"load", "sum", "idle"};
  recording.events = {event(5000, 5600, 0, 0, 80), event(5600, 6000, 1, 80, 8),
                      event(5100, 5600, 0, 0, 80)};
  recording.runs = {{5000, 6000, 2, 0, 3}};
  return recording;
}

TEST(Recording, WhiteSpaceIsWhatTasksLeaveOfTheThreadsTime) {
  const TaskTotals totals = totals_of_all(example());
  EXPECT_EQ(totals.wall_ns, 1000);
  EXPECT_EQ(totals.task_ns, 1500);
  EXPECT_EQ(totals.tasks, 3u);
  EXPECT_EQ(totals.bytes_in, 80u);
  EXPECT_EQ(totals.bytes_out, 168u);
  EXPECT_EQ(totals.white_space, 0.25);
}

TEST(Recording, TasksAreCutOffWhereAPhaseEnds) {
  Recording recording = example();
  recording.phases = {{"fit", 5500, 5700, 0}};
  const TaskTotals totals = totals_of_phase(recording, "fit");
  EXPECT_EQ(totals.wall_ns, 200);
  EXPECT_EQ(totals.task_ns, 100 + 100 + 100);
  EXPECT_EQ(totals.white_space, 0.25);
  EXPECT_EQ(totals.tasks, 1u) << "those that began in it";
  EXPECT_EQ(totals.bytes_in, 80u);
}

TEST(Recording, PhasesOfOneNameAddUpAndNoMomentCountsTwice) {
  Recording recording = example();
  recording.phases = {{"step", 5000, 5200, 0},
                      {"other", 5200, 5800, 0},
                      {"step", 5800, 6000, 0},
                      {"step", 5850, 5900, 1}};
  const TaskTotals totals = totals_of_phase(recording, "step");
  EXPECT_EQ(totals.wall_ns, 400);
  EXPECT_EQ(totals.task_ns, 200 + 200 + 100);
  EXPECT_EQ(totals.white_space, 1 - 500.0 / 800.0);
}

TEST(Recording, NothingButWhiteSpaceWithoutTasks) {
  Recording recording = example();
  recording.events.clear();
  recording.runs.clear();
  EXPECT_EQ(totals_of_all(recording).white_space, 1.0);
}

TEST(Recording, AStretchWithoutLengthHasNoWhiteSpace) {
  EXPECT_EQ(totals_of_all(Recording()).white_space, 0.0);
  Recording recording = example();
  recording.phases = {{"empty", 5500, 5500, 0}};
  EXPECT_EQ(totals_of_phase(recording, "empty").white_space, 0.0);
}

TEST(Recording, ClientsThatRunAtOnceCannotMakeWhiteSpaceNegative) {
  Recording recording = example();
  recording.threads = 1;
  EXPECT_EQ(totals_of_all(recording).white_space, 0.0);
}

TEST(Recording, OperationsComeLongestFirstAndOnlyThoseThatRan) {
  Recording recording = example();
  recording.events.push_back(event(5900, 6000, 1, 1, 2, 1));
  const auto totals = totals_by_operation(recording);
  ASSERT_EQ(totals.size(), 2u);
  EXPECT_EQ(totals[0].operation, 0u);
  EXPECT_EQ(totals[0].tasks, 2u);
  EXPECT_EQ(totals[0].task_ns, 1100);
  EXPECT_EQ(totals[0].bytes_out, 160u);
  EXPECT_EQ(totals[0].failed, 0u);
  EXPECT_EQ(totals[1].operation, 1u);
  EXPECT_EQ(totals[1].task_ns, 500);
  EXPECT_EQ(totals[1].bytes_in, 81u);
  EXPECT_EQ(totals[1].bytes_out, 10u);
  EXPECT_EQ(totals[1].failed, 1u);
}

TEST(Recording, APhaseThatIsNotThereIsNamedWithThoseThatAre) {
  const auto error_of = [](const Recording& recording) -> std::string {
    try {
      static_cast<void>(totals_of_phase(recording, "fit"));
    } catch (const tuff::InvalidArgument& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  Recording recording = example();
  EXPECT_EQ(error_of(recording),
            "[recording] no phase \"fit\"; none was begun: call begin_phase(name) first");
  recording.phases = {{"read", 5000, 5100, 0}, {"solve", 5100, 5200, 0}, {"read", 5200, 5300, 0}};
  EXPECT_EQ(error_of(recording), "[recording] no phase \"fit\"; there are: read, solve");
}

// --- White space by cause --------------------------------------------------------------------------

int64_t of(const TaskTotals& totals, tuff::WaitCause cause) {
  return totals.wait_ns[static_cast<size_t>(cause)];
}

int64_t sum_of(const TaskTotals& totals) {
  int64_t sum = totals.task_ns + totals.outside_ns + totals.scheduling_ns;
  for (const int64_t ns : totals.wait_ns) sum += ns;
  return sum;
}

/// Two threads for 1000 ns; the run lasts from 100 to 900.
Recording waiting() {
  Recording recording;
  recording.start_ns = 0;
  recording.end_ns = 1000;
  recording.threads = 2;
  recording.operations = {"load"};
  recording.events = {event(100, 500), event(200, 400)};
  recording.waits = {{500, 900, 0, tuff::WaitCause::memory},
                     {100, 190, 1, tuff::WaitCause::stealing},
                     {400, 600, 1, tuff::WaitCause::input},
                     {600, 900, 1, tuff::WaitCause::none_ready}};
  recording.runs = {{100, 900, 2, 0, 2, 0, 4, 0, 0, nullptr}};
  return recording;
}

TEST(Recording, WhiteSpaceIsExplainedToTheLastNanosecond) {
  const TaskTotals totals = totals_of_all(waiting());
  EXPECT_EQ(of(totals, tuff::WaitCause::memory), 400);
  EXPECT_EQ(of(totals, tuff::WaitCause::stealing), 90);
  EXPECT_EQ(of(totals, tuff::WaitCause::input), 200);
  EXPECT_EQ(of(totals, tuff::WaitCause::none_ready), 300);
  EXPECT_EQ(of(totals, tuff::WaitCause::resources), 0);
  EXPECT_EQ(totals.outside_ns, 400);
  EXPECT_EQ(totals.scheduling_ns, 10);
  EXPECT_EQ(sum_of(totals), 2000);
}

TEST(Recording, APhaseCountsTheWaitsThatLieInIt) {
  Recording recording = waiting();
  recording.phases = {{"end", 550, 950, 0}};
  const TaskTotals totals = totals_of_phase(recording, "end");
  EXPECT_EQ(of(totals, tuff::WaitCause::memory), 350);
  EXPECT_EQ(of(totals, tuff::WaitCause::input), 50);
  EXPECT_EQ(of(totals, tuff::WaitCause::none_ready), 300);
  EXPECT_EQ(totals.outside_ns, 100);
  EXPECT_EQ(sum_of(totals), 800);
}

TEST(Recording, ThreadsThatARunMayNotUseHaveNothingReady) {
  Recording recording = waiting();
  recording.threads = 3;
  const TaskTotals totals = totals_of_all(recording);
  EXPECT_EQ(of(totals, tuff::WaitCause::none_ready), 300 + 800);
  EXPECT_EQ(sum_of(totals), 3000);
}

TEST(Recording, AThreadThatIsIdleInOneRunMayWorkInAnother) {
  Recording recording = waiting();
  // A second client: thread 1 is idle in the first run because it works here.
  recording.events.push_back(event(600, 900));
  recording.runs.push_back({600, 900, 2, 2, 3, 4, 4, 0, 0, nullptr});
  const TaskTotals totals = totals_of_all(recording);
  EXPECT_EQ(of(totals, tuff::WaitCause::none_ready), 10);
  EXPECT_EQ(totals.scheduling_ns, 0);
  EXPECT_EQ(sum_of(totals), 2000);
}

TEST(Recording, CausesHaveNames) {
  EXPECT_EQ(name_of(tuff::WaitCause::input), "waiting for input");
  EXPECT_EQ(name_of(tuff::WaitCause::memory), "waiting for memory");
  EXPECT_EQ(name_of(tuff::WaitCause::resources), "waiting for resources");
  EXPECT_EQ(name_of(tuff::WaitCause::none_ready), "none ready");
  EXPECT_EQ(name_of(tuff::WaitCause::stealing), "stealing");
}

}  // namespace
