// Layers: the immutable nodes of a symbolic graph, one per array operation whatever the number of
// blocks.
//
// A layer knows its outputs (dtype and chunks), points at its inputs, and answers inputs_of(task), so
// that culling and lowering need no tasks. Nothing is copied when an operation is added: the new
// layer holds pointers to the very layers before it. Kinds: sources.h, blockwise.h (all that lines
// up block by block), movement.h, concatenate.h, combine.h, fused.h, callable.h.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tuff/base/bytes.h"
#include "tuff/base/dtype.h"
#include "tuff/base/shape.h"
#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

class Layer;
using LayerPtr = std::shared_ptr<const Layer>;

/// One output of one layer.
struct Port {
  LayerPtr layer;
  uint32_t output = 0;
  friend bool operator==(const Port&, const Port&) = default;
};

/// Every `step`-th element from `start` on, `count` of them (step may be negative).
struct AxisSlice {
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
  bool whole = false;  ///< the axis as it is; the only slice of an axis of unknown extent
};
using Slices = PerAxis<AxisSlice>;

struct LayerOutput {
  DType dtype = DType::float64;
  Chunks chunks;
};

/// A block that a task reads: which of the layer's inputs, and the linear block number there.
struct InputBlock {
  uint32_t input = 0;
  uint32_t block = 0;
};

/// Writes a layer's parameters. Axis chunks are shared between layers, so they are written once, into
/// a table, and referred to by number.
class TUFF_API LayerWriter : public ByteWriter {
 public:
  using ByteWriter::put;
  void put_chunks(const Chunks& chunks);
  void put_axis(const AxisChunksPtr& axis);
  const std::vector<AxisChunksPtr>& table() const { return table_; }
  /// Whether contents that cannot leave the process may be written as addresses (to tell layers
  /// apart); otherwise writing them throws InvalidArgument.
  bool local = false;

 private:
  std::vector<AxisChunksPtr> table_;
  std::unordered_map<const AxisChunks*, uint32_t> numbers_;
  std::multimap<std::pair<int64_t, size_t>, uint32_t> alike_;  // (extent, blocks) to number
  std::vector<AxisChunksPtr> kept_;  // not in the table, but numbers_ knows their addresses
};

class TUFF_API LayerReader : public ByteReader {
 public:
  LayerReader(std::span<const std::byte> bytes, size_t at, const std::vector<AxisChunksPtr>& table)
      : ByteReader(bytes, at), table_(table) {}
  Chunks get_chunks();
  AxisChunksPtr get_axis();
  /// For a layer that has `count` inputs.
  void need_inputs(const std::vector<Port>& inputs, size_t count) const;
  /// The layer L(args...). What its constructor refuses fails here, at this byte.
  template <class L, class... Args>
  LayerPtr make(Args&&... args) const {
    try {
      return std::make_shared<L>(std::forward<Args>(args)...);
    } catch (const InvalidArgument& error) {
      fail(error.what());
    }
  }

 private:
  const std::vector<AxisChunksPtr>& table_;
};

/// What lowering tells a layer about its place in the plan.
struct LowerHints {
  uint32_t streaming = 0;  ///< bit o: output o is large and no task reads it
};

/// The constructor of each kind checks all that its tasks rely on, and throws InvalidArgument in the layer's name:
/// so layers that are read from bytes are as sound as those that array functions append.
class TUFF_API Layer {
 public:
  virtual ~Layer();
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  /// Stable name of the operation, by which the layer travels: "exp", "sum", "rechunk", ...
  virtual std::string_view name() const = 0;
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<LayerOutput>& outputs() const { return outputs_; }

