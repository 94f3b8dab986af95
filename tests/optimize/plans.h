// What the tests of passes share: small arrays, plans as lists of layers, and runs to compare.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tuff/graph/fused.h"
#include "tuff/tuff.h"

namespace tuff::optimize_test {

using Ports = std::vector<graph::Port>;
using optimize::Passes;

/// A float64 array in memory: 0.25, 1.25, 2.25, ... in row-major order.
inline Array in_memory(const Dims& shape, const ChunkSpec& chunks) {
  Block block = Block::allocate(DType::float64, shape);
  for (int64_t i = 0; i < block.size(); ++i)
    block.data<double>()[i] = 0.25 + static_cast<double>(i);
  return from_block(block, chunks);
}

inline std::string title_of(const graph::Layer& layer) {
  const std::string note = layer.note();
  return note.empty() ? std::string(layer.name()) : std::string(layer.name()) + "(" + note + ")";
}

/// The layers of a graph, inputs before users, without memory, parameters and constants: what is worked on.
inline std::vector<std::string> titles(const Ports& outputs) {
  std::vector<std::string> list;
  for (const graph::LayerPtr& layer : graph::layers_in_order(outputs)) {
    if (layer->name() == "memory" || layer->name() == "persisted" || layer->name() == "parameter" ||
        layer->name() == "full")
      continue;
    list.push_back(title_of(*layer));
  }
  return list;
}

/// Compiled with these passes, its arrays checked.
inline Plan compiled(const Ports& outputs, const Passes& passes = {}) {
  CompileOptions options;
  options.passes = passes;
  Plan plan = compile(outputs, options);
  plan.arrays().verify();
  return plan;
}

/// The tasks as these passes leave them; a plan numbers them as they run.
inline PlanArrays lowered(const Ports& outputs, const Passes& passes = {}) {
  return optimize::lower(optimize::optimize_layers(outputs, passes), passes).arrays;
}

/// What is worked on after the passes.
inline std::vector<std::string> plan_of(const Ports& outputs, const Passes& passes = {}) {
  return titles(compiled(outputs, passes).outputs());
}

/// The fused layer with the longest program.
inline graph::LayerPtr largest_fused(const Ports& outputs) {
  graph::LayerPtr largest;
  size_t length = 0;
  for (const graph::LayerPtr& layer : graph::layers_in_order(outputs)) {
    const auto* fused = dynamic_cast<const graph::FusedLayer*>(layer.get());
    if (fused == nullptr || fused->program().instructions.size() <= length) continue;
    largest = layer;
    length = fused->program().instructions.size();
  }
  return largest;
}

/// How often the layer reads this array's layer.
inline size_t reads_of(const graph::Layer& layer, const Array& array) {
  size_t reads = 0;
  for (const graph::Port& input : layer.inputs())
    reads += input.layer == array.port().layer ? 1 : 0;
  return reads;
}

/// Only the passes of these names, and all but them.
inline Passes only(const std::vector<std::string_view>& names) {
  Passes passes;
  for (const optimize::Pass& pass : optimize::passes())
    passes.*pass.enabled = std::find(names.begin(), names.end(), pass.name) != names.end();
  return passes;
}
inline Passes without(const std::vector<std::string_view>& names) {
  Passes passes;
  for (const optimize::Pass& pass : optimize::passes())
    passes.*pass.enabled = std::find(names.begin(), names.end(), pass.name) == names.end();
  return passes;
}
inline Passes none() { return only({}); }

/// All passes but those that would move what a test of another pass looks at.
inline Passes without_moves() { return without({"push_slices", "rechunk"}); }

inline std::vector<std::vector<double>> run(const Plan& plan,
                                            const std::vector<Binding>& bindings = {}) {
  std::vector<std::vector<double>> values;
  for (const Result& result : plan.run(bindings)) {
    values.push_back(Array(result).astype(DType::float64).to_vector<double>());
  }
  return values;
}

/// Results with all passes are those without any: to the last bits where sums are cut into tiles anew.
inline void expect_same_results(const Ports& outputs, const std::vector<Binding>& bindings = {}) {
  const auto got = run(compiled(outputs), bindings);
  const auto want = run(compiled(outputs, none()), bindings);
  ASSERT_EQ(got.size(), want.size());
  for (size_t o = 0; o < got.size(); ++o) {
    ASSERT_EQ(got[o].size(), want[o].size()) << "output " << o;
    for (size_t i = 0; i < got[o].size(); ++i) {
      EXPECT_NEAR(got[o][i], want[o][i], 1e-12 * (1.0 + std::abs(want[o][i])))
          << "output " << o << " at " << i;
    }
  }
}

}  // namespace tuff::optimize_test
