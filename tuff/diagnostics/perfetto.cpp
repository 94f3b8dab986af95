// See perfetto.h. The format: "Trace Event Format", the document that catapult's trace viewer refers to.
#include "tuff/diagnostics/perfetto.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tuff/base/atomic_file.h"
#include "tuff/base/version.h"
#include "tuff/diagnostics/json.h"
#include "tuff/diagnostics/lanes.h"

TUFF_NAMESPACE_BEGIN

namespace {

/// Written in pieces of this size: some 10,000 events per call of the system.
constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr int kProcess = 1;
/// The row of phases comes first; threads follow.
constexpr uint32_t kPhaseRow = 0;

std::string quoted(std::string_view text) {
  JsonWriter json;
  json.value(text);
  return json.take();
}

/// Of the viewers' palette: greys for what needs no attention.
std::string_view color_of(WaitCause cause) {
  switch (cause) {
    case WaitCause::input: return "yellow";
    case WaitCause::memory: return "terrible";
    case WaitCause::resources: return "bad";
    case WaitCause::none_ready: return "grey";
    case WaitCause::stealing: return "olive";
  }
  return "grey";
}

class Writer {
 public:
  Writer(const std::string& path, const Recording& recording)
      : recording_(recording), file_("write_perfetto", path) {}

  void write() {
    put("{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"producer\":{},\"dropped_tasks\":{}}},"
        "\"traceEvents\":[\n"
        R"({{"name":"process_name","ph":"M","pid":{},"tid":0,"args":{{"name":"Tuff"}}}})",
        quoted("Tuff " TUFF_VERSION), recording_.dropped, kProcess);
    put_phases();
    for (const std::string& name : recording_.operations) names_.push_back(quoted(name));
    const std::vector<Lane> lanes = lanes_of(recording_);
    const bool several_clients = lanes.size() > recording_.threads;
    uint32_t row = kPhaseRow;
    for (const Lane& lane : lanes) put_lane(lane, ++row, several_clients);
    put_samples();
    text_ += "\n]}\n";
    file_.write(text_);
    file_.commit();
  }

 private:
  template <class... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    if (text_.size() < kPieceBytes) return;
    file_.write(text_);
    text_.clear();
  }

  std::string micros(int64_t time_ns) const { return length(time_ns - recording_.start_ns); }
  static std::string length(int64_t ns) {
    const auto [sign, size] = ns < 0 ? std::pair("-", -ns) : std::pair("", ns);
    return fmt::format("{}{}.{:03}", sign, size / 1000, size % 1000);
  }

  void put_row(uint32_t row, std::string_view name) {
    put(",\n"
        R"({{"name":"thread_name","ph":"M","pid":{0},"tid":{1},"args":{{"name":{2}}}}})"
        ",\n"
        R"({{"name":"thread_sort_index","ph":"M","pid":{0},"tid":{1},"args":{{"sort_index":{1}}}}})",
        kProcess, row, quoted(name));
  }

  void put_phases() {
    if (recording_.phases.empty()) return;
    put_row(kPhaseRow, "phases");
    for (const RecordedPhase& phase : recording_.phases) {
      put(",\n"
          R"({{"name":{},"cat":"phase","ph":"X","ts":{},"dur":{},"pid":{},"tid":{}}})",
          quoted(phase.name), micros(phase.start_ns), length(phase.end_ns - phase.start_ns),
          kProcess, kPhaseRow);
    }
  }

  void put_lane(const Lane& lane, uint32_t row, bool several_clients) {
    put_row(row, several_clients ? fmt::format("client {}, thread {}", lane.client + 1, lane.thread)
                                 : fmt::format("thread {}", lane.thread));
    for (const uint32_t e : lane.events) put_task(e, row);
    for (const uint32_t w : lane.waits) {
      const TraceWait& wait = recording_.waits[w];
      put(",\n"
          R"({{"name":"{}","cat":"wait","cname":"{}","ph":"X","ts":{},"dur":{},"pid":{},"tid":{}}})",
          name_of(wait.cause), color_of(wait.cause), micros(wait.start_ns),
          length(wait.end_ns - wait.start_ns), kProcess, row);
    }
    for (const uint32_t s : lane.spills) {
      const TraceSpill& spill = recording_.spills[s];
      const auto end = [&](char phase, int64_t time_ns) {
        put(",\n"
            R"({{"name":"{}","cat":"spill","ph":"{}","id":{},"ts":{},"pid":{},"tid":{},"args":{{"bytes":{}}}}})",
            spill.read_back != 0 ? "read back" : "spill", phase, s, micros(time_ns), kProcess, row,
            spill.bytes);
      };
      end('b', spill.start_ns);
      end('e', spill.end_ns);
    }
  }

  void put_task(uint32_t e, uint32_t row) {
    const TraceEvent& event = recording_.events[e];
    put(",\n"
        R"({{"name":{},"cat":"task","ph":"X","ts":{},"dur":{},"pid":{},"tid":{},"args":{{"task":{})",
        names_[event.operation], micros(event.start_ns), length(event.end_ns - event.start_ns),
        kProcess, row, event.task);
    const TracePlan* plan = plan_of(e);
    if (plan != nullptr && !plan->block.empty()) put(R"(,"block":{})", plan->block[event.task]);
    put(R"(,"bytes_in":{},"bytes_out":{})", event.bytes_in, event.bytes_out);
    if (event.failed != 0) put(R"(,"failed":true)");
    put("}}}}");
  }

  /// The plan that the event's run was of, or null. Neighbours are mostly of one run.
  const TracePlan* plan_of(uint64_t e) {
    const auto holds = [e](const RecordedRun& run) {
      return run.first_event <= e && e < run.end_event;
    };
    const std::vector<RecordedRun>& runs = recording_.runs;
    if (run_ >= runs.size() || !holds(runs[run_])) {
      const auto after = std::partition_point(
          runs.begin(), runs.end(), [e](const RecordedRun& run) { return run.end_event <= e; });
      run_ = static_cast<size_t>(after - runs.begin());
    }
    return run_ < runs.size() ? runs[run_].plan.get() : nullptr;
  }

  void put_samples() {
    const std::vector<double> percent = cpu_percent(recording_.samples);
    for (size_t i = 0; i < recording_.samples.size(); ++i) {
      const ResourceSample& sample = recording_.samples[i];
      const std::string time = micros(sample.time_ns);
      put(",\n"
          R"({{"name":"memory","ph":"C","ts":{},"pid":{},"args":{{"live":{},"resident":{}}}}})",
          time, kProcess, sample.live_bytes, sample.resident_bytes);
      // Of the time before the sample, while a counter holds from its moment on: so at the sample before.
      if (i > 0) {
        put(",\n"
            R"({{"name":"processors","ph":"C","ts":{},"pid":{},"args":{{"percent":{:.1f}}}}})",
            micros(recording_.samples[i - 1].time_ns), kProcess, percent[i]);
      }
    }
  }

  const Recording& recording_;
  AtomicFile file_;
  std::string text_;
  std::vector<std::string> names_;  // by operation, quoted
  size_t run_ = 0;
};

}  // namespace

void write_perfetto(const std::string& path, const Recording& recording) {
  Writer(path, recording).write();
}

TUFF_NAMESPACE_END
