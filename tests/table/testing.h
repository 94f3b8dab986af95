// What the table tests share: a folder of their own, and the text of what a call or a run throws.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tuff/table/table.h"
#include "tuff/table/write.h"

#include "tests/data.h"
#include "tests/errors/errors.h"

namespace tuff::table_test {

using error_test::text_of;
using table::CsvOptions;
using table::Field;
using table::Nulls;
using table::OutputColumn;
using table::ReadOptions;
using table::Table;
namespace fs = std::filesystem;

/// A file that make_files.py made.
inline std::string data(const std::string& name) { return test_data(name); }

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What the first failed task of a run threw.
template <class F>
std::string cause_of(F&& f) {
  try {
    f();
  } catch (const TaskError& error) {
    return tuff::describe(error.failures()[0].cause);
  } catch (const std::exception& other) {
    return std::string("no task failed: ") + other.what();
  }
  return "nothing was thrown";
}

#define EXPECT_READ_FAILS(text, ...) \
  EXPECT_EQ(::tuff::table_test::cause_of([&] { (void)(__VA_ARGS__); }), text)

/// Each test has an empty folder, removed afterwards.
class Tables : public ::testing::Test {
 protected:
  Tables() {
    std::string name = (fs::temp_directory_path() / "tuff-table-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~Tables() override { fs::remove_all(folder); }
  std::string at(const std::string& name) const { return folder + "/" + name; }
  std::string put(const std::string& name, const std::string& text) const {
    std::ofstream(at(name), std::ios::binary) << text;
    return at(name);
  }
  size_t files_in_folder() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }
  std::string folder;
};

template <Element T>
std::vector<T> values(const Table& table, const std::string& column) {
  return table.column(column).to_vector<T>();
}

/// The texts of a column, looked up.
inline std::vector<std::string> texts(const Table& table, const std::string& column) {
  const std::vector<std::string> dictionary = table.dictionary(column);
  std::vector<std::string> result;
  for (int32_t code : values<int32_t>(table, column))
    result.push_back(dictionary.at(static_cast<size_t>(code)));
  return result;
}

}  // namespace tuff::table_test
