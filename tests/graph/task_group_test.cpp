// Groups of calls: order, registers, last uses, errors.
#include "tuff/graph/task_group.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(GroupName, CountsOperationsAndIsCut) {
  using Names = std::vector<std::string_view>;
  EXPECT_EQ(group_name(Names{"load"}), "load");
  EXPECT_EQ(group_name(Names{"load", "clean", "load", "sum"}), "load x2, clean, sum");
  EXPECT_EQ(group_name(Names{"a", "b", "c", "d", "e", "f", "g", "h"}), "a, b, c, d, e, f, ...");
}

}  // namespace
}  // namespace tuff::graph
