// The target of a model as text: a column, or a comparison of a column with a value.
#pragma once

#include <optional>
#include <string>

#include "tuff/table/table.h"

namespace tuff::cli {

/// `NAME`, or `NAME OP VALUE` with OP one of < <= > >= == !=. Names with spaces or operators stand in
/// backticks. Values are numbers, or for columns of text anything, quoted or not.
struct Target {
  std::string column;
  std::string comparison;  ///< empty: the column itself
  std::string value;
};

/// Throws InvalidArgument for text that is neither.
Target parse_target(const std::string& text);

/// The target as an array. Throws InvalidArgument when the comparison does not suit the column.
Array target_array(const table::Table& table, const Target& target, const RunOptions& run);

}  // namespace tuff::cli
