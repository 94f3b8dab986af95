// What functions of arrays refuse while a graph is built, and what they say. Sources: array.h, math.h,
// reductions.h, linalg.h.
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/errors/errors.h"

namespace tuff::error_test {
namespace {

class ArrayErrors : public Errors {};

TEST_F(ArrayErrors, IntegersMustLieInTheAxis) {
  EXPECT_REFUSED("[index] 3 is out of range for axis 0 of extent 3; accepted are -3 to 2",
                 x[{int64_t{3}}]);
  EXPECT_REFUSED("[index] -4 is out of range for axis 0 of extent 3; accepted are -3 to 2",
                 x[{int64_t{-4}}]);
  EXPECT_REFUSED("[index] 4 is out of range for axis 1 of extent 4; accepted are -4 to 3",
                 x[{whole, int64_t{4}}]);
  EXPECT_REFUSED(
      "[index] 3 indices for shape (3, 4); at most 2 are accepted, newaxis and ellipsis not "
      "counted",
      x[{int64_t{0}, int64_t{0}, int64_t{0}}]);
  EXPECT_REFUSED(
      "[index] 1 index for shape (); at most 0 are accepted, newaxis and ellipsis not counted",
      number[{whole}]);
  EXPECT_REFUSED("[index] more than one ellipsis; at most one is accepted",
                 x[{ellipsis, ellipsis}]);
  EXPECT_REFUSED("[slice] step 0 on axis 0; it must not be zero", x[{Slice{{}, {}, 0}}]);
  EXPECT_REFUSED(
      "[index] 2 indices for shape (5,); at most 1 is accepted, newaxis and ellipsis not counted",
      y[{whole, ellipsis, whole}]);
  EXPECT_REFUSED("[index] 0 on axis 0, which is empty; only slices are accepted there",
                 zeros({0})[{int64_t{0}}]);
  EXPECT_REFUSED("[index] -1 on axis 1, which is empty; only slices are accepted there",
                 zeros({2, 0})[{whole, int64_t{-1}}]);
  EXPECT_REFUSED("[index] shape (3, 4) with 7 new axes has 9; at most 8 are accepted",
                 x[{newaxis, newaxis, newaxis, newaxis, newaxis, newaxis, newaxis}]);
}

TEST_F(ArrayErrors, UnknownExtentsNameTheWayOut) {
  const std::string a = symbol(selected);
  const std::string b = symbol(others);
  EXPECT_REFUSED("[index] axis 0 has an unknown extent; call compute_chunk_sizes() first",
                 selected[{int64_t{0}}]);
  EXPECT_REFUSED("[slice] axis 0 has an unknown extent; call compute_chunk_sizes() first",
                 selected[{Slice{0, 1}}]);
  EXPECT_REFUSED("[add] shapes (" + a + ",) and (" + b +
                     ",) do not broadcast: an extent is known only in a run; call "
                     "compute_chunk_sizes() on both first",
                 selected + others);
  EXPECT_REFUSED("[multiply] shapes (5,) and (" + a +
                     ",) do not broadcast: an extent is known only in a run; call "
                     "compute_chunk_sizes() on both first",
                 y * selected);
  EXPECT_REFUSED(
      "[rechunk] shape (" + a + ",) has unknown extents; call compute_chunk_sizes() first",
      selected.rechunk(2));
  EXPECT_REFUSED("[matmul] (" + a + ",) x (" + b +
                     ",): an inner extent is known only in a run; call "
                     "compute_chunk_sizes() on both first",
                 matmul(selected, others));
  EXPECT_REFUSED("[broadcast_to] shape (" + a +
                     ",) does not stretch to (5,): the extent of axis 0 is known only in a run; "
                     "call compute_chunk_sizes() first",
                 broadcast_to(selected, {5}));
  EXPECT_REFUSED("[mask] a mask of shape (" + b + ",) on an array of shape (" + a +
                     ",); accepted are (" + a + ",) and (" + a + ",)",
                 selected[others > 0.0]);
}

TEST_F(ArrayErrors, MasksAreBoolAndAsLongAsTheAxisOrAsTheArray) {
  EXPECT_REFUSED("[mask] a mask of type float64; bool is needed, e.g. x[x > 0]", x[y]);
  EXPECT_REFUSED(
      "[mask] a mask of shape (5,) on an array of shape (3, 4); accepted are (3,) and (3, 4)",
      x[y > 0.0]);
  EXPECT_REFUSED(
      "[mask] a mask of shape (4, 3) on an array of shape (3, 4); accepted are (3,) and (3, 4)",
      x[truth.transpose()]);
  EXPECT_REFUSED("[mask] a mask of shape () on an array of shape (5,); accepted are (5,) and (5,)",
                 y[number > 0.0]);
}

TEST_F(ArrayErrors, NewBlocksMustFillTheShape) {
  using Sizes = std::vector<std::vector<int64_t>>;
  EXPECT_REFUSED("[rechunk] chunks for 3 axes, but shape (3, 4) has 2", x.rechunk({1, 1, 1}));
  EXPECT_REFUSED("[rechunk] block size 0 on axis 0; accepted are -1 (the whole axis) and 1, 2, ...",
                 x.rechunk(0));
  EXPECT_REFUSED("[rechunk] blocks of axis 0 add up to 2; its extent is 3",
                 x.rechunk(Sizes{{1, 1}, {4}}));
}

TEST_F(ArrayErrors, AxesToTransposeAreAPermutation) {
  EXPECT_REFUSED("[transpose] 1 axes given; shape (3, 4) has 2", x.transpose({0}));
  EXPECT_REFUSED("[transpose] axis 0 is given twice", x.transpose({0, 0}));
  EXPECT_REFUSED("[transpose] axis -2 is given twice", x.transpose({0, -2}));
  EXPECT_REFUSED("[transpose] axis 2 is out of range for rank 2; accepted are -2 to 1",
                 transpose(x, {0, 2}));
  EXPECT_REFUSED("[transpose] axis -3 is out of range for rank 2; accepted are -2 to 1",
                 transpose(x, {-3, 0}));
}

TEST_F(ArrayErrors, EveryBinaryFunctionNamesItselfAndBothShapes) {
  using Function = Array (*)(const Operand&, const Operand&);
  const std::vector<std::pair<std::string, Function>> functions = {{"add", add},
                                                                   {"subtract", subtract},
                                                                   {"multiply", multiply},
                                                                   {"divide", divide},
                                                                   {"floor_divide", floor_divide},
                                                                   {"remainder", remainder},
                                                                   {"power", power},
                                                                   {"minimum", minimum},
                                                                   {"maximum", maximum},
                                                                   {"equal", equal},
                                                                   {"not_equal", not_equal},
                                                                   {"less", less},
                                                                   {"less_equal", less_equal},
                                                                   {"greater", greater},
                                                                   {"greater_equal", greater_equal},
                                                                   {"logical_and", logical_and},
                                                                   {"logical_or", logical_or},
                                                                   {"logical_xor", logical_xor}};
  for (const auto& entry : functions) {  // clang cannot capture what a structured binding names
    const std::string& name = entry.first;
    const Function& function = entry.second;
    EXPECT_REFUSED(
        "[" + name +
            "] shapes (3, 4) and (5,) do not broadcast: extents 4 and 5 differ and neither is 1",
        function(x, y));
    EXPECT_REFUSED(
        "[" + name +
            "] shapes (5,) and (3, 4) do not broadcast: extents 5 and 4 differ and neither is 1",
        function(y, x));
    EXPECT_REFUSED("[" + name + "] no operand is an array; at least one must be", function(1, 2.0));
  }
}

TEST_F(ArrayErrors, EveryUnaryFunctionNeedsAnArray) {
  using Function = Array (*)(const Operand&);
  const std::vector<std::pair<std::string, Function>> functions = {
      {"negative", negative},      {"abs", tuff::abs},         {"sign", sign},
      {"square", square},          {"reciprocal", reciprocal}, {"sqrt", tuff::sqrt},
      {"exp", tuff::exp},          {"expm1", tuff::expm1},     {"log", tuff::log},
      {"log1p", tuff::log1p},      {"sin", tuff::sin},         {"cos", tuff::cos},
      {"tanh", tuff::tanh},        {"sigmoid", sigmoid},       {"floor", tuff::floor},
      {"ceil", tuff::ceil},        {"isnan", tuff::isnan},     {"isfinite", tuff::isfinite},
      {"logical_not", logical_not}};
  for (const auto& entry : functions) {  // clang cannot capture what a structured binding names
    const std::string& name = entry.first;
    const Function& function = entry.second;
    EXPECT_REFUSED("[" + name + "] no operand is an array; at least one must be", function(1.5));
  }
}

TEST_F(ArrayErrors, FunctionsOfThreeNameTheTwoThatDiffer) {
  EXPECT_REFUSED(
      "[where] shapes (3, 4) and (5,) do not broadcast: extents 4 and 5 differ and neither is 1",
      where(x, y, 1.0));
  EXPECT_REFUSED(
      "[where] shapes (3, 4) and (5,) do not broadcast: extents 4 and 5 differ and neither is 1",
      where(truth, 1.0, y));
  EXPECT_REFUSED("[where] no operand is an array; at least one must be", where(1, 2, 3));
  EXPECT_REFUSED(
      "[where] 300 does not fit int8 (whole numbers from -128 to 127); cast the array with astype "
      "first",
      where(small > 0, small, 300));
  EXPECT_REFUSED(
      "[clip] shapes (3, 4) and (5,) do not broadcast: extents 4 and 5 differ and neither is 1",
      clip(x, y, 1.0));
  EXPECT_REFUSED("[clip] no operand is an array; at least one must be", clip(1, 2, 3));
  EXPECT_REFUSED(
      "[clip] -200 does not fit int8 (whole numbers from -128 to 127); cast the array with astype "
      "first",
      clip(small, -200, 3));
  EXPECT_REFUSED(
      "[clip] operands of type bool, bool, bool are not accepted; cast with astype first",
      clip(truth, truth, truth));
}

TEST_F(ArrayErrors, ArithmeticOfTruthSaysWhatToUse) {
  EXPECT_REFUSED("[negative] operands of type bool are not accepted; use logical_not", -truth);
  EXPECT_REFUSED("[subtract] operands of type bool, bool are not accepted; use logical_xor",
                 truth - truth);
  EXPECT_REFUSED("[subtract] operands of type bool, bool are not accepted; use logical_xor",
                 truth - true);
  EXPECT_REFUSED("[sign] operands of type bool are not accepted; cast with astype first",
                 sign(truth));
}

TEST_F(ArrayErrors, NumbersMustFitTheArraysType) {
  const Array bytes = small.astype(DType::uint8);
  EXPECT_REFUSED(
      "[add] 300 does not fit int8 (whole numbers from -128 to 127); cast the array with astype "
      "first",
      small + 300);
  EXPECT_REFUSED(
      "[multiply] 128 does not fit int8 (whole numbers from -128 to 127); cast the array with "
      "astype first",
      small * 128);
  EXPECT_REFUSED(
      "[add] -1 does not fit uint8 (whole numbers from 0 to 255); cast the array with astype first",
      bytes + -1);
  EXPECT_REFUSED(
      "[maximum] -1 does not fit uint8 (whole numbers from 0 to 255); cast the array with astype "
      "first",
      maximum(bytes, -1));
  EXPECT_EQ((small > 300).compute().to_vector<bool>(),
            std::vector<bool>(3, false));  // decided, not refused
}

TEST_F(ArrayErrors, EveryReductionNamesItselfAndTheAxes) {
  using Function = std::function<Array(const Array&, const AxisList&)>;
  const std::vector<std::pair<std::string, Function>> functions = {
      {"sum", [](const auto& a, const auto& axes) { return sum(a, axes); }},
      {"mean", [](const auto& a, const auto& axes) { return mean(a, axes); }},
      {"var", [](const auto& a, const auto& axes) { return var(a, axes); }},
      {"std", [](const auto& a, const auto& axes) { return tuff::std(a, axes); }},
      {"min", [](const auto& a, const auto& axes) { return min(a, axes); }},
      {"max", [](const auto& a, const auto& axes) { return max(a, axes); }},
      {"any", [](const auto& a, const auto& axes) { return any(a, axes); }},
      {"all", [](const auto& a, const auto& axes) { return all(a, axes); }}};
  for (const auto& entry : functions) {  // clang cannot capture what a structured binding names
    const std::string& name = entry.first;
    const Function& function = entry.second;
    EXPECT_REFUSED("[" + name + "] axis 2 is out of range for rank 2; accepted are -2 to 1",
                   function(x, 2));
    EXPECT_REFUSED("[" + name + "] axis -3 is out of range for rank 2; accepted are -2 to 1",
                   function(x, -3));
    EXPECT_REFUSED("[" + name + "] axis 0 of an array of rank 0, which has none",
                   function(number, 0));
  }
  EXPECT_REFUSED("[sum] axis 0 is given twice", sum(x, {0, 0}));
  EXPECT_REFUSED("[max] axis -2 is given twice", max(x, {0, -2}));
  EXPECT_REFUSED("[std] axis 1 is given twice", tuff::std(x, {1, 1}));
}

TEST_F(ArrayErrors, TypesAreOnesThatExist) {
  EXPECT_REFUSED(
      "[astype] dtype number 99 is not an element type; accepted are bool, int8, int16, int32, "
      "int64, uint8, "
      "uint16, uint32, uint64, float32, float64",
      x.astype(static_cast<DType>(99)));
}

TEST_F(ArrayErrors, FreedomsAreFinite) {
  EXPECT_REFUSED("[var] ddof nan; a finite number is needed", var(x, {}, {.ddof = std::nan("")}));
  EXPECT_REFUSED("[std] ddof inf; a finite number is needed", tuff::std(x, {}, {.ddof = HUGE_VAL}));
  EXPECT_REFUSED("[std] ddof -inf; a finite number is needed",
                 tuff::std(x, 0, {.ddof = -HUGE_VAL}));
}

TEST_F(ArrayErrors, MomentsNeedAnAxisToSpare) {
  const Array deep = ones({1, 1, 1, 1, 1, 1, 2, 2});
  EXPECT_REFUSED("[var] shape (1, 1, 1, 1, 1, 1, 2, 2) has 8 axes; at most 7 are accepted",
                 var(deep));
  EXPECT_REFUSED("[std] shape (1, 1, 1, 1, 1, 1, 2, 2) has 8 axes; at most 7 are accepted",
                 tuff::std(deep, 0));
  EXPECT_EQ(mean(deep).compute<double>(), 1.0);
}

TEST_F(ArrayErrors, ExtremesOfNothingAreRefusedWhileBuildingOrInTheRun) {
  EXPECT_REFUSED("[min] no elements along the reduced axes of shape (0,); at least one is needed",
                 min(zeros({0})));
  EXPECT_REFUSED("[max] no elements along the reduced axes of shape (3, 0); at least one is needed",
                 max(zeros({3, 0}), 1));
  const std::string text = text_of<TaskError>([&] { (void)min(y[y > 9.0]).compute(); });
  EXPECT_EQ(text.substr(std::min(text.find(" (min)"), text.size())),
            " (min) on block 0 failed: [min] no elements along the reduced axes, as the run found; "
            "at least one is needed");
}

TEST_F(ArrayErrors, ProductsNeedRanksAndAnInnerExtent) {
  EXPECT_REFUSED("[matmul] (3, 4) x (3, 4): inner extents 4 and 3 differ", matmul(x, x));
  EXPECT_REFUSED("[matmul] (3, 4) x (5,): inner extents 4 and 5 differ", matmul(x, y));
  EXPECT_REFUSED("[matmul] (5,) x (3, 4): inner extents 5 and 3 differ", matmul(y, x));
  EXPECT_REFUSED("[matmul] (3, 4) x (): operands of rank 1 and 2 are accepted", matmul(x, number));
  EXPECT_REFUSED("[matmul] (2, 2, 2) x (3, 4): operands of rank 1 and 2 are accepted",
                 matmul(ones({2, 2, 2}), x));
}

TEST_F(ArrayErrors, StretchingNeedsExtentsOfOne) {
  EXPECT_REFUSED("[broadcast_to] shape (3, 4) does not stretch to (3,): 2 axes are more than 1",
                 broadcast_to(x, {3}));
  EXPECT_REFUSED(
      "[broadcast_to] shape (3, 4) does not stretch to (3, 5): axis 1 has extent 4; 1 or 5 is "
      "needed",
      broadcast_to(x, {3, 5}));
  EXPECT_REFUSED(
      "[broadcast_to] shape (3, 4) does not stretch to (2, 6, 4): axis 0 has extent 3; 1 or 6 is "
      "needed",
      broadcast_to(x, {2, 6, 4}));
  EXPECT_REFUSED("[broadcast_to] a shape with 9 axes; at most 8 are accepted",
                 broadcast_to(x, {1, 1, 1, 1, 1, 1, 1, 3, 4}));
  EXPECT_REFUSED("[broadcast_to] shape (-3, 4) has a negative extent", broadcast_to(x, {-3, 4}));
  EXPECT_REFUSED(
      "[broadcast_to] block size 0 on axis 0; accepted are -1 (the whole axis) and 1, 2, ...",
      broadcast_to(y, {2, 5}, 0));
}

TEST_F(Errors, OfConcatenateAndStackNameTheShapes) {
  const Array wide = ones({3, 5});
  EXPECT_REFUSED("[concatenate] no arrays; at least one is accepted", concatenate({}));
  EXPECT_REFUSED("[stack] no arrays; at least one is accepted", stack({}));
  EXPECT_REFUSED("[concatenate] arrays of rank 0 have no axis to join; use stack()",
                 concatenate({ones({}), ones({})}));
  EXPECT_REFUSED("[concatenate] axis 2 is out of range for rank 2; accepted are -2 to 1",
                 concatenate({wide}, 2));
  EXPECT_REFUSED("[stack] axis 3 is out of range for rank 3; accepted are -3 to 2",
                 stack({wide}, 3));
  EXPECT_REFUSED(
      "[concatenate] shapes (3, 5) (array 0) and (3, 4) (array 1): extents 5 and 4 of axis 1 "
      "differ",
      concatenate({wide, ones({3, 4})}));
  EXPECT_REFUSED("[concatenate] shapes (3, 5) (array 0) and (5,) (array 2): ranks 2 and 1 differ",
                 concatenate({wide, wide, ones({5})}));
  EXPECT_REFUSED(
      "[stack] shapes (3, 5) (array 0) and (2, 5) (array 1): extents 3 and 2 of axis 0 "
      "differ",
      stack({wide, ones({2, 5})}));
  const Array some = wide[ones({3}) > 0.0];
  const std::string shape = to_string(some.shape());
  EXPECT_REFUSED("[concatenate] shape " + shape +
                     " of array 0: the extent of axis 0 is known only in a run; call "
                     "compute_chunk_sizes() first",
                 concatenate({some, wide}));
  EXPECT_REFUSED("[concatenate] shapes " + shape +
                     " (array 0) and (3, 5) (array 1): the extent of "
                     "axis 0 is known only in a run; call compute_chunk_sizes() on both first",
                 concatenate({some, wide}, 1));
  EXPECT_EQ(concatenate({some, some}, 1).compute().size(), 30);
  EXPECT_REFUSED(
      "[stack] shape (1, 1, 1, 1, 1, 1, 1, 1) with a new axis has 9; at most 8 are "
      "accepted",
      stack({ones({1, 1, 1, 1, 1, 1, 1, 1})}));
  const Array huge = broadcast_to(ones({}), {int64_t{1} << 59}, -1);
  EXPECT_REFUSED(
      "[concatenate] shape (1152921504606846976,) of float64 takes 2^63 bytes or more; "
      "less is accepted",
      concatenate({huge, huge}));
  const Array longest = broadcast_to(ones({}).astype(DType::int8), {(int64_t{1} << 62) + 1}, -1);
  EXPECT_REFUSED("[concatenate] axis 0 of 2 arrays adds up to 2^63 or more",
                 concatenate({longest, longest}));
}

}  // namespace
}  // namespace tuff::error_test
