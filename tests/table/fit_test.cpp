// From a file to a model: the same coefficients from Parquet, CSV and memory, at any threads and cut.
#include "tuff/glm/fit.h"

#include <cmath>
#include <random>

#include "tuff/base/context.h"

#include "tests/table/testing.h"

namespace tuff::table_test {
namespace {

class FitFromFiles : public Tables {};

TEST_F(FitFromFiles, GivesWhatMemoryGives) {
  std::mt19937_64 random(1);
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  const int64_t n = 30'000;
  std::vector<double> a, b, X, y;
  for (int64_t i = 0; i < n; ++i) {
    a.push_back(unit());
    b.push_back(1000 * unit());
    X.insert(X.end(), {a.back(), b.back()});
    y.push_back(unit() < 1 / (1 + std::exp(1 - 2 * a.back() + 0.003 * b.back())) ? 1 : 0);
  }
  const glm::FitResult memory = glm::fit(from_vector(X, Dims{n, 2}), from_vector(y));
  const std::vector<OutputColumn> columns = {
      {"a", from_vector(a)}, {"b", from_vector(b)}, {"y", from_vector(y)}};
  write_parquet(at("rows.parquet"), columns, {.rows_per_group = 7777});
  write_csv(at("rows.csv"), columns);
  for (const char* name : {"rows.parquet", "rows.csv"}) {
    for (int64_t rows_per_block : {30, 5000, 131'072}) {
      for (int threads : {1, 2, 7}) {
        Context context({.threads = threads});
        glm::FitOptions options;
        options.run.context = &context;
        const Table rows = table::read({at(name)}, {.rows_per_block = rows_per_block});
        const glm::FitResult file = glm::fit(rows.matrix({"a", "b"}), rows.column("y"), options);
        EXPECT_EQ(file.rows, n);
        for (size_t j = 0; j < 2; ++j) {
          EXPECT_NEAR(file.coef[j], memory.coef[j], 1e-12) << name << " " << rows_per_block;
        }
        EXPECT_NEAR(file.intercept, memory.intercept, 1e-12);
      }
    }
  }
}

}  // namespace
}  // namespace tuff::table_test
