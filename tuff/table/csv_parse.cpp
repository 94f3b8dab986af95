// Cells, numbers and dates of CSV; see csv_parse.h.
#include "tuff/table/csv_parse.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN
namespace table::detail {

namespace {

bool at_line_end(std::string_view text, size_t at) {
  return at >= text.size() || text[at] == '\n' ||
         (text[at] == '\r' && (at + 1 >= text.size() || text[at + 1] == '\n'));
}

/// The quoted cell whose opening quote is at `at`; returns where it ends, behind the closing quote.
size_t read_quoted(std::string_view text, size_t at, const CsvDialect& dialect, CsvCell& cell) {
  cell.begin = static_cast<uint32_t>(at + 1) | CsvCell::kFlag;
  bool doubled = false;
  for (size_t p = at + 1; p < text.size(); ++p) {
    if (text[p] == '\n' && !dialect.multiline) break;
    if (text[p] != '"') continue;
    if (p + 1 < text.size() && text[p + 1] == '"') {
      doubled = true;
      ++p;
      continue;
    }
    cell.end = static_cast<uint32_t>(p) | (doubled ? CsvCell::kFlag : 0);
    ++p;
    if (p < text.size() && text[p] != dialect.delimiter && !at_line_end(text, p)) {
      throw CsvFault{
          p, fmt::format("'{}' follows a closing quote; a quote inside quotes is written twice",
                         text[p])};
    }
    return p;
  }
  throw CsvFault{at,
                 dialect.multiline
                     ? "a quoted field does not end before the file does"
                     : "a quoted field does not end on its line; line breaks inside quotes need "
                       "CsvOptions::multiline (--csv-multiline)"};
}

size_t read_plain(std::string_view text, size_t at, const CsvDialect& dialect, CsvCell& cell) {
  cell.begin = static_cast<uint32_t>(at);
  size_t p = at;
  while (p < text.size() && text[p] != dialect.delimiter && text[p] != '\n') {
    // Where quotes may hold line breaks, each must open or close a field, or all after it is misread.
    if (text[p] == '"' && dialect.multiline) {
      throw CsvFault{
          p,
          "a quote inside a field that does not begin with one; with multiline, such a field "
          "is quoted as a whole and its quotes are doubled"};
    }
    ++p;
  }
  size_t end = p;
  if (end > at && text[end - 1] == '\r' && (p >= text.size() || text[p] == '\n')) --end;
  cell.end = static_cast<uint32_t>(end);
  return p;
}

std::string_view trimmed(std::string_view cell) {
  while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t')) cell.remove_prefix(1);
  while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t')) cell.remove_suffix(1);
  return cell;
}

template <class T>
bool parse(std::string_view cell, T& value) {
  if (cell.size() > 1 && cell[0] == '+' && cell[1] != '-') cell.remove_prefix(1);
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if constexpr (std::is_floating_point_v<T>) {
    // Too large or too small for the type: what rounding gives. strtod knows which of the two.
    if (error == std::errc::result_out_of_range && end == cell.data() + cell.size()) {
      const std::string copy(cell);
      value = std::is_same_v<T, float> ? static_cast<T>(std::strtof(copy.c_str(), nullptr))
                                       : static_cast<T>(std::strtod(copy.c_str(), nullptr));
      return true;
    }
  }
  return error == std::errc() && end == cell.data() + cell.size() && !cell.empty();
}

template <>
bool parse<bool>(std::string_view cell, bool& value) {
  if (cell == "true" || cell == "True" || cell == "TRUE") return value = true;
  value = false;
  return cell == "false" || cell == "False" || cell == "FALSE";
}

/// `count` digits at the front of `cell`, which are taken off.
bool take_digits(std::string_view& cell, size_t count, int& value) {
  if (cell.size() < count) return false;
  value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (cell[i] < '0' || cell[i] > '9') return false;
    value = value * 10 + (cell[i] - '0');
  }
  cell.remove_prefix(count);
  return true;
}

bool take(std::string_view& cell, char c) {
  if (cell.empty() || cell[0] != c) return false;
  cell.remove_prefix(1);
  return true;
}

/// YYYY-MM-DD at the front of `cell`, as days since 1970.
bool take_date(std::string_view& cell, int64_t& days) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!take_digits(cell, 4, year) || !take(cell, '-') || !take_digits(cell, 2, month) ||
      !take(cell, '-') || !take_digits(cell, 2, day)) {
    return false;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return false;
  days = std::chrono::sys_days(date).time_since_epoch().count();
  return true;
}

bool parse_days(std::string_view cell, int64_t& days) {
  return take_date(cell, days) && cell.empty();
}

