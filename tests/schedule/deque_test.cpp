// The deque alone: last in first out for its owner, first in first out for thieves, nothing twice.
#include "tuff/schedule/deque.h"

#include <deque>
#include <random>

#include <gtest/gtest.h>

namespace {

using tuff::Deque;

TEST(Deque, IsEmptyAtFirst) {
  Deque deque;
  deque.reset(0);
  EXPECT_TRUE(deque.looks_empty());
  EXPECT_EQ(deque.pop<true>(), Deque::kNone);
  EXPECT_EQ(deque.pop<false>(), Deque::kNone);
  EXPECT_EQ(deque.steal(), Deque::kNone);
}

TEST(Deque, OwnerTakesTheNewestAndThievesTheOldest) {
  Deque deque;
  deque.reset(4);
  for (uint32_t task = 1; task <= 4; ++task) deque.push(task);
  EXPECT_EQ(deque.steal(), 1u);
  EXPECT_EQ(deque.pop<true>(), 4u);
  EXPECT_EQ(deque.pop<false>(), 3u);
  EXPECT_EQ(deque.steal(), 2u);
  EXPECT_EQ(deque.steal(), Deque::kNone);
  EXPECT_EQ(deque.pop<true>(), Deque::kNone);
}

TEST(Deque, ResetForgetsWhatWasLeft) {
  Deque deque;
  deque.reset(3);
  deque.push(7);
  deque.reset(100);
  EXPECT_EQ(deque.steal(), Deque::kNone);
  for (uint32_t task = 0; task < 100; ++task) deque.push(task);
  for (uint32_t task = 0; task < 100; ++task) EXPECT_EQ(deque.steal(), task);
}

TEST(Deque, ActsLikeAModelHoweverOftenTheRingWraps) {
  std::mt19937 random(3);
  for (size_t capacity : {size_t{1}, size_t{2}, size_t{3}, size_t{8}, size_t{100}}) {
    Deque deque;
    deque.reset(capacity);
    std::deque<uint32_t> model;
    uint32_t next = 0;
    for (int step = 0; step < 20000; ++step) {
      const unsigned action = random() % 4;
      if (action <= 1 && model.size() < capacity) {
        deque.push(next);
        model.push_back(next++);
      } else if (action == 2) {
        const uint32_t expected = model.empty() ? Deque::kNone : model.back();
        ASSERT_EQ(step % 2 == 0 ? deque.pop<true>() : deque.pop<false>(), expected);
        if (!model.empty()) model.pop_back();
      } else if (action == 3) {
        const uint32_t expected = model.empty() ? Deque::kNone : model.front();
        ASSERT_EQ(deque.steal(), expected);
        if (!model.empty()) model.pop_front();
      }
      ASSERT_EQ(deque.looks_empty(), model.empty());
    }
  }
}

}  // namespace
