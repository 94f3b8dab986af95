// Slices go to the sources, and stay where going would be more work.
#include "tuff/optimize/push_slices.h"

#include <mutex>
#include <random>
#include <set>

#include "tuff/graph/serialize.h"

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// The layers after this pass alone.
std::vector<std::string> pushed(const Ports& outputs) {
  return titles(optimize::push_slices(outputs));
}

/// All bits with the pass are those without any pass.
void expect_same_bits(const Ports& outputs) {
  const Plan before = compiled(outputs, none());
  const Plan after = compiled(optimize::push_slices(outputs), none());
  const std::vector<Result> want = before.run();
  const std::vector<Result> got = after.run();
  for (size_t o = 0; o < outputs.size(); ++o) {
    const Block a = got[o].gather();
    const Block b = want[o].gather();
    ASSERT_EQ(a.shape(), b.shape());
    ASSERT_EQ(a.dtype(), b.dtype());
    EXPECT_EQ(std::memcmp(a.bytes_data(), b.bytes_data(), a.bytes()), 0) << "output " << o;
    for (size_t axis = 0; axis < a.shape().size(); ++axis)
      EXPECT_TRUE(same_chunks(got[o].chunks()[axis], want[o].chunks()[axis]));
  }
}

/// An array whose blocks are noted down when they are made.
struct Watched {
  Watched(const Dims& shape, const ChunkSpec& chunks)
      : array(from_function(
            [asked = asked, mutex = mutex](const BlockInfo& info) {
              const std::lock_guard lock(*mutex);
              asked->insert(to_string(info.index));
              Block block = Block::allocate(info.dtype, info.shape);
              std::fill(block.data<double>(), block.data<double>() + block.size(), 2.0);
              return block;
            },
            shape, {.dtype = DType::float64, .chunks = chunks})) {}
  std::shared_ptr<std::set<std::string>> asked = std::make_shared<std::set<std::string>>();
  std::shared_ptr<std::mutex> mutex = std::make_shared<std::mutex>();
  Array array;
};

TEST(PushSlices, ReadsOneBlockForOnePoint) {
  const Watched x({100, 60}, 10);
  const Array y = concatenate({arange(0, 50, 1, {.dtype = DType::float64}), ones({50})});
  const Array everything =
      (exp(x.array).astype(DType::float32).transpose().rechunk({7, 13}) + where(y > 1.0, y, 0.0)) *
      broadcast_to(ones({}), {60, 100}, 9);
  const Array point = concatenate({everything, everything * 2.0}, 1)[{int64_t{25}, int64_t{147}}];
  EXPECT_NEAR(point.compute<double>(), 2.0 * (std::exp(2.0) + 47.0), 1e-5);
  EXPECT_THAT(*x.asked, ElementsAre("(4, 2)"));
  // Neither is more than one element of it computed.
  for (const graph::LayerPtr& layer : graph::layers_in_order(optimize::push_slices({point}))) {
    if (layer->name() == "from_function") continue;
    int64_t elements = 1;
    for (const AxisChunksPtr& axis : layer->outputs()[0].chunks) elements *= axis->extent().value();
    EXPECT_LE(elements, 1) << title_of(*layer);
  }
  expect_same_bits({point});
}

TEST(PushSlices, GoesThroughWhatIsComputedElementByElement) {
  const Array x = in_memory({100}, 25);
  const Array y = exp(x * 0.01)[{Slice{10, 60, 7}}] + 1.0;
  EXPECT_THAT(pushed({y}), ElementsAre("slice(10:7x8)", "multiply", "exp", "add"));
  EXPECT_THAT(plan_of({y}), ElementsAre("slice(10:7x8)", "fused(multiply, exp, add)"));
  expect_same_bits({y});
  // Operands that are stretched stay whole along what is stretched.
  const Array z = in_memory({6, 1}, 3) * in_memory({1, 8}, 4);
  EXPECT_THAT(pushed({z[{Slice{2, 5}, Slice{{}, {}, -2}}]}),
              ElementsAre("slice(2:1x3, :)", "slice(:, 7:-2x4)", "multiply"));
  EXPECT_THAT(pushed({z[{Slice{2, 5}}]}), ElementsAre("slice(2:1x3, :)", "multiply"));
  expect_same_bits({z[{Slice{2, 5}, Slice{{}, {}, -2}}], z[{Slice{0, 0}}]});
}

