// The state of a run without threads: every order that the events of small graphs can come in.
#include "tuff/schedule/state.h"

#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "tests/schedule/plan_builder.h"

namespace {

using tuff::Program;
using tuff::RunState;
using tuff::TaskArguments;
using tuff::Value;
using tuff_test::add_up;
using tuff_test::PlanBuilder;

/// Runs ready tasks in an order that `choices` picks, and returns how many there were to pick from each
/// time, so that all orders can be walked through.
class Walker {
 public:
  explicit Walker(const Program& program) : program_(program), state_(program) {}

  std::vector<size_t> walk(const std::vector<size_t>& choices, std::vector<double>& outputs) {
    state_.reset();
    std::vector<uint32_t> ready = program_.plan.roots;
    std::set<uint32_t> ran;
    std::vector<size_t> widths;
    while (!ready.empty()) {
      const size_t step = widths.size();
      widths.push_back(ready.size());
      const size_t pick = step < choices.size() ? choices[step] : 0;
      const uint32_t task = ready[pick];
      ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(pick));
      EXPECT_TRUE(ran.insert(task).second) << "task " << task << " became ready twice";
      run(task, ready);
    }
    EXPECT_EQ(ran.size(), program_.plan.task_count());
    outputs.clear();
    for (const Value& value : state_.take_outputs()) outputs.push_back(value.get<double>());
    EXPECT_TRUE(state_.is_clean());
    return widths;
  }

 private:
  void run(uint32_t task, std::vector<uint32_t>& ready) {
    const tuff::TaskRecord& record = program_.tasks[task];
    Value* inputs[8] = {};
    bool last_use[8] = {};
    state_.begin<false>(record, inputs, last_use);
    TaskArguments arguments;
    arguments.block = record.block;
    arguments.inputs = {inputs, record.input_count};
    arguments.last_use = {last_use, record.input_count};
    arguments.outputs = state_.outputs(record);
    record.function->run(arguments);
    std::vector<uint32_t> made;
    state_.finish<false>(record, last_use, [&](uint32_t next) { made.push_back(next); });
    EXPECT_TRUE(std::is_sorted(made.rbegin(), made.rend())) << "highest number first";
    ready.insert(ready.end(), made.begin(), made.end());
  }

  const Program& program_;
  RunState state_;
};

/// Walks all orders of a plan; each must run every task once, free everything and agree.
size_t walk_all_orders(tuff::PlanArrays plan) {
  const Program program(std::move(plan));
  Walker walker(program);
  std::vector<double> expected;
  std::vector<double> outputs;
  std::vector<size_t> choices;
  size_t orders = 0;
  for (;;) {
    const std::vector<size_t> widths = walker.walk(choices, outputs);
    if (orders++ == 0) expected = outputs;
    EXPECT_EQ(outputs, expected);
    choices.resize(widths.size(), 0);
    size_t step = widths.size();
    while (step > 0 && choices[step - 1] + 1 >= widths[step - 1]) --step;
    if (step == 0) return orders;
    choices.resize(step);
    ++choices[step - 1];
  }
}

TEST(RunState, EveryOrderOfAForkAndJoinAgrees) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", add_up);
  const uint32_t source = builder.task(f, {});
  std::vector<uint32_t> middle;
  middle.reserve(4);
  for (int i = 0; i < 4; ++i) middle.push_back(builder.task(f, {source}));
  builder.output(builder.task(f, middle));
  EXPECT_EQ(walk_all_orders(builder.build()), 24u);
}

TEST(RunState, EveryOrderOfTwoChainsAgrees) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", add_up);
  for (int chain = 0; chain < 2; ++chain) {
    uint32_t last = builder.task(f, {});
    for (int i = 0; i < 3; ++i) last = builder.task(f, {last});
    builder.output(last);
  }
  EXPECT_EQ(walk_all_orders(builder.build()), 70u);  // 8 over 4
}

TEST(RunState, EveryOrderOfDiamondsWithRepeatedReadsAgrees) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", add_up);
  const uint32_t constant = builder.constant(Value(4.0));
  const uint32_t a = builder.task(f, {constant}, 2);
  const uint32_t b = builder.task(f, {a, a});
  const uint32_t c = builder.task(f, {a, a + 1, constant});
  const uint32_t d = builder.task(f, {b, c, b});
  builder.task(f, {d});  // nobody reads this one
  builder.output(d);
  builder.output(d);
  EXPECT_EQ(walk_all_orders(builder.build()), 2u);
}

TEST(RunState, ASlotThatOneTaskReadsTwiceIsNeverOffered) {
  PlanBuilder builder;
  const uint32_t x = builder.task("x", add_up, {});
  const uint32_t y = builder.task("y", add_up, {});
  builder.task("z", [](TaskArguments& a) { a.outputs[0].emplace<double>(0); }, {x, y, x});
  const Program program(builder.build());
  RunState state(program);
  state.reset();
  Value* inputs[3] = {};
  bool last_use[3] = {};
  state.begin<false>(program.tasks[2], inputs, last_use);
  EXPECT_FALSE(last_use[0]);
  EXPECT_TRUE(last_use[1]);
  EXPECT_FALSE(last_use[2]);
  EXPECT_EQ(inputs[0], inputs[2]);
}

TEST(RunState, AWidelyReadParameterStaysUntilTheEnd) {
  PlanBuilder builder;
  const uint32_t few = builder.parameter();
  const uint32_t many = builder.parameter();
  const uint32_t f = builder.function("f", add_up);
  builder.task(f, {few, many});
  for (int i = 0; i < 100; ++i) builder.task(f, {many});
  const Program program(builder.build());
  RunState state(program);
  state.reset();
  state.set_parameters([] {
    std::vector<Value> values;
    values.emplace_back(1.0);
    values.emplace_back(2.0);
    return values;
  }());
  Value* inputs[2] = {};
  bool last_use[2] = {};
  state.begin<false>(program.tasks[0], inputs, last_use);
  EXPECT_TRUE(last_use[0]);
  EXPECT_FALSE(last_use[1]);
  EXPECT_FALSE(state.is_clean());
  state.clear();
  EXPECT_TRUE(state.is_clean());
}

}  // namespace
