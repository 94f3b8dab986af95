// Tables: which columns, which rows, and the layers that make arrays of them. See table.h.
#include "tuff/table/table.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tuff/array/math.h"
#include "tuff/delayed.h"
#include "tuff/graph/movement.h"
#include "tuff/table/files.h"
#include "tuff/table/source.h"

TUFF_NAMESPACE_BEGIN
namespace table {
namespace detail {

/// Some columns of a source, and which of its rows are kept.
struct Selection {
  std::shared_ptr<Source> source;
  std::vector<size_t> columns;  ///< of the source
  std::vector<Field> fields;
  Nulls nulls = Nulls::error;
  /// With Nulls::drop, where a column may have nulls: the rows that have none, and how they are cut.
  std::optional<graph::Port> mask;
  AxisChunksPtr selected;
  std::map<size_t, graph::Port>
      masked_values;  ///< values of the columns that the mask was made from
  /// Numbers in place of symbols, once they were counted.
  AxisChunksPtr counted;
};

namespace {

/// Fills in what follows from source, columns and nulls.
std::shared_ptr<Selection> complete(Selection selection) {
  Source& source = *selection.source;
  for (size_t c : selection.columns) selection.fields.push_back(source.fields()[c]);
  if (selection.nulls == Nulls::drop) {
    for (size_t c : selection.columns) {
      if (!source.may_have_nulls(c)) continue;
      const Source::Column column = source.column(c, true);
      selection.masked_values.emplace(c, column.values);
      selection.mask = selection.mask
                           ? logical_and(Array(*selection.mask), Array(*column.valid)).port()
                           : *column.valid;
    }
    if (selection.mask) selection.selected = AxisChunks::unknown(*source.rows());
  }
  return std::make_shared<Selection>(std::move(selection));
}

std::vector<std::string> names_of(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

[[noreturn]] void throw_unknown(const Selection& selection, std::string_view name) {
  for (const UnusableColumn& column : selection.source->unusable()) {
    if (column.name != name) continue;
    throw InvalidArgument("column",
                          fmt::format("column '{}' of {} is {}, which arrays do not hold; numbers, "
                                      "truth values, dates, times and text they do",
                                      name, selection.source->label(), column.type));
  }
  // A screen of names, not a thousand.
  constexpr size_t kNamesShown = 20;
  std::vector<std::string> names = names_of(selection.fields);
  const std::string near = nearest(name, names);
  const size_t count = names.size();
  if (count > kNamesShown) names.resize(kNamesShown);
  throw InvalidArgument(
      "column",
      fmt::format("no column '{}' in {}; {}columns are: {}{}", name, selection.source->label(),
                  near.empty() ? "" : fmt::format("did you mean '{}'? ", near),
                  fmt::join(names, ", "), count > kNamesShown ? ", ..." : ""));
}

size_t find(const Selection& selection, std::string_view name) {
  const auto found = std::find_if(selection.fields.begin(), selection.fields.end(),
                                  [&](const Field& field) { return field.name == name; });
  if (found == selection.fields.end()) throw_unknown(selection, name);
  return static_cast<size_t>(found - selection.fields.begin());
}

/// The rows of `port` that the table keeps.
Array kept(const Selection& selection, graph::Port port) {
  if (selection.mask) port = drop_rows(port, *selection.mask, selection.selected);
  if (selection.counted) {
    Chunks chunks = graph::output_of(port).chunks;
    chunks[0] = selection.counted;
    port = {std::make_shared<graph::AssumeChunksLayer>(std::move(port), std::move(chunks)), 0};
  }
  return Array(std::move(port));
}

graph::Port values_of(const Selection& selection, size_t at) {
  const size_t column = selection.columns[at];
  const auto found = selection.masked_values.find(column);
  return found != selection.masked_values.end() ? found->second
                                                : selection.source->column(column, false).values;
}

/// Rows per block, as an array of one number per block.
graph::Port row_counts(const Selection& selection) {
  graph::Port port = selection.mask ? *selection.mask : values_of(selection, 0);
  const size_t blocks = block_count(graph::output_of(port).chunks);
  TableTask task;
  task.name = "count_rows";
  task.key = hash_bytes(std::as_bytes(std::span("count_rows")));
  task.reads = {Reads::same};
  task.run = [masked = selection.mask.has_value()](TaskArguments& arguments) {
    const Block& block = arguments.inputs[0]->get<Block>();
    int64_t rows = block.shape()[0];
    if (masked) {
      const Block flags = block.contiguous();
      rows = std::count(flags.data<bool>(), flags.data<bool>() + rows, true);
    }
    Block count = Block::allocate(DType::int64, Dims{1});
    *count.data<int64_t>() = rows;
    arguments.outputs[0].emplace<Block>(std::move(count));
  };
  const graph::LayerOutput output{DType::int64,
                                  {AxisChunks::regular(static_cast<int64_t>(blocks), 1)}};
  return {table_layer(std::move(task), {std::move(port)}, {output}), 0};
}

enum class Format { parquet, csv };

Format format_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  const size_t dot = path.find_last_of('.');
  std::string extension;
  if (dot != std::string::npos && (slash == std::string::npos || dot > slash))
    extension = path.substr(dot);
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (extension == ".parquet" || extension == ".pq") return Format::parquet;
  if (extension == ".csv" || extension == ".tsv" || extension == ".txt") return Format::csv;
  throw InvalidArgument(
      "read", fmt::format("'{}' has the extension '{}'; accepted are .parquet, .pq, .csv, "
                          ".tsv and .txt (uncompressed)",
                          path, extension));
}

}  // namespace
}  // namespace detail

Table::Table(std::shared_ptr<const detail::Selection> selection)
    : selection_(std::move(selection)) {}

const std::vector<Field>& Table::fields() const { return selection_->fields; }

const Field& Table::field(std::string_view name) const {
  return selection_->fields[detail::find(*selection_, name)];
}

std::optional<int64_t> Table::rows() const {
  const AxisChunksPtr& rows = selection_->counted != nullptr ? selection_->counted
                              : selection_->mask             ? selection_->selected
                                                             : selection_->source->rows();
  if (!rows->is_known()) return std::nullopt;
  return rows->extent().value();
}

Array Table::column(std::string_view name) const {
  return detail::kept(*selection_, detail::values_of(*selection_, detail::find(*selection_, name)));
}

Array Table::matrix(const std::vector<std::string>& names, DType dtype) const {
  if (names.empty()) throw InvalidArgument("matrix", "no columns; at least one is needed");
  if (!is_floating(dtype)) {
    throw InvalidArgument(
        "matrix", fmt::format("a matrix of {}; accepted are float32 and float64", name_of(dtype)));
  }
  std::vector<graph::Port> columns;
  for (const std::string& name : names) {
    const size_t at = detail::find(*selection_, name);
    if (selection_->fields[at].is_dictionary) {
      throw InvalidArgument("matrix",
                            fmt::format("column '{}' is text, and its codes are not quantities; "
                                        "use column() and dictionary(), e.g. x == code",
                                        name));
    }
    columns.push_back(detail::values_of(*selection_, at));
  }
  return detail::kept(*selection_, detail::stack_columns(columns, dtype));
}

Table Table::select(const std::vector<std::string>& names) const {
  if (names.empty()) throw InvalidArgument("select", "no columns; at least one is needed");
  detail::Selection selection;
  selection.source = selection_->source;
  selection.nulls = selection_->nulls;
  for (const std::string& name : names) {
    const size_t column = selection_->columns[detail::find(*selection_, name)];
    // One that is asked for twice is there once.
    if (std::find(selection.columns.begin(), selection.columns.end(), column) ==
        selection.columns.end()) {
      selection.columns.push_back(column);
    }
  }
  // Rows that were counted stay so where all rows are kept.
  if (selection_->counted != nullptr && !selection_->mask) selection.counted = selection_->counted;
  return Table(detail::complete(std::move(selection)));
}

std::vector<std::string> Table::dictionary(std::string_view name, const RunOptions& options) const {
  const size_t at = detail::find(*selection_, name);
  if (!selection_->fields[at].is_dictionary) {
    throw InvalidArgument("dictionary", fmt::format("column '{}' is {}; only text has a dictionary",
                                                    name, name_of(selection_->fields[at].dtype)));
  }
  detail::Source& source = *selection_->source;
  const detail::CategoriesPtr known = source.known_categories(selection_->columns[at]);
  if (known != nullptr) return known->texts;
  const graph::Port port = source.categories(selection_->columns[at]);
  return Delayed<detail::CategoriesPtr>(port).compute(options)->texts;
}

Table Table::counted(const RunOptions& options) const {
  if (rows()) return *this;
  const Result counts = tuff::compute({detail::row_counts(*selection_)}, options)[0];
  detail::Selection selection = *selection_;
  selection.counted = AxisChunks::of(counts.to_vector<int64_t>());
  return Table(std::make_shared<const detail::Selection>(std::move(selection)));
}

Table read(const std::vector<std::string>& paths, const ReadOptions& options) {
  if (options.rows_per_block < 1 || options.rows_per_block > detail::kMostRowsPerBlock) {
    throw InvalidArgument("read", fmt::format("rows_per_block is {}; accepted are 1 to {}",
                                              options.rows_per_block, detail::kMostRowsPerBlock));
  }
  std::vector<detail::FileIdentity> files;
  for (const std::string& path : detail::expand(paths)) files.push_back(detail::identify(path));
  const detail::Format format = detail::format_of(files[0].path);
  for (const detail::FileIdentity& file : files) {
    if (detail::format_of(file.path) != format) {
      throw InvalidArgument(
          "read", fmt::format("'{}' and '{}' are of different formats; read each on its own",
                              files[0].path, file.path));
    }
  }
  detail::Selection selection;
  selection.source = format == detail::Format::parquet
                         ? detail::open_parquet(std::move(files), options)
                         : detail::open_csv(std::move(files), options);
  selection.nulls = options.nulls;
  for (size_t c = 0; c < selection.source->fields().size(); ++c) selection.columns.push_back(c);
  return Table(detail::complete(std::move(selection)));
}

}  // namespace table
TUFF_NAMESPACE_END
