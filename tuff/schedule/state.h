// What a run knows about its tasks and values: who still waits for whom, who still reads what.
//
// No threads and no clock in here: run.cpp calls begin() and finish() from its workers, and tests call
// them one by one. Program is the plan in the order in which a worker reads it (made once, immutable);
// RunState holds the counts and values of one run.
// Invariants: waits[t] is the number of unfinished tasks, or bundles of such, that t waits for; uses[s] is
// the number of reads of slot s by unfinished tasks, and a counted slot holds a value from its producer's
// finish to its last reader's. Counts may be left at 1 once they have served: whoever sees 1 is the last
// and needs no atomic read-modify-write (6 ns on an uncontended line, the largest cost of a tiny task).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tuff/base/value.h"
#include "tuff/graph/plan.h"
#include "tuff/schedule/run_order.h"

TUFF_NAMESPACE_BEGIN

/// What a worker needs to know of a task, on half a cache line.
struct TaskRecord {
  const TaskFunction* function = nullptr;
  uint32_t block = 0;
  uint32_t input = 0;      ///< first of its reads
  uint32_t successor = 0;  ///< first of its successors
  uint32_t output = 0;     ///< first of its output slots
  uint32_t input_count = 0;
  uint32_t output_count = 0;                                    ///< with marks on top
  static constexpr uint32_t kDropsOutputs = uint32_t{1} << 31;  ///< some outputs have no reader
  static constexpr uint32_t kInBundle = uint32_t{1} << 30;      ///< counts down with its bundle
  static constexpr uint32_t kReadsBundles = uint32_t{1} << 29;
  static constexpr uint32_t kMostOutputs = kReadsBundles - 1;
};

/// Tasks that all have the same successors, as those on one side of an all-to-all exchange. They count
/// down one count together, and the last of them that of each successor; likewise their values, read by
/// the same tasks, have one count and are freed together. So n tasks with n readers make 2 n counts
/// instead of n^2, on lines for which all threads wait (32 with 32, two threads: 425 to 125 ns per task).
struct Bundles {
  Rows readers;  ///< by bundle
  Rows slots;    ///< by bundle: the values of its tasks
  // By task; empty when there are no bundles:
  std::vector<uint32_t> bundle_of;  ///< of tasks with kInBundle
  Rows read;                        ///< bundles of which it reads every value
  size_t count() const { return readers.count(); }
};

/// A plan, with everything that does not change between runs worked out.
class Program {
 public:
  /// Fewer tasks or readers than this are no bundle: their edges cost less than what a bundle needs.
  static constexpr uint32_t kLeastBundle = 4;
  /// Renumbers the plan's tasks (run_order.h). `least_bundle`: for tests, which have small graphs.
  explicit Program(PlanArrays arrays, uint32_t least_bundle = kLeastBundle)
      : Program(in_run_order(std::move(arrays)), least_bundle) {}

  // A read is a slot number, or with kConstant an index into plan.constants, plus flags.
  static constexpr uint32_t kUncounted = uint32_t{1} << 31;  ///< the value stays until the run ends
  static constexpr uint32_t kConstant = uint32_t{1} << 30;   ///< the value is the plan's own
  static constexpr uint32_t kBundled = uint32_t{1} << 29;    ///< its bundle counts the reads
  static constexpr uint32_t kRepeated = uint32_t{1} << 28;   ///< the task reads this slot twice
  static constexpr uint32_t kSlotMask = kRepeated - 1;

  /// Functions are asked for this many tasks ahead: in a task graph each task has one of its own.
  static constexpr uint32_t kTasksAhead = 4;

