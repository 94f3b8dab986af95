// Building, describing and comparing random expression graphs; see random_graph.h.
#include "random_graph.h"

#include <cmath>

namespace tuff::flow {

ChunkSpec Cutter::chunks(size_t node, const Dims& shape) const {
  if (!cuts() || shape.empty()) return -1;
  Rng rng(seed_ * 1000003 + node);
  return conform::spec_of(conform::random_cuts(rng, shape));
}

bool Node::is_known() const {
  return std::all_of(symbol.begin(), symbol.end(), [](size_t s) { return s == 0; });
}

std::vector<Array> RandomGraph::build(const Cutter& cutter) const {
  std::vector<Array> arrays;
  for (const Node& node : nodes_) {
    std::vector<Array> inputs;
    for (size_t input : node.inputs) inputs.push_back(arrays[input]);
    arrays.push_back(node.build(inputs, cutter));
  }
  return arrays;
}

std::vector<graph::Port> RandomGraph::ports(const Cutter& cutter) const {
  const std::vector<Array> arrays = build(cutter);
  std::vector<graph::Port> ports;
  for (size_t n : outputs_) ports.push_back(arrays[n].port());
  return ports;
}

std::string RandomGraph::text() const {
  std::string text;
  for (size_t n = 0; n < nodes_.size(); ++n) {
    const Node& node = nodes_[n];
    text += "v" + std::to_string(n) + " = " + node.text + " (";
    for (size_t k = 0; k < node.inputs.size(); ++k)
      text += (k == 0 ? "v" : ", v") + std::to_string(node.inputs[k]);
    text += ")  " + std::string(name_of(node.dtype)) + " " + to_string(node.shape) +
            (node.is_exact ? "" : " inexact") +
            (std::count(outputs_.begin(), outputs_.end(), n) > 0 ? "  <- output\n" : "\n");
  }
  return text;
}

std::vector<double> RandomGraph::bounds(const std::vector<Dense>& values) const {
  std::vector<double> errors(nodes_.size(), 0), sizes(nodes_.size(), 0);
  for (size_t n = 0; n < nodes_.size(); ++n) {
    const Node& node = nodes_[n];
    for (int64_t i = 0; i < values[n].size(); ++i) {
      const auto value = static_cast<double>(values[n].at(i));
      if (std::isfinite(value)) sizes[n] = std::max(sizes[n], std::fabs(value));
    }
    if (node.is_exact) {
      errors[n] = 0;
      continue;
    }
    const double unit = node.dtype == DType::float32 ? 0x1p-23 : 0x1p-52;
    double all = 0, most = 0, size = 0;
    for (size_t input : node.inputs) {
      all += errors[input];
      most = std::max(most, errors[input]);
      size = std::max(size, sizes[input]);
    }
    const size_t a = node.inputs[0], b = node.inputs.back();
    const double crossed = errors[a] * (sizes[b] + errors[b]) + errors[b] * (sizes[a] + errors[a]);
    const double spread = node.terms * (4 * most * (size + most) + 64 * 0x1p-52 * size * size);
    double error = 0;
    switch (node.rule) {
      case Rule::exact:
      case Rule::passes: error = most; break;
      case Rule::smooth: error = most + 4 * unit * (sizes[n] + most); break;
      case Rule::sum: error = node.terms * all + 2 * unit * (sizes[n] + all); break;
      case Rule::product: error = crossed + 2 * unit * sizes[n]; break;
      case Rule::total:
        error = node.terms * (most + 4 * 0x1p-52 * size) + 2 * unit * sizes[n];
        break;
      case Rule::mean: error = most + 8 * 0x1p-52 * size + 2 * unit * sizes[n]; break;
      case Rule::var: error = spread + 2 * unit * sizes[n]; break;
      // Near zero the square root turns an error e into its root.
      case Rule::std: error = std::sqrt(spread) + 2 * unit * sizes[n]; break;
      case Rule::contraction:
        error = node.terms * (crossed + 2 * (node.terms + 2) * unit * sizes[a] * sizes[b]) +
                2 * unit * sizes[n];
        break;
    }
    errors[n] = 2 * error;
  }
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (nodes_[n].is_exact) errors[n] = -1;
  }
  return errors;
}

::testing::AssertionResult close(const Dense& got, const Dense& want, double bound) {
  if (bound < 0) return conform::same(got, want);
  if (got.dtype != want.dtype || !(got.shape == want.shape)) return conform::same(got, want);
  for (int64_t i = 0; i < got.size(); ++i) {
    const auto a = static_cast<double>(got.at(i)), b = static_cast<double>(want.at(i));
    const bool right =
        std::isfinite(b) ? std::fabs(a - b) <= bound : (std::isnan(a) && std::isnan(b)) || a == b;
    // Where numbers are so large that rounding decides what overflows, nothing is promised.
    if (!right && !(bound > 1e30)) {
      return ::testing::AssertionFailure()
             << "element " << i << " of " << to_string(got.shape) << ": "
             << conform::describe_element(got, i) << " instead of "
             << conform::describe_element(want, i) << ", allowed difference " << bound;
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace tuff::flow
