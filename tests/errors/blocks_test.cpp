// What is refused of blocks, chunks, results and ports that callers put together, and what is said. Sources:
// block.h, compute.h, creation.h, graph/layer.h, delayed.h.
#include <limits>

#include "tests/errors/errors.h"

namespace tuff::error_test {
namespace {

class BlockErrors : public Errors {
 protected:
  static Chunks chunks_of(int64_t extent, int64_t size) {
    return {AxisChunks::regular(extent, size)};
  }
  static Block block(int64_t extent) { return Block::copy_of<double>(values(extent), {extent}); }
  static std::vector<double> values(int64_t extent) {
    return std::vector<double>(static_cast<size_t>(extent), 1.0);
  }
};

using Sizes = std::vector<std::vector<int64_t>>;

TEST_F(BlockErrors, AResultIsMadeOfTheBlocksThatItsChunksSay) {
  const DType f = DType::float64;
  EXPECT_EQ(Result(f, chunks_of(5, 3), {block(3), block(2)}).to_vector<double>(), values(5));
  EXPECT_REFUSED(
      "[result] block (0,) is float64 of shape (2,); it must be float64 and fit chunks "
      "((100000000,),)",
      Result(f, chunks_of(100'000'000, 100'000'000), {block(2)}));
  EXPECT_REFUSED("[result] 1 blocks for shape (5,) in (2,) blocks; 2 are needed",
                 Result(f, chunks_of(5, 3), {block(3)}));
  EXPECT_REFUSED("[result] 0 blocks for shape (5,) in (2,) blocks; 2 are needed",
                 Result(f, chunks_of(5, 3), {}));
  EXPECT_REFUSED(
      "[result] block (1,) is an empty block; it must be float64 and fit chunks ((3, 2),)",
      Result(f, chunks_of(5, 3), {block(3), Block()}));
  EXPECT_REFUSED(
      "[result] block (0,) is float64 of shape (3,); it must be int8 and fit chunks ((3, 2),)",
      Result(DType::int8, chunks_of(5, 3), {block(3), block(2)}));
  EXPECT_REFUSED("[result] block () is float64 of shape (1,); it must be float64 and fit chunks ()",
                 Result(f, {}, {block(1)}));
  EXPECT_REFUSED("[result] axis 0 of 1 has no chunks", Result(f, Chunks(1, nullptr), {block(1)}));
  EXPECT_REFUSED("[result] chunks ((? x 1),); known extents are needed",
                 Result(f, {AxisChunks::unknown(*AxisChunks::whole(2))}, {block(2)}));
  EXPECT_REFUSED("[result] an empty block; it has no dtype and no shape", Result(Block()));
  EXPECT_REFUSED(
      "[result] dtype number 77 is not an element type; accepted are bool, int8, int16, int32, "
      "int64, uint8, uint16, uint32, uint64, float32, float64",
      Result(static_cast<DType>(77), chunks_of(2, 2), {block(2)}));
}

TEST_F(BlockErrors, ABlockThatWasTakenOutOfAResultIsMissed) {
  const Plan plan = compile({y.port()});
  const auto broken = [&] {
    Result result = plan.run()[0];
    result.blocks()[1] = Block();
    return result;
  };
  const std::string text =
      "block (1,) is an empty block; it must be float64 and fit chunks ((2, 2, 1),)";
  EXPECT_REFUSED("[result] " + text, broken().gather());
  EXPECT_REFUSED("[result] " + text, broken().to_vector<double>());
  EXPECT_REFUSED("[memory] " + text, Array(broken()));
  const Parameter p("p", {5}, DType::float64, 2);
  EXPECT_REFUSED("[parameter p] " + text, compile({p * 2.0}).run({{p, broken()}}));
  Result longer = plan.run()[0];
  longer.blocks().push_back(block(2));
  EXPECT_REFUSED("[result] 4 blocks for shape (5,) in (3,) blocks; 3 are needed", longer.gather());
}

TEST_F(BlockErrors, MemoryIsWithinReach) {
  const std::vector<double> memory = values(12);
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const auto from = [&](const Dims& shape, const Dims& strides) {
    return from_memory(memory.data(), shape, {.strides = strides});
  };
  EXPECT_EQ(sum(from({3, 4}, {4, 1})).compute<double>(), 12);
  EXPECT_EQ(sum(from({1 << 20}, {0})).compute<double>(), 1 << 20);
  EXPECT_REFUSED(
      "[from_memory] shape (3,) of float64 with strides (9223372036854775807,) reaches 2^62 bytes "
      "away or more; less is accepted",
      from({3}, {kMost}));
  EXPECT_REFUSED(
      "[from_memory] shape (2, 2) of float64 with strides (1152921504606846975, -4) reaches 2^62 "
      "bytes away or more; less is accepted",
      from({2, 2}, {kMost / 8, -4}));
  EXPECT_REFUSED("[from_memory] 1 strides for shape (3, 4); one for each of its 2 axes is needed",
                 from({3, 4}, {1}));
}

TEST_F(BlockErrors, BlockSizesThatWrapAreRefusedWhereverTheyAreGiven) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  // 10 modulo 2^64.
  const Sizes sizes = {{kMost, kMost, 12}};
  const std::string text =
      "blocks of axis 0, one of size 9223372036854775807, add up to 2^63 or more; its extent is 10";
  EXPECT_REFUSED("[zeros] " + text, zeros({10}, {.chunks = sizes}));
  EXPECT_REFUSED("[arange] " + text, arange(0, 10, 1, {.chunks = sizes}));
  EXPECT_REFUSED("[normal] " + text, random::normal({10}, {.chunks = sizes}));
  EXPECT_REFUSED("[rechunk] " + text, zeros({10}).rechunk(sizes));
  EXPECT_REFUSED("[from_block] " + text, from_block(block(10), sizes));
  EXPECT_REFUSED("[parameter] " + text, Parameter("p", {10}, DType::float64, sizes));
  const std::vector<int64_t> ones(1 << 15, 1);
  EXPECT_REFUSED(
      "[zeros] shape (32768, 32768) in (32768, 32768) blocks makes more than 268435456 blocks; "
      "give larger chunks",
      zeros({1 << 15, 1 << 15}, {.chunks = Sizes{ones, ones}}));
}

TEST_F(BlockErrors, ArraysThatBroadcastToMoreThanCanBeCountedAreRefused) {
  constexpr int64_t kMuch = int64_t{1} << 40;
  const Array column = zeros({kMuch, 1}, {.chunks = -1});
  const Array row = zeros({1, kMuch}, {.chunks = -1});
  const std::string bytes = " takes 2^63 bytes or more; less is accepted";
  const std::string square = "shape (1099511627776, 1099511627776) of ";
  EXPECT_REFUSED("[add] " + square + "float64" + bytes, column + row);
  EXPECT_REFUSED("[less] " + square + "bool" + bytes, column < row);
  EXPECT_REFUSED("[where] " + square + "float64" + bytes, where(column > 0.0, row, 1.0));
  EXPECT_REFUSED("[matmul] " + square + "float64" + bytes, matmul(column, row));
  EXPECT_REFUSED("[broadcast_to] " + square + "float64" + bytes, broadcast_to(row, {kMuch, kMuch}));
  const Array cut = zeros({1 << 20, 1}, {.chunks = 1});
  EXPECT_REFUSED(
      "[add] shape (1048576, 1048576) in (1048576, 1048576) blocks makes more than 268435456 "
      "blocks; give larger chunks",
      cut + cut.transpose());
}

TEST_F(BlockErrors, ArraysThatGrowBeyondWhatCanBeCountedAreRefused) {
  constexpr int64_t kHalf = int64_t{1} << 61;
  const Array bytes = zeros({kHalf}, {.dtype = DType::int8, .chunks = -1});
  EXPECT_REFUSED(
      "[astype] shape (2305843009213693952,) of float64 takes 2^63 bytes or more; less is accepted",
      bytes.astype(DType::float64));
  EXPECT_REFUSED(
      "[exp] shape (2305843009213693952,) of float64 takes 2^63 bytes or more; less is accepted",
      exp(bytes));
  EXPECT_REFUSED("[concatenate] axis 0 of 4 arrays adds up to 2^63 or more",
                 concatenate({bytes, bytes, bytes, bytes}));
  EXPECT_REFUSED(
      "[concatenate] shape (4, 2305843009213693952) of int8 takes 2^63 bytes or more; less is "
      "accepted",
      stack({bytes, bytes, bytes, bytes}));
  const Array column = bytes[{whole, newaxis}];
  EXPECT_REFUSED(
      "[sum] shape (2305843009213693952, 1) of int64 takes 2^63 bytes or more; less is accepted",
      sum(column, 1));
  EXPECT_REFUSED(
      "[var] shape (2305843009213693952, 1, 3) of float64 takes 2^63 bytes or more; less is "
      "accepted",
      var(column, 1));
}

TEST_F(BlockErrors, PortsAreOutputsOfLayersThatYieldBlocks) {
  const std::string none = "a port without a layer; that of an array is needed";
  EXPECT_REFUSED("[array] " + none, Array(graph::Port()));
  EXPECT_REFUSED("[compile] " + none, compile({graph::Port()}));
  EXPECT_REFUSED("[compile] " + none, compute(std::vector<graph::Port>{{}}));
  EXPECT_REFUSED("[persist] " + none, persist({graph::Port()}));
  EXPECT_REFUSED("[delayed] " + none, Delayed<int>(graph::Port()));
  EXPECT_REFUSED("[serialize] " + none, graph::serialize({{graph::Port()}, {}}));
  EXPECT_REFUSED("[graph] " + none, describe({graph::Port()}));
  EXPECT_REFUSED("[graph] " + none, to_dot({graph::Port()}));
  EXPECT_REFUSED("[array] output 7 of a layer 'full', which has 1",
                 Array(graph::Port{x.port().layer, 7}));
  const auto load = delayed([] { return 1; }, "load");
  const std::string value = "'load' yields a value; from_delayed makes an array of blocks";
  EXPECT_REFUSED("[array] " + value, Array(load().port()));
  EXPECT_REFUSED("[compile] " + value, compile({load().port()}));
  EXPECT_REFUSED("[persist] " + value, persist({load().port()}));
}

TEST_F(BlockErrors, AHandleOfAnotherTypeIsNoticed) {
  const auto load = delayed([] { return 1; }, "load");
  EXPECT_REFUSED("[compute] the task yielded int; its handle promised double",
                 Delayed<double>(load().port()).compute());
  EXPECT_REFUSED("[compute] the task yielded int; its handle promised double",
                 compute(std::vector<Delayed<double>>{Delayed<double>(load().port())}));
  TaskGraph tasks;
  tasks.add("one", [] { return 1; });
  EXPECT_REFUSED("[compute] the task yielded int; its handle promised double",
                 compute(tasks, tasks.ref<double>("one")));
}

TEST_F(BlockErrors, OperationsAreAppliedToAsManyOperandsAsTheyHave) {
  using kernels::Elementwise;
  EXPECT_REFUSED("[add] 1 operands; 2 are needed", apply(Elementwise::add, {x}));
  EXPECT_REFUSED("[exp] 2 operands; 1 are needed", apply(Elementwise::exp, {x, y}));
  EXPECT_REFUSED("[where] 0 operands; 3 are needed", apply(Elementwise::where, {}));
  EXPECT_REFUSED("[apply] operation number 200; 0 to 38 are accepted",
                 apply(static_cast<Elementwise>(200), {x}));
}

TEST_F(BlockErrors, WhatCallablesYieldIsCheckedAndNamed) {
  const auto wrong = delayed([] { return Block::scalar(1.0F); }, "wrong");
  EXPECT_RUN_FAILS(
      "[run] task 1 (from_delayed) on block () failed: [from_delayed] expected float64 of shape "
      "(); the callable returned float32 of shape ()",
      from_delayed(wrong(), DType::float64, {}).compute());
  const BlockFunction smaller = [](const BlockInfo&) { return Block::scalar(1.0); };
  EXPECT_RUN_FAILS(
      "[run] task 0 (from_function) on block (0,) failed: [from_function] block (0,) must be "
      "float64 of shape (3,); the callable returned float64 of shape ()",
      from_function(smaller, {3}).compute());
}

}  // namespace
}  // namespace tuff::error_test
