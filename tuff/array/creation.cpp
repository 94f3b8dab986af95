// Creation; see creation.h.
#include "tuff/array/creation.h"

#include <algorithm>
#include <cmath>
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

/// `dtype`: what becomes of them, for errors.
Array positions(std::string_view operation, int64_t count, const ChunkSpec& chunks,
                DType dtype = DType::int64) {
  const Chunks cut = chunks.resolve(operation, Dims{count}, dtype);
  return Array({std::make_shared<graph::IndexLayer>(cut[0]), 0});
}

/// Any int64 or uint64, and what lies between them.
__extension__ using Wide = __int128;

Wide whole_number(const Operand& x) {
  return std::visit([](auto value) { return static_cast<Wide>(value); }, x.number());
}

/// Number of steps from start until stop is reached or passed.
int64_t count_between(Wide start, Wide stop, Wide step) {
  const Wide span = step > 0 ? stop - start : start - stop;
  if (span <= 0) return 0;
  const Wide count = (span - 1) / (step > 0 ? step : -step) + 1;
  if (count > std::numeric_limits<int64_t>::max()) {
    throw InvalidArgument("arange",
                          fmt::format("{} values are too many", static_cast<uint64_t>(count)));
  }
  return static_cast<int64_t>(count);
}

/// Of what lies in the range of int64 or uint64.
Operand as_operand(Wide value) {
  if (value > std::numeric_limits<int64_t>::max()) return static_cast<uint64_t>(value);
  return static_cast<int64_t>(value);
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

namespace {

/// Exact whatever the bounds: elements are computed modulo 2^64, as casts between int64 and uint64 do.
Array whole_range(const Operand& start, const Operand& stop, const Operand& step,
                  const RangeOptions& options) {
  const Wide from = whole_number(start);
  const Wide by = whole_number(step);
  if (by == 0) throw InvalidArgument("arange", "step 0; it must not be zero");
  const int64_t count = count_between(from, whole_number(stop), by);
  const Wide last = count > 0 ? from + (count - 1) * by : from;
  const bool is_signed =
      from <= std::numeric_limits<int64_t>::max() && last <= std::numeric_limits<int64_t>::max();
  const DType dtype = options.dtype.value_or(is_signed ? DType::int64 : DType::uint64);
  check_dtype("arange", dtype);
  if (count > 0) check_range(as_operand(from), as_operand(last), dtype);
  Array x = positions("arange", count, options.chunks);
  if (by != 1) x = x * static_cast<int64_t>(by);
  if (from != 0) x = x + static_cast<int64_t>(from);
  // Beyond 2^63 the sums have wrapped; the cast to uint64 sets that right, and one to a float must begin there.
  if (!is_signed && dtype != DType::uint64) x = x.astype(DType::uint64);
  return x.astype(dtype);
}

}  // namespace

Array arange(const Operand& start, const Operand& stop, const Operand& step,
             const RangeOptions& options) {
  if (detail::is_whole(start) && detail::is_whole(stop) && detail::is_whole(step))
    return whole_range(start, stop, step, options);
  const double first = detail::as_double("arange", start);
  const double last = detail::as_double("arange", stop);
  const double by = detail::as_double("arange", step);
  if (by == 0) throw InvalidArgument("arange", "step 0; it must not be zero");
  if (!std::isfinite(first) || !std::isfinite(last) || !std::isfinite(by)) {
    throw InvalidArgument(
        "arange", fmt::format("start {}, stop {}, step {}; all must be finite", first, last, by));
  }
  const DType dtype = options.dtype.value_or(DType::float64);
  check_dtype("arange", dtype);
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
  // The way between the bounds may be more than the largest number, and a step less than the smallest: then all is
  // computed at another scale, a power of two.
  double scale = 1;
  const double largest = std::max(std::abs(start), std::abs(stop));
  if (!std::isfinite(stop - start)) scale = 0.25;
  if (largest > 0 && largest < 0x1p-900) scale = 0x1p900;
  const double first = start * scale;
  const double step = intervals > 0 ? (stop * scale - first) / static_cast<double>(intervals) : 0.0;
  Array values = first + i.astype(DType::float64) * step;
  if (scale != 1) values = values * (1 / scale);
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
