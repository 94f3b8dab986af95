// Thieves against the owner: every entry is taken exactly once, and with what was written before it.
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/schedule/deque.h"

namespace {

using tuff::Deque;

/// The owner pushes `count` entries, popping now and then, while thieves steal; small capacities make
/// owner and thieves meet at the last entry and the ring wrap.
void fight(uint32_t count, size_t capacity, unsigned thieves, unsigned seed) {
  Deque deque;
  deque.reset(capacity);
  std::vector<uint32_t> payload(count, 0);  // written before the push, read by whoever takes it
  std::vector<std::atomic<uint8_t>> taken(count);
  std::atomic<bool> over{false};
  std::atomic<uint32_t> total{0};
  const auto take = [&](uint32_t entry) {
    ASSERT_EQ(payload[entry], entry * 7 + 1);
    ASSERT_EQ(taken[entry].fetch_add(1), 0);
    total.fetch_add(1);
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < thieves; ++t) {
    threads.emplace_back([&] {
      while (!over.load()) {
        const uint32_t entry = deque.steal();
        if (entry != Deque::kNone) {
          take(entry);
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  std::mt19937 random(seed);
  uint32_t next = 0;
  size_t held = 0;  // an upper bound of the entries in the deque
  while (next < count) {
    if (held < capacity && random() % 3 != 0) {
      payload[next] = next * 7 + 1;
      deque.push(next++);
      ++held;
    } else {
      const uint32_t entry = deque.pop<true>();
      if (entry != Deque::kNone) {
        take(entry);
        --held;
      } else {
        held = 0;
      }
    }
  }
  for (uint32_t entry = deque.pop<true>(); entry != Deque::kNone; entry = deque.pop<true>()) {
    take(entry);
  }
  // What is neither in the deque nor counted yet is in a thief's hands.
  while (total.load() < count) std::this_thread::yield();
  over = true;
  for (std::thread& thread : threads) thread.join();
  for (const auto& times : taken) ASSERT_EQ(times.load(), 1);
}

TEST(DequeRace, OneThiefAndTheOwnerMeetAtTheLastEntry) { fight(400000, 1, 1, 1); }
TEST(DequeRace, ThreeThievesWithASmallRing) { fight(400000, 3, 3, 2); }
TEST(DequeRace, ThreeThievesWithALargeRing) { fight(400000, 1000, 3, 3); }

}  // namespace
