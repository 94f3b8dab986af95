// Graphs for people: one line per layer, or Graphviz.
#pragma once

#include <string>
#include <vector>

#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// One line per layer, inputs before users:
///   `L2  fused(normal -> exp, multiply x2 -> sum)  100 tasks  <-  L0, L1  ->  float64 (100,) in (100,) blocks`
/// Names, inputs and results are each listed once, with how often they occur, so that lines stay short.
TUFF_API std::string to_text(const std::vector<Port>& outputs);
/// Layers as boxes, in Graphviz's dot language.
TUFF_API std::string to_dot(const std::vector<Port>& outputs);

}  // namespace graph
TUFF_NAMESPACE_END
