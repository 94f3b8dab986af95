// Data for the tests of fits: the three real problems of references.txt, and made-up ones of any size.
#pragma once

#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/array/creation.h"
#include "tuff/glm/fit.h"

#include "tests/data.h"

namespace tuff::glm_test {

/// A fit that another library made.
struct Reference {
  std::string solver;
  double alpha = 0;
  bool intercept_fitted = true;
  std::vector<double> coef;
  double intercept = 0;
};

struct Problem {
  std::string name;
  int64_t rows = 0, columns = 0;
  std::vector<double> X, y;
  std::vector<Reference> references;

  Array features(const ChunkSpec& rows_per_block = -1) const {
    return from_vector(X, Dims{rows, columns}).rechunk(rows_per_block);
  }
  Array target(const ChunkSpec& rows_per_block = -1) const {
    return from_vector(y).rechunk(rows_per_block);
  }
};

inline std::vector<Problem> real_problems() {
  std::ifstream file(test_data("references.txt"));
  EXPECT_TRUE(file) << "tests/glm/references.txt is missing";
  std::vector<Problem> problems;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "problem") {
      Problem& problem = problems.emplace_back();
      words >> problem.name >> problem.rows >> problem.columns;
      for (int64_t i = 0; i < problem.rows && std::getline(file, line); ++i) {
        std::istringstream numbers(line);
        double value = 0;
        for (int64_t j = 0; j < problem.columns; ++j)
          problem.X.push_back((numbers >> value, value));
        problem.y.push_back((numbers >> value, value));
      }
    } else {
      Problem& problem = problems.back();
      Reference& reference = problem.references.emplace_back();
      words >> reference.solver >> reference.alpha >> reference.intercept_fitted;
      reference.coef.resize(static_cast<size_t>(problem.columns));
      for (double& c : reference.coef) words >> c;
      words >> reference.intercept;
      EXPECT_TRUE(words) << line;
    }
  }
  return problems;
}

/// Uniform columns in [0, 1) and classes drawn from the model with coefficients 1, -1, 1, ...
inline Problem made_up(int64_t rows, int64_t columns, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  Problem problem{"made up", rows, columns, {}, {}, {}};
  for (int64_t i = 0; i < rows; ++i) {
    double eta = 0;
    for (int64_t j = 0; j < columns; ++j) {
      problem.X.push_back(unit());
      eta += (j % 2 == 0 ? 1 : -1) * problem.X.back();
    }
    problem.y.push_back(unit() < 1 / (1 + std::exp(-eta)) ? 1 : 0);
  }
  return problem;
}

}  // namespace tuff::glm_test