  PlanArrays plan;
  bool by_number;  ///< workers take the ready task of the lowest number; else depth first
  std::vector<TaskRecord>
      tasks;  ///< and kTasksAhead more; the first of those ends the last one's rows
  std::vector<uint32_t> reads;
  Bundles bundles;
  std::vector<uint32_t> wait_count;   ///< by task: those not in a bundle, and bundles
  std::vector<uint32_t> kept_slots;   ///< uncounted slots of the run's own: freed when it ends
  std::vector<uint8_t> output_moves;  ///< by output: may be moved out (else it is copied)
  std::vector<uint32_t> constant_of_output;  ///< by output: index into plan.constants, or kNone
  std::vector<Value*> constants;             ///< never written through
  uint32_t most_inputs = 0;
  uint32_t most_successors = 0;

  static constexpr uint32_t kNone = UINT32_MAX;

 private:
  Program(RunOrder order, uint32_t least_bundle);
  void encode_reads(const std::vector<uint32_t>& constant_of_slot);
  void find_bundles(uint32_t least);
  void add_bundle(const std::vector<uint32_t>& members);
  void mark_readers_of_bundles();
  void make_records();
  void decide_outputs(const std::vector<uint32_t>& constant_of_slot);
};

/// Where a task stands between two events.
enum class TaskPhase : uint8_t { waiting, running, finished };

/// Counts and values of one run. Reused: reset() costs two copies of flat arrays.
class RunState {
 public:
  explicit RunState(const Program& program);

  /// Before a run. Every value must be empty.
  void reset();
  /// After a failed run: frees whatever values are left. Nobody may be running tasks.
  void clear();
  /// Moves the parameters in. They are as many as the plan has.
  void set_parameters(std::vector<Value> parameters);
  /// The outputs in order; frees everything else. All tasks must have finished.
  std::vector<Value> take_outputs();

  /// The task's inputs, and which of them it may consume. `kShared`: other threads are in this run.
  template <bool kShared>
  void begin(const TaskRecord& task, Value** inputs, bool* last_use) {
    const uint32_t* reads = program_.reads.data() + task.input;
    // For finish(), and for the first reader of the output. Of a plan larger than the caches, each line
    // costs 30-100 ns when it is first touched, unless it was asked for ahead: the four places that do
    // so halve the time per task of irregular graphs (127 to 60 ns on 1e5 tasks with 2 random inputs).
    prefetch(values_.get() + task.output);
    prefetch(uses_.data() + task.output);
    prefetch(program_.plan.successors.items.data() + task.successor);
    // Tasks run in the order of their numbers, or nearly: what this one calls is needed soon.
    prefetch((&task + Program::kTasksAhead)->function);
    for (uint32_t i = 0; i < task.input_count; ++i) {
      const uint32_t read = reads[i];
      if (read < Program::kRepeated) [[likely]] {
        inputs[i] = &values_[read];
        last_use[i] = load<kShared>(uses_[read]) == 1;
      } else {
        const uint32_t index = read & Program::kSlotMask;
        inputs[i] = (read & Program::kConstant) != 0 ? program_.constants[index] : &values_[index];
        last_use[i] = false;
      }
    }
  }

  /// Whether the task had become ready before others came in: whoever shares leaves the last count.
  bool was_ready(uint32_t task) {
    return std::atomic_ref(waits_[task]).load(std::memory_order_relaxed) == 0;
  }
  /// What the slot holds. Whoever asks knows that no task is using it.
  Value& value(uint32_t slot) { return values_[slot]; }
  std::span<Value> outputs(const TaskRecord& task) {
    return {values_.get() + task.output, task.output_count & TaskRecord::kMostOutputs};
  }

  /// The task has run: frees what nobody reads any more, and calls `ready` for each task that waited
  /// for this one only, highest number first.
  template <bool kShared, class Ready>
  void finish(const TaskRecord& task, const bool* last_use, Ready&& ready) {
    const uint32_t* reads = program_.reads.data() + task.input;
    for (uint32_t i = 0; i < task.input_count; ++i) {
      const uint32_t slot = reads[i] & Program::kSlotMask;
      if (last_use[i] || (reads[i] < Program::kBundled && count_down<kShared>(uses_[slot]))) {
        values_[slot].reset();
      }
    }
    if (task.output_count > TaskRecord::kMostOutputs) [[unlikely]] {
      if (finish_marked<kShared>(task, ready)) return;
    }
    count_successors<kShared>(program_.plan.successors.items.data() + task.successor,
                              program_.plan.successors.items.data() + (&task)[1].successor, ready);
  }

