// oneTBB twice: a flow graph of continue_nodes, made before the clock starts, and (with -DTASK_GROUP) a
// task_group under counters of one's own, in which a task goes on with the first that it made ready.

#include <memory>
#include <string>
#include <vector>

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/task_group.h>
#include <tbb/version.h>

#include "bench/scheduler/graphs.h"

namespace {

class FlowGraph {
 public:
  static constexpr const char* kName = "tbb-flow-graph";
  explicit FlowGraph(const Graph& graph) : values_(values_of(&graph)) {
    nodes_.reserve(graph.tasks);
    for (uint32_t t = 0; t < graph.tasks; t++) {
      nodes_.push_back(std::make_unique<Node>(
          flow_, [this, t](const Message&) { graph_execute(&values_, t, true); }));
      for (uint32_t e = graph.first_read[t]; e < graph.first_read[t + 1]; e++) {
        tbb::flow::make_edge(*nodes_[graph.reads[e]], *nodes_[t]);
      }
    }
  }
  void run() {
    values_reset(&values_);
    for (uint32_t t = 0; t < nodes_.size(); t++) {
      if (graph_reads(values_.graph, t) == 0) nodes_[t]->try_put({});
    }
    flow_.wait_for_all();
  }
  double result() const { return values_result(&values_); }

 private:
  using Message = tbb::flow::continue_msg;
  using Node = tbb::flow::continue_node<Message>;
  Values values_;
  tbb::flow::graph flow_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

class TaskGroup {
 public:
  static constexpr const char* kName = "tbb-task-group";
  explicit TaskGroup(const Graph& graph)
      : graph_(graph), values_(values_of(&graph)), waits_(graph.tasks) {}
  void run() {
    values_reset(&values_);
    for (uint32_t t = 0; t < graph_.tasks; t++) waits_[t] = graph_reads(&graph_, t);
    for (uint32_t t = 0; t < graph_.tasks; t++) {
      if (graph_reads(&graph_, t) == 0) group_.run([this, t] { run_from(t); });
    }
    group_.wait();
  }
  double result() const { return values_result(&values_); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  void run_from(uint32_t task) {
    while (task != kNone) {
      graph_execute(&values_, task, true);
      uint32_t next = kNone;
      for (uint32_t e = graph_.first_user[task]; e < graph_.first_user[task + 1]; e++) {
        const uint32_t user = graph_.users[e];
        if (!graph_count_down(&waits_[user], true)) continue;
        if (next == kNone) {
          next = user;
        } else {
          group_.run([this, user] { run_from(user); });
        }
      }
      task = next;
    }
  }

  const Graph& graph_;
  Values values_;
  std::vector<uint32_t> waits_;
  tbb::task_group group_;
};

#if defined(TASK_GROUP)
using Chosen = TaskGroup;
#else
using Chosen = FlowGraph;
#endif

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options =
      bench_options(argc, argv, "scheduler", Chosen::kName, "oneTBB " TBB_VERSION_STRING);
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism,
                                    static_cast<size_t>(options.threads));
  const Graph graph = graph_of(&options);
  Chosen chosen(graph);
  const Scheduler scheduler = {&chosen, [](void* self) { static_cast<Chosen*>(self)->run(); },
                               [](void* self) { return static_cast<Chosen*>(self)->result(); },
                               nullptr};
  scheduler_bench(&options, &graph, &scheduler);
}
