// Keys; see key.h. Fresh keys hash a counter with a per-process random seed, so that graphs sent to
// another process do not collide with its own.
#include "tuff/base/key.h"

#include <atomic>
#include <random>

#include <fmt/format.h>
#include <xxhash.h>

TUFF_NAMESPACE_BEGIN

Key hash_bytes(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

Key fresh_key() {
  static const uint64_t process = [] {
    std::random_device device;
    return (uint64_t{device()} << 32) | device();
  }();
  static std::atomic<uint64_t> next{1};
  const uint64_t words[2] = {process, next.fetch_add(1, std::memory_order_relaxed)};
  return hash_bytes(std::as_bytes(std::span(words)));
}

std::string to_string(const Key& key) { return fmt::format("{:016x}{:016x}", key.high, key.low); }

TUFF_NAMESPACE_END
