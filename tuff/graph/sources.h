// Layers without inputs whose blocks are not computed by a program: memory, parameters, callables.
#pragma once

#include <functional>

#include "tuff/base/block.h"
#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN

/// Which block of an array a callable is asked for.
struct BlockInfo {
  Dims index;   ///< position in the grid of blocks
  Dims start;   ///< position of the block's first element in the whole array
  Dims shape;   ///< shape of the block
  DType dtype;  ///< element type the block must have
};

/// Makes one block. Called from any thread, several at once; must return the dtype and shape asked for.
using BlockFunction = std::function<Block(const BlockInfo&)>;

namespace graph {

/// Blocks in memory: views of one buffer, or blocks that an earlier run left. No tasks.
class TUFF_API MemoryLayer final : public Layer {
 public:
  /// One block per grid position, in row-major order, as check_blocks() says.
  MemoryLayer(DType dtype, Chunks chunks, std::vector<Block> blocks);
  /// Views of `whole`, cut as `chunks` say, which are of its shape.
  MemoryLayer(const Block& whole, const Chunks& chunks);
  std::string_view name() const override { return "memory"; }
  const Block& block(uint32_t number) const { return blocks_[number]; }
  void inputs_of(uint32_t, std::vector<InputBlock>&) const override {}
  bool reads_everything() const override { return true; }
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override { return nullptr; }
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  /// Memory travels by value. Throws InvalidArgument above kSendLimit bytes.
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

  /// 64 MiB: what one may reasonably copy into a message; larger data belongs in files.
  static constexpr size_t kSendLimit = size_t{64} << 20;

 private:
  std::vector<Block> blocks_;
};

/// A hole in the graph of known shape, filled anew for each run of a plan. No tasks.
class TUFF_API ParameterLayer final : public Layer {
 public:
  ParameterLayer(std::string label, DType dtype, Chunks chunks);
  std::string_view name() const override { return "parameter"; }
  const std::string& label() const { return label_; }
  void inputs_of(uint32_t, std::vector<InputBlock>&) const override {}
  bool reads_everything() const override { return true; }
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override { return nullptr; }
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override { return label_; }
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  std::string label_;
};

/// Blocks of known shapes made by a user's callable.
class TUFF_API FunctionLayer final : public Layer {
 public:
  /// `registered`: the name under which the callable travels; empty when it cannot.
  FunctionLayer(BlockFunction function, std::string registered, DType dtype, Chunks chunks);
  std::string_view name() const override { return "from_function"; }
  void inputs_of(uint32_t, std::vector<InputBlock>&) const override {}
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  double typical_seconds() const override;
  std::string note() const override { return registered_; }
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  BlockFunction function_;
  std::string registered_;
};

/// Makes `function` known in this process under `name`, so that graphs which use it can be sent. The
/// receiving process must have registered it too. Throws InvalidArgument when the name is taken.
TUFF_API void register_function(const std::string& name, BlockFunction function);
/// Throws InvalidArgument for a name that is not registered.
TUFF_API BlockFunction registered_function(const std::string& name);

}  // namespace graph
TUFF_NAMESPACE_END
