// What happens to a graph between building and running: the list of passes, in order.
//
// Passes on layers take and return the requested ports and never change a layer; passes on tasks
// renumber a plan. compute.cpp calls them; optimize.cpp is the table of contents.
#pragma once

#include <string_view>
#include <vector>

#include "tuff/graph/layer.h"
#include "tuff/graph/lower.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// Which passes run. All by default; switching one off is for tests and for finding faults.
struct Passes {
  bool cse = true;
  bool push_slices = true;
  bool rechunk = true;
  bool fuse = true;
  bool cull = true;
  bool order = true;
};

/// A pass on layers, and what it is for.
struct LayerPass {
  std::string_view name;
  std::string_view purpose;
  bool Passes::*enabled;
  std::vector<graph::Port> (*run)(const std::vector<graph::Port>& outputs);
};

/// In the order in which they run.
TUFF_API const std::vector<LayerPass>& layer_passes();

/// Runs the passes on layers.
TUFF_API std::vector<graph::Port> optimize_layers(std::vector<graph::Port> outputs,
                                                  const Passes& passes = {});
/// Lowers and runs the passes that concern tasks.
TUFF_API graph::Lowered lower(const std::vector<graph::Port>& outputs, const Passes& passes = {});

}  // namespace optimize
TUFF_NAMESPACE_END
