// Tables in Parquet and CSV files as arrays: one block per slice of rows, read by tasks when a run needs
// it. Part of the library libtuff_table (target tuff::table), which has Arrow behind it.
//
// A Table is symbolic like an Array: read() looks at footers, or at the first 1 MB of a CSV file, and at
// nothing else. Files must stay as they are until the last run that reads them; one that changed is an
// error, never a mixture of two contents.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tuff/array/array.h"

TUFF_NAMESPACE_BEGIN
namespace table {

/// One column: its name, the dtype of its array, and what the numbers mean.
struct Field {
  std::string name = {};
  DType dtype = DType::float64;
  /// Of dates and times, which are int64: "days", "s", "ms", "us" or "ns" since 1970-01-01, or "ms of day",
  /// "us of day", "ns of day". Empty for everything else.
  std::string unit = {};
  /// Text. The array holds int32 codes: positions in Table::dictionary().
  bool is_dictionary = false;
  friend bool operator==(const Field&, const Field&) = default;
};

/// What to do with missing values. NaN is a value.
enum class Nulls {
  error,  ///< the run fails, naming column and row
  drop,   ///< rows with a null in any column of the table (see Table::select) are left out
};

struct CsvOptions {
  char delimiter = ',';
  /// Whether line breaks may stand inside quotes. The file is then scanned once more for its quotes.
  bool multiline = false;
  /// Whether the first line holds names. Without it, `schema` gives all columns in order.
  bool header = true;
  /// Types by name. What is not named is inferred from the first 1 MB.
  std::vector<Field> schema = {};
};

/// A block of 128k rows of one float64 column is 1 MiB: it stays in a second-level cache together with
/// what is computed from it, and its task (about 0.3 ms to decode) dwarfs its scheduling.
inline constexpr int64_t kRowsPerBlock = int64_t{1} << 17;

struct ReadOptions {
  Nulls nulls = Nulls::error;
  /// Rows per block; of CSV files an estimate, since only a run can tell where its rows are.
  int64_t rows_per_block = kRowsPerBlock;
  CsvOptions csv = {};
};

namespace detail {
class Source;
struct Selection;
}  // namespace detail

/// A handle to some columns of one or several files, one after the other. Copies are cheap; thread-safe.
class TUFF_API Table {
 public:
  /// The columns of this table, in the order of the file or of select(). Columns of types that arrays
  /// cannot hold are left out; asking for one throws, with the reason.
  const std::vector<Field>& fields() const;
  /// Throws InvalidArgument for an unknown name, and suggests the nearest.
  const Field& field(std::string_view name) const;
  /// Rows, where the files' footers tell; absent when only a run can (CSV; dropped rows).
  std::optional<int64_t> rows() const;
  /// One column: shape (n,), a block per slice of rows. All columns of one table are cut alike, and where
  /// n is not known they share its symbol.
  Array column(std::string_view name) const;
  /// Several numeric columns side by side: shape (n, p), row-major, cast as C++ does. Each is decoded once.
  Array matrix(const std::vector<std::string>& names, DType dtype = DType::float64) const;
  /// These columns only. With Nulls::drop, nulls in other columns then no longer cost rows, nor time.
  Table select(const std::vector<std::string>& names) const;
  /// The texts that a column's codes stand for, sorted by bytes; of all rows, dropped ones included.
  /// Reads that column, once; later calls and later runs of column() know it.
  std::vector<std::string> dictionary(std::string_view name, const RunOptions& options = {}) const;
  /// The same table with rows() known: counts them in one run where need be.
  Table counted(const RunOptions& options = {}) const;

 private:
  friend TUFF_API Table read(const std::vector<std::string>& paths, const ReadOptions& options);
  explicit Table(std::shared_ptr<const detail::Selection> selection);
  std::shared_ptr<const detail::Selection> selection_;
};

/// Opens files of one format, told by their extension: .parquet or .pq; .csv, .tsv or .txt. Each path is a
/// file or a glob (* ? [...]), whose matches are taken in sorted order. All files must have the same
/// columns. Throws InvalidArgument for what is missing, a directory, empty, truncated or of another kind.
TUFF_API Table read(const std::vector<std::string>& paths, const ReadOptions& options = {});

/// The array that numpy.save() or write_npy() left, of any rank, in blocks of whole rows. Row-major,
/// little-endian; records, objects and text are refused.
TUFF_API Array read_npy(const std::string& path);

}  // namespace table
TUFF_NAMESPACE_END
