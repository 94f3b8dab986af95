// Which instruction set the kernels use: chosen once at run time, or pinned for bit-equal results.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

/// Instruction sets compiled in that this machine has, best first: of "avx512", "avx2", "baseline".
TUFF_API std::vector<std::string> available_targets();
/// The one in use. Environment TUFF_TARGET pins it before first use.
TUFF_API std::string current_target();
/// Uses `name` from now on. Not while plans run or are compiled. Throws InvalidArgument when this
/// machine lacks it.
TUFF_API void set_target(std::string_view name);

}  // namespace kernels
TUFF_NAMESPACE_END
