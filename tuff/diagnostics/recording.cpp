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

/// `spans` are in order and do not overlap.
TaskTotals totals_within(const Recording& recording, const std::vector<Span>& spans) {
  TaskTotals totals;
  for (const Span& span : spans) totals.wall_ns += span.end_ns - span.start_ns;
  for (const TraceEvent& event : recording.events) {
    auto span = std::partition_point(spans.begin(), spans.end(),
                                     [&](const Span& s) { return s.end_ns <= event.start_ns; });
    if (span != spans.end() && span->start_ns <= event.start_ns) {
      ++totals.tasks;
      totals.bytes_in += event.bytes_in;
      totals.bytes_out += event.bytes_out;
    }
    for (; span != spans.end() && span->start_ns < event.end_ns; ++span) {
      totals.task_ns +=
          std::min(event.end_ns, span->end_ns) - std::max(event.start_ns, span->start_ns);
    }
  }
  const double room = static_cast<double>(recording.threads) * static_cast<double>(totals.wall_ns);
  if (room > 0) {
    // Clients that work in their own runs at the same time can add up to more than the threads.
    totals.white_space = std::max(0.0, 1.0 - static_cast<double>(totals.task_ns) / room);
  }
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
