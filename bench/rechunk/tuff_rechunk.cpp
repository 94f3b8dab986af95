// The cases of bench/rechunk: rows to columns in one step, by way of squares, and as the pass plans it.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "tuff/tuff.h"

#include "bench/common/bench.h"

namespace {

using tuff::Array;

/// "planned-4000": the way, and the extent of both axes.
struct Case {
  std::string way;
  int64_t side;
};

Case case_of(const char* name) {
  const std::string text = name;
  const size_t dash = text.find('-');
  if (dash == std::string::npos) bench_fail("unknown case", name);
  return {text.substr(0, dash), std::atoll(text.c_str() + dash + 1)};
}

double total(const tuff::Result& result) {
  double sum = 0;
  for (const tuff::Block& block : result.blocks()) {
    for (const double element : block.to_vector<double>()) sum += element;
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "rechunk", "tuff", TUFF_VERSION);
  const Case chosen = case_of(options.case_name);
  const int64_t chunks = options.quick ? 100 : 1000;
  const int64_t n = options.quick ? chosen.side / 10 : chosen.side;
  const int64_t rows = n / chunks;
  const auto groups = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(chunks))));
  const int64_t square = (chunks + groups - 1) / groups * rows;
  const double* elements = bench_input(static_cast<size_t>(n) * static_cast<size_t>(n), 0);
  // Blocks of their own, as a graph makes them, and not views of one buffer.
  const Array x = (tuff::from_memory(elements, {n, n}, {.chunks = {rows, n}}) * 1.0).persist();
  Array y = x;
  tuff::CompileOptions compile;
  compile.passes.rechunk = chosen.way == "planned";
  if (chosen.way == "merged") {
    y = y.rechunk({2 * rows, n});
  } else if (chosen.way == "stepped") {
    y = y.rechunk({square, square});
  } else if (chosen.way != "direct" && chosen.way != "planned") {
    bench_fail("unknown case", options.case_name);
  }
  if (chosen.way != "merged") y = y.rechunk({n, rows});

  std::optional<tuff::Plan> plan;
  std::optional<tuff::Result> result;
  double figure = 0;
  const auto count = static_cast<double>(n) * static_cast<double>(n);
  BenchRepeat row = {0, 0, count, 16 * count, &figure, 1};
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    result.reset();
    plan.reset();
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double start = bench_now();
    plan = tuff::compile({y}, compile);
    result = plan->run({}, {.threads = options.threads})[0];
    row.seconds = bench_now() - start;
    faults = bench_minor_faults() - faults;
    row.tasks = static_cast<long>(plan->task_count());
    figure = total(*result);
    bench_print(&options, repeat, faults, &row);
  }
}
