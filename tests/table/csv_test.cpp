// Reading CSV: types, nulls, quotes, lines at any cut, and what is wrong where.
#include <cmath>
#include <limits>

#include "tests/table/testing.h"

namespace tuff::table_test {
namespace {

class ReadCsv : public Tables {
 protected:
  Table csv(const std::string& text, const ReadOptions& options = {}) const {
    return table::read({put("a.csv", text)}, options);
  }
  std::string line(int number) const {
    return "[read_csv] '" + at("a.csv") + "', line " + std::to_string(number) + ": ";
  }
};

constexpr const char* kInferred =
    " (inferred from the first 1 MB; CsvOptions::schema gives another type)";

TEST_F(ReadCsv, InfersTypes) {
  const Table table =
      csv("flag,whole,number,day,stamp,text,nothing\n"
          "true,1,1.5,2024-02-29,2024-02-29T12:30:00,pear,\n"
          "False,-2,2,1969-12-31,1970-01-01 00:00:00.25Z,apple,NA\n"
          "TRUE,+3,-inf,1970-01-01,2000-01-01T01:00+01:00,\"a,b\",null\n",
          {.nulls = Nulls::drop});
  const auto field = [&](const char* name) { return table.field(name); };
  EXPECT_EQ(field("flag").dtype, DType::bool_);
  EXPECT_EQ(field("whole").dtype, DType::int64);
  EXPECT_EQ(field("number").dtype, DType::float64);
  EXPECT_EQ(field("day"), (Field{"day", DType::int64, "days", false}));
  EXPECT_EQ(field("stamp"), (Field{"stamp", DType::int64, "us", false}));
  EXPECT_EQ(field("text"), (Field{"text", DType::int32, "", true}));
  EXPECT_EQ(field("nothing").dtype, DType::float64);
  const Table some = table.select({"flag", "whole", "number", "day", "stamp", "text"});
  EXPECT_EQ(values<bool>(some, "flag"), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(values<int64_t>(some, "whole"), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(values<double>(some, "number"),
            (std::vector<double>{1.5, 2, -std::numeric_limits<double>::infinity()}));
  EXPECT_EQ(values<int64_t>(some, "day"), (std::vector<int64_t>{19782, -1, 0}));
  EXPECT_EQ(values<int64_t>(some, "stamp"),
            (std::vector<int64_t>{1'709'209'800'000'000, 250'000, 946'684'800'000'000}));
  EXPECT_EQ(texts(some, "text"), (std::vector<std::string>{"pear", "apple", "a,b"}));
  EXPECT_EQ(values<double>(table, "nothing"), std::vector<double>());
}

TEST_F(ReadCsv, TakesTypesFromASchema) {
  const Table table =
      csv("a,b,c\n1,2,3\n4,5,6\n", {.csv = {.schema = {{.name = "b", .dtype = DType::float32},
                                                       {.name = "c", .is_dictionary = true}}}});
  EXPECT_EQ(values<int64_t>(table, "a"), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(values<float>(table, "b"), (std::vector<float>{2, 5}));
  EXPECT_EQ(texts(table, "c"), (std::vector<std::string>{"3", "6"}));
}

TEST_F(ReadCsv, ReadsWithoutAHeaderWhereASchemaNamesTheColumns) {
  const Table table =
      csv("1;x\n2;y\n", {.csv = {.delimiter = ';',
                                 .header = false,
                                 .schema = {{.name = "n", .dtype = DType::uint8},
                                            {.name = "s", .is_dictionary = true}}}});
  EXPECT_EQ(values<uint8_t>(table, "n"), (std::vector<uint8_t>{1, 2}));
  EXPECT_EQ(texts(table, "s"), (std::vector<std::string>{"x", "y"}));
}

TEST_F(ReadCsv, AcceptsWhatProgramsWrite) {
  // A byte order mark, carriage returns, blank lines, spaces around numbers, doubled quotes, no last break.
  const Table table =
      csv("\xEF\xBB\xBF"
          "a,\"b \"\"c\"\"\"\r\n\r\n 1 ,\"x \"\"y\"\"\"\r\n\r\n2\t,\"\"\r\n3,z");
  EXPECT_EQ(values<int64_t>(table, "a"), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(texts(table, "b \"c\""), (std::vector<std::string>{"x \"y\"", "", "z"}));
}

TEST_F(ReadCsv, SeparatesTsvByTabs) {
  const Table table = table::read({put("a.tsv", "a\tb\n1,5\t2\n")});
  EXPECT_EQ(texts(table, "a"), (std::vector<std::string>{"1,5"}));
  EXPECT_EQ(values<int64_t>(table, "b"), (std::vector<int64_t>{2}));
}

/// Rows of every length from 2 bytes on, so that ranges are cut everywhere.
std::string ragged_rows(int rows, std::vector<int64_t>& numbers, std::vector<std::string>& words,
                        bool multiline) {
  std::string text = "n,w\n";
  for (int i = 0; i < rows; ++i) {
    const int64_t number = int64_t{i} * i * i - 1000;
    std::string word(static_cast<size_t>(i * 7 % 23), static_cast<char>('a' + i % 26));
    if (multiline && i % 3 == 0) word += "\n,\"\n";
    std::string quoted;
    for (char c : word) quoted += c == '"' ? "\"\"" : std::string(1, c);
    text += std::to_string(number) + ",";
    text += i % 3 == 0 ? "\"" + quoted + "\"" : quoted;
    text += i % 5 == 0 ? "\r\n" : "\n";
    numbers.push_back(number);
    words.push_back(word);
  }
  return text;
}

TEST_F(ReadCsv, GivesTheSameForAnyCut) {
  for (bool multiline : {false, true}) {
    std::vector<int64_t> numbers;
    std::vector<std::string> words;
    const std::string text = ragged_rows(200, numbers, words, multiline);
    for (int64_t rows : {1, 2, 3, 7, 50, 1000}) {
      const Table table = csv(text, {.rows_per_block = rows, .csv = {.multiline = multiline}});
      EXPECT_EQ(values<int64_t>(table, "n"), numbers) << rows << multiline;
      EXPECT_EQ(texts(table, "w"), words) << rows << multiline;
    }
  }
}

TEST_F(ReadCsv, ColumnsOfOneTableShareTheirUnknownExtent) {
  const Table table = csv("a,b\n1,2\n3,4\n5,6\n", {.rows_per_block = 1});
  EXPECT_EQ(table.rows(), std::nullopt);
  EXPECT_EQ(sum(table.column("a") * table.column("b")).compute<int64_t>(), 2 + 12 + 30);
  const Table counted = table.counted();
  EXPECT_EQ(counted.rows(), 3);
  EXPECT_EQ(counted.column("a").size(), 3);
  EXPECT_EQ(values<int64_t>(counted, "b"), (std::vector<int64_t>{2, 4, 6}));
  EXPECT_EQ(counted.matrix({"b", "a"}).to_vector<double>(),
            (std::vector<double>{2, 1, 4, 3, 6, 5}));
}

TEST_F(ReadCsv, FindsCellsOnceForAllColumns) {
  const Table table = csv("a,b,c\n1,2,3\n", {});
  const std::string plan =
      compile({table.column("a"), table.column("b"), table.column("c")}).describe();
  EXPECT_EQ(plan.find("read_lines"), plan.rfind("read_lines")) << plan;
}

TEST_F(ReadCsv, HoldsAFewRangesAtATime) {
  std::string text = "n,s\n";
  for (int i = 0; i < 200'000; ++i)
    text += std::to_string(i % 1000) + ",word" + std::to_string(i % 50) + "\n";
  const Table table = csv(text, {.rows_per_block = 1000});
  for (bool dictionary_is_known : {false, true}) {
    reset_peak_live_bytes();
    const auto before = buffer_statistics().live_bytes;
    const std::vector<Result> sums =
        compute({sum(table.column("n")), sum(table.column("s"))}, {.threads = 1});
    EXPECT_EQ(sums[0].item<int64_t>(), 200 * 499'500);
    // The text alone is 2 MB, its cells three times that.
    EXPECT_LT(buffer_statistics().peak_live_bytes - before, text.size() / 4) << dictionary_is_known;
  }
}

TEST_F(ReadCsv, ReadsSeveralFilesByColumnName) {
  put("1.csv", "a,b\n1,2\n");
  put("2.csv", "b,a\n20,10\n");
  const Table table = table::read({at("*.csv")});
  EXPECT_EQ(values<int64_t>(table, "a"), (std::vector<int64_t>{1, 10}));
  EXPECT_EQ(values<int64_t>(table, "b"), (std::vector<int64_t>{2, 20}));
  put("3.csv", "a,c\n1,2\n");
  EXPECT_REFUSED("[read_csv] '" + at("3.csv") + "': columns a, c; '" + at("1.csv") +
                     "' has a, b; all files of a table have the same columns",
                 table::read({at("*.csv")}));
}

TEST_F(ReadCsv, DropsRowsWithNulls) {
  const Table table =
      csv("a,b,s\n1,2,x\nNA,3,y\n4,,z\n5,6,\n", {.nulls = Nulls::drop, .rows_per_block = 1});
  EXPECT_EQ(values<int64_t>(table, "a"), (std::vector<int64_t>{1, 5}));
  EXPECT_EQ(texts(table, "s"), (std::vector<std::string>{"x", ""}));
  EXPECT_EQ(values<int64_t>(table.select({"b"}), "b"), (std::vector<int64_t>{2, 3, 6}));
  EXPECT_EQ(table.counted().rows(), 2);
}

TEST_F(ReadCsv, NamesLineAndColumnOfANull) {
  EXPECT_READ_FAILS(
      line(3) +
          "column 'b' has a null; drop such rows (Nulls::drop, --nulls drop) or fill them first" +
          kInferred,
      csv("a,b\n1,2\n3,NA\n").column("b").compute());
}

TEST_F(ReadCsv, NamesTheLineOfAShortRow) {
  EXPECT_REFUSED(line(3) + "1 field; there are 2 columns", csv("a,b\n1,2\n3\n"));
  EXPECT_REFUSED(line(4) + "3 fields; there are 2 columns", csv("a,b\n1,2\n\n3,4,5\n"));
}

TEST_F(ReadCsv, NamesTheLineOfWhatIsWrongBehindTheSample) {
  std::string text = "a,b\n";
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i) + ",\"x\"\n";
  const std::string good = text;
  EXPECT_READ_FAILS(line(200'002) + "column 'a': 'many' is not an int64" + kInferred,
                    csv(good + "many,x\n").column("a").compute());
  EXPECT_READ_FAILS(line(200'002) + "1 field; there are 2 columns",
                    csv(good + "7\n8,x\n").column("a").compute());
  EXPECT_READ_FAILS(line(200'002) + "column 'a': '1.5' is not an int64" + kInferred,
                    csv(good + "1.5,x\n").column("a").compute());
  EXPECT_EQ(csv(good).column("a").compute().size(), 200'000);
}

TEST_F(ReadCsv, NamesWhatDoesNotFitAGivenType) {
  const auto fails = [&](const std::string& cell, Field field) {
    field.name = "a";
    const std::string text = "a\n" + cell + "\n";
    return cause_of([&] { (void)csv(text, {.csv = {.schema = {field}}}).column("a").compute(); });
  };
  EXPECT_EQ(fails("128", {.dtype = DType::int8}), line(2) + "column 'a': '128' is not an int8");
  EXPECT_EQ(fails("-1", {.dtype = DType::uint16}), line(2) + "column 'a': '-1' is not a uint16");
  EXPECT_EQ(fails("yes", {.dtype = DType::bool_}), line(2) + "column 'a': 'yes' is not a bool");
  EXPECT_EQ(fails("1e", {.dtype = DType::float32}), line(2) + "column 'a': '1e' is not a float32");
  EXPECT_EQ(fails("2023-02-29", {.dtype = DType::int64, .unit = "days"}),
            line(2) + "column 'a': '2023-02-29' is not a date (YYYY-MM-DD)");
  EXPECT_EQ(
      fails("2023-02-28T00:00:00.5", {.dtype = DType::int64, .unit = "s"}),
      line(2) +
          "column 'a': '2023-02-28T00:00:00.5' is not a time stamp (YYYY-MM-DDThh:mm:ss) in s");
  EXPECT_EQ(fails("9999-01-01", {.dtype = DType::int64, .unit = "ns"}),
            line(2) + "column 'a': '9999-01-01' is not a time stamp (YYYY-MM-DDThh:mm:ss) in ns");
  EXPECT_EQ(fails(std::string(60, 'x'), {.dtype = DType::float64}),
            line(2) + "column 'a': '" + std::string(40, 'x') + "...' is not a float64");
}

TEST_F(ReadCsv, ReadsNumbersAtTheEdges) {
  const Table table =
      csv("i,u,f,d\n-9223372036854775808,18446744073709551615,1e-50,1e999\n0,0,nan,-1e-999\n",
          {.csv = {.schema = {{.name = "u", .dtype = DType::uint64},
                              {.name = "f", .dtype = DType::float32}}}});
  EXPECT_EQ(values<int64_t>(table, "i")[0], std::numeric_limits<int64_t>::min());
  EXPECT_EQ(values<uint64_t>(table, "u")[0], std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(values<float>(table, "f")[0], 0.0F);
  EXPECT_TRUE(std::isnan(values<float>(table, "f")[1]));
  EXPECT_EQ(values<double>(table, "d"),
            (std::vector<double>{std::numeric_limits<double>::infinity(), -0.0}));
}

TEST_F(ReadCsv, RefusesLineBreaksInQuotesUnlessTheyAreAllowed) {
  const std::string text = "a,b\n1,\"x\ny\"\n";
  EXPECT_REFUSED(line(2) +
                     "a quoted field does not end on its line; line breaks inside quotes need "
                     "CsvOptions::multiline (--csv-multiline)",
                 csv(text));
  EXPECT_EQ(texts(csv(text, {.csv = {.multiline = true}}), "b"),
            (std::vector<std::string>{"x\ny"}));
}

TEST_F(ReadCsv, RefusesQuotesThatDoNotPair) {
  EXPECT_REFUSED(line(3) + "'x' follows a closing quote; a quote inside quotes is written twice",
                 csv("a,b\n1,2\n1,\"y\"x\n"));
  EXPECT_REFUSED(line(2) + "a quoted field does not end before the file does",
                 csv("a,b\n1,\"x\n", {.csv = {.multiline = true}}));
  EXPECT_REFUSED(
      line(2) +
          "a quote inside a field that does not begin with one; with multiline, such a field is "
          "quoted as a whole and its quotes are doubled",
      csv("a,b\n1,5\"\n", {.csv = {.multiline = true}}));
  EXPECT_EQ(texts(csv("a,b\n1,5\"\n"), "b"), (std::vector<std::string>{"5\""}));
}

TEST_F(ReadCsv, RefusesFilesThatCannotBeTables) {
  const std::string path = "[read_csv] '" + at("a.csv") + "': ";
  EXPECT_REFUSED(path + "the file is empty: not even a header", csv(""));
  EXPECT_REFUSED(line(1) + "blank lines only; a header is needed", csv("\n\n"));
  EXPECT_REFUSED(
      path + "a header, but no rows to tell the type of 'a' by; CsvOptions::schema can give it",
      csv("a,b\n"));
  EXPECT_REFUSED(line(1) + "two columns have the name 'a'", csv("a,b,a\n1,2,3\n"));
  EXPECT_REFUSED(path + "UTF-16 text; convert it to UTF-8 first", csv(std::string("\xFF\xFE"
                                                                                  "a\0",
                                                                                  4)));
  EXPECT_REFUSED(path + "no line ends in the first 1048576 bytes; is this a CSV file?",
                 csv(std::string(3 << 20, 'x')));
  EXPECT_REFUSED(path + "the schema gives a type to column 'c'; columns are a, b",
                 csv("a,b\n1,2\n", {.csv = {.schema = {{.name = "c"}}}}));
}

TEST_F(ReadCsv, RefusesARecordWithoutEnd) {
  std::string rows = "a,b\n";
  while (rows.size() < (1 << 20)) rows += "1,2\n";
  const std::string found =
      cause_of([&] { (void)csv(rows + std::string(40 << 20, '7')).column("a").compute(); });
  EXPECT_NE(found.find(" bytes; is a quote missing, or is this not CSV?"), std::string::npos)
      << found;
}

TEST_F(ReadCsv, ReadsZeroRowsOfAGivenSchema) {
  const Table table =
      csv("a,s\n", {.csv = {.schema = {{.name = "a"}, {.name = "s", .is_dictionary = true}}}});
  EXPECT_EQ(values<double>(table, "a"), std::vector<double>());
  EXPECT_EQ(texts(table, "s"), std::vector<std::string>());
  EXPECT_EQ(table.counted().rows(), 0);
}

TEST_F(ReadCsv, RefusesOptionsThatCannotBe) {
  EXPECT_REFUSED("[read_csv] a quote or a line break as delimiter; any other byte is accepted",
                 csv("a\n1\n", {.csv = {.delimiter = '"'}}));
  EXPECT_REFUSED(
      "[read_csv] no header and no schema; without a header, CsvOptions::schema names all columns",
      csv("a\n1\n", {.csv = {.header = false}}));
  EXPECT_REFUSED(
      "[read_csv] the schema has column 'a' as float64 in days; dates and times are int64",
      csv("a\n1\n", {.csv = {.schema = {{.name = "a", .unit = "days"}}}}));
}

}  // namespace
}  // namespace tuff::table_test
