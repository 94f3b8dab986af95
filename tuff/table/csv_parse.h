// The text of CSV: cells, numbers, dates, and which type a column seems to have. No files, no graph.
//
// Called by csv.cpp, several at once. RFC 4180 with any one-byte delimiter, lines ended by \n or \r\n,
// blank lines skipped. Positions in faults are offsets in the text, from which csv.cpp tells lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tuff/base/buffer.h"
#include "tuff/table/table.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

struct CsvDialect {
  char delimiter = ',';
  bool multiline = false;
};

/// What is wrong at an offset of the text; made into an InvalidArgument with path and line.
struct CsvFault {
  size_t at = 0;
  std::string what;
};

/// A field of a row. Ranges are far below 2^31 bytes, so the top bits are free for flags.
struct CsvCell {
  static constexpr uint32_t kFlag = uint32_t{1} << 31;
  uint32_t begin = 0;  ///< kFlag: the field was quoted (the quotes are not part of it)
  uint32_t end = 0;    ///< kFlag: some quotes in it are doubled
  size_t first() const { return begin & ~kFlag; }
  size_t last() const { return end & ~kFlag; }
  bool quoted() const { return (begin & kFlag) != 0; }
  bool has_doubled_quotes() const { return (end & kFlag) != 0; }
  std::string_view in(std::string_view text) const {
    return text.substr(first(), last() - first());
  }
};

/// Cells in recycled memory: a task makes millions of them, and fresh pages would cost more than filling
/// them (see buffer.h).
class CsvCells {
 public:
  CsvCells() = default;
  explicit CsvCells(size_t capacity) { reserve(capacity); }
  void push_back(const CsvCell& cell) {
    if (size_ == capacity_) reserve(2 * capacity_ + 16);
    data()[size_++] = cell;
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  CsvCell& operator[](size_t i) { return data()[i]; }
  const CsvCell& operator[](size_t i) const { return data()[i]; }
  const CsvCell* begin() const { return data(); }
  const CsvCell* end() const { return data() + size_; }

 private:
  void reserve(size_t capacity);
  CsvCell* data() const { return reinterpret_cast<CsvCell*>(buffer_.data()); }
  Buffer buffer_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

/// Appends the cells of the record at `at`, and returns where the next one begins. Nothing is appended
/// for a blank line. Throws CsvFault.
size_t read_record(std::string_view text, size_t at, const CsvDialect& dialect, CsvCells& cells);

/// The cells of all records, each of `columns` cells. Throws CsvFault for a record of another length.
CsvCells read_records(std::string_view text, const CsvDialect& dialect, size_t columns);

/// The end of the record that is open at `at` (behind its line break); npos when the text ends first.
/// `in_quotes`: whether `at` lies inside quotes; only a multi-line dialect looks at it.
size_t end_of_record(std::string_view text, size_t at, const CsvDialect& dialect, bool in_quotes);

/// A cell's text, without doubled quotes; may be a view of `buffer`.
std::string_view text_of(const CsvCell& cell, std::string_view text, std::string& buffer);

/// Whether a cell of a column that is not text stands for a missing value: nothing, NA, N/A, null, NULL.
bool is_null(const CsvCell& cell, std::string_view text);

/// dtype and unit that fit all cells of a column: bool, int64, date, timestamp, float64, else text.
/// A column of nulls only is float64.
Field infer(std::string name, std::string_view text, const CsvCells& cells, size_t column,
            size_t columns);

/// Writes the elements of one column that is not text; 0 where a value is missing. `valid` (may be null)
/// receives where values are; without it a missing value is a fault, as is one of another type.
void convert(const Field& field, std::string_view text, const CsvCells& cells, size_t column,
             size_t columns, std::byte* values, bool* valid);

}  // namespace table::detail
TUFF_NAMESPACE_END
