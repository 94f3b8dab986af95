// Level of detail: what is added up, that nothing is lost, and that the number of records is bounded.
#include "tuff/diagnostics/detail.h"

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace {

using tuff::CrowdPart;
using tuff::Detail;
using tuff::Lane;
using tuff::LaneDetail;
using tuff::Recording;
using tuff::SpillRecord;
using tuff::StreamRecord;
using tuff::WaitCause;

constexpr int64_t kStart = 1'000'000;

/// Tasks of random lengths with waits between some of them, one after the other on each thread.
Recording random_recording(unsigned seed, uint32_t threads, int tasks_per_thread) {
  std::mt19937 random(seed);
  const auto up_to = [&](int64_t most) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(most + 1));
  };
  Recording recording;
  recording.start_ns = kStart;
  recording.end_ns = kStart;
  recording.threads = threads;
  recording.operations = {"a", "b", "c"};
  for (uint32_t thread = 0; thread < threads; ++thread) {
    int64_t at = kStart;
    for (int i = 0; i < tasks_per_thread; ++i) {
      const int64_t start = at + up_to(50);
      // Most are short, some are long.
      at = start + (random() % 50 == 0 ? up_to(100'000) : up_to(300));
      recording.events.push_back({start, at, 10, 20, static_cast<uint32_t>(i),
                                  static_cast<uint32_t>(random() % 3), thread,
                                  random() % 100 == 0 ? 1u : 0u});
      if (random() % 3 != 0) continue;
      const int64_t end = at + up_to(1000);
      recording.waits.push_back({at, end, thread, static_cast<WaitCause>(random() % 5)});
      at = end;
    }
    recording.end_ns = std::max(recording.end_ns, at);
  }
  recording.runs = {{kStart, recording.end_ns, threads, 0, recording.events.size(), 0,
                     recording.waits.size(), 0, 0, nullptr}};
  return recording;
}

/// Count, failures, time and bytes of each operation and cause, however they are shown.
struct Sums {
  uint64_t count = 0, failed = 0, bytes_in = 0, bytes_out = 0;
  int64_t busy_ns = 0;
  friend bool operator==(const Sums&, const Sums&) = default;
};
using AllSums = std::array<Sums, 3 + tuff::kWaitCauses>;

void add_task(AllSums& sums, const tuff::TraceEvent& event) {
  Sums& own = sums[event.operation];
  ++own.count;
  own.failed += event.failed;
  own.bytes_in += event.bytes_in;
  own.bytes_out += event.bytes_out;
  own.busy_ns += event.end_ns - event.start_ns;
}
void add_wait(AllSums& sums, const tuff::TraceWait& wait) {
  Sums& own = sums[3 + static_cast<size_t>(wait.cause)];
  ++own.count;
  own.busy_ns += wait.end_ns - wait.start_ns;
}

AllSums sums_of(const Recording& recording) {
  AllSums sums;
  for (const auto& event : recording.events) add_task(sums, event);
  for (const auto& wait : recording.waits) add_wait(sums, wait);
  return sums;
}

AllSums sums_of(const Recording& recording, const Detail& detail) {
  AllSums sums;
  for (const LaneDetail& lane : detail.lanes) {
    for (const StreamRecord& record : lane.records) {
      if (record.kind == StreamRecord::Kind::task) {
        add_task(sums, recording.events[record.index]);
      } else if (record.kind == StreamRecord::Kind::wait) {
        add_wait(sums, recording.waits[record.index]);
      } else {
        for (uint32_t p = 0; p < record.parts; ++p) {
          const CrowdPart& part = lane.parts[record.index + p];
          Sums& own = sums[part.is_wait ? 3 + part.number : part.number];
          own.count += part.count;
          own.failed += part.failed;
          own.bytes_in += part.bytes_in;
          own.bytes_out += part.bytes_out;
          own.busy_ns += part.busy_ns;
        }
      }
    }
  }
  return sums;
}

size_t records_of(const Detail& detail) {
  size_t records = 0;
  for (const LaneDetail& lane : detail.lanes) records += lane.records.size() + lane.parts.size();
  return records;
}

TEST(Detail, ShowsEverythingOneByOneWhenThereIsRoom) {
  const Recording recording = random_recording(1, 3, 100);
  const size_t all = recording.events.size() + recording.waits.size();
  const Detail detail = detail_of(recording, lanes_of(recording), all);
  EXPECT_EQ(detail.shortest_ns, 0);
  EXPECT_EQ(records_of(detail), all);
  EXPECT_EQ(sums_of(recording, detail), sums_of(recording));
}

TEST(Detail, LosesNothingAndKeepsTheBound) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Recording recording = random_recording(seed, 1 + seed % 5, 3000);
    for (const size_t most : {5000, 1000, 300, 60}) {
      const Detail detail = detail_of(recording, lanes_of(recording), most);
      EXPECT_LE(records_of(detail), std::max<size_t>(most, 5 * 9)) << "seed " << seed;
      EXPECT_EQ(sums_of(recording, detail), sums_of(recording)) << "seed " << seed;
    }
  }
}

