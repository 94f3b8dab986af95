// Equal layers merge; layers that differ in anything that matters do not.
#include "tuff/optimize/cse.h"

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

using ::testing::ElementsAre;

size_t layer_count(const Ports& outputs) { return graph::layers_in_order(outputs).size(); }

/// Whether cse makes the two arrays one.
bool merges(const Array& a, const Array& b) {
  const Ports merged = optimize::cse({a, b});
  return merged[0] == merged[1];
}

TEST(Cse, TwiceTheSameExpressionIsOneLayerEach) {
  const Array x = in_memory({8}, 4);
  const Ports built = {exp(x) + 1.0, exp(x) * 2.0};
  EXPECT_EQ(describe(built),
            "L0  memory  0 tasks  ->  float64 (8,) in (2,) blocks\n"
            "L1  exp  2 tasks  <-  L0  ->  float64 (8,) in (2,) blocks\n"
            "L2  full  1 task  ->  float64 () in () blocks\n"
            "L3  add  2 tasks  <-  L1, L2  ->  float64 (8,) in (2,) blocks\n"
            "L4  exp  2 tasks  <-  L0  ->  float64 (8,) in (2,) blocks\n"
            "L5  full  1 task  ->  float64 () in () blocks\n"
            "L6  multiply  2 tasks  <-  L4, L5  ->  float64 (8,) in (2,) blocks\n");
  EXPECT_EQ(describe(optimize::cse(built)),
            "L0  memory  0 tasks  ->  float64 (8,) in (2,) blocks\n"
            "L1  exp  2 tasks  <-  L0  ->  float64 (8,) in (2,) blocks\n"
            "L2  full  1 task  ->  float64 () in () blocks\n"
            "L3  add  2 tasks  <-  L1, L2  ->  float64 (8,) in (2,) blocks\n"
            "L4  full  1 task  ->  float64 () in () blocks\n"
            "L5  multiply  2 tasks  <-  L1, L4  ->  float64 (8,) in (2,) blocks\n");
  expect_same_results(built);
}

TEST(Cse, MergesWholeChainsAndTheirSharedNumbers) {
  const Array x = in_memory({8}, 4);
  const auto chain = [&] { return sum(sqrt(abs(x - 2.0)) * 2.0); };
  const Array a = chain();
  const Array b = chain();
  EXPECT_EQ(layer_count({a, b}), 2 * layer_count({a}) - 1);             // x itself was shared
  EXPECT_EQ(layer_count(optimize::cse({a, b})), layer_count({a}) - 1);  // one number 2.0 is left
  EXPECT_TRUE(merges(a, b));
}

TEST(Cse, MergesEverySortOfLayerWithEqualParameters) {
  const Array x = in_memory({6, 4}, {3, 2});
  const Array mask = in_memory({6}, 3) > 2.0;
  const std::vector<std::function<Array()>> makers = {
      [] { return zeros({5}, {.dtype = DType::float64, .chunks = 2}); },
      [] { return arange(7); },
      [] { return random::uniform({5}, {.chunks = 2, .seed = 7}); },
      [] { return random::normal({5}, {.chunks = 2, .seed = 7, .stream = 3}); },
      [&] { return x.astype(DType::int32); },
      [&] { return where(x > 3.0, x, 0.0); },
      [&] { return x.transpose(); },
      [&] {
        return x[{whole, newaxis, whole}];
      },
      [&] {
        return x[{Slice{1, 5, 2}, Slice{{}, {}, -1}}];
      },
      [&] { return x.rechunk(2); },
      [&] { return sum(x, 0); },
      [&] { return var(x); },
      [&] { return matmul(x, x.transpose()); },
      [&] { return x[mask]; },
      [&] {
        return broadcast_to(x, {2, 6, 4});
      },
  };
  for (size_t k = 0; k < makers.size(); ++k)
    EXPECT_TRUE(merges(makers[k](), makers[k]())) << "maker " << k;
}

