// See persist.h.
#include "tuff/persist.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "tuff/base/error.h"
#include "tuff/compute.h"
#include "tuff/graph/concatenate.h"
#include "tuff/graph/movement.h"
#include "tuff/graph/sources.h"
#include "tuff/optimize/optimize.h"
#include "tuff/schedule/memory.h"
#include "tuff/schedule/run.h"

TUFF_NAMESPACE_BEGIN

namespace {

using graph::InputBlock;
using graph::Layer;
using graph::LayerPtr;
using graph::LayerWriter;
using graph::LowerHints;
using graph::Port;

using Stored = std::vector<std::shared_ptr<StoredBlock>>;

class KeepTask final : public TaskFunction {
 public:
  std::string_view name() const override { return "persist"; }
  void run(TaskArguments& arguments) const override {
    Block& block = arguments.inputs[0]->get<Block>();
    auto budget = StoredBlock::budget_of_this_task();
    arguments.outputs[0].emplace<std::shared_ptr<StoredBlock>>(std::make_shared<StoredBlock>(
        std::move(budget), arguments.last_use[0] ? std::move(block) : block,
        StopRequest(arguments.stop)));
  }
};

/// Hands each block over to the budget; what it yields are handles, so to the plan it is a view.
class KeepLayer final : public Layer {
 public:
  explicit KeepLayer(Port input)
      : Layer({input}, output_of(input).dtype, output_of(input).chunks) {}
  std::string_view name() const override { return "persist"; }
  bool is_view() const override { return true; }
  /// StoredBlock copies what is a piece of something larger.
  bool may_copy() const override {
    const Layer& input = *inputs()[0].layer;
    return input.is_view() || dynamic_cast<const graph::RechunkLayer*>(&input) != nullptr ||
           dynamic_cast<const graph::ConcatenateLayer*>(&input) != nullptr;
  }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override {
    reads.push_back({0, task});
  }
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override {
    return std::make_shared<KeepTask>();
  }
  LayerPtr with_inputs(std::vector<Port> inputs) const override {
    return std::make_shared<KeepLayer>(inputs[0]);
  }
  void write(LayerWriter& writer) const override { writer.put(reinterpret_cast<uint64_t>(this)); }
};

class StoredTask final : public TaskFunction {
 public:
  StoredTask(std::shared_ptr<const Stored> blocks, Chunks chunks)
      : blocks_(std::move(blocks)), chunks_(std::move(chunks)) {}
  std::string_view name() const override { return "persisted"; }
  std::string block_name(uint32_t block) const override {
    return tuff::to_string(grid_index(block, grid_of(chunks_)));
  }
  void run(TaskArguments& arguments) const override {
    arguments.outputs[0].emplace<Block>(
        (*blocks_)[arguments.block]->get(StopRequest(arguments.stop)));
  }

 private:
  std::shared_ptr<const Stored> blocks_;
  Chunks chunks_;
};

/// A kept array.
class StoredLayer final : public Layer {
 public:
  StoredLayer(DType dtype, Chunks chunks, std::shared_ptr<const Stored> blocks)
      : Layer({}, dtype, std::move(chunks)), blocks_(std::move(blocks)) {}
  std::string_view name() const override { return "persisted"; }
  void inputs_of(uint32_t, std::vector<InputBlock>&) const override {}
  bool reads_everything() const override { return true; }
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override {
    return std::make_shared<StoredTask>(blocks_, outputs()[0].chunks);
  }
  LayerPtr with_inputs(std::vector<Port>) const override {
    return std::make_shared<StoredLayer>(outputs()[0].dtype, outputs()[0].chunks, blocks_);
  }
  /// By value, as memory does.
  void write(LayerWriter& writer) const override {
    if (writer.local) {
      writer.put(reinterpret_cast<uint64_t>(blocks_.get()));
      return;
    }
    std::vector<Block> blocks;
    for (const auto& block : *blocks_) blocks.push_back(block->get());
    graph::MemoryLayer(outputs()[0].dtype, outputs()[0].chunks, std::move(blocks)).write(writer);
  }
  /// The block is there; only a handle is made.
  double typical_seconds() const override { return kSecondsPerHandle; }

 private:
  // A lock, and a count on the block: 0.1 us measured on one thread.
  static constexpr double kSecondsPerHandle = 1e-7;
  std::shared_ptr<const Stored> blocks_;
};

}  // namespace

std::vector<Port> persist(const std::vector<Port>& outputs, const RunOptions& options) {
  if (outputs.empty()) throw InvalidArgument("persist", "no outputs; at least one array is needed");
  for (const Port& output : outputs) graph::check_port("persist", output);
  std::vector<Port> kept;
  for (const Port& output : outputs) kept.push_back({std::make_shared<KeepLayer>(output), 0});
  const CompileOptions compile = detail::compile_options_for(options);
  kept = optimize::optimize_layers(kept, compile.passes);
  graph::Lowered lowered = optimize::lower(kept, compile.passes, nullptr, compile.tasks);
  if (!lowered.parameters.empty()) {
    throw InvalidArgument(
        "persist",
        fmt::format("parameter '{}' is not bound; compile() a plan and run it with bindings",
                    lowered.parameters[0]->label()));
  }
  const std::vector<size_t> first = lowered.first_output_slot;
  std::vector<Value> values = Runner(std::move(lowered.arrays)).run({}, options);
  std::vector<Port> results;
  for (size_t o = 0; o < outputs.size(); ++o) {
    const graph::LayerOutput& output = graph::output_of(outputs[o]);
    auto blocks = std::make_shared<Stored>();
    for (size_t b = 0; b < block_count(output.chunks); ++b)
      blocks->push_back(std::move(values[first[o] + b].get<std::shared_ptr<StoredBlock>>()));
    Chunks chunks = detail::settled_chunks(
        output.chunks, [&](size_t b) -> const Dims& { return (*blocks)[b]->shape(); });
    results.push_back(
        {std::make_shared<StoredLayer>(output.dtype, std::move(chunks), std::move(blocks)), 0});
  }
  return results;
}

bool is_persisted(const Port& port) {
  return dynamic_cast<const StoredLayer*>(port.layer.get()) != nullptr;
}

TUFF_NAMESPACE_END