TEST(Detail, RecordsOfALaneAreInOrderAndDoNotOverlap) {
  const Recording recording = random_recording(7, 4, 2000);
  const Detail detail = detail_of(recording, lanes_of(recording), 1000);
  ASSERT_EQ(detail.lanes.size(), 4u);
  for (const LaneDetail& lane : detail.lanes) {
    int64_t end = kStart;
    for (const StreamRecord& record : lane.records) {
      EXPECT_LE(end, record.start_ns);
      EXPECT_LE(record.start_ns, record.end_ns);
      end = record.end_ns;
    }
  }
}

TEST(Detail, WhatIsLongStandsAlone) {
  const Recording recording = random_recording(7, 2, 2000);
  const Detail detail = detail_of(recording, lanes_of(recording), 500);
  ASSERT_GT(detail.shortest_ns, 0);
  size_t alone = 0;
  for (const LaneDetail& lane : detail.lanes) {
    for (const StreamRecord& record : lane.records) {
      if (record.kind == StreamRecord::Kind::crowd) {
        EXPECT_LT(record.end_ns - record.start_ns, 2 * detail.shortest_ns);
      } else {
        EXPECT_GE(record.end_ns - record.start_ns, detail.shortest_ns);
        ++alone;
      }
    }
  }
  const auto is_long = [&](const auto& item) {
    return item.end_ns - item.start_ns >= detail.shortest_ns;
  };
  EXPECT_EQ(alone, static_cast<size_t>(
                       std::count_if(recording.events.begin(), recording.events.end(), is_long) +
                       std::count_if(recording.waits.begin(), recording.waits.end(), is_long)));
}

TEST(Detail, AnEmptyRecordingHasItsLanes) {
  Recording recording;
  recording.threads = 3;
  const Detail detail = detail_of(recording, lanes_of(recording), 10);
  EXPECT_EQ(detail.lanes.size(), 3u);
  EXPECT_EQ(records_of(detail), 0u);
}

TEST(Detail, SpillsAreAddedUpWithTheirNeighboursOnly) {
  Recording recording;
  recording.threads = 2;
  recording.end_ns = 1000;
  for (int64_t i = 0; i < 100; ++i) {
    recording.spills.push_back(
        {10 * i, 10 * i + 5, 1000, static_cast<uint32_t>(i % 2), i % 5 == 0 ? 1u : 0u});
  }
  recording.runs = {{0, 1000, 2, 0, 0, 0, 0, 0, 100, nullptr}};
  const auto lanes = lanes_of(recording);
  EXPECT_EQ(spills_of(recording, lanes, 100).size(), 100u);
  for (const size_t most : {50, 20, 4, 1}) {
    const auto spills = spills_of(recording, lanes, most);
    EXPECT_LE(spills.size(), std::max<size_t>(most, 4));
    std::array<uint64_t, 4> counts{};
    uint64_t bytes = 0;
    const SpillRecord* before = nullptr;
    for (const SpillRecord& spill : spills) {
      counts[2 * spill.lane + (spill.read_back ? 1 : 0)] += spill.count;
      bytes += spill.bytes;
      if (before != nullptr && before->lane == spill.lane && before->read_back == spill.read_back) {
        EXPECT_LE(before->end_ns, spill.start_ns);
      }
      before = &spill;
    }
    EXPECT_EQ(counts, (std::array<uint64_t, 4>{40, 10, 40, 10}));
    EXPECT_EQ(bytes, 100'000u);
  }
}

TEST(Lanes, RunsThatOverlapGetLanesOfTheirOwn) {
  Recording recording;
  recording.threads = 1;
  recording.end_ns = 100;
  recording.events = {
      {0, 10, 0, 0, 0, 0, 0, 0}, {5, 15, 0, 0, 0, 0, 0, 0}, {20, 30, 0, 0, 0, 0, 0, 0}};
  recording.runs = {{0, 12, 1, 0, 1}, {4, 16, 1, 1, 2}, {16, 40, 1, 2, 3}};
  const std::vector<Lane> lanes = lanes_of(recording);
  ASSERT_EQ(lanes.size(), 2u);
  EXPECT_EQ(lanes[0].events, (std::vector<uint32_t>{0, 2}));
  EXPECT_EQ(lanes[1].client, 1u);
  EXPECT_EQ(lanes[1].events, (std::vector<uint32_t>{1}));
}

}  // namespace
