// The three tables behind find_elementwise(): who has a kernel for which operation and type.
#pragma once

#include "tuff/kernels/elementwise.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

// Each returns null for what it does not hold; the patterns are those of find_elementwise().
// float32 and float64, operations that IEEE 754 rounds exactly, and the comparisons.
ElementwiseKernel find_float(Elementwise op, DType operand, unsigned scalars);
// float32 and float64, exp and its kin.
ElementwiseKernel find_math(Elementwise op, DType operand, unsigned scalars);
// Integers and bool; `where` of every type.
ElementwiseKernel find_integer(Elementwise op, DType operand, unsigned scalars);

[[noreturn]] void throw_negative_power(int64_t base, int64_t exponent);

}  // namespace kernels
TUFF_NAMESPACE_END
