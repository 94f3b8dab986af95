// What the tests of orders share: graphs written as lists of inputs, and files of figures.
#pragma once

#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tuff/graph/dag.h"

#include "tests/data.h"

namespace tuff::optimize_test {

inline graph::Dag dag_from(const std::vector<std::vector<uint32_t>>& inputs) {
  Rows rows;
  for (const std::vector<uint32_t>& row : inputs) {
    rows.items.insert(rows.items.end(), row.begin(), row.end());
    rows.end_row();
  }
  return graph::make_dag(rows);
}

/// The lines of a file beside the tests, each cut into its words; lines that begin with # are left out.
inline std::vector<std::vector<std::string>> words_of(const std::string& file) {
  std::ifstream in(test_data(file));
  EXPECT_TRUE(in.good()) << file;
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream text(line);
    std::vector<std::string> words;
    for (std::string word; text >> word;) words.push_back(word);
    lines.push_back(words);
  }
  return lines;
}

inline uint32_t number(const std::string& word) { return static_cast<uint32_t>(std::stoul(word)); }

/// The text of the exception that `call` throws, of type E.
template <class E, class F>
std::string error_of(const F& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace tuff::optimize_test