/// A fraction of a second with up to nine digits, in nanoseconds.
bool take_fraction(std::string_view& cell, int64_t& nanoseconds) {
  int64_t scale = 100'000'000;
  size_t digits = 0;
  while (!cell.empty() && cell[0] >= '0' && cell[0] <= '9' && digits < 9) {
    nanoseconds += (cell[0] - '0') * scale;
    scale /= 10;
    ++digits;
    cell.remove_prefix(1);
  }
  return digits > 0;
}

/// Z, +hh:mm, -hh:mm or nothing.
bool take_zone(std::string_view& cell, int64_t& seconds) {
  seconds = 0;
  if (cell.empty() || take(cell, 'Z')) return true;
  const int64_t sign = cell[0] == '-' ? -1 : 1;
  if (!take(cell, '+') && !take(cell, '-')) return false;
  int hours = 0;
  int minutes = 0;
  if (!take_digits(cell, 2, hours) || !take(cell, ':') || !take_digits(cell, 2, minutes))
    return false;
  seconds = sign * (hours * 3600 + minutes * 60);
  return hours < 24 && minutes < 60;
}

/// YYYY-MM-DD, then T or a space, hh:mm[:ss[.fraction]], then a zone; in units of `tick` nanoseconds since
/// 1970 UTC. False for a fraction that the unit cannot hold.
bool parse_timestamp(std::string_view cell, int64_t tick, int64_t& value) {
  int64_t days = 0;
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  int64_t nanoseconds = 0;
  int64_t zone = 0;
  if (!take_date(cell, days)) return false;
  if (!cell.empty()) {
    if (!take(cell, 'T') && !take(cell, ' ')) return false;
    if (!take_digits(cell, 2, hours) || !take(cell, ':') || !take_digits(cell, 2, minutes))
      return false;
    if (take(cell, ':')) {
      if (!take_digits(cell, 2, seconds)) return false;
      if (take(cell, '.') && !take_fraction(cell, nanoseconds)) return false;
    }
    if (!take_zone(cell, zone) || !cell.empty()) return false;
  }
  if (hours > 23 || minutes > 59 || seconds > 59 || nanoseconds % tick != 0) return false;
  const int64_t whole = days * 86'400 + hours * 3600 + minutes * 60 + seconds - zone;
  // Years 0 to 9999 fit every unit but nanoseconds, which reach from 1677 to 2262.
  return !__builtin_mul_overflow(whole, 1'000'000'000 / tick, &value) &&
         !__builtin_add_overflow(value, nanoseconds / tick, &value);
}

int64_t tick_of(std::string_view unit) {
  if (unit == "s") return 1'000'000'000;
  if (unit == "ms") return 1'000'000;
  if (unit == "us") return 1'000;
  return 1;
}

bool parse_element(const Field& field, std::string_view cell, int64_t& value) {
  if (field.unit == "days") return parse_days(cell, value);
  if (field.unit.empty() || field.unit.ends_with(" of day")) return parse<int64_t>(cell, value);
  return parse_timestamp(cell, tick_of(field.unit), value);
}

std::string kind_of(const Field& field) {
  if (field.unit == "days") return "a date (YYYY-MM-DD)";
  if (!field.unit.empty() && !field.unit.ends_with(" of day")) {
    return fmt::format("a time stamp (YYYY-MM-DDThh:mm:ss) in {}", field.unit);
  }
  return fmt::format("{} {}",
                     is_integer(field.dtype) && is_signed_integer(field.dtype) ? "an" : "a",
                     name_of(field.dtype));
}

[[noreturn]] void throw_unfit(const Field& field, const CsvCell& cell, std::string_view text) {
  // Enough of a cell to find it by.
  constexpr size_t kShown = 40;
  const std::string_view view = cell.in(text);
  throw CsvFault{cell.first(),
                 fmt::format("column '{}': '{}{}' is not {}", field.name, view.substr(0, kShown),
                             view.size() > kShown ? "..." : "", kind_of(field))};
}

template <class T>
void convert_to(const Field& field, std::string_view text, const CsvCells& cells, size_t column,
                size_t columns, T* values, bool* valid) {
  const size_t rows = cells.size() / columns;
  for (size_t i = 0; i < rows; ++i) {
    const CsvCell& cell = cells[i * columns + column];
    const bool missing = is_null(cell, text);
    if (valid != nullptr) valid[i] = !missing;
    values[i] = T{};
    if (missing) {
      if (valid != nullptr) continue;
      throw CsvFault{cell.first(),
                     fmt::format("column '{}' has a null; drop such rows (Nulls::drop, --nulls "
                                 "drop) or fill them first",
                                 field.name)};
    }
    bool parsed = false;
    if constexpr (std::is_same_v<T, int64_t>) {
      parsed = parse_element(field, trimmed(cell.in(text)), values[i]);
    } else {
      parsed = parse<T>(trimmed(cell.in(text)), values[i]);
    }
    if (!parsed) throw_unfit(field, cell, text);
  }
}

}  // namespace

