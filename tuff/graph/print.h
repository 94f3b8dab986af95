// Graphs for people: one line per layer, or Graphviz.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// "sum(axes (0,))": name and parameters; long ones are cut.
TUFF_API std::string title_of(const Layer& layer);
/// "float64 (100,) in (4,) blocks".
TUFF_API std::string text_of(const LayerOutput& output);
/// Texts in order, each once with how often it occurs: "L0, L1 x2". Beyond `shown` of them the rest is counted.
TUFF_API std::string counted(const std::vector<std::string>& texts, size_t shown,
                             std::string_view separator = ", ");

/// One line per layer, inputs before users:
///   `L2  fused(normal -> exp, multiply x2 -> sum)  100 tasks  <-  L0, L1  ->  float64 (100,) in (100,) blocks`
/// Names, inputs and results are each listed once, with how often they occur, so that lines stay short.
TUFF_API std::string to_text(const std::vector<Port>& outputs);
/// Layers as boxes, in Graphviz's dot language.
TUFF_API std::string to_dot(const std::vector<Port>& outputs);

}  // namespace graph
TUFF_NAMESPACE_END
