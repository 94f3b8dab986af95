// What was chosen for a computation, and what could make it quicker. Used by explain.cpp.
#pragma once

#include <vector>

#include "tuff/diagnostics/explain.h"
#include "tuff/diagnostics/measure.h"
#include "tuff/graph/fused.h"

TUFF_NAMESPACE_BEGIN

/// Of an explanation whose layers and steps are filled in.
std::vector<Explanation::Choice> choices_of(const Explanation& explanation);
/// `order`: the layers as layers_in_order() gives them, which is how hints number them.
std::vector<Explanation::Hint> hints_of(const std::vector<graph::LayerPtr>& order,
                                        const PlanBytes& bytes, int threads);

/// What the largest task of a fused layer walks.
uint64_t elements_of(const graph::FusedLayer& layer);

TUFF_NAMESPACE_END
