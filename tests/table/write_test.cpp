// Writing: what is written reads back the same, and a disk that is full leaves nothing behind.
#include <cmath>
#include <csignal>
#include <cstring>
#include <functional>
#include <limits>

#include <sys/resource.h>

#include "tests/table/testing.h"

namespace tuff::table_test {
namespace {

class Write : public Tables {};

/// One column of every dtype and unit, with the extremes of each.
std::vector<OutputColumn> every_type(int64_t n) {
  std::vector<OutputColumn> columns;
  for (int d = 0; d < kDTypeCount; ++d) {
    const auto dtype = static_cast<DType>(d);
    Block block = Block::allocate(dtype, Dims{n});
    visit_dtype(dtype, [&](auto tag) {
      using T = decltype(tag);
      for (int64_t i = 0; i < n; ++i) {
        T value = static_cast<T>(i % 2 == 0 ? i : i * 3);
        if constexpr (!std::is_same_v<T, bool>) {
          if (i == 1) value = std::numeric_limits<T>::max();
          if (i == 2) value = std::numeric_limits<T>::lowest();
          if (std::is_floating_point_v<T> && i > 2) value = value / T{3};
        }
        block.data<T>()[i] = value;
      }
    });
    columns.push_back({std::string(name_of(dtype)), Array(Result(block)).rechunk(7)});
  }
  const Array i = arange(-20, n - 20, 1, {.dtype = DType::int64, .chunks = 11});
  for (const char* unit : {"days", "ms", "us", "ns", "ms of day", "us of day", "ns of day"}) {
    columns.push_back({unit, i * int64_t{1'000'003}, unit});
  }
  columns[static_cast<size_t>(kDTypeCount)].array = i;  // a million days are beyond the year 9999
  columns.push_back({"text", remainder(arange(0, n, 1, {.dtype = DType::int32}), 4), "",
                     std::vector<std::string>{"", "a,b", "say \"x\"", "plain"}});
  return columns;
}

void expect_same(const Table& table, const std::vector<OutputColumn>& columns) {
  for (const OutputColumn& column : columns) {
    EXPECT_EQ(table.field(column.name).unit, column.unit);
    if (column.dictionary) {
      std::vector<std::string> expected;
      for (int32_t code : column.array.to_vector<int32_t>()) {
        expected.push_back(column.dictionary->at(static_cast<size_t>(code)));
      }
      EXPECT_EQ(texts(table, column.name), expected);
      continue;
    }
    ASSERT_EQ(table.field(column.name).dtype, column.array.dtype()) << column.name;
    visit_dtype(column.array.dtype(), [&](auto tag) {
      using T = decltype(tag);
      EXPECT_EQ(values<T>(table, column.name), column.array.to_vector<T>()) << column.name;
    });
  }
}

TEST_F(Write, ParquetReadsBackTheSame) {
  const std::vector<OutputColumn> columns = every_type(100);
  for (const char* compression : {"none", "snappy", "gzip", "lz4", "zstd"}) {
    table::write_parquet(at("a.parquet"), columns,
                         {.rows_per_group = 33, .compression = compression});
    const Table table = table::read({at("a.parquet")}, {.rows_per_block = 20});
    EXPECT_EQ(table.fields().size(), columns.size());
    expect_same(table, columns);
  }
}

TEST_F(Write, CsvReadsBackTheSame) {
  std::vector<OutputColumn> columns = every_type(100);
  columns.push_back({"s", arange(-20, 80, 1, {.dtype = DType::int64}) * int64_t{86'399}, "s"});
  std::vector<Field> schema;
  schema.reserve(columns.size());
  for (const OutputColumn& column : columns) {
    schema.push_back(
        {column.name, column.array.dtype(), column.unit, column.dictionary.has_value()});
  }
  table::write_csv(at("a.csv"), columns);
  expect_same(table::read({at("a.csv")}, {.rows_per_block = 9, .csv = {.schema = schema}}),
              columns);
}

TEST_F(Write, CsvIsWhatOneExpects) {
  table::write_csv(at("a.csv"),
                   {{"x", from_vector<double>({1, 0.1, std::nan(""), 1e300})},
                    {"yes", from_vector<double>({1, 0, 1, 0}) > 0.5},
                    {"day", from_vector<int64_t>({0, -1, 19'782, -719'528}), "days"},
                    {"at", from_vector<int64_t>({0, -1, 1500, 86'400'000}), "ms"},
                    {"a \"b\"", from_vector<int32_t>({0, 1, 2, 0}), "",
                     std::vector<std::string>{"", "x;y", "z"}}},
                   {.delimiter = ';'});
  EXPECT_EQ(contents(at("a.csv")),
            "x;yes;day;at;\"a \"\"b\"\"\"\n"
            "1;true;1970-01-01;1970-01-01T00:00:00.000;\"\"\n"
            "0.1;false;1969-12-31;1969-12-31T23:59:59.999;\"x;y\"\n"
            "nan;true;2024-02-29;1970-01-01T00:00:01.500;z\n"
            "1e+300;false;0000-01-01;1970-01-02T00:00:00.000;\"\"\n");
}

TEST_F(Write, NpyHasNumPysHeader) {
  table::write_npy(at("a.npy"), arange(0, 6, 1, {.dtype = DType::int16}).rechunk(2));
  const std::string file = contents(at("a.npy"));
  EXPECT_EQ(file.size(), 128U + 12U);
  EXPECT_EQ(file.substr(0, 10), std::string("\x93NUMPY\x01\0\x76\0", 10));
  EXPECT_EQ(file.substr(10, 63), "{'descr': '<i2', 'fortran_order': False, 'shape': (6,), }      ");
  EXPECT_EQ(file[127], '\n');
  EXPECT_EQ(file.substr(128), std::string("\0\0\1\0\2\0\3\0\4\0\5\0", 12));
}

TEST_F(Write, NpyReadsBackTheSame) {
  for (const OutputColumn& column : every_type(100)) {
    if (column.dictionary || !column.unit.empty()) continue;
    table::write_npy(at("a.npy"), column.array);
    const Array read = table::read_npy(at("a.npy"));
    ASSERT_EQ(read.dtype(), column.array.dtype());
    visit_dtype(read.dtype(), [&](auto tag) {
      using T = decltype(tag);
      EXPECT_EQ(read.to_vector<T>(), column.array.to_vector<T>());
    });
  }
  for (const Dims& shape :
       {Dims{}, Dims{0}, Dims{3, 0, 2}, Dims{2, 3, 4}, Dims{3'000'000}, Dims{5, 300'000}}) {
    const Array x = random::normal(shape, {.seed = 9});
    table::write_npy(at("a.npy"), x);
    const Array read = table::read_npy(at("a.npy"));
    EXPECT_EQ(read.shape(), x.shape());
    EXPECT_EQ(read.to_vector<double>(), x.to_vector<double>());
  }
  EXPECT_EQ(table::read_npy(at("a.npy")).block_count(), 2U);  // 3 rows of 2.4 MB to a block
}

TEST_F(Write, RefusesNpyFilesThatAreBroken) {
  table::write_npy(at("good.npy"), arange(0, 6, 1, {.dtype = DType::int16}));
  const std::string good = contents(at("good.npy"));
  const std::string in = "[read_npy] '" + at("a.npy") + "': ";
  const auto open = [&](const std::string& text) { return table::read_npy(put("a.npy", text)); };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    return text.replace(text.find(from), to.size(), to);
  };
  EXPECT_REFUSED(in + "not an npy file: the first bytes are not '\\x93NUMPY'",
                 open("NUMPY, but no"));
  EXPECT_REFUSED(in + "not an npy file: the first bytes are not '\\x93NUMPY'", open(""));
  EXPECT_REFUSED(in + "format version 9; accepted are 1, 2 and 3", open(with("Y\x01", "Y\x09")));
  EXPECT_REFUSED(in + "truncated or corrupt: the header says that it has 118 bytes",
                 open(good.substr(0, 60)));
  EXPECT_REFUSED(in + "truncated: the header says int16 of shape (6,), and 11 bytes follow",
                 open(good.substr(0, good.size() - 1)));
  EXPECT_REFUSED(in + "truncated: the header says int64 of shape (6,), and 12 bytes follow",
                 open(with("<i2", "<i8")));
  EXPECT_REFUSED(
      in + "elements of type '>i2'; accepted are bool, integers and floats in little-endian order",
      open(with("<i2", ">i2")));
  EXPECT_REFUSED(in + "column by column (fortran_order); save numpy.ascontiguousarray(x)",
                 open(with("False, 'shape': (6,), }   ", "True, 'shape': (3, 2), }  ")));
  EXPECT_REFUSED(in + "corrupt: the header has no 'shape'", open(with("shape", "share")));
  EXPECT_REFUSED(in + "corrupt: the shape (x,)", open(with("(6", "(x")));
  EXPECT_REFUSED("[read] no such file: '" + at("b.npy") + "'", table::read_npy(at("b.npy")));
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_THROW(open(good.substr(0, length)), InvalidArgument) << length;
  }
}

TEST_F(Write, NpyIsRowMajorHoweverTheArrayIsCut) {
  const Array x = from_vector<double>({1, 2, 3, 4, 5, 6, 7, 8}, Dims{4, 2});
  for (const ChunkSpec& chunks :
       {ChunkSpec(1), ChunkSpec({3, 2}), ChunkSpec({4, 1}), ChunkSpec(-1)}) {
    table::write_npy(at("a.npy"), x.rechunk(chunks));
    const std::string file = contents(at("a.npy"));
    std::vector<double> elements(8);
    ASSERT_EQ(file.size(), 128U + 64U);
    std::memcpy(elements.data(), file.data() + 128, 64);
    EXPECT_EQ(elements, (std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}));
    table::write_npy(at("b.npy"), x.rechunk(chunks).transpose());
    EXPECT_NE(contents(at("b.npy")), file);
  }
}

TEST_F(Write, RefusesColumnsThatDoNotGoTogether) {
  const Array x = ones({3});
  const auto refused = [&](const std::vector<OutputColumn>& columns) {
    return text_of<InvalidArgument>([&] { table::write_parquet(at("a.parquet"), columns); });
  };
  EXPECT_EQ(refused({}), "[write_parquet] no columns; at least one is needed");
  EXPECT_EQ(refused({{"x", x}, {"y", ones({4})}}),
            "[write_parquet] column 'y' has 4 rows; 'x' has 3");
  EXPECT_EQ(refused({{"x", x}, {"x", x}}), "[write_parquet] two columns have the name 'x'");
  EXPECT_EQ(refused({{"x", ones({3, 2})}}),
            "[write_parquet] column 'x' has shape (3, 2); columns have one axis");
  EXPECT_EQ(refused({{"x", x, "", std::vector<std::string>{"a"}}}),
            "[write_parquet] column 'x' is float64 and has a dictionary; codes are int32");
  EXPECT_EQ(refused({{"x", x, "days"}}),
            "[write_parquet] column 'x' is float64 in days; dates and times are int64");
  EXPECT_EQ(refused({{"x", arange(0, 3, 1, {.dtype = DType::int32}), "",
                      std::vector<std::string>{"a", "b"}}}),
            "[write_parquet] column 'x' has the code 2 in row 2; its dictionary has 2 texts");
  const Array whole = ones({3}, {.dtype = DType::int64});
  EXPECT_EQ(refused({{"x", whole, "weeks"}}),
            "[write_parquet] column 'x' has the unit 'weeks'; Parquet knows 'days', 'ms', 'us', "
            "'ns', and the last "
            "three with ' of day'");
  EXPECT_EQ(refused({{"x", whole * int64_t{3'000'000'000}, "days"}}),
            "[write_parquet] column 'x' has 3000000000 days; Parquet holds those in int32");
  EXPECT_REFUSED("[write_parquet] compression 'rar'; accepted are none, snappy, gzip, lz4 and zstd",
                 table::write_parquet(at("a.parquet"), {{"x", x}}, {.compression = "rar"}));
  EXPECT_REFUSED("[write_parquet] rows_per_group is 0; accepted are 1, 2, ...",
                 table::write_parquet(at("a.parquet"), {{"x", x}}, {.rows_per_group = 0}));
  EXPECT_REFUSED(
      "[write_csv] column 'x' has the unit 'weeks'; accepted are 'days', 's', 'ms', 'us', 'ns', "
      "and the "
      "last three with ' of day'",
      table::write_csv(at("a.csv"), {{"x", whole, "weeks"}}));
  EXPECT_REFUSED(
      "[write_csv] column 'x' has 3000000000 days since 1970: not in the years 0 to 9999",
      table::write_csv(at("a.csv"), {{"x", whole * int64_t{3'000'000'000}, "days"}}));
  EXPECT_EQ(files_in_folder(), 0U);
}

TEST_F(Write, RefusesPathsThatCannotBeWritten) {
  const std::string missing = at("missing/a.npy");
  EXPECT_REFUSED("[write_npy] cannot create '" + missing +
                     "': No such file or directory (after 0 bytes); nothing was "
                     "left, and what was there before still is",
                 table::write_npy(missing, ones({3})));
  EXPECT_REFUSED("[write_npy] '" + folder + "' is a directory; a file is needed",
                 table::write_npy(folder, ones({3})));
  EXPECT_REFUSED("[write_npy] '/dev/null' is not a regular file; a file is needed",
                 table::write_npy("/dev/null", ones({3})));
  EXPECT_REFUSED("[write_npy] an empty path", table::write_npy("", ones({3})));
}

TEST_F(Write, LeavesWhatWasThereWhenATaskFails) {
  put("a.csv", "old");
  const Array failing =
      from_function([](const BlockInfo&) -> Block { throw std::runtime_error("no"); }, {10});
  EXPECT_THROW(table::write_csv(at("a.csv"), {{"x", failing}}), TaskError);
  EXPECT_EQ(contents(at("a.csv")), "old");
  EXPECT_EQ(files_in_folder(), 1U);
}

/// While it lives, files of this process end after so many bytes, as on a full disk.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &limits_);
    rlimit smaller = limits_;
    smaller.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &smaller);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &limits_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit limits_{};
};

TEST_F(Write, LeavesNothingBehindOnAFullDisk) {
  const std::vector<OutputColumn> columns = {
      {"x", random::normal({20'000}, {.chunks = 1000, .seed = 1})},
      {"y", random::normal({20'000}, {.seed = 2})}};
  const std::vector<std::pair<std::string, std::function<void(const std::string&)>>> writers = {
      {"parquet",
       [&](const std::string& path) {
         table::write_parquet(path, columns, {.rows_per_group = 5000});
       }},
      {"csv", [&](const std::string& path) { table::write_csv(path, columns); }},
      {"npy", [&](const std::string& path) { table::write_npy(path, columns[0].array); }},
  };
  for (const auto& writer : writers) {
    const std::string& format = writer.first;
    const auto& write = writer.second;
    const std::string path = put("a." + format, "old");
    std::string failed = "[write_";
    failed.append(format)
        .append("] cannot write '")
        .append(path)
        .append("': File too large (after ");
    // No byte at all, within the first group or block, within a later one, and short of the last bytes.
    write(at("whole"));
    const auto whole = fs::file_size(at("whole"));
    fs::remove(at("whole"));
    for (rlim_t bytes : {rlim_t{0}, rlim_t{3}, rlim_t{1000}, whole / 2, whole - 1}) {
      std::string text;
      {
        const SmallDisk disk(bytes);
        text = text_of<InvalidArgument>([&] { write(path); });
      }
      EXPECT_EQ(text, failed + std::to_string(bytes) +
                          " bytes); nothing was left, and what was there before still is");
      EXPECT_EQ(contents(path), "old");
      EXPECT_EQ(files_in_folder(), 1U);
    }
    write(path);
    EXPECT_EQ(fs::file_size(path), whole);
    fs::remove(path);
  }
}

}  // namespace
}  // namespace tuff::table_test
