// See task_text.h.
#include "tuff/graph/task_text.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>

#include <cxxabi.h>
#include <fmt/format.h>

#include "tuff/base/block.h"
#include "tuff/base/error.h"
#include "tuff/graph/taskgraph.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

/// Whether a word of a name says what kind of task it is, and not which one.
bool names_a_kind(std::string_view word) {
  if (word.empty() || !std::all_of(word.begin(), word.end(), is_letter)) return false;
  // Eight letters that could be a hash are one, as Dask has it.
  return !(word.size() == 8 && std::all_of(word.begin(), word.end(), is_hex));
}

template <class T>
bool text_if(const Value& value, std::string& text) {
  if (!value.holds<T>()) return false;
  if constexpr (std::is_same_v<T, std::string>) {
    text = fmt::format("\"{}\"", value.get<T>());
  } else {
    text = fmt::format("{}", value.get<T>());
  }
  return true;
}

template <class... T>
bool text_if_any(const Value& value, std::string& text) {
  return (text_if<T>(value, text) || ...);
}

}  // namespace

std::string type_text(const std::type_info& type) {
  int status = 0;
  char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string result = status == 0 ? text : type.name();
  std::free(text);
  return result;
}

std::string_view key_prefix(std::string_view name) {
  size_t end = std::min(name.find_first_of("-#", 1), name.size());
  while (end < name.size() && name[end] == '-') {
    const size_t next = std::min(name.find_first_of("-#", end + 1), name.size());
    if (!names_a_kind(name.substr(end + 1, next - end - 1))) break;
    end = next;
  }
  return name.substr(0, end);
}

std::string short_text(const Value& value) {
  if (!value.has_value()) return "nothing";
  std::string text;
  if (text_if_any<bool, int, unsigned, long, unsigned long, long long, unsigned long long, float,
                  double, std::string>(value, text)) {
    return text;
  }
  if (value.holds<Block>()) {
    const auto& block = value.get<Block>();
    if (!block) return "empty block";
    return fmt::format("{} {}", name_of(block.dtype()), tuff::to_string(block.shape()));
  }
  return fmt::format("<{}>", type_text(value.type()));
}

}  // namespace graph

void detail::throw_wrong_input(size_t input, const Value& holds, const std::type_info& wanted) {
  throw InvalidArgument("task",
                        fmt::format("input {} is {}; the callable takes {}", input,
                                    graph::type_text(holds.type()), graph::type_text(wanted)));
}

void detail::throw_wrong_value(const Value& holds, const std::type_info& wanted) {
  throw InvalidArgument("compute",
                        fmt::format("the task yielded {}; its handle promised {}",
                                    graph::type_text(holds.type()), graph::type_text(wanted)));
}

namespace {

/// Characters of an expression; beyond them arguments are written as "...".
constexpr size_t kLongestExpression = 500;

std::string argument_text(const TaskGraph& graph, const TaskGraph::Argument& argument,
                          std::vector<std::string>& parts) {
  std::string text;
  switch (argument.from) {
    case TaskGraph::Argument::From::task: text = to_string(graph.key_of(argument.number)); break;
    case TaskGraph::Argument::From::part: text = parts[argument.number]; break;
    case TaskGraph::Argument::From::literal:
      text = graph::short_text(*graph.literal_value(argument.number));
      break;
  }
  if (argument.output != 0) text += fmt::format(".{}", argument.output);
  return text;
}

}  // namespace

std::string TaskGraph::expression(const TaskRef& given) const {
  const uint32_t node = check_live(given, "TaskGraph");
  std::vector<std::string> texts;
  if (kind(node) != Kind::task) return argument_text(*this, target(node), texts);
  // Parts stand in the order in which they run, so what a part needs has been written.
  for (const Part& part : parts(node)) {
    std::string text = std::string(operation_name(part.function)) + "(";
    for (uint32_t a = 0; a < part.argument_count; ++a) {
      if (a > 0) text += ", ";
      std::string of = argument_text(*this, argument(part.first_argument + a), texts);
      text += text.size() + of.size() > kLongestExpression ? "..." : of;
    }
    texts.push_back(text + ")");
  }
  return texts.back();
}

std::string to_text(const TaskGraph& graph, size_t lines) {
  std::string text;
  size_t shown = 0;
  for (uint32_t node = 0; node < graph.node_count() && shown < lines; ++node) {
    if (!graph.exists(node)) continue;
    ++shown;
    fmt::format_to(std::back_inserter(text), "{} = {}\n", to_string(graph.key_of(node)),
                   graph.expression(graph.ref_to(node)));
  }
  if (shown < graph.size())
    fmt::format_to(std::back_inserter(text), "... and {} more\n", graph.size() - shown);
  return text;
}

std::string to_dot(const TaskGraph& graph) {
  const auto quoted = [](std::string_view text) {
    std::string result = "\"";
    for (char c : text) {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
    return result + "\"";
  };
  std::string dot = "digraph tasks {\n  rankdir = BT\n  node [fontname = \"sans-serif\"]\n";
  for (uint32_t node = 0; node < graph.node_count(); ++node) {
    if (!graph.exists(node)) continue;
    std::string label = to_string(graph.key_of(node));
    std::string_view shape = "oval";
    if (graph.kind(node) == TaskGraph::Kind::literal) {
      shape = "box";
      label += " = " + graph::short_text(*graph.literal_value(graph.target(node).number));
    } else if (graph.kind(node) == TaskGraph::Kind::alias) {
      shape = "plaintext";
    } else if (graph.parts(node).size() > 1) {
      shape = "box3d";
      label += fmt::format(": {} calls", graph.parts(node).size());
    }
    fmt::format_to(std::back_inserter(dot), "  {} [label = {}, shape = {}]\n", node, quoted(label),
                   shape);
  }
  for (uint32_t node = 0; node < graph.node_count(); ++node) {
    graph.each_dependency(node, [&](uint32_t input, uint32_t output) {
      fmt::format_to(std::back_inserter(dot), "  {} -> {}", input, node);
      if (output != 0) fmt::format_to(std::back_inserter(dot), " [label = \"{}\"]", output);
      dot += "\n";
    });
  }
  return dot + "}\n";
}

TUFF_NAMESPACE_END
