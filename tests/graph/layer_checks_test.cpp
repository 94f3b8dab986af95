// What the constructor of each kind of layer refuses: the checks that its tasks and the reader of messages rely on.
#include <limits>

#include <gtest/gtest.h>

#include "tuff/graph/callable.h"
#include "tuff/graph/combine.h"
#include "tuff/graph/concatenate.h"
#include "tuff/graph/elementwise_layer.h"
#include "tuff/graph/generated_layers.h"
#include "tuff/graph/matmul_layer.h"
#include "tuff/graph/movement.h"
#include "tuff/graph/reduce_layer.h"
#include "tuff/graph/relabel_layer.h"
#include "tuff/graph/sources.h"

namespace tuff::graph {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

template <class L, class... Args>
std::string refusal(Args&&... args) {
  try {
    static_cast<void>(L(std::forward<Args>(args)...));
    return "made";
  } catch (const InvalidArgument& error) {
    return error.what();
  }
}

Port full(const Chunks& chunks, DType dtype = DType::float64) {
  return {std::make_shared<FullLayer>(dtype, chunks, std::array<std::byte, 8>{}), 0};
}

AxisChunksPtr cut(int64_t extent, int64_t size) { return AxisChunks::regular(extent, size); }

class LayerChecks : public ::testing::Test {
 protected:
  const AxisChunksPtr ten = cut(10, 4);
  const AxisChunksPtr one = AxisChunks::whole(1);
  const AxisChunksPtr some = AxisChunks::unknown(*ten);
  const Chunks grid{ten, cut(6, 3)};
  const Port x = full(grid);
  const Port row = full({ten});
  const Port truth = full({ten}, DType::bool_);
  const Port masked{std::make_shared<MaskLayer>(row, truth, some), 0};
};

TEST_F(LayerChecks, OutputsHaveASizeThatCanBeCounted) {
  const AxisChunksPtr longest = AxisChunks::whole(int64_t{1} << 40);
  const AxisChunksPtr many = cut(1 << 20, 1);
  EXPECT_EQ(refusal<FullLayer>(DType::int8, Chunks{longest, longest}, std::array<std::byte, 8>{}),
            "[full] shape (1099511627776, 1099511627776) of int8 takes 2^63 bytes or more; less is "
            "accepted");
  EXPECT_EQ(refusal<FullLayer>(DType::int8, Chunks{many, many}, std::array<std::byte, 8>{}),
            "[full] shape (1048576, 1048576) in (1048576, 1048576) blocks makes more than "
            "268435456 blocks; give larger chunks");
  // Each operand is small; what they broadcast to is not.
  EXPECT_EQ(refusal<ElementwiseLayer>(ops::Elementwise::add,
                                      std::vector<Port>{full({longest, one}), full({one, longest})},
                                      Chunks{longest, longest}),
            "[array] shape (1099511627776, 1099511627776) of float64 takes 2^63 bytes or more; "
            "less is accepted");
  EXPECT_EQ(
      refusal<CastLayer>(full({AxisChunks::whole(int64_t{1} << 61)}, DType::int8), DType::float64),
      "[array] shape (2305843009213693952,) of float64 takes 2^63 bytes or more; less is "
      "accepted");
  EXPECT_EQ(refusal<MatmulLayer>(full({longest, one}), full({one, longest})),
            "[array] shape (1099511627776, 1099511627776) of float64 takes 2^63 bytes or more; "
            "less is accepted");
}

TEST_F(LayerChecks, GeneratedArraysAreKnownAndTheirPositionsInRange) {
  const std::array<std::byte, 8> two{std::byte{2}};
  EXPECT_EQ(refusal<FullLayer>(DType::bool_, Chunks{ten}, two),
            "[full] a truth value that is neither 0 nor 1");
  EXPECT_EQ(refusal<FullLayer>(DType::int8, Chunks{ten}, two), "made");
  EXPECT_NE(refusal<FullLayer>(DType::int8, Chunks{some}, two).find("known extents are needed"),
            std::string::npos);
  EXPECT_NE(refusal<IndexLayer>(some).find("[index] shape (?"), std::string::npos);
  const auto index = [&](int64_t first, int64_t step) {
    return refusal<IndexLayer>(ten, first, step);
  };
  const auto normal = [&](int64_t first, const Dims& strides) {
    return refusal<RandomLayer>(true, kernels::RandomKey{1, 2}, DType::float64, Chunks{ten}, first,
                                strides);
  };
  EXPECT_EQ(index(90, -10), "made");
  EXPECT_EQ(normal(90, {-10}), "made");
  EXPECT_EQ(normal(5, {0}), "made");
  EXPECT_EQ(index(kMost - 10, 1), "made");
  EXPECT_EQ(index(-1, 1),
            "[index] positions from -1 on with strides (1,) for shape (10,) are out of range; 0 to "
            "2^63 - 2 are accepted");
  EXPECT_EQ(normal(-1, {1}),
            "[random] positions from -1 on with strides (1,) for shape (10,) are out of range; 0 "
            "to 2^63 - 2 are accepted");
  for (const auto& [first, step] :
       {std::pair<int64_t, int64_t>{89, -10}, {kMost - 9, 1}, {kMost, 1}, {0, kMost}}) {
    EXPECT_NE(index(first, step).find("out of range"), std::string::npos) << first;
    EXPECT_NE(normal(first, {step}).find("out of range"), std::string::npos) << first;
  }
  EXPECT_NE(normal(0, {1, 1}).find("out of range"), std::string::npos);
  EXPECT_EQ(refusal<RandomLayer>(true, kernels::RandomKey{1, 2}, DType::int8, Chunks{ten}),
            "[random] dtype int8; float32 and float64 are accepted");
}

TEST_F(LayerChecks, RelabelledAxesAreThereOnceAndFit) {
  const auto relabel = [&](const Port& input, const LabelMap& from, const Chunks& chunks) {
    return refusal<RelabelLayer>(input, from, chunks);
  };
  EXPECT_EQ(relabel(x, {1, 0}, {grid[1], grid[0]}), "made");
  EXPECT_EQ(relabel(x, {1, 0}, grid), "[relabel] axes cut differently");
  EXPECT_EQ(relabel(x, {0, 2}, grid), "[relabel] an axis out of range");
  EXPECT_EQ(relabel(x, {0, -7}, grid), "[relabel] an axis out of range");
  EXPECT_EQ(relabel(x, {0, 0}, {ten, ten}), "[relabel] an axis used twice");
  EXPECT_EQ(relabel(x, {0}, {ten}), "[relabel] a dropped axis of extent other than 1");
  EXPECT_EQ(relabel(x, {0, 1}, {ten}), "[relabel] chunks of another rank");
  EXPECT_EQ(relabel(row, {0, kNoLabel}, {ten, some}), "[relabel] a new axis of unknown extent");
  EXPECT_EQ(relabel(full({one}), {0}, {some}), "[relabel] axes cut differently");
  EXPECT_EQ(relabel(full({one}), {0}, {ten}), "made");
}

TEST_F(LayerChecks, OperandsBroadcastAndHaveTypesOfTheTable) {
  const auto add = [&](const std::vector<Port>& inputs, const Chunks& space,
                       ops::OperationTypes types = {DType::float64, DType::float64}) {
    return refusal<ElementwiseLayer>(ops::Elementwise::add, inputs, space, types);
  };
  EXPECT_EQ(add({x, full({grid[1]})}, grid), "made");
  EXPECT_EQ(add({x}, grid), "[add] a wrong number of operands");
  EXPECT_EQ(add({x, row}, grid), "[add] operands cut differently");
  EXPECT_EQ(add({x, row}, {ten}), "[add] an operand of higher rank than its result");
  EXPECT_EQ(add({full({one}), full({one})}, {some}), "[add] an unknown extent that no operand has");
  EXPECT_EQ(add({masked, full({one})}, {some}), "made");
  EXPECT_EQ(add({x, x}, grid, {DType::float64, DType::int8}),
            "[add] int8 of operands of type float64");
  EXPECT_EQ(refusal<ElementwiseLayer>(ops::Elementwise::exp, std::vector<Port>{x}, grid,
                                      ops::OperationTypes{DType::int32, DType::float64}),
            "[exp] float64 of operands of type int32");
}

TEST_F(LayerChecks, ReductionsHaveAxesAndKernels) {
  const auto reduce = [&](ops::Reduction reduction, DType element, const Axes& axes) {
    return refusal<ReduceLayer>(reduction, element, x, axes);
  };
  using R = ops::Reduction;
  EXPECT_EQ(reduce(R::sum, DType::float64, {0, 1}), "made");
  EXPECT_EQ(reduce(R::sum, DType::float64, {1, 0}), "[sum] axes (1, 0) of an array of rank 2");
  EXPECT_EQ(reduce(R::sum, DType::float64, {0, 0}), "[sum] axes (0, 0) of an array of rank 2");
  EXPECT_EQ(reduce(R::max, DType::float64, {2}), "[max] axes (2,) of an array of rank 2");
  EXPECT_EQ(reduce(R::max, DType::float64, {-1}), "[max] axes (-1,) of an array of rank 2");
  EXPECT_EQ(reduce(R::sum, DType::int8, {0}), "[sum] elements of type int8");
  EXPECT_EQ(reduce(R::moments, DType::float64, {}), "[moments] no axes; at least one is needed");
  EXPECT_EQ(refusal<ReduceLayer>(R::moments, DType::float64, full(Chunks(8, one)), Axes{0}),
            "[moments] rank 8; at most 7 is accepted");
}

TEST_F(LayerChecks, FactorsGoTogether) {
  EXPECT_EQ(refusal<MatmulLayer>(row, row), "made");
  EXPECT_EQ(refusal<MatmulLayer>(x, row),
            "[matmul] float64 ((4, 4, 2), (3, 3)) x float64 ((4, 4, 2),): factors of one type with "
            "the inner axis cut alike are needed");
  EXPECT_NE(refusal<MatmulLayer>(row, full({ten}, DType::float32)).find("factors of one type"),
            std::string::npos);
  EXPECT_NE(refusal<MatmulLayer>(full({}), row).find("factors of one type"), std::string::npos);
  EXPECT_NE(refusal<MatmulLayer>(full({one, one, ten}), row).find("factors of one type"),
            std::string::npos);
}

TEST_F(LayerChecks, PartsOfATreeAreReduced) {
  const auto combine = [](const Port& input, const Axes& axes, int64_t fan_in,
                          ops::Reduction reduction = ops::Reduction::sum) {
    return refusal<CombineLayer>(reduction, input, axes, fan_in);
  };
  const Port parts = full({cut(3, 1), one});
  EXPECT_EQ(combine(parts, {0, 1}, 2), "made");
  EXPECT_EQ(combine(parts, {0}, 1), "[combine] a fan-in of 1; 2 to 268435456 are accepted");
  EXPECT_EQ(combine(parts, {1, 0}, 2), "[combine] axes (1, 0) of an array of rank 2");
  EXPECT_EQ(combine(x, {0}, 2), "[combine] axis 0 has blocks of other than one element");
  EXPECT_EQ(combine(full({AxisChunks::of(std::vector<int64_t>{1, 0, 1})}), {0}, 2),
            "[combine] axis 0 has blocks of other than one element");
  EXPECT_EQ(combine(full({one}, DType::int8), {0}, 2), "[combine] elements of type int8");
  const Port state = full({cut(3, 1), AxisChunks::whole(3)});
  EXPECT_EQ(combine(state, {0}, 2, ops::Reduction::moments), "made");
  EXPECT_EQ(combine(parts, {0}, 2, ops::Reduction::moments),
            "[combine] moments without their axis");
  const auto finish = [](const Port& input, double ddof, DType dtype) {
    return refusal<FinishMomentsLayer>(FinishMomentsLayer::Moment::var, ddof, dtype, input);
  };
  EXPECT_EQ(finish(state, 1, DType::float32), "made");
  EXPECT_EQ(finish(parts, 1, DType::float32), "[finish_moments] moments without their axis");
  EXPECT_EQ(finish(state, 1, DType::int8),
            "[finish_moments] int8 with ddof 1; float32 or float64 and a finite number are "
            "accepted");
  EXPECT_EQ(refusal<RequireElementsLayer>("min", x, full(grid, DType::int64)), "made");
  EXPECT_EQ(refusal<RequireElementsLayer>("min", x, full({one, one}, DType::int64)),
            "[require_elements] counts int64 ((1,), (1,)) of ((4, 4, 2), (3, 3)); int64 in the "
            "same grid are needed");
}

TEST_F(LayerChecks, ArraysThatAreJoinedFit) {
  const auto join = [](const std::vector<Port>& parts, size_t axis) {
    return refusal<ConcatenateLayer>(parts, axis);
  };
  EXPECT_EQ(join({x, x}, 0), "made");
  EXPECT_EQ(join({}, 0), "[concatenate] no arrays; at least one is needed");
  EXPECT_EQ(join({x}, 2), "[concatenate] axis 2 of arrays of rank 2");
  EXPECT_EQ(join({x, full({ten, cut(6, 2)})}, 0),
            "[concatenate] array 1 is float64 ((4, 4, 2), (2, 2, 2)), which does not fit float64 "
            "((4, 4, 2), (3, 3)) along axis 0");
  EXPECT_NE(join({x, full(grid, DType::int8)}, 0).find("array 1 is int8"), std::string::npos);
  EXPECT_NE(join({masked, masked}, 0).find("does not fit"), std::string::npos);
  // 300 times 2^20 blocks, named in a few bytes.
  EXPECT_EQ(join(std::vector<Port>(300, full({cut(1 << 20, 1)})), 0),
            "[concatenate] more than 268435456 blocks along axis 0");
  EXPECT_EQ(join({full({AxisChunks::whole(int64_t{1} << 59)}),
                  full({AxisChunks::whole(int64_t{1} << 59)})},
                 0),
            "[array] shape (1152921504606846976,) of float64 takes 2^63 bytes or more; less is "
            "accepted");
}

TEST_F(LayerChecks, SlicesLieInside) {
  const auto slice = [&](const Port& input, int64_t start, int64_t step, int64_t count) {
    return refusal<SliceLayer>(input, Slices{AxisSlice{start, step, count, false}});
  };
  EXPECT_EQ(slice(row, 9, -3, 4), "made");
  EXPECT_EQ(slice(row, 9, -3, 5),
            "[slice] 5 elements from 9 on in steps of -3 of axis 0, of extent 10");
  EXPECT_EQ(slice(row, 10, 1, 1),
            "[slice] 1 elements from 10 on in steps of 1 of axis 0, of extent 10");
  EXPECT_EQ(slice(row, 0, 0, 2),
            "[slice] 2 elements from 0 on in steps of 0 of axis 0, of extent 10");
  EXPECT_NE(slice(row, 0, kMost, 3), "made");
  EXPECT_NE(slice(row, 0, 1, -1), "made");
  EXPECT_NE(slice(row, 0, 1, kMost), "made");
  // The step of one element means nothing, whatever it is.
  EXPECT_EQ(slice(row, 9, std::numeric_limits<int64_t>::min(), 1), "made");
  EXPECT_EQ(slice(masked, 0, 1, 2),
            "[slice] 2 elements from 0 on in steps of 1 of axis 0, of extent unknown");
  EXPECT_EQ(refusal<SliceLayer>(x, Slices{AxisSlice{0, 1, 1, false}}),
            "[slice] 1 slices of an array of rank 2");
}

TEST_F(LayerChecks, OtherChunksAreOfTheSameArray) {
  EXPECT_EQ(refusal<RechunkLayer>(row, Chunks{cut(10, 3)}), "made");
  EXPECT_EQ(refusal<RechunkLayer>(row, Chunks{cut(9, 3)}),
            "[rechunk] chunks ((4, 4, 2),) to others of another extent or rank");
  EXPECT_NE(refusal<RechunkLayer>(x, Chunks{ten}), "made");
  EXPECT_NE(refusal<RechunkLayer>(row, Chunks{nullptr}), "made");
  EXPECT_EQ(refusal<RechunkLayer>(masked, Chunks{some}), "made");
  EXPECT_NE(refusal<RechunkLayer>(masked, Chunks{AxisChunks::unknown(*ten)}), "made");
  EXPECT_EQ(refusal<AssumeChunksLayer>(masked, Chunks{cut(10, 4)}), "made");
  EXPECT_NE(refusal<AssumeChunksLayer>(masked, Chunks{cut(10, 3)}), "made");
  EXPECT_EQ(refusal<AssumeChunksLayer>(row, Chunks{cut(12, 4)}),
            "[assume_chunks] chunks ((4, 4, 2),) to others that they cannot be");
}

TEST_F(LayerChecks, MasksAreCutAsWhatTheyChooseFrom) {
  const auto mask = [](const Port& array, const Port& chosen, const AxisChunksPtr& selected) {
    return refusal<MaskLayer>(array, chosen, selected);
  };
  EXPECT_EQ(mask(x, truth, some), "made");
  EXPECT_EQ(mask(x, row, some),
            "[mask] float64 ((4, 4, 2), (3, 3)) by float64 ((4, 4, 2),); a bool mask is needed "
            "that is cut alike");
  EXPECT_NE(mask(x, truth, ten), "made");                               // a known extent
  EXPECT_NE(mask(x, truth, AxisChunks::unknown(*cut(10, 5))), "made");  // other blocks
  EXPECT_NE(mask(x, truth, AxisChunks::unknown(*cut(9, 3))), "made");   // smaller bounds
  EXPECT_NE(mask(x, full(grid, DType::bool_), some), "made");           // rows in two blocks
  EXPECT_NE(mask(x, full({cut(10, 5)}, DType::bool_), some), "made");
}

TEST_F(LayerChecks, BlocksInMemoryAreThoseOfTheChunks) {
  const auto memory = [](const Chunks& chunks, const std::vector<Block>& blocks) {
    return refusal<MemoryLayer>(DType::float64, chunks, blocks);
  };
  const auto block = [](const Dims& shape) { return Block::allocate(DType::float64, shape); };
  EXPECT_EQ(memory({ten}, {block({4}), block({4}), block({2})}), "made");
  EXPECT_EQ(memory({ten}, {block({4}), block({4})}),
            "[memory] 2 blocks for shape (10,) in (3,) blocks; 3 are needed");
  EXPECT_EQ(memory({ten}, {block({4}), block({3}), block({2})}),
            "[memory] block (1,) is float64 of shape (3,); it must be float64 and fit chunks "
            "((4, 4, 2),)");
  EXPECT_EQ(memory({ten}, {block({4}), Block(), block({2})}),
            "[memory] block (1,) is an empty block; it must be float64 and fit chunks "
            "((4, 4, 2),)");
  EXPECT_NE(memory({ten}, {block({4}), block({4}), Block::allocate(DType::float32, {2})}), "made");
  EXPECT_NE(memory({ten}, {block({4}), block({4, 1}), block({2})}), "made");
  EXPECT_EQ(memory({some}, {block({0}), block({4}), block({1})}), "made");
  EXPECT_NE(memory({some}, {block({5}), block({4}), block({1})}), "made");
  // All blocks of a row are equally high, whatever the symbol is.
  const Chunks two{AxisChunks::unknown(*AxisChunks::whole(4)), cut(4, 2)};
  EXPECT_EQ(memory(two, {block({3, 2}), block({3, 2})}), "made");
  EXPECT_NE(memory(two, {block({3, 2}), block({2, 2})}), "made");
  EXPECT_EQ(refusal<MemoryLayer>(block({10}), Chunks{ten}), "made");
  EXPECT_EQ(refusal<MemoryLayer>(block({9}), Chunks{ten}),
            "[memory] a block of shape (9,) in chunks ((4, 4, 2),)");
  EXPECT_EQ(refusal<MemoryLayer>(Block(), Chunks{ten}),
            "[memory] an empty block; it has no dtype and no shape");
}

TEST_F(LayerChecks, CallablesAndParametersHaveKnownShapesAndOneBlockPerInput) {
  const BlockFunction function = [](const BlockInfo&) { return Block(); };
  EXPECT_EQ(refusal<FunctionLayer>(function, "", DType::int8, Chunks{ten}), "made");
  EXPECT_EQ(refusal<FunctionLayer>(nullptr, "", DType::int8, Chunks{ten}),
            "[from_function] an empty callable");
  EXPECT_NE(refusal<FunctionLayer>(function, "", DType::int8, Chunks{some}), "made");
  EXPECT_NE(refusal<ParameterLayer>("p", DType::int8, Chunks{some}), "made");
  const CallFunction call = [](std::span<Value* const>, std::span<const bool>, std::span<Value>) {};
  EXPECT_EQ(refusal<CallLayer>(call, "call", std::vector<Port>{full({one})}), "made");
  EXPECT_EQ(refusal<CallLayer>(call, "call", std::vector<Port>{row}),
            "[call] input 0 has 3 blocks; one is needed");
  EXPECT_EQ(refusal<CallLayer>(nullptr, "call", std::vector<Port>{}), "[call] an empty callable");
  EXPECT_EQ(refusal<CallLayer>(call, "call", std::vector<Port>{}, 0U),
            "[call] no outputs; at least one is needed");
  EXPECT_EQ(refusal<FromValuesLayer>(std::vector<Port>{full({one})}, DType::int8, Chunks{ten}),
            "[from_delayed] 1 values for chunks ((4, 4, 2),); 3 and known extents are needed");
  EXPECT_EQ(refusal<FromValuesLayer>(std::vector<Port>{row}, DType::int8, Chunks{one}),
            "[from_delayed] input 0 has 3 blocks; one is needed");
  EXPECT_EQ(refusal<PickLayer>(x, 5U), "made");
  EXPECT_EQ(refusal<PickLayer>(x, 6U), "[to_delayed] block 6 of an array in (3, 2) blocks");
}

TEST_F(LayerChecks, APickedBlockHasTheTypeAndTheShapeOfItsPlace) {
  const PickLayer last(x, 5);
  EXPECT_EQ(tuff::to_string(last.outputs()[0].chunks), "((2,), (3,))");
  const PickLayer unknown(masked, 2);
  EXPECT_FALSE(is_known(unknown.outputs()[0].chunks));
  EXPECT_EQ(unknown.outputs()[0].chunks[0]->size(0), 2);
  const LayerPtr again = unknown.with_inputs({masked});
  EXPECT_TRUE(same_chunks(again->outputs()[0].chunks[0], unknown.outputs()[0].chunks[0]));
}

TEST_F(LayerChecks, BlocksOfUnequalLengthsUnderOneSymbolFailTheirTask) {
  EXPECT_NO_THROW(check_alike("test", 3, 3));
  try {
    check_alike("test", 3, 4);
    ADD_FAILURE();
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(error.what(),
                 "[test] blocks of lengths 3 and 4 under one symbol; equal lengths are needed");
  }
}

TEST_F(LayerChecks, PortsAreOutputsOfLayers) {
  const auto refused = [](const Port& port) {
    try {
      check_port("test", port);
      return std::string("taken");
    } catch (const InvalidArgument& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(refused(x), "taken");
  EXPECT_EQ(refused({}), "[test] a port without a layer; that of an array is needed");
  EXPECT_EQ(refused({x.layer, 1}), "[test] output 1 of a layer 'full', which has 1");
  const CallFunction call = [](std::span<Value* const>, std::span<const bool>, std::span<Value>) {};
  EXPECT_EQ(refused({std::make_shared<CallLayer>(call, "load", std::vector<Port>{}), 0}),
            "[test] 'load' yields a value; from_delayed makes an array of blocks");
}

}  // namespace
}  // namespace tuff::graph
