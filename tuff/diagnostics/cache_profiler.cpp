// When results came and went, from the ends of tasks and the plan's readers; see profilers.h.
#include <algorithm>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "tuff/diagnostics/operation_names.h"
#include "tuff/diagnostics/profilers.h"
#include "tuff/diagnostics/text.h"

TUFF_NAMESPACE_BEGIN

namespace {

struct Change {
  int64_t time_ns;
  int64_t bytes;
  uint32_t operation;
};

/// In order of time; at one moment what leaves comes first, for its memory may be what the next one uses.
std::vector<Change> changes_of(const CacheProfile& profile) {
  std::vector<Change> changes;
  changes.reserve(2 * profile.results.size());
  for (const CachedResult& result : profile.results) {
    if (result.leave_ns <= result.enter_ns || result.bytes == 0) continue;
    const auto bytes = static_cast<int64_t>(result.bytes);
    changes.push_back({result.enter_ns, bytes, result.operation});
    changes.push_back({result.leave_ns, -bytes, result.operation});
  }
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return std::pair(a.time_ns, a.bytes) < std::pair(b.time_ns, b.bytes);
  });
  return changes;
}

/// Fills in the sums and peaks of a profile that has operations' names and results.
void add_up(CacheProfile& profile) {
  for (const CachedResult& result : profile.results) {
    CacheProfile::Operation& operation = profile.operations[result.operation];
    ++operation.results;
    operation.bytes += result.bytes;
    operation.byte_seconds += static_cast<double>(result.bytes) *
                              static_cast<double>(result.leave_ns - result.enter_ns) * 1e-9;
  }
  std::vector<int64_t> live(profile.operations.size());
  std::vector<int64_t> at_peak = live;
  int64_t all = 0;
  int64_t peak = 0;
  for (const Change& change : changes_of(profile)) {
    all += change.bytes;
    int64_t& own = live[change.operation] += change.bytes;
    uint64_t& most = profile.operations[change.operation].peak_bytes;
    most = std::max(most, static_cast<uint64_t>(own));
    if (all <= peak) continue;
    peak = all;
    profile.peak_ns = change.time_ns;
    at_peak = live;
  }
  profile.peak_bytes = static_cast<uint64_t>(peak);
  for (size_t o = 0; o < at_peak.size(); ++o)
    profile.operations[o].bytes_at_peak = static_cast<uint64_t>(at_peak[o]);
}

}  // namespace

struct CacheProfiler::State {
  explicit State(uint64_t max_results_of_options) : max_results(max_results_of_options) {}
  uint64_t room() const { return max_results - std::min(max_results, results.size()); }

  const uint64_t max_results;
  mutable std::mutex mutex;
  OperationNames names;
  std::vector<CachedResult> results;
  uint64_t dropped = 0;
};

CacheProfiler::CacheProfiler(const CacheProfilerOptions& options)
    : state_(std::make_unique<State>(options.max_results)) {}
CacheProfiler::~CacheProfiler() = default;

uint64_t CacheProfiler::max_events() const {
  const std::lock_guard lock(state_->mutex);
  return state_->room();
}

void CacheProfiler::on_run(const TraceRun& run) {
  std::vector<const TraceEvent*> by_end;
  std::vector<int64_t> end_of_task(run.plan->block.size(), run.end_ns);
  for (const TraceEvent& event : run.events) {
    by_end.push_back(&event);
    end_of_task.at(event.task) = event.end_ns;
  }
  std::stable_sort(by_end.begin(), by_end.end(),
                   [](const TraceEvent* a, const TraceEvent* b) { return a->end_ns < b->end_ns; });

  const std::lock_guard lock(state_->mutex);
  state_->dropped += run.dropped;
  const std::vector<uint32_t>& numbers = state_->names.numbers_of(run.plan);
  for (const TraceEvent* event : by_end) {
    if (event->failed != 0) continue;
    if (state_->room() == 0) {
      ++state_->dropped;
      continue;
    }
    CachedResult result;
    result.operation = numbers[event->operation];
    result.task = event->task;
    result.block = run.plan->block[event->task];
    result.bytes = event->bytes_out;
    result.enter_ns = event->end_ns;
    result.leave_ns = event->end_ns;
    if (run.plan->kept[event->task] != 0) result.leave_ns = run.end_ns;
    for (const uint32_t reader : run.plan->readers_of(event->task))
      result.leave_ns = std::max(result.leave_ns, end_of_task[reader]);
    state_->results.push_back(result);
  }
}

CacheProfile CacheProfiler::results() const {
  CacheProfile profile;
  {
    const std::lock_guard lock(state_->mutex);
    profile.results = state_->results;
    profile.dropped = state_->dropped;
    for (const std::string& name : state_->names.names())
      profile.operations.emplace_back().name = name;
  }
  add_up(profile);
  return profile;
}

void CacheProfiler::clear() {
  const std::lock_guard lock(state_->mutex);
  state_->results.clear();
  state_->dropped = 0;
  state_->names = {};
}

std::vector<CachePoint> live_bytes(const CacheProfile& profile, std::optional<uint32_t> operation) {
  std::vector<CachePoint> points;
  int64_t live = 0;
  for (const Change& change : changes_of(profile)) {
    if (operation && change.operation != *operation) continue;
    live += change.bytes;
    if (points.empty() || points.back().time_ns != change.time_ns)
      points.push_back({change.time_ns, 0});
    points.back().bytes = static_cast<uint64_t>(live);
  }
  return points;
}

std::string CacheProfile::to_text() const {
  if (results.empty()) return "no results were made\n";
  std::vector<const Operation*> order;
  uint64_t count = 0;
  for (const Operation& operation : operations) {
    count += operation.results;
    if (operation.results > 0) order.push_back(&operation);
  }
  std::stable_sort(order.begin(), order.end(), [](const Operation* a, const Operation* b) {
    return std::pair(a->bytes_at_peak, a->peak_bytes) > std::pair(b->bytes_at_peak, b->peak_bytes);
  });
  std::vector<std::vector<std::string>> rows = {
      {"operation", "results", "bytes", "at the peak", "own peak", "mean stay"}};
  for (const Operation* operation : order) {
    const double stay =
        operation->bytes > 0 ? operation->byte_seconds / static_cast<double>(operation->bytes) : 0;
    rows.push_back({operation->name, count_text(operation->results), bytes_text(operation->bytes),
                    bytes_text(operation->bytes_at_peak), bytes_text(operation->peak_bytes),
                    time_text(static_cast<int64_t>(stay * 1e9))});
  }
  std::string text =
      fmt::format("at most {} in results of {} tasks\n", bytes_text(peak_bytes), count_text(count));
  if (dropped > 0)
    text += fmt::format("{} tasks more are not counted: see CacheProfilerOptions::max_results\n",
                        count_text(dropped));
  return text + '\n' + columns_of(rows, LastColumn::number);
}

TUFF_NAMESPACE_END
