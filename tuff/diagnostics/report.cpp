// Checks a report, draws up its page and puts the file in place; see report.h.
#include "tuff/diagnostics/report.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "tuff/base/atomic_file.h"
#include "tuff/base/error.h"
#include "tuff/diagnostics/encode.h"
#include "tuff/diagnostics/page.h"
#include "tuff/graph/print.h"

TUFF_NAMESPACE_BEGIN

namespace {

constexpr std::string_view kOperation = "write_report";

void check(const Report& report) {
  for (const ReportTable& table : report.tables) {
    for (size_t r = 0; r < table.rows.size(); ++r) {
      if (table.rows[r].size() == table.columns.size()) continue;
      throw InvalidArgument(
          kOperation, fmt::format("table \"{}\": row {} has {} cells; one for each of the {} "
                                  "columns is needed",
                                  table.title, r, table.rows[r].size(), table.columns.size()));
    }
  }
  for (const ReportGraph& graph : report.graphs) {
    for (const auto& [from, to] : graph.edges) {
      if (from < to && to < graph.layers.size()) continue;
      throw InvalidArgument(kOperation,
                            fmt::format("graph \"{}\": edge from layer {} to layer {}; it must "
                                        "lead to a later one of the {} layers, counted from 0",
                                        graph.title, from, to, graph.layers.size()));
    }
  }
  if (!report.phase.empty()) static_cast<void>(totals_of_phase(report.recording, report.phase));
}

}  // namespace

ReportGraph report_graph(std::string title, const std::vector<graph::Port>& outputs) {
  ReportGraph result;
  result.title = std::move(title);
  std::unordered_map<const graph::Layer*, uint32_t> numbers;
  for (const graph::LayerPtr& layer : graph::layers_in_order(outputs)) {
    const auto number = static_cast<uint32_t>(result.layers.size());
    numbers[layer.get()] = number;
    ReportGraph::Layer& described = result.layers.emplace_back();
    described.title = graph::title_of(*layer);
    if (const auto function = layer->lower({})) {
      described.operation = function->name();
      described.tasks = layer->task_count();
    }
    for (const graph::LayerOutput& output : layer->outputs()) {
      described.outputs.push_back(graph::text_of(output));
    }
    for (const graph::Port& input : layer->inputs()) {
      const std::pair<uint32_t, uint32_t> edge = {numbers.at(input.layer.get()), number};
      if (std::find(result.edges.begin(), result.edges.end(), edge) == result.edges.end()) {
        result.edges.push_back(edge);
      }
    }
  }
  return result;
}

void write_report(const std::string& path, const Report& report) {
  check(report);
  const std::string page = filled(kReportPage, report.title, encode(report));
  AtomicFile file(kOperation, path);
  file.write(page);
  file.commit();
}

TUFF_NAMESPACE_END
