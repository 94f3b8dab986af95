// What a dashboard tells: figures of everything so far, and a picture of the last half minute. Used by
// Dashboard.
//
// Fed by the workers of runs (TraceSink::on_part) and by the threads that start them; written as JSON on the
// thread of the server. The time of short tasks is added up per bin of 20 ms, so that memory and messages have
// a bound however many tasks there are: nothing in here grows with the number of tasks or runs.
//
// A message, all times in nanoseconds since the start, all figures as they are now, not changes:
//   {"now", "operations": [[number, name, done, failed, in all, time, bytes in, bytes out]],
//    "rows": [[client, thread]],                       the rows of the picture, when they have changed
//    "bins": [[row, bin, operation, time, ...]],       what the short tasks of a bin add up to
//    "boxes": [[number, row, operation, task, failed, start, end]],                    long tasks
//    "samples": [[time, resident, live, budget, disk, spilled, read back, processor time, time in tasks, tasks,
//                 waits by WaitCause ...]],
//    "runs": {"active": [[number, start, done, in all]],
//             "ended": [[number, start, end, done, in all, failed]], "underWay", "count", "failed"}}
// Of operations, bins, boxes and samples, a step has those that are new or have changed. A snapshot has all, and
// "first": {"version", "threads", "bin", "bins"}, the length of a bin and how many are kept.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/trace.h"
#include "tuff/diagnostics/event_server.h"
#include "tuff/diagnostics/sampler.h"

TUFF_NAMESPACE_BEGIN

class Context;
class JsonWriter;

class LiveState final : public TraceSink, public RunObserver, public EventFeed {
 public:
  // A screen of 1500 pixels shows one bin per pixel; what moves by 20 ms moves smoothly.
  static constexpr int64_t kBinNs = 20'000'000;
  static constexpr int64_t kBins = 1500;
  // Tasks of three bins and more are told one by one: at most 500 per row in the picture.
  static constexpr int64_t kBoxNs = 3 * kBinNs;
  static constexpr size_t kBinOperations =
      8;  // the eighth stands for all others, if there are more
  static constexpr size_t kMostBoxes = 20000;
  static constexpr size_t kMostRows = 128;        // 17 MB
  static constexpr size_t kMostOperations = 500;  // names; the rest is added up as "others"
  static constexpr size_t kMostEndedRuns = 20;
  static constexpr size_t kMostActiveRuns = 50;  // that are told

  /// The context lives as long as step() and snapshot() are called.
  explicit LiveState(Context& context);

  void on_run(const TraceRun& run) override;
  bool live() const override { return true; }
  void on_part(const TraceRun& part) override;
  uint64_t max_events() const override { return 0; }

  void on_start(const std::shared_ptr<const RunProgress>& progress) override;
  void on_finish(bool failed) override;

  std::string step() override;
  std::string snapshot() override;

 private:
  struct Operation {
    std::string name;
    uint64_t done = 0;
    uint64_t failed = 0;
    uint64_t total = 0;  ///< of the runs so far: tasks that ran, and those of runs under way
    int64_t busy_ns = 0;
    uint64_t bytes_in = 0;
    uint64_t bytes_out = 0;
    bool has_changed = false;
  };
  struct Bin {
    int64_t number = -1;
    bool has_changed = false;
    uint32_t count = 0;
    std::array<uint32_t, kBinOperations> operation = {};
    std::array<uint32_t, kBinOperations> busy_ns = {};
    void add(uint32_t which, uint32_t ns);
  };
  struct Row {
    uint32_t client = 0;
    uint32_t thread = 0;
    std::vector<Bin> bins;  ///< a ring: number % kBins
  };
  struct Box {
    uint64_t number = 0;
    uint32_t row = 0;
    uint32_t operation = 0;
    uint32_t task = 0;
    uint32_t failed = 0;
    int64_t start_ns = 0;
    int64_t end_ns = 0;
  };
  struct Sample {
    int64_t time_ns = 0;
    std::array<uint64_t, 7> figures = {};  ///< resident to processor time, as in the message
    int64_t busy_ns = 0;
    uint64_t tasks = 0;
    std::array<int64_t, kWaitCauses> wait_ns = {};
  };
  using Numbers = std::shared_ptr<const std::vector<uint32_t>>;
  /// A run whose parts come in.
  struct TracedRun {
    uint64_t id = 0;
    uint32_t client = 0;
    std::shared_ptr<const TracePlan> plan;
    Numbers numbers;             ///< by operation of the plan, its number here
    std::vector<uint64_t> done;  ///< by operation of the plan
  };
  struct Run {
    uint64_t number = 0;
    std::thread::id thread;
    std::shared_ptr<const RunProgress> progress;
    int64_t start_ns = 0;
    int64_t end_ns = 0;
    uint64_t done = 0;
    uint64_t total = 0;
    bool failed = false;
  };

  // All below: caller holds mutex_, or is the constructor.
  TracedRun& traced(const TraceRun& part);
  Numbers numbers_of(const std::shared_ptr<const TracePlan>& plan);
  uint32_t number_of(const std::string& name);
  uint32_t client_at(int64_t start_ns);
  uint32_t row_of(uint32_t client, uint32_t thread);
  void draw(uint32_t row, uint32_t operation, const TraceEvent& event);
  void add_to_bin(uint32_t row, int64_t number, uint32_t operation, int64_t ns);
  void take_sample(const Sample& look);
  void put_operations(JsonWriter& json, bool all);
  void put_rows(JsonWriter& json) const;
  void put_bin(JsonWriter& json, uint32_t row, const Bin& bin) const;
  void put_boxes(JsonWriter& json, uint64_t first) const;
  void put_samples(JsonWriter& json, size_t first) const;
  void put_runs(JsonWriter& json) const;
  int64_t now() const { return trace_now_ns() - origin_ns_; }

  Context& context_;
  const uint32_t threads_;
  const int64_t origin_ns_;
  const ResidentMemory resident_;
  std::mutex mutex_;

  std::vector<Operation> operations_;
  std::unordered_map<std::string, uint32_t> number_of_name_;
  std::weak_ptr<const TracePlan> last_plan_;  // whose numbers are kept, for the next run of it
  Numbers last_numbers_;

  std::vector<TracedRun> traced_;
  std::vector<int64_t> client_busy_until_;
  std::vector<Row> rows_;
  std::vector<std::pair<uint32_t, uint32_t>> changed_bins_;  // row and place in its ring
  std::deque<Box> boxes_;
  uint64_t next_box_ = 0;
  uint64_t told_boxes_ = 0;
  size_t told_rows_ = 0;
  int64_t busy_ns_ = 0;
  uint64_t tasks_ = 0;
  std::array<int64_t, kWaitCauses> wait_ns_ = {};

  std::deque<Sample> samples_;
  std::vector<Run> active_runs_;
  std::deque<Run> ended_runs_;
  uint64_t run_count_ = 0;
  uint64_t failed_runs_ = 0;
};

TUFF_NAMESPACE_END
