// What the rules of programs refuse: one case per rule, built or read.
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "tests/kernels/programs.h"

namespace tuff::kernels {
namespace {

// Instructions of panel(): 0 X, 1 beta, 2 y, 3 W, 4 Z, 5 eta, 6 r, 7 hidden, 8 scaled, 9 store eta, 10 X'r, 11 its
// store, 12 X'scaled, 13 its store, 14 max, 15 its store, 16 hidden'r, 17 its store, 18 sum r, 19 its store,
// 20 max Z along the columns, 21 its store, 22 sum Z along the rows, 23 its store.

std::string rule_of(const Program& program) {
  const std::string rule = program.broken_rule();
  if (rule.empty()) {
    EXPECT_NO_THROW(program.verify());
    return "none";
  }
  EXPECT_THROW(program.verify(), InternalError);
  ByteWriter writer;
  program.write(writer);
  const Bytes bytes = writer.take();
  ByteReader reader(bytes);
  EXPECT_THROW((void)Program::read(reader), InvalidArgument);
  return rule;
}

std::string spoiled(const std::function<void(Program&)>& spoil) {
  Program p = panel();
  spoil(p);
  return rule_of(p);
}

/// sum(exp(x)) over label 1, and exp(x), of a 2-d x.
Program flat() {
  Builder b;
  b.program.label_count = 2;
  const uint32_t x = b.load({0, 1});
  const uint32_t e = b.op(Elementwise::add, x, x);
  b.store(b.reduce(Reduction::sum, e, 3, 2), {0, 1}, 2);
  b.store(e, {0, 1});
  return b.program;
}

std::string spoiled_flat(const std::function<void(Program&)>& spoil) {
  Program p = flat();
  spoil(p);
  return rule_of(p);
}

TEST(ProgramRules, ProgramsThatKeepThemAreAccepted) {
  EXPECT_EQ(rule_of(panel()), "none");
  EXPECT_EQ(rule_of(flat()), "none");
}

TEST(ProgramRules, ArgumentsComeBeforeAndAreValues) {
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[5].args[0] = 77; }),
            "instruction 5: an argument that comes later");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[6].args[1] = 6; }),
            "instruction 6: an argument that comes later");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[14].args[0] = 9; }),
            "instruction 14: a store used as a value");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[14].args[0] = 10; }),
            "instruction 14: a result of all tiles used in one of them");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[6].args[0] = 3; }),
            "instruction 6: a matrix used as a value");
  EXPECT_EQ(spoiled_flat([](Program& p) {
              p.instructions.push_back(p.instructions[1]);
              p.instructions.back().args = {2, 2, 0};
            }),
            "instruction 5: a result of all tiles used in one of them");
}

TEST(ProgramRules, LabelsFollowFromTheArguments) {
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[0].labels = 1U << 9; }),
            "instruction 0: labels that do not follow from its arguments");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[6].labels = 0; }),
            "instruction 6: labels that do not follow from its arguments");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[9].labels = 0; }),
            "instruction 9: labels that do not follow from its arguments");
  EXPECT_EQ(spoiled_flat([](Program& p) { p.instructions[2].labels = 3; }),
            "instruction 2: labels that do not follow from its arguments");
}

TEST(ProgramRules, TablesAreWithinTheirBounds) {
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[0].index = 9; }),
            "instruction 0: an operand out of range");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions.back().index = 99; }),
            "instruction 23: an output out of range");
  EXPECT_EQ(spoiled([](Program& p) {
              p.operands[0].axes = {0, 7};
            }),
            "an operand with labels out of range or given twice");
  EXPECT_EQ(spoiled([](Program& p) {
              p.operands[0].axes = {1, 1};
            }),
            "an operand with labels out of range or given twice");
  EXPECT_EQ(spoiled([](Program& p) { p.outputs[0].axes = {-2}; }),
            "an output with labels out of range or given twice");
  EXPECT_EQ(spoiled([](Program& p) { p.outputs[0].collapsed = 2; }),
            "a collapsed axis that is not there");
  EXPECT_EQ(spoiled([](Program& p) { p.outputs.resize(33); }), "too many outputs");
  EXPECT_EQ(spoiled([](Program& p) { p.label_count = 17; }), "too many labels");
  EXPECT_EQ(spoiled([](Program& p) {
              p.instructions.insert(p.instructions.begin() + 9, kMaxInstructions,
                                    p.instructions[0]);
            }),
            "too many instructions");
  EXPECT_EQ(spoiled([](Program& p) { p.label_count = 0; }), "a panel without rows");
  EXPECT_EQ(spoiled([](Program& p) {
              p.sources.push_back({{1, 2}, {0}, 0, {1, 1}});
            }),
            "a source of two ranks");
}

