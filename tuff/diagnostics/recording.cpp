// Sums over recorded tasks; see recording.h.
#include "tuff/diagnostics/recording.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

struct Span {
  int64_t start_ns;
  int64_t end_ns;
};

/// The same moments, in order and without overlap.
std::vector<Span> united(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end(),
            [](const Span& a, const Span& b) { return a.start_ns < b.start_ns; });
  std::vector<Span> result;
  for (const Span& span : spans) {
    if (!result.empty() && span.start_ns <= result.back().end_ns) {
      result.back().end_ns = std::max(result.back().end_ns, span.end_ns);
    } else {
      result.push_back(span);
    }
  }
  return result;
}

/// Time that [start, end) shares with the spans, which are in order and do not overlap.
int64_t overlap_of(const std::vector<Span>& spans, int64_t start, int64_t end) {
  auto span = std::partition_point(spans.begin(), spans.end(),
                                   [start](const Span& s) { return s.end_ns <= start; });
  int64_t sum = 0;
  for (; span != spans.end() && span->start_ns < end; ++span) {
    sum += std::min(end, span->end_ns) - std::max(start, span->start_ns);
  }
  return sum;
}

bool holds(const std::vector<Span>& spans, int64_t moment) {
  const auto span = std::partition_point(spans.begin(), spans.end(),
                                         [moment](const Span& s) { return s.end_ns <= moment; });
  return span != spans.end() && span->start_ns <= moment;
}

/// Sorts out where the threads were when not in tasks.
void explain_white_space(const Recording& recording, const std::vector<Span>& spans,
                         TaskTotals& totals) {
  for (const TraceWait& wait : recording.waits) {
    totals.wait_ns[static_cast<size_t>(wait.cause)] +=
        overlap_of(spans, wait.start_ns, wait.end_ns);
  }
  int64_t& none_ready = totals.wait_ns[static_cast<size_t>(WaitCause::none_ready)];
  std::vector<Span> runs;
  for (const RecordedRun& run : recording.runs) {
    runs.push_back({run.start_ns, run.end_ns});
    if (run.threads >= recording.threads) continue;
    none_ready += static_cast<int64_t>(recording.threads - run.threads) *
                  overlap_of(spans, run.start_ns, run.end_ns);
  }
  int64_t in_runs = 0;
  for (const Span& run : united(std::move(runs)))
    in_runs += overlap_of(spans, run.start_ns, run.end_ns);
  const int64_t threads = recording.threads;
  totals.outside_ns = threads * (totals.wall_ns - in_runs);
  int64_t rest = threads * in_runs - totals.task_ns;
  for (const int64_t ns : totals.wait_ns) rest -= ns;
  // A thread that is idle in one run may be at work in another one of the same time.
  if (rest < 0) none_ready = std::max<int64_t>(0, none_ready + rest);
  totals.scheduling_ns = std::max<int64_t>(0, rest);
}

/// `spans` are in order and do not overlap.
TaskTotals totals_within(const Recording& recording, const std::vector<Span>& spans) {
  TaskTotals totals;
  for (const Span& span : spans) totals.wall_ns += span.end_ns - span.start_ns;
  for (const TraceEvent& event : recording.events) {
    if (holds(spans, event.start_ns)) {
      ++totals.tasks;
      totals.bytes_in += event.bytes_in;
      totals.bytes_out += event.bytes_out;
    }
    totals.task_ns += overlap_of(spans, event.start_ns, event.end_ns);
  }
  const double room = static_cast<double>(recording.threads) * static_cast<double>(totals.wall_ns);
  if (room > 0) {
    // Clients that work in their own runs at the same time can add up to more than the threads.
    totals.white_space = std::max(0.0, 1.0 - static_cast<double>(totals.task_ns) / room);
  }
  explain_white_space(recording, spans, totals);
  return totals;
}

}  // namespace

TaskTotals totals_of_phase(const Recording& recording, std::string_view phase) {
  std::vector<Span> spans;
  std::vector<std::string_view> names;
  for (const RecordedPhase& recorded : recording.phases) {
    if (recorded.name == phase) spans.push_back({recorded.start_ns, recorded.end_ns});
    if (std::find(names.begin(), names.end(), recorded.name) == names.end()) {
      names.push_back(recorded.name);
    }
  }
  if (spans.empty()) {
    throw InvalidArgument(
        "recording",
        fmt::format("no phase \"{}\"; {}", phase,
                    names.empty() ? "none was begun: call begin_phase(name) first"
                                  : fmt::format("there are: {}", fmt::join(names, ", "))));
  }
  return totals_within(recording, united(std::move(spans)));
}

TaskTotals totals_of_all(const Recording& recording) {
  return totals_within(recording, {{recording.start_ns, recording.end_ns}});
}

std::string_view name_of(WaitCause cause) {
  switch (cause) {
    case WaitCause::input: return "waiting for input";
    case WaitCause::memory: return "waiting for memory";
    case WaitCause::resources: return "waiting for resources";
    case WaitCause::none_ready: return "none ready";
    case WaitCause::stealing: return "stealing";
  }
  return "";
}

std::vector<double> cpu_percent(const std::vector<ResourceSample>& samples) {
  constexpr int64_t kWindowNs = 25'000'000;
  std::vector<double> percent(samples.size());
  size_t from = 0;
  for (size_t i = 1; i < samples.size(); ++i) {
    while (samples[from + 1].time_ns <= samples[i].time_ns - kWindowNs) ++from;
    const int64_t wall = samples[i].time_ns - samples[from].time_ns;
    const int64_t used = samples[i].cpu_ns - samples[from].cpu_ns;
    if (wall > 0) percent[i] = 100.0 * static_cast<double>(used) / static_cast<double>(wall);
  }
  if (samples.size() > 1) percent[0] = percent[1];
  return percent;
}

std::vector<OperationTotals> totals_by_operation(const Recording& recording) {
  std::vector<OperationTotals> all(recording.operations.size());
  for (size_t o = 0; o < all.size(); ++o) all[o].operation = static_cast<uint32_t>(o);
  for (const TraceEvent& event : recording.events) {
    OperationTotals& totals = all[event.operation];
    ++totals.tasks;
    totals.failed += event.failed;
    totals.task_ns += event.end_ns - event.start_ns;
    totals.bytes_in += event.bytes_in;
    totals.bytes_out += event.bytes_out;
  }
  std::erase_if(all, [](const OperationTotals& totals) { return totals.tasks == 0; });
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.task_ns > b.task_ns; });
  return all;
}

TUFF_NAMESPACE_END
