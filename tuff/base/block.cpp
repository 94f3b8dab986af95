// Blocks: making, viewing and copying them; see block.h.
//
// copy_elements is what rechunk, transpose and slicing come down to. It first simplifies the problem
// (drops axes of extent 1, merges axes that run on, sorts by the target's strides) so that three inner
// loops serve all cases: runs (memcpy), 2-D transposes (through a tile in L1), and anything else.
#include "tuff/base/block.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

std::string text_of(const Block& block) {
  return block ? fmt::format("{} of shape {}", name_of(block.dtype()), to_string(block.shape()))
               : "an empty block";
}

/// Throws unless every element lies in the buffer.
void check_inside(const Buffer& buffer, const std::byte* data, DType dtype, const Dims& shape,
                  const Dims& strides) {
  check_size("block", shape, dtype);
  bool fits = shape.size() == strides.size();
  if (fits) {
    const std::optional<Reach> reach = reach_of(shape, strides);
    if (reach && reach->first == reach->last) return;
    const auto log2_size = std::countr_zero(size_of(dtype));
    const auto bytes = static_cast<int64_t>(buffer.bytes());
    const auto start = static_cast<int64_t>(reinterpret_cast<uintptr_t>(data) -
                                            reinterpret_cast<uintptr_t>(buffer.data()));
    fits = reach && start >= 0 && start <= bytes && reach->first >= -(start >> log2_size) &&
           reach->last <= (bytes - start) >> log2_size;
    if (fits) return;
  }
  throw InvalidArgument(
      "block", fmt::format("a view of {} of shape {} and strides {} reaches out of its buffer of "
                           "{} bytes; every element must lie inside",
                           name_of(dtype), to_string(shape), to_string(strides), buffer.bytes()));
}

/// One axis of a copy; strides in bytes.
struct CopyAxis {
  int64_t extent;
  int64_t from;
  int64_t to;
};

struct Copy {
  const std::byte* from;
  std::byte* to;
  size_t element_bytes;
  size_t rank = 0;
  CopyAxis axes[kMaxRank];  // outermost first
};

/// Simplifies; false when there is nothing to copy.
bool prepare(const Block& source, const Block& target, Copy& copy) {
  const auto bytes = static_cast<int64_t>(size_of(source.dtype()));
  copy.from = source.bytes_data();
  copy.to = target.bytes_data();
  copy.element_bytes = static_cast<size_t>(bytes);
  for (size_t a = 0; a < source.rank(); ++a) {
    CopyAxis axis{source.shape()[a], source.strides()[a] * bytes, target.strides()[a] * bytes};
    if (axis.extent == 0) return false;
    if (axis.extent == 1) continue;
    if (axis.to < 0) {  // walk the axis from its other end
      copy.from += axis.from * (axis.extent - 1);
      copy.to += axis.to * (axis.extent - 1);
      axis.from = -axis.from;
      axis.to = -axis.to;
    }
    // Insertion sort: the target's smallest stride ends up innermost, so that writes are in order.
    size_t at = copy.rank++;
    for (; at > 0 && copy.axes[at - 1].to < axis.to; --at) copy.axes[at] = copy.axes[at - 1];
    copy.axes[at] = axis;
  }
  size_t kept = 0;
  for (size_t a = 1; a < copy.rank; ++a) {
    CopyAxis& outer = copy.axes[kept];
    const CopyAxis& inner = copy.axes[a];
    if (outer.from == inner.from * inner.extent && outer.to == inner.to * inner.extent) {
      outer = {outer.extent * inner.extent, inner.from, inner.to};
    } else {
      copy.axes[++kept] = inner;
    }
  }
  if (copy.rank > 0) copy.rank = kept + 1;
  return true;
}

/// Calls `inner(from, to)`, which moves `bytes`, at each index of the axes [0, count); looks at `stop` on the way.
template <class F>
void for_each_outer(const Copy& copy, size_t count, size_t bytes, StopRequest stop, F&& inner) {
  const std::byte* from = copy.from;
  std::byte* to = copy.to;
  if (count == 0) return inner(from, to);
  const auto between = static_cast<int64_t>(std::max<size_t>(kBytesBetweenLooks / bytes, 1));
  const CopyAxis& last = copy.axes[count - 1];
  int64_t index[kMaxRank] = {};
  int64_t left = 0;  // calls until the next look
  for (;;) {
    for (int64_t i = 0; i < last.extent;) {
      if (left == 0) {
        stop.check();
        left = between;
      }
      const int64_t calls = std::min(left, last.extent - i);
      for (int64_t k = 0; k < calls; ++k, from += last.from, to += last.to) inner(from, to);
      i += calls;
      left -= calls;
    }
    from -= last.from * last.extent;
    to -= last.to * last.extent;
    size_t a = count - 1;
    for (;;) {
      if (a == 0) return;
      --a;
      const CopyAxis& axis = copy.axes[a];
      from += axis.from;
      to += axis.to;
      if (++index[a] < axis.extent) break;
      from -= axis.from * axis.extent;
      to -= axis.to * axis.extent;
      index[a] = 0;
    }
  }
}

