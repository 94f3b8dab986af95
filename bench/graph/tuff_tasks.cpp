// The cases of bench/graph that look at single tasks: 50 steps on 10,000 blocks as a task graph of 510,000
// tasks, culled, fused and lowered; and a small plan, run again and again.

#include <array>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include <malloc.h>

#include "tuff/tuff.h"

#include "bench/common/bench.h"

namespace {

using tuff::Node;
using tuff::TaskGraph;

constexpr int kSteps = 50;

double add_one(double x, int) { return x + 1; }
double twice(double x, int by) { return x * by; }
double source(int64_t block) { return static_cast<double>(block % 7); }

struct Chains {
  TaskGraph graph;
  std::vector<Node<double>> ends;
};

// One chain of `kSteps` tasks per block: 25 times (x + 1) * 2.
Chains chains(bool quick) {
  Chains made;
  std::array<std::string, kSteps + 1> names;
  for (int s = 0; s <= kSteps; ++s)
    names[static_cast<size_t>(s)] = (s == 0       ? "ones-"
                                     : s % 2 == 1 ? "add-"
                                                  : "mul-") +
                                    std::to_string(s);
  const int64_t blocks = quick ? 400 : 10000;
  for (int64_t b = 0; b < blocks; ++b) {
    Node<double> x = made.graph.add({names[0], {b}}, source, b);
    for (int s = 1; s <= kSteps; ++s) {
      const tuff::TaskKey key(names[static_cast<size_t>(s)], {b});
      x = s % 2 == 1 ? made.graph.add(key, add_one, x, 1) : made.graph.add(key, twice, x, 2);
    }
    made.ends.push_back(x);
  }
  return made;
}

// The sum over all ends; the fused or culled graph must give the same.
double total(const TaskGraph& graph, const std::vector<Node<double>>& ends) {
  double sum = 0;
  for (double v : tuff::compute(graph, ends)) sum += v;
  return sum;
}

// 99 tasks in a chain of ten tens that join, then one that sums: trivial calls.
struct Small {
  TaskGraph graph;
  Node<double> end;
};

Small small_graph() {
  Small made;
  std::vector<Node<double>> row;
  for (int64_t i = 0; i < 11; ++i) {
    Node<double> x = made.graph.add(source, i);
    for (int s = 1; s < 9; ++s) x = made.graph.add(add_one, x, 1);
    row.push_back(x);
  }
  made.end = made.graph.add(
      [](const std::vector<double>& values) {
        double sum = 0;
        for (double v : values) sum += v;
        return sum;
      },
      row);
  return made;
}

// What is timed, and what it left behind.
struct Case {
  std::function<void()> run;
  std::function<double()> check;
  std::function<void()> free;
  double tasks = 0;
  int inner = 1;  // runs per repeat
};

size_t allocated() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "graph", "tuff", TUFF_VERSION);
  const tuff::RunOptions run_options{.threads = options.threads};
  const std::string_view name = options.case_name;
  const bool small = name == "plan100";
  const Chains made = small ? Chains() : chains(options.quick);
  const Small tiny = small_graph();
  std::optional<TaskGraph> result;
  std::optional<tuff::TaskPlan> plan;
  tuff::FuseOptions lines;
  lines.widths.ave_width = 1;
  const double tasks = small ? 100 : static_cast<double>(made.graph.size());

  Case chosen;
  if (name == "fuse510k") {
    chosen = {[&] { result = tuff::fuse(made.graph, lines); },
              [&] { return total(*result, made.ends); }, [&] { result.reset(); }, tasks};
  } else if (name == "cull510k") {
    chosen = {[&] { result = tuff::cull(made.graph, made.ends); },
              [&] { return total(*result, made.ends); }, [&] { result.reset(); }, tasks};
  } else if (name == "lower510k") {
    const tuff::TaskCompileOptions as_they_are{.widths = {.ave_width = 0}, .order = false};
    chosen = {[&, as_they_are] { plan = tuff::compile(made.graph, made.ends, as_they_are); },
              [&] {
                double sum = 0;
                for (tuff::Value& v : plan->run(run_options)) sum += v.get<double>();
                return sum;
              },
              [&] { plan.reset(); }, tasks};
  } else if (small) {
    plan = tuff::compile(tiny.graph, tiny.end, {.widths = {.ave_width = 0}});
    chosen = {[&] { plan->run(run_options); },
              [&] { return plan->run(run_options)[0].get<double>(); }, [] {}, tasks, 1000};
  } else {
    bench_fail("unknown case", options.case_name);
  }

  double figure = 0;
  BenchRepeat row = {0, static_cast<long>(tasks), tasks, 0, &figure, 1};
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    chosen.free();
    bench_forget_peak_rss();
    const size_t before = allocated();
    long faults = bench_minor_faults();
    const double start = bench_now();
    for (int i = 0; i < chosen.inner; ++i) chosen.run();
    row.seconds = (bench_now() - start) / chosen.inner;
    faults = bench_minor_faults() - faults;
    if (name == "lower510k") row.bytes = static_cast<double>(allocated() - before);
    if (repeat == 0) figure = chosen.check();
    bench_print(&options, repeat, faults, &row);
  }
}
