// The Chrome trace of a recording, read back by another JSON library and compared field by field.
#include "tuff/diagnostics/perfetto.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tuff/array/creation.h"
#include "tuff/array/math.h"
#include "tuff/array/reductions.h"
#include "tuff/base/context.h"
#include "tuff/base/error.h"
#include "tuff/compute.h"
#include "tuff/diagnostics/recorder.h"

namespace {

namespace fs = std::filesystem;

using nlohmann::json;
using tuff::Recording;
using tuff::TraceEvent;
using tuff::WaitCause;
using tuff::write_perfetto;

/// A file name in a folder that is removed at the end.
class File {
 public:
  File() {
    std::string name = (fs::temp_directory_path() / "tuff-perfetto-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder");
    folder_ = name;
  }
  ~File() { fs::remove_all(folder_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::string name() const { return (folder_ / "trace.json").string(); }
  json read() const { return json::parse(std::ifstream(name())); }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

 private:
  fs::path folder_;
};

json written(const Recording& recording) {
  const File file;
  write_perfetto(file.name(), recording);
  EXPECT_EQ(file.files(), 1u) << "nothing else is left";
  return file.read();
}

std::vector<json> with(const json& trace, const std::string& key, const std::string& value) {
  std::vector<json> found;
  for (const json& event : trace.at("traceEvents")) {
    if (event.value(key, "") == value) found.push_back(event);
  }
  return found;
}

constexpr int64_t kStart = 5'000'000'000'000;

/// Two threads; a run with a plan, and one without.
Recording example() {
  Recording recording;
  recording.start_ns = kStart;
  recording.end_ns = kStart + 10'000;
  recording.threads = 2;
  recording.operations = {"load \"x\"\n", "fused(<exp>, \xc3\xa9\xff)"};
  recording.events = {{kStart + 1, kStart + 1001, 0, 80, 0, 0, 0, 0},
                      {kStart + 2000, kStart + 3500, 80, 8, 1, 1, 1, 1},
                      {kStart + 6000, kStart + 6007, 3, 4, 9, 0, 0, 0}};
  recording.waits = {{kStart + 1001, kStart + 4000, 0, WaitCause::memory},
                     {kStart, kStart + 2000, 1, WaitCause::input},
                     {kStart + 6007, kStart + 7000, 1, WaitCause::none_ready}};
  recording.spills = {{kStart + 1500, kStart + 1700, 4096, 0, 0},
                      {kStart + 1600, kStart + 1900, 4096, 1, 1}};
  auto plan = std::make_shared<tuff::TracePlan>();
  plan->operations = recording.operations;
  plan->block = {4, 2};
  recording.runs = {{kStart, kStart + 4000, 2, 0, 2, 0, 2, 0, 2, plan},
                    {kStart + 5000, kStart + 7000, 2, 2, 3, 2, 3, 2, 2, nullptr}};
  recording.phases = {{"fit", kStart, kStart + 9000, 0}, {"step", kStart + 100, kStart + 200, 1}};
  recording.samples = {{kStart, 1000, 10, 7000}, {kStart + 5000, 2000, 20, 14'500}};
  recording.dropped = 17;
  return recording;
}

TEST(Perfetto, EveryTaskIsASliceOfItsThread) {
  const Recording recording = example();
  const auto tasks = with(written(recording), "cat", "task");
  ASSERT_EQ(tasks.size(), 3u);
  std::map<int64_t, json> by_task;
  for (const json& task : tasks) by_task[task["args"]["task"].get<int64_t>()] = task;
  for (const TraceEvent& event : recording.events) {
    const json& task = by_task.at(event.task);
    EXPECT_EQ(task["ph"], "X");
    EXPECT_EQ(task["pid"], 1);
    EXPECT_EQ(task["tid"], event.thread + 1);
    EXPECT_EQ(std::llround(task["ts"].get<double>() * 1000), event.start_ns - kStart);
    EXPECT_EQ(std::llround(task["dur"].get<double>() * 1000), event.end_ns - event.start_ns);
    EXPECT_EQ(task["args"]["bytes_in"], event.bytes_in);
    EXPECT_EQ(task["args"]["bytes_out"], event.bytes_out);
    EXPECT_EQ(task["args"].contains("failed"), event.failed != 0);
  }
  EXPECT_EQ(by_task[0]["args"]["block"], 4);
  EXPECT_EQ(by_task[1]["args"]["block"], 2);
  EXPECT_FALSE(by_task[9]["args"].contains("block")) << "nothing is known of its plan";
}

TEST(Perfetto, NamesSurviveAndWhatIsNoTextIsReplaced) {
  const auto tasks = with(written(example()), "cat", "task");
  EXPECT_EQ(tasks.at(0)["name"], "load \"x\"\n");
  EXPECT_EQ(tasks.at(2)["name"], "fused(<exp>, \xc3\xa9\xef\xbf\xbd)");
}

TEST(Perfetto, WaitsAreSlicesColouredByTheirCause) {
  const Recording recording = example();
  const auto waits = with(written(recording), "cat", "wait");
  ASSERT_EQ(waits.size(), 3u);
  EXPECT_EQ(waits[0]["name"], "waiting for memory");
  EXPECT_EQ(waits[0]["tid"], 1);
  EXPECT_EQ(waits[0]["ts"].get<double>(), 1.001);
  EXPECT_EQ(waits[0]["dur"].get<double>(), 2.999);
  EXPECT_EQ(waits[1]["name"], "waiting for input");
  EXPECT_EQ(waits[2]["name"], "none ready");
  EXPECT_EQ(waits[1]["tid"], 2);
  EXPECT_NE(waits[0]["cname"], waits[1]["cname"]);
  EXPECT_NE(waits[1]["cname"], waits[2]["cname"]);
}

TEST(Perfetto, SpillsAreAsynchronousAndPaired) {
  const auto spills = with(written(example()), "cat", "spill");
  ASSERT_EQ(spills.size(), 4u);
  EXPECT_EQ(spills[0]["name"], "spill");
  EXPECT_EQ(spills[0]["ph"], "b");
  EXPECT_EQ(spills[0]["ts"].get<double>(), 1.5);
  EXPECT_EQ(spills[1]["ph"], "e");
  EXPECT_EQ(spills[1]["ts"].get<double>(), 1.7);
  EXPECT_EQ(spills[0]["id"], spills[1]["id"]);
  EXPECT_NE(spills[0]["id"], spills[2]["id"]);
  EXPECT_EQ(spills[2]["name"], "read back");
  EXPECT_EQ(spills[2]["tid"], 2);
  EXPECT_EQ(spills[2]["args"]["bytes"], 4096);
}

TEST(Perfetto, MemoryAndProcessorsAreCounters) {
  const json trace = written(example());
  const auto memory = with(trace, "name", "memory");
  ASSERT_EQ(memory.size(), 2u);
  EXPECT_EQ(memory[1]["ph"], "C");
  EXPECT_EQ(memory[1]["ts"].get<double>(), 5.0);
  EXPECT_EQ(memory[1]["args"]["resident"], 2000);
  EXPECT_EQ(memory[1]["args"]["live"], 20);
  const auto processors = with(trace, "name", "processors");
  ASSERT_EQ(processors.size(), 1u);
  EXPECT_EQ(processors[0]["ts"].get<double>(), 0.0) << "from the sample before on";
  EXPECT_EQ(processors[0]["args"]["percent"].get<double>(), 150.0);
}

TEST(Perfetto, PhasesHaveARowOfTheirOwn) {
  const auto phases = with(written(example()), "cat", "phase");
  ASSERT_EQ(phases.size(), 2u);
  EXPECT_EQ(phases[0]["name"], "fit");
  EXPECT_EQ(phases[0]["tid"], 0);
  EXPECT_EQ(phases[0]["dur"].get<double>(), 9.0);
  EXPECT_EQ(phases[1]["ts"].get<double>(), 0.1);
}

TEST(Perfetto, ProcessAndThreadsHaveNames) {
  const json trace = written(example());
  EXPECT_EQ(with(trace, "name", "process_name").at(0)["args"]["name"], "Tuff");
  std::map<int, std::string> names;
  for (const json& row : with(trace, "name", "thread_name"))
    names[row["tid"]] = row["args"]["name"];
  EXPECT_EQ(names, (std::map<int, std::string>{{0, "phases"}, {1, "thread 0"}, {2, "thread 1"}}));
  EXPECT_EQ(trace["otherData"]["dropped_tasks"], 17);
}

TEST(Perfetto, RunsThatOverlapGetRowsOfTheirOwn) {
  Recording recording = example();
  recording.runs[1].start_ns = kStart + 100;
  const json trace = written(recording);
  std::vector<std::string> names;
  for (const json& row : with(trace, "name", "thread_name")) names.push_back(row["args"]["name"]);
  EXPECT_EQ(names, (std::vector<std::string>{"phases", "client 1, thread 0", "client 1, thread 1",
                                             "client 2, thread 0", "client 2, thread 1"}));
}

TEST(Perfetto, AnEmptyRecordingIsATraceToo) {
  const json trace = written({});
  EXPECT_EQ(trace.at("traceEvents").size(), 1u);
}

TEST(Perfetto, ARealRunComesBackWhole) {
  tuff::Context context({.threads = 2});
  const tuff::Recorder recorder({.context = &context});
  const tuff::Plan plan = tuff::compile(
      {tuff::sum(tuff::exp(tuff::arange(0.0, 1e5, 1.0, {.chunks = 1000}) * -1.0)).port()});
  static_cast<void>(plan.run({}, {.context = &context}));
  const Recording recording = recorder.recording();
  const json trace = written(recording);
  EXPECT_EQ(with(trace, "cat", "task").size(), plan.task_count());
  EXPECT_EQ(with(trace, "cat", "wait").size(), recording.waits.size());
  for (const json& task : with(trace, "cat", "task")) EXPECT_TRUE(task["args"].contains("block"));
}

TEST(Perfetto, APathThatCannotBeWrittenIsAnErrorAndNothingIsLeft) {
  const File file;
  try {
    write_perfetto(file.name() + "/no/trace.json", example());
    FAIL() << "nothing was thrown";
  } catch (const tuff::InvalidArgument& error) {
    EXPECT_EQ(std::string(error.what()).find("[write_perfetto] "), 0u) << error.what();
  }
  EXPECT_EQ(file.files(), 0u);
}

TEST(PerfettoSlow, AMillionTasksAreOneFileThatOthersCanRead) {
  Recording recording;
  recording.start_ns = kStart;
  recording.threads = 4;
  recording.operations = {"a", "b"};
  for (uint32_t i = 0; i < 1'000'000; ++i) {
    const int64_t at = kStart + i * 250;
    recording.events.push_back({at, at + 900, 80'000, 8, i, i % 2, i % 4, 0});
  }
  recording.end_ns = recording.events.back().end_ns;
  recording.runs = {{kStart, recording.end_ns, 4, 0, recording.events.size()}};
  const File file;
  write_perfetto(file.name(), recording);
  std::ifstream stream(file.name(), std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  EXPECT_TRUE(json::accept(text));
  size_t tasks = 0;
  for (size_t at = 0; (at = text.find("\"cat\":\"task\"", at)) != std::string::npos; ++at) ++tasks;
  EXPECT_EQ(tasks, 1'000'000u);
}

}  // namespace
