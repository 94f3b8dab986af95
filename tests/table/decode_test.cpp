// Rows from the middle of a row group: whole pages are passed over, part of one is skipped, and what is
// delivered is exactly what was asked for. The files are in make_files.py.
#include <parquet/metadata.h>

#include "tuff/table/parquet_decode.h"

#include "tests/table/testing.h"

namespace tuff::table_test {
namespace {

using table::detail::Piece;

class Decode : public Tables {
 protected:
  static table::detail::ParquetFile open(const std::string& path, const std::vector<int>& leaves) {
    table::detail::ParquetFile file;
    file.identity = table::detail::identify(path);
    file.metadata = table::detail::read_footer(file.identity);
    file.leaf_of_field = leaves;
    file.first_row = {0};
    for (int g = 0; g < file.metadata->num_row_groups(); ++g) {
      file.first_row.push_back(file.first_row.back() + file.metadata->RowGroup(g)->num_rows());
    }
    return file;
  }

  /// Starts and counts of runs of rows in a group of `rows`: ends, single rows, and what lies at `step`.
  static std::vector<std::pair<int64_t, int64_t>> runs(int64_t rows, int64_t step) {
    std::vector<std::pair<int64_t, int64_t>> result = {
        {0, rows}, {0, 1}, {rows - 1, 1}, {1, rows - 1}};
    for (int64_t first = 0; first < rows; first += step) {
      result.emplace_back(first, 1);
      result.emplace_back(first, rows - first);
      result.emplace_back(first, std::min(rows - first, step + 1));
    }
    return result;
  }
  Scratch scratch;
};

TEST_F(Decode, GivesAnyRunOfRows) {
  const auto file = open(data("pages.parquet"), {0, 1});
  const Field x{"x", DType::int64};
  for (const auto& [first, count] : runs(20'000, 1217)) {
    std::vector<int64_t> found(static_cast<size_t>(count), -1);
    table::detail::decode(file, Piece{0, 0, first, count},
                          {.field = &x, .values = reinterpret_cast<std::byte*>(found.data())},
                          scratch);
    for (int64_t i = 0; i < count; ++i)
      ASSERT_EQ(found[static_cast<size_t>(i)], first + i) << first;
  }
}

TEST_F(Decode, CollectsTheTextsOfAnyRunOfRows) {
  const auto file = open(data("pages.parquet"), {0, 1});
  for (const auto& [first, count] : runs(20'000, 4099)) {
    table::detail::TextSet texts;
    table::detail::collect_texts(file, Piece{0, 0, first, count}, 1, scratch, texts);
    EXPECT_EQ(texts.size(), static_cast<size_t>(std::min<int64_t>(count, 3000)));
    char name[16];
    std::snprintf(name, sizeof name, "s%04d", static_cast<int>(first % 3000));
    EXPECT_TRUE(texts.contains(std::string_view(name))) << name;
  }
}

TEST_F(Decode, PlacesNullsOfAnyRunOfRows) {
  const auto file = open(data("nulls.parquet"), {0});
  const Field x{"x", DType::float64};
  for (int group = 0; group < 4; ++group) {
    for (const auto& [first, count] : runs(250, 17)) {
      std::vector<double> found(static_cast<size_t>(count), -1);
      const auto valid = std::make_unique<bool[]>(static_cast<size_t>(count));
      table::detail::decode(
          file, Piece{0, group, first, count},
          {.field = &x, .values = reinterpret_cast<std::byte*>(found.data()), .valid = valid.get()},
          scratch);
      for (int64_t i = 0; i < count; ++i) {
        const int64_t row = 250 * group + first + i;
        ASSERT_EQ(valid[static_cast<size_t>(i)], row % 10 != 3) << row;
        ASSERT_EQ(found[static_cast<size_t>(i)], row % 10 != 3 ? static_cast<double>(row) : 0.0)
            << row;
      }
    }
  }
}

TEST_F(Decode, NamesTheRowOfANullInTheFile) {
  const auto file = open(data("nulls.parquet"), {0});
  const Field x{"x", DType::float64};
  std::vector<double> found(250);
  const auto decode = [&](int64_t first) {
    table::detail::decode(file, Piece{0, 2, first, 250 - first},
                          {.field = &x, .values = reinterpret_cast<std::byte*>(found.data())},
                          scratch);
  };
  EXPECT_NE(text_of<InvalidArgument>([&] { decode(0); }).find("in row 503 "), std::string::npos);
  EXPECT_NE(text_of<InvalidArgument>([&] { decode(124); }).find("in row 633 "), std::string::npos);
}

TEST_F(Decode, RefusesMoreRowsThanThereAre) {
  const auto file = open(data("pages.parquet"), {0});
  const Field x{"x", DType::int64};
  std::vector<int64_t> found(30'000);
  const auto decode = [&](int64_t first, int64_t count) {
    return text_of<InvalidArgument>([&] {
      table::detail::decode(file, Piece{0, 0, first, count},
                            {.field = &x, .values = reinterpret_cast<std::byte*>(found.data())},
                            scratch);
    });
  };
  const std::string text =
      "[read_parquet] '" + data("pages.parquet") + "': a column ends before its row group does";
  EXPECT_EQ(decode(0, 20'001), text);
  EXPECT_EQ(decode(19'999, 2), text);
  EXPECT_EQ(decode(20'000, 1), text);
  EXPECT_EQ(decode(25'000, 1), text);
}

TEST_F(Decode, CutsLargeRowGroups) {
  constexpr int64_t n = 2'300'000;
  const Array x = arange(0, n, 1, {.dtype = DType::int32});
  table::write_parquet(
      at("large.parquet"),
      {{"x", x}, {"s", remainder(x, 3), "", std::vector<std::string>{"a", "b", "c"}}},
      {.rows_per_group = n});
  const Table table = table::read({at("large.parquet")}, {.rows_per_block = 300'000});
  // Units are 3 blocks of 300,000 rows, the most that fit 2^20; the last one is smaller.
  EXPECT_EQ(table.column("x").chunks()[0]->sizes(),
            (std::vector<int64_t>{300'000, 300'000, 300'000, 300'000, 300'000, 300'000, 300'000,
                                  200'000}));
  EXPECT_NE(compile({table.column("x")}).describe().find("3 tasks"), std::string::npos);
  EXPECT_TRUE(all(equal(table.column("x"), x)).compute<bool>());
  EXPECT_TRUE(all(equal(table.column("s"), remainder(x, 3))).compute<bool>());
}

}  // namespace
}  // namespace tuff::table_test
