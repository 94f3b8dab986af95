// Scratch memory, and a plan's check of itself: each contradiction is found.
#include "tuff/graph/plan.h"

#include <functional>

#include <gtest/gtest.h>

#include "tuff/base/error.h"

#include "tests/schedule/plan_builder.h"

namespace {

using tuff::OptionSets;
using tuff::PlanArrays;
using tuff::TaskOptions;
using tuff::Value;
using tuff_test::add_up;
using tuff_test::PlanBuilder;

/// p -> a -> b -> d, a -> c -> d; slots: a 0, b 1, c 2, d 3, p 4, constant 5.
PlanArrays diamond() {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", add_up);
  const uint32_t p = builder.parameter();
  const uint32_t constant = builder.constant(Value(1.0));
  const uint32_t a = builder.task(f, {p, constant});
  const uint32_t b = builder.task(f, {a, a});
  const uint32_t c = builder.task(f, {a});
  builder.output(builder.task(f, {b, c}));
  return builder.build();
}

TEST(Scratch, GivesAlignedMemoryThatGrows) {
  tuff::Scratch scratch;
  EXPECT_NE(scratch.get(0), nullptr);
  for (size_t bytes : {size_t{1}, size_t{100}, size_t{64}, size_t{100000}, size_t{5}}) {
    std::byte* memory = scratch.get(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u);
    std::fill_n(memory, bytes, std::byte{1});
  }
  EXPECT_EQ(scratch.get(10), scratch.get(100));
}

TEST(PlanArrays, AConsistentPlanPasses) {
  EXPECT_NO_THROW(diamond().verify());
  EXPECT_NO_THROW(PlanBuilder().build());  // no tasks
}

TEST(PlanArrays, EachContradictionIsFound) {
  const std::vector<std::pair<const char*, std::function<void(PlanArrays&)>>> mistakes = {
      {"a block number is missing", [](PlanArrays& p) { p.block.pop_back(); }},
      {"a wait count is missing", [](PlanArrays& p) { p.wait_count.pop_back(); }},
      {"a function does not exist", [](PlanArrays& p) { p.function[1] = 9; }},
      {"a function is null", [](PlanArrays& p) { p.functions[0] = nullptr; }},
      {"an input does not exist", [](PlanArrays& p) { p.inputs.items[0] = 99; }},
      {"a row of inputs is missing", [](PlanArrays& p) { p.inputs.first.pop_back(); }},
      {"a row ends before it begins", [](PlanArrays& p) { p.inputs.first[1] = 99; }},
      {"a successor does not exist", [](PlanArrays& p) { p.successors.items[0] = 99; }},
      {"a successor is listed twice", [](PlanArrays& p) { p.successors.items[1] = 1; }},
      {"successors descend",
       [](PlanArrays& p) { std::swap(p.successors.items[0], p.successors.items[1]); }},
      {"a successor reads nothing of its task", [](PlanArrays& p) { p.successors.items[0] = 3; }},
      {"outputs are not ascending", [](PlanArrays& p) { p.first_output[1] = 9; }},
      {"outputs end late", [](PlanArrays& p) { p.first_output.back() = 99; }},
      {"an output row is missing", [](PlanArrays& p) { p.first_output.pop_back(); }},
      {"a use too many", [](PlanArrays& p) { p.use_count[1] += 2; }},
      {"a use too few", [](PlanArrays& p) { p.use_count[0] -= 1; }},
      {"an output that may be freed", [](PlanArrays& p) { p.use_count[3] -= 1; }},
      {"a wait too many", [](PlanArrays& p) { p.wait_count[3] += 1; }},
      {"a wait too few", [](PlanArrays& p) { p.wait_count[3] -= 1; }},
      {"a root too few", [](PlanArrays& p) { p.roots.clear(); }},
      {"a root that waits", [](PlanArrays& p) { p.roots.push_back(3); }},
      {"a constant that a task writes", [](PlanArrays& p) { p.constants[0].slot = 0; }},
      {"a constant without a value", [](PlanArrays& p) { p.constants[0].own.reset(); }},
      {"a parameter that is a constant", [](PlanArrays& p) { p.parameter_slots[0] = 5; }},
      {"an input that nobody fills", [](PlanArrays& p) { p.parameter_slots.clear(); }},
      {"an output that does not exist", [](PlanArrays& p) { p.output_slots[0] = 99; }},
  };
  for (const auto& [what, make_mistake] : mistakes) {
    PlanArrays plan = diamond();
    make_mistake(plan);
    EXPECT_THROW(plan.verify(), tuff::InternalError) << what;
  }
}

TEST(PlanArrays, ACycleIsFound) {
  // Two tasks that read each other's outputs, consistent in every other respect.
  PlanArrays plan;
  plan.functions.push_back(std::make_shared<tuff_test::LambdaTask>("f", add_up));
  plan.function = {0, 0};
  plan.block = {0, 1};
  plan.inputs.items = {1, 0};
  plan.inputs.first = {0, 1, 2};
  plan.successors.items = {1, 0};
  plan.successors.first = {0, 1, 2};
  plan.first_output = {0, 1, 2};
  plan.wait_count = {1, 1};
  plan.use_count = {1, 1};
  EXPECT_THROW(plan.verify(), tuff::InternalError);
}

TEST(TaskOptions, TakeInWhatCallsOfOneTaskNeed) {
  const auto taken = [](TaskOptions options, const TaskOptions& part) {
    take_in(options, part);
    return options;
  };
  const TaskOptions gpu = {.priority = 2, .resources = {{"GPU", 1}, {"disk", 2}}, .retries = 3};
  EXPECT_EQ(taken({}, gpu), gpu);
  EXPECT_EQ(taken(gpu, {}), gpu);
  EXPECT_EQ(taken(gpu, gpu), gpu);
  // One after another, so the larger amount is enough.
  EXPECT_EQ(taken({.resources = {{"GPU", 0.5}, {"net", 1}}}, gpu).resources,
            (tuff::TaskOptions{.resources = {{"GPU", 1}, {"disk", 2}, {"net", 1}}}.resources));
  EXPECT_EQ(taken({.priority = 5}, gpu).priority, 5);
  EXPECT_EQ(taken({.priority = -5}, gpu).priority, 2);
  EXPECT_EQ(taken({.priority = -5}, {}).priority, -5);  // who has none raises none
  EXPECT_EQ(taken({.priority = 0}, {.priority = -5}).priority, 0);
  EXPECT_FALSE(taken({}, {.fusible = false}).fusible);
  EXPECT_FALSE(taken({.fusible = false}, {}).fusible);
}

TEST(OptionSets, NumberEqualOptionsAlike) {
  OptionSets sets;
  EXPECT_EQ(sets.number({}), 0U);
  EXPECT_EQ(sets.number({.retries = 1}), 1U);
  EXPECT_EQ(sets.number({.resources = {{"disk", 1}, {"GPU", 2}}}), 2U);
  EXPECT_EQ(sets.number({}), 0U);
  EXPECT_EQ(sets.number({.resources = {{"GPU", 2}, {"disk", 1}}}), 2U);
  // An amount that is named twice is needed twice.
  EXPECT_EQ(sets.number({.resources = {{"GPU", 1.5}, {"disk", 1}, {"GPU", 0.5}}}), 2U);
  EXPECT_EQ(sets.number({.cost_seconds = 1}), 3U);
  EXPECT_EQ(sets.sets().size(), 4U);
}

TEST(OptionSets, AreFoundAtOnceHoweverMany) {
  OptionSets sets;  // a look through all of them each time would not end
  for (int round = 0; round < 2; ++round) {
    for (uint32_t i = 0; i < 300'000; ++i)
      ASSERT_EQ(sets.number({.cost_seconds = 1e-9 * (i + 1)}), i);
  }
}

}  // namespace
