// A plan's tasks numbered as one thread runs them: the run is the same, its numbers go up.
#include "tuff/schedule/run_order.h"

#include <numeric>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/schedule/run.h"
#include "tuff/schedule/state.h"

#include "tests/schedule/plan_builder.h"

namespace {

using tuff::in_run_order;
using tuff::PlanArrays;
using tuff::TaskArguments;
using tuff::Value;
using tuff_test::outputs_by_hand;
using tuff_test::PlanBuilder;

/// The numbers, in the plan and in the builder, of the tasks that have run.
struct Seen {
  std::vector<uint32_t> numbers;
  std::vector<uint32_t> blocks;
};

/// Tasks that note that they run; each yields one more than the sum of what it reads, in two outputs where
/// its number is odd. The numbers of tasks in the builder are their blocks.
PlanArrays random_plan(uint32_t seed, Seen& seen) {
  std::mt19937 random(seed);
  PlanBuilder builder;
  const uint32_t constant = builder.constant(Value(4.0));
  const uint32_t parameter = builder.parameter();
  const uint32_t f = builder.function("f", [&seen](TaskArguments& arguments) {
    seen.numbers.push_back(arguments.task);
    seen.blocks.push_back(arguments.block);
    tuff_test::add_up(arguments);
  });
  std::vector<uint32_t> slots = {constant, parameter};
  for (uint32_t t = 0; t < 60; ++t) {
    PlanBuilder::Slots reads;
    for (uint32_t r = random() % 4; r > 0; --r) reads.push_back(slots[random() % slots.size()]);
    const uint32_t outputs = 1 + t % 2;
    const uint32_t first = builder.task(f, reads, outputs);
    for (uint32_t i = 0; i < outputs; ++i) slots.push_back(first + i);
  }
  for (int i = 0; i < 5; ++i) builder.output(slots[random() % slots.size()]);
  PlanArrays plan = builder.build();
  std::iota(plan.block.begin(), plan.block.end(), 0);
  return plan;
}

std::vector<double> run(PlanArrays plan) {
  std::vector<Value> parameters;
  parameters.emplace_back(0.25);
  std::vector<double> outputs;
  for (const Value& value :
       tuff::Runner(std::move(plan)).run(std::move(parameters), {.threads = 1}))
    outputs.push_back(value.get<double>());
  return outputs;
}

TEST(RunOrder, OneThreadRunsTasksByTheirNumbers) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    Seen seen;
    PlanArrays plan = random_plan(seed, seen);
    const std::vector<double> expected = outputs_by_hand(plan, {0.25});
    const PlanArrays ordered = in_run_order(random_plan(seed, seen)).plan;
    ordered.verify();
    EXPECT_EQ(outputs_by_hand(ordered, {0.25}), expected);
    EXPECT_EQ(run(std::move(plan)), expected);
    std::vector<uint32_t> ascending(ordered.task_count());
    std::iota(ascending.begin(), ascending.end(), 0);
    EXPECT_EQ(seen.numbers, ascending);
    EXPECT_EQ(seen.blocks, ordered.block);
    if (HasFailure()) return;
  }
}

TEST(RunOrder, APlanInThatOrderStaysAsItIs) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    Seen seen;
    const PlanArrays once = in_run_order(random_plan(seed, seen)).plan;
    const PlanArrays twice = in_run_order(once).plan;
    EXPECT_EQ(twice.block, once.block);
    EXPECT_EQ(twice.first_output, once.first_output);
    EXPECT_EQ(twice.inputs.items, once.inputs.items);
    EXPECT_EQ(twice.output_slots, once.output_slots);
  }
}

TEST(RunOrder, WhatARootMakesReadyComesBeforeTheNextRoot) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", tuff_test::add_up);
  const uint32_t a = builder.task(f, {});
  const uint32_t b = builder.task(f, {});
  const uint32_t of_a = builder.task(f, {a});
  const uint32_t of_b = builder.task(f, {b});
  const uint32_t of_both = builder.task(f, {a, b});
  for (uint32_t slot : {of_a, of_b, of_both}) builder.output(slot);
  PlanArrays plan = builder.build();
  std::iota(plan.block.begin(), plan.block.end(), 0);
  const PlanArrays ordered = in_run_order(std::move(plan)).plan;
  EXPECT_EQ(ordered.block, (std::vector<uint32_t>{0, 2, 1, 3, 4}));
  EXPECT_EQ(ordered.inputs.items, (std::vector<uint32_t>{0, 2, 0, 2}));
  EXPECT_EQ(ordered.output_slots, (std::vector<uint32_t>{1, 3, 4}));
  EXPECT_EQ(ordered.roots, (std::vector<uint32_t>{0, 2}));
}

