// See lanes.h.
#include "tuff/diagnostics/lanes.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

TUFF_NAMESPACE_BEGIN

namespace {

/// For each run, a client that was free at its start; as few clients as possible.
std::vector<uint32_t> clients_of(const std::vector<RecordedRun>& runs) {
  std::vector<size_t> by_start(runs.size());
  std::iota(by_start.begin(), by_start.end(), size_t{0});
  std::stable_sort(by_start.begin(), by_start.end(),
                   [&](size_t a, size_t b) { return runs[a].start_ns < runs[b].start_ns; });
  std::vector<uint32_t> clients(runs.size());
  std::vector<int64_t> busy_until;
  for (const size_t r : by_start) {
    const auto free = std::find_if(busy_until.begin(), busy_until.end(),
                                   [&](int64_t until) { return until <= runs[r].start_ns; });
    clients[r] = static_cast<uint32_t>(free - busy_until.begin());
    if (free == busy_until.end()) busy_until.push_back(0);
    busy_until[clients[r]] = runs[r].end_ns;
  }
  return clients;
}

template <class Item>
void sort_by_start(std::vector<uint32_t>& indices, const std::vector<Item>& items) {
  const auto earlier = [&](uint32_t a, uint32_t b) {
    return items[a].start_ns < items[b].start_ns;
  };
  if (!std::is_sorted(indices.begin(), indices.end(), earlier))
    std::stable_sort(indices.begin(), indices.end(), earlier);
}

}  // namespace

std::vector<Lane> lanes_of(const Recording& recording) {
  std::map<std::pair<uint32_t, uint32_t>, Lane> lanes;
  for (uint32_t thread = 0; thread < recording.threads; ++thread)
    lanes[{0, thread}] = {0, thread, {}, {}, {}};
  const std::vector<uint32_t> clients = clients_of(recording.runs);
  for (size_t r = 0; r < recording.runs.size(); ++r) {
    const RecordedRun& run = recording.runs[r];
    Lane* last = nullptr;
    const auto lane = [&](uint32_t thread) -> Lane& {
      if (last == nullptr || last->thread != thread) {
        last = &lanes[{clients[r], thread}];
        last->client = clients[r];
        last->thread = thread;
      }
      return *last;
    };
    for (uint64_t e = run.first_event; e < run.end_event; ++e)
      lane(recording.events[e].thread).events.push_back(static_cast<uint32_t>(e));
    for (uint64_t w = run.first_wait; w < run.end_wait; ++w)
      lane(recording.waits[w].thread).waits.push_back(static_cast<uint32_t>(w));
    for (uint64_t s = run.first_spill; s < run.end_spill; ++s)
      lane(recording.spills[s].thread).spills.push_back(static_cast<uint32_t>(s));
  }
  std::vector<Lane> result;
  for (auto& [key, lane] : lanes) {
    sort_by_start(lane.events, recording.events);
    sort_by_start(lane.waits, recording.waits);
    sort_by_start(lane.spills, recording.spills);
    result.push_back(std::move(lane));
  }
  return result;
}

TUFF_NAMESPACE_END
