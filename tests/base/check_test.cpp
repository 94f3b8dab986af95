// Checks: silent when they hold, and telling when they do not.
#include "tuff/base/check.h"

#include <string>

#include <gtest/gtest.h>

namespace {

template <class F>
std::string text_of(F&& f) {
  try {
    f();
  } catch (const tuff::InternalError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Check, AFailureTellsPlaceExpressionAndBothValues) {
  const int three = 3;
  const std::string text = text_of([&] { TUFF_CHECK_EQ(three, 4); });
  EXPECT_NE(text.find("[internal] "), std::string::npos) << text;
  EXPECT_NE(text.find("check_test.cpp:"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with(": check failed: three == 4 (3 vs 4)")) << text;
}

TEST(Check, APlainConditionIsQuoted) {
  const std::string text = text_of([] { TUFF_CHECK(1 + 1 == 3); });
  EXPECT_TRUE(text.ends_with(": check failed: 1 + 1 == 3")) << text;
}

TEST(Check, WhatHoldsIsSilent) {
  EXPECT_NO_THROW(TUFF_CHECK(true));
  EXPECT_NO_THROW(TUFF_CHECK_EQ(1, 1));
  EXPECT_NO_THROW(TUFF_CHECK_NE(1, 2));
  EXPECT_NO_THROW(TUFF_CHECK_LT(1, 2));
  EXPECT_NO_THROW(TUFF_CHECK_LE(2, 2));
}

TEST(Check, EachComparisonCanFail) {
  EXPECT_TRUE(text_of([] { TUFF_CHECK_NE(1, 1); }).ends_with("1 != 1 (1 vs 1)"));
  EXPECT_TRUE(text_of([] { TUFF_CHECK_LT(2, 2); }).ends_with("2 < 2 (2 vs 2)"));
  EXPECT_TRUE(text_of([] { TUFF_CHECK_LE(3, 2); }).ends_with("3 <= 2 (3 vs 2)"));
}

TEST(Check, OperandsAreEvaluatedOnce) {
  int calls = 0;
  const auto next = [&calls] { return ++calls; };
  TUFF_CHECK_EQ(next(), 1);
  EXPECT_EQ(calls, 1);
}

}  // namespace
