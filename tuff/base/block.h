// The unit of data: dtype, shape, strides and a counted buffer, behind one pointer.
//
// A Block is 8 bytes, so that a task's value holds it inline; copying counts up, views share the
// buffer. Elements of a block that others can see must not change: tasks write only to blocks they
// have just made.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tuff/base/buffer.h"
#include "tuff/base/dtype.h"
#include "tuff/base/shape.h"

TUFF_NAMESPACE_BEGIN

/// An n-d piece of an array in memory. Strides are counted in elements and may be 0 or negative.
class TUFF_API Block {
 public:
  Block() = default;
  /// A new row-major block with uninitialised elements.
  static Block allocate(DType dtype, const Dims& shape);
  /// A view of `buffer` whose first element is at `data`.
  static Block view(Buffer buffer, std::byte* data, DType dtype, const Dims& shape,
                    const Dims& strides);
  /// A rank-0 block that holds one value.
  template <Element T>
  static Block scalar(T value) {
    Block block = allocate(dtype_of<T>, Dims{});
    *block.data<T>() = value;
    return block;
  }
  /// A row-major copy of `values`.
  template <Element T>
  static Block copy_of(std::span<const T> values, const Dims& shape) {
    TUFF_CHECK_EQ(static_cast<int64_t>(values.size()), element_count(shape));
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
  /// Whether this handle and this block alone reach the buffer.
  bool is_unique() const {
    return rep_->references.load(std::memory_order_acquire) == 1 && rep_->buffer.use_count() == 1;
  }

  /// First element. Throws InvalidArgument unless T is the block's dtype.
  template <Element T>
  T* data() const {
    if (rep_->dtype != dtype_of<T>) [[unlikely]]
      throw_wrong_type(dtype_of<T>);
    return reinterpret_cast<T*>(rep_->data);
  }
  /// The only element of a block with one element. Throws InvalidArgument otherwise.
  template <Element T>
  T item() const {
    if (size() != 1) [[unlikely]]
      throw_not_scalar();
    return *data<T>();
  }
  /// All elements in row-major order.
  template <Element T>
  std::vector<T> to_vector() const {
    Block dense = contiguous();
    // std::vector<bool> has no contiguous storage to copy into at once, so go by iterators.
    const T* first = dense.data<T>();
    return std::vector<T>(first, first + dense.size());
  }

  /// This block when it is row-major already, else a row-major copy.
  Block contiguous() const;
  /// A view with axes in the order `axes` (a permutation).
  Block transposed(std::span<const int64_t> axes) const;
  /// A view of `shape`, beginning `offset` elements after the first, with these strides.
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
  [[noreturn]] void throw_wrong_type(DType asked) const;
  [[noreturn]] void throw_not_scalar() const;
  Rep* rep_ = nullptr;
};

/// Copies elements between blocks of equal dtype and shape, whatever their strides.
TUFF_API void copy_elements(const Block& from, const Block& to);

TUFF_NAMESPACE_END
