// Reading targets; see target.h.
#include "apps/tuff/target.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "tuff/tuff.h"

namespace tuff::cli {

namespace {

constexpr const char* kAccepted =
    "accepted: a column, or a column, one of < <= > >= == != and a value, such as 'delay > 15'";

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

std::string unquoted(const std::string& text) {
  if (text.size() >= 2 && text.front() == text.back() &&
      (text.front() == '\'' || text.front() == '"')) {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

/// The column at the start of the text, and what follows it.
std::pair<std::string, std::string> take_column(const std::string& text) {
  if (text.empty() || text[0] != '`') {
    const size_t end = std::min(text.find_first_of("<>=!"), text.size());
    return {trimmed(text.substr(0, end)), text.substr(end)};
  }
  const size_t end = text.find('`', 1);
  if (end == std::string::npos) {
    throw InvalidArgument("target",
                          fmt::format("the backtick in \"{}\" is not closed; {}", text, kAccepted));
  }
  return {text.substr(1, end - 1), trimmed(text.substr(end + 1))};
}

Array compare(const Array& column, const std::string& comparison, const Operand& value) {
  if (comparison == "<") return column < value;
  if (comparison == "<=") return column <= value;
  if (comparison == ">") return column > value;
  if (comparison == ">=") return column >= value;
  if (comparison == "==") return column == value;
  return column != value;
}

Array compare_text(const table::Table& table, const Target& target, const RunOptions& run) {
  if (target.comparison != "==" && target.comparison != "!=") {
    throw InvalidArgument(
        "target", fmt::format("'{}' holds text, which {} does not order; accepted: == and !=",
                              target.column, target.comparison));
  }
  const std::vector<std::string> texts = table.dictionary(target.column, run);
  const auto found = std::find(texts.begin(), texts.end(), unquoted(target.value));
  if (found == texts.end()) {
    throw InvalidArgument(
        "target", fmt::format("no row has '{}' in column '{}'; there are {} values, such as '{}'",
                              unquoted(target.value), target.column, texts.size(),
                              texts.empty() ? "" : texts.front()));
  }
  return compare(table.column(target.column), target.comparison,
                 static_cast<int>(found - texts.begin()));
}

}  // namespace

Target parse_target(const std::string& text) {
  auto [column, rest] = take_column(trimmed(text));
  if (column.empty())
    throw InvalidArgument("target", fmt::format("no column in \"{}\"; {}", text, kAccepted));
  if (rest.empty()) return {column, "", ""};
  for (const char* comparison : {"<=", ">=", "==", "!=", "<", ">"}) {
    const size_t length = std::char_traits<char>::length(comparison);
    if (rest.compare(0, length, comparison) != 0) continue;
    const std::string value = trimmed(rest.substr(length));
    if (value.empty())
      throw InvalidArgument(
          "target", fmt::format("no value after {} in \"{}\"; {}", comparison, text, kAccepted));
    return {column, comparison, value};
  }
  throw InvalidArgument(
      "target", fmt::format("\"{}\" is not understood from '{}' on; {}", text, rest, kAccepted));
}

Array target_array(const table::Table& table, const Target& target, const RunOptions& run) {
  const table::Field& field = table.field(target.column);
  if (target.comparison.empty()) {
    if (field.is_dictionary) {
      throw InvalidArgument(
          "target", fmt::format("'{}' holds text; compare it with one of its values, such as "
                                "\"{} == 'A'\"",
                                target.column, target.column));
    }
    return table.column(target.column);
  }
  if (field.is_dictionary) return compare_text(table, target, run);
  const std::string value = unquoted(target.value);
  const char* end = value.data() + value.size();
  int64_t whole = 0;
  if (const auto [stop, error] = std::from_chars(value.data(), end, whole);
      error == std::errc() && stop == end) {
    return compare(table.column(target.column), target.comparison, whole);
  }
  double number = 0;
  if (const auto [stop, error] = std::from_chars(value.data(), end, number);
      error == std::errc() && stop == end) {
    return compare(table.column(target.column).astype(DType::float64), target.comparison, number);
  }
  throw InvalidArgument("target", fmt::format("'{}' is no number, and column '{}' holds {}",
                                              target.value, target.column, name_of(field.dtype)));
}

}  // namespace tuff::cli
