// Broken files, many of them: whatever is cut off or changed, reading gives values or one of our errors,
// and a file that ends early is always an error. Bounded and the same in every run.
#include <cstring>
#include <random>

#include "tests/table/testing.h"

namespace tuff::table_test {
namespace {

class Fuzz : public Tables {
 protected:
  enum class Outcome { values, refused };

  /// Reads every column of a file. Anything but Error fails the test.
  Outcome read_all(const std::string& path, const ReadOptions& options) {
    try {
      const Table table = table::read({path}, options);
      for (const Field& field : table.fields()) {
        const Block block = table.column(field.name).compute();
        if (table.rows()) {
          EXPECT_EQ(block.size(), *table.rows());
        }
      }
      return Outcome::values;
    } catch (const Error& error) {
      EXPECT_NE(tuff::describe(std::current_exception()).find(path), std::string::npos)
          << error.what();
      return Outcome::refused;
    }
  }
};

/// Positions in a file of `size` bytes: both ends closely, and `count` in between.
std::vector<size_t> positions(size_t size, size_t count) {
  std::vector<size_t> at;
  for (size_t i = 0; i < size; ++i) {
    if (i < 16 || i + 48 > size || i % std::max<size_t>(1, size / count) == 0) at.push_back(i);
  }
  return at;
}

TEST_F(Fuzz, ATruncatedParquetFileIsRefused) {
  const std::string whole = contents(data("nulls.parquet"));
  for (size_t length : positions(whole.size(), 100)) {
    EXPECT_EQ(read_all(put("a.parquet", whole.substr(0, length)), {.nulls = Nulls::drop}),
              Outcome::refused)
        << length;
  }
}

TEST_F(Fuzz, AParquetFileWithAHoleIsRefused) {
  // Bytes are missing in the middle; the footer is there, and its offsets point at the wrong places.
  table::write_parquet(at("w.parquet"), {{"x", random::normal({5000}, {.seed = 3})}},
                       {.rows_per_group = 1000});
  const std::string whole = contents(at("w.parquet"));
  for (size_t begin = 4; begin + 700 < whole.size(); begin += whole.size() / 40) {
    EXPECT_EQ(read_all(put("a.parquet", whole.substr(0, begin) + whole.substr(begin + 7)), {}),
              Outcome::refused)
        << begin;
  }
}

TEST_F(Fuzz, ChangedBytesOfParquetGiveValuesOrErrors) {
  std::mt19937 random(1);  // the standard fixes its numbers
  for (const char* name :
       {"types_v1.parquet", "types_v2.parquet", "nulls.parquet", "int96.parquet"}) {
    const std::string whole = contents(data(name));
    size_t refused = 0;
    for (size_t at : positions(whole.size(), 120)) {
      std::string broken = whole;
      broken[at] = static_cast<char>(random());
      if (at % 3 == 0) broken[random() % whole.size()] ^= static_cast<char>(1 << random() % 8);
      refused += read_all(put("a.parquet", broken), {.nulls = Nulls::drop, .rows_per_block = 64}) ==
                 Outcome::refused;
    }
    EXPECT_GT(refused, 10U) << name;
  }
}

TEST_F(Fuzz, ChangedFootersOfParquetGiveValuesOrErrors) {
  std::mt19937 random(2);
  const std::string whole = contents(data("nulls.parquet"));
  uint32_t footer = 0;
  std::memcpy(&footer, whole.data() + whole.size() - 8, sizeof footer);
  const size_t first = whole.size() - 8 - footer;
  for (int k = 0; k < 400; ++k) {
    std::string broken = whole;
    const size_t at = first + random() % (footer + 8);
    broken[at] ^= static_cast<char>(1 << random() % 8);
    read_all(put("a.parquet", broken), {.nulls = Nulls::drop, .rows_per_block = 100});
  }
}

TEST_F(Fuzz, ChangedPagesWithChecksumsAreRefused) {
  table::write_parquet(at("w.parquet"), {{"x", random::normal({2000}, {.seed = 4})}},
                       {.compression = "none"});
  const std::string whole = contents(at("w.parquet"));
  for (size_t at = 2000; at < 14'000; at += 997) {
    std::string broken = whole;
    broken[at] ^= 1;
    EXPECT_EQ(read_all(put("a.parquet", broken), {}), Outcome::refused) << at;
  }
}

TEST_F(Fuzz, ChangedBytesOfCsvGiveValuesOrErrors) {
  std::string whole = "n,x,day,s\n";
  for (int i = 0; i < 60; ++i) {
    whole += std::to_string(i) + "," + std::to_string(i / 7.0) + ",2024-01-" +
             std::to_string(10 + i % 20) + ",\"a" + std::to_string(i % 9) +
             (i % 4 == 0 ? "\"\"\n,b" : "") + "\"\n";
  }
  std::mt19937 random(5);
  const std::string bytes = std::string(1, '\0') + "\"\n\r,\xFF-+.e09NAnull :TZ";
  for (bool multiline : {true, false}) {
    size_t refused = 0;
    for (size_t k = 0; k < 600; ++k) {
      std::string broken = whole;
      for (size_t changes = 1 + k % 3; changes > 0; --changes) {
        broken[random() % broken.size()] = bytes[random() % bytes.size()];
      }
      if (k % 5 == 0) broken.resize(random() % broken.size());
      const ReadOptions options{.nulls = k % 2 == 0 ? Nulls::drop : Nulls::error,
                                .rows_per_block = 1 + static_cast<int64_t>(k % 40),
                                .csv = {.multiline = multiline}};
      refused += read_all(put("a.csv", broken), options) == Outcome::refused;
    }
    EXPECT_GT(refused, 100U);
  }
}

}  // namespace
}  // namespace tuff::table_test
