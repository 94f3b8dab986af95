// Rechunks vanish, merge, move to smaller operands, and go by way of blocks in between.
#include "tuff/optimize/rechunk.h"

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> planned(const Ports& outputs) {
  return titles(optimize::plan_rechunks(outputs));
}

void expect_same_bits(const Ports& outputs) {
  const std::vector<Result> want = compiled(outputs, none()).run();
  const std::vector<Result> got = compiled(optimize::plan_rechunks(outputs), none()).run();
  for (size_t o = 0; o < outputs.size(); ++o) {
    const Block a = got[o].gather();
    const Block b = want[o].gather();
    ASSERT_EQ(a.shape(), b.shape());
    EXPECT_EQ(std::memcmp(a.bytes_data(), b.bytes_data(), a.bytes()), 0) << "output " << o;
    for (size_t axis = 0; axis < a.shape().size(); ++axis)
      EXPECT_TRUE(same_chunks(got[o].chunks()[axis], want[o].chunks()[axis]));
  }
}

/// Layers that read the array, after all passes.
std::vector<graph::LayerPtr> readers_of(const Ports& outputs, const Array& array) {
  std::vector<graph::LayerPtr> readers;
  for (const graph::LayerPtr& layer : graph::layers_in_order(compiled(outputs).outputs())) {
    if (reads_of(*layer, array) > 0) readers.push_back(layer);
  }
  return readers;
}

TEST(Rechunk, OneOfAnotherIsOne) {
  const Array x = in_memory({100, 4}, 4);
  EXPECT_THAT(planned({x.rechunk({50, 4}).rechunk({7, 2}).rechunk({30, 4})}),
              ElementsAre("rechunk(((30, 30, 30, 10), (4,)))"));
  // There and back again is not to go.
  EXPECT_THAT(planned({x.rechunk({50, 4}).rechunk({4, 4})}), IsEmpty());
  const Array e = exp(x);
  EXPECT_THAT(planned({e.rechunk(1).rechunk({4, 4}) + e}), ElementsAre("exp", "add"));
  EXPECT_THAT(planned({x.rechunk({50, 4}).transpose().rechunk({4, 4})}),
              ElementsAre("relabel(axes (1, 0))"));
  expect_same_bits({x.rechunk({50, 4}).rechunk({7, 2}).rechunk({30, 4}),
                    x.rechunk({50, 4}).transpose().rechunk({4, 4})});
}

TEST(Rechunk, OneThatIsNeededServesOthersIfThatIsLess) {
  const Array x = in_memory({400, 400}, {400, 1});
  const Array rows = x.rechunk({2, 400});
  // Blocks inside blocks are views; straight from the columns they would be another copy of everything.
  EXPECT_THAT(planned({rows, rows.rechunk({1, 400})}).back(),
              "rechunk(((1, 1, ... 400 blocks), (400,)))");
  const Ports both = optimize::plan_rechunks({rows, rows.rechunk({1, 400})});
  EXPECT_EQ(both[1].layer->inputs()[0], both[0]);
  expect_same_bits({rows, rows.rechunk({1, 400})});
}

TEST(Rechunk, MovesToOperandsThatAreSmaller) {
  const Array x = in_memory({120}, 30);
  const Array row = in_memory({1, 40}, {1, 40});
  const Array column = in_memory({30, 1}, {10, 1});
  EXPECT_THAT(planned({(row * column).rechunk(-1)}),
              ElementsAre("rechunk(((30,), (1,)))", "multiply"));
  const Array bytes = (x > 3.0).persist();
  EXPECT_THAT(planned({bytes.astype(DType::float64).rechunk(-1)}),
              ElementsAre("rechunk(((120,),))", "astype(float64)"));
  // Numbers made from nothing are made in other blocks.
  EXPECT_THAT(planned({(random::normal({120}, {.chunks = 30, .seed = 1}) + 1.0).rechunk(50)}),
              ElementsAre("normal(seed 1 stream 0)", "add"));
  // In opposite directions they cancel: only y is cut anew.
  const Array y = in_memory({120}, 20);
  EXPECT_THAT(planned({((exp(x).rechunk(20) - y) * 2.0).rechunk(30)}),
              ElementsAre("exp", "rechunk(((30, 30, 30, 30),))", "subtract", "multiply"));
  expect_same_bits({(row * column).rechunk(-1), bytes.astype(DType::float64).rechunk(-1),
                    ((exp(x).rechunk(20) - y) * 2.0).rechunk(30),
                    (random::normal({120}, {.chunks = 30, .seed = 1}) + 1.0).rechunk(50)});
}