TEST(RunOrder, OptionsStayWithTheirTasks) {
  Seen seen;
  PlanArrays plan = random_plan(3, seen);
  plan.options.resize(plan.task_count());
  plan.option_of.resize(plan.task_count());
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    plan.options[t].priority = static_cast<int>(t);
    plan.option_of[t] = t;
  }
  const PlanArrays ordered = in_run_order(std::move(plan)).plan;
  EXPECT_FALSE(std::is_sorted(ordered.block.begin(), ordered.block.end()));
  for (uint32_t t = 0; t < ordered.task_count(); ++t)
    EXPECT_EQ(ordered.options_of(t).priority, static_cast<int>(ordered.block[t]));
}

TEST(RunOrder, TasksThatWaitForEachOtherStayAsTheyAre) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", tuff_test::add_up);
  const uint32_t a = builder.task(f, {});
  const uint32_t b = builder.task(f, {a});
  builder.task(f, {b});
  PlanArrays plan = builder.build();
  plan.wait_count[1] = 2;  // and nobody else will count it down
  EXPECT_EQ(in_run_order(plan).plan.wait_count, plan.wait_count);
}

/// For each i: use(expand(a root, i), load(i)), with the roots first; in the order that keeps least.
PlanArrays expansions(PlanBuilder& builder, uint32_t f, uint32_t roots, uint32_t count) {
  PlanBuilder::Slots shared;
  PlanBuilder::Slots sum;
  for (uint32_t r = 0; r < roots; ++r) shared.push_back(builder.task(f, {}));
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t expanded = builder.task(f, {shared[i % roots]});
    const uint32_t loaded = builder.task(f, {});
    sum.push_back(builder.task(f, {expanded, loaded}));
    for (uint32_t joined = i + 1; joined % 4 == 0; joined /= 4) {  // a tree of four branches each
      const PlanBuilder::Slots four(sum.end() - 4, sum.end());
      sum.resize(sum.size() - 4);
      sum.push_back(builder.task(f, four));
    }
  }
  for (uint32_t slot : sum) builder.output(slot);
  PlanArrays plan = builder.build();
  plan.is_ordered = true;
  return plan;
}

TEST(RunOrder, TheOrderOfThePlanIsKeptWhereDepthFirstHoldsMore) {
  for (uint32_t roots : {1U, 2U, 32U}) {
    PlanBuilder builder;
    const tuff::RunOrder order =
        in_run_order(expansions(builder, builder.function("f", tuff_test::add_up), roots, 256));
    EXPECT_TRUE(order.by_number);
    std::vector<uint32_t> ascending(order.plan.task_count());
    std::iota(ascending.begin(), ascending.end(), 0);
    EXPECT_EQ(order.plan.block, ascending);
  }
}

TEST(RunOrder, APlanThatNobodyOrderedRunsDepthFirst) {
  PlanBuilder builder;
  PlanArrays plan = expansions(builder, builder.function("f", tuff_test::add_up), 1, 256);
  plan.is_ordered = false;
  const tuff::RunOrder order = in_run_order(std::move(plan));
  EXPECT_FALSE(order.by_number);
  EXPECT_FALSE(std::is_sorted(order.plan.block.begin(), order.plan.block.end()));
}

TEST(RunOrder, DepthFirstIsGoodEnoughWhereItHoldsLittleMore) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", tuff_test::add_up);
  PlanBuilder::Slots row;
  constexpr uint32_t kSide = 40;
  for (uint32_t i = 0; i < kSide * kSide; ++i) {
    PlanBuilder::Slots reads;
    if (i % kSide > 0) reads.push_back(row[i % kSide - 1]);
    if (i >= kSide) reads.push_back(row[i % kSide]);
    const uint32_t made = builder.task(f, reads);
    row.resize(std::max<size_t>(row.size(), i % kSide + 1));
    row[i % kSide] = made;
  }
  for (uint32_t slot : row) builder.output(slot);
  PlanArrays plan = builder.build();
  plan.is_ordered = true;
  EXPECT_FALSE(in_run_order(std::move(plan)).by_number);
}

}  // namespace