/// Longer runs are cut into pieces of some 10 ms, which are still long enough for memcpy to write past the caches.
constexpr size_t kLongRun = size_t{64} << 20;

void copy_long_run(const std::byte* from, std::byte* to, size_t bytes, StopRequest stop) {
  for (size_t at = 0; at < bytes; at += kLongRun) {
    stop.check();
    std::memcpy(to + at, from + at, std::min(kLongRun, bytes - at));
  }
}

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <class T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

template <class T>
void copy_row(const std::byte* from, int64_t from_stride, std::byte* to, int64_t to_stride,
              int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    store(to + i * to_stride, load<T>(from + i * from_stride));
  }
}

using Lane = uint8_t __attribute__((vector_size(16)));

/// Elements of a, b, a, b, ... from the lower (`kUpper` 0) or upper half of both.
template <class T, int kUpper, size_t... kByte>
Lane interleave(Lane a, Lane b, std::index_sequence<kByte...>) {
  constexpr size_t kSize = sizeof(T);
  return __builtin_shufflevector(
      a, b,
      ((kByte / kSize % 2) * 16 + kUpper * 8 + kByte / (2 * kSize) * kSize + kByte % kSize)...);
}

/// Transposes a square of 16 bytes by 16 bytes (2x2 of 8 bytes, ... 16x16 of one byte): each round of
/// perfect shuffles halves the distance between elements of one column.
template <class T>
void transpose_square(const std::byte* from, size_t from_pitch, std::byte* to, size_t to_pitch) {
  constexpr size_t kSide = 16 / sizeof(T);
  constexpr auto kBytes = std::make_index_sequence<16>();
  Lane rows[kSide];
  for (size_t i = 0; i < kSide; ++i) std::memcpy(&rows[i], from + i * from_pitch, 16);
  for (size_t round = 1; round < kSide; round *= 2) {
    Lane shuffled[kSide];
    for (size_t i = 0; i < kSide / 2; ++i) {
      shuffled[2 * i] = interleave<T, 0>(rows[i], rows[i + kSide / 2], kBytes);
      shuffled[2 * i + 1] = interleave<T, 1>(rows[i], rows[i + kSide / 2], kBytes);
    }
    std::memcpy(rows, shuffled, sizeof rows);
  }
  for (size_t i = 0; i < kSide; ++i) std::memcpy(to + i * to_pitch, &rows[i], 16);
}

/// Transposes (rows, columns): the source runs along `rows`, the target along `columns`.
///
/// Both sides are touched in pieces of 128 bytes (two lines, which the adjacent-line prefetcher brings
/// together) and each line once; the turn itself happens between two tiles that stay in L1 (at most
/// 32 KiB), so power-of-two strides cannot make lines evict each other. The lines of the target and of
/// the next source tile are asked for ahead: steps of one row are too wide for the hardware to foresee.
template <class T>
void transpose(const std::byte* from, std::byte* to, const CopyAxis& rows, const CopyAxis& columns,
               StopRequest stop) {
  constexpr int64_t kTileBytes = 128;
  constexpr int64_t kTile = kTileBytes / static_cast<int64_t>(sizeof(T));
  constexpr int64_t kSide = 16 / static_cast<int64_t>(sizeof(T));
  constexpr auto kBytes = static_cast<int64_t>(sizeof(T));
  // Cleared once, since the squares at ragged edges read more of it than was filled.
  alignas(64) std::byte source[kTile * kTileBytes] = {};
  alignas(64) std::byte turned[kTile * kTileBytes];
  for (int64_t c0 = 0; c0 < columns.extent; c0 += kTile) {
    const int64_t width = std::min(kTile, columns.extent - c0);
    for (int64_t r0 = 0; r0 < rows.extent; r0 += kTile) {
      stop.check();
      const int64_t height = std::min(kTile, rows.extent - r0);
      const std::byte* in = from + c0 * columns.from + r0 * kBytes;
      std::byte* out = to + r0 * rows.to + c0 * kBytes;
      for (int64_t r = 0; r < height; ++r) {
        __builtin_prefetch(out + r * rows.to, 1);
        __builtin_prefetch(out + r * rows.to + kTileBytes / 2, 1);
      }
      for (int64_t c = 0; c < width; ++c) {
        const std::byte* row = in + c * columns.from;
        std::memcpy(source + c * kTileBytes, row, static_cast<size_t>(height * kBytes));
        __builtin_prefetch(row + kTileBytes);
        __builtin_prefetch(row + kTileBytes * 3 / 2);
      }
      for (int64_t c = 0; c < width; c += kSide) {
        for (int64_t r = 0; r < height; r += kSide) {
          transpose_square<T>(source + c * kTileBytes + r * kBytes, kTileBytes,
                              turned + r * kTileBytes + c * kBytes, kTileBytes);
        }
      }
      for (int64_t r = 0; r < height; ++r) {
        std::memcpy(out + r * rows.to, turned + r * kTileBytes,
                    static_cast<size_t>(width * kBytes));
      }
    }
  }
}

