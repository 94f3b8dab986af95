// Groups of calls: order, registers, last uses, errors.
#include "tuff/graph/task_group.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tuff/base/error.h"

namespace tuff::graph {
namespace {

using ::testing::ElementsAre;
using Arguments = std::vector<GroupProgram::Argument>;

class Call final : public TaskFunction {
 public:
  explicit Call(std::function<void(TaskArguments&)> run) : run_(std::move(run)) {}
  void run(TaskArguments& arguments) const override { run_(arguments); }
  std::string_view name() const override { return "call"; }

 private:
  std::function<void(TaskArguments&)> run_;
};

GroupProgram::Argument input(uint32_t number) { return {true, number, 0}; }
GroupProgram::Argument part(uint32_t number, uint32_t output = 0) {
  return {false, number, output};
}

/// Runs group `group` on these inputs; returns its outputs.
std::vector<int> run(const GroupProgram& program, uint32_t group, std::vector<int> given,
                     size_t outputs = 1, bool last_use = true) {
  std::vector<Value> values;
  for (int v : given) values.emplace_back(v);
  std::vector<Value*> inputs;
  for (Value& value : values) inputs.push_back(&value);
  const auto last = std::make_unique<bool[]>(given.size());
  std::fill_n(last.get(), given.size(), last_use);
  std::vector<Value> made(outputs);
  TaskArguments arguments;
  arguments.block = group;
  arguments.inputs = inputs;
  arguments.last_use = {last.get(), given.size()};
  arguments.outputs = made;
  program.run(arguments);
  std::vector<int> result;
  for (Value& value : made) result.push_back(value.get<int>());
  return result;
}

TEST(TaskGroup, RunsPartsInOrderAndHandsValuesOn) {
  const Call sum([](TaskArguments& a) {
    int total = static_cast<int>(a.block);
    for (Value* value : a.inputs) total = total * 10 + value->get<int>();
    a.outputs[0].emplace<int>(total);
  });
  GroupProgram program;
  const uint32_t operation = program.add_operation("sum");
  program.begin();
  program.add_part(&sum, operation, 0, Arguments{input(0), input(1)}, 1);
  program.add_part(&sum, operation, 0, Arguments{part(0), input(1)}, 1);
  program.add_part(&sum, operation, 7, Arguments{part(1), part(0)}, 1);
  EXPECT_EQ(program.end(), 0U);
  EXPECT_THAT(run(program, 0, {1, 2}), ElementsAre(7 * 100 + 122 * 10 + 12));
  EXPECT_EQ(program.part_count(0), 3U);
}

TEST(TaskGroup, NeedsTwoRegistersForALineHoweverLong) {
  const Call next([](TaskArguments& a) {
    EXPECT_TRUE(a.last_use[0]);
    a.outputs[0].emplace<int>(a.inputs[0]->get<int>() + 1);
  });
  GroupProgram program;
  const uint32_t operation = program.add_operation("next");
  program.begin();
  program.add_part(&next, operation, 0, Arguments{input(0)}, 1);
  for (uint32_t i = 0; i < 1000; ++i) program.add_part(&next, operation, 0, Arguments{part(i)}, 1);
  EXPECT_EQ(program.end(), 0U);
  EXPECT_LE(program.register_count(0), 2U);
  EXPECT_THAT(run(program, 0, {0}), ElementsAre(1001));
}

TEST(TaskGroup, TellsLastUsesOnceAndNeverOfWhatIsPassedTwice) {
  std::vector<std::vector<bool>> seen;
  const Call look([&seen](TaskArguments& a) {
    seen.emplace_back(a.last_use.begin(), a.last_use.end());
    for (Value& output : a.outputs) output.emplace<int>(1);
  });
  GroupProgram program;
  const uint32_t operation = program.add_operation("look");
  program.begin();
  program.add_part(&look, operation, 0, Arguments{input(0), input(1), input(0)}, 2);
  program.add_part(&look, operation, 0, Arguments{part(0, 0), input(1)}, 1);
  program.add_part(&look, operation, 0, Arguments{part(0, 0), part(0, 1), part(1), part(1)}, 1);
  program.end();
  run(program, 0, {1, 2});
  EXPECT_THAT(seen, ElementsAre(ElementsAre(false, false, false), ElementsAre(false, true),
                                ElementsAre(true, true, false, false)));
  seen.clear();
  run(program, 0, {1, 2}, 1, false);  // others still read the inputs
  EXPECT_THAT(seen[1], ElementsAre(false, false));
}

TEST(TaskGroup, HoldsManyValuesAtOnce) {
  const Call one([](TaskArguments& a) { a.outputs[0].emplace<int>(static_cast<int>(a.block)); });
  const Call sum([](TaskArguments& a) {
    int total = 0;
    for (Value* value : a.inputs) total += value->get<int>();
    a.outputs[0].emplace<int>(total);
  });
  for (uint32_t n : {1U, 15U, 16U, 17U, 300U}) {
    GroupProgram program;
    const uint32_t operation = program.add_operation("any");
    program.begin();
    Arguments all;
    for (uint32_t i = 0; i < n; ++i) {
      program.add_part(&one, operation, i, {}, 1);
      all.push_back(part(i));
    }
    program.add_part(&sum, operation, 0, all, 1);
    program.end();
    EXPECT_EQ(program.register_count(0), n);
    EXPECT_THAT(run(program, 0, {}), ElementsAre(static_cast<int>(n * (n - 1) / 2)));
  }
}

TEST(TaskGroup, FreesValuesAtTheirLastUse) {
  const auto alive = std::make_shared<int>(0);
  long most = 0;
  const Call make([&](TaskArguments& a) {
    a.outputs[0].emplace<std::shared_ptr<int>>(alive);
    most = std::max(most, alive.use_count());
  });
  GroupProgram program;
  const uint32_t operation = program.add_operation("make");
  program.begin();
  program.add_part(&make, operation, 0, {}, 1);
  for (uint32_t i = 0; i < 50; ++i) program.add_part(&make, operation, 0, Arguments{part(i)}, 1);
  const Call end([](TaskArguments& a) { a.outputs[0].emplace<int>(1); });
  program.add_part(&end, operation, 0, Arguments{part(50)}, 1);
  program.end();
  run(program, 0, {});
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_LE(most, 3);  // ours, the input and the output of one call
}

TEST(TaskGroup, SaysWhichPartFailed) {
  const Call fine([](TaskArguments& a) { a.outputs[0].emplace<int>(1); });
  const Call fails([](TaskArguments&) { throw std::runtime_error("no"); });
  GroupProgram inner;
  const uint32_t second = inner.add_operation("second");
  inner.begin();
  inner.add_part(&fine, second, 0, {}, 1);
  inner.add_part(&fails, second, 42, Arguments{part(0)}, 1);
  inner.end();
  try {
    run(inner, 0, {});
    FAIL();
  } catch (const PartFailed& failed) {
    EXPECT_EQ(failed.operation, "second");
    EXPECT_EQ(failed.block, 42U);
    EXPECT_THROW(std::rethrow_exception(failed.cause), std::runtime_error);
  }
}

/// Throws in its first calls; then hands on a number that it moved from its input.
class Flaky final : public TaskFunction {
 public:
  explicit Flaky(int failures) : failures_(failures) {}
  std::string_view name() const override { return "flaky"; }
  void run(TaskArguments& arguments) const override {
    Value& input = *arguments.inputs[0];
    const int number = input.get<int>();
    if (arguments.last_use[0]) input.reset();
    for (Value& output : arguments.outputs) {
      EXPECT_FALSE(output.has_value());
      output.emplace<int>(number + 1);
    }
    if (++calls <= failures_) throw std::runtime_error("call " + std::to_string(calls));
  }
  mutable int calls = 0;

