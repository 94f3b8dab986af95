// The page's data; see encode.h for the format.
#include "tuff/diagnostics/encode.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tuff/base/version.h"
#include "tuff/diagnostics/detail.h"
#include "tuff/diagnostics/json.h"
#include "tuff/diagnostics/lanes.h"

TUFF_NAMESPACE_BEGIN

namespace {

/// Records of the task stream: a million tasks, each with a wait behind it. 16 to 28 MB of page, which a
/// browser unpacks and draws in under a second; beyond, short ones are added up.
constexpr size_t kMostRecords = size_t{1} << 21;
/// 1 MB; more marks than pixels.
constexpr size_t kMostSpills = size_t{1} << 16;

/// Packed numbers; see encode.h.
class Packer {
 public:
  void put(uint64_t number) {
    while (number >= 0x80) {
      bytes_.push_back(static_cast<uint8_t>(number | 0x80));
      number >>= 7;
    }
    bytes_.push_back(static_cast<uint8_t>(number));
  }
  void put_signed(int64_t number) {
    put((static_cast<uint64_t>(number) << 1) ^ static_cast<uint64_t>(number >> 63));
  }
  std::string base64() const {
    static constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes_.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes_.size(); i += 3) {
      const size_t count = std::min<size_t>(3, bytes_.size() - i);
      uint32_t bits = 0;
      for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? bytes_[i + k] : 0u);
      for (size_t k = 0; k < 4; ++k) {
        text += k <= count ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
      }
    }
    return text;
  }

 private:
  std::vector<uint8_t> bytes_;
};

using Kind = std::array<uint64_t, 4>;  // operation, bytes in, bytes out, failed

struct KindHash {
  size_t operator()(const Kind& kind) const {
    size_t hash = 0;
    for (const uint64_t part : kind) hash = (hash ^ part) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
  }
};

/// Packs the records of all lanes; see encode.h.
class StreamPacker {
 public:
  explicit StreamPacker(const Recording& recording) : recording_(recording) {}

  void put(const LaneDetail& lane) {
    time_ = recording_.start_ns;
    task_ = 0;
    for (const StreamRecord& record : lane.records) {
      records_.put_signed(record.start_ns - time_);
      records_.put(static_cast<uint64_t>(record.end_ns - record.start_ns));
      time_ = record.end_ns;
      switch (record.kind) {
        case StreamRecord::Kind::task: put_task(recording_.events[record.index]); break;
        case StreamRecord::Kind::wait:
          records_.put(static_cast<uint64_t>(recording_.waits[record.index].cause));
          break;
        case StreamRecord::Kind::crowd:
          records_.put(kCrowd);
          records_.put(record.parts);
          for (uint32_t p = 0; p < record.parts; ++p) put_part(lane.parts[record.index + p]);
          break;
      }
    }
  }
  void finish(JsonWriter& json) const {
    json.member("records", records_.base64());
    json.member("kinds", kinds_.base64());
    json.member("kindCount", numbers_.size());
  }

 private:
  static constexpr uint64_t kCrowd = kWaitCauses;
  static constexpr uint64_t kFirstKind = kCrowd + 1;

  void put_task(const TraceEvent& event) {
    const Kind kind = {event.operation, event.bytes_in, event.bytes_out, event.failed};
    const auto [number, is_new] = numbers_.try_emplace(kind, numbers_.size());
    if (is_new) {
      for (const uint64_t part : kind) kinds_.put(part);
    }
    records_.put(kFirstKind + number->second);
    records_.put_signed(static_cast<int64_t>(event.task) - task_);
    task_ = event.task;
  }
  void put_part(const CrowdPart& part) {
    records_.put(part.is_wait ? part.number : kFirstKind + part.number);
    records_.put(part.count);
    records_.put(static_cast<uint64_t>(part.busy_ns));
    if (part.is_wait) return;
    records_.put(part.failed);
    records_.put(part.bytes_in);
    records_.put(part.bytes_out);
  }

