// What the writers share: columns computed in one run and checked against each other.
//
// Called by write_csv.cpp and write_parquet.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "tuff/table/source.h"
#include "tuff/table/write.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

/// Columns in memory: all of `rows` elements; codes lie within their dictionaries.
struct Computed {
  std::vector<Field> fields;
  std::vector<Result> columns;
  std::vector<const std::vector<std::string>*> dictionaries;  ///< null unless text
  int64_t rows = 0;
};

/// Throws InvalidArgument in the name of `operation`. The result refers to `columns`.
Computed compute_columns(std::string_view operation, const std::vector<OutputColumn>& columns,
                         const RunOptions& run);

/// Rows first .. first + count - 1 of a column, dense. They lie in one block, or are copied.
Block rows_of(const Result& column, int64_t first, int64_t count);

}  // namespace table::detail
TUFF_NAMESPACE_END
