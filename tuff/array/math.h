// Element-wise functions with NumPy's names, broadcasting and types (see ops/table.cpp for each row).
//
// Operands are arrays or C++ numbers; at least one is an array. Axes line up from the last; an extent of
// 1 stretches. Anything else throws InvalidArgument with both shapes. Arrays cut differently are cut at
// the union of their boundaries, which copies nothing. Results of integers wrap; comparisons of integers are exact, whatever
// their types.
#pragma once

#include "tuff/array/array.h"
#include "tuff/kernels/elementwise.h"

TUFF_NAMESPACE_BEGIN

TUFF_API Array negative(const Operand& x);
TUFF_API Array abs(const Operand& x);
TUFF_API Array sign(const Operand& x);
TUFF_API Array square(const Operand& x);
TUFF_API Array reciprocal(const Operand& x);
TUFF_API Array sqrt(const Operand& x);
TUFF_API Array exp(const Operand& x);
TUFF_API Array expm1(const Operand& x);
TUFF_API Array log(const Operand& x);
TUFF_API Array log1p(const Operand& x);
TUFF_API Array sin(const Operand& x);
TUFF_API Array cos(const Operand& x);
TUFF_API Array tanh(const Operand& x);
/// 1 / (1 + exp(-x)), finite for every x.
TUFF_API Array sigmoid(const Operand& x);
TUFF_API Array floor(const Operand& x);
TUFF_API Array ceil(const Operand& x);
TUFF_API Array isnan(const Operand& x);
TUFF_API Array isfinite(const Operand& x);
TUFF_API Array logical_not(const Operand& x);

TUFF_API Array add(const Operand& a, const Operand& b);
TUFF_API Array subtract(const Operand& a, const Operand& b);
TUFF_API Array multiply(const Operand& a, const Operand& b);
TUFF_API Array divide(const Operand& a, const Operand& b);
TUFF_API Array floor_divide(const Operand& a, const Operand& b);
TUFF_API Array remainder(const Operand& a, const Operand& b);
TUFF_API Array power(const Operand& a, const Operand& b);
TUFF_API Array minimum(const Operand& a, const Operand& b);
TUFF_API Array maximum(const Operand& a, const Operand& b);
TUFF_API Array equal(const Operand& a, const Operand& b);
TUFF_API Array not_equal(const Operand& a, const Operand& b);
TUFF_API Array less(const Operand& a, const Operand& b);
TUFF_API Array less_equal(const Operand& a, const Operand& b);
TUFF_API Array greater(const Operand& a, const Operand& b);
TUFF_API Array greater_equal(const Operand& a, const Operand& b);
TUFF_API Array logical_and(const Operand& a, const Operand& b);
TUFF_API Array logical_or(const Operand& a, const Operand& b);
TUFF_API Array logical_xor(const Operand& a, const Operand& b);

/// a where the condition is not zero, b elsewhere.
TUFF_API Array where(const Operand& condition, const Operand& a, const Operand& b);
/// min(max(x, low), high), element by element.
TUFF_API Array clip(const Operand& x, const Operand& low, const Operand& high);

/// Any row of the operation table, by its code: what all functions above call. Throws InvalidArgument unless there are
/// as many operands as the row has.
TUFF_API Array apply(kernels::Elementwise op, const std::vector<Operand>& operands);

// One side must be an Array, so that 1 + 2 stays C++'s.
template <class A, class B>
concept ArrayOperands =
    (std::is_base_of_v<Array, A> ||
     std::is_base_of_v<Array,
                       B>)&&std::is_convertible_v<A, Operand>&& std::is_convertible_v<B, Operand>;

#define TUFF_OPERATOR_(symbol, function)                                       \
  template <class A, class B>                                                  \
  requires ArrayOperands<A, B> Array operator symbol(const A& a, const B& b) { \
    return function(a, b);                                                     \
  }
TUFF_OPERATOR_(+, add)
TUFF_OPERATOR_(-, subtract)
TUFF_OPERATOR_(*, multiply)
TUFF_OPERATOR_(/, divide)
TUFF_OPERATOR_(%, remainder)
TUFF_OPERATOR_(==, equal)
TUFF_OPERATOR_(!=, not_equal)
TUFF_OPERATOR_(<, less)
TUFF_OPERATOR_(<=, less_equal)
TUFF_OPERATOR_(>, greater)
TUFF_OPERATOR_(>=, greater_equal)
TUFF_OPERATOR_(&&, logical_and)
TUFF_OPERATOR_(||, logical_or)
#undef TUFF_OPERATOR_

inline Array operator-(const Array& x) { return negative(x); }
inline Array operator!(const Array& x) { return logical_not(x); }

TUFF_NAMESPACE_END
