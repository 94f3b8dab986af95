// Extents, shapes and chunks: how long an axis is, and how it is cut into blocks.
//
// An extent is a number, or a symbol when it is not known before the run (after a boolean mask).
// Two symbols are equal only if they are the same symbol. `Chunks` are immutable and shared by
// pointer: an operation that keeps its input's blocking costs no copy of 10,000 block sizes.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/check.h"
#include "tuff/base/dtype.h"

TUFF_NAMESPACE_BEGIN

/// Arrays have at most this many axes: blocks then hold shape and strides inline (136 bytes).
inline constexpr size_t kMaxRank = 8;
/// An array has at most 2^28 blocks: where they begin takes 2 GiB then, and a plan of them
/// several times that.
inline constexpr int64_t kMaxBlocks = int64_t{1} << 28;

/// Up to kMaxRank values, one per axis, without allocation.
template <class T>
class PerAxis {
 public:
  PerAxis() = default;
  PerAxis(size_t count, T value) : size_(count) {
    check_rank(count);
    for (size_t i = 0; i < count; ++i) values_[i] = value;
  }
  PerAxis(std::initializer_list<T> values) : PerAxis(values.begin(), values.end()) {}
  template <class It>
  requires(!std::is_integral_v<It>) PerAxis(It first, It last) {
    for (; first != last; ++first) push_back(static_cast<T>(*first));
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return values_[i]; }
  const T& operator[](size_t i) const { return values_[i]; }
  T* begin() { return values_.data(); }
  T* end() { return values_.data() + size_; }
  const T* begin() const { return values_.data(); }
  const T* end() const { return values_.data() + size_; }
  const T* data() const { return values_.data(); }
  T& back() { return values_[size_ - 1]; }
  const T& back() const { return values_[size_ - 1]; }
  void push_back(T value) {
    check_rank(size_ + 1);
    values_[size_++] = std::move(value);
  }
  void pop_back() { values_[--size_] = T(); }
  void insert(size_t at, T value) {
    push_back(T());
    for (size_t i = size_ - 1; i > at; --i) values_[i] = std::move(values_[i - 1]);
    values_[at] = std::move(value);
  }
  void erase(size_t at) {
    for (size_t i = at; i + 1 < size_; ++i) values_[i] = std::move(values_[i + 1]);
    pop_back();
  }
  friend bool operator==(const PerAxis& a, const PerAxis& b) {
    if (a.size_ != b.size_) return false;
    for (size_t i = 0; i < a.size_; ++i) {
      if (!(a.values_[i] == b.values_[i])) return false;
    }
    return true;
  }

 private:
  static void check_rank(size_t count) {
    if (count > kMaxRank) [[unlikely]]
      throw_rank(count);
  }
  [[noreturn]] static void throw_rank(size_t count) {
    throw InvalidArgument("shape", std::to_string(count) + " axes; at most " +
                                       std::to_string(kMaxRank) + " are supported");
  }
  std::array<T, kMaxRank> values_{};
  size_t size_ = 0;
};

using Dims = PerAxis<int64_t>;
/// Which axes; sorted and without repetition wherever it is stored.
using Axes = PerAxis<int64_t>;

/// Number of elements: the product of all extents (1 for rank 0). For shapes that check_size() accepts.
inline int64_t element_count(const Dims& shape) {
  int64_t n = 1;
  for (int64_t extent : shape) n *= extent;
  return n;
}
/// Row-major (C order) strides, counted in elements.
TUFF_API Dims row_major_strides(const Dims& shape);
/// Where the elements of a strided view lie, in elements from that of index (0, 0, ...): the offsets of the first
/// in memory and of the one after the last. Equal when there are no elements; no value when out of range.
struct Reach {
  int64_t first = 0;
  int64_t last = 0;
};
TUFF_API std::optional<Reach> reach_of(const Dims& shape, const Dims& strides);
/// "(3, 4)", "(5,)" and "()", as NumPy writes it.
TUFF_API std::string to_string(const Dims& dims);
/// Throws InvalidArgument in the name of `operation` for a negative extent, and for 2^63 bytes or more, so that
/// nobody below has to think of overflow. An extent of 0 does not save the others: strides are products of them.
TUFF_API void check_size(std::string_view operation, const Dims& shape, DType dtype);

