// Names of the element-wise operations, and the one table made of three.
#include "tuff/kernels/elementwise.h"

#include <string>

#include "tuff/base/error.h"
#include "tuff/kernels/elementwise_tables.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

std::string_view name_of(Elementwise op) {
  switch (op) {
#define TUFF_ROW_(name, arity) \
  case Elementwise::name: return #name;
    TUFF_ELEMENTWISE_OPS(TUFF_ROW_)
#undef TUFF_ROW_
  }
  throw InternalError("name_of: no such element-wise operation");
}

int arity_of(Elementwise op) {
  switch (op) {
#define TUFF_ROW_(name, arity) \
  case Elementwise::name: return arity;
    TUFF_ELEMENTWISE_OPS(TUFF_ROW_)
#undef TUFF_ROW_
  }
  throw InternalError("arity_of: no such element-wise operation");
}

DType result_of(Elementwise op, DType operand) {
  switch (op) {
    case Elementwise::isnan:
    case Elementwise::isfinite:
    case Elementwise::logical_not:
    case Elementwise::logical_and:
    case Elementwise::logical_or:
    case Elementwise::logical_xor:
    case Elementwise::equal:
    case Elementwise::not_equal:
    case Elementwise::less:
    case Elementwise::less_equal:
    case Elementwise::greater:
    case Elementwise::greater_equal: return DType::bool_;
    default: return operand;
  }
}

ElementwiseKernel find_elementwise(Elementwise op, DType operand, unsigned scalars) {
  const unsigned all = (1U << arity_of(op)) - 1;
  if (scalars >= all) return nullptr;
  if (is_floating(operand) && op != Elementwise::where) {
    if (ElementwiseKernel kernel = find_float(op, operand, scalars)) return kernel;
    return find_math(op, operand, scalars);
  }
  return find_integer(op, operand, scalars);
}

void throw_negative_power(int64_t base, int64_t exponent) {
  throw InvalidArgument("power", std::to_string(base) + " ** " + std::to_string(exponent) +
                                     ": an integer to a negative power; cast to float64 first");
}

}  // namespace kernels
TUFF_NAMESPACE_END
