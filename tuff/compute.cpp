// The whole flow on one page: build -> optimise -> lower -> run.
#include "tuff/compute.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "tuff/graph/print.h"
#include "tuff/schedule/run.h"

TUFF_NAMESPACE_BEGIN

// ---- the flow ------------------------------------------------------------------------------------

struct Plan::State {
  State(std::vector<graph::Port> optimised, graph::Lowered lowered)
      : outputs(std::move(optimised)),
        parameters(std::move(lowered.parameters)),
        first_parameter_slot(std::move(lowered.first_parameter_slot)),
        first_output_slot(std::move(lowered.first_output_slot)),
        runner(std::move(lowered.arrays)) {}
  std::vector<graph::Port> outputs;
  std::vector<std::shared_ptr<const graph::ParameterLayer>> parameters;
  std::vector<size_t> first_parameter_slot;
  std::vector<size_t> first_output_slot;
  Runner runner;
};

Plan compile(const std::vector<graph::Port>& outputs, const CompileOptions& options) {
  if (outputs.empty()) throw InvalidArgument("compile", "no outputs; at least one array is needed");
  for (const graph::Port& output : outputs) graph::check_port("compile", output);
  std::vector<graph::Port> optimised = optimize::optimize_layers(outputs, options.passes);
  graph::Lowered lowered = optimize::lower(optimised, options.passes, nullptr, options.tasks);
  return Plan(std::make_shared<const Plan::State>(std::move(optimised), std::move(lowered)));
}

std::vector<Result> compute(const std::vector<graph::Port>& outputs, const RunOptions& options) {
  if (outputs.empty()) throw InvalidArgument("compute", "no outputs; at least one array is needed");
  return compile(outputs, detail::compile_options_for(options)).run({}, options);
}

// ---- parameters in, results out ------------------------------------------------------------------

namespace {

/// Below this the copy (about 0.1 ms) is not worth waking another thread.
constexpr size_t kParallelGatherBytes = size_t{1} << 20;

[[noreturn]] void refuse_binding(const graph::Port& given) {
  const std::string what =
      given.layer == nullptr
          ? std::string("nothing")
          : fmt::format("the result of {}, {} of shape {}", given.layer->name(),
                        name_of(graph::output_of(given).dtype),
                        tuff::to_string(shape_of(graph::output_of(given).chunks)));
  throw InvalidArgument("run", fmt::format("a binding names {}; it must name a Parameter", what));
}

void check_binding(const graph::ParameterLayer& parameter, const Result& value) {
  const graph::LayerOutput& wanted = parameter.outputs()[0];
  const std::string name = "parameter " + parameter.label();
  if (value.blocks().empty()) {
    throw InvalidArgument(
        name, fmt::format("bound to an empty result; {} of shape {} is needed",
                          name_of(wanted.dtype), tuff::to_string(shape_of(wanted.chunks))));
  }
  if (value.dtype() != wanted.dtype) {
    throw InvalidArgument(name, fmt::format("bound to {}; {} is needed", name_of(value.dtype()),
                                            name_of(wanted.dtype)));
  }
  if (!(shape_of(value.chunks()) == shape_of(wanted.chunks))) {
    throw InvalidArgument(
        name, fmt::format("bound to shape {}; {} is needed", tuff::to_string(value.shape()),
                          tuff::to_string(shape_of(wanted.chunks))));
  }
  check_blocks(name, value.dtype(), value.chunks(), value.blocks());
}

/// The blocks of `value`, cut as the parameter is.
std::vector<Block> cut_for(const graph::ParameterLayer& parameter, Result value) {
  const Chunks& wanted = parameter.outputs()[0].chunks;
  bool same = true;
  for (size_t a = 0; a < wanted.size(); ++a)
    same = same && same_chunks(wanted[a], value.chunks()[a]);
  if (same) return std::move(value.blocks());
  const Block whole = value.gather();
  std::vector<Block> blocks;
  const Dims grid = grid_of(wanted);
  for (size_t b = 0; b < block_count(wanted); ++b) {
    const Dims index = grid_index(b, grid);
    int64_t offset = 0;
    Dims shape;
    for (size_t a = 0; a < wanted.size(); ++a) {
      offset += wanted[a]->offset(static_cast<size_t>(index[a])) * whole.strides()[a];
      shape.push_back(wanted[a]->size(static_cast<size_t>(index[a])));
    }
    blocks.push_back(whole.strided_view(offset, shape, whole.strides()));
  }
  return blocks;
}

}  // namespace

