// The cases order/... of bench/graph: the static order of graphs of tasks in six shapes. dask_order.py makes
// the same graphs.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tuff/tuff.h"

#include "bench/common/bench.h"

namespace {

using tuff::Rows;

constexpr uint32_t kWindow = 1000;  // how far back a task of `random` reads
constexpr uint32_t kWidth = 2000;   // tasks in a layer of `crosstalk`,
constexpr uint32_t kReads = 5;      // and what each reads of the layer before

void add(Rows& rows, std::initializer_list<uint32_t> inputs) {
  rows.items.insert(rows.items.end(), inputs);
  rows.end_row();
}

Rows indep(uint32_t size) {
  Rows rows;
  for (uint32_t t = 0; t < size; ++t) rows.end_row();
  return rows;
}

Rows chain(uint32_t size) {
  Rows rows;
  rows.end_row();
  for (uint32_t t = 1; t < size; ++t) add(rows, {t - 1});
  return rows;
}

// `size` leaves, joined in pairs.
Rows tree(uint32_t size) {
  Rows rows = indep(size);
  uint32_t low = 0;
  uint32_t high = size;
  while (high - low > 1) {
    for (uint32_t t = low; t < high; t += 2) {
      rows.items.push_back(t);
      if (t + 1 < high) rows.items.push_back(t + 1);
      rows.end_row();
    }
    low = high;
    high = static_cast<uint32_t>(rows.count());
  }
  return rows;
}

// A square of `size` tasks; each reads the one above and the one to the left.
Rows grid(uint32_t size) {
  const auto side = static_cast<uint32_t>(std::lround(std::sqrt(size)));
  Rows rows;
  for (uint32_t i = 0; i < side; ++i) {
    for (uint32_t j = 0; j < side; ++j) {
      if (i > 0) rows.items.push_back(side * i + j - side);
      if (j > 0) rows.items.push_back(side * i + j - 1);
      rows.end_row();
    }
  }
  return rows;
}

// Each task reads up to four of the thousand before it.
Rows random(uint32_t size) {
  Rows rows;
  for (uint32_t t = 0; t < size; ++t) {
    const uint64_t reach = std::min(t, kWindow);
    const uint64_t reads = t == 0 ? 0 : bench_hash(8 * uint64_t{t}) % 5;
    for (uint64_t r = 0; r < reads; ++r)
      rows.items.push_back(t - 1 -
                           static_cast<uint32_t>(bench_hash(8 * uint64_t{t} + r + 1) % reach));
    rows.end_row();
  }
  return rows;
}

// Layers of 2000 tasks, each of which reads five of the layer before.
Rows crosstalk(uint32_t size) {
  Rows rows;
  for (uint32_t t = 0; t < size; ++t) {
    for (uint32_t r = 0; r < kReads && t >= kWidth; ++r) {
      rows.items.push_back(kWidth * (t / kWidth - 1) +
                           static_cast<uint32_t>(bench_hash(kReads * uint64_t{t} + r) % kWidth));
    }
    rows.end_row();
  }
  return rows;
}

struct Shape {
  Rows (*make)(uint32_t size);
  uint32_t size;  // tasks, or leaves; a quick run has a tenth
};

const std::map<std::string, Shape> kShapes = {
    {"order/indep", {indep, 100'000}},  {"order/chain", {chain, 100'000}},
    {"order/tree", {tree, 100'000}},    {"order/grid", {grid, 90'000}},
    {"order/random", {random, 20'000}}, {"order/crosstalk", {crosstalk, 40'000}},
};

}  // namespace

// TUFF_ORDER_TASKS, when set, replaces the size: how the cost per task grows is seen so.
int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "graph", "tuff", TUFF_VERSION);
  const auto shape = kShapes.find(options.case_name);
  if (shape == kShapes.end()) bench_fail("unknown case", options.case_name);
  uint32_t size = options.quick ? shape->second.size / 10 : shape->second.size;
  if (const char* tasks = std::getenv("TUFF_ORDER_TASKS"))
    size = static_cast<uint32_t>(std::strtoul(tasks, nullptr, 10));
  const tuff::graph::Dag dag = tuff::graph::make_dag(shape->second.make(size));

  const auto tasks = static_cast<long>(dag.count());
  double peak = 0;
  BenchRepeat row = {0, tasks, static_cast<double>(tasks), 0, &peak, 1};
  std::vector<uint32_t> position;
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    position = {};
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double start = bench_now();
    position = tuff::optimize::static_order(dag);
    row.seconds = bench_now() - start;
    faults = bench_minor_faults() - faults;
    peak = tuff::optimize::pressure(dag, position).peak();
    bench_print(&options, repeat, faults, &row);
  }
}