  const Recording& recording_;
  Packer records_;
  Packer kinds_;
  std::unordered_map<Kind, uint64_t, KindHash> numbers_;
  int64_t time_ = 0;
  int64_t task_ = 0;
};

void put_stream(JsonWriter& json, const Recording& recording, const std::vector<Lane>& lanes) {
  const Detail detail = detail_of(recording, lanes, kMostRecords);
  json.member("shortest", detail.shortest_ns);
  json.key("lanes");
  json.open('[');
  StreamPacker packed(recording);
  for (size_t l = 0; l < lanes.size(); ++l) {
    json.open('[');
    json.value(lanes[l].client);
    json.value(lanes[l].thread);
    json.value(detail.lanes[l].records.size());
    json.close(']');
    packed.put(detail.lanes[l]);
  }
  json.close(']');
  packed.finish(json);
}

void put_spills(JsonWriter& json, const Recording& recording, const std::vector<Lane>& lanes) {
  const std::vector<SpillRecord> spills = spills_of(recording, lanes, kMostSpills);
  Packer packed;
  int64_t time = recording.start_ns;
  for (const SpillRecord& spill : spills) {
    packed.put_signed(spill.start_ns - time);
    packed.put(static_cast<uint64_t>(spill.end_ns - spill.start_ns));
    packed.put(2 * uint64_t{spill.lane} + (spill.read_back ? 1 : 0));
    packed.put(spill.count);
    packed.put(spill.bytes);
    time = spill.end_ns;
  }
  json.member("spills", packed.base64());
  json.member("spillCount", spills.size());
}

void put_totals(JsonWriter& json, const TaskTotals& totals) {
  json.member("wall", totals.wall_ns);
  json.member("busy", totals.task_ns);
  json.member("tasks", totals.tasks);
  json.member("bytesIn", totals.bytes_in);
  json.member("bytesOut", totals.bytes_out);
  json.member("white", totals.white_space);
  json.key("waits");
  json.open('[');
  for (const int64_t ns : totals.wait_ns) json.value(ns);
  json.close(']');
  json.member("outside", totals.outside_ns);
  json.member("scheduling", totals.scheduling_ns);
}

void put_phases(JsonWriter& json, const Recording& recording) {
  json.key("phases");
  json.open('[');
  std::vector<std::string_view> names;
  for (const RecordedPhase& phase : recording.phases) {
    json.open('{');
    json.member("name", phase.name);
    json.member("start", phase.start_ns - recording.start_ns);
    json.member("end", phase.end_ns - recording.start_ns);
    json.member("depth", phase.depth);
    json.close('}');
    if (std::find(names.begin(), names.end(), phase.name) == names.end()) {
      names.push_back(phase.name);
    }
  }
  json.close(']');
  json.key("phaseTotals");
  json.open('[');
  for (const std::string_view name : names) {
    json.open('{');
    json.member("name", name);
    put_totals(json, totals_of_phase(recording, name));
    json.close('}');
  }
  json.close(']');
}

void put_operations(JsonWriter& json, const Recording& recording) {
  json.key("operations");
  json.open('[');
  for (const std::string& name : recording.operations) json.value(name);
  json.close(']');
  json.key("operationTotals");
  json.open('[');
  for (const OperationTotals& totals : totals_by_operation(recording)) {
    json.open('{');
    json.member("operation", totals.operation);
    json.member("tasks", totals.tasks);
    json.member("failed", totals.failed);
    json.member("busy", totals.task_ns);
    json.member("bytesIn", totals.bytes_in);
    json.member("bytesOut", totals.bytes_out);
    json.close('}');
  }
  json.close(']');
}

