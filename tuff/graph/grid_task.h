// What tasks share that make one block of an array each: the block's place in the grid, which names it.
//
// Base of the tasks of movement.cpp and mask_layer.cpp.
#pragma once

#include <string>

#include "tuff/base/shape.h"
#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// A task of a layer with one output, of one block per task.
class GridTask : public TaskFunction {
 public:
  explicit GridTask(const Chunks& chunks) : grid_(grid_of(chunks)) {}
  std::string block_name(uint32_t block) const override {
    return tuff::to_string(grid_index(block, grid_));
  }

 protected:
  Dims grid_;
};

}  // namespace graph
TUFF_NAMESPACE_END
