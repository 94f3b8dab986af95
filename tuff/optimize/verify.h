// Whether a graph of layers is sound: debug builds ask after each pass, tests whenever they like.
#pragma once

#include <string_view>
#include <vector>

#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// Throws InternalError, naming `pass` and the layer, unless every input is an output that exists, no
/// layer needs itself, inputs have the dtypes and chunks that their readers were made for, and tasks read
/// blocks that exist. Layers that `known` (the graph before the pass) has too are taken as sound.
/// Linear in the tasks of the layers it looks at.
TUFF_API void verify(std::string_view pass, const std::vector<graph::Port>& known,
                     const std::vector<graph::Port>& outputs);
/// Throws InternalError unless both lists promise the same results: as many, with the same dtypes and chunks.
TUFF_API void verify_same(std::string_view pass, const std::vector<graph::Port>& before,
                          const std::vector<graph::Port>& after);

}  // namespace optimize
TUFF_NAMESPACE_END
