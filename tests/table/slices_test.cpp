// Slices of files: what is cut off is not read.
#include <algorithm>
#include <fstream>
#include <random>

#include "tuff/graph/plan.h"

#include "tests/table/testing.h"

namespace tuff::table_test {
namespace {

class SlicesOfFiles : public Tables {};

/// Bytes that this process has asked the system for so far.
int64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string word;
  int64_t count = -1;
  io >> word >> count;
  EXPECT_EQ(word, "rchar:");
  return count;
}

/// Tasks of the plan that read, or make, files' blocks.
size_t tasks_named(const Array& array, std::string_view name) {
  const Plan plan = compile({array});
  const PlanArrays& arrays = plan.arrays();
  return static_cast<size_t>(
      std::count_if(arrays.function.begin(), arrays.function.end(),
                    [&](uint32_t function) { return arrays.functions[function]->name() == name; }));
}

/// A file of (4000, 1000) float64, 32 MB, whose element (i, j) is 1000 i + j.
Array written(const std::string& path) {
  const Array x = arange(0, 4000, 1, {.dtype = DType::float64})[{whole, newaxis}] * 1000.0 +
                  arange(0, 1000, 1, {.dtype = DType::float64});
  table::write_npy(path, x);
  return table::read_npy(path);
}

TEST_F(SlicesOfFiles, OnePointOfAnNpyFileReadsItsBytes) {
  const Array x = written(at("a.npy"));
  EXPECT_EQ(x.block_count(), 4u);
  const auto read_by = [&](const Array& array) {
    const int64_t before = bytes_read();
    (void)array.compute();
    return bytes_read() - before;
  };
  EXPECT_EQ((x[{int64_t{3210}, int64_t{77}}]).compute<double>(), 3'210'077.0);
  // What the test itself reads to count, and the eight bytes.
  EXPECT_LT(read_by((exp(x * 0.0) + x.transpose()[{int64_t{3}}][{int64_t{5}}])[{0, 0}]), 3000);
  EXPECT_LT(read_by(x[{Slice{100, 200}}]), 100 * 8000 + 3000);
  EXPECT_LT(read_by(sum(x[{whole, Slice{3, 5}}])), 4000 * 16 + 3000);
  EXPECT_GT(read_by(sum(x)), 32'000'000);
  // Half of each row is nearer than another call is.
  EXPECT_EQ(sum(x[{whole, Slice{0, {}, 2}}] * 0.0).compute<double>(), 0.0);
  // Read whole by somebody else, it is read once.
  const Array first = x[{int64_t{0}}];
  const int64_t before = bytes_read();
  (void)compute({sum(x), first});
  EXPECT_LT(bytes_read() - before, 32'100'000);
}

TEST_F(SlicesOfFiles, NpyFilesGiveTheElementsOfTheSlice) {
  const Array x = remainder(arange(5 * 7 * 900), 251).astype(DType::int32);
  const Array flags = remainder(arange(5 * 7 * 900), 3) == 0;
  const auto shaped = [&](const Array& flat) {
    Block block = flat.compute();
    return from_block(block.strided_view(0, Dims{5, 7, 900}, row_major_strides({5, 7, 900})), -1);
  };
  table::write_npy(at("x.npy"), shaped(x));
  table::write_npy(at("flags.npy"), shaped(flags));
  std::mt19937 random(7);
  const auto number = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int c = 0; c < 400; ++c) {
    std::vector<Index> index;
    for (int64_t extent : {5, 7, 900}) {
      const auto bound = [&]() -> std::optional<int64_t> {
        return number(0, 2) == 0 ? std::nullopt : std::optional(number(-extent - 1, extent + 1));
      };
      const int64_t step = number(1, extent == 900 ? 400 : 3) * (number(0, 1) == 0 ? 1 : -1);
      index.emplace_back(Slice{bound(), bound(), step});
    }
    for (const char* name : {"x.npy", "flags.npy"}) {
      const Array file = table::read_npy(at(name));
      const Array memory = file.persist();
      const Array slice = file[index];
      if (slice.size() > 0) {
        EXPECT_EQ(tasks_named(slice, "slice"), 0u);
      }
      const auto numbers = [](const Array& array) {
        return array.astype(DType::int32).to_vector<int32_t>();
      };
      ASSERT_EQ(numbers(slice), numbers(memory[index])) << name << " case " << c;
      // A slice of what was sliced in the file.
      const std::vector<Index> back = {Slice{{}, {}, -1}};
      ASSERT_EQ(numbers(slice[back]), numbers(memory[index][back]));
    }
  }
}

TEST_F(SlicesOfFiles, TwoPartsOfAFileAreTwoLayersAndEqualPartsOne) {
  const Array x = written(at("a.npy"));
  const auto reads = [](const std::vector<graph::Port>& ports) {
    const std::string text = compile(ports).describe();
    size_t count = 0;
    for (size_t p = text.find("read_npy"); p != std::string::npos; p = text.find("read_npy", p + 1))
      ++count;
    return count;
  };
  EXPECT_EQ(reads({x[{Slice{0, 10}}], x[{Slice{10, 20}}]}), 2u);
  EXPECT_EQ(reads({x[{Slice{0, 10}}], x[{whole, Slice{0, 10}}]}), 2u);
  EXPECT_EQ(reads({exp(x)[{Slice{0, 10}}], log(x)[{Slice{0, 10}}]}), 1u);
}

TEST_F(SlicesOfFiles, OfAParquetFileOnlyTheRowGroupsAndColumnsAreDecoded) {
  const Table table = table::read({data("types_v2.parquet")}, {.rows_per_block = 8});
  EXPECT_EQ(tasks_named(table.column("i8"), "read_parquet"), 4u);
  EXPECT_EQ(tasks_named(exp(table.column("i8"))[{int64_t{35}}], "read_parquet"), 1u);
  const Array matrix = table.matrix({"i8", "i16", "i32"});
  EXPECT_EQ(tasks_named(matrix, "read_parquet"), 12u);
  EXPECT_EQ(tasks_named(matrix[{whole, Slice{1, 2}}], "read_parquet"), 4u);
  EXPECT_EQ(tasks_named((matrix * 2.0)[{int64_t{35}, int64_t{2}}], "read_parquet"), 1u);
  const Array memory = matrix.persist();
  for (const std::vector<Index>& index : std::vector<std::vector<Index>>{
           {whole, Slice{{}, {}, -1}}, {Slice{50, 3, -7}, Slice{0, 3, 2}}, {Slice{3, 3}}}) {
    EXPECT_EQ(matrix[index].to_vector<double>(), memory[index].to_vector<double>());
  }
  EXPECT_EQ((matrix[{whole, Slice{1, 1}}]).compute().size(), 0);
}

TEST_F(SlicesOfFiles, OfACsvFileOnlyTheBlocksAreParsed) {
  std::string text = "a,b\n";
  for (int i = 0; i < 1000; ++i) text += std::to_string(i) + "," + std::to_string(2 * i) + "\n";
  const Table table = table::read({put("a.csv", text)}, {.rows_per_block = 100}).counted();
  const Array matrix = table.matrix({"a", "b"});
  const size_t blocks = matrix.block_count();
  EXPECT_GT(blocks, 5u);
  EXPECT_EQ(tasks_named(matrix, "stack_columns"), blocks);
  const Array point = (matrix + 1.0)[{int64_t{777}, int64_t{1}}];
  EXPECT_EQ(point.compute<double>(), 1555.0);
  EXPECT_EQ(tasks_named(point, "stack_columns"), 1u);
}

}  // namespace
}  // namespace tuff::table_test