TEST(Cse, KeepsLayersApartWhoseParametersDiffer) {
  const Array x = in_memory({6, 6}, 3);
  const auto seeded = [](uint64_t seed, uint64_t stream) {
    return random::uniform({6, 6}, {.chunks = 3, .seed = seed, .stream = stream});
  };
  const std::vector<std::pair<Array, Array>> pairs = {
      {exp(x), expm1(x)},
      {x + 1.0, x + 2.0},
      {x - 1.0, 1.0 - x},
      {x.astype(DType::int32), x.astype(DType::int64)},
      {zeros({6}), ones({6})},
      {zeros({6}), zeros({6}, {.dtype = DType::float32, .chunks = {}})},
      {zeros({6}), zeros({6}, {.dtype = DType::float64, .chunks = 3})},
      {arange(6), arange(7)},
      {seeded(1, 0), seeded(2, 0)},
      {seeded(1, 0), seeded(1, 1)},
      {seeded(1, 0), random::normal({6, 6}, {.chunks = 3, .seed = 1})},
      {x.transpose(), x.transpose({0, 1})},
      {x[{Slice{0, 3}}], x[{Slice{1, 4}}]},
      {x[{Slice{0, 3}}], x[{whole, Slice{0, 3}}]},
      {x[{Slice{0, 4, 2}}], x[{Slice{0, 2}}]},
      {x.rechunk(2), x.rechunk({2, 3})},
      {sum(x, 0), sum(x, 1)},
      {sum(x, 0), max(x, 0)},
      {var(x), tuff::std(x)},
      {var(x), var(x, {}, {.keepdims = false, .ddof = 1.0})},
      {matmul(x, x.transpose()), matmul(x.transpose(), x)},
  };
  for (size_t k = 0; k < pairs.size(); ++k) {
    EXPECT_FALSE(merges(pairs[k].first, pairs[k].second)) << "pair " << k;
  }
}

TEST(Cse, SourcesInMemoryAreEqualOnlyToThemselves) {
  const Block block = Block::copy_of<double>(std::vector<double>{1, 2, 3}, {3});
  const Array a = from_block(block);
  const Array b = from_block(block);  // even of the same bytes: nothing is hashed
  EXPECT_FALSE(merges(a, b));
  EXPECT_FALSE(merges(exp(a), exp(b)));
  EXPECT_TRUE(merges(exp(a), exp(Array(a.port()))));
}

TEST(Cse, CallablesAreEqualOnlyToThemselves) {
  const BlockFunction make = [](const BlockInfo& info) {
    return Block::allocate(info.dtype, info.shape);
  };
  EXPECT_FALSE(merges(from_function(make, {4}), from_function(make, {4})));
  const auto twice = delayed([](double v) { return 2 * v; });
  const Ports merged = optimize::cse({twice(1.0).port(), twice(1.0).port()});
  EXPECT_FALSE(merged[0] == merged[1]);
}

TEST(Cse, ParametersOfOneNameStayTwoParameters) {
  const Parameter a("beta", {3}, DType::float64);
  const Parameter b("beta", {3}, DType::float64);
  EXPECT_FALSE(merges(a, b));
  EXPECT_FALSE(merges(a + 1.0, b + 1.0));
}

TEST(Cse, SelectionsByOneMaskMergeAndByTwoDoNot) {
  const Array x = in_memory({8}, 4);
  const Array m = x > 2.0;
  const Array k = x > 3.0;
  EXPECT_TRUE(merges(x[m], x[m]));
  EXPECT_FALSE(merges(x[m], x[k]));
}

TEST(Cse, ReturnsTheVeryLayersWhenNothingRepeats) {
  const Array x = in_memory({8}, 4);
  const Array y = sum(exp(x) * x);
  const Ports merged = optimize::cse({y});
  EXPECT_EQ(merged[0].layer, y.port().layer);
  EXPECT_THAT(titles(merged), ElementsAre("exp", "multiply", "sum(axes (0,))", "combine(axes (0,))",
                                          "relabel(axes ())"));
}

TEST(Cse, KeepsWhichOutputOfALayerIsMeant) {
  // After fusion layers have several outputs; merging must not confuse them.
  const Array x = in_memory({8}, 4);
  const Ports fused = compiled({exp(x), negative(exp(x)), exp(x)}).outputs();
  const Ports merged = optimize::cse(fused);
  EXPECT_EQ(merged[0].output, fused[0].output);
  EXPECT_EQ(merged[1].output, fused[1].output);
  EXPECT_EQ(merged[0], merged[2]);
  EXPECT_FALSE(merged[0] == merged[1]);
}

}  // namespace
}  // namespace tuff::optimize_test