template <class T>
void copy_strided(Copy& copy, StopRequest stop) {
  const CopyAxis inner = copy.axes[copy.rank - 1];
  const auto bytes = static_cast<int64_t>(sizeof(T));
  const auto row_bytes = static_cast<size_t>(inner.extent * bytes);
  if (inner.to == bytes && copy.rank >= 2) {
    for (size_t a = copy.rank - 1; a-- > 0;) {
      if (copy.axes[a].from != bytes) continue;
      const CopyAxis rows = copy.axes[a];
      copy.axes[a] = copy.axes[copy.rank - 2];
      return for_each_outer(
          copy, copy.rank - 2, row_bytes * static_cast<size_t>(rows.extent), stop,
          [&](const std::byte* from, std::byte* to) { transpose<T>(from, to, rows, inner, stop); });
    }
  }
  constexpr auto kPiece = static_cast<int64_t>(kBytesBetweenLooks / sizeof(T));
  if (inner.extent > kPiece) {
    return for_each_outer(copy, copy.rank - 1, row_bytes, stop,
                          [&](const std::byte* from, std::byte* to) {
                            for (int64_t i = 0; i < inner.extent; i += kPiece) {
                              stop.check();
                              copy_row<T>(from + i * inner.from, inner.from, to + i * inner.to,
                                          inner.to, std::min(kPiece, inner.extent - i));
                            }
                          });
  }
  for_each_outer(copy, copy.rank - 1, row_bytes, stop, [&](const std::byte* from, std::byte* to) {
    copy_row<T>(from, inner.from, to, inner.to, inner.extent);
  });
}

}  // namespace

void copy_elements(const Block& from, const Block& to, StopRequest stop) {
  if (!from || !to || from.dtype() != to.dtype() || !(from.shape() == to.shape())) {
    throw InvalidArgument(
        "copy_elements",
        fmt::format("{} to {}; equal dtypes and shapes are needed", text_of(from), text_of(to)));
  }
  Copy copy;
  if (!prepare(from, to, copy)) return;
  const auto bytes = static_cast<int64_t>(copy.element_bytes);
  if (copy.rank == 0) {
    std::memcpy(copy.to, copy.from, copy.element_bytes);
    return;
  }
  const CopyAxis& inner = copy.axes[copy.rank - 1];
  if (inner.from == bytes && inner.to == bytes) {
    const auto run = static_cast<size_t>(inner.extent * bytes);
    if (run > kLongRun) {
      return for_each_outer(copy, copy.rank - 1, run, stop,
                            [=](const std::byte* source, std::byte* target) {
                              copy_long_run(source, target, run, stop);
                            });
    }
    return for_each_outer(
        copy, copy.rank - 1, run, stop,
        [run](const std::byte* source, std::byte* target) { std::memcpy(target, source, run); });
  }
  switch (copy.element_bytes) {
    case 1: return copy_strided<uint8_t>(copy, stop);
    case 2: return copy_strided<uint16_t>(copy, stop);
    case 4: return copy_strided<uint32_t>(copy, stop);
    default: return copy_strided<uint64_t>(copy, stop);
  }
}

