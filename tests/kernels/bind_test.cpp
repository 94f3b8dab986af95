// Binding: which axes become rows, how they merge, and how reductions choose their walk.
#include "tuff/kernels/bind.h"

#include <gtest/gtest.h>

namespace tuff::kernels {
namespace {

/// One operand with these labels, stored under `out` (or reduced over `over`).
Program simple(uint8_t labels, const LabelMap& in, const LabelMap& out, LabelSet over = 0) {
  Program p;
  p.label_count = labels;
  p.operands.push_back({DType::float64, in});
  p.outputs.push_back({DType::float64, out, static_cast<uint8_t>(over), false});
  Instruction load;
  for (int8_t l : in) load.labels |= static_cast<LabelSet>(l == kNoLabel ? 0 : 1U << l);
  Instruction twice;
  twice.code = Code::elementwise;
  twice.op = static_cast<uint8_t>(Elementwise::add);
  twice.labels = load.labels;
  p.instructions = {load, twice};
  if (over != 0) {
    Instruction reduce;
    reduce.code = Code::reduce;
    reduce.op = static_cast<uint8_t>(Reduction::sum);
    reduce.args[0] = 1;
    reduce.space = static_cast<LabelSet>((1U << labels) - 1);
    reduce.over = over;
    reduce.labels = reduce.space & static_cast<LabelSet>(~over);
    p.instructions.push_back(reduce);
  }
  Instruction store;
  store.code = Code::store;
  store.args[0] = over != 0 ? 2 : 1;
  store.labels = p.instructions.back().labels;
  p.instructions.push_back(store);
  p.verify();
  return p;
}

Bound bound(const Program& p, std::vector<int64_t> extents, const Dims& strides, const Dims& out) {
  return kernels::bind(p, extents, std::vector<Dims>{strides}, std::vector<Dims>{out}, 0);
}

size_t count_of(const Bound& b, StepCode code) {
  return static_cast<size_t>(
      std::count_if(b.steps.begin(), b.steps.end(), [&](const Step& s) { return s.code == code; }));
}

TEST(Bind, AContiguousBlockOfAnyRankIsOneRowAxis) {
  const Bound b = bound(simple(3, {0, 1, 2}, {0, 1, 2}), {4, 5, 6}, {30, 6, 1}, {30, 6, 1});
  EXPECT_EQ(b.rows, (Dims{120}));
  EXPECT_EQ(b.row_count, 120);
  EXPECT_EQ(b.inner, 1);
  EXPECT_EQ(count_of(b, StepCode::load_direct), 1u);   // read where it lies
  EXPECT_EQ(count_of(b, StepCode::store_direct), 1u);  // and written where it belongs
  EXPECT_EQ(count_of(b, StepCode::load) + count_of(b, StepCode::store), 0u);
}

TEST(Bind, AnAxisWithGapsIsAxisOfItsOwn) {
  const Bound b = bound(simple(3, {0, 1, 2}, {0, 1, 2}), {4, 5, 6}, {40, 8, 1}, {30, 6, 1});
  EXPECT_EQ(b.rows, (Dims{20}));  // the outer two have no gap between them
  EXPECT_EQ(b.inner, 6);
}

TEST(Bind, TransposedOperandsKeepBothAxes) {
  const Bound b = bound(simple(2, {0, 1}, {0, 1}), {4, 5}, {1, 4}, {5, 1});
  EXPECT_EQ(b.row_count * b.inner, 20);
  EXPECT_GT(b.inner, 1);
}

TEST(Bind, AxesOfOneElementVanish) {
  const Bound b =
      bound(simple(4, {0, 1, 2, 3}, {0, 1, 2, 3}), {1, 5, 1, 6}, {99, 6, 77, 1}, {30, 6, 6, 1});
  EXPECT_EQ(b.rows, (Dims{30}));
}

TEST(Bind, ATileHasAboutFiveHundredElements) {
  const Bound flat = bound(simple(1, {0}, {0}), {1'000'000}, {1}, {1});
  EXPECT_EQ(flat.tile_rows, kTileElements);
  const Bound table = bound(simple(2, {0, 1}, {0, 1}), {1000, 100}, {128, 1}, {100, 1});
  EXPECT_EQ(table.tile_rows, 4);  // 5 would fit; 2 rows are 25 cache lines
  const Bound wide = bound(simple(2, {0, 1}, {0, 1}), {10, 5000}, {8192, 1}, {5000, 1});
  EXPECT_EQ(wide.piece, kTileElements);
  EXPECT_EQ(wide.tile_rows, 1);
}

TEST(Bind, WhatIsOnlyReducedHasLongTiles) {
  Program p = simple(1, {0}, {0}, 1);
  EXPECT_EQ(bound(p, {1'000'000}, {1}, {1}).tile_rows, kTileElements);
  p.instructions.erase(p.instructions.begin() + 1);  // the sum is of the loaded values themselves
  p.instructions[1].args[0] = 0;
  p.instructions[2].args[0] = 1;
  p.verify();
  EXPECT_EQ(bound(p, {1'000'000}, {1}, {1}).tile_rows, 64 * kTileElements);
}

TEST(Bind, AFullSumOfAContiguousBlockIsFlat) {
  const Bound b = bound(simple(2, {0, 1}, {0, 1}, 3), {40, 50}, {50, 1}, {1, 1});
  EXPECT_EQ(b.rows, (Dims{2000}));
  EXPECT_EQ(count_of(b, StepCode::add_flat), 1u);
  ASSERT_EQ(b.accumulators.size(), 1u);
  EXPECT_EQ(b.accumulators[0].reset, Accumulator::Reset::block);
}

TEST(Bind, ASumAlongTheRowsKeepsColumnsAndOneAlongTheColumnsKeepsRows) {
  const Bound columns = bound(simple(2, {0, 1}, {0, 1}, 1), {40, 50}, {50, 1}, {50, 1});
  EXPECT_EQ(count_of(columns, StepCode::add_columns), 1u);
  EXPECT_EQ(columns.accumulators[0].reset, Accumulator::Reset::piece);
  const Bound rows = bound(simple(2, {0, 1}, {0, 1}, 2), {40, 50}, {50, 1}, {1, 1});
  EXPECT_EQ(count_of(rows, StepCode::reduce_rows), 1u);
  EXPECT_TRUE(rows.accumulators.empty());
  const Bound long_rows = bound(simple(2, {0, 1}, {0, 1}, 2), {40, 5000}, {5000, 1}, {1, 1});
  EXPECT_EQ(long_rows.outer, (Dims{40}));
  EXPECT_EQ(long_rows.accumulators[0].reset, Accumulator::Reset::outer);
}

TEST(Bind, TheWalkFollowsTheMemoryOfATransposedBlock) {
  // Label 0 is contiguous in memory: summing over it is a sum of rows, not of columns.
  const Bound b = bound(simple(2, {0, 1}, {0, 1}, 1), {50, 40}, {1, 50}, {40, 1});
  EXPECT_EQ(count_of(b, StepCode::reduce_rows), 1u);
}

TEST(Bind, AStretchedOperandIsSpreadOnce) {
  Program p = simple(2, {0, 1}, {0, 1});
  p.operands.push_back({DType::float64, {1}});
  Instruction row;
  row.index = 1;
  row.labels = 2;
  p.instructions.insert(p.instructions.begin(), row);
  for (size_t v = 1; v < p.instructions.size(); ++v) {
    for (uint32_t& arg : p.instructions[v].args) ++arg;
  }
  p.instructions[2].args = {1, 0, 0};  // x + row
  p.verify();
  const Bound b = kernels::bind(p, std::vector<int64_t>{100, 7}, std::vector<Dims>{{7, 1}, {1}},
                                std::vector<Dims>{{7, 1}}, 0);
  ASSERT_EQ(count_of(b, StepCode::expand_columns), 1u);
  for (size_t s = 0; s < b.steps.size(); ++s) {
    if (b.steps[s].code == StepCode::expand_columns) {
      EXPECT_LT(s, b.once_steps);  // not again for each tile
    }
  }
}

TEST(Bind, TheChoiceDependsOnNothingButTheGeometry) {
  const Program p = simple(3, {0, 2, 1}, {0, 1, 2}, 4);
  const Bound a = bound(p, {6, 7, 8}, {56, 1, 8}, {7, 1, 1});
  const Bound b = bound(p, {6, 7, 8}, {56, 1, 8}, {7, 1, 1});
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.outer, b.outer);
  EXPECT_EQ(a.piece, b.piece);
  EXPECT_EQ(a.tile_rows, b.tile_rows);
  EXPECT_EQ(a.scratch_bytes, b.scratch_bytes);
  EXPECT_EQ(a.steps.size(), b.steps.size());
}

}  // namespace
}  // namespace tuff::kernels