  /// Whether every value is gone and every count is within what the plan allows. For tests.
  bool is_clean() const;
  /// Works out from where all tasks stand what each count and value must be. Returns the first that is
  /// otherwise, in words; empty when all is well. For tests, between events of a run that has its
  /// parameters and not given its outputs away.
  std::string sanity_check(std::span<const TaskPhase> phases) const;

 private:
  static void prefetch(const void* line) { __builtin_prefetch(line); }
  // Each count down releases what its task did: the inputs that it read, the outputs that it wrote. It is a
  // read-modify-write, so whoever acquires the last value has acquired all of them; and who finds 1 hands the
  // ready task on with a release of its own (Deque::push), or runs it. begin() finds 1 likewise: all other
  // readers are done, so the value may be consumed.
  template <bool kShared>
  static uint32_t load(uint32_t& count) {
    if constexpr (!kShared) return count;
    return std::atomic_ref(count).load(std::memory_order_acquire);
  }
  /// Whether this was the last one.
  template <bool kShared>
  static bool count_down(uint32_t& count) {
    if constexpr (!kShared) return count-- == 1;
    const std::atomic_ref shared(count);
    if (shared.load(std::memory_order_acquire) == 1) return true;
    return shared.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  template <bool kShared, class Ready>
  void count_successors(const uint32_t* first, const uint32_t* end, Ready&& ready) {
    while (end != first) {
      --end;
      const TaskRecord& record = program_.tasks[*end];
      prefetch(&record);
      if (count_down<kShared>(waits_[*end])) {
        prefetch(values_.get() + record.output);
        prefetch(program_.reads.data() + record.input);
        ready(*end);
      }
    }
  }
  /// What few tasks have to do. True when the successors have been seen to.
  template <bool kShared, class Ready>
  bool finish_marked(const TaskRecord& task, Ready&& ready) {
    const Bundles& bundles = program_.bundles;
    const auto number = static_cast<size_t>(&task - program_.tasks.data());
    if ((task.output_count & TaskRecord::kDropsOutputs) != 0) drop_outputs(task);
    if ((task.output_count & TaskRecord::kReadsBundles) != 0) {
      for (uint32_t bundle : bundles.read[number]) {
        if (!count_down<kShared>(bundle_counts_[bundle].uses)) continue;
        for (uint32_t slot : bundles.slots[bundle]) values_[slot].reset();
      }
    }
    if ((task.output_count & TaskRecord::kInBundle) == 0) return false;
    const uint32_t bundle = bundles.bundle_of[number];
    if (count_down<kShared>(bundle_counts_[bundle].waits)) {
      const std::span<const uint32_t> readers = bundles.readers[bundle];
      count_successors<kShared>(readers.data(), readers.data() + readers.size(), ready);
    }
    return true;
  }
  void drop_outputs(const TaskRecord& task);
  std::string check_waits(std::span<const TaskPhase> phases) const;
  std::string check_bundles(std::span<const TaskPhase> phases) const;
  std::string check_slots(std::span<const TaskPhase> phases) const;

  const Program& program_;
  std::unique_ptr<Value[]> values_;
  std::vector<uint32_t> waits_;
  std::vector<uint32_t> uses_;
  /// Each on a line of its own: all threads count on that of the step that they are at.
  struct alignas(64) BundleCount {
    uint32_t waits = 0;  // its tasks that have not finished
    uint32_t uses = 0;   // its readers that have not finished
  };
  std::vector<BundleCount> bundle_counts_;
};

TUFF_NAMESPACE_END
