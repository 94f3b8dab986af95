// The unit of data: dtype, shape, strides and a counted buffer, behind one pointer.
//
// A Block is 8 bytes, so that a task's value holds it inline; copying counts up, views share the
// buffer. Elements of a block that others can see must not change: tasks write only to blocks they
// have just made.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tuff/base/buffer.h"
#include "tuff/base/dtype.h"
#include "tuff/base/shape.h"
#include "tuff/base/stop.h"

TUFF_NAMESPACE_BEGIN

/// An n-d piece of an array in memory. Strides are counted in elements and may be 0 or negative.
class TUFF_API Block {
 public:
  Block() = default;
  /// A new row-major block with uninitialised elements. Throws InvalidArgument for a negative extent and for 2^63
  /// bytes or more, std::bad_alloc where there is no memory.
  static Block allocate(DType dtype, const Dims& shape);
  /// A view of `buffer` whose first element is at `data`. Throws InvalidArgument unless every element lies in the
  /// buffer.
  static Block view(Buffer buffer, std::byte* data, DType dtype, const Dims& shape,
                    const Dims& strides);
  /// A rank-0 block that holds one value.
  template <Element T>
  static Block scalar(T value) {
    Block block = allocate(dtype_of<T>, Dims{});
    *block.data<T>() = value;
    return block;
  }
  /// A row-major copy of `values`. Throws InvalidArgument unless they fill the shape.
  template <Element T>
  static Block copy_of(std::span<const T> values, const Dims& shape) {
    check_fills(values.size(), dtype_of<T>, shape);
    Block block = allocate(dtype_of<T>, shape);
    std::copy(values.begin(), values.end(), block.data<T>());
    return block;
  }

  // Ordered as Buffer's counts are.
  Block(const Block& other) noexcept : rep_(other.rep_) {
    if (rep_ != nullptr) rep_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Block(Block&& other) noexcept : rep_(std::exchange(other.rep_, nullptr)) {}
  Block& operator=(Block other) noexcept {
    std::swap(rep_, other.rep_);
    return *this;
  }
  ~Block() {
    if (rep_ != nullptr && rep_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      destroy(rep_);
    }
  }

  /// False for a block that was default-constructed or moved from: it has no dtype and no shape, which must not
  /// be asked for; asking for its elements throws InvalidArgument.
  explicit operator bool() const { return rep_ != nullptr; }
  DType dtype() const { return rep_->dtype; }
  size_t rank() const { return rep_->shape.size(); }
  const Dims& shape() const { return rep_->shape; }
  const Dims& strides() const { return rep_->strides; }
  int64_t size() const { return element_count(rep_->shape); }
  size_t bytes() const { return static_cast<size_t>(size()) * size_of(rep_->dtype); }
  bool is_row_major() const;
  std::byte* bytes_data() const { return rep_->data; }
  const Buffer& buffer() const { return rep_->buffer; }
  /// How many handles there are of this block, and what tells it from others that are views of the same buffer.
  uint32_t handle_count() const { return rep_->references.load(std::memory_order_acquire); }
  const void* identity() const { return rep_; }
  /// Whether this handle and this block alone reach the buffer.
  bool is_unique() const {
    return rep_->references.load(std::memory_order_acquire) == 1 && rep_->buffer.use_count() == 1;
  }

  /// First element. Throws InvalidArgument unless T is the block's dtype.
  template <Element T>
  T* data() const {
    if (rep_ == nullptr || rep_->dtype != dtype_of<T>) [[unlikely]]
      throw_wrong_type(dtype_of<T>);
    return reinterpret_cast<T*>(rep_->data);
  }
  /// The only element of a block with one element. Throws InvalidArgument otherwise.
  template <Element T>
  T item() const {
    T* first = data<T>();
    if (size() != 1) [[unlikely]]
      throw_not_scalar();
    return *first;
  }
  /// All elements in row-major order.
  template <Element T>
  std::vector<T> to_vector() const {
    Block dense = contiguous();
    // std::vector<bool> has no contiguous storage to copy into at once, so go by iterators.
    const T* first = dense.data<T>();
    return std::vector<T>(first, first + dense.size());
  }

  /// This block when it is row-major already, else a row-major copy. Throws Cancelled when stop is requested.
  Block contiguous(StopRequest stop = {}) const;
  /// A view with axes in the order `axes`. Throws InvalidArgument unless they are a permutation.
  Block transposed(std::span<const int64_t> axes) const;
  /// A view of `shape`, beginning `offset` elements after the first, with these strides. Throws InvalidArgument
  /// unless every element lies in this block's buffer.
  Block strided_view(int64_t offset, const Dims& shape, const Dims& strides) const;

 private:
  struct Rep {
    std::atomic<uint32_t> references{1};
    DType dtype = DType::float64;
    std::byte* data = nullptr;
    Buffer buffer;
    Dims shape;
    Dims strides;
  };
  static void destroy(Rep* rep) noexcept;
  static Block make(Buffer buffer, std::byte* data, DType dtype, const Dims& shape,
                    const Dims& strides);
  static void check_fills(size_t values, DType dtype, const Dims& shape);
  void check_not_empty() const;
  [[noreturn]] void throw_wrong_type(DType asked) const;
  [[noreturn]] void throw_not_scalar() const;
  Rep* rep_ = nullptr;
};

/// Copies elements between blocks, whatever their strides. Throws InvalidArgument unless dtypes and shapes are equal,
/// and Cancelled when stop is requested on the way.
TUFF_API void copy_elements(const Block& from, const Block& to, StopRequest stop = {});

/// Bytes of what repacked() would make: those of the elements, if nothing lies between them. Nothing when it cannot:
/// elements that overlap, or lie backwards.
TUFF_API std::optional<size_t> repacked_bytes(const Block& block);
/// The same elements in less memory, as they lie: axes keep the order of their strides, and two that could be walked as
/// one still can be, or still cannot, so that whatever walks over them does the same. `block` is one that
/// repacked_bytes() has an answer for. Throws Cancelled when stop is requested.
TUFF_API Block repacked(const Block& block, StopRequest stop = {});

/// Throws InvalidArgument in the name of `operation` unless the blocks make one array, in row-major order: as many
/// as the chunks say, each of this dtype and of the shape of its place. Where an extent is a symbol, a block may
/// be smaller than its bound, and all blocks at one place along that axis are equally long.
TUFF_API void check_blocks(std::string_view operation, DType dtype, const Chunks& chunks,
                           std::span<const Block> blocks);

TUFF_NAMESPACE_END
