// The rows of a fit: X and y loaded once and cut into blocks, every value checked, and what is known of
// each column before a solver starts.
//
// Called by: fit.cpp.
#pragma once

#include <string>
#include <vector>

#include "tuff/glm/fit.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

/// X as float64 in blocks of whole rows of at most 1 MiB, and y cut like it; in memory, or persisted when
/// they are too large for the memory budget. The blocks are the same either way, and so are results.
struct LoadedRows {
  Rows rows;
  bool in_memory = true;
};
LoadedRows load_rows(const Array& X, const Array& y, const RunOptions& run);

/// What passes over the loaded data tell.
struct Summary {
  std::vector<double> mean, sd;   ///< of each column
  std::vector<uint8_t> constant;  ///< 1: every row has the same value
  double mean_of_y = 0;
};

/// Checks every value, and makes a target of classes bool. One pass, and two more where a column's mean is
/// 1e4 times its deviation or more.
/// Throws InvalidArgument for what fit() refuses in values, with column, first row and value.
Summary check_rows(LoadedRows& data, const Family& family, const RunOptions& run,
                   const std::vector<std::string>& names);

}  // namespace glm
TUFF_NAMESPACE_END