TEST(Rechunk, StaysWhereMovingCopiesMore) {
  const Array x = in_memory({120}, 30);
  const Array z = in_memory({120}, 30) * 0.5;
  const std::vector<Ports> graphs = {
      {(x + z.persist()).rechunk(50)},                           // two operands, one result
      {(x > 3.0).rechunk(50)},                                   // bool is smaller than its operand
      {exp(x).rechunk(50), exp(x)},                              // it is there anyway
      {exp(in_memory({120}, 30)).rechunk(50) + sum(exp(x), 0)},  // no less, so nothing to gain
      {matmul(in_memory({120, 4}, {30, 4}), ones({4})).rechunk(50)},  // not element by element
      {x[x > 5.0], x.rechunk(7)},
  };
  for (const Ports& outputs : graphs) {
    EXPECT_EQ(planned(outputs), titles(outputs));
    expect_same_bits(outputs);
  }
}

TEST(Rechunk, XIsReadOnceWhateverTheCutOfY) {
  const int64_t n = 1000;
  const Array x = in_memory({n, 6}, {48, 6});
  const Array b = in_memory({6}, 6);
  for (const int64_t rows : {1000L, 480L, 500L, 77L, 20L, 7L, 48L}) {
    const Array y = in_memory({n}, rows);
    const Array residual = sigmoid(matmul(x, b) * 1e-6) - y;
    const Ports gradient = {matmul(x.transpose(), residual)};
    SCOPED_TRACE("rows " + std::to_string(rows));
    const std::vector<graph::LayerPtr> readers = readers_of(gradient, x);
    ASSERT_EQ(readers.size(), 1u);
    EXPECT_EQ(reads_of(*readers[0], x), 1u);
    EXPECT_EQ(readers[0]->name(), "fused");
    EXPECT_EQ(readers[0]->task_count(), x.block_count());
    expect_same_results(gradient);
    const Ports loss = {matmul(x.transpose(), residual), sum(residual * residual)};
    // Where y cuts finer than X or quite differently, so does the loss, and its sum is taken in those blocks.
    if (same_chunks(residual.chunks()[0], x.chunks()[0])) {
      EXPECT_EQ(readers_of(loss, x).size(), 1u);
    }
    EXPECT_EQ(rows >= 480 || rows == 48, same_chunks(residual.chunks()[0], x.chunks()[0]));
    expect_same_results(loss);
  }
}

TEST(Rechunk, AutomaticChunksOfXAndYMeetInThoseOfX) {
  const int64_t n = 3'000'000;
  const Array x = random::normal({n, 40}, {.seed = 1});
  const Array y = random::uniform({n}, {.seed = 2});
  ASSERT_GT(y.block_count(), 1u);
  ASSERT_NE(x.chunks()[0]->size(0), y.chunks()[0]->size(0));
  const Array residual = sigmoid(matmul(x, ones({40}))) - y;
  EXPECT_TRUE(same_chunks(residual.chunks()[0], x.chunks()[0]));
  EXPECT_TRUE(same_chunks((y - residual).chunks()[0], x.chunks()[0]));
}