TEST(ProgramRules, TypesAreThoseOfTheKernels) {
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[0].dtype = DType::float32; }),
            "instruction 0: a load of another type");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[6].dtype = DType::int8; }),
            "instruction 6: a result of another type");
  EXPECT_EQ(
      spoiled([](Program& p) { p.instructions[6].op = static_cast<uint8_t>(Elementwise::less); }),
      "instruction 6: a result of another type");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[6].operand = DType::int8; }),
            "instruction 6: a result of another type");
  EXPECT_EQ(spoiled([](Program& p) { p.outputs[0].dtype = DType::float32; }),
            "instruction 9: a store of another type");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[18].op = 77; }),
            "instruction 18: an unknown reduction");
  EXPECT_EQ(
      spoiled([](Program& p) { p.instructions[18].op = static_cast<uint8_t>(Reduction::any); }),
      "instruction 18: no reduction for the element type");
  EXPECT_EQ(
      spoiled([](Program& p) { p.instructions[18].op = static_cast<uint8_t>(Reduction::moments); }),
      "instruction 19: moments stored as something else");
  Builder b;
  b.constant(1);
  b.program.instructions[0].dtype = DType::bool_;
  b.program.instructions[0].constant[0] = std::byte{2};
  EXPECT_EQ(rule_of(b.program), "instruction 0: a truth value that is neither 0 nor 1");
}

TEST(ProgramRules, ContractionsFitTheirPanels) {
  EXPECT_EQ(spoiled([](Program& p) { p.panel = false; }),
            "instruction 5: a contraction out of place");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[5].over = 1; }),
            "instruction 5: a panel that is not multiplied along its columns");
  EXPECT_EQ(spoiled([](Program& p) {
              p.instructions[5].args = {4, 1, 0};
            }),
            "instruction 5: a panel that is not multiplied along its columns");
  EXPECT_EQ(spoiled([](Program& p) {
              p.instructions[5].args = {0, 2, 0};
            }),
            "instruction 5: a vector that does not go with its panel");
  EXPECT_EQ(spoiled([](Program& p) {
              p.instructions[7].args = {0, 1, 0};
            }),
            "instruction 7: a matrix that is not loaded");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[10].over = 2; }),
            "instruction 10: a sum over rows that is over something else");
  EXPECT_EQ(spoiled([](Program& p) {
              p.instructions[10].args = {0, 4, 0};
            }),
            "instruction 10: a sum over rows whose factors have an axis in common");
  EXPECT_EQ(spoiled([](Program& p) {
              p.instructions[12].args = {0, 0, 0};
            }),
            "instruction 12: a sum over rows whose factors have an axis in common");
  EXPECT_EQ(spoiled([](Program& p) {
              p.operands[4].axes = {3, 2};
            }),
            "instruction 4: labels that do not follow from its arguments");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[8].args[1] = 0; }),
            "instruction 8: labels that do not follow from its arguments");
  EXPECT_EQ(spoiled([](Program& p) {
              p.instructions[8].args[1] = 0;
              p.instructions[8].labels |= 2;
            }),
            "instruction 8: a value of a panel with two column axes");
}

TEST(ProgramRules, ReductionsWalkWhatTheyReduce) {
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[18].space = 0; }),
            "instruction 18: a reduction over what it does not walk");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[18].over = 3; }),
            "instruction 18: a reduction over what it does not walk");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[18].space = 1U << 5 | 1; }),
            "instruction 18: a label out of range");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[20].over = 0; }),
            "instruction 20: a reduction over nothing");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[20].space = 11; }),
            "instruction 20: a reduction of a panel with two column axes");
}

TEST(ProgramRules, EachOutputIsStoredOnceAndEachSumToo) {
  EXPECT_EQ(spoiled([](Program& p) { p.instructions[11].args[0] = 5; }),
            "instruction 11: labels that do not follow from its arguments");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions.pop_back(); }),
            "instruction 22: a result of all tiles that is not stored once");
  EXPECT_EQ(spoiled([](Program& p) { p.instructions.push_back(p.instructions[9]); }),
            "an output that is not stored once");
  EXPECT_EQ(spoiled_flat([](Program& p) { p.instructions.pop_back(); }),
            "an output that is not stored once");
  EXPECT_EQ(spoiled_flat([](Program& p) { p.instructions[3].args[0] = 1; }),
            "instruction 3: a collapsed axis that was not reduced");
}

}  // namespace
}  // namespace tuff::kernels
