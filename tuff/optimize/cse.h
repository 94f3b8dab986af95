// Common subexpressions: layers with the same operation, parameters and inputs compute the same thing,
// so one of them serves all. Sources in memory and callables are equal only to themselves.
#pragma once

#include <vector>

#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

TUFF_API std::vector<graph::Port> cse(const std::vector<graph::Port>& outputs);

}  // namespace optimize
TUFF_NAMESPACE_END
