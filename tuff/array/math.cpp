// Element-wise functions: each is one call of apply() with its row of the table. See math.h.
#include "tuff/array/math.h"

#include <array>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "tuff/array/axes.h"
#include "tuff/array/scalars.h"
#include "tuff/graph/elementwise_layer.h"

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
    common = arrays   ? weak_promote(*common, operands[k])
             : common ? promote(*common, natural_type(operands[k]))
                      : natural_type(operands[k]);
  }
  return *common;
}

/// a op b is b mirrored(op) a.
Elementwise mirrored(Elementwise comparison) {
  switch (comparison) {
    case Elementwise::less: return Elementwise::greater;
    case Elementwise::less_equal: return Elementwise::greater_equal;
    case Elementwise::greater: return Elementwise::less;
    case Elementwise::greater_equal: return Elementwise::less_equal;
    default: return comparison;
  }
}

/// a op b where one side is signed and the other uint64, whose common type float64 holds only 53 bits: a
/// negative element decides it, and any other is an uint64 as well.
Array compare_signs(Elementwise code, const Array& a, const Array& b) {
  const bool left = is_signed_integer(a.dtype());
  const Array& with_sign = left ? a : b;
  const Array cast = with_sign.astype(DType::uint64);
  const Array otherwise = left ? apply(code, {cast, b}) : apply(code, {a, cast});
  const Elementwise passes = left ? Elementwise::less : Elementwise::greater;
  const Elementwise passes_too = left ? Elementwise::less_equal : Elementwise::greater_equal;
  if (code == passes || code == passes_too || code == Elementwise::not_equal) {
    return logical_or(with_sign < 0, otherwise);
  }
  return logical_and(with_sign >= 0, otherwise);
}

/// x op number for a whole number beyond the integer type of x: it is as good as any beyond that end, so
/// the end itself is compared with, such that all elements or none pass.
Array compare_beyond(Elementwise code, const Array& x, bool above) {
  const bool holds = code == Elementwise::not_equal ||
                     (above ? code == Elementwise::less || code == Elementwise::less_equal
                            : code == Elementwise::greater || code == Elementwise::greater_equal);
  return visit_dtype(x.dtype(), [&](auto t) {
    using T = decltype(t);
    if (above) {
      const T end = std::numeric_limits<T>::max();
      return apply(holds ? Elementwise::less_equal : Elementwise::greater, {x, end});
    }
    const T end = std::numeric_limits<T>::lowest();
    return apply(holds ? Elementwise::greater_equal : Elementwise::less, {x, end});
  });
}

/// Comparisons of integers that no integer type can hold both sides of are exact all the same. Absent
/// when the ordinary way serves.
std::optional<Array> compare_exactly(Elementwise code, const Operand& a, const Operand& b) {
  if (a.is_array() && b.is_array()) {
    const DType left = a.array().dtype();
    const DType right = b.array().dtype();
    const bool mixed = (is_signed_integer(left) && right == DType::uint64) ||
                       (left == DType::uint64 && is_signed_integer(right));
    if (mixed) return compare_signs(code, a.array(), b.array());
    return {};
  }
  if (!a.is_array() && !b.is_array()) return {};
  if (!a.is_array()) return compare_exactly(mirrored(code), b, a);
  const DType type = a.array().dtype();
  if (!is_integer(type) || !detail::is_whole(b) || detail::fits(b, type)) return {};
  return compare_beyond(code, a.array(), detail::as_double(ops::operation(code).name, b) > 0);
}

}  // namespace

Array apply(Elementwise code, const std::vector<Operand>& operands) {
  if (static_cast<int>(code) >= kernels::kElementwiseCount) {
    throw InvalidArgument(
        "apply", fmt::format("operation number {}; 0 to {} are accepted", static_cast<int>(code),
                             kernels::kElementwiseCount - 1));
  }
  const ops::Operation& op = ops::operation(code);
  if (operands.size() != static_cast<size_t>(op.arity)) {
    throw InvalidArgument(op.name,
                          fmt::format("{} operands; {} are needed", operands.size(), op.arity));
  }
  if (op.rule == TypeRule::comparison) {
    if (std::optional<Array> decided = compare_exactly(code, operands[0], operands[1]))
      return *decided;
  }
  const size_t first = op.rule == TypeRule::selection ? 1 : 0;
  std::array<DType, 3> types;
  types.fill(common_type(operands, first));
  const ops::OperationTypes resolved = ops::types_of(op, std::span(types).first(operands.size()));

  std::vector<Array> arrays;
  arrays.reserve(operands.size());
  for (const Operand& x : operands) {
    if (x.is_array()) arrays.push_back(x.array());
  }
  if (arrays.empty())
    throw InvalidArgument(op.name, "no operand is an array; at least one must be");
  detail::Aligned aligned = detail::align(op.name, std::move(arrays));
  check_size(op.name, aligned.space, resolved.result);  // small arrays may broadcast to a large one

  std::vector<graph::Port> inputs;
  inputs.reserve(operands.size());
  size_t next = 0;
  for (size_t k = 0; k < operands.size(); ++k) {
    if (operands[k].is_array()) {
      inputs.push_back(aligned.arrays[next++].port());
      continue;
    }
    const bool condition = k < first || op.rule == TypeRule::logical;
    inputs.push_back(
        detail::scalar_port(op.name, operands[k], condition ? DType::bool_ : resolved.operand));
  }
  return Array({std::make_shared<graph::ElementwiseLayer>(code, std::move(inputs),
                                                          std::move(aligned.space), resolved),
                0});
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

#define TUFF_BINARY_(function)                         \
  Array function(const Operand& a, const Operand& b) { \
    return apply(Elementwise::function, {a, b});       \
  }
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
