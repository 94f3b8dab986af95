// Extents, shapes and chunks; see shape.h.
#include "tuff/base/shape.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN

Dims row_major_strides(const Dims& shape) {
  Dims strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::optional<Reach> reach_of(const Dims& shape, const Dims& strides) {
  Reach reach{0, 1};
  bool fits = true;
  for (size_t a = 0; a < shape.size(); ++a) {
    if (shape[a] == 0) return Reach{};
    int64_t way = 0;
    int64_t& end = strides[a] < 0 ? reach.first : reach.last;
    fits = fits && shape[a] > 0 && !__builtin_mul_overflow(shape[a] - 1, strides[a], &way) &&
           !__builtin_add_overflow(end, way, &end);
  }
  return fits ? std::optional(reach) : std::nullopt;
}

std::string to_string(const Dims& dims) {
  if (dims.size() == 1) return fmt::format("({},)", dims[0]);
  return fmt::format("({})", fmt::join(dims.begin(), dims.end(), ", "));
}

void check_size(std::string_view operation, const Dims& shape, DType dtype) {
  auto bytes = static_cast<int64_t>(size_of(dtype));
  bool fits = true;
  for (int64_t extent : shape) {
    if (extent < 0) {
      throw InvalidArgument(operation,
                            fmt::format("shape {} has a negative extent", to_string(shape)));
    }
    fits = fits && (extent == 0 || !__builtin_mul_overflow(bytes, extent, &bytes));
  }
  if (fits) return;
  throw InvalidArgument(operation,
                        fmt::format("shape {} of {} takes 2^63 bytes or more; less is accepted",
                                    to_string(shape), name_of(dtype)));
}

Extent Extent::symbol(int64_t upper_bound) {
  static std::atomic<uint64_t> next{1};
  Extent extent(upper_bound);
  extent.symbol_ = next.fetch_add(1, std::memory_order_relaxed);
  return extent;
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += shape[i].is_known() ? fmt::format("{}", shape[i].value())
                                : fmt::format("?{}", shape[i].symbol_id());
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

namespace {

void check_block_number(size_t blocks) {
  if (blocks > static_cast<size_t>(kMaxBlocks)) {
    throw InvalidArgument("chunks", fmt::format("{} blocks along an axis; at most {} are accepted",
                                                blocks, kMaxBlocks));
  }
}

}  // namespace

AxisChunksPtr AxisChunks::of(std::span<const int64_t> sizes) {
  check_block_number(sizes.size());
  std::shared_ptr<AxisChunks> chunks(new AxisChunks());
  chunks->offsets_.reserve(sizes.size() + 2);
  chunks->offsets_.push_back(0);
  for (int64_t size : sizes) {
    if (size < 0) throw InvalidArgument("chunks", fmt::format("block size {} is negative", size));
    const int64_t before = chunks->offsets_.back();
    if (size > std::numeric_limits<int64_t>::max() - before) {
      throw InvalidArgument("chunks",
                            fmt::format("a block of size {} after blocks of {} in all makes 2^63 "
                                        "or more; less is accepted",
                                        size, before));
    }
    chunks->offsets_.push_back(before + size);
    chunks->largest_ = std::max(chunks->largest_, size);
  }
  if (sizes.empty()) chunks->offsets_.push_back(0);
  chunks->extent_ = Extent(chunks->offsets_.back());
  return chunks;
}

AxisChunksPtr AxisChunks::regular(int64_t extent, int64_t size) {
  if (extent < 0) throw InvalidArgument("shape", fmt::format("extent {} is negative", extent));
  if (size < 1 && extent > 0) {
    throw InvalidArgument("chunks", fmt::format("block size {}; at least 1 is needed", size));
  }
  const int64_t blocks = extent > 0 ? (extent - 1) / size + 1 : 1;
  check_block_number(static_cast<size_t>(blocks));
  std::shared_ptr<AxisChunks> chunks(new AxisChunks());
  chunks->offsets_.reserve(static_cast<size_t>(blocks) + 1);
  chunks->offsets_.push_back(0);
  if (extent == 0) chunks->offsets_.push_back(0);
  for (int64_t at = 0; at < extent;) {
    at = size < extent - at ? at + size : extent;
    chunks->offsets_.push_back(at);
  }
  chunks->extent_ = Extent(extent);
  chunks->largest_ = std::min(extent, std::max<int64_t>(size, 0));
  return chunks;
}

AxisChunksPtr AxisChunks::unknown(const AxisChunks& upper_bounds) {
  std::shared_ptr<AxisChunks> chunks(new AxisChunks(upper_bounds));
  chunks->extent_ = Extent::symbol(upper_bounds.offsets_.back());
  return chunks;
}

size_t AxisChunks::block_of(int64_t index) const {
  const auto after = std::upper_bound(offsets_.begin(), offsets_.end(), index);
  return static_cast<size_t>(after - offsets_.begin()) - 1;
}

std::vector<int64_t> AxisChunks::sizes() const {
  std::vector<int64_t> sizes(count());
  for (size_t i = 0; i < sizes.size(); ++i) sizes[i] = size(i);
  return sizes;
}

bool same_chunks(const AxisChunksPtr& a, const AxisChunksPtr& b) {
  if (a == b) return true;
  if (!(a->extent() == b->extent()) || a->count() != b->count()) return false;
  for (size_t i = 0; i < a->count(); ++i) {
    if (a->offset(i) != b->offset(i)) return false;
  }
  return true;
}

Shape shape_of(const Chunks& chunks) {
  Shape shape;
  for (const AxisChunksPtr& axis : chunks) shape.push_back(axis->extent());
  return shape;
}

Dims grid_of(const Chunks& chunks) {
  Dims grid;
  for (const AxisChunksPtr& axis : chunks) grid.push_back(static_cast<int64_t>(axis->count()));
  return grid;
}

size_t block_count(const Chunks& chunks) {
  size_t n = 1;
  for (const AxisChunksPtr& axis : chunks) n *= axis->count();
  return n;
}

void check_size(std::string_view operation, const Chunks& chunks, DType dtype) {
  // Every layer asks this of its outputs, so what may be said of them is put together only to be said.
  auto bytes = static_cast<int64_t>(size_of(dtype));
  int64_t blocks = 1;
  bool counts = true;
  bool fits = true;
  for (size_t a = 0; a < chunks.size(); ++a) {
    if (chunks[a] == nullptr)
      throw InvalidArgument(operation,
                            fmt::format("axis {} of {} has no chunks", a, chunks.size()));
    const int64_t extent = chunks[a]->extent().upper_bound();
    const auto along = static_cast<int64_t>(chunks[a]->count());
    counts = counts && !__builtin_mul_overflow(blocks, along, &blocks) && blocks <= kMaxBlocks;
    fits = fits && extent >= 0 && (extent == 0 || !__builtin_mul_overflow(bytes, extent, &bytes));
  }
  if (counts && fits) return;
  Dims bounds;
  for (const AxisChunksPtr& axis : chunks) bounds.push_back(axis->extent().upper_bound());
  if (!counts) {
    throw InvalidArgument(
        operation,
        fmt::format("shape {} in {} blocks makes more than {} blocks; give larger chunks",
                    to_string(bounds), to_string(grid_of(chunks)), kMaxBlocks));
  }
  check_size(operation, bounds, dtype);
}

bool is_known(const Chunks& chunks) {
  return std::all_of(chunks.begin(), chunks.end(),
                     [](const AxisChunksPtr& axis) { return axis->is_known(); });
}

std::string to_string(const Chunks& chunks) {
  std::string text = "(";
  for (size_t a = 0; a < chunks.size(); ++a) {
    const AxisChunks& axis = *chunks[a];
    if (a > 0) text += ", ";
    if (!axis.is_known()) {
      text += fmt::format("(? x {})", axis.count());
    } else if (axis.count() > 6) {
      text += fmt::format("({}, {}, ... {} blocks)", axis.size(0), axis.size(1), axis.count());
    } else {
      const std::vector<int64_t> sizes = axis.sizes();
      text += fmt::format("({}{})", fmt::join(sizes, ", "), sizes.size() == 1 ? "," : "");
    }
  }
  return text + (chunks.size() == 1 ? ",)" : ")");
}

size_t linear_index(const Dims& index, const Dims& grid) {
  int64_t linear = 0;
  for (size_t i = 0; i < grid.size(); ++i) linear = linear * grid[i] + index[i];
  return static_cast<size_t>(linear);
}

Dims grid_index(size_t linear, const Dims& grid) {
  Dims index(grid.size(), 0);
  auto rest = static_cast<int64_t>(linear);
  for (size_t i = grid.size(); i-- > 0;) {
    index[i] = rest % grid[i];
    rest /= grid[i];
  }
  return index;
}

TUFF_NAMESPACE_END