TEST(PushSlices, GoesThroughTransposesNewAxesAndStretches) {
  const Array x = in_memory({6, 8}, {2, 3});
  EXPECT_THAT(pushed({x.transpose()[{Slice{1, 7, 2}, Slice{{}, {}, -1}}]}),
              ElementsAre("slice(5:-1x6, 1:2x3)", "relabel(axes (1, 0))"));
  EXPECT_THAT(pushed({x[{newaxis}][{whole, Slice{2, 3}}]}),
              ElementsAre("slice(2:1x1, :)", "relabel(axes (new, 0, 1))"));
  // What is stretched is cut after, what is not before.
  const Array row = in_memory({1, 8}, {1, 4});
  const Array tall = broadcast_to(row, {50, 8}, {10, 8});
  EXPECT_THAT(pushed({tall[{Slice{3, 20}, Slice{4, 6}}]}),
              ElementsAre("slice(:, 4:1x2)", "relabel(axes (0, 1))"));
  expect_same_bits({x.transpose()[{Slice{1, 7, 2}, Slice{{}, {}, -1}}],
                    tall[{Slice{3, 20}, Slice{4, 6}}], x[{newaxis}][{whole, Slice{2, 3}}],
                    tall[{int64_t{4}}], tall[{Slice{3, 3}}]});
}

TEST(PushSlices, SlicesOfSlicesBecomeOne) {
  const Array x = in_memory({100}, {7});
  EXPECT_THAT(pushed({x[{Slice{10, 90, 2}}][{Slice{{}, {}, -3}}][{Slice{1, 5}}]}),
              ElementsAre("slice(82:-6x4)"));
  std::mt19937 random(3);
  const auto number = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  const auto bound = [&]() -> std::optional<int64_t> {
    return number(0, 2) == 0 ? std::nullopt : std::optional<int64_t>(number(-12, 12));
  };
  for (int c = 0; c < 300; ++c) {
    Array y = in_memory({11, 9}, std::vector<std::vector<int64_t>>{{3, 0, 5, 3}, {4, 5, 0}});
    for (int k = number(1, 4); k > 0; --k) {
      Slice a{bound(), bound(), number(1, 3) * (number(0, 1) == 0 ? 1 : -1)};
      Slice b{bound(), bound(), number(1, 2) * (number(0, 1) == 0 ? 1 : -1)};
      y = y[{a, b}];
    }
    EXPECT_LE(pushed({y}).size(), 1u);
    expect_same_bits({y, y + 1.0});
  }
}

TEST(PushSlices, NumbersMadeFromNothingAreThoseOfTheirPositions) {
  const Array normal = random::normal({40, 30}, {.chunks = {7, 11}, .seed = 5});
  const Array uniform =
      random::uniform({40, 30}, {.chunks = -1, .seed = 6, .dtype = DType::float32});
  const Array count = arange(3, 500, 7).rechunk(9);
  const Array nines = full({40, 30}, 9.0);
  const std::vector<Index> part = {Slice{30, 2, -3}, Slice{5, {}, 2}};
  const Ports outputs = {normal[part],
                         uniform[part],
                         normal.transpose()[{Slice{3, 9}, int64_t{-1}}],
                         count[{Slice{{}, {}, -4}}][{Slice{2, 9, 3}}],
                         nines[part],
                         normal[{Slice{4, 4}}]};
  for (const std::string& title : pushed(outputs))
    EXPECT_EQ(title.find("slice"), std::string::npos) << title;
  expect_same_bits(outputs);
  // In programs, beside values that are stretched, and with a row that meets many.
  expect_same_bits({normal[{Slice{7, 8}}] + in_memory({5, 30}, 5),
                    count[{Slice{3, 4}}] + in_memory({20}, 8),
                    exp(normal)[part] - 1.0 / uniform[part]});
  // And in another process.
  const Ports optimised = optimize::push_slices(outputs);
  const graph::Message sent = graph::deserialize(graph::serialize({optimised, {}}));
  EXPECT_EQ(run(compiled(sent.outputs, none())), run(compiled(outputs, none())));
}

