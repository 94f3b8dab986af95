// Columns on their way into files; see output.h.
#include "tuff/table/output.h"

#include <algorithm>

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN
namespace table::detail {

namespace {

void check_column(std::string_view operation, const OutputColumn& column) {
  const auto refuse = [&](std::string what) {
    throw InvalidArgument(operation, fmt::format("column '{}' {}", column.name, what));
  };
  if (column.array.ndim() != 1) {
    refuse(
        fmt::format("has shape {}; columns have one axis", tuff::to_string(column.array.shape())));
  }
  if (column.dictionary && column.array.dtype() != DType::int32) {
    refuse(
        fmt::format("is {} and has a dictionary; codes are int32", name_of(column.array.dtype())));
  }
  if (!column.unit.empty() && column.array.dtype() != DType::int64) {
    refuse(fmt::format("is {} in {}; dates and times are int64", name_of(column.array.dtype()),
                       column.unit));
  }
}

void check_codes(std::string_view operation, const OutputColumn& column, const Result& codes) {
  const auto texts = static_cast<int64_t>(column.dictionary->size());
  int64_t row = 0;
  for (const Block& block : codes.blocks()) {
    const Block dense = block.contiguous();
    const auto* values = dense.data<int32_t>();
    for (int64_t i = 0; i < dense.size(); ++i, ++row) {
      if (values[i] >= 0 && values[i] < texts) continue;
      throw InvalidArgument(
          operation,
          fmt::format("column '{}' has the code {} in row {}; its dictionary has {} texts",
                      column.name, values[i], row, texts));
    }
  }
}

}  // namespace

Computed compute_columns(std::string_view operation, const std::vector<OutputColumn>& columns,
                         const RunOptions& run) {
  if (columns.empty()) throw InvalidArgument(operation, "no columns; at least one is needed");
  Computed computed;
  std::vector<graph::Port> ports;
  for (const OutputColumn& column : columns) {
    check_column(operation, column);
    for (const Field& before : computed.fields) {
      if (before.name == column.name) {
        throw InvalidArgument(operation,
                              fmt::format("two columns have the name '{}'", column.name));
      }
    }
    ports.push_back(column.array);
    computed.fields.push_back(
        {column.name, column.array.dtype(), column.unit, column.dictionary.has_value()});
    computed.dictionaries.push_back(column.dictionary ? &*column.dictionary : nullptr);
  }
  computed.columns = tuff::compute(ports, run);
  computed.rows = computed.columns[0].shape()[0];
  for (size_t c = 0; c < columns.size(); ++c) {
    const int64_t rows = computed.columns[c].shape()[0];
    if (rows != computed.rows) {
      throw InvalidArgument(
          operation, fmt::format("column '{}' has {} rows; '{}' has {}", columns[c].name, rows,
                                 columns[0].name, computed.rows));
    }
    if (columns[c].dictionary) check_codes(operation, columns[c], computed.columns[c]);
  }
  return computed;
}

Block rows_of(const Result& column, int64_t first, int64_t count) {
  const AxisChunks& cut = *column.chunks()[0];
  for (size_t b = 0; count > 0 && b < cut.count(); ++b) {
    if (cut.offset(b) <= first && first + count <= cut.offset(b) + cut.size(b)) {
      const Block& block = column.blocks()[b];
      return block
          .strided_view((first - cut.offset(b)) * block.strides()[0], Dims{count}, block.strides())
          .contiguous();
    }
  }
  Block rows = Block::allocate(column.dtype(), Dims{count});
  for (size_t b = 0; b < cut.count(); ++b) {
    const int64_t from = std::max(first, cut.offset(b));
    const int64_t to = std::min(first + count, cut.offset(b) + cut.size(b));
    if (from >= to) continue;
    const Block& block = column.blocks()[b];
    copy_elements(block.strided_view((from - cut.offset(b)) * block.strides()[0], Dims{to - from},
                                     block.strides()),
                  rows.strided_view(from - first, Dims{to - from}, Dims{1}));
  }
  return rows;
}

}  // namespace table::detail
TUFF_NAMESPACE_END
