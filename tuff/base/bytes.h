// Writing values as little-endian bytes and reading them back with bounds checks.
//
// Used by everything that travels to another process (graphs, programs). The reader trusts nothing:
// it throws InvalidArgument with the position when bytes are missing or out of range.
#pragma once

#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/dtype.h"
#include "tuff/base/shape.h"

TUFF_NAMESPACE_BEGIN

static_assert(std::endian::native == std::endian::little, "bytes travel as they lie in memory");

using Bytes = std::vector<std::byte>;

class TUFF_API ByteWriter {
 public:
  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void put(T value) {
    raw(&value, sizeof value);
  }
  void put(std::string_view text);
  void put(const Dims& dims);
  void put(const AxisChunks& axis);
  void put(const Chunks& chunks);
  void raw(const void* data, size_t bytes);
  const Bytes& bytes() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }
  void clear() { bytes_.clear(); }

 private:
  Bytes bytes_;
};

class TUFF_API ByteReader {
 public:
  /// Reads from position `at` on; errors name positions in the whole of `bytes`.
  explicit ByteReader(std::span<const std::byte> bytes, size_t at = 0) : bytes_(bytes), at_(at) {}
  template <class T>
  requires std::is_arithmetic_v<T> T get() {
    if constexpr (std::is_same_v<T, bool>) {
      const auto byte = get<uint8_t>();
      if (byte > 1) fail("a truth value that is neither 0 nor 1");
      return byte == 1;
    } else {
      T value;
      std::memcpy(&value, raw(sizeof value).data(), sizeof value);
      return value;
    }
  }
  /// An enumerator that must be below `count`.
  template <class T>
  requires std::is_enum_v<T> T get_enum(int count) {
    const auto value = get<std::underlying_type_t<T>>();
    if (static_cast<int64_t>(value) < 0 || static_cast<int64_t>(value) >= count) {
      fail("an enumerator out of range");
    }
    return static_cast<T>(value);
  }
  DType dtype() { return get_enum<DType>(kDTypeCount); }
  std::string text();
  Dims dims();
  AxisChunksPtr axis_chunks();
  Chunks chunks();
  /// A count of items that take at least `least_bytes` each; more than the rest could hold is an error.
  size_t count(size_t least_bytes);
  std::span<const std::byte> raw(size_t bytes);
  size_t remaining() const { return bytes_.size() - at_; }
  [[noreturn]] void fail(std::string_view what) const;

 private:
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

TUFF_NAMESPACE_END
