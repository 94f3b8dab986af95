// The cases of bench/memory: arrays of four and six times the memory budget, cut and read in every way that has once
// gone past a budget.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

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

Block elements(int64_t first_row, int64_t rows, int64_t first_column, int64_t columns) {
  Block block = Block::allocate(tuff::DType::float64, tuff::Dims{rows, columns});
  auto* to = block.data<double>();
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j)
      *to++ =
          element(static_cast<uint64_t>(first_row + i), static_cast<uint64_t>(first_column + j));
  }
  return block;
}

/// Blocks that only calling makes: nothing in the library knows what is in them.
Array source(int64_t rows, int64_t columns, int64_t rows_per_block, int64_t columns_per_block) {
  const auto make = [](const BlockInfo& info) {
    return elements(info.start[0], info.shape[0], info.start[1], info.shape[1]);
  };
  return tuff::from_function(make, {rows, columns},
                             {.chunks = {rows_per_block, columns_per_block}});
}

struct Figures {
  double values[3] = {0, 0, 0};
  int count = 0;
  void add(double value) { values[count++] = value; }
};

/// The array of a case: its shape, how it is cut, and the budget.
struct Setting {
  int64_t rows;
  int64_t columns;
  int64_t rows_per_block;
  int64_t columns_per_block;
  int64_t budget;
  Array x() const { return source(rows, columns, rows_per_block, columns_per_block); }
};

/// (x - x.mean(0)) / x.std(0), reduced to two figures: x is read twice and does not fit.
Figures standardize(const Setting& setting) {
  const Array x = setting.x();
  const Array z = (x - mean(x, 0)) / tuff::std(x, 0);
  const std::vector<tuff::Result> results = tuff::compute({sum(z * z), sum(abs(z))});
  Figures figures;
  for (const tuff::Result& result : results) figures.add(result.item<double>());
  return figures;
}

/// Rows to columns, all to all, kept; then read once.
Figures rechunk(const Setting& setting) {
  const Array y = setting.x().rechunk({-1, setting.columns / 64}).persist();
  Figures figures;
  figures.add(sum(y * y).compute<double>());
  return figures;
}

/// Rows to columns and back, both kept.
Figures there_and_back(const Setting& setting) {
  Array y = setting.x().rechunk({-1, setting.columns / 64}).persist();
  y = y.rechunk({setting.rows_per_block, -1}).persist();
  Figures figures;
  figures.add(sum(y * y).compute<double>());
  return figures;
}

/// Each block needs a strip of blocks of the other layout.
Figures transpose(const Setting& setting) {
  const Array y = setting.x().persist();
  Figures figures;
  figures.add(sum(abs(y - y.transpose())).compute<double>());
  return figures;
}

/// What is kept is read twice by one run.
Figures twice(const Setting& setting) {
  const Array y = setting.x().persist();
  Figures figures;
  figures.add(mean(square(y - mean(y))).compute<double>());
  return figures;
}

/// Read twice, never kept by name: in blocks of 16 KiB, or such that a function yields.
Figures centre(const Array& x) {
  Figures figures;
  figures.add(sum(abs(x - mean(x))).compute<double>());
  return figures;
}
Figures small_blocks(const Setting& setting) { return centre(setting.x()); }
Figures delayed_blocks(const Setting& setting) {
  const auto make = tuff::delayed(
      [setting](int64_t b) {
        return elements(b * setting.rows_per_block, setting.rows_per_block, 0, setting.columns);
      },
      "make");
  std::vector<tuff::Delayed<Block>> blocks;
  for (int64_t b = 0; b < setting.rows / setting.rows_per_block; ++b) blocks.push_back(make(b));
  return centre(tuff::from_delayed(blocks, tuff::DType::float64, {setting.rows, setting.columns},
                                   {setting.rows_per_block, setting.columns}));
}

/// Four threads of a program standardise a quarter each.
Figures clients(const Setting& setting) {
  constexpr int kClients = 4;
  std::vector<Figures> of(kClients);
  std::vector<std::thread> threads;
  Setting quarter = setting;
  quarter.rows /= kClients;
  for (Figures& figures : of)
    threads.emplace_back([&figures, quarter] { figures = standardize(quarter); });
  Figures figures;
  double sums[2] = {0, 0};
  for (int c = 0; c < kClients; ++c) {
    threads[static_cast<size_t>(c)].join();
    for (int k = 0; k < 2; ++k) sums[k] += of[static_cast<size_t>(c)].values[k];
  }
  for (const double sum : sums) figures.add(sum);
  return figures;
}

/// Kept, then summed three ways.
Figures persist(const Setting& setting) {
  const Array y = setting.x().persist();
  Figures figures;
  figures.add(sum(y).compute<double>());
  figures.add(max(sum(y, 0)).compute<double>());
  figures.add(sum(y * y).compute<double>());
  return figures;
}

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "memory", "tuff", TUFF_VERSION);
  const std::map<std::string, Figures (*)(const Setting&)> cases = {
      {"standardize", standardize},
      {"rechunk", rechunk},
      {"there_and_back", there_and_back},
      {"transpose", transpose},
      {"twice", twice},
      {"persist", persist},
      {"small_blocks", small_blocks},
      {"delayed", delayed_blocks},
      {"clients", clients}};
  const std::string name = options.case_name;
  const auto found = cases.find(name);
  if (found == cases.end()) bench_fail("unknown case", options.case_name);
  // 2 GiB in 64 blocks of rows, and a quarter of that.
  Setting setting = {16'384, 16'384, 256, 16'384, int64_t{512} << 20};
  if (name == "persist") {
    setting.rows *= 3;
    setting.budget *= 2;
  } else if (name == "small_blocks") {
    setting = {32'768, 2'048, 1, 2'048, int64_t{128} << 20};
  } else if (name == "delayed") {
    setting.rows_per_block = 8;
  }
  if (options.quick) {
    setting.rows /= 4;
    setting.columns /= 4;
    setting.rows_per_block = std::max<int64_t>(setting.rows_per_block / 4, 1);
    setting.columns_per_block /= 4;
    setting.budget /= 16;
  }
  // The default context takes it from here, as a user's program would.
  setenv("TUFF_MEMORY_BYTES", std::to_string(setting.budget).c_str(), 1);
  setenv("TUFF_THREADS", std::to_string(options.threads).c_str(), 1);
  const auto bytes = static_cast<double>(setting.rows) * static_cast<double>(setting.columns) * 8;
  BenchRepeat row = {0, 0, bytes / 8, bytes, nullptr, 0};
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    const uint64_t spilled = tuff::memory_statistics().spilled_bytes;
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double start = bench_now();
    const Figures figures = found->second(setting);
    row.seconds = bench_now() - start;
    faults = bench_minor_faults() - faults;
    row.result = figures.values;
    row.result_count = figures.count;
    bench_print_with(
        &options, repeat, faults, &row, "spilled_share",
        static_cast<double>(tuff::memory_statistics().spilled_bytes - spilled) / bytes);
  }
}
