// Creation; see creation.h.
#include "tuff/array/creation.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "tuff/array/math.h"
#include "tuff/array/scalars.h"
#include "tuff/graph/generated_layers.h"

TUFF_NAMESPACE_BEGIN

namespace {

Array filled(std::string_view operation, const ShapeSpec& shape, const Operand& value,
             const CreateOptions& options) {
  Chunks chunks = options.chunks.resolve(operation, shape.dims(operation), options.dtype);
  const auto element =
      detail::element_bytes(operation, value, options.dtype, "choose another dtype");
  return Array({std::make_shared<graph::FullLayer>(options.dtype, std::move(chunks), element), 0});
}

}  // namespace

Array zeros(const ShapeSpec& shape, const CreateOptions& options) {
  return filled("zeros", shape, 0, options);
}
Array ones(const ShapeSpec& shape, const CreateOptions& options) {
  return filled("ones", shape, 1, options);
}

Array full(const ShapeSpec& shape, const Operand& value, const CreateOptions& options) {
  if (value.is_array()) throw InvalidArgument("full", "an array as the value; use broadcast_to");
  return filled("full", shape, value, options);
}

namespace {

/// `dtype`: what becomes of them, for errors; of 8 bytes, so that automatic chunks are the same for all.
Array positions(std::string_view operation, int64_t count, const ChunkSpec& chunks,
                DType dtype = DType::int64) {
  const Chunks cut = chunks.resolve(operation, Dims{count}, dtype);
  return Array({std::make_shared<graph::IndexLayer>(cut[0]), 0});
}

int64_t whole_number(const Operand& x) {
  int64_t value = 0;
  const auto bytes =
      detail::element_bytes("arange", x, DType::int64, "smaller bounds are accepted");
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// Number of steps from start until stop is reached or passed.
int64_t count_between(int64_t start, int64_t stop, int64_t step) {
  const bool forward = step > 0;
  if (forward ? start >= stop : start <= stop) return 0;
  const uint64_t span = forward ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
  const uint64_t stride =
      forward ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
  const uint64_t count = (span - 1) / stride + 1;
  if (!std::in_range<int64_t>(count))
    throw InvalidArgument("arange", fmt::format("{} values are too many", count));
  return static_cast<int64_t>(count);
}

/// Casting wraps, which is not what a range is asked for. Fractions are cut off, as a cast does.
void check_range(const Operand& first, const Operand& last, DType dtype) {
  if (!is_integer(dtype)) return;
  const auto whole = [](const Operand& x) {
    return detail::is_whole(x) ? x : Operand(std::trunc(detail::as_double("arange", x)));
  };
  if (detail::fits(whole(first), dtype) && detail::fits(whole(last), dtype)) return;
  const auto text = [](const Operand& x) {
    return std::visit([](auto v) { return fmt::format("{}", +v); }, x.number());
  };
  throw InvalidArgument(
      "arange", fmt::format("values from {} to {} do not fit {}; choose another dtype", text(first),
                            text(last), detail::type_with_range(dtype)));
}

}  // namespace

Array arange(const Operand& start, const Operand& stop, const Operand& step,
             const RangeOptions& options) {
  const double first = detail::as_double("arange", start);
  const double last = detail::as_double("arange", stop);
  const double by = detail::as_double("arange", step);
  if (by == 0) throw InvalidArgument("arange", "step 0; it must not be zero");
  if (!std::isfinite(first) || !std::isfinite(last) || !std::isfinite(by)) {
    throw InvalidArgument(
        "arange", fmt::format("start {}, stop {}, step {}; all must be finite", first, last, by));
  }
  const bool integers = detail::is_whole(start) && detail::is_whole(stop) && detail::is_whole(step);
  const DType dtype = options.dtype.value_or(integers ? DType::int64 : DType::float64);
  check_dtype("arange", dtype);
  if (integers) {
    const int64_t from = whole_number(start);
    const int64_t stride = whole_number(step);
    const int64_t count = count_between(from, whole_number(stop), stride);
    // Modulo 2^64: the product alone may be out of range where the sum is not.
    const uint64_t way = static_cast<uint64_t>(count - 1) * static_cast<uint64_t>(stride);
    if (count > 0)
      check_range(from, static_cast<int64_t>(static_cast<uint64_t>(from) + way), dtype);
    Array x = positions("arange", count, options.chunks);
    if (stride != 1) x = x * stride;
    if (from != 0) x = x + from;
    return x.astype(dtype);
  }
  const double steps = std::ceil((last - first) / by);
  if (steps >= 9e18) throw InvalidArgument("arange", fmt::format("{} values are too many", steps));
  if (steps > 0) check_range(first, first + (steps - 1) * by, dtype);
  const Array i =
      positions("arange", std::max<int64_t>(0, static_cast<int64_t>(steps)), options.chunks);
  return (first + i.astype(DType::float64) * by).astype(dtype);
}

Array arange(const Operand& stop) { return arange(0, stop); }

Array linspace(double start, double stop, int64_t count, const LinspaceOptions& options) {
  if (count < 0)
    throw InvalidArgument("linspace", fmt::format("{} values; 0 or more are accepted", count));
  if (!std::isfinite(start) || !std::isfinite(stop)) {
    throw InvalidArgument("linspace",
                          fmt::format("from {} to {}; both must be finite", start, stop));
  }
  const int64_t intervals = options.endpoint ? count - 1 : count;
  const Array i = positions("linspace", count, options.chunks, DType::float64);
  const double step = intervals > 0 ? (stop - start) / static_cast<double>(intervals) : 0.0;
  Array values = start + i.astype(DType::float64) * step;
  if (!options.endpoint || count < 2) return values;
  return where(i == count - 1, stop, values);
}

namespace detail {

Array from_memory(const void* data, DType dtype, const ShapeSpec& spec,
                  const MemoryOptions& options) {
  const Dims& shape = spec.dims("from_memory");
  const Chunks chunks = options.chunks.resolve("from_memory", shape, dtype);
  const size_t size = static_cast<size_t>(element_count(shape)) * size_of(dtype);
  if (data == nullptr && size > 0) {
    throw InvalidArgument(
        "from_memory", fmt::format("a null pointer for shape {}; the address of {} bytes is needed",
                                   to_string(shape), size));
  }
  const Dims strides = options.strides.value_or(row_major_strides(shape));
  if (strides.size() != shape.size()) {
    throw InvalidArgument(
        "from_memory", fmt::format("{} strides for shape {}; one for each of its {} axes is needed",
                                   strides.size(), to_string(shape), shape.size()));
  }
  const std::optional<Reach> reach = reach_of(shape, strides);
  const auto item = static_cast<int64_t>(size_of(dtype));
  const int64_t most = std::numeric_limits<int64_t>::max() / (2 * item);
  if (!reach || reach->first < -most || reach->last > most) {
    throw InvalidArgument(
        "from_memory",
        fmt::format("shape {} of {} with strides {} reaches 2^62 bytes away or more; "
                    "less is accepted",
                    to_string(shape), name_of(dtype), to_string(strides)));
  }
  // Blocks are only read: const is dropped so that one Block type serves all.
  auto* bytes = const_cast<std::byte*>(static_cast<const std::byte*>(data));
  Buffer lent = Buffer::borrow(bytes + reach->first * item,
                               static_cast<size_t>((reach->last - reach->first) * item), {});
  Block block = Block::view(std::move(lent), bytes, dtype, shape, strides);
  if (options.copy) {
    Block own = Block::allocate(dtype, shape);
    copy_elements(block, own);
    block = own;
  }
  return Array({std::make_shared<graph::MemoryLayer>(block, chunks), 0});
}

Block block_for(int64_t count, DType dtype, const ShapeSpec& spec) {
  const Dims& shape = spec.dims("from_vector");
  int64_t filled = 1;
  bool fits = true;
  for (int64_t extent : shape)
    fits = fits && extent >= 0 && !__builtin_mul_overflow(filled, extent, &filled);
  if (!fits || filled != count) {
    throw InvalidArgument("from_vector",
                          fmt::format("{} values do not fill shape {}", count, to_string(shape)));
  }
  return Block::allocate(dtype, shape);
}

Array from_block(std::string_view operation, const Block& block, const ChunkSpec& chunks) {
  return Array({std::make_shared<graph::MemoryLayer>(
                    block, chunks.resolve(operation, block.shape(), block.dtype())),
                0});
}

}  // namespace detail

Array from_block(const Block& block, const ChunkSpec& chunks) {
  if (!block) throw InvalidArgument("from_block", "an empty block; it has no dtype and no shape");
  return detail::from_block("from_block", block, chunks);
}

Array from_function(BlockFunction function, const ShapeSpec& shape, const CreateOptions& options) {
  if (!function) {
    throw InvalidArgument("from_function",
                          "an empty callable; one that makes a Block from a BlockInfo is needed");
  }
  Chunks chunks =
      options.chunks.resolve("from_function", shape.dims("from_function"), options.dtype);
  return Array({std::make_shared<graph::FunctionLayer>(std::move(function), "", options.dtype,
                                                       std::move(chunks)),
                0});
}

Array from_registered(const std::string& name, const ShapeSpec& shape,
                      const CreateOptions& options) {
  Chunks chunks =
      options.chunks.resolve("from_registered", shape.dims("from_registered"), options.dtype);
  return Array({std::make_shared<graph::FunctionLayer>(graph::registered_function(name), name,
                                                       options.dtype, std::move(chunks)),
                0});
}

Array from_delayed(const Delayed<Block>& block, DType dtype, const ShapeSpec& shape) {
  return from_delayed(std::vector<Delayed<Block>>{block}, dtype, shape, -1);
}

Array from_delayed(const std::vector<Delayed<Block>>& blocks, DType dtype, const ShapeSpec& shape,
                   const ChunkSpec& spec) {
  const Chunks chunks = spec.resolve("from_delayed", shape.dims("from_delayed"), dtype);
  if (blocks.size() != block_count(chunks)) {
    throw InvalidArgument("from_delayed",
                          fmt::format("{} delayed blocks for shape {} in {} blocks; {} are needed",
                                      blocks.size(), tuff::to_string(shape.dims("from_delayed")),
                                      tuff::to_string(grid_of(chunks)), block_count(chunks)));
  }
  std::vector<graph::Port> ports;
  ports.reserve(blocks.size());
  for (const Delayed<Block>& block : blocks) ports.push_back(block.port());
  return Array({std::make_shared<graph::FromValuesLayer>(std::move(ports), dtype, chunks), 0});
}

std::vector<Delayed<Block>> to_delayed(const Array& array) {
  std::vector<Delayed<Block>> blocks;
  const auto count = static_cast<uint32_t>(array.block_count());
  blocks.reserve(count);
  for (uint32_t b = 0; b < count; ++b)
    blocks.emplace_back(graph::Port{std::make_shared<graph::PickLayer>(array.port(), b), 0});
  return blocks;
}

TUFF_NAMESPACE_END
