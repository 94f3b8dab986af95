// Graphs share their layers; every kind of layer says which input elements a block needs.
#include "tuff/graph/layer.h"

#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tuff/graph/fused.h"
#include "tuff/graph/print.h"
#include "tuff/tuff.h"

namespace tuff::graph {
namespace {

using ::testing::ElementsAre;

Array in_memory(const Dims& shape, const ChunkSpec& chunks) {
  Block block = Block::allocate(DType::float64, shape);
  for (int64_t i = 0; i < block.size(); ++i) block.data<double>()[i] = static_cast<double>(i);
  return from_block(block, chunks);
}

size_t layer_count(const Array& x) { return layers_in_order({x.port()}).size(); }

TEST(Sharing, AnOperationHoldsTheVeryLayersBefore) {
  const Array x = in_memory({10}, 5);
  const Array y = x + 1.0;
  EXPECT_EQ(y.port().layer->inputs()[0].layer.get(), x.port().layer.get());
  const Array z = sum(y);
  EXPECT_EQ(layers_in_order({z.port()})[0].get(), x.port().layer.get());
}

TEST(Sharing, AnOperationAddsAFixedNumberOfLayers) {
  Array y = in_memory({10}, 5);
  for (int i = 0; i < 50; ++i) {
    const size_t before = layer_count(y);
    y = y * 2.0;
    EXPECT_EQ(layer_count(y), before + 2);  // the product and the number
  }
  const Array source = in_memory({10'000}, 1);  // 10,000 blocks
  EXPECT_EQ(layer_count(exp(source)), 2u);
  EXPECT_EQ(exp(source).chunks()[0].get(),
            source.chunks()[0].get());  // their sizes are shared, too
}

TEST(Sharing, OptimisingChangesNoArray) {
  const Array x = in_memory({10}, 5);
  const Array y = sum(exp(x) + exp(x));
  const auto layers = layers_in_order({y.port()});
  (void)y.compute();
  EXPECT_EQ(layers_in_order({y.port()}), layers);
}

TEST(LayersInOrder, InputsComeBeforeUsersAndEachOnce) {
  const Array x = in_memory({10}, 5);
  const Array e = exp(x);
  const Array y = (e + x) * (e - x);
  const auto layers = layers_in_order({y.port(), e.port(), y.port()});
  std::set<const Layer*> seen;
  for (const LayerPtr& layer : layers) {
    for (const Port& input : layer->inputs()) EXPECT_TRUE(seen.count(input.layer.get()) == 1);
    EXPECT_TRUE(seen.insert(layer.get()).second);
  }
  EXPECT_EQ(layers.size(), 5u);
  EXPECT_EQ(layers.back(), y.port().layer);
}

TEST(Replacements, ALayerWhoseInputsStayIsItself) {
  const Array x = in_memory({10}, 5);
  const Array other = in_memory({10}, 5);
  const Array y = x + exp(x);
  Replacements none;
  EXPECT_EQ(none.with_new_inputs(y.port().layer), y.port().layer);
  Replacements swap;
  swap.set(x.port().layer.get(), other.port().layer);
  const LayerPtr replaced = swap.with_new_inputs(y.port().layer);
  EXPECT_NE(replaced, y.port().layer);
  EXPECT_EQ(replaced->inputs()[0], other.port());
  EXPECT_EQ(replaced->inputs()[1], y.port().layer->inputs()[1]);
  EXPECT_EQ(replaced->name(), y.port().layer->name());
  EXPECT_EQ(y.port().layer->inputs()[0], x.port());  // the old one is as it was
  EXPECT_EQ(swap({y.port()}), y.port());
}

/// Changes one input block at a time: exactly the output blocks that say they read it may change.
void expect_honest(const std::string& name, const std::function<Array(const Array&)>& operation,
                   const Dims& shape, const ChunkSpec& chunks) {
  SCOPED_TRACE(name);
  Block whole_block = Block::allocate(DType::float64, shape);
  const auto fill = [&](int64_t poisoned_at) {
    for (int64_t i = 0; i < whole_block.size(); ++i)
      whole_block.data<double>()[i] = 1.0 + 0.01 * static_cast<double>(i);
    if (poisoned_at >= 0) whole_block.data<double>()[poisoned_at] = 1e6;
  };
  fill(-1);
  const Array x = from_block(whole_block, chunks);
  const Array y = operation(x);
  const Port& port = y.port();
  const Layer& layer = *port.layer;
  const Dims grid = grid_of(x.chunks());
  const std::vector<Result> before = compute({port});
  std::vector<std::vector<double>> base;
  for (const Block& b : before[0].blocks()) base.push_back(b.to_vector<double>());
  for (size_t block = 0; block < x.block_count(); ++block) {
    const Dims index = grid_index(block, grid);
    int64_t first = 0;
    bool empty = false;
    for (size_t a = 0; a < shape.size(); ++a) {
      const auto i = static_cast<size_t>(index[a]);
      empty = empty || x.chunks()[a]->size(i) == 0;
      first += x.chunks()[a]->offset(i) * whole_block.strides()[a];
    }
    if (empty) continue;
    fill(first);
    const std::vector<Result> after = compute({port});
    for (uint32_t b = 0; b < base.size(); ++b) {
      if (after[0].blocks()[b].to_vector<double>() == base[b]) continue;
      std::vector<InputBlock> reads;
      layer.inputs_of(layer.task_of(port.output, b), reads);
      const bool says_so = std::any_of(reads.begin(), reads.end(), [&](const InputBlock& r) {
        return layer.inputs()[r.input].layer == x.port().layer && r.block == block;
      });
      EXPECT_TRUE(says_so) << "output block " << b << " depends on input block " << block;
    }
  }
}

TEST(InputsOf, NamesEveryBlockThatAnOutputBlockDependsOn) {
  const Dims shape = {6, 8};
  const ChunkSpec chunks = {2, 4};
  expect_honest(
      "elementwise", [](const Array& x) { return exp(x * 1e-6) + x; }, shape, chunks);
  expect_honest(
      "plain exp", [](const Array& x) { return negative(x); }, shape, chunks);
  expect_honest(
      "transposed", [](const Array& x) { return x.transpose(); }, shape, chunks);
  expect_honest(
      "new axes",
      [](const Array& x) {
        return x[{newaxis, whole, newaxis, whole}];
      },
      shape, chunks);
  expect_honest(
      "slice",
      [](const Array& x) {
        return x[{Slice{1, 6, 2}, Slice{{}, {}, -3}}];
      },
      shape, chunks);
  expect_honest(
      "rechunk",
      [](const Array& x) {
        return x.rechunk({3, 5});
      },
      shape, chunks);
  expect_honest(
      "broadcast",
      [](const Array& x) {
        return broadcast_to(x, {4, 6, 8}, {2, 2, 4});
      },
      shape, chunks);
  expect_honest("product",
                [](const Array& x) {
                  return matmul(x, ones({8, 3}, {.chunks = -1}));
                },
                shape, {2, 8});
}

TEST(InputsOf, OfAFusedLayerNumbersTheBlocksOfEachOutput) {
  // Outputs of one fused layer may number their blocks differently: one as they are, one transposed.
  const Array x = in_memory({6, 8}, {2, 4});
  const Array e = x * 2.0;
  const Array t = e.transpose() + 1.0;
  const Plan plan = compile({e, t});
  const auto values = plan.run();
  EXPECT_EQ(values[0].to_vector<double>()[9], 18.0);
  EXPECT_EQ(values[1].to_vector<double>()[1], 17.0);  // t[0, 1] = 2 x[1, 0] + 1
  for (const Port& port : plan.outputs()) {
    const Layer& layer = *port.layer;
    std::set<uint32_t> tasks;
    const auto blocks = static_cast<uint32_t>(block_count(output_of(port).chunks));
    for (uint32_t b = 0; b < blocks; ++b) tasks.insert(layer.task_of(port.output, b));
    EXPECT_EQ(tasks.size(), blocks);
    EXPECT_EQ(*tasks.rbegin(), blocks - 1);
  }
}

TEST(Lower, ViewsOfMemoryAreNoTasks) {
  const Array x = in_memory({6, 8}, {2, 4});
  EXPECT_EQ(compile({x}).task_count(), 0u);
  EXPECT_EQ(compile({x[{Slice{1, 5}}]}).task_count(), 0u);
  EXPECT_EQ(compile({x.transpose()[{int64_t{3}}][{newaxis}]}).task_count(), 0u);
  EXPECT_EQ(x.transpose()[{int64_t{3}}][{newaxis}].to_vector<double>(),
            (std::vector<double>{3, 11, 19, 27, 35, 43}));
  const Parameter p("p", {4}, DType::float64, 2);
  EXPECT_EQ(compile({p}).task_count(), 0u);
  EXPECT_EQ(compile({p}).run({{p, std::vector<double>{1, 2, 3, 4}}})[0].to_vector<double>(),
            (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(compile({p[{Slice{1, 3}}]}).task_count(), 2u);  // known only in the run
}

TEST(Lower, TheSameOutputTwiceIsOneSlotReadTwice) {
  const Array y = exp(in_memory({6}, 3));
  const Plan plan = compile({y, y});
  const PlanArrays& arrays = plan.arrays();
  EXPECT_THAT(arrays.output_slots, ElementsAre(arrays.output_slots[0], arrays.output_slots[1],
                                               arrays.output_slots[0], arrays.output_slots[1]));
  EXPECT_EQ(plan.task_count(), 2u);
  const auto values = plan.run();
  EXPECT_EQ(values[0].to_vector<double>(), values[1].to_vector<double>());
}

TEST(Lower, AParameterThatNoOutputNeedsIsNotAskedFor) {
  const Parameter p("p", {4}, DType::float64);
  const Parameter q("q", {4}, DType::float64);
  const Array unused = p * q;
  EXPECT_EQ(compile({p + 1.0}).run({{p, std::vector<double>(4, 1.0)}})[0].to_vector<double>()[0],
            2.0);
}

TEST(Rechunk, ABlockInsideOneInputBlockIsAView) {
  const Array x = in_memory({12}, 6);
  const auto narrow = compute({x.rechunk(3)});
  const auto wide = compute({x.rechunk(4)});
  const auto& memory = dynamic_cast<const MemoryLayer&>(*x.port().layer);
  const auto shares = [&](const Block& block) {
    const std::byte* first = memory.block(0).bytes_data();
    return block.bytes_data() >= first && block.bytes_data() < first + 12 * 8;
  };
  for (const Block& block : narrow[0].blocks()) EXPECT_TRUE(shares(block));
  EXPECT_TRUE(shares(wide[0].blocks()[0]));
  EXPECT_FALSE(shares(wide[0].blocks()[1]));  // 4 .. 8 lies in two
  EXPECT_TRUE(shares(wide[0].blocks()[2]));
  EXPECT_EQ(wide[0].to_vector<double>()[7], 7.0);
}

TEST(Print, TextAndDotNameOperationsTasksAndShapes) {
  const Array x = in_memory({6, 4}, {3, 2});
  const Parameter p("a \"b\"", {4}, DType::float64, 2);
  const Array y = sum(x * p, 0).astype(DType::float32);
  EXPECT_EQ(to_text({y.port()}),
            "L0  memory  0 tasks  ->  float64 (6, 4) in (2, 2) blocks\n"
            "L1  parameter(a \"b\")  0 tasks  ->  float64 (4,) in (2,) blocks\n"
            "L2  multiply  4 tasks  <-  L0, L1  ->  float64 (6, 4) in (2, 2) blocks\n"
            "L3  sum(axes (0,))  4 tasks  <-  L2  ->  float64 (2, 4) in (2, 2) blocks\n"
            "L4  combine(axes (0,))  2 tasks  <-  L3  ->  float64 (1, 4) in (1, 2) blocks\n"
            "L5  relabel(axes (1))  2 tasks  <-  L4  ->  float64 (4,) in (2,) blocks\n"
            "L6  astype(float32)  2 tasks  <-  L5  ->  float32 (4,) in (2,) blocks\n");
  EXPECT_EQ(to_dot({(x * p).port()}),
            "digraph tuff {\n"
            "  rankdir=BT;\n"
            "  node [shape=box, fontname=\"sans-serif\"];\n"
            "  L0 [label=\"memory\\nfloat64 (6, 4) in (2, 2) blocks\"];\n"
            "  L1 [label=\"parameter(a \\\"b\\\")\\nfloat64 (4,) in (2,) blocks\"];\n"
            "  L2 [label=\"multiply\\nfloat64 (6, 4) in (2, 2) blocks\"];\n"
            "  L0 -> L2;\n"
            "  L1 -> L2;\n"
            "}\n");
}

// ---- sharing -------------------------------------------------------------------------------------

TEST(Sharing, AnOperationHoldsTheVeryLayersOfItsOperand) {
  const Array x = random::normal({100}, {.chunks = 10, .seed = 1});
  const Layer* const first = x.port().layer.get();
  Array y = x;
  std::vector<const Layer*> chain = {first};
  for (int i = 0; i < 20; ++i) {
    y = y + 1;
    EXPECT_EQ(y.port().layer->inputs()[0].layer.get(), chain.back());
    chain.push_back(y.port().layer.get());
  }
  EXPECT_EQ(x.port().layer.get(), first);
  // 20 additions, their 20 numbers, and the source.
  EXPECT_EQ(layers_in_order({y.port()}).size(), 41U);
}

TEST(Sharing, DiamondsHoldWhatTheyShareOnce) {
  const Array x = random::normal({100}, {.chunks = 10, .seed = 1});
  Array y = exp(x);
  for (int i = 0; i < 40; ++i) y = sin(y) + cos(y);  // 2^40 ways from the top to x
  EXPECT_EQ(layers_in_order({y.port(), y.port(), x.port()}).size(), 2U + 3 * 40);
}

}  // namespace
}  // namespace tuff::graph
