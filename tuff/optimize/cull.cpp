// Walks from the outputs to the sources; layers that are read whole by whole readers are not looked
// into, so culling costs nothing per block where there is nothing to cull. See cull.h.
#include "tuff/optimize/cull.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

graph::Needed everything(const std::vector<graph::LayerPtr>& layers) {
  graph::Needed needed;
  for (const graph::LayerPtr& layer : layers) needed.tasks[layer.get()];
  return needed;
}

graph::Needed cull(const std::vector<graph::LayerPtr>& layers,
                   const std::vector<graph::Port>& outputs) {
  graph::Needed needed;
  std::unordered_map<const graph::Layer*, bool> whole;
  for (const graph::Port& output : outputs) {
    needed.tasks[output.layer.get()];
    whole[output.layer.get()] = true;
  }
  std::vector<graph::InputBlock> reads;
  for (size_t l = layers.size(); l-- > 0;) {
    const graph::Layer& layer = *layers[l];
    const auto found = needed.tasks.find(&layer);
    if (found == needed.tasks.end()) continue;
    const bool all = whole[&layer];
    if (all) found->second.clear();  // no flags: all
    if (all && layer.reads_everything()) {
      for (const graph::Port& input : layer.inputs()) {
        needed.tasks[input.layer.get()];
        whole[input.layer.get()] = true;
      }
      continue;
    }
    // A copy: new entries below may move the map's.
    const std::vector<bool> wanted = found->second;
    const auto tasks = static_cast<uint32_t>(layer.task_count());
    for (const graph::Port& input : layer.inputs()) {
      std::vector<bool>& flags = needed.tasks[input.layer.get()];
      if (flags.empty()) flags.resize(input.layer->task_count(), false);
    }
    for (uint32_t t = 0; t < tasks; ++t) {
      if (!all && !wanted[t]) continue;
      reads.clear();
      layer.inputs_of(t, reads);
      for (const graph::InputBlock& read : reads) {
        const graph::Port& input = layer.inputs()[read.input];
        needed.tasks[input.layer.get()][input.layer->task_of(input.output, read.block)] = true;
      }
    }
  }
  for (auto& [layer, flags] : needed.tasks) {
    if (whole[layer]) flags.clear();
  }
  return needed;
}

}  // namespace optimize
TUFF_NAMESPACE_END
