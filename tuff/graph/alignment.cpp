// The alignments that most layers share, and questions about axes and labels; see alignment.h.
#include "tuff/graph/alignment.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

LabelSet set_of(const LabelMap& map) {
  LabelSet labels = 0;
  for (int8_t label : map) {
    if (label != kNoLabel) labels |= set_of(label);
  }
  return labels;
}

bool is_one(const AxisChunksPtr& axis) {
  return axis->is_known() && axis->count() == 1 && axis->extent().value() == 1;
}

LabelMap counting(size_t rank) {
  LabelMap map;
  for (size_t a = 0; a < rank; ++a) map.push_back(static_cast<int8_t>(a));
  return map;
}

Alignment broadcast_alignment(const std::vector<Port>& inputs, const Chunks& space) {
  Alignment alignment;
  alignment.space = space;
  alignment.output = counting(space.size());
  for (const Port& input : inputs) {
    const Chunks& chunks = output_of(input).chunks;
    LabelMap map;
    for (size_t a = 0; a < chunks.size(); ++a) {
      const size_t axis = space.size() - chunks.size() + a;
      const bool stretched = is_one(chunks[a]) && !is_one(space[axis]);
      TUFF_CHECK(stretched || same_chunks(chunks[a], space[axis]));
      map.push_back(stretched ? kNoLabel : static_cast<int8_t>(axis));
    }
    alignment.inputs.push_back(map);
  }
  return alignment;
}

Alignment plain_alignment(const Chunks& space) {
  Alignment alignment;
  alignment.space = space;
  alignment.output = counting(space.size());
  return alignment;
}

}  // namespace graph
TUFF_NAMESPACE_END
