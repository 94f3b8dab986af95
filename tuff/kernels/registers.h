// Where the values of a tile lie in scratch memory while the steps run.
//
// Called by bind.cpp when all steps are known, those that run once per piece first. A place is taken again when
// its value was read for the last time; what is made once per piece, and accumulators, keep theirs.
#pragma once

#include <cstddef>
#include <vector>

#include "tuff/kernels/bind.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

/// Sets the offsets of accumulators and scratch registers, and `scratch_bytes`. `register_bytes`: by register.
void place_registers(Bound& bound, const std::vector<size_t>& register_bytes);

}  // namespace kernels
TUFF_NAMESPACE_END
