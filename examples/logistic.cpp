// A logistic regression on ten million rows that are made up: the workload by which dask-glm was first
// measured (dask/dask-glm#26), a fit of four coefficients by Newton's method.
//
// Every iteration reads X once and brings value, gradient and Hessian.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

#include "tuff/tuff.h"

#include "examples/arguments.h"

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void run(int64_t rows, int64_t blocks, int threads) {
  tuff::Context context({.threads = threads});
  const tuff::RunOptions here{.context = &context};
  const int64_t chunk = (rows + blocks - 1) / blocks;

  // y is 1 with probability 1 / (1 + exp(-X beta)).
  const std::vector<double> beta = {-1, 0, 1, 2};
  tuff::Array X = tuff::random::uniform({rows, 4}, {.chunks = {chunk, -1}, .seed = 1});
  tuff::Array chance = tuff::random::uniform({rows}, {.chunks = chunk, .seed = 2});
  tuff::Array y = chance < tuff::sigmoid(tuff::matmul(X, tuff::from_vector(beta)));
  const std::vector<tuff::Result> data =
      tuff::compute({X, y}, here);  // both in memory, made in one run
  X = tuff::Array(data[0]);
  y = tuff::Array(data[1]);

  // To compare: X merely read, the best of three.
  const tuff::Plan read = tuff::compile({tuff::sum(X)});
  double read_seconds = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double start = now();
    read.run({}, here);
    read_seconds = std::min(read_seconds, now() - start);
  }

  tuff::Recorder recorder({.context = &context});
  recorder.begin_phase("fit");
  const tuff::glm::FitResult model = tuff::glm::fit(X, y, {.tol = 1e-8, .run = here});
  recorder.end_phase();

  std::printf(
      "\n  %g rows x 4 columns in %lld blocks, made up; the coefficients behind them and those "
      "found:\n\n",
      static_cast<double>(rows), static_cast<long long>(blocks));
  for (size_t j = 0; j < beta.size(); ++j)
    std::printf("  x%zu           %8.4f  %12.6f\n", j, beta[j], model.coef[j]);
  std::printf("  intercept    %8.4f  %12.6f\n\n", 0.0, model.intercept);
  const double bytes = static_cast<double>(rows) * 33 * static_cast<double>(model.passes);
  std::printf("  %s after %d iterations, gradient norm %.1e\n",
              model.converged ? "converged" : "NOT CONVERGED", model.n_iter, model.gradient_norm);
  std::printf(
      "  %.3f s on %d threads: %lld passes over the data at %.1f GB/s (merely reading X: %.1f "
      "GB/s)\n",
      model.seconds, context.threads(), static_cast<long long>(model.passes),
      bytes / model.seconds * 1e-9, static_cast<double>(rows) * 32 / read_seconds * 1e-9);
  std::printf("  white space: %.1f %% of the threads' time\n\n", 100 * recorder.white_space("fit"));
}

}  // namespace

int main(int argc, char** argv) {
  int64_t rows = 10'000'000, blocks = 100, threads = tuff::Context::current().threads();
  read_arguments(argc, argv,
                 {{"--rows", "rows of X", &rows, 1e9},
                  {"--blocks", "blocks that X is cut into", &blocks, 1e6},
                  {"--threads", "threads to use", &threads, 4096}});
  try {
    run(rows, std::min(blocks, rows), static_cast<int>(threads));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
  return 0;
}
