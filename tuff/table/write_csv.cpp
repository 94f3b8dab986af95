// Columns as CSV; see write.h.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include <fmt/format.h>

#include "tuff/base/atomic_file.h"
#include "tuff/table/output.h"

TUFF_NAMESPACE_BEGIN
namespace table {
namespace detail {

namespace {

/// Rows that are made into text before they are written: with ten columns about 1 MB.
constexpr int64_t kRowsPerWrite = 8192;

[[noreturn]] void refuse(const Field& field, std::string_view what) {
  throw InvalidArgument("write_csv", fmt::format("column '{}' {}", field.name, what));
}

void append_text(std::string_view text, char delimiter, std::string& out) {
  const bool plain = !text.empty() && text.find_first_of("\"\r\n \t") == std::string_view::npos &&
                     text.find(delimiter) == std::string_view::npos;
  if (plain) {
    out += text;
    return;
  }
  out += '"';
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_date(const Field& field, int64_t days, std::string& out) {
  // The years that ISO 8601 writes with four digits.
  constexpr int64_t kFirst = -719'528;
  constexpr int64_t kLast = 2'932'896;
  if (days < kFirst || days > kLast)
    refuse(field, fmt::format("has {} days since 1970: not in the years 0 to 9999", days));
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

/// A time stamp with the digits that its unit has.
void append_stamp(const Field& field, int64_t value, std::string& out) {
  const int digits = field.unit == "s" ? 0 : field.unit == "ms" ? 3 : field.unit == "us" ? 6 : 9;
  int64_t per_second = 1;
  for (int i = 0; i < digits; ++i) per_second *= 10;
  const int64_t per_day = 86'400 * per_second;
  int64_t days = value / per_day;
  int64_t rest = value % per_day;
  if (rest < 0) {
    rest += per_day;
    --days;
  }
  append_date(field, days, out);
  const int64_t seconds = rest / per_second;
  fmt::format_to(std::back_inserter(out), "T{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60,
                 seconds % 60);
  if (digits > 0) fmt::format_to(std::back_inserter(out), ".{:0{}}", rest % per_second, digits);
}

template <class T>
void append_number(T value, std::string& out) {
  char digits[32];  // 24 are the most that a float64 takes
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void append_element(const Field& field, const Block& block, int64_t i, std::string& out) {
  visit_dtype(field.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T value = block.data<T>()[i];
    if constexpr (std::is_same_v<T, bool>) {
      out += value ? "true" : "false";
    } else if constexpr (std::is_same_v<T, int64_t>) {
      if (field.unit == "days") return append_date(field, value, out);
      if (field.unit.empty() || field.unit.ends_with(" of day")) return append_number(value, out);
      append_stamp(field, value, out);
    } else {
      append_number(value, out);
    }
  });
}

void check_units(const std::vector<Field>& fields) {
  static constexpr std::array<std::string_view, 9> kUnits = {
      "", "days", "s", "ms", "us", "ns", "ms of day", "us of day", "ns of day"};
  for (const Field& field : fields) {
    if (std::find(kUnits.begin(), kUnits.end(), field.unit) != kUnits.end()) continue;
    refuse(field, fmt::format(
                      "has the unit '{}'; accepted are 'days', 's', 'ms', 'us', 'ns', and the last "
                      "three with ' of day'",
                      field.unit));
  }
}

}  // namespace
}  // namespace detail

void write_csv(const std::string& path, const std::vector<OutputColumn>& columns,
               const CsvWriteOptions& options) {
  const detail::Computed computed = detail::compute_columns("write_csv", columns, options.run);
  detail::check_units(computed.fields);
  AtomicFile file("write_csv", path);
  std::string text;
  if (options.header) {
    for (size_t c = 0; c < computed.fields.size(); ++c) {
      if (c > 0) text += options.delimiter;
      detail::append_text(computed.fields[c].name, options.delimiter, text);
    }
    text += '\n';
  }
  for (int64_t first = 0; first < computed.rows; first += detail::kRowsPerWrite) {
    const int64_t rows = std::min(detail::kRowsPerWrite, computed.rows - first);
    std::vector<Block> blocks;
    for (const Result& column : computed.columns)
      blocks.push_back(detail::rows_of(column, first, rows));
    for (int64_t i = 0; i < rows; ++i) {
      for (size_t c = 0; c < blocks.size(); ++c) {
        if (c > 0) text += options.delimiter;
        if (const auto* texts = computed.dictionaries[c]) {
          const auto code = static_cast<size_t>(blocks[c].data<int32_t>()[i]);
          detail::append_text((*texts)[code], options.delimiter, text);
        } else {
          detail::append_element(computed.fields[c], blocks[c], i, text);
        }
      }
      text += '\n';
    }
    file.write(text);
    text.clear();
  }
  file.write(text);
  file.commit();
}

}  // namespace table
TUFF_NAMESPACE_END
