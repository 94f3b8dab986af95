// A task graph by hand: four parts are loaded, cleaned and counted, and the counts are joined in pairs.
// Shows keys, containers of handles, options, what fusion makes of the graph, and how a plan is rerun.
#include <cstdio>
#include <string>
#include <vector>

#include "tuff/tuff.h"

namespace {

std::vector<double> load(int64_t part) {
  std::vector<double> values(1000);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<double>((static_cast<size_t>(part) * 37 + i) % 101) - 1;
  return values;
}

std::vector<double> clean(const std::vector<double>& values, double lowest) {
  std::vector<double> kept;
  for (double v : values) {
    if (v >= lowest) kept.push_back(v);
  }
  return kept;
}

double join(double a, double b) { return a + b; }

}  // namespace

int main() {
  tuff::TaskGraph graph;
  std::vector<tuff::Node<double>> row;
  for (int64_t part = 0; part < 4; ++part) {
    // A key is a name and, if one likes, a place in a grid. Handles carry the type of the value.
    const auto raw = graph.add({"load", {part}}, load, part);
    graph.set(raw, {.retries = 2});  // reading may fail now and then
    const auto good = graph.add({"clean", {part}}, clean, raw, 0.0);
    row.push_back(graph.add(
        {"count", {part}},
        [](const std::vector<double>& v) { return static_cast<double>(v.size()); }, good));
  }
  for (int64_t level = 0; row.size() > 1; ++level) {
    std::vector<tuff::Node<double>> next;
    for (size_t i = 0; i < row.size(); i += 2) {
      const tuff::TaskKey key("join", {level, static_cast<int64_t>(i / 2)});
      next.push_back(graph.add(key, join, row[i], row[i + 1]));
    }
    row = std::move(next);
  }
  const tuff::Node<double> total = row[0];

  // What fusion at a width of 2 makes of it: every task of the new graph is a line here.
  tuff::FuseOptions options;
  options.widths.ave_width = 2;
  options.rename_keys = false;
  const tuff::TaskGraph fused = tuff::fuse(graph, options);
  std::printf("%zu tasks, %zu after fusion\n", graph.size(), fused.size());
  std::printf("%s", tuff::to_text(fused).c_str());

  // How many results are alive at once, in the order in which one thread would run it.
  const auto order = tuff::order(graph, total);
  std::printf("at most %u results alive\n", tuff::diagnostics(graph, order).peak);

  // Handles are good in the fused graph too. A plan is made once and run any number of times.
  const tuff::TaskPlan plan = tuff::compile(fused, total);
  for (int i = 0; i < 3; ++i) std::printf("total %g\n", plan.run()[0].get<double>());
}
