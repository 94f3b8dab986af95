// The cases of bench/graph as a user of Tuff writes them: 50 operations on an array in 10,000 blocks,
// built, compiled and run; 100 operations that share everything; a 2-d expression over 10,000 blocks.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "tuff/tuff.h"

#include "bench/common/bench.h"

namespace {

using tuff::Array;

constexpr int kOperations = 50;
constexpr int64_t kBlock = 10;  // rows and columns of a block

// (1000, 1000) in 10,000 blocks of (10, 10), in memory.
Array source(bool quick) {
  const int64_t side = quick ? 200 : 1000;
  const double* elements = bench_input(static_cast<size_t>(side * side), 0);
  return tuff::from_memory(elements, {side, side}, {.chunks = kBlock});
}

// 25 times (y + 1) * 2.
Array chain(const Array& x) {
  Array y = x;
  for (int i = 0; i < kOperations; ++i) y = i % 2 == 0 ? y + 1 : y * 2;
  return y;
}

// 100 times y + 1 on ones in 1000 blocks: each y holds the layers of the one before.
Array shared(bool quick) {
  Array y = tuff::ones({quick ? 400 : 10000}, {.chunks = 10});
  for (int i = 0; i < 100; ++i) y = y + 1;
  return y;
}

// Standard deviation by row of (x + x') less the column means.
Array expression(const Array& x) { return tuff::std((x + x.transpose()) - tuff::mean(x, 0), 1); }

double total(const std::vector<tuff::Result>& results) {
  double sum = 0;
  for (const tuff::Block& block : results[0].blocks()) {
    for (const double y : block.to_vector<double>()) sum += y;
  }
  return sum;
}

// What is timed, and what it left behind: only what the case asks for is set.
struct Case {
  std::function<void()> run;
  std::function<double()> check;  // the sum over the array, computed from what was built
  std::function<long()> tasks;
  std::function<void()> free;
  double bytes_per_element;
};

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "graph", "tuff", TUFF_VERSION);
  const tuff::RunOptions run_options{.threads = options.threads};
  const Array x = source(options.quick);
  const Array y = chain(x);
  std::optional<Array> built;
  std::optional<tuff::Plan> plan;
  double sum = 0;
  const auto no_tasks = [] { return 0L; };
  const auto plan_tasks = [&] { return static_cast<long>(plan->task_count()); };

  const std::string_view name = options.case_name;
  Case chosen;
  if (name == "build50") {
    chosen = {[&] { built = chain(x); },
              [&] { return tuff::sum(*built).compute<double>(run_options); }, no_tasks,
              [&] { built.reset(); }, 0};
  } else if (name == "optimize50") {
    chosen = {[&] { plan = tuff::compile({y}); }, [&] { return total(plan->run({}, run_options)); },
              plan_tasks, [&] { plan.reset(); }, 0};
  } else if (name == "compute50") {
    chosen = {[&] {
                plan = tuff::compile({tuff::sum(chain(x))});
                sum = plan->run({}, run_options)[0].item<double>();
              },
              [&] { return sum; }, plan_tasks, [&] { plan.reset(); }, 8};
  } else if (name == "share100/build") {
    chosen = {[&] { built = shared(options.quick); },
              [&] { return tuff::sum(*built).compute<double>(run_options); }, no_tasks,
              [&] { built.reset(); }, 0};
  } else if (name == "share100/optimize") {
    chosen = {[&] { plan = tuff::compile({shared(options.quick)}); },
              [&] { return total(plan->run({}, run_options)); }, plan_tasks, [&] { plan.reset(); },
              0};
  } else if (name == "expr2d") {
    chosen = {[&] {
                plan = tuff::compile({expression(x)});
                sum = total(plan->run({}, run_options));
              },
              [&] { return sum; }, plan_tasks, [&] { plan.reset(); }, 0};
  } else {
    bench_fail("unknown case", options.case_name);
  }

  const double elements = options.quick ? 4e4 : 1e6;
  double figure = 0;
  BenchRepeat row = {0, 0, elements, chosen.bytes_per_element * elements, &figure, 1};
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    chosen.free();
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double start = bench_now();
    chosen.run();
    row.seconds = bench_now() - start;
    faults = bench_minor_faults() - faults;
    row.tasks = chosen.tasks();
    // What the first two cases make needs 100 times as long to check as to make: once is enough.
    if (repeat == 0 || name == "compute50" || name == "expr2d") figure = chosen.check();
    bench_print(&options, repeat, faults, &row);
  }
}
