// Keys: fresh ones never repeat, equal bytes hash equally.
#include "tuff/base/key.h"

#include <set>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>

namespace {

using tuff::Key;

Key hash_of(const std::string& text) { return tuff::hash_bytes(std::as_bytes(std::span(text))); }

TEST(Key, FreshKeysDifferAcrossThreads) {
  std::vector<std::vector<Key>> made(4);
  std::vector<std::thread> threads;
  threads.reserve(made.size());
  for (auto& keys : made) {
    threads.emplace_back([&keys] {
      for (int i = 0; i < 1000; ++i) keys.push_back(tuff::fresh_key());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<Key> all;
  for (const auto& keys : made) all.insert(keys.begin(), keys.end());
  EXPECT_EQ(all.size(), 4000u);
}

TEST(Key, EqualBytesHashEqually) {
  EXPECT_EQ(hash_of("tuff"), hash_of("tuff"));
  EXPECT_NE(hash_of("tuff"), hash_of("tufa"));
  EXPECT_NE(hash_of(""), hash_of(std::string(1, '\0')));
}

TEST(Key, HashIsXxh3OnEveryMachine) {
  // XXH3_128bits of no bytes with seed 0, as published with xxHash.
  EXPECT_EQ(to_string(hash_of("")), "99aa06d3014798d86001c324468d497f");
}

TEST(Key, TextIsThirtyTwoHexadecimalDigits) {
  EXPECT_EQ(to_string(Key{0x1, 0xabc}), "00000000000000010000000000000abc");
}

TEST(Key, WorksInHashTables) {
  std::unordered_set<Key> keys;
  for (int i = 0; i < 1000; ++i) keys.insert(hash_of(std::to_string(i)));
  EXPECT_EQ(keys.size(), 1000u);
  EXPECT_TRUE(keys.contains(hash_of("17")));
}

}  // namespace
