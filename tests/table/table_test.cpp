// Tables whatever their format: finding files, names, selections, matrices, and how tables travel.
#include <atomic>
#include <thread>

#include <sys/stat.h>

#include "tuff/graph/serialize.h"

#include "tests/table/testing.h"

namespace tuff::table_test {
namespace {

class TableHandle : public Tables {
 protected:
  TableHandle() {
    table::write_parquet(
        at("t.parquet"),
        {{"delay", arange(0, 100, 1, {.dtype = DType::int64, .chunks = 30})},
         {"distance", arange(0, 100, 1, {.dtype = DType::float32}) * 0.5},
         {"late", arange(0, 100, 1, {.dtype = DType::int64}) > 15},
         {"origin", zeros({100}, {.dtype = DType::int32}), "", std::vector<std::string>{"ABC"}}});
  }
};

TEST_F(TableHandle, SuggestsTheNearestName) {
  const Table table = table::read({at("t.parquet")});
  const std::string in = " in '" + at("t.parquet") + "'; ";
  EXPECT_REFUSED("[column] no column 'dealy'" + in +
                     "did you mean 'delay'? columns are: delay, distance, late, origin",
                 table.column("dealy"));
  EXPECT_REFUSED(
      "[column] no column 'temperature'" + in + "columns are: delay, distance, late, origin",
      table.field("temperature"));
  EXPECT_REFUSED("[column] no column 'late'" + in + "columns are: delay, distance",
                 table.select({"delay", "distance"}).column("late"));
}

TEST_F(TableHandle, PutsColumnsSideBySide) {
  const Table table = table::read({at("t.parquet")}, {.rows_per_block = 7});
  const Array matrix = table.matrix({"distance", "delay", "late"});
  EXPECT_EQ(matrix.shape(), (Shape{100, 3}));
  EXPECT_EQ(matrix.dtype(), DType::float64);
  const std::vector<double> elements = matrix.to_vector<double>();
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(elements[3 * i], static_cast<double>(i) / 2);
    EXPECT_EQ(elements[3 * i + 1], static_cast<double>(i));
    EXPECT_EQ(elements[3 * i + 2], i > 15 ? 1 : 0);
  }
  EXPECT_EQ(table.matrix({"delay"}, DType::float32).to_vector<float>().back(), 99.0F);
  EXPECT_EQ(sum(table.matrix({"delay", "delay"})).compute<double>(), 9900.0);
}

TEST_F(TableHandle, RefusesMatricesThatCannotBe) {
  const Table table = table::read({at("t.parquet")});
  EXPECT_REFUSED("[matrix] no columns; at least one is needed", table.matrix({}));
  EXPECT_REFUSED("[matrix] a matrix of int64; accepted are float32 and float64",
                 table.matrix({"delay"}, DType::int64));
  EXPECT_REFUSED(
      "[matrix] column 'origin' is text, and its codes are not quantities; use column() and "
      "dictionary(), "
      "e.g. x == code",
      table.matrix({"delay", "origin"}));
  EXPECT_REFUSED("[dictionary] column 'delay' is int64; only text has a dictionary",
                 table.dictionary("delay"));
  EXPECT_REFUSED("[select] no columns; at least one is needed", table.select({}));
}

TEST_F(TableHandle, SelectsColumnsInTheOrderAsked) {
  const Table table = table::read({at("t.parquet")}).select({"late", "delay", "late"});
  ASSERT_EQ(table.fields().size(), 2U);
  EXPECT_EQ(table.fields()[0].name, "late");
  EXPECT_EQ(table.fields()[1].name, "delay");
  EXPECT_EQ(table.rows(), 100);
}

TEST_F(TableHandle, ReadsNothingWhileExpressionsAreBuilt) {
  const Table table = table::read({at("t.parquet")});
  fs::remove(at("t.parquet"));
  const Array x = table.column("delay") + table.column("distance");
  EXPECT_EQ(x.size(), 100);
  EXPECT_THROW(x.compute(), TaskError);
}

TEST_F(TableHandle, RefusesWhatIsNoFile) {
  EXPECT_REFUSED("[read] no path; give at least one file or glob", table::read({}));
  EXPECT_REFUSED("[read] no such file: '" + at("missing.parquet") + "'",
                 table::read({at("missing.parquet")}));
  EXPECT_REFUSED("[read] no file matches '" + at("*.csv") + "'", table::read({at("*.csv")}));
  EXPECT_REFUSED("[read] '" + folder + "' is a directory; give files, or a glob such as '" +
                     folder + "/*.parquet'",
                 table::read({folder}));
  ASSERT_EQ(::mkfifo(at("pipe.csv").c_str(), 0600), 0);
  EXPECT_REFUSED("[read] '" + at("pipe.csv") +
                     "' is not a regular file; slices are read at offsets, which a pipe or a "
                     "device does not have",
                 table::read({at("pipe.csv")}));
  EXPECT_REFUSED("[read] '" + at("t.parquet") + "/x.csv': Not a directory",
                 table::read({at("t.parquet/x.csv")}));
}

TEST_F(TableHandle, RefusesFormatsItDoesNotKnow) {
  put("a.xlsx", "x");
  put("a.csv", "a\n1\n");
  put("noextension", "x");
  EXPECT_REFUSED("[read] '" + at("a.xlsx") +
                     "' has the extension '.xlsx'; accepted are .parquet, .pq, .csv, .tsv and "
                     ".txt (uncompressed)",
                 table::read({at("a.xlsx")}));
  EXPECT_REFUSED("[read] '" + at("noextension") +
                     "' has the extension ''; accepted are .parquet, .pq, .csv, .tsv and "
                     ".txt (uncompressed)",
                 table::read({at("noextension")}));
  EXPECT_REFUSED("[read] '" + at("a.csv") + "' and '" + at("t.parquet") +
                     "' are of different formats; read each on its "
                     "own",
                 table::read({at("a.csv"), at("t.parquet")}));
}

TEST_F(TableHandle, TakesAnExistingNameBeforeAPattern) {
  put("a*.csv", "a\n1\n");
  put("ab.csv", "a\n2\n");
  EXPECT_EQ(values<int64_t>(table::read({at("a*.csv")}), "a"), (std::vector<int64_t>{1}));
  EXPECT_EQ(values<int64_t>(table::read({at("a?.csv")}), "a").size(), 2U);
}

TEST_F(TableHandle, ChecksRowsPerBlock) {
  EXPECT_REFUSED("[read] rows_per_block is 0; accepted are 1 to 1048576",
                 table::read({at("t.parquet")}, {.rows_per_block = 0}));
  EXPECT_REFUSED("[read] rows_per_block is 1048577; accepted are 1 to 1048576",
                 table::read({at("t.parquet")}, {.rows_per_block = 1'048'577}));
}

TEST_F(TableHandle, DoesNotTravel) {
  const Array x = table::read({at("t.parquet")}).column("delay");
  EXPECT_REFUSED(
      "[serialize] 'read_parquet' (column 'delay' of '" + at("t.parquet") +
          "') does not travel: files are read where they lie; read() them in each process",
      graph::serialize({{x.port()}, {}}));
}

TEST_F(TableHandle, KnowsItsDictionaryAfterTheFirstLook) {
  const Table table = table::read({at("t.parquet")});
  const Array codes = table.column("origin");
  EXPECT_EQ(codes.to_vector<int32_t>(), std::vector<int32_t>(100, 0));
  EXPECT_EQ(table.dictionary("origin"), (std::vector<std::string>{"ABC"}));
  const std::string plan = compile({table.column("origin")}).describe();
  EXPECT_EQ(plan.find("distinct"), std::string::npos) << plan;
}

TEST_F(TableHandle, IsSharedByThreads) {
  const Table table = table::read({at("t.parquet")}, {.rows_per_block = 5});
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int k = 0; k < 5; ++k) {
        if (sum(table.column("delay") + table.column("origin")).compute<int64_t>() == 4950) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 20);
}

}  // namespace
}  // namespace tuff::table_test
