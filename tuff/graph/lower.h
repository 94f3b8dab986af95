// From layers to tasks: a graph becomes the flat arrays of a plan.
//
// Called by compute.cpp after the passes on layers. Only tasks whose blocks are needed are made.
// Tasks come out layer by layer; optimize/order renumbers them.
#pragma once

#include <unordered_map>

#include "tuff/graph/layer.h"
#include "tuff/graph/sources.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// Which tasks of each layer are needed; a layer without an entry is not needed at all.
struct Needed {
  /// One flag per task; empty means all of them.
  std::unordered_map<const Layer*, std::vector<bool>> tasks;
};

struct Lowered {
  PlanArrays arrays;
  /// The layer of each of arrays.functions. Passes on tasks that make functions of their own outdate it.
  std::vector<LayerPtr> layer_of_function;
  /// Slot of block b of parameter p: arrays.parameter_slots[first_parameter_slot[p] + b].
  std::vector<std::shared_ptr<const ParameterLayer>> parameters;
  std::vector<size_t> first_parameter_slot;
  /// Slot of block b of output o: arrays.output_slots[first_output_slot[o] + b].
  std::vector<size_t> first_output_slot;
};

/// Blocks of a requested output beyond these bytes in all are written past the cache: they could not
/// stay in it (last-level caches have 1 to 4 MB per core) and streaming saves the read for ownership.
inline constexpr size_t kStreamingBytes = size_t{8} << 20;

/// `layers`: as layers_in_order(outputs) gives them.
TUFF_API Lowered lower(const std::vector<LayerPtr>& layers, const std::vector<Port>& outputs,
                       const Needed& needed);

}  // namespace graph
TUFF_NAMESPACE_END
