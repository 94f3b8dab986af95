// Task graphs: cull and lower -> fuse -> order -> run; see tasks.h. The counterpart of compute.cpp.
#include "tuff/tasks.h"

#include <algorithm>

#include "tuff/base/error.h"
#include "tuff/graph/lower_tasks.h"
#include "tuff/optimize/fuse_tasks.h"
#include "tuff/optimize/order.h"
#include "tuff/schedule/run.h"

TUFF_NAMESPACE_BEGIN

struct TaskPlan::State {
  State(PlanArrays arrays, double width) : runner(std::move(arrays)), ave_width(width) {}
  Runner runner;
  double ave_width;
};

TaskPlan compile(const TaskGraph& graph, const Keys& outputs, const TaskCompileOptions& options) {
  if (outputs.empty()) throw InvalidArgument("compile", "no outputs; at least one node is needed");
  const std::vector<TaskRef> handles = outputs.handles(graph, "compile");
  PlanArrays plan = graph::lower_tasks(graph, handles);
  const int threads = options.threads > 0 ? options.threads : Context::current().threads();
  const optimize::TaskFusion fusion = optimize::fuse_tasks(plan, options.widths, threads);
  if (options.order) optimize::order(plan);
  return TaskPlan(std::make_shared<const TaskPlan::State>(std::move(plan), fusion.ave_width));
}

TaskCompileOptions detail::task_options_for(const RunOptions& options) {
  const Context& context = options.context != nullptr ? *options.context : Context::current();
  TaskCompileOptions compile;
  compile.threads = std::min(options.threads.value_or(context.threads()), context.threads());
  return compile;
}

std::vector<Value> TaskPlan::run(const RunOptions& options) const {
  return state_->runner.run({}, options);
}
size_t TaskPlan::task_count() const { return state_->runner.arrays().task_count(); }
double TaskPlan::ave_width() const { return state_->ave_width; }
const PlanArrays& TaskPlan::arrays() const { return state_->runner.arrays(); }

TUFF_NAMESPACE_END