TEST(Rechunk, ManyTinyPiecesGoByWayOfBlocksInBetween) {
  const Array x = in_memory({1000, 1000}, {1, 1000});
  const Array columns = x.rechunk({1000, 1});
  const Ports outputs = optimize::plan_rechunks({columns});
  EXPECT_EQ(titles(outputs).size(), 2u);
  size_t edges = 0;
  const Plan plan = compiled(outputs, none());
  for (size_t t = 0; t < plan.task_count(); ++t) edges += plan.arrays().inputs[t].size();
  EXPECT_LT(edges, 70'000u);  // 1,000,000 in one step
  expect_same_bits({columns});
  EXPECT_EQ(titles(optimize::plan_rechunks(outputs)), titles(outputs));
}

TEST(Rechunk, LargePiecesGoDirectly) {
  const auto way = [](int64_t extent, int64_t blocks) {
    const AxisChunksPtr whole = AxisChunks::whole(extent);
    const AxisChunksPtr cut = AxisChunks::regular(extent, extent / blocks);
    const Chunks rows = {cut, whole};
    const Chunks columns = {whole, cut};
    return graph::cut_alike(optimize::rechunk_by_way_of(rows, columns, DType::float64), columns);
  };
  EXPECT_TRUE(way(10'000, 10));
  EXPECT_TRUE(way(100'000, 100));
  EXPECT_FALSE(way(4000, 1000));
  // Along one axis there is nothing in between that would help.
  EXPECT_TRUE(graph::cut_alike(
      optimize::rechunk_by_way_of({AxisChunks::regular(1'000'000, 1000)},
                                  {AxisChunks::regular(1'000'000, 700)}, DType::float64),
      {AxisChunks::regular(1'000'000, 700)}));
}

TEST(Rechunk, WhatDoesNotFitInMemoryGoesThroughSquares) {
  const AxisChunksPtr whole = AxisChunks::whole(16'000);
  const AxisChunksPtr cut = AxisChunks::regular(16'000, 160);
  const Chunks rows = {cut, whole};
  const Chunks columns = {whole, cut};
  const double bytes = 16'000.0 * 16'000 * 8;
  const auto direct = [&](double memory) {
    return graph::cut_alike(optimize::rechunk_by_way_of(rows, columns, DType::float64, memory),
                            columns);
  };
  // A task of the direct way reads everything, and makes one new block.
  EXPECT_EQ(optimize::rechunk_task_bytes(rows, columns, DType::float64), bytes * 1.01);
  EXPECT_TRUE(direct(1.01 * bytes));
  EXPECT_FALSE(direct(bytes));
  EXPECT_FALSE(direct(bytes / 4));
  // By squares each block is read back once; straight, all of them for each new one.
  EXPECT_EQ(optimize::rechunk_ns(rows, columns, DType::float64, bytes / 4) -
                optimize::rechunk_ns(rows, columns, DType::float64),
            100 * bytes * optimize::kNsPerDiskByte);
  // Without an all-to-all there is nothing to gain.
  const Chunks doubled = {AxisChunks::regular(16'000, 320), whole};
  EXPECT_TRUE(graph::cut_alike(
      optimize::rechunk_by_way_of(rows, doubled, DType::float64, bytes / 4), doubled));
}

TEST(Rechunk, SquaresAreAsSmallAsMemoryAsks) {
  const AxisChunksPtr whole = AxisChunks::whole(6000);
  const AxisChunksPtr cut = AxisChunks::regular(6000, 500);
  const Chunks rows = {cut, whole};
  const Chunks columns = {whole, cut};
  for (const double memory : {200e6, 100e6, 64e6, 50e6, 49e6}) {
    const Chunks way = optimize::rechunk_by_way_of(rows, columns, DType::float64, memory);
    EXPECT_FALSE(graph::cut_alike(way, columns));
    EXPECT_LE(optimize::rechunk_task_bytes(rows, way, DType::float64), memory);
    EXPECT_LE(optimize::rechunk_task_bytes(way, columns, DType::float64), memory);
  }
  // A strip is 24 MB: with less than what making one of pieces takes, no way fits, and the smallest is taken.
  const Chunks way = optimize::rechunk_by_way_of(rows, columns, DType::float64, 40e6);
  EXPECT_EQ(way[0]->count(), 12U);
  EXPECT_EQ(way[1]->count(), 12U);
}

TEST(Rechunk, WorkCountsOverlapsRunsAndCopiedElements) {
  const auto work = [](std::vector<std::vector<int64_t>> from,
                       std::vector<std::vector<int64_t>> to) {
    Chunks a;
    Chunks b;
    for (const auto& axis : from) a.push_back(AxisChunks::of(axis));
    for (const auto& axis : to) b.push_back(AxisChunks::of(axis));
    return graph::rechunk_work(a, b);
  };
  const graph::RechunkWork views = work({{10, 10}}, {{5, 5, 5, 5}});
  EXPECT_EQ(views.edges, 4);
  EXPECT_EQ(views.elements, 0);
  EXPECT_EQ(views.rows, 0);
  const graph::RechunkWork shifted = work({{10, 10}}, {{7, 13}});
  EXPECT_EQ(shifted.edges, 3);
  EXPECT_EQ(shifted.elements, 13);
  const graph::RechunkWork turned = work({{1, 1, 1}, {4}}, {{3}, {2, 2}});
  EXPECT_EQ(turned.edges, 6);
  EXPECT_EQ(turned.elements, 12);
  EXPECT_EQ(turned.rows, 6);
  const graph::RechunkWork stacked = work({{2, 2}, {6}, {5}}, {{4}, {6}, {5}});
  EXPECT_EQ(stacked.rows, 2);
}

TEST(Rechunk, WithoutRechunksNothingChanges) {
  const Array x = in_memory({40}, 10);
  const Ports outputs = {sum(exp(x)), x[{Slice{3, 5}}]};
  EXPECT_EQ(optimize::plan_rechunks(outputs), outputs);
}

TEST(Rechunk, LongChainsNeedNoStackAndLittleTime) {
  Array y = in_memory({64}, 8);
  for (int i = 0; i < 20'000; ++i) y = i % 100 == 0 ? (-y).rechunk(1 + i % 7) : -y;
  EXPECT_EQ(run(compiled({y}))[0][5], 5.25);
}

}  // namespace
}  // namespace tuff::optimize_test