/// Length of one axis: a number, or a symbol with identity whose value is known only in a run.
class TUFF_API Extent {
 public:
  Extent() = default;
  Extent(int64_t value) : value_(value) {}  // NOLINT(google-explicit-constructor): 3 is an extent
  /// A fresh symbol, different from every other; its value will not exceed `upper_bound`.
  static Extent symbol(int64_t upper_bound);
  bool is_known() const { return symbol_ == 0; }
  /// The number. Throws InternalError for a symbol.
  int64_t value() const {
    TUFF_CHECK(is_known());
    return value_;
  }
  /// The number, or for a symbol the largest value it can take.
  int64_t upper_bound() const { return value_; }
  /// Non-zero identity of a symbol.
  uint64_t symbol_id() const { return symbol_; }
  friend bool operator==(const Extent&, const Extent&) = default;

 private:
  int64_t value_ = 0;
  uint64_t symbol_ = 0;
};

using Shape = PerAxis<Extent>;
/// Like to_string(Dims); a symbol reads "?1".
TUFF_API std::string to_string(const Shape& shape);

/// How one axis is cut: the blocks' extents in order. Immutable, shared by pointer.
class TUFF_API AxisChunks {
 public:
  /// Blocks of these sizes (each >= 0; an axis of extent 0 has one block of size 0). Throws InvalidArgument for
  /// a negative size, for sizes that add up to 2^63 or more, and for more than kMaxBlocks of them.
  static std::shared_ptr<const AxisChunks> of(std::span<const int64_t> sizes);
  /// Blocks of `size`, the last one smaller when it does not divide `extent`. Throws likewise.
  static std::shared_ptr<const AxisChunks> regular(int64_t extent, int64_t size);
  /// One block of the whole extent.
  static std::shared_ptr<const AxisChunks> whole(int64_t extent) { return regular(extent, extent); }
  /// Blocks whose sizes are known only in a run; `upper_bounds[i]` is the most that block i can hold.
  static std::shared_ptr<const AxisChunks> unknown(const AxisChunks& upper_bounds);

  size_t count() const { return offsets_.size() - 1; }
  const Extent& extent() const { return extent_; }
  bool is_known() const { return extent_.is_known(); }
  /// First index of block i; for unknown chunks, that of the upper bounds.
  int64_t offset(size_t i) const { return offsets_[i]; }
  /// Size of block i; for unknown chunks its upper bound.
  int64_t size(size_t i) const { return offsets_[i + 1] - offsets_[i]; }
  int64_t largest() const { return largest_; }
  /// The block that holds `index` (known chunks; 0 <= index < extent).
  size_t block_of(int64_t index) const;
  std::vector<int64_t> sizes() const;

 private:
  AxisChunks() = default;
  Extent extent_;
  int64_t largest_ = 0;
  std::vector<int64_t> offsets_;
};

using AxisChunksPtr = std::shared_ptr<const AxisChunks>;

/// Whether two axes are cut alike: the same sizes, or the same symbols.
TUFF_API bool same_chunks(const AxisChunksPtr& a, const AxisChunksPtr& b);

/// How an array is cut: one AxisChunks per axis.
using Chunks = PerAxis<AxisChunksPtr>;

TUFF_API Shape shape_of(const Chunks& chunks);
/// Blocks per axis.
TUFF_API Dims grid_of(const Chunks& chunks);
/// Number of blocks, of chunks that check_size() accepts.
TUFF_API size_t block_count(const Chunks& chunks);
/// Throws InvalidArgument in the name of `operation` for an axis without chunks, for more than kMaxBlocks
/// blocks, and as for shapes; symbols count with their upper bounds.
TUFF_API void check_size(std::string_view operation, const Chunks& chunks, DType dtype);
TUFF_API bool is_known(const Chunks& chunks);
/// "((3, 3, 2), (4,))"; long axes are shortened.
TUFF_API std::string to_string(const Chunks& chunks);

/// Row-major linear number of a block in a grid, and back.
TUFF_API size_t linear_index(const Dims& index, const Dims& grid);
TUFF_API Dims grid_index(size_t linear, const Dims& grid);

TUFF_NAMESPACE_END
