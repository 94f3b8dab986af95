// The cases of bench/glm as a user of Tuff writes them, but for `flights`, which is the command line's
// (flights_peer.py). A fit is timed whole, from arrays in memory to coefficients; a pass is one of many
// over an objective that is made once: its cold repeat compiles, the warm ones bind a point.
//
// Before each warm repeat the same work runs once under a recorder, untimed, for its tasks and its white
// space.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tuff/tuff.h"

#include "bench/common/bench.h"

namespace {

using tuff::Array;

// What is timed, and what it read and gave.
struct Case {
  double elements;  // of X
  double bytes;     // that have to cross memory; 0 where nobody can say how often
  std::function<void()> run;
  std::function<std::vector<double>()> check;
};

// X (rows, columns) and y (rows,) of bench_logistic, used where they lie, in blocks of `chunk` rows.
tuff::glm::Rows data(int64_t rows, int64_t columns, int64_t chunk) {
  const double* x = nullptr;
  const bool* y = nullptr;
  bench_logistic(static_cast<size_t>(rows), static_cast<size_t>(columns), &x, &y);
  return {tuff::from_memory(x, {rows, columns}, {.chunks = {chunk, columns}}),
          tuff::from_memory(y, {rows}, {.chunks = chunk})};
}

Case newton(int64_t rows, int64_t blocks, const tuff::RunOptions& run_options) {
  constexpr int64_t kColumns = 4;
  const tuff::glm::Rows in = data(rows, kColumns, rows / blocks);
  auto model = std::make_shared<tuff::glm::FitResult>();
  auto run = [in, run_options, model] {
    *model = tuff::glm::fit(in.X, in.y,
                            {.solver = tuff::glm::Solver::newton, .tol = 1e-8, .run = run_options});
  };
  auto check = [model] {
    if (!model->converged) bench_fail("not converged", "1e7x4");
    std::vector<double> figures = model->coef;
    figures.push_back(model->intercept);
    return figures;
  };
  return {static_cast<double>(rows * kColumns), 0, run, check};
}

Case pass(int64_t rows, int64_t columns, int64_t chunk, const tuff::RunOptions& run_options) {
  const std::shared_ptr<tuff::glm::Objective> objective =
      tuff::glm::make_objective(tuff::glm::logistic(), data(rows, columns, chunk), run_options);
  std::vector<double> point;
  for (int64_t j = 0; j < columns; ++j) point.push_back(bench_coefficient(static_cast<size_t>(j)));
  point.push_back(BENCH_INTERCEPT);
  auto at = std::make_shared<tuff::glm::Evaluation>();
  auto run = [objective, point, at] {
    *at = std::move(objective->evaluate(point, tuff::glm::Wants::gradient)[0]);
  };
  auto check = [at, columns] {
    const std::vector<double>& g = at->gradient;
    const auto p = static_cast<size_t>(columns);
    return std::vector{at->value, g[0], g[p / 2], g[p - 1], g[p]};
  };
  const auto elements = static_cast<double>(rows * columns);
  return {elements, 8 * elements + static_cast<double>(rows), run, check};
}

Case make_case(std::string_view name, bool quick, const tuff::RunOptions& run_options) {
  for (const int64_t blocks : {10, 100, 1000}) {
    if (name == "1e7x4/" + std::to_string(blocks) + "/newton") {
      return quick ? newton(100'000, blocks / 10, run_options)
                   : newton(10'000'000, blocks, run_options);
    }
  }
  // Blocks of 0.8 MB, the size to which fit() cuts larger ones.
  if (name == "pass/1e6x100") return pass(quick ? 100'000 : 1'000'000, 100, 1'000, run_options);
  if (name == "pass/1e7x4") return pass(quick ? 1'000'000 : 10'000'000, 4, 25'000, run_options);
  bench_fail("unknown case", std::string(name).c_str());
  return {};
}

// Runs the case once, and says what its tasks added up to.
tuff::TaskTotals totals(const Case& chosen, tuff::Context& context) {
  tuff::Recorder recorder({.context = &context});
  {
    const tuff::PhaseScope phase(recorder, "fit");
    chosen.run();
  }
  return tuff::totals_of_phase(recorder.recording(), "fit");
}

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "glm", "tuff", TUFF_VERSION);
  tuff::Context context({.threads = options.threads});
  tuff::RunOptions run_options;
  run_options.context = &context;
  const Case chosen = make_case(options.case_name, options.quick, run_options);
  BenchRepeat row = {0, 0, chosen.elements, chosen.bytes, nullptr, 0};
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    double white_space = -1;
    if (repeat > 0) {
      const tuff::TaskTotals recorded = totals(chosen, context);
      row.tasks = static_cast<long>(recorded.tasks);
      white_space = recorded.white_space;
    }
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double start = bench_now();
    chosen.run();
    row.seconds = bench_now() - start;
    faults = bench_minor_faults() - faults;
    const std::vector<double> figures = chosen.check();
    row.result = figures.data();
    row.result_count = static_cast<int>(figures.size());
    bench_print_with(&options, repeat, faults, &row, "white_space", white_space);
  }
}
