// Callables as layers; see callable.h.
#include "tuff/graph/callable.h"

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

class CallTask final : public TaskFunction {
 public:
  CallTask(CallFunction function, std::string label, bool yields_blocks)
      : function_(std::move(function)), label_(std::move(label)), yields_blocks_(yields_blocks) {}
  std::string_view name() const override { return label_; }
  bool yields_unknown_sizes() const override { return yields_blocks_; }
  std::string block_name(uint32_t) const override { return "()"; }
  void run(TaskArguments& arguments) const override {
    function_(arguments.inputs, arguments.last_use, arguments.outputs);
  }

 private:
  CallFunction function_;
  std::string label_;
  bool yields_blocks_;
};

class FromValuesTask final : public TaskFunction {
 public:
  FromValuesTask(DType dtype, Chunks chunks) : dtype_(dtype), chunks_(std::move(chunks)) {}
  std::string_view name() const override { return "from_delayed"; }
  std::string block_name(uint32_t block) const override {
    return tuff::to_string(grid_index(block, grid_of(chunks_)));
  }
  void run(TaskArguments& arguments) const override {
    const Block& block = arguments.inputs[0]->get<Block>();
    const Dims shape = shape_of_block(arguments.block);
    if (!block || block.dtype() != dtype_ || !(block.shape() == shape)) {
      throw InvalidArgument(
          "from_delayed", fmt::format("expected {} of shape {}; the callable returned {}",
                                      name_of(dtype_), tuff::to_string(shape),
                                      block ? fmt::format("{} of shape {}", name_of(block.dtype()),
                                                          tuff::to_string(block.shape()))
                                            : "an empty block"));
    }
    arguments.outputs[0].emplace<Block>(block);
  }

 private:
  Dims shape_of_block(uint32_t block) const {
    const Dims index = grid_index(block, grid_of(chunks_));
    Dims shape;
    for (size_t a = 0; a < index.size(); ++a)
      shape.push_back(chunks_[a]->size(static_cast<size_t>(index[a])));
    return shape;
  }
  DType dtype_;
  Chunks chunks_;
};

class PickTask final : public TaskFunction {
 public:
  explicit PickTask(uint32_t block) : block_(block) {}
  std::string_view name() const override { return "to_delayed"; }
  std::string block_name(uint32_t) const override { return std::to_string(block_); }
  void run(TaskArguments& arguments) const override {
    arguments.outputs[0].emplace<Block>(arguments.inputs[0]->get<Block>());
  }

 private:
  uint32_t block_;
};

/// What tasks take as values has one block.
void check_one_block(std::string_view layer, const std::vector<Port>& inputs) {
  for (size_t k = 0; k < inputs.size(); ++k) {
    const Chunks& chunks = output_of(inputs[k]).chunks;
    if (block_count(chunks) == 1) continue;
    throw InvalidArgument(
        layer, fmt::format("input {} has {} blocks; one is needed", k, block_count(chunks)));
  }
}

}  // namespace

CallLayer::CallLayer(CallFunction function, std::string label, std::vector<Port> inputs,
                     uint32_t outputs, TaskOptions options, bool yields_blocks)
    : Layer(std::move(inputs), std::vector<LayerOutput>(outputs, {DType::float64, Chunks{}})),
      function_(std::move(function)),
      label_(std::move(label)),
      options_(std::move(options)),
      yields_blocks_(yields_blocks) {
  if (!function_) throw InvalidArgument(label_, "an empty callable");
  if (this->outputs().empty()) throw InvalidArgument(label_, "no outputs; at least one is needed");
  check_one_block(label_, this->inputs());
}

void CallLayer::inputs_of(uint32_t, std::vector<InputBlock>& reads) const {
  for (uint32_t k = 0; k < inputs().size(); ++k) reads.push_back({k, 0});
}

std::shared_ptr<const TaskFunction> CallLayer::lower(const LowerHints&) const {
  return std::make_shared<CallTask>(function_, label_, yields_blocks_);
}

