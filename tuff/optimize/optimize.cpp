// The passes, in order. A new pass is one file pair and one line here.
#include "tuff/optimize/optimize.h"

#include "tuff/optimize/cse.h"
#include "tuff/optimize/cull.h"
#include "tuff/optimize/fuse.h"
#include "tuff/optimize/order.h"
#include "tuff/optimize/push_slices.h"
#include "tuff/optimize/rechunk.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

const std::vector<LayerPass>& layer_passes() {
  static const std::vector<LayerPass> passes = {
      {"cse", "equal layers on equal inputs become one", &Passes::cse, cse},
      {"push_slices", "slices move to the sources: what is cut off is not made",
       &Passes::push_slices, push_slices},
      {"rechunk", "arrays are cut anew once, where that copies least", &Passes::rechunk,
       plan_rechunks},
      {"fuse", "layers that line up block by block become one program", &Passes::fuse, fuse},
  };
  return passes;
}

std::vector<graph::Port> optimize_layers(std::vector<graph::Port> outputs, const Passes& passes) {
  for (const LayerPass& pass : layer_passes()) {
    if (passes.*pass.enabled) outputs = pass.run(outputs);
  }
  return outputs;
}

graph::Lowered lower(const std::vector<graph::Port>& outputs, const Passes& passes) {
  const std::vector<graph::LayerPtr> layers = graph::layers_in_order(outputs);
  const graph::Needed needed = passes.cull ? cull(layers, outputs) : everything(layers);
  graph::Lowered lowered = graph::lower(layers, outputs, needed);
  if (passes.order) order(lowered.arrays);
#if defined(TUFF_DEBUG_CHECKS)
  lowered.arrays.verify();
#endif
  return lowered;
}

}  // namespace optimize
TUFF_NAMESPACE_END
