// Values: what is held inline and what is not, moving, copying, and asking for the wrong type.
#include "tuff/base/value.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using tuff::Value;

/// Counts how many of it exist.
struct Counted {
  static int alive;
  int payload = 0;
  explicit Counted(int value) : payload(value) { ++alive; }
  Counted(const Counted& other) : payload(other.payload) { ++alive; }
  Counted(Counted&& other) noexcept : payload(other.payload) { ++alive; }
  Counted& operator=(const Counted&) = default;
  ~Counted() { --alive; }
};
int Counted::alive = 0;

struct Large {
  std::array<double, 8> numbers{};
  Counted counted{0};
};

/// Small, but a move of it may throw, so it must not be held inline.
struct ThrowingMove {
  int payload;
  explicit ThrowingMove(int value) : payload(value) {}
  ThrowingMove(const ThrowingMove&) = default;
  ThrowingMove(ThrowingMove&& other) noexcept(false) : payload(other.payload) {}
};

TEST(Value, IsEmptyUntilFilled) {
  Value value;
  EXPECT_FALSE(value.has_value());
  EXPECT_FALSE(value.holds<int>());
  value.emplace<int>(3);
  EXPECT_TRUE(value.has_value());
  EXPECT_EQ(value.get<int>(), 3);
  value.reset();
  EXPECT_FALSE(value.has_value());
  value.reset();
}

TEST(Value, HoldsSmallAndLargeTypes) {
  EXPECT_EQ(Value(2.5).get<double>(), 2.5);
  EXPECT_EQ(Value(std::string("a text that is too long to be held inline")).get<std::string>(),
            "a text that is too long to be held inline");
  Value large{Large{}};
  large.get<Large>().numbers[7] = 1.5;
  EXPECT_EQ(large.get<Large>().numbers[7], 1.5);
  Value throwing{ThrowingMove(4)};
  const Value moved = std::move(throwing);
  EXPECT_EQ(moved.get<ThrowingMove>().payload, 4);
}

TEST(Value, DestroysWhatItHoldsExactlyOnce) {
  ASSERT_EQ(Counted::alive, 0);
  {
    Value small{Counted(1)};
    Value large{Large{}};
    EXPECT_EQ(Counted::alive, 2);
    Value copy = small;
    EXPECT_EQ(Counted::alive, 3);
    Value moved = std::move(large);
    EXPECT_EQ(Counted::alive, 3);
    small = std::move(moved);
    EXPECT_EQ(Counted::alive, 2);
    copy.emplace<int>(7);
    EXPECT_EQ(Counted::alive, 1);
    small = Value();
    EXPECT_EQ(Counted::alive, 0);
  }
  EXPECT_EQ(Counted::alive, 0);
}

TEST(Value, CopiesAreIndependent) {
  Value first{std::vector<int>{1, 2, 3}};
  Value second = first;
  second.get<std::vector<int>>().push_back(4);
  EXPECT_EQ(first.get<std::vector<int>>().size(), 3u);
  EXPECT_EQ(second.get<std::vector<int>>().size(), 4u);
}

TEST(Value, AMovedFromValueIsEmpty) {
  Value first{std::string("text")};
  const Value second = std::move(first);
  EXPECT_FALSE(first.has_value());  // NOLINT(bugprone-use-after-move): that is the question
  EXPECT_EQ(second.get<std::string>(), "text");
}

TEST(Value, SelfAssignmentKeepsTheValue) {
  Value value{std::string("text")};
  const Value& same = value;
  value = same;
  EXPECT_EQ(value.get<std::string>(), "text");
}

TEST(Value, HoldsWhatCannotBeCopied) {
  Value value{std::make_unique<int>(5)};
  const Value moved = std::move(value);
  EXPECT_EQ(*moved.get<std::unique_ptr<int>>(), 5);
}

TEST(Value, CopyingWhatCannotBeCopiedIsAnError) {
  const Value value{std::make_unique<int>(5)};
  try {
    Value copy = value;
    copy.reset();
    FAIL();
  } catch (const tuff::InvalidArgument& error) {
    const std::string text = error.what();
    EXPECT_TRUE(text.starts_with("[value] two are needed of one std::unique_ptr<int") &&
                text.ends_with(
                    ", which cannot be copied; ask for it once, or hold it in a std::shared_ptr"))
        << text;
  }
}

TEST(Value, TheWrongTypeIsAnErrorThatNamesBoth) {
  const Value value{2.5};
  EXPECT_TRUE(value.holds<double>());
  EXPECT_FALSE(value.holds<float>());
  try {
    static_cast<void>(value.get<int>());
    FAIL();
  } catch (const tuff::InternalError& error) {
    EXPECT_STREQ(error.what(), "[value] holds d, asked for i");
  }
  try {
    static_cast<void>(Value().get<int>());
    FAIL();
  } catch (const tuff::InternalError& error) {
    EXPECT_STREQ(error.what(), "[value] holds nothing, asked for i");
  }
}

TEST(Value, AFailedEmplaceLeavesItEmpty) {
  struct Bad {
    Bad() { throw 1; }
  };
  Value value{3};
  EXPECT_THROW(value.emplace<Bad>(), int);
  EXPECT_FALSE(value.has_value());
}

}  // namespace
