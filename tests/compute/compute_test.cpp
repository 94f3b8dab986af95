// Plans: made once, run many times, with parameters given anew and results handed on.
#include "tuff/compute.h"

#include <thread>

#include <gtest/gtest.h>

#include "tuff/tuff.h"

namespace tuff {
namespace {

TEST(Plans, AResultIsTheNextRunsParameter) {
  const Parameter state("state", {4}, DType::float64, 2);
  const Plan step = compile({state * 2.0});
  Result value = std::vector<double>{1, 2, 3, 4};
  for (int i = 0; i < 10; ++i) value = std::move(step.run({{state, std::move(value)}})[0]);
  EXPECT_EQ(value.to_vector<double>(), (std::vector<double>{1024, 2048, 3072, 4096}));
}

TEST(Plans, AParameterCutInAnotherWayIsCutAnew) {
  const Parameter p("p", {2, 6}, DType::float64, {1, 4});
  const Plan plan = compile({p + 0.0, sum(p, 1)});
  const Result whole =
      Block::copy_of<double>(std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {2, 6});
  EXPECT_EQ(plan.run({{p, whole}})[0].to_vector<double>(), whole.to_vector<double>());
  EXPECT_EQ(plan.run({{p, compute({Array(whole).rechunk(5)})[0]}})[1].to_vector<double>(),
            (std::vector<double>{15, 51}));
}

TEST(Plans, WhatTheCallerKeepsIsNotWrittenOver) {
  const Parameter p("p", {3}, DType::float64);
  const Plan plan = compile({exp(p * 0.0) + p, p});
  const Result mine = std::vector<double>{1, 2, 3};
  for (int i = 0; i < 3; ++i) (void)plan.run({{p, mine}});
  EXPECT_EQ(mine.to_vector<double>(), (std::vector<double>{1, 2, 3}));
}

TEST(Plans, RunAtOnceFromSeveralThreads) {
  const Parameter p("p", {1000}, DType::float64, 100);
  const Plan plan = compile({sum(p * p)});
  std::vector<std::jthread> threads;
  std::vector<double> results(4);
  for (size_t t = 0; t < results.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        results[t] =
            plan.run({{p, std::vector<double>(1000, static_cast<double>(t))}})[0].item<double>();
      }
    });
  }
  threads.clear();
  for (size_t t = 0; t < results.size(); ++t)
    EXPECT_EQ(results[t], 1000.0 * static_cast<double>(t * t));
}

TEST(Plans, OutputsComeInTheOrderAskedForAndConstantsToo) {
  const Array x = arange(0, 4, 1, {.chunks = 2});
  const std::vector<Result> results = compute({x + 1, x, x + 1, sum(x)});
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0].to_vector<int64_t>(), (std::vector<int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(results[2].to_vector<int64_t>(), results[0].to_vector<int64_t>());
  EXPECT_EQ(results[1].to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(results[3].item<int64_t>(), 6);
}

TEST(Plans, CopiesShareOnePlanThatOutlivesItsArrays) {
  std::optional<Plan> first;
  {
    const Array x = ones({10}, {.chunks = 3}).persist();
    first = compile({sum(x)});
  }
  const Plan second = *first;
  first.reset();
  EXPECT_EQ(second.run()[0].item<double>(), 10.0);
  EXPECT_EQ(second.describe(), second.describe());
}

TEST(Plans, AnErrorLeavesThePlanUsable) {
  const Parameter p("p", {2}, DType::int64);
  const Plan plan = compile({power(2, p)});
  const auto bound = [&](int64_t exponent) {
    return plan.run({{p, Block::copy_of<int64_t>(std::vector<int64_t>{1, exponent}, {2})}})[0]
        .to_vector<int64_t>();
  };
  EXPECT_EQ(bound(3), (std::vector<int64_t>{2, 8}));
  EXPECT_THROW((void)bound(-1), TaskError);
  EXPECT_EQ(bound(4), (std::vector<int64_t>{2, 16}));
}

}  // namespace
}  // namespace tuff
