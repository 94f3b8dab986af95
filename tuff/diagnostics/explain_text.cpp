// An explanation as text, and as the file that people open; see explain.h.
#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "tuff/base/atomic_file.h"
#include "tuff/diagnostics/explain.h"
#include "tuff/diagnostics/hints.h"
#include "tuff/diagnostics/text.h"
#include "tuff/graph/print.h"

TUFF_NAMESPACE_BEGIN

namespace {

/// Inputs and results of one layer that a line shows; the rest is counted.
constexpr size_t kShown = 8;

/// "1 task", "1,200 tasks".
std::string plural(uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count_text(count), what, count == 1 ? "" : "s");
}

std::string line_of(const Explanation::Layer& layer, size_t number) {
  std::string text = fmt::format("L{}  {}", number, layer.title);
  if (layer.tasks > 0) text += "  " + plural(layer.tasks, "task");
  std::vector<std::string> inputs;
  for (const auto& [input, output] : layer.inputs)
    inputs.push_back(output == 0 ? fmt::format("L{}", input)
                                 : fmt::format("L{}.{}", input, output));
  if (!inputs.empty()) text += "  <-  " + graph::counted(inputs, kShown);
  return text + "  ->  " + graph::counted(layer.outputs, kShown, " and ") + '\n';
}

std::string list_of(const std::vector<Explanation::Layer>& layers) {
  std::string text;
  for (size_t l = 0; l < layers.size(); ++l) text += "  " + line_of(layers[l], l);
  return text;
}

std::string change_of(const Explanation::Step& step) {
  if (step.gone.empty() && step.added.empty()) return {};
  if (step.added.empty()) return "gone: " + step.gone;
  if (step.gone.empty()) return "new: " + step.added;
  return step.gone + " -> " + step.added;
}

std::string steps_of(const Explanation& explanation) {
  std::vector<std::vector<std::string>> rows;
  for (const Explanation::Step& step : explanation.steps) {
    rows.push_back({step.name, fmt::format("{:.3f} ms", step.seconds * 1e3),
                    count_text(step.before), fmt::format("-> {}", count_text(step.after)),
                    change_of(step)});
  }
  return columns_of(rows);
}

std::string bytes_by_layer(const std::vector<Explanation::Layer>& layers) {
  std::vector<std::vector<std::string>> rows = {
      {"", "tasks", "from memory", "from tasks", "written", "held", "largest task", ""}};
  for (size_t l = 0; l < layers.size(); ++l) {
    const Explanation::Layer& layer = layers[l];
    if (layer.tasks == 0) continue;
    rows.push_back({fmt::format("L{}", l), count_text(layer.tasks),
                    bytes_text(layer.bytes_from_memory), bytes_text(layer.bytes_from_tasks),
                    bytes_text(layer.bytes_written), bytes_text(layer.bytes_held),
                    bytes_text(layer.largest_task), layer.width});
  }
  return columns_of(rows);
}

}  // namespace

std::string Explanation::to_text() const {
  std::string text = fmt::format("{}\n\n", title);
  text += fmt::format("  {}, {}, {} ({} as built), planned in {:.3f} ms\n", plural(tasks, "task"),
                      plural(edges, "edge"), plural(layers.size(), "layer"),
                      count_text(built.size()), seconds * 1e3);
  text += fmt::format("  read: {} from memory ({} are there), {} from sources, {} from tasks\n",
                      bytes_text(bytes_from_memory), bytes_text(bytes_in_memory),
                      bytes_text(bytes_from_sources), bytes_text(bytes_from_tasks));
  text += fmt::format("  written: {}; held at most: {}, results {}; largest task: {}\n",
                      bytes_text(bytes_written), bytes_text(bytes_held), bytes_text(bytes_results),
                      bytes_text(largest_task));
  if (!hints.empty()) text += "\nHints\n";
  for (const Hint& hint : hints) text += "  - " + hint.text + '\n';
  text += "\nPasses\n" + steps_of(*this);
  if (!disabled.empty()) text += "  off: " + graph::counted(disabled, disabled.size()) + '\n';
  text += "\nLayers as built\n" + list_of(built);
  for (size_t s = 0; s < steps.size(); ++s) {
    if (steps[s].layers.empty()) continue;
    text += fmt::format("\nAfter {}\n", steps[s].name) + list_of(steps[s].layers);
  }
  text += "\nBytes by layer\n" + bytes_by_layer(layers);
  if (!choices.empty()) text += "\nChosen\n";
  for (const Choice& choice : choices)
    text += fmt::format("  {}: {}, {}\n", choice.what, choice.value, choice.reason);
  return text;
}

void Explanation::save(const std::string& path) const {
  const std::string content = path.ends_with(".txt") ? to_text() : to_html();
  AtomicFile file("explain", path);
  file.write(content);
  file.commit();
}

TUFF_NAMESPACE_END
