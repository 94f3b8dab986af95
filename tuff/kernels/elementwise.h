// Element-wise loops over flat tiles: one function per operation, element type and scalar pattern.
//
// Called by: program.cpp (the interpreter of block programs). A tile is a dense run of n elements.
// Every element's value depends on its operands alone: not on n, on its position, or on SIMD tails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tuff/base/dtype.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

// name, arity
#define TUFF_ELEMENTWISE_OPS(ROW) \
  ROW(negative, 1)                \
  ROW(absolute, 1)                \
  ROW(sign, 1)                    \
  ROW(square, 1)                  \
  ROW(reciprocal, 1)              \
  ROW(sqrt, 1)                    \
  ROW(exp, 1)                     \
  ROW(expm1, 1)                   \
  ROW(log, 1)                     \
  ROW(log1p, 1)                   \
  ROW(sin, 1)                     \
  ROW(cos, 1)                     \
  ROW(tanh, 1)                    \
  ROW(sigmoid, 1)                 \
  ROW(floor, 1)                   \
  ROW(ceil, 1)                    \
  ROW(isnan, 1)                   \
  ROW(isfinite, 1)                \
  ROW(logical_not, 1)             \
  ROW(add, 2)                     \
  ROW(subtract, 2)                \
  ROW(multiply, 2)                \
  ROW(divide, 2)                  \
  ROW(floor_divide, 2)            \
  ROW(remainder, 2)               \
  ROW(power, 2)                   \
  ROW(minimum, 2)                 \
  ROW(maximum, 2)                 \
  ROW(equal, 2)                   \
  ROW(not_equal, 2)               \
  ROW(less, 2)                    \
  ROW(less_equal, 2)              \
  ROW(greater, 2)                 \
  ROW(greater_equal, 2)           \
  ROW(logical_and, 2)             \
  ROW(logical_or, 2)              \
  ROW(logical_xor, 2)             \
  ROW(where, 3)                   \
  ROW(clip, 3)

enum class Elementwise : uint8_t {
#define TUFF_ROW_(name, arity) name,
  TUFF_ELEMENTWISE_OPS(TUFF_ROW_)
#undef TUFF_ROW_
};

#define TUFF_ROW_(name, arity) +1
inline constexpr int kElementwiseCount = 0 TUFF_ELEMENTWISE_OPS(TUFF_ROW_);
#undef TUFF_ROW_

TUFF_API std::string_view name_of(Elementwise op);
TUFF_API int arity_of(Elementwise op);
/// Type of the result for operands of type `operand`: that, or bool for comparisons, logical_*, isnan and isfinite.
TUFF_API DType result_of(Elementwise op, DType operand);

/// `out[i] = op(operands[0][i], ...)` for i < n. `out` may be the same memory as a non-scalar
/// operand of the same element size. Pointers need the element's own alignment only; 64 bytes is
/// fastest. exp, log and the others that IEEE 754 does not round exactly are within 2 ulp of the
/// exact value; their last bits depend on the instruction set. `power` of integers throws
/// InvalidArgument for a negative exponent and then leaves `out` half written.
using ElementwiseKernel = void (*)(const void* const* operands, void* out, size_t n);

/// The kernel of `op` whose operands have element type `operand` (for `where`: the second and
/// third; the first is bool). Bit k of `scalars` says that operand k is one element, used for every
/// i. The result has type result_of(op, operand). Null
/// when the operation has no kernel for that type (exp of int32, say) or that pattern: all patterns
/// but "all operands scalar" exist; that one is a call of the all-vector kernel with n = 1.
TUFF_API ElementwiseKernel find_elementwise(Elementwise op, DType operand, unsigned scalars);

/// The same with streaming stores, for outputs not read again soon; finish_streaming() as below. For
/// arithmetic on float32 and float64 alone, else null: a result that is computed first and then
/// copied out makes its stores wait behind those of the tile before (a third of the time of x * 2).
TUFF_API ElementwiseKernel find_streaming(Elementwise op, DType operand, unsigned scalars);

/// `out[i] = static_cast<To>(in[i])`. Float to integer truncates; NaN and values out of range give
/// the type's minimum (unsigned: 0), never undefined behaviour. To bool: not equal to zero. Integer
/// to narrower integer wraps. Always there for every pair, including equal types (a copy).
using CastKernel = void (*)(const void* in, void* out, size_t n);
TUFF_API CastKernel find_cast(DType from, DType to);

/// out[i] = in[i * stride], elements of `size` 1, 2, 4 or 8 bytes. Stride may be 0 or negative.
TUFF_API void gather(const void* in, int64_t stride, size_t size, void* out, size_t n);
/// out[i * stride] = in[i].
TUFF_API void scatter(const void* in, void* out, int64_t stride, size_t size, size_t n);
/// Copies n bytes with streaming (non-temporal) stores: for outputs not read again soon. `out` may
/// have any alignment.
TUFF_API void copy_streaming(const void* in, void* out, size_t bytes);
/// Makes what copy_streaming wrote visible to other threads: once per block, before the block is handed
/// on. (Per call it would wait for memory every 8 KB: 20 ms of the 60 ms that exp(x) - 1/x of 1e8 takes.)
TUFF_API void finish_streaming();

}  // namespace kernels
TUFF_NAMESPACE_END
