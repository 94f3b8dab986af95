// See detail.h.
#include "tuff/diagnostics/detail.h"

#include <algorithm>
#include <utility>

TUFF_NAMESPACE_BEGIN

namespace {

/// Below this no task is worth leaving out: reading the clock twice takes as long.
constexpr int64_t kFirstShortestNs = 64;

/// Walks the tasks and waits of a lane in order of time and sorts them into records.
///
/// `Sink` gets show(kind, index, start, end) for what stands alone; begin_crowd(start), add(part, kind,
/// index, end) and, before the first item of an operation or cause in a crowd, begin_part(part).
template <class Sink>
class Walk {
 public:
  Walk(const Recording& recording, int64_t shortest_ns, Sink& sink)
      : recording_(recording),
        shortest_ns_(shortest_ns),
        sink_(sink),
        crowd_of_part_(recording.operations.size() + kWaitCauses) {}

  void lane(const Lane& lane) {
    in_crowd_ = false;
    size_t e = 0;
    size_t w = 0;
    while (e < lane.events.size() || w < lane.waits.size()) {
      const bool is_task = w == lane.waits.size() ||
                           (e < lane.events.size() && recording_.events[lane.events[e]].start_ns <=
                                                          recording_.waits[lane.waits[w]].start_ns);
      if (is_task) {
        const TraceEvent& event = recording_.events[lane.events[e]];
        item(StreamRecord::Kind::task, lane.events[e++], event.operation, event.start_ns,
             event.end_ns);
      } else {
        const TraceWait& wait = recording_.waits[lane.waits[w]];
        const size_t part = recording_.operations.size() + static_cast<size_t>(wait.cause);
        item(StreamRecord::Kind::wait, lane.waits[w++], part, wait.start_ns, wait.end_ns);
      }
    }
  }

 private:
  void item(StreamRecord::Kind kind, uint32_t index, size_t part, int64_t start, int64_t end) {
    if (end - start >= shortest_ns_) {
      in_crowd_ = false;
      sink_.show(kind, index, start, end);
      return;
    }
    const int64_t cell = (start - recording_.start_ns) / shortest_ns_;
    if (!in_crowd_ || cell != cell_) {
      in_crowd_ = true;
      cell_ = cell;
      ++crowd_;
      sink_.begin_crowd(start);
    }
    if (crowd_of_part_[part] != crowd_) {
      crowd_of_part_[part] = crowd_;
      sink_.begin_part(part);
    }
    sink_.add(part, kind, index, end);
  }

  const Recording& recording_;
  const int64_t shortest_ns_;
  Sink& sink_;
  bool in_crowd_ = false;
  int64_t cell_ = 0;
  uint64_t crowd_ = 0;                   // counts all crowds
  std::vector<uint64_t> crowd_of_part_;  // the last crowd that an operation or cause was in
};

struct Counter {
  size_t records = 0;
  void show(StreamRecord::Kind, uint32_t, int64_t, int64_t) { ++records; }
  void begin_crowd(int64_t) { ++records; }
  void begin_part(size_t) { ++records; }
  void add(size_t, StreamRecord::Kind, uint32_t, int64_t) {}
};

class Builder {
 public:
  explicit Builder(const Recording& recording)
      : recording_(recording), place_(recording.operations.size() + kWaitCauses) {}
  LaneDetail take() { return std::exchange(lane_, {}); }

  void show(StreamRecord::Kind kind, uint32_t index, int64_t start, int64_t end) {
    lane_.records.push_back({kind, index, 0, start, end});
  }
  void begin_crowd(int64_t start) {
    const auto first = static_cast<uint32_t>(lane_.parts.size());
    lane_.records.push_back({StreamRecord::Kind::crowd, first, 0, start, start});
  }
  void begin_part(size_t part) {
    place_[part] = lane_.parts.size();
    const size_t operations = recording_.operations.size();
    CrowdPart& made = lane_.parts.emplace_back();
    made.is_wait = part >= operations;
    made.number = static_cast<uint32_t>(made.is_wait ? part - operations : part);
    ++lane_.records.back().parts;
  }
  void add(size_t part, StreamRecord::Kind kind, uint32_t index, int64_t end) {
    CrowdPart& sums = lane_.parts[place_[part]];
    lane_.records.back().end_ns = std::max(lane_.records.back().end_ns, end);
    ++sums.count;
    if (kind == StreamRecord::Kind::wait) {
      const TraceWait& wait = recording_.waits[index];
      sums.busy_ns += wait.end_ns - wait.start_ns;
      return;
    }
    const TraceEvent& event = recording_.events[index];
    sums.failed += event.failed;
    sums.busy_ns += event.end_ns - event.start_ns;
    sums.bytes_in += event.bytes_in;
    sums.bytes_out += event.bytes_out;
  }

 private:
  const Recording& recording_;
  LaneDetail lane_;
  std::vector<size_t> place_;  // by operation and cause: where in parts, in the crowd under way
};

size_t records_at(const Recording& recording, const std::vector<Lane>& lanes, int64_t shortest_ns) {
  Counter counter;
  Walk<Counter> walk(recording, shortest_ns, counter);
  for (const Lane& lane : lanes) walk.lane(lane);
  return counter.records;
}

}  // namespace

Detail detail_of(const Recording& recording, const std::vector<Lane>& lanes, size_t most_records) {
  Detail detail;
  if (recording.events.size() + recording.waits.size() > most_records) {
    const int64_t longest = 2 * (recording.end_ns - recording.start_ns) + kFirstShortestNs;
    detail.shortest_ns = kFirstShortestNs;
    while (detail.shortest_ns < longest &&
           records_at(recording, lanes, detail.shortest_ns) > most_records)
      detail.shortest_ns *= 2;
  }
  Builder builder(recording);
  Walk<Builder> walk(recording, detail.shortest_ns, builder);
  for (const Lane& lane : lanes) {
    walk.lane(lane);
    detail.lanes.push_back(builder.take());
  }
  return detail;
}

std::vector<SpillRecord> spills_of(const Recording& recording, const std::vector<Lane>& lanes,
                                   size_t most_records) {
  std::vector<SpillRecord> all;
  for (uint32_t l = 0; l < lanes.size(); ++l) {
    for (const bool read_back : {false, true}) {
      for (const uint32_t s : lanes[l].spills) {
        const TraceSpill& spill = recording.spills[s];
        if ((spill.read_back != 0) == read_back)
          all.push_back({l, read_back, 1, spill.bytes, spill.start_ns, spill.end_ns});
      }
    }
  }
  while (all.size() > std::max(most_records, 2 * lanes.size())) {
    std::vector<SpillRecord> merged;
    bool may_join = false;  // the last one is not joined yet
    for (const SpillRecord& spill : all) {
      SpillRecord* last = merged.empty() ? nullptr : &merged.back();
      if (may_join && last->lane == spill.lane && last->read_back == spill.read_back) {
        last->count += spill.count;
        last->bytes += spill.bytes;
        last->end_ns = std::max(last->end_ns, spill.end_ns);
        may_join = false;
      } else {
        merged.push_back(spill);
        may_join = true;
      }
    }
    all = std::move(merged);
  }
  return all;
}

TUFF_NAMESPACE_END
