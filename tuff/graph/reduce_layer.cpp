// Reductions inside a block as a layer; see reduce_layer.h.
#include "tuff/graph/reduce_layer.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "tuff/kernels/reduce.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

constexpr std::string_view kPartialNames[] = {"sum", "min", "max", "any", "all", "moments"};

/// Throws unless the input can be reduced so; see the constructor's comment.
const Axes& checked_axes(ops::Reduction reduction, DType element, const Port& input,
                         const Axes& axes) {
  const auto refuse = [&](const std::string& what) {
    throw InvalidArgument(kPartialNames[static_cast<size_t>(reduction)], what);
  };
  const size_t rank = output_of(input).chunks.size();
  int64_t last = -1;
  for (int64_t axis : axes) {
    if (axis <= last || axis >= static_cast<int64_t>(rank))
      refuse(fmt::format("axes {} of an array of rank {}", tuff::to_string(axes), rank));
    last = axis;
  }
  if (kernels::find_reduction(reduction, element) == nullptr)
    refuse(fmt::format("elements of type {}", name_of(element)));
  if (reduction == ops::Reduction::moments && rank > 0) {
    // Count, mean and squares lie along one more axis; over nothing they would be one per element.
    if (rank == kMaxRank) refuse(fmt::format("rank {}; at most {} is accepted", rank, rank - 1));
    if (axes.empty()) refuse("no axes; at least one is needed");
  }
  return axes;
}

Alignment reduce_alignment(const Port& input, const Axes& axes) {
  Alignment alignment;
  alignment.space = output_of(input).chunks;
  alignment.inputs.push_back(counting(alignment.space.size()));
  alignment.output = counting(alignment.space.size());
  for (int64_t axis : axes) {
    alignment.collapsed |= static_cast<uint8_t>(1U << axis);
    alignment.reduced |= static_cast<uint8_t>(1U << axis);
    // Nobody needs to line up with an axis of one element; without its label it may meet any axis.
    if (alignment.space[static_cast<size_t>(axis)]->count() == 1) {
      alignment.output[static_cast<size_t>(axis)] = kNoLabel;
    }
  }
  return alignment;
}

Chunks reduced_chunks(const Port& input, const Axes& axes, bool moments) {
  Chunks chunks = output_of(input).chunks;
  for (int64_t axis : axes) {
    AxisChunksPtr& a = chunks[static_cast<size_t>(axis)];
    a = AxisChunks::regular(static_cast<int64_t>(a->count()), 1);
  }
  if (moments) chunks.push_back(AxisChunks::whole(3));
  return chunks;
}

}  // namespace

ReduceLayer::ReduceLayer(ops::Reduction reduction, DType element, const Port& input,
                         const Axes& axes)
    : BlockwiseLayer({input}, element,
                     reduced_chunks(input, checked_axes(reduction, element, input, axes),
                                    reduction == ops::Reduction::moments),
                     reduce_alignment(input, checked_axes(reduction, element, input, axes))),
      reduction_(reduction),
      element_(element),
      axes_(axes) {}

std::string_view ReduceLayer::name() const {
  return kPartialNames[static_cast<size_t>(reduction_)];
}

uint32_t ReduceLayer::emit(Emitter& emitter, std::span<const uint32_t> args,
                           const LabelMap& labels) const {
  const uint32_t value = emitter.cast(args[0], element_);
  // Over no axes there is nothing to reduce, and the result may be used again in the same program.
  LabelSet over = 0;
  for (int64_t axis : axes_) {
    if (labels[static_cast<size_t>(axis)] != kNoLabel)
      over |= set_of(labels[static_cast<size_t>(axis)]);
  }
  if (over == 0 && reduction_ != ops::Reduction::moments) return value;
  return emitter.reduce(reduction_, value, set_of(labels), over);
}

LayerPtr ReduceLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<ReduceLayer>(reduction_, element_, inputs[0], axes_);
}

void ReduceLayer::write(LayerWriter& writer) const {
  writer.put(element_);
  writer.put(axes_);
}

std::string ReduceLayer::note() const { return "axes " + tuff::to_string(axes_); }

LayerPtr ReduceLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                           std::string_view name) {
  reader.need_inputs(inputs, 1);
  const DType element = reader.dtype();
  const Axes axes = reader.dims();
  const auto* at = std::find(std::begin(kPartialNames), std::end(kPartialNames), name);
  if (at == std::end(kPartialNames)) reader.fail("an unknown reduction");
  return reader.make<ReduceLayer>(static_cast<ops::Reduction>(at - kPartialNames), element,
                                  inputs[0], axes);
}

}  // namespace graph
TUFF_NAMESPACE_END
