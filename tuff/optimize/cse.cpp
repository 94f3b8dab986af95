// Keys are 128-bit hashes of name, parameters and (already merged) inputs; see cse.h.
#include "tuff/optimize/cse.h"

#include <unordered_map>

#include "tuff/base/key.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

std::vector<graph::Port> cse(const std::vector<graph::Port>& outputs) {
  graph::Replacements replacements;
  std::unordered_map<Key, graph::LayerPtr> known;
  graph::LayerWriter writer;
  writer.local = true;
  for (const graph::LayerPtr& layer : graph::layers_in_order(outputs)) {
    const graph::LayerPtr merged = replacements.with_new_inputs(layer);
    writer.clear();
    writer.put(merged->name());
    for (const graph::Port& input : merged->inputs()) {
      writer.put(reinterpret_cast<uint64_t>(input.layer.get()));
      writer.put(input.output);
    }
    merged->write(writer);
    const auto [at, added] = known.try_emplace(hash_bytes(writer.bytes()), merged);
    if (at->second == layer) continue;
    for (uint32_t o = 0; o < layer->outputs().size(); ++o)
      replacements.set(layer.get(), o, {at->second, o});
  }
  std::vector<graph::Port> result;
  for (const graph::Port& output : outputs) result.push_back(replacements(output));
  return result;
}

}  // namespace optimize
TUFF_NAMESPACE_END
