// A report on some work as one web page: figures, tables, charts, the task stream, the layer graph.
//
// The page holds everything it needs (no other file, no network) and is drawn by the browser from data
// in it; docs/report.md says what each part means.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/diagnostics/recording.h"
#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN

struct ReportTable {
  std::string title = {};
  std::vector<std::string> columns = {};
  std::vector<std::vector<std::string>> rows = {};  ///< each as long as `columns`
};

/// A history, drawn as a line: one value per step, from step 0.
struct ReportSeries {
  std::string title = {};
  std::string x_label = "iteration";
  std::string y_label = {};
  bool log_scale = false;           ///< values that are not positive leave a gap then
  std::vector<double> values = {};  ///< what is not finite leaves a gap
};

/// A layer graph, drawn as boxes and arrows.
struct ReportGraph {
  struct Layer {
    std::string title = {};      ///< operation and its parameters, or the operations inside
    std::string operation = {};  ///< name of its tasks in traces; empty when it has none
    uint64_t tasks = 0;
    std::vector<std::string> outputs = {};  ///< dtype, shape and blocks of each
  };
  std::string title = {};
  std::vector<Layer> layers = {};                         ///< inputs before readers
  std::vector<std::pair<uint32_t, uint32_t>> edges = {};  ///< from a layer to its reader
};

/// The graph of these outputs; of a plan, pass plan.outputs().
TUFF_API ReportGraph report_graph(std::string title, const std::vector<graph::Port>& outputs);

struct Report {
  std::string title = {};
  std::vector<std::pair<std::string, std::string>> facts = {};  ///< name and value; shown first
  std::vector<ReportTable> tables = {};
  std::vector<ReportSeries> series = {};
  std::vector<ReportGraph> graphs = {};
  Recording recording = {};
  /// The phase whose seconds, white space and GB/s stand beside the facts; empty is all of the recording.
  std::string phase = {};
};

/// Writes the page to `path`. A file that is there is replaced in one step, or not at all.
/// Throws InvalidArgument when the path cannot be written, when a table's row has not one cell per column,
/// when an edge of a graph does not lead to a later layer, or when the recording has no such phase.
TUFF_API void write_report(const std::string& path, const Report& report);

TUFF_NAMESPACE_END
