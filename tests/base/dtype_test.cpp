// Element types: sizes, names and promotion, against a table written by NumPy 2.4.
#include "tuff/base/dtype.h"

#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/error.h"

namespace {

using tuff::DType;
using enum tuff::DType;

const std::vector<DType> kAll = {bool_,  int8,   int16,  int32,   int64,  uint8,
                                 uint16, uint32, uint64, float32, float64};

// numpy.promote_types(row, column), in the order of kAll.
const DType kPromoted[11][11] = {
    {bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64},
    {int8, int8, int16, int32, int64, int16, int32, int64, float64, float32, float64},
    {int16, int16, int16, int32, int64, int16, int32, int64, float64, float32, float64},
    {int32, int32, int32, int32, int64, int32, int32, int64, float64, float64, float64},
    {int64, int64, int64, int64, int64, int64, int64, int64, float64, float64, float64},
    {uint8, int16, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64},
    {uint16, int32, int32, int32, int64, uint16, uint16, uint32, uint64, float32, float64},
    {uint32, int64, int64, int64, int64, uint32, uint32, uint32, uint64, float64, float64},
    {uint64, float64, float64, float64, float64, uint64, uint64, uint64, uint64, float64, float64},
    {float32, float32, float32, float64, float64, float32, float32, float64, float64, float32,
     float64},
    {float64, float64, float64, float64, float64, float64, float64, float64, float64, float64,
     float64},
};

TEST(DType, PromotesLikeNumPy2) {
  for (size_t row = 0; row < kAll.size(); ++row) {
    for (size_t column = 0; column < kAll.size(); ++column) {
      EXPECT_EQ(promote(kAll[row], kAll[column]), kPromoted[row][column])
          << name_of(kAll[row]) << " with " << name_of(kAll[column]);
    }
  }
}

TEST(DType, NamesReadBackAsThemselves) {
  const std::vector<std::string> names = {"bool",   "int8",    "int16",  "int32",
                                          "int64",  "uint8",   "uint16", "uint32",
                                          "uint64", "float32", "float64"};
  for (size_t i = 0; i < kAll.size(); ++i) {
    EXPECT_EQ(name_of(kAll[i]), names[i]);
    EXPECT_EQ(tuff::dtype_from_name(names[i]), kAll[i]);
  }
}

TEST(DType, AnUnknownNameIsAnErrorThatListsTheKnownOnes) {
  try {
    static_cast<void>(tuff::dtype_from_name("float16"));
    FAIL();
  } catch (const tuff::InvalidArgument& error) {
    EXPECT_STREQ(error.what(),
                 "[dtype] 'float16' is not an element type; accepted are bool, int8, int16, int32, "
                 "int64, uint8, uint16, uint32, uint64, float32, float64");
  }
  EXPECT_THROW(static_cast<void>(tuff::dtype_from_name("")), tuff::InvalidArgument);
  EXPECT_THROW(static_cast<void>(tuff::dtype_from_name("Float64")), tuff::InvalidArgument);
}

TEST(DType, VisitPassesTheTypeOfTheRightSize) {
  for (DType dtype : kAll) {
    tuff::visit_dtype(dtype, [dtype](auto zero) {
      EXPECT_EQ(tuff::dtype_of<decltype(zero)>, dtype);
      EXPECT_EQ(sizeof(zero), size_of(dtype));
    });
  }
}

TEST(DType, EachTypeIsOfExactlyOneKind) {
  for (DType dtype : kAll) {
    EXPECT_EQ(
        is_bool(dtype) + is_signed_integer(dtype) + is_unsigned_integer(dtype) + is_floating(dtype),
        1);
    EXPECT_EQ(is_integer(dtype), is_signed_integer(dtype) || is_unsigned_integer(dtype));
  }
}

TEST(DType, FloatingResultsAreDoubleUnlessTheInputIsFloat) {
  for (DType dtype : kAll) EXPECT_EQ(floating_of(dtype), dtype == float32 ? float32 : float64);
}

}  // namespace
