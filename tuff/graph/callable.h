// Any callable as a layer with one task: what delayed() appends.
#pragma once

#include <functional>

#include "tuff/base/block.h"
#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// Computes one value from the values of all inputs. `last_use[i]`: input i may be moved from.
using CallFunction =
    std::function<Value(std::span<Value* const> inputs, std::span<const bool> last_use)>;

/// Inputs have one block each. The output counts as a rank-0 block; its value may be of any type.
class TUFF_API CallLayer final : public Layer {
 public:
  CallLayer(CallFunction function, std::string label, std::vector<Port> inputs);
  std::string_view name() const override { return "call"; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override;
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  /// Throws InvalidArgument: callables do not travel.
  void write(LayerWriter& writer) const override;
  std::string note() const override { return label_; }

 private:
  CallFunction function_;
  std::string label_;
};

/// The Block that a callable yields, as an array of one block; checked when it arrives.
class TUFF_API FromValueLayer final : public Layer {
 public:
  FromValueLayer(Port input, DType dtype, const Dims& shape);
  std::string_view name() const override { return "from_delayed"; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t, std::vector<InputBlock>& reads) const override {
    reads.push_back({0, 0});
  }
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;

 private:
  Dims shape_;
};

}  // namespace graph
TUFF_NAMESPACE_END