  /// Tasks of this layer; each makes one block of every output. Default: one per block of output 0.
  virtual size_t task_count() const { return block_count(outputs_[0].chunks); }
  /// The task that makes block `block` of output `output`, and the block that task makes of it.
  virtual uint32_t task_of(uint32_t output, uint32_t block) const;
  /// Appends what `task` reads, in the order of its arguments.
  virtual void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const = 0;
  /// Whether all tasks together read every block of every input (so that culling need not look).
  virtual bool reads_everything() const { return false; }
  /// Whether a task costs nothing but a new header on the input's memory.
  virtual bool is_view() const { return false; }
  /// Whether a task of a view copies what it views all the same, now and then.
  virtual bool may_copy() const { return false; }
  /// Whether the outputs are values of any type: then their dtype and chunks say only how many there are.
  virtual bool yields_values() const { return false; }
  /// How long one task takes, roughly and typically: decides how many tasks become one, and whether
  /// something is made again rather than kept. Default: the bytes of its largest blocks, in and out.
  virtual double typical_seconds() const;
  /// What is known of the layer's tasks beside that; null: nothing.
  virtual const TaskOptions* options() const { return nullptr; }
  /// The code that the layer's tasks share. Null where blocks are there without a task.
  virtual std::shared_ptr<const TaskFunction> lower(const LowerHints& hints) const = 0;
  /// The same layer on other inputs (of the same dtypes and chunks).
  virtual LayerPtr with_inputs(std::vector<Port> inputs) const = 0;
  /// The slices of an output, made from slices of the inputs: the same elements to the last bit, in the blocks
  /// that a SliceLayer on the output would leave. No layer when this one must be made before it is sliced.
  virtual Port sliced(uint32_t output, const Slices& slices) const;
  /// An output in other blocks, made from inputs in other blocks; no layer when that cannot be.
  virtual Port rechunked(uint32_t output, const Chunks& chunks) const;
  /// Parameters, without inputs and without what follows from the inputs.
  virtual void write(LayerWriter& writer) const = 0;
  /// Parameters for people, e.g. "axis 0" or "seed 1"; may be empty.
  virtual std::string note() const { return {}; }

 protected:
  /// Both throw InvalidArgument for an output of more bytes or blocks than check_size() accepts.
  Layer(std::vector<Port> inputs, std::vector<LayerOutput> outputs);
  Layer(std::vector<Port> inputs, DType dtype, Chunks chunks);

 private:
  std::vector<Port> inputs_;
  std::vector<LayerOutput> outputs_;
};

inline const LayerOutput& output_of(const Port& port) { return port.layer->outputs()[port.output]; }

/// Throws InvalidArgument in the name of `operation` unless the port is an output of a layer; with `as_array` it must
/// also hold blocks, not values of any type.
TUFF_API void check_port(std::string_view operation, const Port& port, bool as_array = true);

[[noreturn]] TUFF_API void throw_unlike(std::string_view operation, int64_t a, int64_t b);
/// In a task that reads two blocks which a symbol says are equally long: throws InvalidArgument where they are not.
inline void check_alike(std::string_view operation, int64_t a, int64_t b) {
  if (a != b) [[unlikely]]
    throw_unlike(operation, a, b);
}

/// Elements and bytes of all blocks; symbols count with their upper bounds.
TUFF_API double element_bound(const LayerOutput& output);
TUFF_API double byte_bound(const LayerOutput& output);
/// Elements of the largest block.
TUFF_API double largest_block(const LayerOutput& output);

/// All layers that the ports need, each once, inputs before users. Iterative: any depth. Throws InvalidArgument for
/// a port that is none.
TUFF_API std::vector<LayerPtr> layers_in_order(const std::vector<Port>& outputs);

/// A layer with its inputs replaced through `map` (by identity when nothing changes).
class TUFF_API Replacements {
 public:
  void set(const Layer* from, LayerPtr to) { set(from, 0, {std::move(to), 0}); }
  void set(const Layer* from, uint32_t output, Port to);
  Port operator()(const Port& port) const;
  /// `layer` itself when none of its inputs was replaced.
  LayerPtr with_new_inputs(const LayerPtr& layer) const;

 private:
  std::unordered_map<const Layer*, std::vector<Port>> map_;
};

}  // namespace graph
TUFF_NAMESPACE_END
