// Memory, parameters and callables as layers; see sources.h.
#include "tuff/graph/sources.h"

#include <algorithm>
#include <map>
#include <mutex>

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

const Block& checked_whole(const Block& whole, const Chunks& chunks) {
  if (!whole) throw InvalidArgument("memory", "an empty block; it has no dtype and no shape");
  check_size("memory", chunks, whole.dtype());
  bool fits = chunks.size() == whole.rank();
  for (size_t a = 0; fits && a < chunks.size(); ++a)
    fits = chunks[a]->is_known() && chunks[a]->extent().value() == whole.shape()[a];
  if (!fits) {
    throw InvalidArgument(
        "memory", fmt::format("a block of shape {} in chunks {}", tuff::to_string(whole.shape()),
                              tuff::to_string(chunks)));
  }
  return whole;
}

std::vector<Block> cut(const Block& whole, const Chunks& chunks) {
  std::vector<Block> blocks;
  const size_t count = block_count(chunks);
  blocks.reserve(count);
  Dims index(chunks.size(), 0);
  Dims shape(chunks.size(), 0);
  for (size_t b = 0; b < count; ++b) {
    int64_t offset = 0;
    for (size_t a = 0; a < chunks.size(); ++a) {
      const auto i = static_cast<size_t>(index[a]);
      offset += chunks[a]->offset(i) * whole.strides()[a];
      shape[a] = chunks[a]->size(i);
    }
    blocks.push_back(whole.strided_view(offset, shape, whole.strides()));
    for (size_t a = chunks.size(); a-- > 0;) {
      if (++index[a] < static_cast<int64_t>(chunks[a]->count())) break;
      index[a] = 0;
    }
  }
  return blocks;
}

}  // namespace

MemoryLayer::MemoryLayer(DType dtype, Chunks chunks, std::vector<Block> blocks)
    : Layer({}, dtype, std::move(chunks)), blocks_(std::move(blocks)) {
  check_blocks("memory", dtype, outputs()[0].chunks, blocks_);
}

MemoryLayer::MemoryLayer(const Block& whole, const Chunks& chunks)
    : Layer({}, checked_whole(whole, chunks).dtype(), chunks), blocks_(cut(whole, chunks)) {}

LayerPtr MemoryLayer::with_inputs(std::vector<Port>) const {
  return std::make_shared<MemoryLayer>(outputs()[0].dtype, outputs()[0].chunks, blocks_);
}

void MemoryLayer::write(LayerWriter& writer) const {
  if (writer.local) {
    writer.put(reinterpret_cast<uint64_t>(this));
    return;
  }
  size_t bytes = 0;
  for (const Block& block : blocks_) bytes += block.bytes();
  if (bytes > kSendLimit) {
    throw InvalidArgument(
        "serialize", fmt::format("an array in memory of {} bytes does not travel; at most {} do: "
                                 "read it from a file on each machine instead",
                                 bytes, kSendLimit));
  }
  writer.put(outputs()[0].dtype);
  writer.put_chunks(outputs()[0].chunks);
  for (const Block& block : blocks_) {
    const Block dense = block.contiguous();
    writer.put(dense.shape());
    writer.raw(dense.bytes_data(), dense.bytes());
  }
}

LayerPtr MemoryLayer::read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view) {
  reader.need_inputs(inputs, 0);
  const DType dtype = reader.dtype();
  const Chunks chunks = reader.get_chunks();
  size_t count = 1;
  for (const AxisChunksPtr& axis : chunks) {
    count *= axis->count();
    if (count > reader.remaining()) reader.fail("more blocks than bytes");
  }
  std::vector<Block> blocks;
  for (size_t b = 0; b < count; ++b) {
    const Dims shape = reader.dims();
    const bool is_empty = std::count(shape.begin(), shape.end(), 0) > 0;
    size_t elements = is_empty ? 0 : 1;
    for (int64_t extent : shape) {
      if (extent < 0) reader.fail("a block of a negative extent");
      // Before memory is taken for it.
      if (!is_empty && elements > reader.remaining() / static_cast<size_t>(extent))
        reader.fail("a block larger than the message");
      elements *= static_cast<size_t>(extent);
    }
    const auto bytes = reader.raw(elements * size_of(dtype));
    Block block = Block::allocate(dtype, shape);
    if (!bytes.empty()) std::memcpy(block.bytes_data(), bytes.data(), bytes.size());
    const auto is_truth = [](std::byte value) { return value <= std::byte{1}; };
    if (is_bool(dtype) && !std::all_of(bytes.begin(), bytes.end(), is_truth))
      reader.fail("a truth value that is neither 0 nor 1");
    blocks.push_back(std::move(block));
  }
  return reader.make<MemoryLayer>(dtype, chunks, std::move(blocks));
}

namespace {

void check_known(std::string_view layer, const Layer& made) {
  const Chunks& chunks = made.outputs()[0].chunks;
  if (is_known(chunks)) return;
  throw InvalidArgument(
      layer, fmt::format("shape {}; known extents are needed", tuff::to_string(shape_of(chunks))));
}

}  // namespace

ParameterLayer::ParameterLayer(std::string label, DType dtype, Chunks chunks)
    : Layer({}, dtype, std::move(chunks)), label_(std::move(label)) {
  check_known("parameter", *this);
}

