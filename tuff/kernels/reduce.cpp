// The one table of reductions made of two.
#include "tuff/kernels/reduce.h"

#include "tuff/kernels/reduce_tables.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

const ReductionKernels* find_reduction(Reduction reduction, DType element) {
  return is_floating(element) ? find_reduction_float(reduction, element)
                              : find_reduction_integer(reduction, element);
}

}  // namespace kernels
TUFF_NAMESPACE_END
