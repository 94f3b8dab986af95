// The one table of reductions made of three.
#include "tuff/kernels/reduce.h"

#include "tuff/kernels/reduce_tables.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

const ReductionKernels* find_reduction(Reduction reduction, DType element) {
  if (reduction == Reduction::moments) return element == DType::float64 ? find_moments() : nullptr;
  return is_floating(element) ? find_reduction_float(reduction, element)
                              : find_reduction_integer(reduction, element);
}

}  // namespace kernels
TUFF_NAMESPACE_END
