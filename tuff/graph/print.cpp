// Text and dot of a graph; see print.h.
#include "tuff/graph/print.h"

#include <unordered_map>

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

std::string title(const Layer& layer) {
  const std::string note = layer.note();
  return note.empty() ? std::string(layer.name()) : fmt::format("{}({})", layer.name(), note);
}

std::string result(const LayerOutput& output) {
  return fmt::format("{} {} in {} blocks", name_of(output.dtype), tuff::to_string(shape_of(output.chunks)),
                     tuff::to_string(grid_of(output.chunks)));
}

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

std::string to_text(const std::vector<Port>& outputs) {
  const std::vector<LayerPtr> layers = layers_in_order(outputs);
  const auto numbers = numbered(layers);
  std::string text;
  for (size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = *layers[l];
    const size_t tasks = layer.lower({}) ? layer.task_count() : 0;
    text += fmt::format("L{}  {}  {} task{}", l, title(layer), tasks, tasks == 1 ? "" : "s");
    for (size_t k = 0; k < layer.inputs().size(); ++k) {
      text += fmt::format("{}L{}", k == 0 ? "  reads " : ", ", numbers.at(layer.inputs()[k].layer.get()));
      if (layer.inputs()[k].output > 0) text += fmt::format(".{}", layer.inputs()[k].output);
    }
    for (size_t o = 0; o < layer.outputs().size(); ++o) {
      text += fmt::format("{}{}", o == 0 ? "  ->  " : " and ", result(layer.outputs()[o]));
    }
    text += '\n';
  }
  return text;
}

std::string to_dot(const std::vector<Port>& outputs) {
  const std::vector<LayerPtr> layers = layers_in_order(outputs);
  const auto numbers = numbered(layers);
  std::string text = "digraph tuff {\n  rankdir=BT;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = *layers[l];
    std::string label = escaped(title(layer));
    for (const LayerOutput& o : layer.outputs()) label += "\\n" + escaped(result(o));
    text += fmt::format("  L{} [label=\"{}\"];\n", l, label);
    for (const Port& input : layer.inputs()) {
      text += fmt::format("  L{} -> L{};\n", numbers.at(input.layer.get()), l);
    }
  }
  return text + "}\n";
}

}  // namespace graph
TUFF_NAMESPACE_END
