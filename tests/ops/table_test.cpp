// The table of operations is complete, in order, documented, and backed by kernels.
#include "tuff/ops/table.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tuff/array/creation.h"
#include "tuff/array/math.h"
#include "tuff/array/reductions.h"

namespace tuff::ops {
namespace {

constexpr DType kEvery[] = {DType::bool_,  DType::int8,    DType::int16,  DType::int32,
                            DType::int64,  DType::uint8,   DType::uint16, DType::uint32,
                            DType::uint64, DType::float32, DType::float64};

bool accepts(const Operation& op, DType type) {
  try {
    (void)types_of(op, std::vector<DType>(static_cast<size_t>(op.arity), type));
    return true;
  } catch (const InvalidArgument&) {
    return false;
  }
}

TEST(OperationTable, IsCompleteAndInTheOrderOfTheEnumeration) {
  ASSERT_EQ(operations().size(), static_cast<size_t>(kernels::kElementwiseCount));
  std::set<std::string_view> names;
  for (size_t i = 0; i < operations().size(); ++i) {
    const Operation& op = operations()[i];
    EXPECT_EQ(static_cast<size_t>(op.code), i);
    EXPECT_EQ(&operation(op.code), &op);
    EXPECT_EQ(op.arity, kernels::arity_of(op.code)) << op.name;
    EXPECT_FALSE(kernels::name_of(op.code).empty()) << op.name;
    EXPECT_FALSE(op.doc.empty()) << op.name;
    EXPECT_TRUE(names.insert(op.name).second) << op.name;
  }
}

TEST(OperationTable, EveryRowHasAKernelForTheTypesItsRuleYields) {
  for (const Operation& op : operations()) {
    for (DType type : kEvery) {
      if (!accepts(op, type)) continue;
      const OperationTypes types =
          types_of(op, std::vector<DType>(static_cast<size_t>(op.arity), type));
      const bool without_work =
          !is_floating(types.operand) &&
          (op.rule == TypeRule::rounding || op.rule == TypeRule::predicate ||
           (op.code == Elementwise::absolute && !is_signed_integer(types.operand)));
      if (without_work) continue;
      for (unsigned scalars = 0; scalars < (1U << op.arity) - 1; ++scalars) {
        EXPECT_NE(kernels::find_elementwise(op.code, types.operand, scalars), nullptr)
            << op.name << " of " << name_of(type) << " as " << name_of(types.operand)
            << ", scalars " << scalars;
      }
    }
  }
}

TEST(OperationTable, OnlyArithmeticOfTruthIsRefused) {
  for (const Operation& op : operations()) {
    for (DType type : kEvery) {
      EXPECT_EQ(accepts(op, type), !(op.rule == TypeRule::arithmetic && is_bool(type)))
          << op.name << name_of(type);
    }
  }
}

TEST(OperationTable, EveryRowRunsOnEveryTypeItAccepts) {
  for (const Operation& op : operations()) {
    for (DType type : kEvery) {
      if (!accepts(op, type)) continue;
      const Array x = ones({3}, {.dtype = type, .chunks = 2});
      const Array y = tuff::apply(op.code, std::vector<Operand>(static_cast<size_t>(op.arity), x));
      EXPECT_EQ(y.compute().dtype(),
                types_of(op, std::vector<DType>(static_cast<size_t>(op.arity), type)).result)
          << op.name;
    }
  }
}

TEST(ReductionTable, HasEveryReductionOnceWithKernelsForItsTypes) {
  std::set<std::string_view> names;
  for (const ReductionRow& row : reductions()) {
    EXPECT_TRUE(names.insert(row.name).second);
    EXPECT_FALSE(row.doc.empty());
    EXPECT_EQ(&reduction(row.name), &row);
    for (DType type : kEvery) {
      EXPECT_NE(kernels::find_reduction(row.partial, types_of(row, type).operand), nullptr)
          << row.name << name_of(type);
    }
  }
  EXPECT_EQ(names,
            (std::set<std::string_view>{"sum", "mean", "var", "std", "min", "max", "any", "all"}));
}

TEST(ReductionTable, TypesAreThoseOfNumPy) {
  const auto result = [](std::string_view name, DType type) {
    return types_of(reduction(name), type).result;
  };
  EXPECT_EQ(result("sum", DType::bool_), DType::int64);
  EXPECT_EQ(result("sum", DType::int8), DType::int64);
  EXPECT_EQ(result("sum", DType::uint8), DType::uint64);
  EXPECT_EQ(result("sum", DType::float32), DType::float32);
  EXPECT_EQ(result("mean", DType::int32), DType::float64);
  EXPECT_EQ(result("mean", DType::float32), DType::float32);
  EXPECT_EQ(result("var", DType::bool_), DType::float64);
  EXPECT_EQ(result("min", DType::uint16), DType::uint16);
  EXPECT_EQ(result("any", DType::float64), DType::bool_);
}

}  // namespace
}  // namespace tuff::ops
