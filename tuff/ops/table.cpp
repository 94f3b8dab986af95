// The table of operations and its type rules, which are NumPy 2's but for two: 8 and 16 bit integers
// give float64 where NumPy gives float16 or float32, and float32 sums accumulate in float64.
#include "tuff/ops/table.h"

#include <array>

#include <fmt/format.h>

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN
namespace ops {

namespace {

using R = TypeRule;
using E = Elementwise;

// One line per row, whatever its length: tools/operations.py reads them.
// clang-format off
constexpr std::array<Operation, kernels::kElementwiseCount> kOperations = {{
    {E::negative, "negative", 1, R::arithmetic, "-x; unsigned integers wrap"},
    {E::absolute, "abs", 1, R::promoted, "absolute value; the least signed integer stays as it is"},
    {E::sign, "sign", 1, R::arithmetic, "-1, 0 or 1; NaN stays NaN"},
    {E::square, "square", 1, R::widened, "x * x"},
    {E::reciprocal, "reciprocal", 1, R::floating, "1 / x"},
    {E::sqrt, "sqrt", 1, R::floating, "square root; NaN below zero"},
    {E::exp, "exp", 1, R::floating, "e to the x"},
    {E::expm1, "expm1", 1, R::floating, "e to the x, minus 1, exact near zero"},
    {E::log, "log", 1, R::floating, "natural logarithm; -inf at zero, NaN below"},
    {E::log1p, "log1p", 1, R::floating, "log(1 + x), exact near zero"},
    {E::sin, "sin", 1, R::floating, "sine of x in radians"},
    {E::cos, "cos", 1, R::floating, "cosine of x in radians"},
    {E::tanh, "tanh", 1, R::floating, "hyperbolic tangent"},
    {E::sigmoid, "sigmoid", 1, R::floating, "1 / (1 + exp(-x)), finite for every x"},
    {E::floor, "floor", 1, R::rounding, "largest whole number not above x"},
    {E::ceil, "ceil", 1, R::rounding, "least whole number not below x"},
    {E::isnan, "isnan", 1, R::predicate, "whether x is NaN"},
    {E::isfinite, "isfinite", 1, R::predicate, "whether x is neither NaN nor infinite"},
    {E::logical_not, "logical_not", 1, R::logical, "whether x is zero"},
    {E::add, "add", 2, R::promoted, "a + b; for bool: or"},
    {E::subtract, "subtract", 2, R::arithmetic, "a - b"},
    {E::multiply, "multiply", 2, R::promoted, "a * b; for bool: and"},
    {E::divide, "divide", 2, R::floating, "a / b, always floating"},
    {E::floor_divide, "floor_divide", 2, R::widened, "floor(a / b); integers by zero give 0"},
    {E::remainder, "remainder", 2, R::widened, "a - b * floor(a / b), with the sign of b"},
    {E::power, "power", 2, R::widened, "a to the b; a negative integer power of integers fails the run"},
    {E::minimum, "minimum", 2, R::promoted, "the smaller; NaN if either is"},
    {E::maximum, "maximum", 2, R::promoted, "the larger; NaN if either is"},
    {E::equal, "equal", 2, R::comparison, "a == b"},
    {E::not_equal, "not_equal", 2, R::comparison, "a != b"},
    {E::less, "less", 2, R::comparison, "a < b"},
    {E::less_equal, "less_equal", 2, R::comparison, "a <= b"},
    {E::greater, "greater", 2, R::comparison, "a > b"},
    {E::greater_equal, "greater_equal", 2, R::comparison, "a >= b"},
    {E::logical_and, "logical_and", 2, R::logical, "both are not zero"},
    {E::logical_or, "logical_or", 2, R::logical, "one is not zero"},
    {E::logical_xor, "logical_xor", 2, R::logical, "exactly one is not zero"},
    {E::where, "where", 3, R::selection, "a where the condition holds, else b"},
    {E::clip, "clip", 3, R::arithmetic, "x limited to [low, high]; NaN stays NaN"},
}};
// clang-format on

constexpr bool in_enumeration_order() {
  for (size_t i = 0; i < kOperations.size(); ++i) {
    if (static_cast<size_t>(kOperations[i].code) != i) return false;
  }
  return true;
}
static_assert(in_enumeration_order());

constexpr std::array<ReductionRow, 8> kReductions = {{
    {"sum", Reduction::sum, "sum; bool and integers add up in 64 bits and wrap"},
    {"mean", Reduction::sum, "sum divided by the number of elements; NaN of none"},
    {"var", Reduction::moments, "variance: squared deviations from the mean over n - ddof"},
    {"std", Reduction::moments, "standard deviation: square root of var"},
    {"min", Reduction::min, "smallest element; NaN if one is"},
    {"max", Reduction::max, "largest element; NaN if one is"},
    {"any", Reduction::any, "whether one element is not zero"},
    {"all", Reduction::all, "whether no element is zero"},
}};

[[noreturn]] void refuse(const Operation& op, std::span<const DType> operands) {
  std::string names;
  for (DType t : operands)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", tuff::name_of(t));
  std::string_view hint = op.code == E::negative   ? "; use logical_not"
                          : op.code == E::subtract ? "; use logical_xor"
                                                   : "; cast with astype first";
  throw InvalidArgument(op.name,
                        fmt::format("operands of type {} are not accepted{}", names, hint));
}

}  // namespace

std::span<const Operation> operations() { return kOperations; }
const Operation& operation(Elementwise code) { return kOperations[static_cast<size_t>(code)]; }

OperationTypes types_of(const Operation& op, std::span<const DType> operands) {
  const size_t first = op.rule == R::selection ? 1 : 0;
  DType common = operands[first];
  for (size_t k = first + 1; k < operands.size(); ++k) common = promote(common, operands[k]);
  switch (op.rule) {
    case R::promoted:
    case R::selection: return {common, common};
    case R::arithmetic:
      if (is_bool(common)) refuse(op, operands);
      return {common, common};
    case R::widened:
      if (is_bool(common)) common = DType::int8;
      return {common, common};
    case R::floating: return {floating_of(common), floating_of(common)};
    case R::rounding: return {common, common};
    case R::comparison: return {common, DType::bool_};
    case R::logical: return {DType::bool_, DType::bool_};
    case R::predicate: return {common, DType::bool_};
  }
  return {common, common};
}

std::span<const ReductionRow> reductions() { return kReductions; }

const ReductionRow& reduction(std::string_view name) {
  for (const ReductionRow& row : kReductions) {
    if (row.name == name) return row;
  }
  throw InvalidArgument(
      "reduction", fmt::format("'{}' is not one of sum, mean, var, std, min, max, any, all", name));
}

OperationTypes types_of(const ReductionRow& row, DType operand) {
  switch (row.partial) {
    case Reduction::min:
    case Reduction::max: return {operand, operand};
    case Reduction::any:
    case Reduction::all: return {DType::bool_, DType::bool_};
    case Reduction::moments: return {DType::float64, floating_of(operand)};
    case Reduction::sum: break;
  }
  if (row.name == "mean") return {DType::float64, floating_of(operand)};
  if (is_floating(operand)) return {DType::float64, operand};
  if (is_unsigned_integer(operand)) return {DType::uint64, DType::uint64};
  return {DType::int64, DType::int64};
}

}  // namespace ops
TUFF_NAMESPACE_END
