// Relabelled axes as a layer, and as a task that makes a view; see relabel_layer.h.
#include "tuff/graph/relabel_layer.h"

#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

[[noreturn]] void refuse(std::string_view what) { throw InvalidArgument("relabel", what); }

/// Throws unless the axes fit; see the constructor's comment.
void check_axes(const Chunks& given, const LabelMap& from, const Chunks& chunks) {
  if (from.size() != chunks.size()) refuse("chunks of another rank");
  uint32_t used = 0;
  for (size_t a = 0; a < from.size(); ++a) {
    if (chunks[a] == nullptr) refuse("an axis without chunks");
    if (from[a] == kNoLabel) {
      if (!chunks[a]->is_known()) refuse("a new axis of unknown extent");
      continue;
    }
    if (from[a] < 0 || from[a] >= static_cast<int>(given.size())) refuse("an axis out of range");
    const auto axis = static_cast<size_t>(from[a]);
    if (((used >> axis) & 1) != 0) refuse("an axis used twice");
    used |= 1U << axis;
    if (!same_chunks(given[axis], chunks[a]) && !(is_one(given[axis]) && chunks[a]->is_known()))
      refuse("axes cut differently");
  }
  for (size_t a = 0; a < given.size(); ++a) {
    if (((used >> a) & 1) == 0 && !is_one(given[a]))
      refuse("a dropped axis of extent other than 1");
  }
}

Alignment relabel_alignment(const Port& input, const LabelMap& from, const Chunks& chunks) {
  const Chunks& given = output_of(input).chunks;
  check_axes(given, from, chunks);
  Alignment alignment;
  alignment.space = chunks;
  alignment.output = counting(chunks.size());
  LabelMap map(given.size(), kNoLabel);
  for (size_t a = 0; a < from.size(); ++a) {
    const int8_t label = from[a];
    if (label == kNoLabel) continue;
    const auto axis = static_cast<size_t>(label);
    if (same_chunks(given[axis], chunks[a])) map[axis] = static_cast<int8_t>(a);
  }
  alignment.inputs.push_back(map);
  return alignment;
}

class RelabelTask final : public TaskFunction {
 public:
  explicit RelabelTask(const LabelMap& from) : from_(from) {}
  std::string_view name() const override { return "relabel"; }
  void run(TaskArguments& arguments) const override {
    const Block& block = arguments.inputs[0]->get<Block>();
    Dims shape;
    Dims strides;
    for (int8_t axis : from_) {
      shape.push_back(axis == kNoLabel ? 1 : block.shape()[static_cast<size_t>(axis)]);
      strides.push_back(axis == kNoLabel ? 0 : block.strides()[static_cast<size_t>(axis)]);
    }
    arguments.outputs[0].emplace<Block>(block.strided_view(0, shape, strides));
  }

 private:
  LabelMap from_;
};

}  // namespace

RelabelLayer::RelabelLayer(const Port& input, const LabelMap& from, const Chunks& chunks)
    : BlockwiseLayer({input}, output_of(input).dtype, chunks,
                     relabel_alignment(input, from, chunks)),
      from_(from) {
  const Chunks& given = output_of(input).chunks;
  for (size_t a = 0; a < from.size(); ++a) {
    view_ = view_ &&
            (from[a] == kNoLabel ? is_one(chunks[a])
                                 : same_chunks(given[static_cast<size_t>(from[a])], chunks[a]));
  }
}

uint32_t RelabelLayer::emit(Emitter&, std::span<const uint32_t> args, const LabelMap&) const {
  return args[0];
}

LayerPtr RelabelLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<RelabelLayer>(inputs[0], from_, alignment().space);
}

Port RelabelLayer::sliced(uint32_t, const Slices& slices) const {
  return {std::make_shared<RelabelLayer>(sliced_input(*this, 0, slices), from_,
                                         sliced_chunks(alignment().space, slices)),
          0};
}

Port RelabelLayer::rechunked(uint32_t, const Chunks& chunks) const {
  return {std::make_shared<RelabelLayer>(rechunked_input(*this, 0, chunks), from_, chunks), 0};
}

void RelabelLayer::write(LayerWriter& writer) const {
  writer.put(static_cast<uint8_t>(from_.size()));
  for (int8_t axis : from_) writer.put(axis);
  writer.put_chunks(alignment().space);
}

std::string RelabelLayer::note() const {
  std::string text;
  for (int8_t axis : from_)
    text += fmt::format("{}{}", text.empty() ? "" : ", ",
                        axis == kNoLabel ? "new" : fmt::format("{}", axis));
  return fmt::format("axes ({})", text);
}

std::shared_ptr<const TaskFunction> RelabelLayer::lower(const LowerHints& hints) const {
  if (!view_) return BlockwiseLayer::lower(hints);
  return std::make_shared<RelabelTask>(from_);
}

LayerPtr RelabelLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                            std::string_view) {
  reader.need_inputs(inputs, 1);
  LabelMap from;
  const auto rank = reader.get<uint8_t>();
  if (rank > kMaxRank) reader.fail("a rank out of range");
  for (size_t a = 0; a < rank; ++a) from.push_back(reader.get<int8_t>());
  const Chunks chunks = reader.get_chunks();
  return reader.make<RelabelLayer>(inputs[0], from, chunks);
}

}  // namespace graph
TUFF_NAMESPACE_END