void CsvCells::reserve(size_t capacity) {
  Buffer larger = Buffer::allocate(capacity * sizeof(CsvCell));
  if (size_ > 0) std::memcpy(larger.data(), buffer_.data(), size_ * sizeof(CsvCell));
  buffer_ = std::move(larger);
  capacity_ = capacity;
}

size_t read_record(std::string_view text, size_t at, const CsvDialect& dialect, CsvCells& cells) {
  if (at_line_end(text, at)) {
    const size_t line_break = text.find('\n', at);
    return line_break == std::string_view::npos ? text.size() : line_break + 1;
  }
  for (;;) {
    CsvCell cell;
    at = at < text.size() && text[at] == '"' ? read_quoted(text, at, dialect, cell)
                                             : read_plain(text, at, dialect, cell);
    cells.push_back(cell);
    if (at < text.size() && text[at] == dialect.delimiter) {
      ++at;
      continue;
    }
    if (at < text.size() && text[at] == '\r') ++at;
    return at < text.size() ? at + 1 : at;
  }
}

CsvCells read_records(std::string_view text, const CsvDialect& dialect, size_t columns) {
  // Eight bytes per cell is a common length; a row more than that guess makes the memory grow.
  CsvCells cells(text.size() / 8 + columns);
  for (size_t at = 0; at < text.size();) {
    const size_t before = cells.size();
    const size_t next = read_record(text, at, dialect, cells);
    const size_t found = cells.size() - before;
    if (found != columns && found != 0) {
      throw CsvFault{at, fmt::format("{} field{}; there are {} columns", found,
                                     found == 1 ? "" : "s", columns)};
    }
    at = next;
  }
  return cells;
}

size_t end_of_record(std::string_view text, size_t at, const CsvDialect& dialect, bool in_quotes) {
  if (!dialect.multiline) {
    const size_t found = text.find('\n', std::min(at, text.size()));
    return found == std::string_view::npos ? std::string_view::npos : found + 1;
  }
  for (; at < text.size(); ++at) {
    if (text[at] == '"') in_quotes = !in_quotes;
    if (text[at] == '\n' && !in_quotes) return at + 1;
  }
  return std::string_view::npos;
}

std::string_view text_of(const CsvCell& cell, std::string_view text, std::string& buffer) {
  const std::string_view raw = cell.in(text);
  if (!cell.has_doubled_quotes()) return raw;
  buffer.clear();
  for (size_t i = 0; i < raw.size(); ++i) {
    buffer += raw[i];
    if (raw[i] == '"') ++i;
  }
  return buffer;
}

bool is_null(const CsvCell& cell, std::string_view text) {
  const std::string_view view = trimmed(cell.in(text));
  if (view.empty()) return true;
  if (view[0] != 'N' && view[0] != 'n') return false;
  return view == "NA" || view == "N/A" || view == "null" || view == "NULL";
}

Field infer(std::string name, std::string_view text, const CsvCells& cells, size_t column,
            size_t columns) {
  bool is_truth = true;
  bool is_whole = true;
  bool is_number = true;
  bool is_date = true;
  bool is_stamp = true;
  bool seen = false;
  for (size_t i = column; i < cells.size(); i += columns) {
    if (is_null(cells[i], text)) continue;
    seen = true;
    const std::string_view view = trimmed(cells[i].in(text));
    bool truth = false;
    int64_t whole = 0;
    double number = 0;
    is_truth = is_truth && parse(view, truth);
    is_whole = is_whole && parse(view, whole);
    is_number = is_number && parse(view, number);
    is_date = is_date && parse_days(view, whole);
    is_stamp = is_stamp && parse_timestamp(view, 1000, whole);
    if (!is_truth && !is_number && !is_stamp) break;
  }
  Field field{.name = std::move(name)};
  if (!seen || (is_number && !is_whole)) return field;
  if (is_truth) {
    field.dtype = DType::bool_;
  } else if (is_whole) {
    field.dtype = DType::int64;
  } else if (is_stamp) {
    field.dtype = DType::int64;
    field.unit = is_date ? "days" : "us";
  } else {
    field.dtype = DType::int32;
    field.is_dictionary = true;
  }
  return field;
}

void convert(const Field& field, std::string_view text, const CsvCells& cells, size_t column,
             size_t columns, std::byte* values, bool* valid) {
  visit_dtype(field.dtype, [&](auto tag) {
    using T = decltype(tag);
    convert_to(field, text, cells, column, columns, reinterpret_cast<T*>(values), valid);
  });
}

}  // namespace table::detail
TUFF_NAMESPACE_END
