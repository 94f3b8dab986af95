// Extents, shapes and chunks; see shape.h.
#include "tuff/base/shape.h"

#include <algorithm>
#include <atomic>

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN

Dims row_major_strides(const Dims& shape) {
  Dims strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::string to_string(const Dims& dims) {
  if (dims.size() == 1) return fmt::format("({},)", dims[0]);
  return fmt::format("({})", fmt::join(dims.begin(), dims.end(), ", "));
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

AxisChunksPtr AxisChunks::of(std::span<const int64_t> sizes) {
  std::shared_ptr<AxisChunks> chunks(new AxisChunks());
  chunks->offsets_.reserve(sizes.size() + 2);
  chunks->offsets_.push_back(0);
  for (int64_t size : sizes) {
    if (size < 0) throw InvalidArgument("chunks", fmt::format("block size {} is negative", size));
    chunks->offsets_.push_back(chunks->offsets_.back() + size);
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
  std::shared_ptr<AxisChunks> chunks(new AxisChunks());
  chunks->offsets_.push_back(0);
  if (extent == 0) chunks->offsets_.push_back(0);
  if (size > 0) chunks->offsets_.reserve(static_cast<size_t>((extent - 1) / size + 2));
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
