// 128-bit identities of layers: equal keys mean equal results, so equal work is done once.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

struct Key {
  uint64_t high = 0;
  uint64_t low = 0;
  friend bool operator==(const Key&, const Key&) = default;
  friend std::strong_ordering operator<=>(const Key& a, const Key& b) {
    return a.high != b.high ? a.high <=> b.high : a.low <=> b.low;
  }
};

/// A key that no other call returns, for sources whose content is not hashed.
TUFF_API Key fresh_key();
/// XXH3-128 of the bytes.
TUFF_API Key hash_bytes(std::span<const std::byte> bytes);
/// 32 hexadecimal digits.
TUFF_API std::string to_string(const Key& key);

TUFF_NAMESPACE_END

template <>
struct std::hash<tuff::Key> {
  size_t operator()(const tuff::Key& key) const noexcept { return key.low ^ (key.high >> 1); }
};
