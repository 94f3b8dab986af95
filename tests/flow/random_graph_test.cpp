// Thousands of random expression graphs: fused, chunked and on two threads they give what the plain
// layers give on whole arrays.
#include "random_graph.h"

#include <cstdlib>

namespace tuff::flow {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kGraphs = 60;  // per test; a sanitized build is some 20 times slower
#else
constexpr uint64_t kGraphs = 2000;
#endif

std::vector<Dense> dense(const std::vector<Result>& results) {
  std::vector<Dense> values;
  for (const Result& result : results) values.emplace_back(result.gather());
  return values;
}

void expect_same_as_plain(uint64_t seed) {
  const RandomGraph graph(seed);
  SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + graph.text());
  try {
    CompileOptions plain;
    plain.passes.cse = plain.passes.fuse = false;
    plain.passes.push_slices = plain.passes.rechunk = false;
    std::vector<graph::Port> all;
    for (const Array& array : graph.build(Cutter())) all.push_back(array.port());
    const std::vector<Dense> want = dense(compile(all, plain).run());
    const std::vector<double> bounds = graph.bounds(want);
    const std::vector<Dense> got = dense(compute(graph.ports(Cutter(seed + 1)), {.threads = 2}));
    ASSERT_EQ(got.size(), graph.outputs().size());
    for (size_t o = 0; o < got.size(); ++o) {
      const size_t n = graph.outputs()[o];
      ASSERT_TRUE(close(got[o], want[n], bounds[n])) << "in v" << n;
    }
  } catch (const std::exception&) {
    FAIL() << describe(std::current_exception());
  }
}

void sweep(uint64_t first) {
  for (uint64_t seed = first; seed < first + kGraphs && !::testing::Test::HasFailure(); ++seed)
    expect_same_as_plain(seed);
}

TEST(RandomGraph, OptimisedEqualsPlain1) { sweep(10000); }
TEST(RandomGraph, OptimisedEqualsPlain2) { sweep(20000); }
TEST(RandomGraph, OptimisedEqualsPlain3) { sweep(30000); }
TEST(RandomGraph, OptimisedEqualsPlain4) { sweep(40000); }
TEST(RandomGraph, OptimisedEqualsPlain5) { sweep(50000); }

/// Slices and rechunks that move change no bit where nothing is summed; sums of a block may be taken in tiles
/// of another shape.
void expect_moves_change_nothing(uint64_t seed) {
  const RandomGraph graph(seed);
  SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + graph.text());
  try {
    const auto run = [&](bool push_slices, bool rechunk) {
      CompileOptions options;
      options.passes.fuse = false;
      options.passes.push_slices = push_slices;
      options.passes.rechunk = rechunk;
      return dense(compile(graph.ports(Cutter(seed + 1)), options).run());
    };
    const std::vector<Dense> want = run(false, false);
    for (unsigned bits = 1; bits < 4; ++bits) {
      const std::vector<Dense> got = run((bits & 1) != 0, (bits & 2) != 0);
      for (size_t o = 0; o < got.size(); ++o) {
        const size_t n = graph.outputs()[o];
        if (!graph.nodes()[n].is_exact) continue;
        ASSERT_TRUE(conform::same(got[o], want[o])) << "in v" << n << ", passes " << bits;
      }
    }
  } catch (const std::exception&) {
    FAIL() << describe(std::current_exception());
  }
}

TEST(RandomGraph, MovesOfSlicesAndRechunksChangeNoBit) {
  for (uint64_t seed = 60000; seed < 60000 + kGraphs && !::testing::Test::HasFailure(); ++seed)
    expect_moves_change_nothing(seed);
}

// For finding faults: TUFF_GRAPH_SEED=31 tuff_test_flow --gtest_filter='*OneSeed*'
TEST(RandomGraph, OptimisedEqualsPlainForOneSeed) {
  const char* seed = std::getenv("TUFF_GRAPH_SEED");
  expect_same_as_plain(seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1);
}

}  // namespace
}  // namespace tuff::flow