TEST(PushSlices, ShortRunsOfRandomNumbersAreCutFromWholeOnes) {
  // One call for two numbers takes as long as one for 64: narrow rows are made whole, wide ones are not.
  const Array narrow = random::normal({5000, 10}, {.seed = 5});
  const Array wide = random::normal({5000, 1000}, {.seed = 5});
  const std::vector<Index> pairs = {whole, Slice{3, 5}};
  EXPECT_EQ(pushed({narrow[pairs]}), titles({narrow[pairs]}));
  EXPECT_EQ(pushed({wide[pairs]}).size(), 1u);
  // A column is one run with gaps.
  EXPECT_EQ(pushed({narrow[{whole, Slice{3, 4}}]}).size(), 1u);
  for (const int64_t step : {1, 2, 7, 63, 64, 65, 700, -1, -2, -64, -65}) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Array line = random::normal({5000}, {.chunks = 1300, .seed = 6, .dtype = dtype});
      const Array uniform = random::uniform({5000}, {.chunks = 1300, .seed = 6, .dtype = dtype});
      const std::vector<Index> apart = {Slice{{}, {}, step}};
      EXPECT_EQ(pushed({line[apart]}).size(), 1u);
      expect_same_bits({line[apart], uniform[apart], (line - uniform)[apart]});
    }
  }
  expect_same_bits({narrow[pairs], wide[pairs], wide.transpose()[pairs]});
}

TEST(PushSlices, GoesIntoThePartsOfAConcatenation) {
  const Array a = in_memory({10, 4}, {3, 4});
  const Array b = in_memory({5, 4}, {5, 2});
  const Array c = in_memory({0, 4}, {1, 4});
  const Array all = concatenate({a, c, exp(b * 0.1), a});
  EXPECT_THAT(pushed({all[{Slice{2, 9}}]}), ElementsAre("slice(2:1x7, :)"));
  EXPECT_THAT(pushed({all[{Slice{22, 8, -3}}]}),
              ElementsAre("slice(7:-3x3, :)", "slice(3:-3x2, :)", "multiply", "exp",
                          "rechunk(((2,), (4,)))", "concatenate(axis 0)"));
  Ports outputs;
  for (int64_t start = 0; start < 25; start += 3) {
    for (int64_t step : {1, 2, 7, -1, -2, -7})
      outputs.push_back(all[{Slice{start, {}, step}, Slice{1, 3}}]);
    outputs.push_back(all[{Slice{start, start + 4}}]);
    outputs.push_back(all[{Slice{start, start}}]);
    outputs.push_back(all[{start}]);
  }
  for (const graph::Port& output : outputs) expect_same_bits({output});
  expect_same_bits(outputs);
  expect_same_bits({concatenate({a, a}, 1)[{Slice{1, 4}, Slice{6, 1, -2}}]});
}

TEST(PushSlices, GoesThroughRechunksAndMasksAlongOtherAxes) {
  const Array x = in_memory({30, 8}, {10, 4});
  EXPECT_THAT(pushed({x.rechunk({7, 8})[{Slice{20, 22}}]}),
              ElementsAre("slice(20:1x2, :)", "rechunk(((1, 1), (8,)))"));
  const Array mask = in_memory({30}, 10) > 12.0;
  const Array chosen = x[mask];
  EXPECT_THAT(pushed({chosen[{whole, Slice{2, 4}}]}),
              ElementsAre("slice(:, 2:1x2)", "greater", "mask"));
  const Array counted = chosen.compute_chunk_sizes();
  EXPECT_THAT(
      pushed({counted[{whole, int64_t{3}}]}),
      ElementsAre("slice(:, 3:1x1)", "greater", "mask", "assume_chunks", "relabel(axes (0))"));
  EXPECT_EQ(pushed({counted[{Slice{2, 5}}]}).back(), "slice(2:1x3, :)");
  expect_same_bits({x.rechunk({7, 8})[{Slice{20, 22}}], x.rechunk(3)[{Slice{29, 2, -5}}],
                    counted[{whole, int64_t{3}}], counted[{Slice{2, 5}, Slice{1, 2}}]});
}

