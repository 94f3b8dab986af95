// See text.h.
#include "tuff/diagnostics/text.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN

std::string bytes_text(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.3g} {}", value, kUnits[unit]);
}

std::string count_text(uint64_t count) {
  std::string text = std::to_string(count);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string time_text(int64_t ns) {
  constexpr const char* kUnits[] = {"ns", "us", "ms", "s"};
  auto value = static_cast<double>(ns);
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  return value < 999.5 ? fmt::format("{:.3g} {}", value, kUnits[unit])
                       : fmt::format("{} s", count_text(static_cast<uint64_t>(std::lround(value))));
}

std::string percent_text(double part, double whole) {
  return fmt::format("{:.1f} %", whole > 0 ? 100 * part / whole : 0.0);
}

std::string columns_of(const std::vector<std::vector<std::string>>& rows, LastColumn last_column) {
  std::vector<size_t> widths;
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    std::string line = " ";
    for (size_t c = 0; c < row.size(); ++c) {
      const bool as_it_comes = last_column == LastColumn::text && c + 1 == row.size();
      line += c == 0        ? fmt::format(" {:<{}}", row[c], widths[c])
              : as_it_comes ? fmt::format("  {}", row[c])
                            : fmt::format("  {:>{}}", row[c], widths[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

TUFF_NAMESPACE_END
