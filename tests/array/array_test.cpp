// Handles: operands, chunks, indices, masks and their symbols, parameters and results.
#include "tuff/array/array.h"

#include <gtest/gtest.h>

#include "tuff/tuff.h"

namespace tuff {
namespace {

using Sizes = std::vector<std::vector<int64_t>>;

std::string cut(const Array& x) { return to_string(x.chunks()); }

TEST(Operands, NumbersAreWeak) {
  const auto sum_type = [](DType type, const Operand& number) {
    return add(ones({2}, {.dtype = type}), number).dtype();
  };
  EXPECT_EQ(sum_type(DType::float32, 1.0), DType::float32);
  EXPECT_EQ(sum_type(DType::float32, 1), DType::float32);
  EXPECT_EQ(sum_type(DType::int8, 1), DType::int8);
  EXPECT_EQ(sum_type(DType::int8, uint64_t{1}), DType::int8);
  EXPECT_EQ(sum_type(DType::int8, true), DType::int8);
  EXPECT_EQ(sum_type(DType::int8, 1.0), DType::float64);
  EXPECT_EQ(sum_type(DType::bool_, 1), DType::int64);
  EXPECT_EQ(sum_type(DType::bool_, 1.0), DType::float64);
  EXPECT_EQ(sum_type(DType::bool_, true), DType::bool_);
  EXPECT_EQ((1 - ones({2}, {.dtype = DType::uint8})).dtype(), DType::uint8);
}

TEST(Operands, ComparisonsWithNumbersOutOfRangeAreDecided) {
  const Array x = ones({2}, {.dtype = DType::int8});
  EXPECT_EQ((x < 1000).compute().to_vector<bool>(), (std::vector<bool>{true, true}));
  EXPECT_EQ((x == 1.5).compute().to_vector<bool>(), (std::vector<bool>{false, false}));
  EXPECT_EQ((x > -1e300).compute().to_vector<bool>(), (std::vector<bool>{true, true}));
}

TEST(ChunkSpecs, AllFormsSayTheSame) {
  EXPECT_EQ(cut(zeros({5, 4}, {.chunks = 2})), "((2, 2, 1), (2, 2))");
  EXPECT_EQ(cut(zeros({5, 4}, {.chunks = {2, -1}})), "((2, 2, 1), (4,))");
  EXPECT_EQ(cut(zeros({5, 4}, {.chunks = -1})), "((5,), (4,))");
  EXPECT_EQ(cut(zeros({5, 4}, {.chunks = 100})), "((5,), (4,))");
  EXPECT_EQ(cut(zeros({5, 4}, {.chunks = Sizes{{1, 4}, {3, 1}}})), "((1, 4), (3, 1))");
  EXPECT_EQ(cut(zeros({5}, {.chunks = Sizes{{0, 5, 0}}})), "((0, 5, 0),)");
  EXPECT_EQ(cut(zeros({0, 4}, {.chunks = 2})), "((0,), (2, 2))");
  EXPECT_EQ(cut(zeros({}, {.chunks = 2})), "()");
}

TEST(ChunkSpecs, AutomaticBlocksAreRowMajorAndOfAMillionElements) {
  EXPECT_EQ(cut(zeros({3'000'000})), "((1048576, 1048576, 902848),)");
  EXPECT_EQ(cut(zeros({3'000'000}, {.dtype = DType::float32})), "((1048576, 1048576, 902848),)");
  EXPECT_EQ(cut(zeros({2048, 1024})), "((1024, 1024), (1024,))");
  EXPECT_EQ(cut(zeros({3, 2'000'000})), "((1, 1, 1), (1048576, 951424))");
  EXPECT_EQ(cut(zeros({10})), "((10,),)");
  EXPECT_EQ(cut(zeros({0, 7})), "((0,), (7,))");
}

TEST(Index, HasTheFormsOfNumPy) {
  const Array x = arange(0, 24, 1, {.chunks = 5})[{newaxis, whole}];
  const Array table = from_vector(arange(24).to_vector<int64_t>(), Dims{4, 6}, 3);
  using V = std::vector<int64_t>;
  EXPECT_EQ(table[{int64_t{1}}].to_vector<int64_t>(), (V{6, 7, 8, 9, 10, 11}));
  EXPECT_EQ((table[{int64_t{-1}, int64_t{-1}}].compute<int64_t>()), 23);
  EXPECT_EQ((table[{whole, int64_t{2}}].to_vector<int64_t>()), (V{2, 8, 14, 20}));
  EXPECT_EQ((table[{ellipsis, int64_t{2}}].to_vector<int64_t>()), (V{2, 8, 14, 20}));
  EXPECT_EQ((table[{Slice{1, 3}, Slice{{}, {}, -2}}].to_vector<int64_t>()),
            (V{11, 9, 7, 17, 15, 13}));
  EXPECT_EQ((table[{Slice{-2, {}}, Slice{-100, 2}}].to_vector<int64_t>()), (V{12, 13, 18, 19}));
  EXPECT_EQ(to_string(table[{newaxis, whole, newaxis}].shape()), "(1, 4, 1, 6)");
  EXPECT_EQ(to_string(table[{Slice{3, 1}}].shape()), "(0, 6)");
  EXPECT_EQ(to_string(x.shape()), "(1, 24)");
  EXPECT_EQ(table[{ellipsis}].port(), table.port());  // nothing to do, nothing added
}

class Symbols : public ::testing::Test {
 protected:
  Array x = arange(0, 10, 1, {.dtype = DType::float64, .chunks = 4});
  Array y = x * 2.0;
  Array m = x > 3.0;
  Array k = x > 4.0;
};

TEST_F(Symbols, SelectionsByOneMaskGoTogether) {
  EXPECT_EQ((x[m] + y[m]).to_vector<double>(), (std::vector<double>{12, 15, 18, 21, 24, 27}));
  EXPECT_EQ((exp(x[m]) * 0.0 + y[m] * 2.0).to_vector<double>(), (y[m] * 2.0).to_vector<double>());
  EXPECT_EQ(x[m].shape(), y[m].shape());
  EXPECT_EQ((-x[m]).shape(), y[m].astype(DType::float32).shape());
  EXPECT_EQ((x[m] + 1.0).to_vector<double>()[0], 5.0);
  const Array table = broadcast_to(x[{whole, newaxis}], {10, 3}, {4, 3});
  EXPECT_EQ((table[m] + x[m][{whole, newaxis}]).compute().shape(), (Dims{6, 3}));
  EXPECT_EQ(matmul(x[m], y[m]).compute<double>(), 2.0 * (16 + 25 + 36 + 49 + 64 + 81));
}

TEST_F(Symbols, SelectionsByTwoMasksDoNot) {
  EXPECT_FALSE(x[m].shape() == x[k].shape());
  EXPECT_THROW((void)(x[m] + y[k]), InvalidArgument);
  EXPECT_THROW((void)(exp(x[m]) + (y[k] + 1.0)), InvalidArgument);
  EXPECT_THROW((void)(x[m] + x), InvalidArgument);
  const Array again = x > 3.0;  // an equal mask is not the same mask
  EXPECT_THROW((void)(x[m] + y[again]), InvalidArgument);
}

TEST_F(Symbols, KnownSizesGoTogetherAgain) {
  const Array a = x[m].compute_chunk_sizes();
  const Array b = y[x > 3.0].compute_chunk_sizes();
  EXPECT_EQ(cut(a), "((0, 4, 2),)");
  EXPECT_EQ((a + b).to_vector<double>()[0], 12.0);
  EXPECT_EQ((a[{int64_t{-1}}].compute<double>()), 9.0);
}

TEST_F(Symbols, AMaskOfTheWholeShapeGivesOneAxis) {
  const Array table = from_vector(arange(24).to_vector<int64_t>(), Dims{4, 6}, 3);
  const Array chosen = table[table % 5 == 0];
  EXPECT_EQ(chosen.ndim(), 1u);
  EXPECT_EQ(chosen.to_vector<int64_t>(), (std::vector<int64_t>{0, 5, 10, 15, 20}));
}

TEST(Results, SettledChunksAndMovedBlocks) {
  const Array x = arange(0, 10, 1, {.chunks = 4});
  const Result result = compute({x[x > 6]})[0];
  EXPECT_EQ(to_string(result.chunks()), "((0, 1, 2),)");
  EXPECT_EQ(result.shape(), (Dims{3}));
  EXPECT_EQ(result.to_vector<int64_t>(), (std::vector<int64_t>{7, 8, 9}));
  const Array again(result);
  EXPECT_EQ(again.to_vector<int64_t>(), (std::vector<int64_t>{7, 8, 9}));
  EXPECT_EQ(Result(std::vector<double>{1, 2}).to_vector<double>(), (std::vector<double>{1, 2}));
  EXPECT_EQ(Result(Block::scalar(3)).item<int>(), 3);
}

TEST(Persist, KeepsBlocksInMemory) {
  int calls = 0;
  const Array x = from_function(
      [&](const BlockInfo& info) {
        ++calls;
        Block block = Block::allocate(info.dtype, info.shape);
        std::fill(block.data<double>(), block.data<double>() + block.size(), 1.0);
        return block;
      },
      {4}, {.chunks = 4});
  const Array kept = x.persist();
  EXPECT_EQ(sum(kept).compute<double>() + sum(kept).compute<double>(), 8.0);
  EXPECT_EQ(calls, 1);
}

TEST(Describe, NamesTypeShapeAndBlocks) {
  EXPECT_EQ(zeros({3, 4}, {.chunks = {3, 2}}).describe(), "float64 (3, 4) in (1, 2) blocks");
}

TEST(LiningUp, FollowsTheLargestOperandWhereLittleOfTheOthersIsCopied) {
  const Array x = zeros({100, 6}, {.chunks = {30, 6}});
  const Array y = zeros({100}, {.chunks = 50});
  EXPECT_EQ(cut(x * y[{whole, newaxis}]), "((30, 30, 30, 10), (6,))");
  EXPECT_EQ(cut(y[{whole, newaxis}] * x), "((30, 30, 30, 10), (6,))");
  // Among equals, that of more blocks: only one of the new blocks lies across a boundary.
  EXPECT_EQ(cut(zeros({100}, {.chunks = 50}) + zeros({100}, {.chunks = 12})),
            "((12, 12, ... 9 blocks),)");
  // Axes that the largest does not have are cut as the others are.
  EXPECT_EQ(cut(zeros({6}, {.chunks = 2}) + zeros({100, 1}, {.chunks = 40})),
            "((40, 40, 20), (2, 2, 2))");
  const Array w = zeros({6, 100}, {.chunks = {6, 45}});
  EXPECT_EQ(graph::output_of(matmul(w, x).port()).chunks.size(), 2u);
}

TEST(LiningUp, TakesTheBoundariesOfAllWhereMuchWouldBeCopied) {
  const Array x = zeros({12}, {.chunks = 4});
  EXPECT_EQ(cut(x[{Slice{1, {}}}] - x[{Slice{{}, -1}}]), "((3, 1, 3, 1, 3),)");
  EXPECT_EQ(cut(zeros({12}, {.chunks = 5}) + zeros({12}, {.chunks = 4})), "((4, 1, 3, 2, 2),)");
}

}  // namespace
}  // namespace tuff
