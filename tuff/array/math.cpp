// Element-wise functions: each is one call of apply() with its row of the table. See math.h.
#include "tuff/array/math.h"

#include <limits>

#include <fmt/format.h>

#include "tuff/array/axes.h"
#include "tuff/array/scalars.h"
#include "tuff/graph/blockwise.h"

TUFF_NAMESPACE_BEGIN

namespace {

using ops::Elementwise;
using ops::TypeRule;

/// The dtype a number has when no array decides.
DType natural_type(const Operand& number) {
  switch (number.number().index()) {
    case 0: return DType::bool_;
    case 1: return DType::int64;
    case 2: return DType::uint64;
    default: return DType::float64;
  }
}

/// NumPy 2 (NEP 50): a number takes the kind of the arrays if it can, else the default of its own kind.
DType weak_promote(DType arrays, const Operand& number) {
  const DType natural = natural_type(number);
  if (is_bool(natural)) return arrays;
  if (is_floating(natural)) return is_floating(arrays) ? arrays : DType::float64;
  return is_bool(arrays) ? natural : arrays;
}

/// The type that all operands are promoted to before the row's own rule.
DType common_type(const std::vector<Operand>& operands, size_t first) {
  std::optional<DType> arrays;
  for (size_t k = first; k < operands.size(); ++k) {
    if (!operands[k].is_array()) continue;
    const DType t = operands[k].array().dtype();
    arrays = arrays ? promote(*arrays, t) : t;
  }
  std::optional<DType> common = arrays;
  for (size_t k = first; k < operands.size(); ++k) {
    if (operands[k].is_array()) continue;
    common = arrays ? weak_promote(*common, operands[k])
                    : common ? promote(*common, natural_type(operands[k])) : natural_type(operands[k]);
  }
  return *common;
}

/// A comparison with a number outside the array's integer type is decided in a wider type, not refused.
bool fits_all(const std::vector<Operand>& operands, DType type) {
  for (const Operand& x : operands) {
    if (!x.is_array() && !detail::fits(x, type)) return false;
  }
  return true;
}

}  // namespace

Array apply(Elementwise code, const std::vector<Operand>& operands) {
  const ops::Operation& op = ops::operation(code);
  TUFF_CHECK_EQ(operands.size(), static_cast<size_t>(op.arity));
  const size_t first = op.rule == TypeRule::selection ? 1 : 0;
  DType common = common_type(operands, first);
  if (op.rule == TypeRule::comparison && !fits_all(operands, common)) common = DType::float64;
  std::vector<DType> types(operands.size(), common);
  const ops::OperationTypes resolved = ops::types_of(op, types);

  std::vector<Array> arrays;
  for (const Operand& x : operands) {
    if (x.is_array()) arrays.push_back(x.array());
  }
  if (arrays.empty()) throw InvalidArgument(op.name, "no operand is an array; at least one must be");
  detail::Aligned aligned = detail::align(op.name, arrays);

  std::vector<graph::Port> inputs;
  size_t next = 0;
  for (size_t k = 0; k < operands.size(); ++k) {
    if (operands[k].is_array()) {
      inputs.push_back(aligned.arrays[next++].port());
      continue;
    }
    const bool condition = k < first || op.rule == TypeRule::logical;
    inputs.push_back(detail::scalar_port(op.name, operands[k], condition ? DType::bool_ : resolved.operand));
  }
  return Array({std::make_shared<graph::ElementwiseLayer>(code, std::move(inputs), std::move(aligned.space), resolved), 0});
}

#define TUFF_UNARY_(function, code) \
  Array function(const Operand& x) { return apply(Elementwise::code, {x}); }
TUFF_UNARY_(negative, negative)
TUFF_UNARY_(abs, absolute)
TUFF_UNARY_(sign, sign)
TUFF_UNARY_(square, square)
TUFF_UNARY_(reciprocal, reciprocal)
TUFF_UNARY_(sqrt, sqrt)
TUFF_UNARY_(exp, exp)
TUFF_UNARY_(expm1, expm1)
TUFF_UNARY_(log, log)
TUFF_UNARY_(log1p, log1p)
TUFF_UNARY_(sin, sin)
TUFF_UNARY_(cos, cos)
TUFF_UNARY_(tanh, tanh)
TUFF_UNARY_(sigmoid, sigmoid)
TUFF_UNARY_(floor, floor)
TUFF_UNARY_(ceil, ceil)
TUFF_UNARY_(isnan, isnan)
TUFF_UNARY_(isfinite, isfinite)
TUFF_UNARY_(logical_not, logical_not)
#undef TUFF_UNARY_

#define TUFF_BINARY_(function) \
  Array function(const Operand& a, const Operand& b) { return apply(Elementwise::function, {a, b}); }
TUFF_BINARY_(add)
TUFF_BINARY_(subtract)
TUFF_BINARY_(multiply)
TUFF_BINARY_(divide)
TUFF_BINARY_(floor_divide)
TUFF_BINARY_(remainder)
TUFF_BINARY_(power)
TUFF_BINARY_(minimum)
TUFF_BINARY_(maximum)
TUFF_BINARY_(equal)
TUFF_BINARY_(not_equal)
TUFF_BINARY_(less)
TUFF_BINARY_(less_equal)
TUFF_BINARY_(greater)
TUFF_BINARY_(greater_equal)
TUFF_BINARY_(logical_and)
TUFF_BINARY_(logical_or)
TUFF_BINARY_(logical_xor)
#undef TUFF_BINARY_

Array where(const Operand& condition, const Operand& a, const Operand& b) {
  return apply(Elementwise::where, {condition, a, b});
}

Array clip(const Operand& x, const Operand& low, const Operand& high) {
  return apply(Elementwise::clip, {x, low, high});
}

TUFF_NAMESPACE_END
