// The cases of bench/arrays as a user of Tuff writes them. Timed is what such a user waits for, every
// time anew: building the expression, compiling it and running the plan. `gradstep` alone keeps its
// plan, as anyone who iterates would: its cold repeat compiles, the warm ones bind new coefficients.
//
// Inputs are used where they lie, in blocks of the same sizes as the peers'.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

#include "tuff/tuff.h"

#include "bench/common/bench.h"

namespace {

using tuff::Array;

constexpr int64_t kChunk = 1'000'000;  // elements of a block of a vector
constexpr int64_t kColumns = 100;
constexpr int64_t kRowChunk =
    10'000;  // rows of a block of a matrix, so that it has 1e6 elements too

// The same element-wise work in three cases.
Array exp_minus_reciprocal(const Array& x) { return tuff::exp(x) - 1.0 / x; }

// One case, ready to be timed.
struct Case {
  int64_t elements;                            // of the input
  double bytes_per_element;                    // that have to cross memory
  std::function<long()> run;                   // what is timed; returns how many tasks ran
  std::function<std::vector<double>()> check;  // the figures to compare; frees what run() kept
};

class Cases {
 public:
  explicit Cases(const BenchOptions& options)
      : quick_(options.quick), run_options_{.threads = options.threads} {}

  Case make(std::string_view name) const {
    if (name == "sum") return scalar(vector(), [](const Array& a) { return tuff::sum(a); });
    if (name == "expsum") return scalar(vector(), sum_of_exp_minus_reciprocal);
    if (name == "expmat") return expmat();
    if (name == "lazy1e9") return lazy();
    if (name == "standardize") return standardize();
    if (name == "gradstep") return gradstep();
    bench_fail("unknown case", std::string(name).c_str());
    return {};
  }

 private:
  // Computes one array, and keeps its blocks.
  long compute(const Array& array, tuff::Result& result) const {
    const tuff::Plan plan = tuff::compile({array});
    result = std::move(plan.run({}, run_options_)[0]);
    return static_cast<long>(plan.task_count());
  }

  Array vector() const {
    const int64_t n = quick_ ? 10'000'000 : 100'000'000;
    return tuff::from_memory(bench_input(static_cast<size_t>(n), 0), {n}, {.chunks = kChunk});
  }

  int64_t rows() const { return quick_ ? 100'000 : 1'000'000; }

  Array matrix() const {
    const double* elements = bench_input(static_cast<size_t>(rows() * kColumns), 0);
    return tuff::from_memory(elements, {rows(), kColumns}, {.chunks = {kRowChunk, kColumns}});
  }

  static Array sum_of_exp_minus_reciprocal(const Array& x) {
    return tuff::sum(exp_minus_reciprocal(x));
  }

  Case scalar(const Array& x, Array (*reduce)(const Array&)) const {
    auto result = std::make_shared<tuff::Result>();
    auto run = [*this, x, reduce, result] { return compute(reduce(x), *result); };
    auto check = [result] { return std::vector{result->item<double>()}; };
    return {elements(x), 8, run, check};
  }

  // A result that stays in its blocks: the sum of its elements or of their squares, and the first,
  // the one at `middle` and the last.
  template <class Build>
  Case kept(const Array& x, double bytes_per_element, bool squares, int64_t middle,
            Build build) const {
    auto result = std::make_shared<tuff::Result>();
    auto run = [*this, x, build, result] { return compute(build(x), *result); };
    auto check = [squares, middle, result] {
      std::vector<double> figures(4);
      int64_t before = 0;
      for (const tuff::Block& block : result->blocks()) {
        const double* z = block.data<double>();
        const int64_t n = block.size();
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) sum += squares ? z[i] * z[i] : z[i];
        figures[0] += sum;
        if (before == 0) figures[1] = z[0];
        if (before <= middle && middle < before + n) figures[2] = z[middle - before];
        figures[3] = z[n - 1];
        before += n;
      }
      *result = {};
      return figures;
    };
    return {elements(x), bytes_per_element, run, check};
  }

  Case expmat() const {
    const Array x = vector();
    return kept(x, 16, false, elements(x) / 2, exp_minus_reciprocal);
  }

  Case lazy() const {
    const int64_t n = quick_ ? 20'000'000 : 1'000'000'000;
    auto result = std::make_shared<tuff::Result>();
    auto run = [*this, n, result] {
      const Array u =
          tuff::random::uniform({n}, {.low = 0.5, .high = 1.5, .chunks = kChunk, .seed = 1});
      return compute(tuff::sum(exp_minus_reciprocal(u)), *result);
    };
    auto check = [result] { return std::vector{result->item<double>()}; };
    return {n, 0, run, check};
  }

  Case standardize() const {
    return kept(matrix(), 24, true, rows() / 2 * kColumns + kColumns / 2,
                [](const Array& x) { return (x - tuff::mean(x, 0)) / tuff::std(x, 0); });
  }

  Case gradstep() const {
    const Array X = matrix();
    double* labels = bench_pages(static_cast<size_t>(rows()));
    for (int64_t i = 0; i < rows(); ++i) {
      labels[i] = bench_uniform(static_cast<uint64_t>(rows() * kColumns + i)) < 1 ? 1 : 0;
    }
    const Array y = tuff::from_memory(labels, {rows()}, {.chunks = kRowChunk});
    std::vector<double> coefficients;
    for (size_t j = 0; j < kColumns; ++j) coefficients.push_back(bench_coefficient(j));

    const tuff::Parameter b("b", {kColumns}, tuff::DType::float64);
    auto plan = std::make_shared<std::optional<tuff::Plan>>();
    auto gradient = std::make_shared<std::vector<double>>();
    auto run = [*this, X, y, b, coefficients, plan, gradient] {
      if (!plan->has_value()) {
        *plan = tuff::compile({tuff::matmul(X.transpose(), tuff::sigmoid(tuff::matmul(X, b)) - y)});
      }
      *gradient = (*plan)->run({{b, coefficients}}, run_options_)[0].to_vector<double>();
      return static_cast<long>((*plan)->task_count());
    };
    auto check = [gradient] {
      const std::vector<double>& g = *gradient;
      const double norm = std::inner_product(g.begin(), g.end(), g.begin(), 0.0);
      return std::vector{norm, g[0], g[50], g[99]};
    };
    return {elements(X), 8 + 8.0 / kColumns, run, check};
  }

  static int64_t elements(const Array& x) {
    int64_t count = 1;
    for (const tuff::Extent& extent : x.shape()) count *= extent.value();
    return count;
  }

  bool quick_;
  tuff::RunOptions run_options_;
};

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "arrays", "tuff", TUFF_VERSION);
  const Case chosen = Cases(options).make(options.case_name);
  const auto elements = static_cast<double>(chosen.elements);
  BenchRepeat row = {0, 0, elements, chosen.bytes_per_element * elements, nullptr, 0};
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double start = bench_now();
    row.tasks = chosen.run();
    row.seconds = bench_now() - start;
    faults = bench_minor_faults() - faults;
    const std::vector<double> figures = chosen.check();
    row.result = figures.data();
    row.result_count = static_cast<int>(figures.size());
    bench_print(&options, repeat, faults, &row);
  }
}