TEST(PushSlices, StaysAboveWhatSomebodyNeedsWhole) {
  const Array x = in_memory({100}, 25);
  const Array e = exp(x);
  const std::vector<std::string> before = titles({e[{Slice{0, 10}}], sum(e)});
  EXPECT_EQ(pushed({e[{Slice{0, 10}}], sum(e)}), before);
  EXPECT_EQ(pushed({e[{Slice{0, 10}}], e}), titles({e[{Slice{0, 10}}], e}));
  // A view is no work, and neither are numbers made from nothing: each reader has its own.
  const Array t = random::normal({10, 20}, {.seed = 1}).transpose();
  EXPECT_THAT(pushed({t, t[{int64_t{0}}]}),
              ElementsAre("normal(seed 1 stream 0)", "relabel(axes (1, 0))",
                          "normal(seed 1 stream 0)", "relabel(axes (1, 0))", "relabel(axes (1))"));
  expect_same_bits({t, t[{int64_t{0}}], e[{Slice{0, 10}}], e});
}

TEST(PushSlices, StaysWhereSlicesOverlap) {
  const Array e = exp(in_memory({100'000}, 25'000));
  const Ports differences = {e[{Slice{1, {}}}] - e[{Slice{{}, -1}}]};
  EXPECT_EQ(pushed(differences), titles(differences));
  // Apart they are less than the blocks that they lie in, and go.
  const Ports ends = {e[{Slice{0, 10}}] - e[{Slice{-10, {}}}]};
  EXPECT_THAT(pushed(ends),
              ElementsAre("slice(0:1x10)", "exp", "slice(99990:1x10)", "exp", "subtract"));
  expect_same_bits(ends);
}

TEST(PushSlices, ManySmallSlicesOfASmallArrayStay) {
  const Array e = exp(in_memory({1000}, 100));
  Ports points;
  for (int64_t i = 0; i < 100; ++i) points.push_back(e[{i * 10}]);
  EXPECT_EQ(pushed(points), titles(points));
  // Of an array that takes a thousand times as long they go.
  const Array large = exp(broadcast_to(in_memory({1}, 1), {10'000'000}, 100'000));
  points.clear();
  for (int64_t i = 0; i < 100; ++i) points.push_back(large[{i * 100'000}]);
  EXPECT_LT(compiled(points).task_count(), 400u);
  for (const std::string& title : pushed(points)) EXPECT_EQ(title.find("slice"), std::string::npos);
}

TEST(PushSlices, ADiamondIsSlicedOnce) {
  Array y = in_memory({100}, 25);
  for (int i = 0; i < 40; ++i) y = tanh(y) * y;  // 2^40 ways down
  EXPECT_EQ(pushed({y[{int64_t{3}}]}).size(), 82u);
  expect_same_bits({y[{int64_t{3}}]});
}

TEST(PushSlices, StaysAboveSumsAndProducts) {
  const Array x = in_memory({12, 10}, {4, 5});
  for (const Array& y : {sum(x, 0), matmul(x, x.transpose()), var(x, 1), max(x, 0)}) {
    const Ports outputs = {y[{Slice{1, 3}}]};
    EXPECT_EQ(pushed(outputs).size(), titles(outputs).size());
    expect_same_bits(outputs);
  }
  // The slice of what is summed goes below.
  EXPECT_EQ(pushed({sum(exp(x)[{Slice{1, 3}}])})[0], "slice(1:1x2, :)");
}

TEST(PushSlices, WithoutSlicesNothingChanges) {
  const Array x = in_memory({40}, 10);
  const Ports outputs = {sum(exp(x) + exp(x)), concatenate({x, x})};
  EXPECT_EQ(optimize::push_slices(outputs), outputs);
  EXPECT_THAT(optimize::push_slices({}), IsEmpty());
}

}  // namespace
}  // namespace tuff::optimize_test
