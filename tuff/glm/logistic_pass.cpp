// The logistic twin as a layer; see logistic_pass.h.
#include "tuff/glm/logistic_pass.h"

#include "tuff/base/block.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

using kernels::LogisticWants;

int64_t sums_of(const graph::Port& X, LogisticWants wants) {
  const auto cols = static_cast<size_t>(graph::output_of(X).chunks[1]->extent().value());
  return static_cast<int64_t>(kernels::logistic_sum_count(cols, wants));
}

Chunks sums_chunks(const graph::Port& X, const graph::Port& betas, LogisticWants wants) {
  const auto blocks = static_cast<int64_t>(graph::output_of(X).chunks[0]->count());
  const int64_t points = graph::output_of(betas).chunks[0]->extent().value();
  return {AxisChunks::regular(blocks, 1), AxisChunks::whole(points * sums_of(X, wants))};
}

class LogisticPassTask final : public TaskFunction {
 public:
  explicit LogisticPassTask(LogisticWants wants) : wants_(wants) {}
  std::string_view name() const override { return "logistic_pass"; }
  void run(TaskArguments& arguments) const override {
    // Rows whose columns are not dense are copied; fit() has no such blocks.
    Block X = arguments.inputs[0]->get<Block>();
    if (X.strides()[1] != 1 || X.strides()[0] < 0) X = X.contiguous();
    const Block y = arguments.inputs[1]->get<Block>().contiguous();
    const Block betas = arguments.inputs[2]->get<Block>().contiguous();
    kernels::LogisticRows rows;
    rows.x = X.data<double>();
    rows.y = reinterpret_cast<const uint8_t*>(y.data<bool>());
    rows.rows = static_cast<size_t>(X.shape()[0]);
    rows.cols = static_cast<size_t>(X.shape()[1]);
    rows.stride = static_cast<size_t>(X.strides()[0]);
    const size_t count = kernels::logistic_sum_count(rows.cols, wants_);
    const auto points = static_cast<size_t>(betas.shape()[0]);
    Block sums = Block::allocate(DType::float64, {1, static_cast<int64_t>(points * count)});
    std::byte* scratch = arguments.scratch->get(kernels::logistic_scratch_bytes(rows.cols, wants_));
    for (size_t k = 0; k < points; ++k) {
      kernels::logistic_sums(rows, betas.data<double>() + k * (rows.cols + 1), wants_,
                             sums.data<double>() + k * count, scratch);
    }
    arguments.outputs[0].emplace<Block>(std::move(sums));
  }

 private:
  LogisticWants wants_;
};

}  // namespace

LogisticPassLayer::LogisticPassLayer(const graph::Port& X, const graph::Port& y,
                                     const graph::Port& betas, LogisticWants wants)
    : Layer({X, y, betas}, DType::float64, sums_chunks(X, betas, wants)), wants_(wants) {
  TUFF_CHECK_EQ(graph::output_of(X).chunks[1]->count(), size_t{1});
  TUFF_CHECK(same_chunks(graph::output_of(X).chunks[0], graph::output_of(y).chunks[0]));
  TUFF_CHECK_EQ(block_count(graph::output_of(betas).chunks), size_t{1});
}

void LogisticPassLayer::inputs_of(uint32_t task, std::vector<graph::InputBlock>& reads) const {
  reads.push_back({0, task});
  reads.push_back({1, task});
  reads.push_back({2, 0});
}

std::shared_ptr<const TaskFunction> LogisticPassLayer::lower(const graph::LowerHints&) const {
  return std::make_shared<LogisticPassTask>(wants_);
}

graph::LayerPtr LogisticPassLayer::with_inputs(std::vector<graph::Port> inputs) const {
  return std::make_shared<LogisticPassLayer>(inputs[0], inputs[1], inputs[2], wants_);
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
