// Moved and repeated sources become sources; what reads memory, or only knows its extents in a run, stays.
#include "tuff/optimize/fold_sources.h"

#include <cmath>
#include <cstring>

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

using ::testing::ElementsAre;

/// All layers of the folded graph, sources too.
std::vector<std::string> folded(const Ports& outputs) {
  const Ports result = optimize::fold_sources(outputs);
  std::vector<std::string> list;
  for (const graph::LayerPtr& layer : graph::layers_in_order(result)) {
    list.emplace_back(layer->name());
  }
  return list;
}

/// Bytes of the results with and without the pass, and nothing else, are the same.
void expect_same_bits(const Ports& outputs) {
  const std::vector<Result> with = compiled(outputs, only({"fold_sources"})).run();
  const std::vector<Result> without = compiled(outputs, none()).run();
  for (size_t o = 0; o < outputs.size(); ++o) {
    ASSERT_EQ(with[o].dtype(), without[o].dtype());
    ASSERT_EQ(to_string(with[o].chunks()), to_string(without[o].chunks()));
    const Block a = with[o].gather();
    const Block b = without[o].gather();
    ASSERT_EQ(a.bytes(), b.bytes());
    EXPECT_EQ(std::memcmp(a.bytes_data(), b.bytes_data(), a.bytes()), 0) << "output " << o;
  }
}

Array random_array() { return random::normal({12, 10}, {.chunks = {4, 5}, .seed = 3}); }

TEST(FoldSources, RechunkedSourcesAreMadeInTheNewChunks) {
  const Ports outputs = {random_array().rechunk({5, 10}), arange(12).rechunk(5),
                         full({7}, 2.5, {.chunks = 2}).rechunk(7),
                         random::uniform({100}, {.chunks = 7, .seed = 2}).rechunk(30).rechunk(9)};
  EXPECT_THAT(folded(outputs), ElementsAre("normal", "index", "full", "uniform"));
  EXPECT_EQ(compiled(outputs).task_count(), 3u + 3u + 1u + 12u);
  expect_same_bits(outputs);
}

TEST(FoldSources, APlanWithARechunkBetweenSourceAndReaderHoldsNoBlocks) {
  const Array x = in_memory({12, 10}, {6, 10});
  const Ports outputs = {sum(random_array().rechunk({6, 10}) * x)};
  EXPECT_EQ(compiled(outputs, without({"fold_sources", "rechunk"})).task_count(),
            6u + 2u + 2u + 1u + 1u);
  EXPECT_EQ(compiled(outputs).task_count(), 2u + 1u + 1u);
  EXPECT_THAT(plan_of(outputs)[0], ::testing::StartsWith("fused(normal -> multiply -> sum"));
  expect_same_results(outputs);
}

TEST(FoldSources, ConstantsUnderOtherAxesAreConstants) {
  const Array c = full({3, 1}, 2.5);
  const Ports outputs = {c.transpose(), broadcast_to(c, {2, 3, 4}, 2), c[{newaxis, whole, whole}],
                         c.astype(DType::int16)};
  EXPECT_THAT(folded(outputs), ElementsAre("full", "full", "full", "full"));
  expect_same_bits(outputs);
}

TEST(FoldSources, ArithmeticOfConstantsIsOneConstant) {
  const Array a = full({4}, 3.0, {.chunks = 2});
  const Array b = full({4}, int64_t{7}, {.dtype = DType::int64, .chunks = 2});
  const Ports outputs = {exp(a) / 7.0 - power(a, 1.1),
                         floor_divide(b, 2) * b,
                         isnan(b),
                         ceil(b),
                         where(a > 2.0, b, 1.5),
                         sqrt(-a),
                         b.astype(DType::bool_) + a};
  EXPECT_THAT(folded(outputs), ElementsAre("full", "full", "full", "full", "full", "full", "full"));
  expect_same_bits(outputs);
}

TEST(FoldSources, ConstantsOfEveryTypeKeepTypeAndValue) {
  for (int t = 0; t < kDTypeCount; ++t) {
    const auto dtype = static_cast<DType>(t);
    const Array c = full({3}, 1, {.dtype = dtype});
    const Ports outputs = {c + c, c.astype(DType::float32), where(c == c, c, c)};
    EXPECT_THAT(folded(outputs), ElementsAre("full", "full", "full")) << name_of(dtype);
    expect_same_bits(outputs);
  }
}

TEST(FoldSources, LeavesReductionsAndProductsOfConstantsAlone) {
  const Array a = ones({4, 4}, {.dtype = DType::float64, .chunks = 2});
  const Ports outputs = {sum(a, 0), var(a), matmul(a, a)};
  EXPECT_EQ(optimize::fold_sources(outputs), outputs);
}

TEST(FoldSources, LeavesWhatIsComputedFromRandomNumbersAndMemoryAlone) {
  const Array x = in_memory({12, 10}, {4, 5});
  const Parameter p("p", {10}, DType::float64, 5);
  const Ports outputs = {
      exp(random_array()),
      random_array().astype(DType::float32),
      random_array().transpose(),
      x.rechunk(3),
      x + 1.0,
      arange(5) + 1,
      (random_array() + 1.0).rechunk(3),
      p.rechunk(2),
      from_function([](const BlockInfo& i) { return Block::allocate(i.dtype, i.shape); }, {4},
                    {.dtype = DType::float64, .chunks = 2})
          .rechunk(4)};
  EXPECT_EQ(optimize::fold_sources(outputs), outputs);
}

TEST(FoldSources, LeavesUnknownExtentsAlone) {
  const Array x = in_memory({12}, 4);
  const Array chosen = x[x > 3.0];
  const Ports outputs = {where(isnan(chosen), 1.0, 2.0), chosen * 0.0 + 1.0};
  EXPECT_EQ(optimize::fold_sources(outputs), outputs);
}

TEST(FoldSources, AnIntegerPowerThatFailsStillFailsInTheRun) {
  const Ports outputs = {power(full({2}, int64_t{2}, {.dtype = DType::int64}),
                               full({2}, int64_t{-1}, {.dtype = DType::int64}))};
  const Plan plan = compile(outputs);
  EXPECT_THROW((void)plan.run(), TaskError);
}

}  // namespace
}  // namespace tuff::optimize_test