namespace {

struct Packing {
  Dims strides;
  int64_t elements = 0;  // with what lies between them
};

/// Whether all walks are the same with either strides: axes are put in the order of strides, one that follows on
/// another is merged with it, and unit strides are told apart.
bool walks_agree(const Dims& shape, const Dims& strides, const Dims& others) {
  for (size_t a = 0; a < shape.size(); ++a) {
    if ((strides[a] == 1) != (others[a] == 1)) return false;
    for (size_t b = 0; b < shape.size(); ++b) {
      if ((strides[a] < strides[b]) != (others[a] < others[b])) return false;
      if ((strides[a] == strides[b] * shape[b]) != (others[a] == others[b] * shape[b]))
        return false;
    }
  }
  return true;
}

/// Unit strides stay, others become small; an axis that does not follow on the one inside leaves some elements between,
/// so that the strides of axes of extent 1 find a place there.
std::optional<Packing> packing_of(const Block& block) {
  const Dims& shape = block.shape();
  const Dims& strides = block.strides();
  if (block.size() == 0) return Packing{strides, 0};
  Packing packing{strides, 1};
  std::vector<size_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), size_t{0});
  std::sort(axes.begin(), axes.end(), [&](size_t a, size_t b) {
    return strides[a] != strides[b] ? strides[a] < strides[b] : shape[a] > shape[b];
  });
  const int64_t room = 1 + std::count(shape.begin(), shape.end(), 1);
  int64_t reach = 0;  // where the last element of the axes so far lies
  std::optional<size_t> before;
  std::optional<size_t> inside;  // the last one with more than one element
  for (size_t a : axes) {
    if (strides[a] < 0 || (shape[a] > 1 && strides[a] <= reach)) return std::nullopt;
    const int64_t next = inside ? packing.strides[*inside] * shape[*inside] : 0;
    const int64_t after = before ? packing.strides[*before] + 1 : std::min(strides[a], int64_t{2});
    const bool follows = inside && strides[a] == strides[*inside] * shape[*inside];
    int64_t& now = packing.strides[a];
    if (before && strides[a] == strides[*before]) {
      now = packing.strides[*before];
    } else if (follows) {
      now = next;
    } else if (shape[a] > 1 && strides[a] > 1) {
      now = std::max(after, inside ? next + room : std::min(strides[a], 1 + room));
    } else {
      now = inside && strides[a] > strides[*inside] * shape[*inside] ? std::max(after, next + 1)
                                                                     : after;
    }
    before = a;
    if (shape[a] == 1) continue;
    reach += strides[a] * (shape[a] - 1);
    packing.elements += now * (shape[a] - 1);
    inside = a;
  }
  if (!walks_agree(shape, strides, packing.strides)) return std::nullopt;
  return packing;
}

}  // namespace

std::optional<size_t> repacked_bytes(const Block& block) {
  const std::optional<Packing> packing = packing_of(block);
  if (!packing) return std::nullopt;
  return static_cast<size_t>(packing->elements) * size_of(block.dtype());
}

Block repacked(const Block& block, StopRequest stop) {
  const Packing packing = packing_of(block).value();
  Buffer buffer = Buffer::allocate(static_cast<size_t>(packing.elements) * size_of(block.dtype()));
  std::byte* const data = buffer.data();
  Block copy = Block::view(std::move(buffer), data, block.dtype(), block.shape(), packing.strides);
  copy_elements(block, copy, stop);
  return copy;
}

Block Block::allocate(DType dtype, const Dims& shape) {
  check_size("block", shape, dtype);
  Buffer buffer = Buffer::allocate(static_cast<size_t>(element_count(shape)) * size_of(dtype));
  std::byte* data = buffer.data();
  return make(std::move(buffer), data, dtype, shape, row_major_strides(shape));
}

Block Block::view(Buffer buffer, std::byte* data, DType dtype, const Dims& shape,
                  const Dims& strides) {
  check_dtype("block", dtype);
  check_inside(buffer, data, dtype, shape, strides);
  return make(std::move(buffer), data, dtype, shape, strides);
}

Block Block::make(Buffer buffer, std::byte* data, DType dtype, const Dims& shape,
                  const Dims& strides) {
  Rep* rep = ::new (detail::take_node(sizeof(Rep))) Rep;
  rep->dtype = dtype;
  rep->data = data;
  rep->buffer = std::move(buffer);
  rep->shape = shape;
  rep->strides = strides;
  Block block;
  block.rep_ = rep;
  return block;
}

void Block::check_fills(size_t values, DType dtype, const Dims& shape) {
  check_size("block", shape, dtype);
  if (static_cast<int64_t>(values) == element_count(shape)) return;
  throw InvalidArgument("block",
                        fmt::format("{} values do not fill shape {}", values, to_string(shape)));
}

