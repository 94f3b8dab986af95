// Results do not depend on how many threads run the plan, nor on the order in which tasks end.
#include "random_graph.h"

namespace tuff::flow {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kGraphs = 30;
constexpr int64_t kLarge = 20000;
#else
constexpr uint64_t kGraphs = 1500;
constexpr int64_t kLarge = 1000000;
#endif

void expect_same_bits(const std::vector<Result>& got, const std::vector<Result>& want,
                      int threads) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t o = 0; o < got.size(); ++o) {
    ASSERT_TRUE(conform::same(Dense(got[o].gather()), Dense(want[o].gather())))
        << "output " << o << " with " << threads << " threads";
  }
}

TEST(Threads, DoNotChangeTheBitsOfRandomGraphs) {
  for (uint64_t seed = 1; seed <= kGraphs && !HasFatalFailure(); ++seed) {
    const RandomGraph graph(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + graph.text());
    const Plan plan = compile(graph.ports(Cutter(seed + 1)));
    const std::vector<Result> want = plan.run({}, {.threads = 1});
    for (int threads : {2, 7}) expect_same_bits(plan.run({}, {.threads = threads}), want, threads);
  }
}

TEST(Threads, DoNotChangeTheBitsOfLargeReductions) {
  const Array x = random::normal({kLarge}, {.chunks = kLarge / 97, .seed = 3}) * 1e3;
  const Array m =
      random::normal({kLarge / 50, 50}, {.chunks = ChunkSpec{kLarge / 50 / 13, 17}, .seed = 4});
  const Array f = x.astype(DType::float32);
  const Plan plan = compile({sum(x), mean(x), var(x), tuff::std(f), sum(f), min(x), sum(m, 0),
                             var(m, 1), mean(m, 0), matmul(m.transpose(), m), matmul(m, m[{0}]),
                             sum(exp(x * 1e-3) - 1.0 / x)});
  const std::vector<Result> want = plan.run({}, {.threads = 1});
  for (int threads : {2, 7}) {
    for (int repeat = 0; repeat < 3; ++repeat)
      expect_same_bits(plan.run({}, {.threads = threads}), want, threads);
  }
}

TEST(Sum, IsBitEqualAtAnyNumberOfThreads) {
  const Array x = random::uniform({kLarge}, {.low = -1, .chunks = 1009, .seed = 5});
  const auto want = sum(x).compute<double>({.threads = 1});
  for (int threads = 2; threads <= 7; ++threads)
    EXPECT_EQ(sum(x).compute<double>({.threads = threads}), want) << threads;
}

// Neumaier's compensation makes the error independent of the condition within a block; the tree above
// rounds once per level, so cancellation between blocks costs what it costs in any float64 sum.
TEST(Sum, OfIllConditionedNumbersIsNearlyExact) {
  conform::Rng rng(8);
  for (const int64_t block : {int64_t{50000}, int64_t{1000}, int64_t{137}}) {
    const int64_t n = 50000;
    std::vector<double> values;
    long double exact = 0, size = 0;
    for (int64_t i = 0; i < n / 2; ++i) {
      const double large = std::ldexp(rng.unit() + 0.5, static_cast<int>(rng.below(40)));
      // Each pair leaves a small rest, so that the sum is tiny beside its terms.
      values.push_back(large);
      values.push_back(rng.unit() * 1e-3 - large);
    }
    for (double v : values) exact += v, size += std::fabs(static_cast<long double>(v));
    const auto got = sum(from_memory(values.data(), {n}, {.chunks = block})).compute<double>();
    const double bound = static_cast<double>(std::fabs(exact) * 0x1p-51L + size * 0x1p-64L * n) +
                         (block == n ? 0.0 : static_cast<double>(size) * 0x1p-52);
    EXPECT_NEAR(got, static_cast<double>(exact), bound) << "blocks of " << block;
  }
}

// Compensation works from tile to tile; within the tile of the large number, plain addition drops them.
TEST(Sum, OfOneLargeAndManySmallNumbersLosesAtMostOneTileOfThem) {
  const int64_t n = 100001;
  std::vector<double> values(static_cast<size_t>(n), 1.0);
  values[0] = 1e16;  // 1 is half a unit in the last place here
  EXPECT_NEAR(sum(from_memory(values.data(), {n}, {.chunks = n})).compute<double>(), 1e16 + 100000,
              1024);
}

}  // namespace
}  // namespace tuff::flow
