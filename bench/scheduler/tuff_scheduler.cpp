// The graphs of bench/scheduler as a user would write them: nodes of a TaskGraph, compiled (ordered, and not
// fused, so that each task is scheduled) before the clock starts, then run again and again.
//
// The case `pipelines` is at the end: blocks of a type that counts how many of it there are.

#include <array>
#include <atomic>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tuff/tuff.h"

#include "bench/scheduler/graphs.h"

namespace {

using tuff::Node;
using tuff::TaskGraph;
using Number = uint32_t;

Number spend(Number value) {
  if (graph_busy_turns > 0) graph_busy(graph_busy_turns);
  return value;
}

// The node of a task that reads these.
Node<Number> add(TaskGraph& graph, const std::vector<Node<Number>>& r) {
  switch (r.size()) {
    case 0: return graph.add([] { return spend(1); });
    case 1: return graph.add([](Number a) { return spend(1 + a); }, r[0]);
    case 2: return graph.add([](Number a, Number b) { return spend(1 + a + b); }, r[0], r[1]);
    case 3:
      return graph.add([](Number a, Number b, Number c) { return spend(1 + a + b + c); }, r[0],
                       r[1], r[2]);
    case 4:
      return graph.add(
          [](Number a, Number b, Number c, Number d) { return spend(1 + a + b + c + d); }, r[0],
          r[1], r[2], r[3]);
    default:
      return graph.add(
          [](const std::vector<Number>& all) {
            return spend(std::accumulate(all.begin(), all.end(), Number{1}));
          },
          r);
  }
}

tuff::TaskPlan compile(const Graph& graph) {
  TaskGraph tasks;
  std::vector<Node<Number>> nodes;
  std::vector<Node<Number>> ends;
  std::vector<Node<Number>> reads;
  nodes.reserve(graph.tasks);
  for (uint32_t t = 0; t < graph.tasks; ++t) {
    reads.clear();
    for (uint32_t e = graph.first_read[t]; e < graph.first_read[t + 1]; ++e)
      reads.push_back(nodes[graph.reads[e]]);
    nodes.push_back(add(tasks, reads));
    if (graph_users(&graph, t) == 0) ends.push_back(nodes.back());
  }
  return tuff::compile(tasks, ends, {.widths = {.ave_width = 0}});
}

struct Compiled {
  tuff::TaskPlan plan;
  tuff::RunOptions options;
  std::vector<tuff::Value> results;
};

void time_graph(const BenchOptions& options) {
  const Graph graph = graph_of(&options);
  Compiled compiled{compile(graph), {.threads = options.threads}, {}};
  const auto run = [](void* self) {
    Compiled& c = *static_cast<Compiled*>(self);
    c.results = c.plan.run(c.options);
  };
  const auto result = [](void* self) {
    double sum = 0;
    for (const tuff::Value& v : static_cast<Compiled*>(self)->results) sum += v.get<Number>();
    return sum;
  };
  const auto free_results = [](void* self) { static_cast<Compiled*>(self)->results = {}; };
  const Scheduler scheduler = {&compiled, run, result, free_results};
  scheduler_bench(&options, &graph, &scheduler);
}

// ---- pipelines

constexpr int kPipelines = 4;
constexpr int kBlocks = 100;
constexpr size_t kElements = 125'000;  // 1 MB of doubles

std::atomic<int> live_blocks;
std::atomic<int> most_live_blocks;

// A block of data that is counted as long as it holds any.
class CountedBlock {
 public:
  explicit CountedBlock(std::vector<double> data) : data_(std::move(data)) {
    const int live = live_blocks.fetch_add(1) + 1;
    int most = most_live_blocks.load();
    while (most < live && !most_live_blocks.compare_exchange_weak(most, live)) {
    }
  }
  CountedBlock(CountedBlock&& other) noexcept : data_(std::move(other.data_)) {
    other.data_.clear();
  }
  CountedBlock(const CountedBlock& other) : CountedBlock(other.data_) {}
  CountedBlock& operator=(const CountedBlock&) = delete;
  ~CountedBlock() {
    if (!data_.empty()) --live_blocks;
  }
  const std::vector<double>& data() const { return data_; }

 private:
  std::vector<double> data_;
};

CountedBlock load(int64_t block) {
  std::vector<double> data(kElements);
  for (size_t i = 0; i < kElements; ++i)
    data[i] = static_cast<double>(block) + static_cast<double>(i % 8);
  return CountedBlock(std::move(data));
}

CountedBlock work(const CountedBlock& block) {
  std::vector<double> data(kElements);
  for (size_t i = 0; i < kElements; ++i) data[i] = 2 * block.data()[i] + 1;
  return CountedBlock(std::move(data));
}

double reduce(const CountedBlock& block) {
  return std::accumulate(block.data().begin(), block.data().end(), 0.0);
}

double total(const std::vector<double>& parts) {
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

void time_pipelines(const BenchOptions& options) {
  TaskGraph graph;
  std::array<std::vector<Node<double>>, kPipelines> parts;
  // Written down array by array, step by step, as operations on whole arrays are.
  std::array<std::vector<Node<CountedBlock>>, kPipelines> worked;
  for (int p = 0; p < kPipelines; ++p) {
    std::vector<Node<CountedBlock>> loaded;
    for (int64_t b = 0; b < kBlocks; ++b) loaded.push_back(graph.add(load, 100 * p + b));
    for (const auto& block : loaded) worked[p].push_back(graph.add(work, block));
  }
  std::vector<Node<double>> totals;
  for (int p = 0; p < kPipelines; ++p) {
    for (const auto& block : worked[p]) parts[p].push_back(graph.add(reduce, block));
    totals.push_back(graph.add(total, parts[p]));
  }
  const tuff::TaskPlan plan = tuff::compile(graph, totals, {.widths = {.ave_width = 0}});
  const tuff::RunOptions run_options{.threads = options.threads};

  std::array<double, kPipelines> figures = {};
  BenchRepeat row = {0,
                     static_cast<long>(plan.task_count()),
                     kPipelines * kBlocks * kElements,
                     0,
                     figures.data(),
                     kPipelines};
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    most_live_blocks = 0;
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double start = bench_now();
    const std::vector<tuff::Value> results = plan.run(run_options);
    row.seconds = bench_now() - start;
    faults = bench_minor_faults() - faults;
    for (size_t p = 0; p < kPipelines; ++p) figures[p] = results[p].get<double>();
    bench_print_with(&options, repeat, faults, &row, "peak_live", most_live_blocks.load());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "scheduler", "tuff", TUFF_VERSION);
  if (std::string_view(options.case_name) == "pipelines") {
    time_pipelines(options);
  } else {
    time_graph(options);
  }
}
