// Random expression graphs: one seed gives one list of operations, and any number of ways to cut its
// arrays into blocks.
//
// Used by the tests that compare two evaluations of the same expressions (optimised and not, one
// thread and many, here and in another process). Rounding may differ between two evaluations only
// below sums and contractions, so every node knows whether it is exact: operations that jump
// (comparisons, floor, casts to integers, masks) take exact nodes only, and Bounds carries an error
// bound through the others.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/conform/naive.h"

namespace tuff::flow {

using conform::Dense;
using conform::Rng;

/// How the arrays of one evaluation are cut.
class Cutter {
 public:
  /// One block per array.
  Cutter() = default;
  /// Blocks drawn from `seed`.
  explicit Cutter(uint64_t seed) : seed_(seed) {}
  bool cuts() const { return seed_ != 0; }
  /// Chunks for node `node`: always the same for the same node.
  ChunkSpec chunks(size_t node, const Dims& shape) const;

 private:
  uint64_t seed_ = 0;
};

/// How a node's rounding error follows from its inputs'.
enum class Rule : uint8_t {
  exact,    ///< bit-equal
  passes,   ///< errors pass through (slices, minimum, abs, where, ...)
  smooth,   ///< slope at most 1, rounded once (tanh, sin, a cast to float32, ...)
  sum,      ///< of two errors (add, subtract)
  product,  ///< multiply, square
  total,    ///< a sum of `terms` elements
  mean,
  var,
  std,
  contraction,  ///< matmul over `terms` products
};

struct Node {
  std::vector<size_t> inputs;
  std::function<Array(const std::vector<Array>& inputs, const Cutter& cutter)> build;
  std::string text;
  DType dtype = DType::float64;
  Dims shape;  ///< the true one
  std::vector<size_t>
      symbol;  ///< per axis: 0, or the number of the node that made the extent a symbol
  Rule rule = Rule::exact;
  double terms = 1;  ///< total: elements per sum; var: also n / (n - ddof)
  bool is_exact = true;
  bool is_known() const;
};

class RandomGraph {
 public:
  explicit RandomGraph(uint64_t seed);
  /// All nodes as arrays.
  std::vector<Array> build(const Cutter& cutter) const;
  /// The nodes that a test asks for.
  const std::vector<size_t>& outputs() const { return outputs_; }
  std::vector<graph::Port> ports(const Cutter& cutter) const;
  const std::vector<Node>& nodes() const { return nodes_; }
  /// One line per node.
  std::string text() const;
  /// Bounds on the difference of two evaluations, by node; negative: none is allowed. `values`: one
  /// evaluation of all nodes.
  std::vector<double> bounds(const std::vector<Dense>& values) const;

 private:
  friend class Grower;
  std::vector<Node> nodes_;
  std::vector<size_t> outputs_;
};

/// A difference within `bound`; equal bits where it is negative.
::testing::AssertionResult close(const Dense& got, const Dense& want, double bound);

}  // namespace tuff::flow