void Block::destroy(Rep* rep) noexcept {
  rep->~Rep();
  detail::give_node(rep, sizeof(Rep));
}

bool Block::is_row_major() const {
  const Dims& dims = shape();
  int64_t expected = 1;
  bool in_order = true;
  for (size_t a = dims.size(); a-- > 0;) {
    if (dims[a] == 0) return true;
    if (dims[a] != 1 && strides()[a] != expected) in_order = false;
    expected *= dims[a];
  }
  return in_order;
}

Block Block::contiguous(StopRequest stop) const {
  check_not_empty();
  if (is_row_major()) return *this;
  Block dense = allocate(dtype(), shape());
  copy_elements(*this, dense, stop);
  return dense;
}

Block Block::transposed(std::span<const int64_t> axes) const {
  check_not_empty();
  Dims new_shape;
  Dims new_strides;
  bool fits = axes.size() == rank();
  for (size_t a = 0; fits && a < axes.size(); ++a) {
    fits = axes[a] >= 0 && axes[a] < static_cast<int64_t>(rank()) &&
           std::count(axes.begin(), axes.end(), axes[a]) == 1;
    if (!fits) break;
    new_shape.push_back(shape()[static_cast<size_t>(axes[a])]);
    new_strides.push_back(strides()[static_cast<size_t>(axes[a])]);
  }
  if (!fits) {
    throw InvalidArgument("block", fmt::format("axes ({}) for shape {}; each of its {} axes is "
                                               "needed once",
                                               fmt::join(axes.begin(), axes.end(), ", "),
                                               to_string(shape()), rank()));
  }
  return make(rep_->buffer, rep_->data, rep_->dtype, new_shape, new_strides);
}

Block Block::strided_view(int64_t offset, const Dims& shape, const Dims& strides) const {
  check_not_empty();
  int64_t bytes = 0;
  if (__builtin_mul_overflow(offset, static_cast<int64_t>(size_of(rep_->dtype)), &bytes))
    bytes = std::numeric_limits<int64_t>::max();  // outside of every buffer
  // As a number: where nothing is reached, the address may lie anywhere.
  auto* first = reinterpret_cast<std::byte*>(reinterpret_cast<uintptr_t>(rep_->data) +
                                             static_cast<uintptr_t>(bytes));
  check_inside(rep_->buffer, first, rep_->dtype, shape, strides);
  return make(rep_->buffer, first, rep_->dtype, shape, strides);
}

void Block::check_not_empty() const {
  if (rep_ == nullptr)
    throw InvalidArgument("block", "an empty block has no elements; assign one that has");
}

void Block::throw_wrong_type(DType asked) const {
  check_not_empty();
  throw InvalidArgument("block", fmt::format("the elements are {}, asked for {}",
                                             name_of(rep_->dtype), name_of(asked)));
}

void Block::throw_not_scalar() const {
  throw InvalidArgument("block",
                        fmt::format("shape {} has {} elements; a single value needs exactly 1",
                                    to_string(shape()), size()));
}

void check_blocks(std::string_view operation, DType dtype, const Chunks& chunks,
                  std::span<const Block> blocks) {
  check_dtype(operation, dtype);
  check_size(operation, chunks, dtype);
  const Dims grid = grid_of(chunks);
  if (blocks.size() != block_count(chunks)) {
    throw InvalidArgument(
        operation, fmt::format("{} blocks for shape {} in {} blocks; {} are needed", blocks.size(),
                               to_string(shape_of(chunks)), to_string(grid), block_count(chunks)));
  }
  Dims index(grid.size(), 0);
  for (const Block& block : blocks) {
    bool fits = block && block.dtype() == dtype && block.rank() == grid.size();
    for (size_t a = 0; fits && a < grid.size(); ++a) {
      const int64_t extent = block.shape()[a];
      const int64_t size = chunks[a]->size(static_cast<size_t>(index[a]));
      fits = extent == size;
      if (chunks[a]->is_known()) continue;
      // The first block at this place along the axis says how long it is there.
      Dims first(grid.size(), 0);
      first[a] = index[a];
      fits = extent <= size && extent == blocks[linear_index(first, grid)].shape()[a];
    }
    if (!fits) {
      throw InvalidArgument(
          operation,
          fmt::format("block {} is {}; it must be {} and fit chunks {}", to_string(index),
                      text_of(block), name_of(dtype), to_string(chunks)));
    }
    for (size_t a = grid.size(); a-- > 0;) {
      if (++index[a] < grid[a]) break;
      index[a] = 0;
    }
  }
}

TUFF_NAMESPACE_END