std::vector<Result> Plan::run(std::initializer_list<Binding> bindings,
                              const RunOptions& options) const {
  std::vector<Binding> taken;
  taken.reserve(bindings.size());
  for (const Binding& binding : bindings)
    taken.push_back({binding.parameter, std::move(binding.value)});
  return run(std::move(taken), options);
}

std::vector<Result> Plan::run(std::vector<Binding> bindings, const RunOptions& options) const {
  std::vector<Value> parameters(state_->runner.arrays().parameter_slots.size());
  std::vector<bool> bound(state_->parameters.size(), false);
  for (Binding& binding : bindings) {
    const auto* layer = dynamic_cast<const graph::ParameterLayer*>(binding.parameter.layer.get());
    if (layer == nullptr) refuse_binding(binding.parameter);
    size_t p = 0;
    while (p < bound.size() && state_->parameters[p].get() != layer) ++p;
    if (p == bound.size()) {
      throw InvalidArgument(
          "run", fmt::format("no output of this plan depends on parameter '{}'", layer->label()));
    }
    if (bound[p])
      throw InvalidArgument("run", fmt::format("parameter '{}' is bound twice", layer->label()));
    bound[p] = true;
    check_binding(*layer, binding.value);
    std::vector<Block> blocks = cut_for(*layer, std::move(binding.value));
    for (size_t b = 0; b < blocks.size(); ++b) {
      parameters[state_->first_parameter_slot[p] + b] = Value(std::move(blocks[b]));
    }
  }
  for (size_t p = 0; p < bound.size(); ++p) {
    if (!bound[p])
      throw InvalidArgument(
          "run", fmt::format("parameter '{}' is not bound", state_->parameters[p]->label()));
  }
  std::vector<Value> values = state_->runner.run(std::move(parameters), options);
  std::vector<Result> results;
  results.reserve(state_->outputs.size());
  for (size_t o = 0; o < state_->outputs.size(); ++o) {
    const graph::LayerOutput& output = graph::output_of(state_->outputs[o]);
    const size_t first = state_->first_output_slot[o];
    const size_t count = block_count(output.chunks);
    std::vector<Block> blocks;
    blocks.reserve(count);
    for (size_t b = 0; b < count; ++b) blocks.push_back(std::move(values[first + b].get<Block>()));
    Chunks chunks = detail::settled_chunks(
        output.chunks, [&](size_t b) -> const Dims& { return blocks[b].shape(); });
    Result& result = results.emplace_back();
    result.dtype_ = output.dtype;
    result.chunks_ = std::move(chunks);
    result.blocks_ = std::move(blocks);
  }
  return results;
}

size_t Plan::task_count() const { return state_->runner.arrays().task_count(); }
const std::vector<graph::Port>& Plan::outputs() const { return state_->outputs; }
const PlanArrays& Plan::arrays() const { return state_->runner.arrays(); }
std::string Plan::describe() const { return graph::to_text(state_->outputs); }
std::string describe(const std::vector<graph::Port>& outputs) { return graph::to_text(outputs); }
std::string to_dot(const std::vector<graph::Port>& outputs) { return graph::to_dot(outputs); }

// ---- Result --------------------------------------------------------------------------------------

Result::Result(DType dtype, Chunks chunks, std::vector<Block> blocks)
    : dtype_(dtype), chunks_(std::move(chunks)), blocks_(std::move(blocks)) {
  check_blocks("result", dtype_, chunks_, blocks_);
  if (!is_known(chunks_)) {
    throw InvalidArgument(
        "result", fmt::format("chunks {}; known extents are needed", tuff::to_string(chunks_)));
  }
}

Result::Result(Block block) {
  if (!block) throw InvalidArgument("result", "an empty block; it has no dtype and no shape");
  dtype_ = block.dtype();
  for (int64_t extent : block.shape()) chunks_.push_back(AxisChunks::whole(extent));
  blocks_.push_back(std::move(block));
}

