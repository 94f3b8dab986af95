// Callables as layers; see callable.h.
#include "tuff/graph/callable.h"

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

class CallTask final : public TaskFunction {
 public:
  CallTask(CallFunction function, std::string label)
      : function_(std::move(function)), label_(std::move(label)) {}
  std::string_view name() const override { return label_; }
  std::string block_name(uint32_t) const override { return "()"; }
  void run(TaskArguments& arguments) const override {
    arguments.outputs[0] = function_(arguments.inputs, arguments.last_use);
  }

 private:
  CallFunction function_;
  std::string label_;
};

class FromValueTask final : public TaskFunction {
 public:
  FromValueTask(DType dtype, const Dims& shape) : dtype_(dtype), shape_(shape) {}
  std::string_view name() const override { return "from_delayed"; }
  void run(TaskArguments& arguments) const override {
    const Block& block = arguments.inputs[0]->get<Block>();
    if (!block || block.dtype() != dtype_ || !(block.shape() == shape_)) {
      throw InvalidArgument(
          "from_delayed", fmt::format("expected {} of shape {}; the callable returned {}",
                                      name_of(dtype_), tuff::to_string(shape_),
                                      block ? fmt::format("{} of shape {}", name_of(block.dtype()),
                                                          tuff::to_string(block.shape()))
                                            : "an empty block"));
    }
    arguments.outputs[0].emplace<Block>(block);
  }

 private:
  DType dtype_;
  Dims shape_;
};

Chunks whole_chunks(const Dims& shape) {
  Chunks chunks;
  for (int64_t extent : shape) chunks.push_back(AxisChunks::whole(extent));
  return chunks;
}

}  // namespace

CallLayer::CallLayer(CallFunction function, std::string label, std::vector<Port> inputs)
    : Layer(std::move(inputs), DType::float64, Chunks{}),
      function_(std::move(function)),
      label_(std::move(label)) {
  for (const Port& input : this->inputs())
    TUFF_CHECK_EQ(block_count(output_of(input).chunks), size_t{1});
}

void CallLayer::inputs_of(uint32_t, std::vector<InputBlock>& reads) const {
  for (uint32_t k = 0; k < inputs().size(); ++k) reads.push_back({k, 0});
}

std::shared_ptr<const TaskFunction> CallLayer::lower(const LowerHints&) const {
  return std::make_shared<CallTask>(function_, label_);
}

LayerPtr CallLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<CallLayer>(function_, label_, std::move(inputs));
}

void CallLayer::write(LayerWriter& writer) const {
  if (!writer.local) {
    throw InvalidArgument(
        "serialize", fmt::format("the callable '{}' given to delayed does not travel", label_));
  }
  writer.put(reinterpret_cast<uint64_t>(this));
}

FromValueLayer::FromValueLayer(Port input, DType dtype, const Dims& shape)
    : Layer({input}, dtype, whole_chunks(shape)), shape_(shape) {}

std::shared_ptr<const TaskFunction> FromValueLayer::lower(const LowerHints&) const {
  return std::make_shared<FromValueTask>(outputs()[0].dtype, shape_);
}

LayerPtr FromValueLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<FromValueLayer>(inputs[0], outputs()[0].dtype, shape_);
}

void FromValueLayer::write(LayerWriter& writer) const {
  writer.put(outputs()[0].dtype);
  writer.put(shape_);
}

}  // namespace graph
TUFF_NAMESPACE_END
