// The first program to read, and what `make demo` runs: the sum of exp(x) - 1/x over 1e8 normal
// numbers x, and their mean and variance, in one pass over x.
//
// x is never stored. Tuff welds making it, the arithmetic and the three reductions into one program
// per block and runs that on all cores, so the program stays as small as it is however long x gets.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

#include "tuff/tuff.h"

#include "examples/arguments.h"

namespace {

template <class Call>
double seconds_of(Call call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void run(int64_t elements, int threads) {
  tuff::Context context({.threads = threads});  // owns the threads
  const tuff::RunOptions here{.context = &context};

  // Build: every line appends a layer to a graph. Nothing is computed yet, whatever the size of x.
  const tuff::Array x = tuff::random::normal({elements}, {.seed = 1});
  const tuff::Array y = tuff::exp(x) - 1.0 / x;

  // Optimise: what reads the same blocks is welded together. A plan can run any number of times.
  const tuff::Plan plan = tuff::compile({tuff::sum(y), tuff::mean(x), tuff::var(x)});

  // Run. The bar shows every run of this context as long as it lives.
  std::vector<tuff::Result> results;
  double seconds = 0;
  {
    const tuff::ProgressBar bar({.minimum_seconds = 0, .context = &context});
    seconds = seconds_of([&] { results = plan.run({}, here); });
  }

  // To compare: the same numbers (0.8 GB of them at most) kept in memory, and merely read. The best of
  // three, because the caches and page tables are still warming up in the first.
  const int64_t kept_elements = std::min<int64_t>(elements, 100'000'000);
  const tuff::Array kept = x[{tuff::Slice{0, kept_elements}}].persist(here);
  const tuff::Plan read = tuff::compile({tuff::sum(kept)});
  const auto read_once = [&] { read.run({}, here); };
  const double read_seconds =
      std::min({seconds_of(read_once), seconds_of(read_once), seconds_of(read_once)});

  const double gigabytes = 8e-9 * static_cast<double>(elements);
  const double kept_gigabytes = 8e-9 * static_cast<double>(kept_elements);
  std::printf("\n  x: %g normal numbers (%.3g GB), used as they are made and never stored\n\n",
              static_cast<double>(elements), gigabytes);
  std::printf("  sum of exp(x) - 1/x  %18.6f\n", results[0].item<double>());
  std::printf("  mean of x            %18.6f\n", results[1].item<double>());
  std::printf("  variance of x        %18.6f\n\n", results[2].item<double>());
  std::printf("  all three, one pass  %8.4f s  %7.2f GB/s of x (tasks: %zu, threads: %d)\n",
              seconds, gigabytes / seconds, plan.task_count(), context.threads());
  std::printf("  a plain read of x    %8.4f s  %7.2f GB/s (summing %.3g GB kept in memory)\n\n",
              read_seconds, kept_gigabytes / read_seconds, kept_gigabytes);

  // One line per layer. Left out is what follows the arrow: dtype, shape and blocks of its results.
  std::puts("The plan. L0 does the work: each task makes a block of x, a few KB at a time,");
  std::puts("and puts it through all the operations named. The other layers add up what");
  std::puts("the blocks gave.\n");
  std::istringstream lines(plan.describe());
  for (std::string line; std::getline(lines, line);) {
    std::printf("  %s\n", line.substr(0, line.find("  ->  ")).c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  int64_t elements = 100'000'000;
  int64_t threads = tuff::Context::current().threads();
  read_arguments(argc, argv,
                 {{"--elements", "how many normal numbers", &elements, 1e12},
                  {"--threads", "how many threads", &threads, 1024}});
  try {
    run(elements, static_cast<int>(threads));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "expression: %s\n", error.what());
    return 1;
  }
}
