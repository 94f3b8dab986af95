// An order in which inputs come before their readers, or a cycle that forbids one.
#pragma once

#include <vector>

#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

struct Toposort {
  std::vector<uint32_t> order;  ///< all rows, inputs first; empty when there is a cycle
  std::vector<uint32_t> cycle;  ///< each one reads the next, the last one the first
};

/// `inputs`: row t lists what t reads, repeated or not. Keeps the order of numbers where it is one
/// already. Iterative: any depth. Linear in rows and items.
TUFF_API Toposort toposort(const Rows& inputs);

}  // namespace graph
TUFF_NAMESPACE_END
