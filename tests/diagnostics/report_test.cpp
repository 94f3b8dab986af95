// The report's file: what is in it, what cannot break out of it, and how it gets to its place. The pages
// that report_browser_test.py opens are written here too, into the folder TUFF_REPORT_PAGES when it is set.
#include "tuff/diagnostics/report.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tuff/array/creation.h"
#include "tuff/array/linalg.h"
#include "tuff/array/math.h"
#include "tuff/array/random.h"
#include "tuff/array/reductions.h"
#include "tuff/base/error.h"
#include "tuff/compute.h"
#include "tuff/diagnostics/recorder.h"

namespace {

namespace fs = std::filesystem;

using tuff::Recording;
using tuff::Report;
using tuff::ReportGraph;
using tuff::TraceEvent;
using tuff::write_report;

/// A folder that is removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "tuff-report-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder");
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(path_), {}));
  }

 private:
  fs::path path_;
};

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string page_of(const Report& report) {
  const Folder folder;
  write_report(folder / "page.html", report);
  return text_of(folder / "page.html");
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string error_of(const std::string& path, const Report& report) {
  try {
    write_report(path, report);
  } catch (const tuff::InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// `runs` runs of two tasks per thread, one after the other; the threads wait for the slowest.
Recording made_up(uint32_t runs, uint32_t threads = 4) {
  Recording recording;
  recording.start_ns = 1'000'000'000'000;
  recording.threads = threads;
  recording.operations = {"load", "fused(exp, multiply)", "sum"};
  int64_t time = recording.start_ns;
  for (uint32_t r = 0; r < runs; ++r) {
    tuff::RecordedRun run;
    run.start_ns = time + 5'000;
    run.threads = threads;
    run.first_event = recording.events.size();
    run.first_wait = recording.waits.size();
    for (uint32_t thread = 0; thread < threads; ++thread) {
      int64_t at = run.start_ns + 1'000;
      for (uint32_t k = 0; k < 2; ++k) {
        TraceEvent event;
        event.start_ns = at + 200;
        event.end_ns = at += 20'000 + (r * 7919 + thread * 104'729 + k * 1299) % 9'000;
        event.task = 2 * thread + k;
        event.operation = k == 0 ? (r % 5 == 0 ? 0u : 1u) : 2u;
        event.bytes_in = k == 0 ? 0 : 80'000;
        event.bytes_out = k == 0 ? 80'000 : 8;
        event.thread = thread;
        recording.events.push_back(event);
        time = std::max(time, at);
      }
    }
    run.end_event = recording.events.size();
    for (uint64_t e = run.first_event + 1; e < run.end_event; e += 2) {
      const TraceEvent& last = recording.events[e];
      if (last.end_ns < time)
        recording.waits.push_back({last.end_ns, time, last.thread, tuff::WaitCause::none_ready});
    }
    run.end_wait = recording.waits.size();
    run.end_ns = time;
    recording.runs.push_back(run);
  }
  recording.end_ns = time + 10'000;
  const int64_t middle = recording.start_ns + (recording.end_ns - recording.start_ns) / 4;
  recording.phases = {{"read", recording.start_ns, middle, 0},
                      {"fit", middle, recording.end_ns, 0}};
  for (int64_t k = 0; k <= 200; ++k) {
    const int64_t passed = (recording.end_ns - recording.start_ns) * k / 200;
    recording.samples.push_back(
        {recording.start_ns + passed, 200'000'000 + static_cast<uint64_t>(k % 40) * 1'000'000,
         100'000'000 + static_cast<uint64_t>(k % 20) * 1'000'000, passed * threads * 8 / 10});
  }
  return recording;
}

Recording without_waits(Recording recording) {
  recording.waits.clear();
  for (auto& run : recording.runs) run.first_wait = run.end_wait = 0;
  return recording;
}

TEST(Report, NeedsNoOtherFileAndNoNetwork) {
  const std::string page = page_of({.title = "A fit"});
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
  EXPECT_NE(page.find("<title>A fit</title>"), std::string::npos);
  EXPECT_EQ(page.find("{{"), page.npos) << "no mark is left";
  EXPECT_EQ(count_of(page, "https://"), 0u);
  EXPECT_EQ(count_of(page, "http://"), 1u) << "the name of SVG, which is not fetched";
  EXPECT_NE(page.find("http://www.w3.org/2000/svg"), std::string::npos);
  EXPECT_EQ(page.find("src="), page.npos);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

TEST(Report, NoTextCanBecomeMarkup) {
  const std::string evil = "</script><script>alert(1)</script>{{data}}\"\\\n&\x01";
  Report report;
  report.title = evil;
  report.facts = {{evil, evil}};
  report.tables = {{evil, {evil}, {{evil}}}};
  report.series = {{.title = evil, .x_label = evil, .y_label = evil, .values = {1}}};
  report.graphs = {{evil, {{evil, evil, 1, {evil}}}, {}}};
  report.recording = made_up(2);
  report.recording.operations[0] = evil;
  report.recording.phases[0].name = evil;
  const std::string plain = page_of({.title = "plain"});
  const std::string page = page_of(report);
  EXPECT_EQ(page.find("<script>alert"), page.npos);
  EXPECT_EQ(count_of(page, "<script"), count_of(plain, "<script"));
  EXPECT_EQ(count_of(page, "</script"), count_of(plain, "</script"));
  EXPECT_NE(page.find("<title>&lt;/script&gt;&lt;script&gt;alert(1)"), std::string::npos);
  EXPECT_NE(page.find(R"(\u003c/script\u003e\u003cscript\u003ealert(1))"), std::string::npos);
  EXPECT_NE(page.find(R"({{data}}\"\\\u000a\u0026\u0001)"), std::string::npos);
}

TEST(Report, WhatIsNotFiniteIsAGapInAHistory) {
  Report report;
  const double inf = std::numeric_limits<double>::infinity();
  report.series = {{.title = "loss", .values = {1.5, inf, -inf, std::nan(""), 1e-300}}};
  EXPECT_NE(page_of(report).find("\"values\":[1.5,null,null,null,1e-300]"), std::string::npos);
}

TEST(Report, HoldsTheTotalsOfPhasesAndOperations) {
  Report report;
  report.recording = without_waits(made_up(1));
  report.recording.phases = {{"fit", report.recording.start_ns, report.recording.end_ns, 0}};
  const auto totals = totals_of_phase(report.recording, "fit");
  const std::string page = page_of(report);
  EXPECT_NE(
      page.find("\"phaseTotals\":[{\"name\":\"fit\",\"wall\":" + std::to_string(totals.wall_ns) +
                ",\"busy\":" + std::to_string(totals.task_ns) + ",\"tasks\":8,"),
      std::string::npos);
  EXPECT_NE(page.find("\"operations\":[\"load\",\"fused(exp, multiply)\",\"sum\"]"),
            std::string::npos);
  EXPECT_NE(page.find("\"lanes\":[[0,0,2],[0,1,2],[0,2,2],[0,3,2]]"), std::string::npos);
}

TEST(Report, RunsThatOverlapGetRowsOfTheirOwn) {
  Report report;
  report.recording = without_waits(made_up(2));
  auto& runs = report.recording.runs;
  runs[1].start_ns = runs[0].start_ns + 1;
  EXPECT_NE(page_of(report).find(
                "\"lanes\":[[0,0,2],[0,1,2],[0,2,2],[0,3,2],[1,0,2],[1,1,2],[1,2,2],[1,3,2]]"),
            std::string::npos);
}

TEST(Report, AMillionTasksTakeLessThanTwelveMegabytes) {
  Report report;
  report.title = "A million tasks";
  report.recording = without_waits(made_up(125'000));
  ASSERT_EQ(report.recording.events.size(), 1'000'000u);
  const Folder folder;
  write_report(folder / "page.html", report);
  EXPECT_LT(fs::file_size(folder / "page.html"), 12'000'000u);
}

TEST(Report, ASizeIsNotExceededHoweverManyTasksThereAre) {
  Recording recording = made_up(400'000);
  ASSERT_EQ(recording.events.size(), 3'200'000u);
  const Folder folder;
  write_report(folder / "page.html", {.title = "Many", .recording = recording});
  EXPECT_LT(fs::file_size(folder / "page.html"), 28'000'000u);
  EXPECT_NE(text_of(folder / "page.html").find("\"tasks\":3200000"), std::string::npos)
      << "totals are of all";
}

TEST(Report, ReplacesAFileInOneStepAndLeavesNothingElse) {
  const Folder folder;
  const std::string path = folder / "page.html";
  write_report(path, {.title = "first"});
  const std::ifstream reader(path);  // has the first page open, and keeps it whole
  write_report(path, {.title = "second"});
  EXPECT_NE(text_of(path).find("<title>second</title>"), std::string::npos);
  std::ostringstream first;
  first << reader.rdbuf();
  EXPECT_NE(first.str().find("<title>first</title>"), std::string::npos);
  EXPECT_EQ(folder.files(), 1u);
}

TEST(Report, WritesToWhatALinkPointsAt) {
  const Folder folder;
  write_report(folder / "page.html", {.title = "first"});
  fs::create_symlink(folder / "page.html", folder / "latest.html");
  write_report(folder / "latest.html", {.title = "second"});
  EXPECT_TRUE(fs::is_symlink(folder / "latest.html"));
  EXPECT_NE(text_of(folder / "page.html").find("second"), std::string::npos);
}

TEST(Report, APathThatCannotBeWrittenIsNamed) {
  const Folder folder;
  EXPECT_EQ(error_of(folder / "no/page.html", {}),
            "[write_report] cannot create '" + (folder / "no/page.html") +
                "': No such file or directory (after 0 bytes); nothing was left, and what was "
                "there before still is");
  EXPECT_EQ(error_of("/dev/full", {}),
            "[write_report] '/dev/full' is not a regular file; a file is needed");
  EXPECT_EQ(folder.files(), 0u);
}

TEST(Report, APageThatIsRefusedChangesNoFile) {
  const Folder folder;
  const std::string path = folder / "page.html";
  Report report;
  report.tables = {{"Coefficients", {"name", "value"}, {{"a", "1"}, {"b"}}}};
  EXPECT_EQ(error_of(path, report),
            "[write_report] table \"Coefficients\": row 1 has 1 cells; one for each of the 2 "
            "columns is needed");
  report = {};
  report.graphs = {{"Plan", {{"a", "", 0, {}}, {"b", "", 0, {}}}, {{0, 1}, {1, 2}}}};
  EXPECT_EQ(error_of(path, report),
            "[write_report] graph \"Plan\": edge from layer 1 to layer 2; it must lead to a later "
            "one of the 2 layers, counted from 0");
  report = {};
  report.phase = "fit";
  EXPECT_EQ(error_of(path, report),
            "[recording] no phase \"fit\"; none was begun: call begin_phase(name) first");
  EXPECT_EQ(folder.files(), 0u);
}

TEST(ReportGraph, HasALayerForEachOfThePlanAndAnEdgeForEachRead) {
  const tuff::Array x = tuff::arange(0.0, 1000.0, 1.0, {.chunks = 100});
  const tuff::Array y = tuff::exp(x) + x;
  const tuff::Array total = tuff::sum(y);
  const ReportGraph graph = tuff::report_graph("sum", {total.port()});
  EXPECT_EQ(graph.title, "sum");
  ASSERT_GE(graph.layers.size(), 4u);
  const std::string text = tuff::describe({total.port()});
  for (size_t l = 0; l < graph.layers.size(); ++l) {
    const auto& layer = graph.layers[l];
    EXPECT_NE(text.find("L" + std::to_string(l) + "  " + layer.title + "  " +
                        std::to_string(layer.tasks) + " task"),
              std::string::npos)
        << text;
    ASSERT_EQ(layer.outputs.size(), 1u);
    EXPECT_NE(text.find(layer.outputs[0]), std::string::npos);
  }
  for (const auto& [from, to] : graph.edges) EXPECT_LT(from, to);
  EXPECT_EQ(count_of(text, "  <-  ") + count_of(text, ", L"), graph.edges.size());
}

TEST(ReportGraph, NamesOperationsAsTracesDo) {
  tuff::Context context({.threads = 1});
  const tuff::Recorder recorder({.context = &context});
  const tuff::Array x = tuff::random::normal({1000}, {.chunks = 100, .seed = 1});
  const tuff::Plan plan = tuff::compile({tuff::sum(tuff::exp(x)).port()});
  static_cast<void>(plan.run({}, {.context = &context}));
  const Recording recording = recorder.recording();
  const ReportGraph graph = tuff::report_graph("plan", plan.outputs());
  for (const std::string& operation : recording.operations) {
    EXPECT_TRUE(std::any_of(graph.layers.begin(), graph.layers.end(), [&](const auto& layer) {
      return layer.operation == operation;
    })) << operation;
  }
}

// --- Pages for the browser -------------------------------------------------------------------------

/// Logistic regression by gradient descent, recorded.
Report fitted() {
  tuff::Context context({.threads = 2});
  tuff::Recorder recorder({.context = &context, .interval_seconds = 0.001});
  tuff::RunOptions here;
  here.context = &context;
  Report report;
  report.title = "Logistic regression by gradient descent";
  tuff::Parameter beta("beta", {3}, tuff::DType::float64);
  std::vector<double> b(3);
  recorder.begin_phase("read");
  tuff::Array X =
      tuff::random::normal({200'000, 3}, {.chunks = {20'000, 3}, .seed = 2}).persist(here);
  const tuff::Array truth = tuff::from_vector<double>({1, -2, 0.5});
  tuff::Array labels = (tuff::matmul(X, truth) > 0.0).persist(here);
  recorder.end_phase();
  recorder.begin_phase("fit");
  tuff::Array residuals = tuff::sigmoid(tuff::matmul(X, beta)) - labels;
  const tuff::Plan gradient = tuff::compile({tuff::matmul(X.transpose(), residuals)});
  std::vector<double> norms;
  std::vector<double> first;
  for (int i = 0; i < 60; ++i) {
    const std::vector<double> g = gradient.run({{beta, b}}, here)[0].to_vector<double>();
    double norm = 0;
    for (size_t j = 0; j < b.size(); ++j) {
      norm += g[j] * g[j];
      b[j] -= 5e-5 * g[j];
    }
    norms.push_back(std::sqrt(norm));
    first.push_back(b[0]);
  }
  recorder.end_phase();
  report.facts = {
      {"rows", "200 000"}, {"columns", "3"}, {"iterations", "60"}, {"solver", "gradient descent"}};
  tuff::ReportTable table = {"Coefficients", {"name", "estimate", "truth"}, {}};
  const std::vector<std::string> truths = {"1", "-2", "0.5"};
  for (size_t j = 0; j < 3; ++j)
    table.rows.push_back({"x" + std::to_string(j), std::to_string(b[j]), truths[j]});
  report.tables = {table};
  report.series = {
      {.title = "Gradient norm", .y_label = "norm", .log_scale = true, .values = norms},
      {.title = "Coefficient of x0", .values = first}};
  report.graphs = {tuff::report_graph("One step, as it runs", gradient.outputs()),
                   tuff::report_graph("One step, as it was written",
                                      {tuff::matmul(X.transpose(), residuals).port()})};
  report.recording = recorder.recording();
  report.phase = "fit";
  return report;
}

/// Two threads, 1 ms; tasks at places that can be pointed at.
Report simple() {
  Report report;
  report.title = "Three tasks";
  Recording& recording = report.recording;
  recording.start_ns = 77'000'000;
  recording.end_ns = 78'000'000;
  recording.threads = 2;
  recording.operations = {"first <b>operation</b>", "second"};
  const auto add = [&](uint32_t thread, int64_t from_us, int64_t to_us, uint32_t operation,
                       uint32_t task, uint32_t failed) {
    recording.events.push_back({recording.start_ns + from_us * 1000,
                                recording.start_ns + to_us * 1000, 1'500'000, 8, task, operation,
                                thread, failed});
  };
  add(0, 0, 500, 0, 12, 0);
  add(0, 500, 750, 1, 13, 0);
  add(1, 250, 500, 1, 1234567, 1);
  const auto wait = [&](uint32_t thread, int64_t from_us, int64_t to_us, tuff::WaitCause cause) {
    recording.waits.push_back(
        {recording.start_ns + from_us * 1000, recording.start_ns + to_us * 1000, thread, cause});
  };
  wait(0, 750, 850, tuff::WaitCause::memory);
  wait(0, 850, 950, tuff::WaitCause::stealing);
  wait(1, 0, 250, tuff::WaitCause::none_ready);
  wait(1, 500, 700, tuff::WaitCause::input);
  wait(1, 700, 800, tuff::WaitCause::resources);
  recording.spills = {{77'100'000, 77'200'000, 2'000'000, 1, 0},
                      {77'600'000, 77'650'000, 2'000'000, 0, 1}};
  recording.runs = {{recording.start_ns, recording.end_ns - 50'000, 2, 0, 3, 0, 5, 0, 2, nullptr}};
  recording.phases = {{"outer", 77'000'000, 78'000'000, 0}, {"inner", 77'250'000, 77'750'000, 1}};
  recording.samples = {{77'000'000, 1'000'000, 0, 5'000'000},
                       {77'500'000, 3'000'000, 2'000'000, 5'750'000},
                       {78'000'000, 2'000'000, 0, 6'000'000}};
  report.phase = "inner";
  report.series = {{.title = "never positive", .log_scale = true, .values = {0, -1}}};
  report.graphs = {{"diamond",
                    {{"source", "", 0, {"float64 (4,)"}},
                     {"left", "second", 4, {"float64 (4,)"}},
                     {"right", "", 4, {"float64 (4,)"}},
                     {"join", "", 1, {"float64 ()"}}},
                    {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {0, 3}}}};
  return report;
}

TEST(ReportPage, PagesForTheBrowserCanBeWritten) {
  const Folder own;
  const char* asked = std::getenv("TUFF_REPORT_PAGES");
  const std::string folder = asked != nullptr ? asked : own / "";
  write_report(folder + "/fit.html", fitted());
  write_report(folder + "/simple.html", simple());
  write_report(folder + "/empty.html", {.title = "Nothing at all"});
  const auto write = [&](const char* name, const char* title, const Recording& recording) {
    write_report(folder + "/" + name + ".html", {.title = title, .recording = recording});
  };
  write("thousand", "A thousand tasks", made_up(125));
  write("large", "A million tasks", made_up(125'000));
  write("wide", "A million tasks on 64 threads", made_up(7'813, 64));
  write("beyond", "Two million tasks", made_up(250'000));
  for (const char* name : {"fit", "simple", "empty", "thousand", "large", "wide", "beyond"}) {
    const auto bytes = fs::file_size(folder + "/" + name + ".html");
    EXPECT_GT(bytes, 10'000u);
    EXPECT_LT(bytes, 30'000'000u) << name;
  }
}

}  // namespace