void put_samples(JsonWriter& json, const Recording& recording) {
  Packer packed;
  ResourceSample last;
  last.time_ns = recording.start_ns;
  const std::vector<double> percent = cpu_percent(recording.samples);
  for (size_t i = 0; i < recording.samples.size(); ++i) {
    const ResourceSample& sample = recording.samples[i];
    packed.put_signed(sample.time_ns - last.time_ns);
    packed.put_signed(static_cast<int64_t>(sample.resident_bytes - last.resident_bytes));
    packed.put_signed(static_cast<int64_t>(sample.live_bytes - last.live_bytes));
    packed.put(static_cast<uint64_t>(std::max(0.0, percent[i] * 10)));
    last = sample;
  }
  json.member("samples", packed.base64());
  json.member("sampleCount", recording.samples.size());
}

void put_recording(JsonWriter& json, const Report& report) {
  const Recording& recording = report.recording;
  json.key("trace");
  json.open('{');
  json.member("threads", recording.threads);
  json.member("duration", recording.end_ns - recording.start_ns);
  json.member("runs", recording.runs.size());
  json.key("totals");
  json.open('{');
  put_totals(json, totals_of_all(recording));
  json.close('}');
  json.member("phase", report.phase);
  put_phases(json, recording);
  put_operations(json, recording);
  const std::vector<Lane> lanes = lanes_of(recording);
  put_stream(json, recording, lanes);
  put_spills(json, recording, lanes);
  json.key("waitNames");
  json.open('[');
  for (size_t cause = 0; cause < kWaitCauses; ++cause)
    json.value(name_of(static_cast<WaitCause>(cause)));
  json.close(']');
  json.member("dropped", recording.dropped);
  json.member("droppedFrom",
              recording.dropped == 0 ? 0 : recording.dropped_from_ns - recording.start_ns);
  put_samples(json, recording);
  json.close('}');
}

void put_row(JsonWriter& json, std::span<const std::string> cells) {
  json.open('[');
  for (const std::string& cell : cells) json.value(cell);
  json.close(']');
}

void put_tables(JsonWriter& json, const std::vector<ReportTable>& tables) {
  json.key("tables");
  json.open('[');
  for (const ReportTable& table : tables) {
    json.open('{');
    json.member("title", table.title);
    json.key("columns");
    put_row(json, table.columns);
    json.key("rows");
    json.open('[');
    for (const auto& row : table.rows) put_row(json, row);
    json.close(']');
    json.close('}');
  }
  json.close(']');
}

void put_series(JsonWriter& json, const std::vector<ReportSeries>& all) {
  json.key("series");
  json.open('[');
  for (const ReportSeries& series : all) {
    json.open('{');
    json.member("title", series.title);
    json.member("x", series.x_label);
    json.member("y", series.y_label);
    json.member("log", series.log_scale ? 1 : 0);
    json.key("values");
    json.open('[');
    for (const double value : series.values) json.value(value);
    json.close(']');
    json.close('}');
  }
  json.close(']');
}

void put_graphs(JsonWriter& json, const std::vector<ReportGraph>& graphs) {
  json.key("graphs");
  json.open('[');
  for (const ReportGraph& graph : graphs) {
    json.open('{');
    json.member("title", graph.title);
    json.key("layers");
    json.open('[');
    for (const ReportGraph::Layer& layer : graph.layers) {
      json.open('{');
      json.member("title", layer.title);
      json.member("operation", layer.operation);
      json.member("tasks", layer.tasks);
      json.key("outputs");
      put_row(json, layer.outputs);
      json.close('}');
    }
    json.close(']');
    json.key("edges");
    json.open('[');
    for (const auto& [from, to] : graph.edges) {
      json.open('[');
      json.value(from);
      json.value(to);
      json.close(']');
    }
    json.close(']');
    json.close('}');
  }
  json.close(']');
}

}  // namespace

std::string encode(const Report& report) {
  JsonWriter json;
  json.open('{');
  json.member("title", report.title);
  json.member("version", TUFF_VERSION);
  json.key("facts");
  json.open('[');
  for (const auto& [name, value] : report.facts) put_row(json, std::array{name, value});
  json.close(']');
  put_tables(json, report.tables);
  put_series(json, report.series);
  put_graphs(json, report.graphs);
  put_recording(json, report);
  json.close('}');
  return json.take();
}

TUFF_NAMESPACE_END