Result::Result(const std::vector<double>& values)
    : Result(Block::copy_of<double>(values, Dims{static_cast<int64_t>(values.size())})) {}

Dims Result::shape() const {
  Dims shape;
  for (const AxisChunksPtr& axis : chunks_) shape.push_back(axis->extent().value());
  return shape;
}

namespace detail {

CompileOptions compile_options_for(const RunOptions& options) {
  const Context& context = options.context != nullptr ? *options.context : Context::current();
  CompileOptions compile;
  compile.passes.memory_bytes = options.memory_bytes.value_or(context.memory_bytes());
  compile.tasks.threads = std::min(options.threads.value_or(context.threads()), context.threads());
  return compile;
}

RunOptions options_after(RunOptions options, std::chrono::steady_clock::time_point start) {
  options.trace = nullptr;
  options.observer = nullptr;
  if (options.deadline && *options.deadline < std::chrono::hours(24 * 365))
    *options.deadline -= std::chrono::steady_clock::now() - start;
  return options;
}

Chunks settled_chunks(Chunks chunks, const std::function<const Dims&(size_t)>& shape_of_block) {
  const Dims grid = grid_of(chunks);
  for (size_t a = 0; a < chunks.size(); ++a) {
    if (chunks[a]->is_known()) continue;
    std::vector<int64_t> sizes;
    Dims index(grid.size(), 0);
    for (index[a] = 0; index[a] < grid[a]; ++index[a])
      sizes.push_back(shape_of_block(linear_index(index, grid))[a]);
    chunks[a] = AxisChunks::of(sizes);
  }
  return chunks;
}

void check_element_type(std::string_view operation, DType has, DType asked) {
  if (has == asked) return;
  throw InvalidArgument(
      operation,
      fmt::format("the elements are {}, asked for {}; call astype(DType::{}) first", name_of(has),
                  name_of(asked), is_bool(asked) ? "bool_" : name_of(asked)));
}

void check_one_element(std::string_view operation, const Shape& shape) {
  int64_t count = 1;
  for (const Extent& extent : shape) count *= extent.value();
  if (count == 1) return;
  throw InvalidArgument(operation,
                        fmt::format("shape {} has {} elements; a single value needs exactly 1",
                                    tuff::to_string(shape), count));
}

}  // namespace detail

namespace {

void check_not_empty(const std::vector<Block>& blocks) {
  if (blocks.empty())
    throw InvalidArgument("result",
                          "an empty result has no elements; assign what a run returned first");
}

}  // namespace

void Result::check(std::string_view operation, DType asked, bool one_element) const {
  check_not_empty(blocks_);
  detail::check_element_type(operation, dtype_, asked);
  if (one_element) detail::check_one_element(operation, shape_of(chunks_));
}

Block Result::gather(const RunOptions& options) const {
  check_not_empty(blocks_);
  check_blocks("result", dtype_, chunks_, blocks_);
  if (blocks_.size() == 1) return blocks_[0].contiguous();
  Block whole = Block::allocate(dtype_, shape());
  const Dims grid = grid_of(chunks_);
  const auto place = [&](size_t b) {
    const Dims index = grid_index(b, grid);
    int64_t offset = 0;
    for (size_t a = 0; a < grid.size(); ++a) {
      offset += chunks_[a]->offset(static_cast<size_t>(index[a])) * whole.strides()[a];
    }
    copy_elements(blocks_[b], whole.strided_view(offset, blocks_[b].shape(), whole.strides()));
  };
  if (whole.bytes() < kParallelGatherBytes) {
    for (size_t b = 0; b < blocks_.size(); ++b) place(b);
    return whole;
  }
  // One task per block; what the tasks yield does not matter.
  const auto copy = [&](const BlockInfo& info) {
    place(static_cast<size_t>(info.start[0]));
    return Block::copy_of<bool>(std::array{true}, Dims{1});
  };
  const Chunks one_each = {AxisChunks::regular(static_cast<int64_t>(blocks_.size()), 1)};
  // Reading a result is no run that anybody watches.
  compute({{std::make_shared<graph::FunctionLayer>(copy, "", DType::bool_, one_each), 0}},
          detail::options_after(options, std::chrono::steady_clock::now()));
  return whole;
}

TUFF_NAMESPACE_END
