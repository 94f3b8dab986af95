// Text and dot of a graph; see print.h.
#include "tuff/graph/print.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

/// At most this much of a layer's own description, of its inputs and of its outputs: some 500 characters.
constexpr size_t kNoteShown = 300;
constexpr size_t kInputsShown = 8;
constexpr size_t kOutputsShown = 3;

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::unordered_map<const Layer*, size_t> numbered(const std::vector<LayerPtr>& layers) {
  std::unordered_map<const Layer*, size_t> numbers;
  for (size_t l = 0; l < layers.size(); ++l) numbers[layers[l].get()] = l;
  return numbers;
}

}  // namespace

std::string title_of(const Layer& layer) {
  std::string note = layer.note();
  if (note.size() > kNoteShown) note = note.substr(0, kNoteShown) + "...";
  return note.empty() ? std::string(layer.name()) : fmt::format("{}({})", layer.name(), note);
}

std::string text_of(const LayerOutput& output) {
  return fmt::format("{} {} in {} blocks", name_of(output.dtype),
                     tuff::to_string(shape_of(output.chunks)),
                     tuff::to_string(grid_of(output.chunks)));
}

std::string counted(const std::vector<std::string>& texts, size_t shown,
                    std::string_view separator) {
  std::vector<std::pair<std::string_view, size_t>> counts;
  std::unordered_map<std::string_view, size_t> place;
  for (const std::string& text : texts) {
    const auto [at, is_new] = place.try_emplace(text, counts.size());
    if (is_new) counts.emplace_back(text, 0);
    ++counts[at->second].second;
  }
  std::string out;
  for (size_t i = 0; i < std::min(counts.size(), shown); ++i) {
    out += fmt::format("{}{}", i == 0 ? "" : separator, counts[i].first);
    if (counts[i].second > 1) out += fmt::format(" x{}", counts[i].second);
  }
  if (counts.size() > shown) out += fmt::format("{}{} more", separator, counts.size() - shown);
  return out;
}

std::string to_text(const std::vector<Port>& outputs) {
  const std::vector<LayerPtr> layers = layers_in_order(outputs);
  const auto numbers = numbered(layers);
  std::string text;
  for (size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = *layers[l];
    const size_t tasks = layer.lower({}) ? layer.task_count() : 0;
    text += fmt::format("L{}  {}  {} task{}", l, title_of(layer), tasks, tasks == 1 ? "" : "s");
    std::vector<std::string> inputs;
    for (const Port& input : layer.inputs()) {
      inputs.push_back(fmt::format("L{}", numbers.at(input.layer.get())));
      if (input.output > 0) inputs.back() += fmt::format(".{}", input.output);
    }
    if (!inputs.empty()) text += "  <-  " + counted(inputs, kInputsShown, ", ");
    std::vector<std::string> results;
    for (const LayerOutput& output : layer.outputs()) results.push_back(text_of(output));
    text += "  ->  " + counted(results, kOutputsShown, " and ") + '\n';
  }
  return text;
}

std::string to_dot(const std::vector<Port>& outputs) {
  const std::vector<LayerPtr> layers = layers_in_order(outputs);
  const auto numbers = numbered(layers);
  std::string text =
      "digraph tuff {\n  rankdir=BT;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = *layers[l];
    std::string label = escaped(title_of(layer));
    for (const LayerOutput& o : layer.outputs()) label += "\\n" + escaped(text_of(o));
    text += fmt::format("  L{} [label=\"{}\"];\n", l, label);
    for (const Port& input : layer.inputs()) {
      text += fmt::format("  L{} -> L{};\n", numbers.at(input.layer.get()), l);
    }
  }
  return text + "}\n";
}

}  // namespace graph
TUFF_NAMESPACE_END
