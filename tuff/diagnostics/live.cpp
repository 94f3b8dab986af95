// See live.h.
#include "tuff/diagnostics/live.h"

#include <algorithm>
#include <ctime>
#include <limits>

#include "tuff/base/context.h"
#include "tuff/base/version.h"
#include "tuff/diagnostics/json.h"
#include "tuff/schedule/memory_statistics.h"

TUFF_NAMESPACE_BEGIN

namespace {

constexpr int64_t kUnderWay = std::numeric_limits<int64_t>::max();
constexpr uint32_t kNoRow = UINT32_MAX;
constexpr uint32_t kOthers = 0;  // number of the operation that stands for those without one

/// Processor time of this process so far, of all its threads.
uint64_t processor_ns() {
  timespec time{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return 0;
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

template <class... Items>
void put_list(JsonWriter& json, const Items&... items) {
  json.open('[');
  (json.value(items), ...);
  json.close(']');
}

}  // namespace

LiveState::LiveState(Context& context)
    : context_(context),
      threads_(static_cast<uint32_t>(context.threads())),
      origin_ns_(trace_now_ns()) {
  operations_.push_back({.name = "others"});
  // The service behind it is made now: it is not to be the last of the context, made on another thread.
  static_cast<void>(memory_statistics(&context));
  for (uint32_t thread = 0; thread < threads_; ++thread) row_of(0, thread);
}

// --- Parts of traces, on the threads of runs ---------------------------------------------------------

void LiveState::on_part(const TraceRun& part) {
  const std::lock_guard lock(mutex_);
  TracedRun& run = traced(part);
  uint32_t row = kNoRow;
  uint32_t thread = UINT32_MAX;
  for (const TraceEvent& event : part.events) {
    const uint32_t number = (*run.numbers)[event.operation];
    Operation& operation = operations_[number];
    ++operation.done;
    operation.failed += event.failed;
    operation.busy_ns += event.end_ns - event.start_ns;
    operation.bytes_in += event.bytes_in;
    operation.bytes_out += event.bytes_out;
    operation.has_changed = true;
    ++run.done[event.operation];
    busy_ns_ += event.end_ns - event.start_ns;
    if (event.thread != thread) row = row_of(run.client, thread = event.thread);
    if (row != kNoRow) draw(row, number, event);
  }
  tasks_ += part.events.size();
  for (const TraceWait& wait : part.waits)
    wait_ns_[static_cast<size_t>(wait.cause)] += wait.end_ns - wait.start_ns;
}

void LiveState::on_run(const TraceRun& run) {
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(traced_.begin(), traced_.end(),
                               [&](const TracedRun& traced) { return traced.id == run.id; });
  if (at == traced_.end()) return;
  // What did not run will not run any more.
  for (size_t o = 0; o < at->plan->task_count.size(); ++o) {
    Operation& operation = operations_[(*at->numbers)[o]];
    operation.total -= at->plan->task_count[o] - at->done[o];
    operation.has_changed = true;
  }
  client_busy_until_[at->client] = run.end_ns;
  traced_.erase(at);
}

LiveState::TracedRun& LiveState::traced(const TraceRun& part) {
  for (TracedRun& run : traced_) {
    if (run.id == part.id) return run;
  }
  TracedRun run;
  run.id = part.id;
  run.plan = part.plan;
  run.numbers = numbers_of(part.plan);
  run.done.resize(part.plan->operations.size());
  run.client = client_at(part.start_ns);
  TracedRun& kept = traced_.emplace_back(std::move(run));
  for (size_t o = 0; o < kept.plan->task_count.size(); ++o) {
    Operation& operation = operations_[(*kept.numbers)[o]];
    operation.total += kept.plan->task_count[o];
    operation.has_changed = true;
  }
  return kept;
}

LiveState::Numbers LiveState::numbers_of(const std::shared_ptr<const TracePlan>& plan) {
  const bool is_last = !last_plan_.owner_before(plan) && !plan.owner_before(last_plan_);
  if (is_last && last_numbers_ != nullptr) return last_numbers_;
  auto numbers = std::make_shared<std::vector<uint32_t>>();
  for (const std::string& name : plan->operations) numbers->push_back(number_of(name));
  last_plan_ = plan;
  last_numbers_ = numbers;
  return numbers;
}

uint32_t LiveState::number_of(const std::string& name) {
  const auto found = number_of_name_.find(name);
  if (found != number_of_name_.end()) return found->second;
  if (operations_.size() > kMostOperations) return kOthers;
  const auto number = static_cast<uint32_t>(operations_.size());
  number_of_name_.emplace(name, number);
  operations_.push_back({.name = name});
  return number;
}

/// The first client that was free at this time: runs that overlap get rows of their own.
uint32_t LiveState::client_at(int64_t start_ns) {
  const auto free = std::find_if(client_busy_until_.begin(), client_busy_until_.end(),
                                 [&](int64_t until) { return until <= start_ns; });
  const auto client = static_cast<uint32_t>(free - client_busy_until_.begin());
  if (free == client_busy_until_.end()) client_busy_until_.push_back(0);
  client_busy_until_[client] = kUnderWay;
  return client;
}

/// kNoRow: there are enough already, and this one is counted but not drawn.
uint32_t LiveState::row_of(uint32_t client, uint32_t thread) {
  for (uint32_t r = 0; r < rows_.size(); ++r) {
    if (rows_[r].client == client && rows_[r].thread == thread) return r;
  }
  if (rows_.size() >= kMostRows) return kNoRow;
  rows_.push_back({client, thread, std::vector<Bin>(kBins)});
  return static_cast<uint32_t>(rows_.size() - 1);
}

void LiveState::draw(uint32_t row, uint32_t operation, const TraceEvent& event) {
  const int64_t start = std::max<int64_t>(event.start_ns - origin_ns_, 0);
  const int64_t end = std::max(event.end_ns - origin_ns_, start);
  if (end - start >= kBoxNs) {
    if (boxes_.size() >= kMostBoxes) boxes_.pop_front();
    boxes_.push_back({next_box_++, row, operation, event.task, event.failed, start, end});
    return;
  }
  for (int64_t bin = start / kBinNs; bin <= end / kBinNs; ++bin) {
    const int64_t inside = std::min(end, (bin + 1) * kBinNs) - std::max(start, bin * kBinNs);
    add_to_bin(row, bin, operation, inside);
  }
}

void LiveState::add_to_bin(uint32_t row, int64_t number, uint32_t operation, int64_t ns) {
  const auto place = static_cast<uint32_t>(number % kBins);
  Bin& bin = rows_[row].bins[place];
  if (bin.number > number) return;  // half a minute ago
  if (bin.number < number) {
    bin.number = number;
    bin.count = 0;
  }
  if (!bin.has_changed) changed_bins_.emplace_back(row, place);
  bin.has_changed = true;
  bin.add(operation, static_cast<uint32_t>(ns));
}

void LiveState::Bin::add(uint32_t which, uint32_t ns) {
  uint32_t at = 0;
  while (at < count && operation[at] != which) ++at;
  if (at == kBinOperations) {
    operation[--at] = kOthers;
  } else if (at == count) {
    operation[count] = which;
    busy_ns[count++] = 0;
  }
  busy_ns[at] += ns;
}

// --- Runs, on the threads that start them -------------------------------------------------------------

void LiveState::on_start(const std::shared_ptr<const RunProgress>& progress) {
  const std::lock_guard lock(mutex_);
  active_runs_.push_back({.number = ++run_count_,
                          .thread = std::this_thread::get_id(),
                          .progress = progress,
                          .start_ns = now()});
}

void LiveState::on_finish(bool failed) {
  const std::lock_guard lock(mutex_);
  // A thread runs one outermost plan at a time.
  const auto at = std::find_if(active_runs_.begin(), active_runs_.end(), [](const Run& run) {
    return run.thread == std::this_thread::get_id();
  });
  if (at == active_runs_.end()) return;
  Run run = std::move(*at);
  active_runs_.erase(at);
  run.end_ns = now();
  run.done = run.progress->tasks_done.load(std::memory_order_relaxed);
  run.total = run.progress->tasks_total.load(std::memory_order_relaxed);
  run.progress.reset();
  run.failed = failed;
  if (failed) ++failed_runs_;
  if (ended_runs_.size() >= kMostEndedRuns) ended_runs_.pop_front();
  ended_runs_.push_back(std::move(run));
}

// --- Messages, on the server's thread -----------------------------------------------------------------

std::string LiveState::step() {
  const MemoryStatistics memory = memory_statistics(&context_);
  Sample look;
  look.figures = {resident_.bytes(), memory.live_bytes,    memory.budget_bytes,
                  memory.disk_bytes, memory.spilled_bytes, memory.read_back_bytes,
                  processor_ns()};
  JsonWriter json;
  const std::lock_guard lock(mutex_);
  take_sample(look);
  json.open('{');
  json.member("now", now());
  put_operations(json, false);
  if (told_rows_ != rows_.size()) put_rows(json);
  told_rows_ = rows_.size();
  json.key("bins");
  json.open('[');
  for (const auto& [row, place] : changed_bins_) {
    Bin& bin = rows_[row].bins[place];
    bin.has_changed = false;
    put_bin(json, row, bin);
  }
  json.close(']');
  changed_bins_.clear();
  put_boxes(json, told_boxes_);
  told_boxes_ = next_box_;
  put_samples(json, samples_.size() - 1);
  put_runs(json);
  json.close('}');
  return json.take();
}

std::string LiveState::snapshot() {
  JsonWriter json;
  json.open('{');
  // Bins row by row, for workers wait meanwhile; what comes in between is told again by the next step.
  size_t rows = 0;
  {
    const std::lock_guard lock(mutex_);
    rows = rows_.size();
    json.key("first");
    json.open('{');
    json.member("version", TUFF_VERSION);
    json.member("threads", threads_);
    json.member("bin", kBinNs);
    json.member("bins", kBins);
    json.close('}');
    put_rows(json);
  }
  json.key("bins");
  json.open('[');
  for (uint32_t row = 0; row < rows; ++row) {
    const std::lock_guard lock(mutex_);
    const int64_t oldest = std::max<int64_t>(now() / kBinNs - kBins, -1);  // -1: never used
    for (const Bin& bin : rows_[row].bins) {
      if (bin.number > oldest) put_bin(json, row, bin);
    }
  }
  json.close(']');
  const std::lock_guard lock(mutex_);
  json.member("now", now());
  put_operations(json, true);
  put_boxes(json, 0);
  put_samples(json, 0);
  put_runs(json);
  json.close('}');
  return json.take();
}

void LiveState::take_sample(const Sample& look) {
  Sample& sample = samples_.emplace_back(look);
  sample.time_ns = now();
  sample.busy_ns = busy_ns_;
  sample.tasks = tasks_;
  sample.wait_ns = wait_ns_;
  const int64_t oldest = sample.time_ns - kBins * kBinNs;
  // One older than the picture, where its lines begin.
  while (samples_.size() > 2 && samples_[1].time_ns < oldest) samples_.pop_front();
  while (!boxes_.empty() && boxes_.front().end_ns < oldest) boxes_.pop_front();
}

void LiveState::put_operations(JsonWriter& json, bool all) {
  json.key("operations");
  json.open('[');
  for (size_t o = 0; o < operations_.size(); ++o) {
    Operation& operation = operations_[o];
    if (all ? operation.done + operation.total == 0 : !operation.has_changed) continue;
    if (!all) operation.has_changed = false;
    put_list(json, o, operation.name, operation.done, operation.failed, operation.total,
             operation.busy_ns, operation.bytes_in, operation.bytes_out);
  }
  json.close(']');
}

void LiveState::put_rows(JsonWriter& json) const {
  json.key("rows");
  json.open('[');
  for (const Row& row : rows_) put_list(json, row.client, row.thread);
  json.close(']');
}

void LiveState::put_bin(JsonWriter& json, uint32_t row, const Bin& bin) const {
  json.open('[');
  json.value(row);
  json.value(bin.number);
  for (uint32_t i = 0; i < bin.count; ++i) {
    json.value(bin.operation[i]);
    json.value(bin.busy_ns[i]);
  }
  json.close(']');
}

void LiveState::put_boxes(JsonWriter& json, uint64_t first) const {
  json.key("boxes");
  json.open('[');
  const auto before =
      std::lower_bound(boxes_.begin(), boxes_.end(), first,
                       [](const Box& box, uint64_t number) { return box.number < number; });
  for (auto box = before; box != boxes_.end(); ++box) {
    put_list(json, box->number, box->row, box->operation, box->task, box->failed, box->start_ns,
             box->end_ns);
  }
  json.close(']');
}

void LiveState::put_samples(JsonWriter& json, size_t first) const {
  json.key("samples");
  json.open('[');
  for (size_t s = first; s < samples_.size(); ++s) {
    json.open('[');
    json.value(samples_[s].time_ns);
    for (const uint64_t figure : samples_[s].figures) json.value(figure);
    json.value(samples_[s].busy_ns);
    json.value(samples_[s].tasks);
    for (const int64_t ns : samples_[s].wait_ns) json.value(ns);
    json.close(']');
  }
  json.close(']');
}

void LiveState::put_runs(JsonWriter& json) const {
  json.key("runs");
  json.open('{');
  json.key("active");
  json.open('[');
  for (size_t r = 0; r < std::min(active_runs_.size(), kMostActiveRuns); ++r) {
    const Run& run = active_runs_[r];
    put_list(json, run.number, run.start_ns,
             run.progress->tasks_done.load(std::memory_order_relaxed),
             run.progress->tasks_total.load(std::memory_order_relaxed));
  }
  json.close(']');
  json.key("ended");
  json.open('[');
  for (const Run& run : ended_runs_) {
    put_list(json, run.number, run.start_ns, run.end_ns, run.done, run.total, run.failed ? 1 : 0);
  }
  json.close(']');
  json.member("underWay", active_runs_.size());
  json.member("count", run_count_);
  json.member("failed", failed_runs_);
  json.close('}');
}

TUFF_NAMESPACE_END
