// Pictures of graphs, drawn by Graphviz.
#pragma once

#include <string>
#include <string_view>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

/// Draws a graph given in the dot language (to_dot() makes it) as an SVG file, which appears complete or
/// not at all. Runs Graphviz's `dot`. Throws InvalidArgument when there is no such program, when it refuses
/// the text, and when the file cannot be written.
TUFF_API void render(std::string_view dot, const std::string& path);

TUFF_NAMESPACE_END
