// Results that stay: computed once, kept as blocks under the memory budget, read by any later graph.
//
// Array::persist is the way in for one array. A kept array is a layer without inputs; its blocks are in memory or,
// when that gets tight, on disk (schedule/memory.h), and go with the last handle.
#pragma once

#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/context.h"
#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN

/// Computes several arrays in one run, sharing all common work, and returns them as kept arrays. Extents that
/// were symbols are known then. Each block is handed over as soon as it is made, so the arrays may be larger than
/// the memory budget. Throws InvalidArgument for an empty list, TaskError, Cancelled or MemoryError as the run goes.
TUFF_API std::vector<graph::Port> persist(const std::vector<graph::Port>& outputs,
                                          const RunOptions& options = {});
/// Whether the array is one that persist() returned: reading its blocks computes nothing.
TUFF_API bool is_persisted(const graph::Port& port);

TUFF_NAMESPACE_END