LayerPtr ParameterLayer::with_inputs(std::vector<Port>) const {
  return std::make_shared<ParameterLayer>(label_, outputs()[0].dtype, outputs()[0].chunks);
}

void ParameterLayer::write(LayerWriter& writer) const {
  if (writer.local) writer.put(reinterpret_cast<uint64_t>(this));
  writer.put(std::string_view(label_));
  writer.put(outputs()[0].dtype);
  writer.put_chunks(outputs()[0].chunks);
}

LayerPtr ParameterLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                              std::string_view) {
  reader.need_inputs(inputs, 0);
  std::string label = reader.text();
  const DType dtype = reader.dtype();
  return reader.make<ParameterLayer>(std::move(label), dtype, reader.get_chunks());
}

namespace {

class FunctionTask final : public TaskFunction {
 public:
  FunctionTask(BlockFunction function, DType dtype, Chunks chunks)
      : function_(std::move(function)),
        dtype_(dtype),
        chunks_(std::move(chunks)),
        grid_(grid_of(chunks_)) {}
  std::string_view name() const override { return "from_function"; }
  std::string block_name(uint32_t block) const override {
    return tuff::to_string(grid_index(block, grid_));
  }
  void run(TaskArguments& arguments) const override {
    BlockInfo info{grid_index(arguments.block, grid_), {}, {}, dtype_};
    for (size_t a = 0; a < chunks_.size(); ++a) {
      info.start.push_back(chunks_[a]->offset(static_cast<size_t>(info.index[a])));
      info.shape.push_back(chunks_[a]->size(static_cast<size_t>(info.index[a])));
    }
    Block block = function_(info);
    if (!block || block.dtype() != dtype_ || !(block.shape() == info.shape)) {
      throw InvalidArgument(
          "from_function",
          fmt::format("block {} must be {} of shape {}; the callable returned {}",
                      tuff::to_string(info.index), name_of(dtype_), tuff::to_string(info.shape),
                      block ? fmt::format("{} of shape {}", name_of(block.dtype()),
                                          tuff::to_string(block.shape()))
                            : "an empty block"));
    }
    arguments.outputs[0].emplace<Block>(std::move(block));
  }

 private:
  BlockFunction function_;
  DType dtype_;
  Chunks chunks_;
  Dims grid_;
};

struct Registry {
  std::mutex mutex;
  std::map<std::string, BlockFunction> functions;
};

Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

}  // namespace

FunctionLayer::FunctionLayer(BlockFunction function, std::string registered, DType dtype,
                             Chunks chunks)
    : Layer({}, dtype, std::move(chunks)),
      function_(std::move(function)),
      registered_(std::move(registered)) {
  check_known("from_function", *this);
  if (!function_) throw InvalidArgument("from_function", "an empty callable");
}

std::shared_ptr<const TaskFunction> FunctionLayer::lower(const LowerHints&) const {
  return std::make_shared<FunctionTask>(function_, outputs()[0].dtype, outputs()[0].chunks);
}

double FunctionLayer::typical_seconds() const {
  // Callables that fill blocks take some 1 ns per byte: a random number, a conversion, a file.
  constexpr double kSecondsPerByte = 1e-9;
  return static_cast<double>(PlanArrays::kTypicalCallSeconds) +
         largest_block(outputs()[0]) * static_cast<double>(size_of(outputs()[0].dtype)) *
             kSecondsPerByte;
}

LayerPtr FunctionLayer::with_inputs(std::vector<Port>) const {
  return std::make_shared<FunctionLayer>(function_, registered_, outputs()[0].dtype,
                                         outputs()[0].chunks);
}

void FunctionLayer::write(LayerWriter& writer) const {
  if (writer.local) {
    writer.put(reinterpret_cast<uint64_t>(this));
    return;
  }
  if (registered_.empty()) {
    throw InvalidArgument("serialize",
                          "a callable given to from_function does not travel; register it by "
                          "name with register_function and use from_registered");
  }
  writer.put(std::string_view(registered_));
  writer.put(outputs()[0].dtype);
  writer.put_chunks(outputs()[0].chunks);
}

LayerPtr FunctionLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                             std::string_view) {
  reader.need_inputs(inputs, 0);
  std::string registered = reader.text();
  const DType dtype = reader.dtype();
  BlockFunction function = registered_function(registered);
  return reader.make<FunctionLayer>(std::move(function), std::move(registered), dtype,
                                    reader.get_chunks());
}

void register_function(const std::string& name, BlockFunction function) {
  if (name.empty() || !function)
    throw InvalidArgument("register_function", "needs a name and a callable");
  const std::lock_guard lock(registry().mutex);
  if (!registry().functions.try_emplace(name, std::move(function)).second) {
    throw InvalidArgument("register_function", fmt::format("'{}' is registered already", name));
  }
}

BlockFunction registered_function(const std::string& name) {
  const std::lock_guard lock(registry().mutex);
  const auto found = registry().functions.find(name);
  if (found == registry().functions.end()) {
    throw InvalidArgument("from_registered",
                          fmt::format("'{}' is not registered in this process", name));
  }
  return found->second;
}

}  // namespace graph
TUFF_NAMESPACE_END
