// The cases of bench/width: graphs of tiny tasks (a binary reduction, a
// stencil over time, passes of a GLM over many small blocks, a random graph) compiled at the width that
// TUFF_BENCH_WIDTH names, or automatically without it, and run.

#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tuff/tuff.h"

#include "bench/common/bench.h"

namespace {

using tuff::Node;
using tuff::TaskGraph;

// What a task does: some 100 ns of arithmetic, which its options tell.
constexpr double kCallSeconds = 100e-9;
double work(double x) {
  for (int i = 0; i < 20; ++i) x = x * 0.999 + 0.001;
  return x;
}
double leaf(int64_t i) { return work(1e-6 * static_cast<double>(i)); }
double join(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v;
  return work(sum);
}

struct Graph {
  TaskGraph graph;
  std::vector<Node<double>> ends;

  Node<double> add_leaf(int64_t i) { return told(graph.add(leaf, i)); }
  Node<double> add_join(const std::vector<Node<double>>& inputs) {
    return told(graph.add(join, inputs));
  }
  Node<double> told(Node<double> node) {
    graph.set(node, {.cost_seconds = kCallSeconds});
    return node;
  }
};

// Leaves joined in pairs, down to one.
Graph tree(int64_t leaves) {
  Graph made;
  std::vector<Node<double>> row;
  for (int64_t i = 0; i < leaves; ++i) row.push_back(made.add_leaf(i));
  while (row.size() > 1) {
    std::vector<Node<double>> next;
    for (size_t i = 0; i + 1 < row.size(); i += 2)
      next.push_back(made.add_join({row[i], row[i + 1]}));
    if (row.size() % 2 != 0) next.push_back(row.back());
    row = std::move(next);
  }
  made.ends = row;
  return made;
}

// Each cell from itself and its neighbours a step before.
Graph stencil(int64_t width, int64_t steps) {
  Graph made;
  std::vector<Node<double>> row;
  for (int64_t i = 0; i < width; ++i) row.push_back(made.add_leaf(i));
  for (int64_t s = 0; s < steps; ++s) {
    std::vector<Node<double>> next;
    for (size_t i = 0; i < row.size(); ++i) {
      std::vector<Node<double>> inputs = {row[i]};
      if (i > 0) inputs.push_back(row[i - 1]);
      if (i + 1 < row.size()) inputs.push_back(row[i + 1]);
      next.push_back(made.add_join(inputs));
    }
    row = std::move(next);
  }
  made.ends = row;
  return made;
}

// Steps of a solver: per block the predictor, the residual, and the gradient's part, a sum over all blocks
// sixteen at a time, and new coefficients for the next step.
Graph glm(int64_t blocks, int64_t steps) {
  Graph made;
  std::vector<Node<double>> data;
  for (int64_t i = 0; i < blocks; ++i) data.push_back(made.add_leaf(i));
  Node<double> beta = made.add_leaf(0);
  for (int64_t s = 0; s < steps; ++s) {
    std::vector<Node<double>> row;
    for (Node<double> block : data) {
      const Node<double> eta = made.add_join({block, beta});
      const Node<double> residual = made.add_join({eta});
      row.push_back(made.add_join({residual, block}));
    }
    while (row.size() > 1) {
      std::vector<Node<double>> next;
      for (size_t i = 0; i < row.size(); i += 16) {
        const size_t end = std::min(row.size(), i + 16);
        next.push_back(made.add_join({row.begin() + static_cast<std::ptrdiff_t>(i),
                                      row.begin() + static_cast<std::ptrdiff_t>(end)}));
      }
      row = std::move(next);
    }
    beta = made.add_join({row[0], beta});
  }
  made.ends = {beta};
  return made;
}

// Up to four inputs among the thousand tasks before.
Graph random(int64_t tasks) {
  Graph made;
  std::vector<Node<double>> all;
  uint64_t seed = 42;
  const auto draw = [&](uint64_t below) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (seed >> 33) % below;
  };
  for (int64_t t = 0; t < tasks; ++t) {
    std::vector<Node<double>> inputs;
    const uint64_t reach = std::min<uint64_t>(static_cast<uint64_t>(t), 1000);
    for (uint64_t k = t == 0 ? 0 : draw(5); k-- > 0;)
      inputs.push_back(all[static_cast<size_t>(t) - 1 - draw(reach)]);
    all.push_back(inputs.empty() ? made.add_leaf(t) : made.add_join(inputs));
  }
  made.ends.assign(all.end() - 100, all.end());
  return made;
}

Graph graph_of(std::string_view name, bool quick) {
  const int64_t scale = quick ? 10 : 1;
  if (name == "tree") return tree(50'000 / scale);
  if (name == "stencil") return stencil(1000 / scale, 100);
  if (name == "glm") return glm(3000 / scale, 10);
  if (name == "random") return random(100'000 / scale);
  bench_fail("unknown case", name.data());
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  const char* width = std::getenv("TUFF_BENCH_WIDTH");
  const std::string system = width == nullptr ? "tuff" : std::string("tuff-width-") + width;
  const BenchOptions options = bench_options(argc, argv, "width", system.c_str(), TUFF_VERSION);
  const tuff::RunOptions run_options{.threads = options.threads};
  const Graph made = graph_of(options.case_name, options.quick);
  tuff::TaskCompileOptions compile_options{.threads = options.threads};
  if (width != nullptr) compile_options.widths.ave_width = std::atof(width);
  const tuff::TaskPlan plan = tuff::compile(made.graph, made.ends, compile_options);
  fprintf(stderr, "%s: width %g, %zu tasks\n", options.case_name, plan.ave_width(),
          plan.task_count());

  double figure = 0;
  BenchRepeat row = {
      0, static_cast<long>(plan.task_count()), static_cast<double>(made.graph.size()), 0, &figure,
      1};
  constexpr int kRuns = 20;
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    std::vector<tuff::Value> values;
    const double start = bench_now();
    for (int i = 0; i < kRuns; ++i) values = plan.run(run_options);
    row.seconds = (bench_now() - start) / kRuns;
    faults = bench_minor_faults() - faults;
    figure = 0;
    for (tuff::Value& value : values) figure += value.get<double>();
    bench_print(&options, repeat, faults, &row);
  }
}
