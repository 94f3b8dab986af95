// The cases of bench/memory: arrays of four and six times the memory budget.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "tuff/tuff.h"

#include "bench/common/bench.h"

namespace {

using tuff::Array;
using tuff::Block;
using tuff::BlockInfo;

/// Element (i, j) of the input: in [0, 1), cheap to make in every language, no two rows alike.
double element(uint64_t i, uint64_t j) {
  return static_cast<double>((i * 2654435761U + j * 40503U + (i ^ j)) & 1023U) * 0x1p-10;
}

/// Blocks that only calling makes: nothing in the library knows what is in them.
Array source(int64_t rows, int64_t columns, int64_t rows_per_block) {
  const auto make = [](const BlockInfo& info) {
    Block block = Block::allocate(info.dtype, info.shape);
    auto* to = block.data<double>();
    for (int64_t i = 0; i < info.shape[0]; ++i) {
      for (int64_t j = 0; j < info.shape[1]; ++j)
        *to++ = element(static_cast<uint64_t>(info.start[0] + i),
                        static_cast<uint64_t>(info.start[1] + j));
    }
    return block;
  };
  return tuff::from_function(make, {rows, columns}, {.chunks = {rows_per_block, columns}});
}

struct Figures {
  double values[3] = {0, 0, 0};
  int count = 0;
  void add(double value) { values[count++] = value; }
};

/// (x - x.mean(0)) / x.std(0), reduced to two figures: x is read twice and does not fit.
Figures standardize(const Array& x, int) {
  const Array z = (x - mean(x, 0)) / tuff::std(x, 0);
  const std::vector<tuff::Result> results = tuff::compute({sum(z * z), sum(abs(z))});
  Figures figures;
  for (const tuff::Result& result : results) figures.add(result.item<double>());
  return figures;
}

/// Rows to columns, all to all, kept; then read once.
Figures rechunk(const Array& x, int blocks) {
  const int64_t columns = x.shape()[1].value();
  const Array y = x.rechunk({-1, columns / blocks}).persist();
  Figures figures;
  figures.add(sum(y * y).compute<double>());
  return figures;
}

/// Kept, then summed three ways.
Figures persist(const Array& x, int) {
  const Array y = x.persist();
  Figures figures;
  figures.add(sum(y).compute<double>());
  figures.add(max(sum(y, 0)).compute<double>());
  figures.add(sum(y * y).compute<double>());
  return figures;
}

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "memory", "tuff", TUFF_VERSION);
  const std::string name = options.case_name;
  const int64_t scale = options.quick ? 16 : 1;
  int64_t budget = (int64_t{512} << 20) / scale;
  int64_t rows = 16'384;
  int64_t columns = 16'384 / scale;
  Figures (*run)(const Array&, int) = nullptr;
  if (name == "standardize") {
    run = standardize;
  } else if (name == "rechunk") {
    run = rechunk;
  } else if (name == "persist") {
    run = persist;
    budget = (int64_t{1} << 30) / scale;
    rows = 49'152;
  } else {
    bench_fail("unknown case", options.case_name);
  }
  // The default context takes it from here, as a user's program would.
  setenv("TUFF_MEMORY_BYTES", std::to_string(budget).c_str(), 1);
  setenv("TUFF_THREADS", std::to_string(options.threads).c_str(), 1);
  const int blocks = options.quick ? 64 : 64 * static_cast<int>(rows / 16'384);
  const Array x = source(rows, columns, rows / blocks);
  const auto bytes = static_cast<double>(rows) * static_cast<double>(columns) * 8;
  BenchRepeat row = {0, 0, bytes / 8, bytes, nullptr, 0};
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    const uint64_t spilled = tuff::memory_statistics().spilled_bytes;
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double start = bench_now();
    const Figures figures = run(x, 64);
    row.seconds = bench_now() - start;
    faults = bench_minor_faults() - faults;
    row.result = figures.values;
    row.result_count = figures.count;
    bench_print_with(
        &options, repeat, faults, &row, "spilled_share",
        static_cast<double>(tuff::memory_statistics().spilled_bytes - spilled) / bytes);
  }
}
