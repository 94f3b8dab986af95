// Which blocks of each layer the requested outputs need: reading one point touches one block.
#pragma once

#include "tuff/graph/lower.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// `layers`: as layers_in_order(outputs) gives them.
TUFF_API graph::Needed cull(const std::vector<graph::LayerPtr>& layers,
                            const std::vector<graph::Port>& outputs);
/// All blocks of all layers, for plans that are to be seen uncut.
TUFF_API graph::Needed everything(const std::vector<graph::LayerPtr>& layers);

}  // namespace optimize
TUFF_NAMESPACE_END
