// The operations: one row each. A new element-wise operation is one row here and one kernel.
//
// Called by: array (building), graph (emitting programs), docs and tests (which walk the table).
#pragma once

#include <span>
#include <string_view>

#include "tuff/base/dtype.h"
#include "tuff/kernels/elementwise.h"
#include "tuff/kernels/reduce.h"

TUFF_NAMESPACE_BEGIN
namespace ops {

using kernels::Elementwise;
using kernels::Reduction;

/// How operands and result of an element-wise operation are typed.
enum class TypeRule : uint8_t {
  promoted,    ///< operands are promoted; the result has that type (add, minimum, ...)
  arithmetic,  ///< like promoted, and bool is refused (negative, subtract)
  widened,     ///< like promoted, bool becomes int8 (floor_divide, remainder, power, square)
  floating,    ///< promoted, then float32 or float64 (exp, divide, ...)
  rounding,    ///< integers and bool stay as they are, without work (floor, ceil)
  comparison,  ///< operands are promoted; the result is bool
  logical,     ///< operands become bool (not equal to zero); the result is bool
  predicate,   ///< isnan, isfinite: bool; of integers without work
  selection,   ///< where: the first operand becomes bool, the others are promoted
};

/// One element-wise operation.
struct Operation {
  Elementwise code;
  std::string_view name;
  int arity;
  TypeRule rule;
  std::string_view doc;
};

/// All element-wise operations, in the order of the enumeration.
TUFF_API std::span<const Operation> operations();
TUFF_API const Operation& operation(Elementwise code);

/// Types of one application.
struct OperationTypes {
  DType operand;  ///< what every operand is cast to first (where: the second and third)
  DType result;
};
/// Throws InvalidArgument naming the operation when it does not accept these types.
TUFF_API OperationTypes types_of(const Operation& operation, std::span<const DType> operands);

/// One reduction as users know it: which partial result is kept per block, and how it is finished.
struct ReductionRow {
  std::string_view name;
  Reduction partial;  ///< what each block and the combining tree compute
  std::string_view doc;
};
/// sum, mean, var, std, min, max, any, all.
TUFF_API std::span<const ReductionRow> reductions();
TUFF_API const ReductionRow& reduction(std::string_view name);

/// Types of a reduction of `operand`: what elements are cast to before, and the result.
TUFF_API OperationTypes types_of(const ReductionRow& row, DType operand);

}  // namespace ops
TUFF_NAMESPACE_END