LayerPtr CallLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<CallLayer>(function_, label_, std::move(inputs),
                                     static_cast<uint32_t>(outputs().size()), options_,
                                     yields_blocks_);
}

double CallLayer::typical_seconds() const {
  return options_.cost_seconds > 0 ? options_.cost_seconds
                                   : static_cast<double>(PlanArrays::kTypicalCallSeconds);
}

void CallLayer::write(LayerWriter& writer) const {
  if (!writer.local) {
    throw InvalidArgument(
        "serialize", fmt::format("the callable '{}' given to delayed does not travel", label_));
  }
  writer.put(reinterpret_cast<uint64_t>(this));
}

FromValuesLayer::FromValuesLayer(std::vector<Port> inputs, DType dtype, Chunks chunks)
    : Layer(std::move(inputs), dtype, std::move(chunks)) {
  const Chunks& cut = outputs()[0].chunks;
  if (!is_known(cut) || this->inputs().size() != task_count()) {
    throw InvalidArgument("from_delayed",
                          fmt::format("{} values for chunks {}; {} and known "
                                      "extents are needed",
                                      this->inputs().size(), tuff::to_string(cut), task_count()));
  }
  check_one_block("from_delayed", this->inputs());
}

std::shared_ptr<const TaskFunction> FromValuesLayer::lower(const LowerHints&) const {
  return std::make_shared<FromValuesTask>(outputs()[0].dtype, outputs()[0].chunks);
}

LayerPtr FromValuesLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<FromValuesLayer>(std::move(inputs), outputs()[0].dtype,
                                           outputs()[0].chunks);
}

void FromValuesLayer::write(LayerWriter& writer) const {
  writer.put(outputs()[0].dtype);
  writer.put_chunks(outputs()[0].chunks);
}

LayerPtr FromValuesLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                               std::string_view) {
  const DType dtype = reader.dtype();
  return reader.make<FromValuesLayer>(inputs, dtype, reader.get_chunks());
}

namespace {

Chunks chunks_of_block(const Port& input, uint32_t block) {
  const Chunks& given = output_of(input).chunks;
  if (block >= block_count(given)) {
    throw InvalidArgument("to_delayed", fmt::format("block {} of an array in {} blocks", block,
                                                    tuff::to_string(grid_of(given))));
  }
  const Dims index = grid_index(block, grid_of(given));
  Chunks chunks;
  for (size_t a = 0; a < given.size(); ++a) {
    if (given[a]->count() == 1) {
      chunks.push_back(given[a]);
      continue;
    }
    const AxisChunksPtr whole = AxisChunks::whole(given[a]->size(static_cast<size_t>(index[a])));
    chunks.push_back(given[a]->is_known() ? whole : AxisChunks::unknown(*whole));
  }
  return chunks;
}

}  // namespace

PickLayer::PickLayer(Port input, uint32_t block)
    : PickLayer(input, block, chunks_of_block(input, block)) {}

PickLayer::PickLayer(Port input, uint32_t block, Chunks chunks)
    : Layer({input}, output_of(input).dtype, std::move(chunks)), block_(block) {}

std::shared_ptr<const TaskFunction> PickLayer::lower(const LowerHints&) const {
  return std::make_shared<PickTask>(block_);
}

LayerPtr PickLayer::with_inputs(std::vector<Port> inputs) const {
  // The very chunks, so that symbols stay the same.
  return std::shared_ptr<const PickLayer>(new PickLayer(inputs[0], block_, outputs()[0].chunks));
}

void PickLayer::write(LayerWriter& writer) const { writer.put(block_); }

LayerPtr PickLayer::read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view) {
  reader.need_inputs(inputs, 1);
  return reader.make<PickLayer>(inputs[0], reader.get<uint32_t>());
}

std::string PickLayer::note() const { return "block " + std::to_string(block_); }

}  // namespace graph
TUFF_NAMESPACE_END
