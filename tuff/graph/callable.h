// Any callable as a layer with one task: what delayed() appends.
#pragma once

#include <functional>

#include "tuff/base/block.h"
#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// Computes all outputs from the values of all inputs. `last_use[i]`: input i may be moved from.
using CallFunction = std::function<void(std::span<Value* const> inputs,
                                        std::span<const bool> last_use, std::span<Value> outputs)>;

/// Inputs have one block each. Outputs are values of any type.
class TUFF_API CallLayer final : public Layer {
 public:
  /// `yields_blocks`: some output is a block, of a size that only calling tells.
  CallLayer(CallFunction function, std::string label, std::vector<Port> inputs,
            uint32_t outputs = 1, TaskOptions options = {}, bool yields_blocks = false);
  std::string_view name() const override { return "call"; }
  bool reads_everything() const override { return true; }
  bool yields_values() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override;
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  /// Throws InvalidArgument: callables do not travel.
  void write(LayerWriter& writer) const override;
  std::string note() const override { return label_; }
  double typical_seconds() const override;
  const TaskOptions* options() const override { return &options_; }

 private:
  CallFunction function_;
  std::string label_;
  TaskOptions options_;
  bool yields_blocks_;
};

/// Blocks that callables yield, as an array of known shape: input b, of one block, is block b. Each is checked when
/// it arrives.
class TUFF_API FromValuesLayer final : public Layer {
 public:
  FromValuesLayer(std::vector<Port> inputs, DType dtype, Chunks chunks);
  std::string_view name() const override { return "from_delayed"; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override {
    reads.push_back({task, 0});
  }
  bool is_view() const override { return true; }
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);
};

/// One block of an array as an array of its own: what to_delayed() gives. Extents that are symbols stay the input's,
/// if that has one block along the axis, and are new ones otherwise.
class TUFF_API PickLayer final : public Layer {
 public:
  PickLayer(Port input, uint32_t block);
  std::string_view name() const override { return "to_delayed"; }
  void inputs_of(uint32_t, std::vector<InputBlock>& reads) const override {
    reads.push_back({0, block_});
  }
  bool is_view() const override { return true; }
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  PickLayer(Port input, uint32_t block, Chunks chunks);
  uint32_t block_;
};

}  // namespace graph
TUFF_NAMESPACE_END
