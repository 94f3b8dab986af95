// From arrays to answers: build -> optimise -> lower -> run.
//
// compute.cpp shows the whole flow on one page. A Plan is made once and run many times, from several
// threads at once; parameters are filled anew for each run.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tuff/base/block.h"
#include "tuff/base/bytes.h"
#include "tuff/base/context.h"
#include "tuff/graph/layer.h"
#include "tuff/optimize/optimize.h"

TUFF_NAMESPACE_BEGIN

namespace detail {
/// Chunks as a run found them: symbols take the extents of the blocks.
TUFF_API Chunks settled_chunks(Chunks chunks,
                               const std::function<const Dims&(size_t block)>& shape_of_block);
/// Throw InvalidArgument in the name of `operation` unless elements are of the type asked for, or there is
/// exactly one of them.
TUFF_API void check_element_type(std::string_view operation, DType has, DType asked);
TUFF_API void check_one_element(std::string_view operation, const Shape& shape);
}  // namespace detail

class Plan;

/// A computed array: its blocks, as the run left them.
class TUFF_API Result {
 public:
  Result() = default;
  /// The array that these blocks make, in row-major order. Throws InvalidArgument unless all extents are known
  /// and the blocks are those of the chunks, as check_blocks() says.
  Result(DType dtype, Chunks chunks, std::vector<Block> blocks);
  /// One block. Throws InvalidArgument for an empty one.
  Result(Block block);  // NOLINT(google-explicit-constructor): a block is an array
  /// A 1-d array of these values.
  Result(const std::vector<double>& values);  // NOLINT(google-explicit-constructor)

  DType dtype() const { return dtype_; }
  /// How the array is cut; extents that were symbols are known now.
  const Chunks& chunks() const { return chunks_; }
  Dims shape() const;
  const std::vector<Block>& blocks() const { return blocks_; }
  /// To take blocks out or put others in their place: whoever uses the result after that checks them again.
  std::vector<Block>& blocks() { return blocks_; }
  /// The whole array as one row-major block. Copies unless it is one already, on the threads of the context and within
  /// the deadline that `options` give. Throws InvalidArgument for an empty result, as the default constructor makes
  /// one, and for blocks that do not fit the chunks; Cancelled as a run does.
  Block gather(const RunOptions& options = {}) const;
  /// The only element. Throws InvalidArgument unless there is exactly one, of type T.
  template <Element T>
  T item() const {
    check("item", dtype_of<T>, true);
    return gather().item<T>();
  }
  /// All elements in row-major order. Throws InvalidArgument unless the dtype is T.
  template <Element T>
  std::vector<T> to_vector(const RunOptions& options = {}) const {
    check("to_vector", dtype_of<T>, false);
    return gather(options).to_vector<T>();
  }

 private:
  friend class Plan;  // whose blocks need no check
  void check(std::string_view operation, DType asked, bool one_element) const;
  DType dtype_ = DType::float64;
  Chunks chunks_;
  std::vector<Block> blocks_;
};

/// A parameter and what it stands for in one run. Moving a Result in lets the run free or reuse its
/// blocks ("donate" them); an output of one run can so be the parameter of the next without a copy.
struct Binding {
  graph::Port parameter;
  /// Mutable, since the elements of a braced list are const, and run() takes what was moved into one.
  mutable Result value;
};

struct CompileOptions {
  optimize::Passes passes = {};
  /// How far tasks that are no block programs are fused, and for how many threads. Unset: automatic.
  optimize::TaskPassOptions tasks = {};
};

namespace detail {
/// How a graph is compiled for one run with these options.
TUFF_API CompileOptions compile_options_for(const RunOptions& options);
/// What is left of them for work after a run that began at `start`: neither traced nor observed, and with what is left of
/// the deadline.
TUFF_API RunOptions options_after(RunOptions options, std::chrono::steady_clock::time_point start);
}  // namespace detail

/// An optimised, lowered graph. Copies share one plan; all members are thread-safe.
class TUFF_API Plan {
 public:
  /// Computes all outputs, in the order given to compile(). Throws InvalidArgument when a parameter is
  /// missing, unknown, bound twice, or bound to another dtype or shape; TaskError or Cancelled as the
  /// run goes.
  std::vector<Result> run(std::vector<Binding> bindings = {}, const RunOptions& options = {}) const;
  /// run({{p, std::move(r)}}): donates r.
  std::vector<Result> run(std::initializer_list<Binding> bindings,
                          const RunOptions& options = {}) const;
  /// Tasks per run.
  size_t task_count() const;
  /// Layers after optimisation, one per line: what is fused with what, how many tasks, which inputs.
  std::string describe() const;
  /// The optimised graph.
  const std::vector<graph::Port>& outputs() const;
  /// The tasks, for those who look inside.
  const PlanArrays& arrays() const;

 private:
  struct State;
  friend TUFF_API Plan compile(const std::vector<graph::Port>& outputs,
                               const CompileOptions& options);
  explicit Plan(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// Optimises and lowers the graph of these outputs. Throws InvalidArgument for an empty list and a port that is no
/// array's, MemoryError when there are so many tasks that the plan itself would not fit in the memory budget.
TUFF_API Plan compile(const std::vector<graph::Port>& outputs, const CompileOptions& options = {});

/// Computes several arrays in one run, sharing all common work.
TUFF_API std::vector<Result> compute(const std::vector<graph::Port>& outputs,
                                     const RunOptions& options = {});

/// The layers of a graph as text, one per line, inputs before users.
TUFF_API std::string describe(const std::vector<graph::Port>& outputs);
/// The layers of a graph in Graphviz's dot language.
TUFF_API std::string to_dot(const std::vector<graph::Port>& outputs);

TUFF_NAMESPACE_END
