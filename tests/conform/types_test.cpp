// Result types of every operation for all pairs of element types and numbers against NumPy 2's
// (types_from_numpy.py wrote them down). Departures are listed here, and are all there are.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tuff/ops/table.h"

#include "tests/conform/naive.h"
#include "tests/data.h"

namespace tuff::conform {
namespace {

struct Line {
  std::string name;
  std::vector<std::string> operands;
  std::string result;
};

std::vector<Line> numpy_lines() {
  std::ifstream file(test_data("types_from_numpy.txt"));
  std::vector<Line> lines;
  for (std::string text; std::getline(file, text);) {
    std::istringstream words(text);
    Line line;
    words >> line.name;
    for (std::string word; words >> word;) line.operands.push_back(word);
    line.result = line.operands.back();
    line.operands.pop_back();
    lines.push_back(std::move(line));
  }
  return lines;
}

std::optional<kernels::Elementwise> elementwise(std::string_view name) {
  for (const ops::Operation& op : ops::operations()) {
    if (op.name == name) return op.code;
  }
  return {};
}

Operand operand(const std::string& name) {
  if (name == "py_bool") return true;
  if (name == "py_int") return 1;
  if (name == "py_float") return 1.0;
  return ones({2}, {.dtype = dtype_from_name(name)});
}

Array reduced(std::string_view name, const Array& x) {
  if (name == "sum") return sum(x);
  if (name == "mean") return mean(x);
  if (name == "var") return var(x);
  if (name == "std") return tuff::std(x);
  if (name == "min") return min(x);
  if (name == "max") return max(x);
  if (name == "any") return any(x);
  return all(x);
}

std::string result_of(const Line& line) {
  try {
    if (const auto code = elementwise(line.name)) {
      std::vector<Operand> operands;
      for (const std::string& name : line.operands) operands.push_back(operand(name));
      return std::string(name_of(tuff::apply(*code, operands).dtype()));
    }
    if (line.name == "matmul")
      return std::string(name_of(
          matmul(operand(line.operands[0]).array(), operand(line.operands[1]).array()).dtype()));
    return std::string(name_of(reduced(line.name, operand(line.operands[0]).array()).dtype()));
  } catch (const InvalidArgument&) {
    return "error";
  }
}

bool is_small(const std::string& name) {
  return name == "bool" || name == "int8" || name == "int16" || name == "uint8" ||
         name == "uint16" || name == "py_bool" || name == "py_int" || name == "py_float";
}

/// What tuff answers on purpose where NumPy answers otherwise; empty when it agrees.
std::string departure(const Line& line) {
  const auto code = elementwise(line.name);
  const bool floating = (code && ops::operation(*code).rule == ops::TypeRule::floating) ||
                        line.name == "mean" || line.name == "var" || line.name == "std";
  // 8 and 16 bit integers: NumPy has half precision and gives float16 or float32.
  const bool small = std::all_of(line.operands.begin(), line.operands.end(), is_small);
  if (floating && small && (line.result == "float16" || line.result == "float32")) return "float64";
  // NumPy's reciprocal stays in the integers, where it is 0 for nearly everything.
  if (line.name == "reciprocal" && line.result != "float32") return "float64";
  return "";
}

TEST(Types, AgreeWithNumpyButForListedDepartures) {
  const std::vector<Line> lines = numpy_lines();
  ASSERT_GT(lines.size(), 3000U);
  for (const Line& line : lines) {
    std::string text = line.name;
    for (const std::string& name : line.operands) text += " " + name;
    const std::string expected = departure(line).empty() ? line.result : departure(line);
    EXPECT_EQ(result_of(line), expected) << text << " (NumPy: " << line.result << ")";
  }
}

// A row without a line would be a row nobody compared.
TEST(Types, EveryRowIsComparedWithNumpy) {
  std::vector<std::string> known = {"sigmoid",
                                    "clip"};  // no ufunc of that name; typed as exp and as subtract
  for (const Line& line : numpy_lines()) known.push_back(line.name);
  for (const ops::Operation& op : ops::operations()) {
    EXPECT_NE(std::find(known.begin(), known.end(), std::string(op.name)), known.end()) << op.name;
  }
  for (const ops::ReductionRow& row : ops::reductions()) {
    EXPECT_NE(std::find(known.begin(), known.end(), std::string(row.name)), known.end())
        << row.name;
  }
}

TEST(Types, SigmoidIsTypedAsExpAndClipAsSubtract) {
  for (DType a : kEveryDType) {
    EXPECT_EQ(result_of({"sigmoid", {std::string(name_of(a))}, ""}),
              result_of({"exp", {std::string(name_of(a))}, ""}));
    for (DType b : kEveryDType) {
      EXPECT_EQ(
          result_of({"clip",
                     {std::string(name_of(a)), std::string(name_of(a)), std::string(name_of(b))},
                     ""}),
          result_of({"subtract", {std::string(name_of(a)), std::string(name_of(b))}, ""}));
    }
  }
}

}  // namespace
}  // namespace tuff::conform