 private:
  int failures_;
};

TEST(TaskGroup, CallsAgainThePartThatThrewAndOnlyThat) {
  const Flaky a(2);
  const Flaky b(0);
  const Flaky c(2);
  GroupProgram program;
  const uint32_t operation = program.add_operation("flaky");
  program.begin();
  program.add_part(&a, operation, 0, Arguments{input(0)}, 1, 2);
  program.add_part(&b, operation, 0, Arguments{part(0)}, 1);
  program.add_part(&c, operation, 0, Arguments{part(1)}, 1, 3);
  program.end();
  EXPECT_THAT(run(program, 0, {10}), ElementsAre(13));
  EXPECT_EQ(a.calls, 3);
  EXPECT_EQ(b.calls, 1);
  EXPECT_EQ(c.calls, 3);
}

TEST(TaskGroup, EndsWithTheLastErrorOfThePartThatHasNoRetriesLeft) {
  const Flaky a(1);
  const Flaky b(3);
  GroupProgram program;
  const uint32_t operation = program.add_operation("flaky");
  program.begin();
  program.add_part(&a, operation, 0, Arguments{input(0)}, 1, 1);
  program.add_part(&b, operation, 7, Arguments{part(0)}, 1, 2);
  program.end();
  try {
    run(program, 0, {10});
    FAIL();
  } catch (const PartFailed& failed) {
    EXPECT_EQ(failed.block, 7U);
    EXPECT_EQ(failed.function, &b);
    EXPECT_FALSE(failed.gave_up);
    EXPECT_EQ(describe(failed.cause), "call 3");
  }
  EXPECT_EQ(a.calls, 2);
}

TEST(TaskGroup, APartThatMayBeCalledAgainMovesFromNothing) {
  std::vector<std::vector<bool>> seen;
  const auto value = std::make_shared<int>(0);
  const Call look([&](TaskArguments& a) {
    seen.emplace_back(a.last_use.begin(), a.last_use.end());
    for (Value& output : a.outputs) output.emplace<std::shared_ptr<int>>(value);
  });
  const Call end([&](TaskArguments& a) { a.outputs[0].emplace<int>(value.use_count()); });
  GroupProgram program;
  const uint32_t operation = program.add_operation("look");
  program.begin();
  program.add_part(&look, operation, 0, Arguments{input(0)}, 1, 1);
  program.add_part(&look, operation, 0, Arguments{part(0), input(1)}, 1, 1);
  program.add_part(&look, operation, 0, Arguments{part(1), input(2)}, 1);
  program.add_part(&end, operation, 0, Arguments{part(2)}, 1);
  program.end();
  // What the retried parts read is freed all the same: ours and the last one's input are left.
  EXPECT_THAT(run(program, 0, {1, 2, 3}), ElementsAre(2));
  EXPECT_THAT(seen,
              ElementsAre(ElementsAre(false), ElementsAre(false, false), ElementsAre(true, true)));
}

TEST(TaskGroup, AGroupWithinAGroupCallsItsOwnPartsAgain) {
  const Flaky a(1);
  const Flaky b(1);
  const auto inner = std::make_shared<GroupProgram>();
  const uint32_t operation = inner->add_operation("flaky");
  inner->begin();
  inner->add_part(&a, operation, 0, Arguments{input(0)}, 1, 1);
  inner->add_part(&b, operation, 5, Arguments{part(0)}, 1, 1);
  const GroupTask nested(inner, "nested", false);
  GroupProgram outer;
  const uint32_t group = outer.add_operation("group");
  outer.begin();
  outer.add_part(&nested, group, inner->end(), Arguments{input(0)}, 1, 1);
  outer.end();
  EXPECT_THAT(run(outer, 0, {1}), ElementsAre(3));
  EXPECT_EQ(a.calls, 2);
  EXPECT_EQ(b.calls, 2);
  EXPECT_EQ(outer.last_call(0), (std::pair<const TaskFunction*, uint32_t>(&b, 5)));
  // Once its parts have failed for good, the group is not called again.
  const Flaky never(9);
  inner->begin();
  inner->add_part(&a, operation, 0, Arguments{input(0)}, 1, 1);
  inner->add_part(&never, operation, 0, Arguments{part(0)}, 1, 1);
  outer.begin();
  outer.add_part(&nested, group, inner->end(), Arguments{input(0)}, 1, 1);
  EXPECT_THROW(run(outer, outer.end(), {1}), PartFailed);
  EXPECT_EQ(a.calls, 3);
  EXPECT_EQ(never.calls, 2);
}

TEST(TaskGroup, CallsNothingAgainOnceItsRunHasEnded) {
  std::stop_source stop;
  int calls = 0;
  const Call stops([&](TaskArguments&) {
    if (++calls == 3) stop.request_stop();
    throw std::runtime_error("no");
  });
  GroupProgram program;
  const uint32_t operation = program.add_operation("stops");
  program.begin();
  program.add_part(&stops, operation, 0, {}, 1, 9);
  program.end();
  Value output;
  TaskArguments arguments;
  arguments.outputs = std::span(&output, 1);
  arguments.stop = stop.get_token();
  try {
    program.run(arguments);
    FAIL();
  } catch (const PartFailed& failed) {
    EXPECT_TRUE(failed.gave_up);
  }
  EXPECT_EQ(calls, 3);
  arguments.stop = {};
  arguments.may_retry = false;
  EXPECT_THROW(program.run(arguments), PartFailed);
  EXPECT_EQ(calls, 4);
}

TEST(GroupName, CountsOperationsAndIsCut) {
  using Names = std::vector<std::string_view>;
  EXPECT_EQ(group_name(Names{"load"}), "load");
  EXPECT_EQ(group_name(Names{"load", "clean", "load", "sum"}), "load x2, clean, sum");
  EXPECT_EQ(group_name(Names{"a", "b", "c", "d", "e", "f", "g", "h"}), "a, b, c, d, e, f, ...");
}

}  // namespace
}  // namespace tuff::graph
