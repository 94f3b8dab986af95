// The tasks of layers look at the stop request before they have done much.
#include <gtest/gtest.h>

#include "tuff/graph/combine.h"
#include "tuff/graph/generated_layers.h"
#include "tuff/graph/matmul_layer.h"
#include "tuff/graph/movement.h"
#include "tuff/graph/reduce_layer.h"

namespace tuff::graph {
namespace {

Port full(const Chunks& chunks, DType dtype = DType::float64) {
  return {std::make_shared<FullLayer>(dtype, chunks, std::array<std::byte, 8>{}), 0};
}

/// Runs task 0 of the layer on blocks of zeros.
void run_first(const Layer& layer, const std::stop_token& stop) {
  std::vector<InputBlock> reads;
  layer.inputs_of(0, reads);
  std::vector<Value> values;
  for (const InputBlock& read : reads) {
    const LayerOutput& from = output_of(layer.inputs()[read.input]);
    const Dims index = grid_index(read.block, grid_of(from.chunks));
    Dims shape;
    for (size_t a = 0; a < index.size(); ++a)
      shape.push_back(from.chunks[a]->size(static_cast<size_t>(index[a])));
    Block block = Block::allocate(from.dtype, shape);
    std::fill_n(block.bytes_data(), block.bytes(), std::byte{0});
    values.emplace_back(std::move(block));
  }
  std::vector<Value*> inputs;
  for (Value& value : values) inputs.push_back(&value);
  const std::unique_ptr<bool[]> last_use(new bool[inputs.size()]());
  Value output;
  Scratch scratch;
  TaskArguments arguments;
  arguments.inputs = inputs;
  arguments.last_use = std::span(last_use.get(), inputs.size());
  arguments.outputs = std::span(&output, 1);
  arguments.scratch = &scratch;
  arguments.stop = stop;
  try {
    layer.lower({})->run(arguments);
  } catch (...) {
    EXPECT_FALSE(output.has_value());
    throw;
  }
  EXPECT_TRUE(output.has_value());
}

void expect_stops(const Layer& layer) {
  SCOPED_TRACE(layer.name());
  std::stop_source source;
  EXPECT_NO_THROW(run_first(layer, source.get_token()));
  source.request_stop();
  EXPECT_THROW(run_first(layer, source.get_token()), Cancelled);
}

TEST(Stop, EveryKindOfTaskThatMayBeLongLooksAtTheRequest) {
  const AxisChunksPtr rows = AxisChunks::regular(900, 300);
  const Port x = full({rows, AxisChunks::regular(8, 4)});
  expect_stops(ReduceLayer(ops::Reduction::sum, DType::float64, x, Axes{0}));
  expect_stops(RechunkLayer(x, {AxisChunks::whole(900), AxisChunks::whole(8)}));
  const Port truth = full({rows}, DType::bool_);
  expect_stops(MaskLayer(x, truth, AxisChunks::unknown(*rows)));
  const Port parts = full({AxisChunks::regular(3, 1), AxisChunks::whole(5)});
  expect_stops(CombineLayer(ops::Reduction::sum, parts, Axes{0}, 2));
  const Port state = full({AxisChunks::regular(3, 1), AxisChunks::whole(3)});
  expect_stops(CombineLayer(ops::Reduction::moments, state, Axes{0}, 2));
  expect_stops(FinishMomentsLayer(FinishMomentsLayer::Moment::std, 1, DType::float32, state));
  expect_stops(MatmulLayer(x, full({x.layer->outputs()[0].chunks[1], AxisChunks::whole(3)})));
}

}  // namespace
}  // namespace tuff::graph
