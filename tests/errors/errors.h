// What the error tests share: the text of what a call throws, and arrays that must survive it.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "tuff/tuff.h"

namespace tuff::error_test {

template <class E, class F>
std::string text_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& other) {
    return std::string("another kind of error: ") + other.what();
  }
  return "nothing was thrown";
}

/// The call throws InvalidArgument with exactly this text.
#define EXPECT_REFUSED(text, ...)                                                                 \
  EXPECT_EQ((::tuff::error_test::text_of<::tuff::InvalidArgument>([&] { (void)(__VA_ARGS__); })), \
            text)
/// The call fails while it runs, with exactly this text.
#define EXPECT_RUN_FAILS(text, ...) \
  EXPECT_EQ((::tuff::error_test::text_of<::tuff::TaskError>([&] { (void)(__VA_ARGS__); })), text)

/// Arrays of several kinds; after each test they still compute what they did before.
class Errors : public ::testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(sum(x).compute<double>(), 12.0);
    EXPECT_EQ(y.to_vector<double>(), (std::vector<double>{0, 1, 2, 3, 4}));
    EXPECT_EQ(small.compute().to_vector<int8_t>(), (std::vector<int8_t>{1, 1, 1}));
    EXPECT_EQ(number.compute<double>(), 12.0);
    EXPECT_EQ(selected.compute().size(), 4);
  }
  Array x = ones({3, 4}, {.chunks = 2});
  Array y = arange(0, 5, 1, {.dtype = DType::float64, .chunks = 2});
  Array truth = x > 0.0;
  Array small = ones({3}, {.dtype = DType::int8});
  Array number = sum(x);
  Array selected = y[y > 0.0];
  Array others = y[y > 1.0];
};

/// The texts of symbols carry numbers that depend on what was made before.
inline std::string symbol(const Array& array, size_t axis = 0) {
  return "?" + std::to_string(array.shape()[axis].symbol_id());
}

}  // namespace tuff::error_test
