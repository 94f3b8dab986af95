// Three readers of runs that add up what happened: by task, by resource, by result held in memory.
//
// Each is given to one run (RunOptions::trace, RunOptions::observer) or to all runs of a context (Watch);
// may see several runs, also at the same time; and hands out plain data, or that data as text. Nothing in
// the layers below knows them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/trace.h"
#include "tuff/diagnostics/recording.h"

TUFF_NAMESPACE_BEGIN

// --- Tasks -----------------------------------------------------------------------------------------

/// Times are nanoseconds of the steady clock.
struct ProfiledTask {
  uint32_t operation = 0;  ///< index into TaskProfile::operations
  uint32_t task = 0;       ///< number in its plan
  uint32_t block = 0;      ///< linear number within the operation
  uint32_t thread = 0;
  bool failed = false;
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  friend bool operator==(const ProfiledTask&, const ProfiledTask&) = default;
};

struct TaskProfile {
  struct Operation {
    std::string name;
    uint64_t tasks = 0;
    uint64_t failed = 0;
    int64_t total_ns = 0;
    int64_t shortest_ns = 0;
    ProfiledTask longest;
    uint64_t bytes_in = 0;
    uint64_t bytes_out = 0;
  };
  std::vector<Operation> operations;  ///< in the order in which they were first seen
  std::vector<ProfiledTask> tasks;    ///< the first ones, by end within each thread
  uint64_t task_count = 0;            ///< all
  uint64_t runs = 0;                  ///< that ended
  int64_t wall_ns = 0;                ///< of these runs
  /// Operations with the longest total first: tasks, total, share, mean, shortest, longest and its block.
  TUFF_API std::string to_text() const;
};

struct TaskProfilerOptions {
  /// Most tasks that are kept one by one (48 bytes each). The sums are over all tasks, however many.
  uint64_t max_tasks = uint64_t{1} << 20;
};

/// Thread-safe. Counts what has been seen so far, runs under way included (up to 50 ms ago).
class TUFF_API TaskProfiler : public TraceSink {
 public:
  explicit TaskProfiler(const TaskProfilerOptions& options = {});
  ~TaskProfiler() override;
  TaskProfiler(const TaskProfiler&) = delete;
  TaskProfiler& operator=(const TaskProfiler&) = delete;

  TaskProfile results() const;
  std::string to_text() const { return results().to_text(); }
  void clear();

  void on_run(const TraceRun& run) override;
  bool live() const override { return true; }
  void on_part(const TraceRun& part) override;
  uint64_t max_events() const override { return 0; }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// --- Memory and processors -------------------------------------------------------------------------

struct ResourceProfile {
  std::vector<ResourceSample> samples;  ///< in order of time; cpu_percent() makes shares of them
  uint64_t peak_resident_bytes = 0;
  uint64_t peak_live_bytes = 0;
  int64_t wall_ns = 0;      ///< from the first sample to the last
  int64_t cpu_ns = 0;       ///< processor time in between, of all threads of the process
  double mean_percent = 0;  ///< of one processor
  TUFF_API std::string to_text() const;
};

struct ResourceProfilerOptions {
  /// Time between two looks. Long profiles look less often, and keep the peaks.
  double interval_seconds = 0.01;
};

/// Looks at this process while a run that it was given to is under way. Thread-safe.
class TUFF_API ResourceProfiler : public RunObserver {
 public:
  /// Throws InvalidArgument unless interval_seconds is positive.
  explicit ResourceProfiler(const ResourceProfilerOptions& options = {});
  ~ResourceProfiler() override;
  ResourceProfiler(const ResourceProfiler&) = delete;
  ResourceProfiler& operator=(const ResourceProfiler&) = delete;

  ResourceProfile results() const;
  std::string to_text() const { return results().to_text(); }
  void clear();

  void on_start(const std::shared_ptr<const RunProgress>& progress) override;
  void on_finish(bool failed) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// --- Results in memory -----------------------------------------------------------------------------

/// What one task yielded, from its end to the end of its last reader. Results of a task with several count
/// as one; what the run hands out, or nobody got to read, leaves when the run ends.
struct CachedResult {
  uint32_t operation = 0;  ///< index into CacheProfile::operations
  uint32_t task = 0;
  uint32_t block = 0;
  uint64_t bytes = 0;
  int64_t enter_ns = 0;
  int64_t leave_ns = 0;
};

struct CacheProfile {
  struct Operation {
    std::string name;
    uint64_t results = 0;
    uint64_t bytes = 0;          ///< of all of them
    uint64_t peak_bytes = 0;     ///< most at one time
    uint64_t bytes_at_peak = 0;  ///< when all operations together held most
    double byte_seconds = 0;     ///< bytes times how long they stayed
  };
  std::vector<Operation> operations;
  std::vector<CachedResult> results;  ///< by run and, within it, in the order in which they came
  uint64_t dropped = 0;  ///< tasks beyond CacheProfilerOptions::max_results: the figures miss them
  uint64_t peak_bytes = 0;
  int64_t peak_ns = 0;  ///< when
  /// Operations that held most at the peak first.
  TUFF_API std::string to_text() const;
};

/// Live bytes from this moment to the next point.
struct CachePoint {
  int64_t time_ns = 0;
  uint64_t bytes = 0;
  friend bool operator==(const CachePoint&, const CachePoint&) = default;
};
/// Over time, of one operation or of all.
TUFF_API std::vector<CachePoint> live_bytes(const CacheProfile& profile,
                                            std::optional<uint32_t> operation = {});

struct CacheProfilerOptions {
  /// Most results that are kept (48 bytes each).
  uint64_t max_results = uint64_t{1} << 22;
};

/// Thread-safe. Sees a run when it has ended. Values that are no blocks count as 0 bytes, views with the
/// bytes that they show.
class TUFF_API CacheProfiler : public TraceSink {
 public:
  explicit CacheProfiler(const CacheProfilerOptions& options = {});
  ~CacheProfiler() override;
  CacheProfiler(const CacheProfiler&) = delete;
  CacheProfiler& operator=(const CacheProfiler&) = delete;

  CacheProfile results() const;
  std::string to_text() const { return results().to_text(); }
  void clear();

  void on_run(const TraceRun& run) override;
  uint64_t max_events() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

TUFF_NAMESPACE_END
