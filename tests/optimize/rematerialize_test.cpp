// Cheap arrays that would be held across a reduction are made twice; nothing else is.
#include "tuff/optimize/rematerialize.h"

#include <cstring>
#include <set>

#include "tuff/optimize/cse.h"

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kRows = 1'200'000;  // 9.6 MB of float64: more than caches hold
constexpr int64_t kChunk = 100'000;

Array noise(int64_t rows = kRows) { return random::normal({rows}, {.chunks = kChunk, .seed = 7}); }
Array cheap(int64_t rows = kRows) { return exp(noise(rows) * 0.1); }
Array standardised(const Array& x) { return (x - mean(x, 0)) / tuff::std(x, 0); }

/// Bytes of all blocks that tasks leave for other tasks: outputs of layers that other layers read.
size_t bytes_kept(const Ports& outputs, const Passes& passes = {}) {
  const Ports optimised = compiled(outputs, passes).outputs();
  std::set<std::pair<const graph::Layer*, uint32_t>> read;
  for (const graph::LayerPtr& layer : graph::layers_in_order(optimised)) {
    for (const graph::Port& input : layer->inputs()) read.insert({input.layer.get(), input.output});
  }
  size_t bytes = 0;
  for (const auto& [layer, output] : read) {
    if (layer->name() == "memory") continue;
    size_t size = size_of(layer->outputs()[output].dtype);
    for (const AxisChunksPtr& axis : layer->outputs()[output].chunks)
      size *= static_cast<size_t>(axis->extent().upper_bound());
    bytes += size;
  }
  return bytes;
}

bool changes(const Ports& outputs) { return optimize::rematerialize(outputs) != outputs; }

void expect_same_bits(const Ports& outputs) {
  const std::vector<Result> with = compiled(outputs).run();
  const std::vector<Result> without_pass = compiled(outputs, without({"rematerialize"})).run();
  for (size_t o = 0; o < outputs.size(); ++o) {
    const Block a = with[o].gather();
    const Block b = without_pass[o].gather();
    ASSERT_EQ(a.bytes(), b.bytes());
    EXPECT_EQ(std::memcmp(a.bytes_data(), b.bytes_data(), a.bytes()), 0) << "output " << o;
  }
}

TEST(Rematerialize, StandardisingACheapArrayHoldsNoneOfIt) {
  const Ports outputs = {standardised(cheap())};
  EXPECT_GT(bytes_kept(outputs, without({"rematerialize"})), size_t{8} * kRows);
  EXPECT_LT(bytes_kept(outputs), size_t{8} * 1000);
  std::vector<std::string> programs;
  for (const std::string& title : plan_of(outputs)) {
    if (title.starts_with("fused(normal")) programs.push_back(title);
  }
  EXPECT_THAT(programs, ElementsAre("fused(normal -> multiply, exp -> sum, moments)",
                                    "fused(normal -> multiply, exp, subtract, divide)"));
  expect_same_bits(outputs);
}

TEST(Rematerialize, ColumnsOfAMatrixToo) {
  const Array x = exp(random::normal({120'000, 10}, {.chunks = {10'000, 10}, .seed = 7}) * 0.1);
  const Ports outputs = {standardised(x), sum(x * x)};
  EXPECT_GT(bytes_kept(outputs, without({"rematerialize"})), size_t{8} * 1'200'000);
  EXPECT_LT(bytes_kept(outputs), size_t{8} * 1000);
  expect_same_bits(outputs);
}

TEST(Rematerialize, WhatIsMadeFromTheArrayIsMadeAgainToo) {
  const Array x = cheap();
  const Ports outputs = {x * 2.0 + 1.0 - mean(x), sum(x)};
  EXPECT_GT(bytes_kept(outputs, without({"rematerialize"})), size_t{8} * kRows);
  EXPECT_LT(bytes_kept(outputs), size_t{8} * 1000);
  expect_same_bits(outputs);
}

TEST(Rematerialize, EachRoundOfReductionsHasItsOwnCopy) {
  const Array x = cheap();
  const Array centred = x - mean(x);
  const Array scaled = x / sum(centred * centred);
  const Ports outputs = {max(scaled), min(x)};
  EXPECT_GT(bytes_kept(outputs, without({"rematerialize"})), size_t{8} * kRows);
  EXPECT_LT(bytes_kept(outputs), size_t{8} * 1000);
  expect_same_bits(outputs);
}

TEST(Rematerialize, ReadersOfOneRoundShareACopy) {
  const Array x = cheap();
  const Array m = mean(x);
  const Ports outputs = {sum(abs(x - m)), sum((x - m) * x)};
  EXPECT_LT(bytes_kept(outputs), size_t{8} * 1000);
  size_t makers = 0;
  for (const std::string& title : plan_of(outputs))
    makers += title.starts_with("fused(normal") ? 1U : 0U;
  EXPECT_EQ(makers, 2u);
  expect_same_bits(outputs);
}

