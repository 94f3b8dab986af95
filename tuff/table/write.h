// Arrays to files: Parquet, CSV and NumPy's npy. Part of tuff::table.
//
// All arrays of a file are computed in one run, then written. A file appears under its name only once it
// is complete and on the disk: it is written beside it under another name, flushed, and renamed. Whatever
// goes wrong (a full disk, a task that fails), what was there before stays, and nothing else is left.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tuff/array/array.h"

TUFF_NAMESPACE_BEGIN
namespace table {

/// A column to write: a 1-d array and what its numbers mean, as in Field.
struct OutputColumn {
  std::string name;
  Array array;
  std::string unit = {};
  /// Text: `array` holds int32 positions in it.
  std::optional<std::vector<std::string>> dictionary = {};
};

struct ParquetWriteOptions {
  /// 8 MiB of float64 per column and group: readers take a group as their unit of work.
  int64_t rows_per_group = int64_t{1} << 20;
  /// "none", "snappy", "gzip", "lz4" or "zstd".
  std::string compression = "zstd";
  RunOptions run = {};
};

struct CsvWriteOptions {
  char delimiter = ',';
  bool header = true;
  RunOptions run = {};
};

/// Writes columns of equal length; pages carry checksums. Throws InvalidArgument for what a file cannot
/// hold, and when it cannot be written; TaskError or Cancelled as the run goes.
TUFF_API void write_parquet(const std::string& path, const std::vector<OutputColumn>& columns,
                            const ParquetWriteOptions& options = {});
/// Likewise. Numbers are written so that reading gives back the same; dates and times in ISO 8601.
TUFF_API void write_csv(const std::string& path, const std::vector<OutputColumn>& columns,
                        const CsvWriteOptions& options = {});
/// Writes an array of any rank as numpy.load() reads it.
TUFF_API void write_npy(const std::string& path, const Array& array, const RunOptions& run = {});

}  // namespace table
TUFF_NAMESPACE_END
