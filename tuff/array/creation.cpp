// Creation; see creation.h.
#include "tuff/array/creation.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "tuff/array/math.h"
#include "tuff/array/scalars.h"
#include "tuff/graph/blockwise.h"

TUFF_NAMESPACE_BEGIN

namespace {

Array filled(std::string_view operation, const Dims& shape, const Operand& value, const CreateOptions& options) {
  Chunks chunks = options.chunks.resolve(operation, shape, options.dtype);
  return Array({std::make_shared<graph::FullLayer>(options.dtype, std::move(chunks),
                                                   detail::element_bytes(operation, value, options.dtype)),
                0});
}

}  // namespace

Array zeros(const Dims& shape, const CreateOptions& options) { return filled("zeros", shape, 0, options); }
Array ones(const Dims& shape, const CreateOptions& options) { return filled("ones", shape, 1, options); }

Array full(const Dims& shape, const Operand& value, const CreateOptions& options) {
  if (value.is_array()) throw InvalidArgument("full", "an array as the value; use broadcast_to");
  return filled("full", shape, value, options);
}

namespace {

Array positions(std::string_view operation, int64_t count, const ChunkSpec& chunks) {
  const Chunks cut = chunks.resolve(operation, Dims{count}, DType::int64);
  return Array({std::make_shared<graph::IndexLayer>(cut[0]), 0});
}

int64_t whole_number(const Operand& x) {
  int64_t value = 0;
  const auto bytes = detail::element_bytes("arange", x, DType::int64);  // throws beyond int64
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// Number of steps from start until stop is reached or passed.
int64_t count_between(int64_t start, int64_t stop, int64_t step) {
  const bool forward = step > 0;
  if (forward ? start >= stop : start <= stop) return 0;
  const uint64_t span = forward ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
  const uint64_t stride = forward ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
  return static_cast<int64_t>((span - 1) / stride + 1);
}

}  // namespace

Array arange(const Operand& start, const Operand& stop, const Operand& step, const RangeOptions& options) {
  const double first = detail::as_double("arange", start);
  const double last = detail::as_double("arange", stop);
  const double by = detail::as_double("arange", step);
  if (by == 0) throw InvalidArgument("arange", "step 0; it must not be zero");
  if (!std::isfinite(first) || !std::isfinite(last) || !std::isfinite(by)) {
    throw InvalidArgument("arange", fmt::format("start {}, stop {}, step {}; all must be finite", first, last, by));
  }
  const bool integers = detail::is_whole(start) && detail::is_whole(stop) && detail::is_whole(step);
  const DType dtype = options.dtype.value_or(integers ? DType::int64 : DType::float64);
  if (integers) {
    const int64_t count = count_between(whole_number(start), whole_number(stop), whole_number(step));
    Array x = positions("arange", count, options.chunks);
    if (whole_number(step) != 1) x = x * whole_number(step);
    if (whole_number(start) != 0) x = x + whole_number(start);
    return x.astype(dtype);
  }
  const double steps = std::ceil((last - first) / by);
  if (steps >= 9e18) throw InvalidArgument("arange", fmt::format("{} values are too many", steps));
  const Array i = positions("arange", std::max<int64_t>(0, static_cast<int64_t>(steps)), options.chunks);
  return (first + i.astype(DType::float64) * by).astype(dtype);
}

Array arange(const Operand& stop) { return arange(0, stop); }

Array linspace(double start, double stop, int64_t count, const LinspaceOptions& options) {
  if (count < 0) throw InvalidArgument("linspace", fmt::format("{} values; 0 or more are accepted", count));
  if (!std::isfinite(start) || !std::isfinite(stop)) {
    throw InvalidArgument("linspace", fmt::format("from {} to {}; both must be finite", start, stop));
  }
  const int64_t intervals = options.endpoint ? count - 1 : count;
  const Array i = positions("linspace", count, options.chunks);
  const double step = intervals > 0 ? (stop - start) / static_cast<double>(intervals) : 0.0;
  const Array values = start + i.astype(DType::float64) * step;
  if (!options.endpoint || count < 2) return values;
  return where(i == count - 1, stop, values);
}

namespace detail {

Array from_memory(const void* data, DType dtype, const Dims& shape, const MemoryOptions& options) {
  const Chunks chunks = options.chunks.resolve("from_memory", shape, dtype);
  if (data == nullptr && element_count(shape) > 0) {
    throw InvalidArgument("from_memory", fmt::format("a null pointer for shape {}", to_string(shape)));
  }
  const Dims strides = options.strides.value_or(row_major_strides(shape));
  if (strides.size() != shape.size()) {
    throw InvalidArgument("from_memory", fmt::format("{} strides for shape {} with {} axes", strides.size(),
                                                     to_string(shape), shape.size()));
  }
  // Blocks are only read: const is dropped so that one Block type serves all.
  auto* bytes = const_cast<std::byte*>(static_cast<const std::byte*>(data));
  const size_t size = static_cast<size_t>(element_count(shape)) * size_of(dtype);
  Block block = Block::view(Buffer::borrow(bytes, size, {}), bytes, dtype, shape, strides);
  if (options.copy) {
    Block own = Block::allocate(dtype, shape);
    copy_elements(block, own);
    block = own;
  }
  return Array({std::make_shared<graph::MemoryLayer>(block, chunks), 0});
}

}  // namespace detail

Array from_block(const Block& block, const ChunkSpec& chunks) {
  if (!block) throw InvalidArgument("from_block", "an empty block; it has no dtype and no shape");
  return Array({std::make_shared<graph::MemoryLayer>(
                    block, chunks.resolve("from_block", block.shape(), block.dtype())),
                0});
}

Array from_function(BlockFunction function, const Dims& shape, const CreateOptions& options) {
  if (!function) throw InvalidArgument("from_function", "an empty callable");
  Chunks chunks = options.chunks.resolve("from_function", shape, options.dtype);
  return Array({std::make_shared<graph::FunctionLayer>(std::move(function), "", options.dtype, std::move(chunks)), 0});
}

Array from_registered(const std::string& name, const Dims& shape, const CreateOptions& options) {
  Chunks chunks = options.chunks.resolve("from_registered", shape, options.dtype);
  return Array({std::make_shared<graph::FunctionLayer>(graph::registered_function(name), name, options.dtype,
                                                       std::move(chunks)),
                0});
}

Array from_delayed(const Delayed<Block>& block, DType dtype, const Dims& shape) {
  return Array({std::make_shared<graph::FromValueLayer>(block.port(), dtype, shape), 0});
}

TUFF_NAMESPACE_END
