// Reading Parquet as other programs write it: types, nulls, pages, row groups, and files that are broken.
// The files and their formulas are in make_files.py.
#include <cmath>
#include <numeric>

#include "tests/table/testing.h"

namespace tuff::table_test {
namespace {

class ReadParquet : public Tables {};

template <Element T, class F>
std::vector<T> formula(size_t n, F&& f) {
  std::vector<T> result;
  for (size_t i = 0; i < n; ++i) result.push_back(static_cast<T>(f(static_cast<int64_t>(i))));
  return result;
}

/// What both all-types files hold alike.
void expect_types(const Table& table) {
  constexpr size_t n = 100;
  EXPECT_EQ(table.rows(), 100);
  EXPECT_EQ(values<bool>(table, "flag"), formula<bool>(n, [](int64_t i) { return i % 3 == 0; }));
  EXPECT_EQ(values<int8_t>(table, "i8"), formula<int8_t>(n, [](int64_t i) { return i - 50; }));
  EXPECT_EQ(values<int16_t>(table, "i16"),
            formula<int16_t>(n, [](int64_t i) { return i * 300 - 15000; }));
  EXPECT_EQ(values<int32_t>(table, "i32"),
            formula<int32_t>(n, [](int64_t i) { return i * 40'000'000 - 2'000'000'000; }));
  EXPECT_EQ(values<int64_t>(table, "i64"), formula<int64_t>(n, [](int64_t i) {
              return i * 10'000'000'000'000'000 - 500'000'000'000'000'000;
            }));
  EXPECT_EQ(values<uint8_t>(table, "u8"),
            formula<uint8_t>(n, [](int64_t i) { return i * 2 + 50; }));
  EXPECT_EQ(values<uint16_t>(table, "u16"),
            formula<uint16_t>(n, [](int64_t i) { return i * 600; }));
  EXPECT_EQ(values<uint64_t>(table, "u64"), formula<uint64_t>(n, [](int64_t i) {
              return static_cast<uint64_t>(i) * 180'000'000'000'000'000U;
            }));
  EXPECT_EQ(values<float>(table, "f32"),
            formula<float>(n, [](int64_t i) { return static_cast<float>(i) / 8; }));
  const std::vector<double> f64 = values<double>(table, "f64");
  for (size_t i = 0; i < n; ++i) {
    if (i == 7) {
      EXPECT_TRUE(std::isnan(f64[i]));
    } else {
      EXPECT_EQ(f64[i], static_cast<double>(i) / 3);
    }
  }
  EXPECT_EQ(table.dictionary("text"), (std::vector<std::string>{"", "apple", "fig", "pear"}));
  const std::vector<std::string> four = {"pear", "apple", "", "fig"};
  const std::vector<std::string> text = texts(table, "text");
  for (size_t i = 0; i < n; ++i) EXPECT_EQ(text[i], four[i % 4]);
  EXPECT_EQ(values<int64_t>(table, "day"), formula<int64_t>(n, [](int64_t i) { return i - 12; }));
  EXPECT_EQ(table.field("day").unit, "days");
  EXPECT_EQ(values<int64_t>(table, "ms"),
            formula<int64_t>(n, [](int64_t i) { return i * 1000 - 5; }));
  EXPECT_EQ(table.field("ms").unit, "ms");
  EXPECT_EQ(values<int64_t>(table, "time_ms"),
            formula<int64_t>(n, [](int64_t i) { return i * 500; }));
  EXPECT_EQ(table.field("time_ms").unit, "ms of day");
  EXPECT_EQ(values<int64_t>(table, "time_us"),
            formula<int64_t>(n, [](int64_t i) { return i * 500; }));
  EXPECT_EQ(table.field("time_us").unit, "us of day");
}

TEST_F(ReadParquet, GivesEveryTypeThatArraysHold) {
  const Table table = table::read({data("types_v2.parquet")});
  expect_types(table);
  EXPECT_EQ(values<uint32_t>(table, "u32"),
            formula<uint32_t>(100, [](int64_t i) { return i * 42'000'000; }));
  for (const std::string unit : {"us", "ns"}) {
    EXPECT_EQ(values<int64_t>(table, unit),
              formula<int64_t>(100, [](int64_t i) { return i * 1000 - 5; }));
    EXPECT_EQ(table.field(unit).unit, unit);
  }
}

TEST_F(ReadParquet, ReadsTheOldFormatWithoutDictionaries) {
  expect_types(table::read({data("types_v1.parquet")}));
}

TEST_F(ReadParquet, ReadsTimeStampsOfTwelveBytes) {
  const Table table = table::read({data("int96.parquet")});
  EXPECT_EQ(table.field("ns"), (Field{"ns", DType::int64, "ns", false}));
  EXPECT_EQ(values<int64_t>(table, "ns"),
            formula<int64_t>(100, [](int64_t i) { return i * 1000 - 5; }));
}

TEST_F(ReadParquet, LeavesOutColumnsThatArraysCannotHoldAndSaysWhatTheyAre) {
  const Table table = table::read({data("types_v2.parquet")});
  EXPECT_EQ(table.fields().size(), 18U);
  const std::string path = "'" + data("types_v2.parquet") + "'";
  EXPECT_REFUSED("[column] column 'list' of " + path +
                     " is nested (a list, a map or a struct), which arrays do not hold; numbers, "
                     "truth values, dates, "
                     "times and text they do",
                 table.column("list"));
  EXPECT_REFUSED("[column] column 'decimal' of " + path +
                     " is FIXED_LEN_BYTE_ARRAY Decimal(precision=20, scale=0), which arrays do not "
                     "hold; numbers, "
                     "truth values, dates, times and text they do",
                 table.column("decimal"));
}

TEST_F(ReadParquet, GivesTheSameForAnyBlockSize) {
  // Blocks smaller than a page, across pages, of a whole row group; 20,000 rows in 157 pages.
  const std::vector<int64_t> expected = formula<int64_t>(20'000, [](int64_t i) { return i; });
  for (int64_t rows :
       {int64_t{1000}, int64_t{777}, int64_t{19'999}, int64_t{20'000}, table::kRowsPerBlock}) {
    const Table table = table::read({data("pages.parquet")}, {.rows_per_block = rows});
    EXPECT_EQ(values<int64_t>(table, "x"), expected) << rows;
    EXPECT_LE(table.column("x").chunks()[0]->largest(), rows);
    const std::vector<int32_t> codes = values<int32_t>(table, "s");
    for (size_t i = 0; i < codes.size(); ++i)
      ASSERT_EQ(codes[i], static_cast<int32_t>(i % 3000)) << rows;
  }
}

TEST_F(ReadParquet, DecodesEachColumnOfARowGroupOnce) {
  const Table table = table::read({data("types_v2.parquet")}, {.rows_per_block = 8});
  EXPECT_EQ(table.column("i8").block_count(), 4U + 4U + 4U + 2U);
  const Plan plan =
      compile({sum(table.column("i8")), min(table.column("i8")), sum(table.column("f32"))});
  const std::string text = plan.describe();
  EXPECT_NE(text.find("read_parquet(column 'i8' of '" + data("types_v2.parquet") + "')  4 tasks"),
            std::string::npos)
      << text;
  size_t reads = 0;
  for (size_t p = text.find("read_parquet"); p != std::string::npos;
       p = text.find("read_parquet", p + 1))
    ++reads;
  EXPECT_EQ(reads, 2U) << text;
}

TEST_F(ReadParquet, HoldsAFewRowGroupsAtATime) {
  table::write_parquet(at("a.parquet"),
                       {{"x", arange(0, 1'000'000, 1, {.dtype = DType::float64})},
                        {"s", remainder(arange(0, 1'000'000, 1, {.dtype = DType::int32}), 2), "",
                         std::vector<std::string>{"even", "odd"}}},
                       {.rows_per_group = 20'000});
  const Table table = table::read({at("a.parquet")}, {.rows_per_block = 5000});
  reset_peak_live_bytes();
  const auto before = buffer_statistics().live_bytes;
  const std::vector<Result> sums =
      compute({sum(table.column("x")), sum(table.column("s"))}, {.threads = 1});
  EXPECT_EQ(sums[1].item<int64_t>(), 500'000);
  // A row group of both columns is 240 KB; all of them are 12 MB.
  EXPECT_LT(buffer_statistics().peak_live_bytes - before, 1'200'000U);
}

TEST_F(ReadParquet, PutsSmallRowGroupsTogetherInOneBlock) {
  // Groups of 30, 30, 30 and 10 rows.
  const Table table = table::read({data("types_v2.parquet")}, {.rows_per_block = 60});
  EXPECT_EQ(table.column("i8").chunks()[0]->sizes(), (std::vector<int64_t>{60, 40}));
  expect_types(table);
}

TEST_F(ReadParquet, ReadsSeveralFilesAsOne) {
  const Table table = table::read({data("nulls.parquet"), data("nulls.parquet")});
  EXPECT_EQ(table.rows(), 2000);
  EXPECT_EQ(values<int16_t>(table, "sure"),
            formula<int16_t>(2000, [](int64_t i) { return i % 1000; }));
}

TEST_F(ReadParquet, NamesColumnAndRowOfANull) {
  const Table table = table::read({data("nulls.parquet")});
  const auto text = [](const char* column, const char* row) {
    return "[read_parquet] '" + data("nulls.parquet") + "': column '" + column +
           "' has a null in row " + row +
           " (from 0); drop such rows (Nulls::drop, --nulls drop) or fill them first";
  };
  EXPECT_READ_FAILS(text("x", "3"), table.column("x").compute({.threads = 1}));
  EXPECT_READ_FAILS(text("y", "777"), table.column("y").compute());
  EXPECT_READ_FAILS(text("t", "0"), table.column("t").compute({.threads = 1}));
  EXPECT_EQ(values<int32_t>(table, "full"), formula<int32_t>(1000, [](int64_t i) { return i; }));
}

TEST_F(ReadParquet, DropsRowsWithNullsInSelectedColumnsOnly) {
  const Table all =
      table::read({data("nulls.parquet")}, {.nulls = Nulls::drop, .rows_per_block = 100});
  EXPECT_EQ(all.rows(), std::nullopt);
  std::vector<int32_t> without_x_y;
  std::vector<int32_t> complete;
  for (int32_t i = 0; i < 1000; ++i) {
    if (i % 10 == 3 || i == 777) continue;
    without_x_y.push_back(i);
    if (i % 7 != 0) complete.push_back(i);
  }
  EXPECT_EQ(values<int32_t>(all, "full"), complete);
  const Table some = all.select({"y", "x", "full"});
  EXPECT_EQ(values<int32_t>(some, "full"), without_x_y);
  const std::vector<double> x = values<double>(some, "x");
  EXPECT_EQ(std::vector<int32_t>(x.begin(), x.end()), without_x_y);
  EXPECT_EQ(all.select({"full", "sure"}).rows(), 1000);
  // Columns of one table go together; those of two do not, though their rows may be the same.
  EXPECT_EQ(sum(some.column("x") - some.column("full")).compute<double>(), 0.0);
  EXPECT_THROW(some.column("x") + all.column("full"), InvalidArgument);
}

TEST_F(ReadParquet, LooksUpTextOfKeptRows) {
  const Table table =
      table::read({data("nulls.parquet")}, {.nulls = Nulls::drop}).select({"t", "full"});
  const std::vector<std::string> text = texts(table, "t");
  const std::vector<int32_t> row = values<int32_t>(table, "full");
  ASSERT_EQ(text.size(), row.size());
  EXPECT_EQ(text.size(), 1000U - 143U);
  for (size_t i = 0; i < text.size(); ++i) EXPECT_EQ(text[i], "t" + std::to_string(row[i] % 5));
}

TEST_F(ReadParquet, ReadsZeroRows) {
  for (Nulls nulls : {Nulls::error, Nulls::drop}) {
    const Table table = table::read({data("no_rows.parquet")}, {.nulls = nulls});
    EXPECT_EQ(table.rows(), 0);
    EXPECT_EQ(values<double>(table, "x"), std::vector<double>());
    EXPECT_EQ(table.dictionary("t"), std::vector<std::string>());
    EXPECT_EQ(values<int32_t>(table, "t"), std::vector<int32_t>());
    EXPECT_EQ(table.matrix({"x", "y"}).compute().shape(), (Dims{0, 2}));
  }
}

TEST_F(ReadParquet, RefusesWhatIsNoParquetFile) {
  const auto open = [&](const std::string& path) {
    return text_of<InvalidArgument>([&] { (void)table::read({path}); });
  };
  EXPECT_EQ(open(put("empty.parquet", "")),
            "[read_parquet] '" + at("empty.parquet") + "': the file is empty");
  for (const std::string& text :
       {std::string("not parquet"), std::string(100, 'x'), std::string("PAR1PAR1")}) {
    const std::string path = put("text.parquet", text);
    EXPECT_TRUE(open(path).starts_with("[read_parquet] '" + path +
                                       "': corrupt or truncated, or not a Parquet file: "))
        << open(path);
  }
}

TEST_F(ReadParquet, RefusesFilesWhoseColumnsDiffer) {
  const std::string first = data("nulls.parquet");
  const std::string second = at("other.parquet");
  table::write_parquet(second, {{"x", ones({3})}});
  EXPECT_REFUSED("[read_parquet] '" + second + "': no column 'y', which '" + first +
                     "' has; all files of a table have the same columns",
                 table::read({first, second}));
  table::write_parquet(second, {{"x", ones({3}, {.dtype = DType::float32})}});
  EXPECT_REFUSED(
      "[read_parquet] '" + second + "': column 'x' is float32; in '" + first + "' it is float64",
      table::read({first, second}));
}

TEST_F(ReadParquet, RefusesAFileThatChangedAfterItWasOpened) {
  const std::string path = at("changing.parquet");
  fs::copy_file(data("pages.parquet"), path);
  const Table table = table::read({path});
  const auto bytes = fs::file_size(path);
  fs::resize_file(path, bytes - 1000);
  EXPECT_READ_FAILS("[read] '" + path + "' changed since it was opened (" + std::to_string(bytes) +
                        " bytes then, " + std::to_string(bytes - 1000) + " now); read() it again",
                    table.column("x").compute());
  fs::remove(path);
  EXPECT_READ_FAILS("[read] cannot open '" + path + "': No such file or directory",
                    table.column("x").compute());
}

TEST_F(ReadParquet, IsTheSameWorkWhenTheSameFileIsReadTwice) {
  const Array a = table::read({data("pages.parquet")}).column("x");
  const Array b = table::read({data("pages.parquet")}).column("x");
  EXPECT_EQ(compile({sum(a), sum(b)}).task_count(), compile({sum(a)}).task_count());
  const Array c = table::read({data("pages.parquet")}).column("s");
  EXPECT_GT(compile({sum(a), sum(c)}).task_count(), compile({sum(a)}).task_count());
}

}  // namespace
}  // namespace tuff::table_test
