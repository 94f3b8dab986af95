// Plans made once and run often: parameters bound anew, cut, handed back, donated, from several threads.
#include <thread>

#include "tuff/base/buffer.h"

#include "random_graph.h"

namespace tuff::flow {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRuns = 100;
#else
constexpr int kRuns = 1000;
#endif

std::vector<double> ramp(int64_t n, double first) {
  std::vector<double> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<double>(i);
  return values;
}

TEST(Plan, ComputesAnewWithEachBinding) {
  const Parameter p("p", {3}, DType::float64);
  const Array x = arange(12).rechunk(5);
  const Plan plan = compile({sum(p * 2.0), p[{newaxis, whole}] + x[{whole, newaxis}]});
  for (double first : {0.0, 10.0, -3.0}) {
    const std::vector<Result> got = plan.run({{p, ramp(3, first)}});
    EXPECT_EQ(got[0].item<double>(), 2 * (3 * first + 3));
    EXPECT_EQ(got[1].to_vector<double>()[3 * 11 + 2], first + 2 + 11);
  }
}

TEST(Plan, CutsAParameterAsItWasDeclared) {
  const Parameter p("p", {10, 4}, DType::float64, ChunkSpec{3, 2});
  const Plan plan = compile({sum(p, 1), p.transpose()});
  conform::Rng rng(1);
  conform::Guises guises(rng);
  for (int repeat = 0; repeat < 20; ++repeat) {
    const Dense x =
        conform::naive_astype(conform::small(rng, DType::int32, {10, 4}), DType::float64);
    const Result bound = compute({guises.any(x)})[0];
    const std::vector<Result> got = plan.run({{p, bound}});
    EXPECT_TRUE(
        conform::same(Dense(got[0].gather()), conform::computed(sum(guises.plain(x, -1), 1))));
    EXPECT_TRUE(
        conform::same(Dense(got[1].gather()), conform::computed(guises.plain(x, -1).transpose())));
  }
}

TEST(Plan, TakesAnOutputBackAsItsNextParameter) {
  const Parameter p("p", {6}, DType::float64, 4);
  const Plan plan = compile({p * 0.5 + 1.0});
  Result state = std::move(compile({zeros({6}, {.chunks = 4})}).run()[0]);
  for (int i = 0; i < 60; ++i) {
    std::vector<Binding> bindings;
    bindings.push_back({p, std::move(state)});
    state = std::move(plan.run(std::move(bindings))[0]);
    ASSERT_EQ(state.blocks().size(), 2U);
  }
  for (double v : state.to_vector<double>()) EXPECT_EQ(v, 2.0);
}

TEST(Plan, WhatIsMovedIntoABracedListIsDonated) {
  constexpr int64_t kN = 1 << 20;
  const Parameter p("p", {kN}, DType::float64, kN / 8);
  const Plan plan = compile({p * 0.5 + 1.0});
  const Array u = random::uniform({kN}, {.chunks = kN / 8, .seed = 1});
  const std::vector<double> want = (u * 0.5 + 1.0).to_vector<double>();
  Result own = std::move(compute({u.port()})[0]);
  const size_t before = live_bytes();
  reset_peak_live_bytes();
  const std::vector<Result> got = plan.run({{p, std::move(own)}});
  EXPECT_LT(buffer_statistics().peak_live_bytes, before + kN * sizeof(double) / 2) << "in place";
  EXPECT_EQ(got[0].to_vector<double>(), want);
}

// The blocks that the caller keeps must not be written to, whoever else reads them.
TEST(Plan, LeavesWhatTheCallerKeepsAlone) {
  const Parameter p("p", {1000}, DType::float64, 100);
  const Plan plan = compile({exp(p), p + 1.0, negative(p)});
  const Result kept = compute({arange(1000).astype(DType::float64).rechunk(100)})[0];
  const std::vector<double> before = kept.to_vector<double>();
  for (int i = 0; i < 5; ++i) plan.run({{p, kept}});
  EXPECT_EQ(kept.to_vector<double>(), before);
}

TEST(Plan, GivesDonatedBlocksBackOnceTheRunIsOver) {
  const Parameter p("p", {100000}, DType::float64, 10000);
  const Plan plan = compile({sum(p)});
  const size_t before = buffer_statistics().live_buffers;
  std::vector<Binding> bindings;
  bindings.push_back({p, compute({ones({100000}, {.chunks = 10000})})[0]});
  EXPECT_EQ(plan.run(std::move(bindings))[0].item<double>(), 100000.0);
  bindings.clear();
  EXPECT_EQ(buffer_statistics().live_buffers, before);
}

TEST(Plan, IsRunByFourThreadsAtOnceWithTheirOwnParameters) {
  const Parameter p("p", {500}, DType::float64, 70);
  const Array x = random::normal({300, 500}, {.chunks = ChunkSpec{70, -1}, .seed = 2});
  const Plan plan = compile({matmul(x, p), sum(p * p)});
  std::vector<std::vector<Result>> want;
  for (int t = 0; t < 4; ++t) want.push_back(plan.run({{p, ramp(500, t)}}, {.threads = 1}));
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int repeat = 0; repeat < 30; ++repeat) {
        const std::vector<Result> got = plan.run({{p, ramp(500, static_cast<double>(t))}});
        for (size_t o = 0; o < got.size(); ++o) {
          if (!conform::same(Dense(got[o].gather()), Dense(want[t][o].gather()))) ++wrong[t];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(Plan, GivesTheSameBitsEveryTime) {
  const Array x = random::normal({2000, 20}, {.chunks = ChunkSpec{150, 7}, .seed = 1});
  const Plan plan = compile({sum(x, 0), var(x), matmul(x.transpose(), x),
                             exp(x)[{Slice{.start = 3, .stop = 700, .step = 3}}]});
  const std::vector<Result> want = plan.run();
  for (int run = 0; run < kRuns; ++run) {
    const std::vector<Result> got = plan.run();
    for (size_t o = 0; o < got.size(); ++o)
      ASSERT_TRUE(conform::same(Dense(got[o].gather()), Dense(want[o].gather()))) << run;
  }
}

template <class F>
void expect_refused(F&& run, const std::string& text) {
  try {
    run();
    ADD_FAILURE() << "not refused: " << text;
  } catch (const InvalidArgument& error) {
    EXPECT_EQ(std::string(error.what()), text);
  }
}

TEST(Plan, RefusesBindingsThatDoNotFitWithTheirNames) {
  const Parameter p("beta", {3}, DType::float64), q("other", {3}, DType::float64);
  const Plan plan = compile({sum(p)});
  expect_refused([&] { plan.run(); }, "[run] parameter 'beta' is not bound");
  expect_refused(
      [&] {
        plan.run({{p, ramp(3, 0)}, {p, ramp(3, 0)}});
      },
      "[run] parameter 'beta' is bound twice");
  expect_refused(
      [&] {
        plan.run({{p, ramp(3, 0)}, {q, ramp(3, 0)}});
      },
      "[run] no output of this plan depends on parameter 'other'");
  expect_refused(
      [&] {
        plan.run({{ones({3}), ramp(3, 0)}});
      },
      "[run] a binding names the result of full, float64 of shape (3,); it must name a Parameter");
  EXPECT_THROW(plan.run({{p, ramp(4, 0)}}), InvalidArgument);
  EXPECT_THROW(plan.run({{p, Result(Block::scalar(1.0))}}), InvalidArgument);
  EXPECT_THROW(plan.run({{p, compute({ones({3}, {.dtype = DType::float32})})[0]}}),
               InvalidArgument);
  EXPECT_THROW(compile({}), InvalidArgument);
  EXPECT_THROW(Parameter("", {3}, DType::float64), InvalidArgument);
}

}  // namespace
}  // namespace tuff::flow
