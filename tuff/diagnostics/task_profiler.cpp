// Adds up tasks as they end; see profilers.h. It reads parts of runs, so that nothing has to be kept for it.
#include <algorithm>
#include <mutex>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "tuff/diagnostics/operation_names.h"
#include "tuff/diagnostics/profilers.h"
#include "tuff/diagnostics/text.h"

TUFF_NAMESPACE_BEGIN

struct TaskProfiler::State {
  explicit State(uint64_t max_tasks_of_options) : max_tasks(max_tasks_of_options) {}
  void add(const TraceEvent& event, uint32_t operation, uint32_t block);

  const uint64_t max_tasks;
  mutable std::mutex mutex;
  OperationNames names;
  TaskProfile profile;  // operations without names
};

TaskProfiler::TaskProfiler(const TaskProfilerOptions& options)
    : state_(std::make_unique<State>(options.max_tasks)) {}
TaskProfiler::~TaskProfiler() = default;

void TaskProfiler::State::add(const TraceEvent& event, uint32_t operation, uint32_t block) {
  ProfiledTask task;
  task.operation = operation;
  task.task = event.task;
  task.block = block;
  task.thread = event.thread;
  task.failed = event.failed != 0;
  task.start_ns = event.start_ns;
  task.end_ns = event.end_ns;
  const int64_t ns = event.end_ns - event.start_ns;
  TaskProfile::Operation& sums = profile.operations[operation];
  if (sums.tasks == 0 || ns > sums.longest.end_ns - sums.longest.start_ns) sums.longest = task;
  sums.shortest_ns = sums.tasks == 0 ? ns : std::min(sums.shortest_ns, ns);
  ++sums.tasks;
  sums.failed += event.failed;
  sums.total_ns += ns;
  sums.bytes_in += event.bytes_in;
  sums.bytes_out += event.bytes_out;
  ++profile.task_count;
  if (profile.tasks.size() < max_tasks) profile.tasks.push_back(task);
}

void TaskProfiler::on_part(const TraceRun& part) {
  const std::lock_guard lock(state_->mutex);
  const std::vector<uint32_t>& numbers = state_->names.numbers_of(part.plan);
  state_->profile.operations.resize(state_->names.names().size());
  for (const TraceEvent& event : part.events) {
    const uint32_t block = part.plan->block.empty() ? 0 : part.plan->block[event.task];
    state_->add(event, numbers[event.operation], block);
  }
}

void TaskProfiler::on_run(const TraceRun& run) {
  const std::lock_guard lock(state_->mutex);
  ++state_->profile.runs;
  state_->profile.wall_ns += run.end_ns - run.start_ns;
}

TaskProfile TaskProfiler::results() const {
  const std::lock_guard lock(state_->mutex);
  TaskProfile result = state_->profile;
  for (size_t o = 0; o < result.operations.size(); ++o)
    result.operations[o].name = state_->names.names()[o];
  return result;
}

void TaskProfiler::clear() {
  const std::lock_guard lock(state_->mutex);
  state_->profile = {};
  state_->names = {};
}

std::string TaskProfile::to_text() const {
  if (task_count == 0) return "no tasks ran\n";
  std::vector<const Operation*> order;
  int64_t all_ns = 0;
  for (const Operation& operation : operations) {
    all_ns += operation.total_ns;
    if (operation.tasks > 0) order.push_back(&operation);
  }
  std::stable_sort(order.begin(), order.end(), [](const Operation* a, const Operation* b) {
    return a->total_ns > b->total_ns;
  });
  std::vector<std::vector<std::string>> rows = {
      {"operation", "tasks", "total", "share", "mean", "shortest", "longest", "at block"}};
  for (const Operation* operation : order) {
    const int64_t longest = operation->longest.end_ns - operation->longest.start_ns;
    std::string tasks_text = count_text(operation->tasks);
    if (operation->failed > 0)
      tasks_text += fmt::format(" ({} failed)", count_text(operation->failed));
    rows.push_back(
        {operation->name, tasks_text, time_text(operation->total_ns),
         percent_text(static_cast<double>(operation->total_ns), static_cast<double>(all_ns)),
         time_text(operation->total_ns / static_cast<int64_t>(operation->tasks)),
         time_text(operation->shortest_ns), time_text(longest),
         count_text(operation->longest.block)});
  }
  return fmt::format("{} task{} in {} run{}, {} in tasks, {} in runs\n\n{}", count_text(task_count),
                     task_count == 1 ? "" : "s", count_text(runs), runs == 1 ? "" : "s",
                     time_text(all_ns), time_text(wall_ns), columns_of(rows, LastColumn::number));
}

TUFF_NAMESPACE_END