TEST(Rematerialize, LeavesWhatNobodyWaitsFor) {
  const Array x = cheap();
  EXPECT_FALSE(changes({sum(x), max(x), sum(x * x)}));
  EXPECT_FALSE(changes({x + 1.0, sum(x)}));
  // The reduction is over something else: x is read once, beside its own sum.
  const Array z = in_memory({kRows}, kChunk);
  EXPECT_FALSE(changes({x - mean(z), sum(x)}));
  // Rows are reduced within their blocks, so a block waits for itself only.
  const Array rows = exp(random::normal({120'000, 10}, {.chunks = {10'000, 10}, .seed = 7}));
  EXPECT_FALSE(changes({rows / sum(rows, 1, {.keepdims = true})}));
}

TEST(Rematerialize, LeavesOutputsWhichAreKeptAnyway) {
  const Array x = cheap();
  EXPECT_FALSE(changes({x, x - mean(x)}));
}

TEST(Rematerialize, LeavesWhatFitsInTheCache) {
  EXPECT_FALSE(changes({standardised(cheap(1'000'000))}));  // 8.0 MB, below 8 MiB
  EXPECT_TRUE(changes({standardised(cheap(1'100'000))}));
}

TEST(Rematerialize, LeavesWhatReadsMemoryParametersAndCallables) {
  const Array m = in_memory({kRows}, kChunk);
  const Parameter p("p", {kRows}, DType::float64, kChunk);
  const Array f =
      from_function([](const BlockInfo& i) { return Block::allocate(i.dtype, i.shape); }, {kRows},
                    {.dtype = DType::float64, .chunks = kChunk});
  for (const Array& source : {m, Array(p), f}) {
    EXPECT_FALSE(changes({standardised(exp(source * 0.1))}));
    EXPECT_FALSE(changes({standardised(cheap() + source)}));
  }
}

TEST(Rematerialize, LeavesWhatComesFromReductionsAndProducts) {
  const Array x = cheap();
  const Array centred = x - mean(x);  // made from x, which is made again, and from its mean
  const auto copies = [](const Ports& outputs, std::string_view name) {
    size_t count = 0;
    for (const graph::LayerPtr& layer : graph::layers_in_order(optimize::rematerialize(outputs)))
      count += layer->name() == name ? 1U : 0U;
    return count;
  };
  EXPECT_EQ(copies({standardised(centred)}, "exp"), 2u);
  EXPECT_EQ(copies({standardised(centred)}, "subtract"),
            2u);  // that of centred, that of the scaling
  const Array a = random::normal({1500, 1500}, {.chunks = 500, .seed = 1});
  const Array product = matmul(a, a);
  EXPECT_FALSE(changes({product - mean(product)}));
}

TEST(Rematerialize, LeavesWhatCostsMoreThanMemory) {
  Array x = noise();
  for (int i = 0; i < 3; ++i) x = power(abs(x), 1.1);
  EXPECT_FALSE(changes({standardised(x)}));
  // A flag of one byte is quickly read.
  const Array flags = random::normal({20'000'000}, {.chunks = 2'000'000, .seed = 1}) > 0.0;
  EXPECT_FALSE(changes({flags != any(flags)}));
}

TEST(Rematerialize, LeavesReadersThatCannotMakeItThemselves) {
  const Array x = exp(random::normal({1500, 1500}, {.chunks = 500, .seed = 1}) * 0.01);
  EXPECT_FALSE(changes({matmul(x, x - 1.0) * mean(x)}));
  const Array m = mean(x, 0, {.keepdims = true});
  EXPECT_FALSE(changes({matmul(x / 2.0, x.transpose()) - m}));
  // The second factor waits; a product of blocks reads blocks more than once.
  EXPECT_FALSE(changes({matmul(x - 0.0, broadcast_to(m.transpose(), {1500, 1500}))}));
  // So does a broadcast over several blocks.
  const Array row = cheap();
  const Array m0 = mean(row);
  EXPECT_FALSE(changes({row + broadcast_to(m0, {2, kRows}, {1, kChunk})}));
}

TEST(Rematerialize, CopiesThatAreNotFusedAreMergedAgain) {
  const Ports outputs = {standardised(cheap())};
  const Ports split = optimize::rematerialize(outputs);
  EXPECT_NE(split, outputs);
  EXPECT_EQ(titles(optimize::cse(split)).size(), titles(optimize::cse(outputs)).size());
}

}  // namespace
}  // namespace tuff::optimize_test
