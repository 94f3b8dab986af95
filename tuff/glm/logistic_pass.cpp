// The logistic twin as a layer; see logistic_pass.h.
#include "tuff/glm/logistic_pass.h"

#include <algorithm>

#include "tuff/base/block.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

using kernels::LogisticWants;

int64_t sums_of(const graph::Port& X, LogisticWants wants) {
  const auto cols = static_cast<size_t>(graph::output_of(X).chunks[1]->extent().value());
  return static_cast<int64_t>(kernels::logistic_sum_count(cols, wants));
}

/// How many blocks of X one task takes: by the largest, so that it depends on the chunks alone.
uint32_t blocks_per_task_of(const graph::Port& X, LogisticWants wants) {
  const Chunks& chunks = graph::output_of(X).chunks;
  const int64_t bytes = 8 * chunks[0]->largest() * chunks[1]->extent().value();
  const int64_t wanted = std::max(LogisticPassLayer::kTaskBytes, 4 * 8 * sums_of(X, wants));
  return static_cast<uint32_t>(std::clamp<int64_t>(wanted / std::max<int64_t>(bytes, 1), 1,
                                                   static_cast<int64_t>(chunks[0]->count())));
}

Chunks sums_chunks(const graph::Port& X, const graph::Port& betas, LogisticWants wants) {
  const auto blocks = static_cast<int64_t>(graph::output_of(X).chunks[0]->count());
  const int64_t each = blocks_per_task_of(X, wants);
  const int64_t points = graph::output_of(betas).chunks[0]->extent().value();
  return {AxisChunks::regular((blocks + each - 1) / each, 1),
          AxisChunks::whole(points * sums_of(X, wants))};
}

/// Inputs: the blocks of X, as many of y, betas and columns.
class LogisticPassTask final : public TaskFunction {
 public:
  explicit LogisticPassTask(LogisticWants wants) : wants_(wants) {}
  std::string_view name() const override { return "logistic_pass"; }
  void run(TaskArguments& arguments) const override {
    const size_t blocks = arguments.inputs.size() / 2 - 1;
    const Block betas = arguments.inputs[2 * blocks]->get<Block>().contiguous();
    const Block columns = arguments.inputs[2 * blocks + 1]->get<Block>().contiguous();
    const auto cols = static_cast<size_t>(betas.shape()[1]) - 1;
    const int64_t count =
        betas.shape()[0] * static_cast<int64_t>(kernels::logistic_sum_count(cols, wants_));
    Block sums = Block::allocate(DType::float64, {1, count});
    std::fill_n(sums.data<double>(), count, 0.0);
    std::byte* scratch = arguments.scratch->get(kernels::logistic_scratch_bytes(cols));
    for (size_t b = 0; b < blocks; ++b) {
      StopRequest(arguments.stop).check();
      add_block(arguments.inputs[b]->get<Block>(), arguments.inputs[blocks + b]->get<Block>(),
                betas, columns, sums.data<double>(), scratch);
    }
    arguments.outputs[0].emplace<Block>(std::move(sums));
  }

 private:
  void add_block(Block X, const Block& labels, const Block& betas, const Block& columns,
                 double* sums, std::byte* scratch) const {
    // Rows whose columns are not dense are copied; fit() has no such blocks.
    if (X.strides()[1] != 1 || X.strides()[0] < 0) X = X.contiguous();
    const Block y = labels.contiguous();
    kernels::LogisticRows rows;
    rows.x = X.data<double>();
    rows.y = reinterpret_cast<const uint8_t*>(y.data<bool>());
    rows.rows = static_cast<size_t>(X.shape()[0]);
    rows.cols = static_cast<size_t>(X.shape()[1]);
    rows.stride = static_cast<size_t>(X.strides()[0]);
    const double* of_columns = columns.data<double>();
    const bool mixed = columns.shape()[0] > 2;
    const kernels::LogisticColumns seen{of_columns, of_columns + rows.cols,
                                        mixed ? of_columns + 2 * rows.cols : nullptr};
    const size_t count = kernels::logistic_sum_count(rows.cols, wants_);
    for (int64_t k = 0; k < betas.shape()[0]; ++k) {
      const auto at = static_cast<size_t>(k);
      kernels::logistic_sums(rows, seen, betas.data<double>() + at * (rows.cols + 1), wants_,
                             sums + at * count, scratch);
    }
  }

  LogisticWants wants_;
};

}  // namespace

LogisticPassLayer::LogisticPassLayer(const graph::Port& X, const graph::Port& y,
                                     const graph::Port& betas, const graph::Port& columns,
                                     LogisticWants wants)
    : Layer({X, y, betas, columns}, DType::float64, sums_chunks(X, betas, wants)),
      wants_(wants),
      blocks_per_task_(blocks_per_task_of(X, wants)) {
  TUFF_CHECK_EQ(graph::output_of(X).chunks[1]->count(), size_t{1});
  TUFF_CHECK(same_chunks(graph::output_of(X).chunks[0], graph::output_of(y).chunks[0]));
  TUFF_CHECK_EQ(block_count(graph::output_of(betas).chunks), size_t{1});
  TUFF_CHECK_EQ(block_count(graph::output_of(columns).chunks), size_t{1});
}

void LogisticPassLayer::inputs_of(uint32_t task, std::vector<graph::InputBlock>& reads) const {
  const auto blocks = static_cast<uint32_t>(graph::output_of(inputs()[0]).chunks[0]->count());
  const uint32_t first = task * blocks_per_task_;
  const uint32_t last = std::min(first + blocks_per_task_, blocks);
  for (uint32_t input : {0U, 1U}) {
    for (uint32_t b = first; b < last; ++b) reads.push_back({input, b});
  }
  reads.push_back({2, 0});
  reads.push_back({3, 0});
}

std::shared_ptr<const TaskFunction> LogisticPassLayer::lower(const graph::LowerHints&) const {
  return std::make_shared<LogisticPassTask>(wants_);
}

graph::LayerPtr LogisticPassLayer::with_inputs(std::vector<graph::Port> inputs) const {
  return std::make_shared<LogisticPassLayer>(inputs[0], inputs[1], inputs[2], inputs[3], wants_);
}

void LogisticPassLayer::write(graph::LayerWriter& writer) const {
  if (!writer.local) {
    throw InvalidArgument("serialize",
                          "logistic_pass is compiled code and does not travel; make_objective "
                          "without its twin gives the same pass as expressions, which do");
  }
  writer.put(static_cast<uint8_t>(wants_));
}

std::string LogisticPassLayer::note() const {
  constexpr const char* kNames[] = {"value", "value, gradient", "value, gradient, Hessian"};
  return kNames[static_cast<size_t>(wants_)];
}

}  // namespace glm
TUFF_NAMESPACE_END
