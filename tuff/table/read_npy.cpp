// npy files as arrays, format versions 1 to 3; see table.h.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "tuff/graph/movement.h"
#include "tuff/table/files.h"
#include "tuff/table/layers.h"
#include "tuff/table/table.h"

TUFF_NAMESPACE_BEGIN
namespace table {
namespace detail {

namespace {

/// NumPy pads headers to 64 bytes; those of arrays (not of records) take a line.
constexpr size_t kMostHeaderBytes = 65'536;

[[noreturn]] void fail(const std::string& path, std::string_view what) {
  throw InvalidArgument("read_npy", fmt::format("'{}': {}", path, what));
}

struct NpyHeader {
  DType dtype = DType::float64;
  Dims shape;
  int64_t first = 0;  ///< where the elements begin
};

/// What follows `'key':` in the header, without leading spaces.
std::string_view after_key(const std::string& path, std::string_view header, std::string_view key) {
  const std::string quoted = fmt::format("'{}':", key);
  const size_t at = header.find(quoted);
  if (at == std::string_view::npos) fail(path, fmt::format("corrupt: the header has no '{}'", key));
  header.remove_prefix(at + quoted.size());
  header.remove_prefix(std::min(header.size(), header.find_first_not_of(' ')));
  return header;
}

DType dtype_of_descr(const std::string& path, std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, DType>, 11> kTypes = {{
      {"|b1", DType::bool_},
      {"|i1", DType::int8},
      {"<i2", DType::int16},
      {"<i4", DType::int32},
      {"<i8", DType::int64},
      {"|u1", DType::uint8},
      {"<u2", DType::uint16},
      {"<u4", DType::uint32},
      {"<u8", DType::uint64},
      {"<f4", DType::float32},
      {"<f8", DType::float64},
  }};
  const std::string_view descr = text.substr(0, text.find_first_of(",}"));
  for (const auto& [name, dtype] : kTypes) {
    if (descr.size() == name.size() + 2 && descr.substr(1, name.size()) == name) return dtype;
  }
  fail(path,
       fmt::format(
           "elements of type {}; accepted are bool, integers and floats in little-endian order",
           descr.substr(0, 40)));
}

Dims shape_of_text(const std::string& path, std::string_view text) {
  Dims shape;
  if (!text.starts_with('(')) fail(path, "corrupt: the header's shape is no tuple");
  const size_t end = text.find(')');
  if (end == std::string_view::npos) fail(path, "corrupt: the header's shape does not end");
  text = text.substr(1, end - 1);
  while (!text.empty()) {
    if (text[0] == ' ' || text[0] == ',') {
      text.remove_prefix(1);
      continue;
    }
    int64_t extent = 0;
    const auto [next, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (error != std::errc() || extent < 0)
      fail(path, fmt::format("corrupt: the shape ({})", text.substr(0, 40)));
    shape.push_back(extent);
    text.remove_prefix(static_cast<size_t>(next - text.data()));
  }
  return shape;
}

/// Bytes of all elements; an error when the file has fewer.
void check_size(const FileIdentity& identity, const NpyHeader& header) {
  auto bytes = static_cast<int64_t>(size_of(header.dtype));
  bool fits = true;
  for (int64_t extent : header.shape) {
    if (extent == 0) return;
    fits = fits && !__builtin_mul_overflow(bytes, extent, &bytes);
  }
  if (!fits || bytes > identity.bytes - header.first) {
    fail(identity.path,
         fmt::format("truncated: the header says {} of shape {}, and {} bytes follow",
                     name_of(header.dtype), tuff::to_string(header.shape),
                     identity.bytes - header.first));
  }
}

NpyHeader read_header(const FileIdentity& identity) {
  const File file(identity);
  std::array<char, 12> start{};
  const size_t got = file.read_at(0, start);
  if (got < 10 || std::memcmp(start.data(), "\x93NUMPY", 6) != 0) {
    fail(identity.path, "not an npy file: the first bytes are not '\\x93NUMPY'");
  }
  const int version = static_cast<unsigned char>(start[6]);
  if (version < 1 || version > 3)
    fail(identity.path, fmt::format("format version {}; accepted are 1, 2 and 3", version));
  uint32_t length = 0;
  std::memcpy(&length, start.data() + 8, version == 1 ? 2 : 4);
  NpyHeader header;
  header.first = (version == 1 ? 10 : 12) + int64_t{length};
  std::string text(std::min<size_t>(length, kMostHeaderBytes), '\0');
  if (length > kMostHeaderBytes || file.read_at(version == 1 ? 10 : 12, text) < length) {
    fail(identity.path,
         fmt::format("truncated or corrupt: the header says that it has {} bytes", length));
  }
  header.dtype = dtype_of_descr(identity.path, after_key(identity.path, text, "descr"));
  header.shape = shape_of_text(identity.path, after_key(identity.path, text, "shape"));
  if (after_key(identity.path, text, "fortran_order").starts_with("True") &&
      header.shape.size() > 1) {
    fail(identity.path, "column by column (fortran_order); save numpy.ascontiguousarray(x)");
  }
  check_size(identity, header);
  return header;
}

/// Rows per block: whole ones, about kAutoBlockElements.
int64_t rows_per_block(const NpyHeader& header) {
  int64_t row = 1;
  for (size_t a = 1; a < header.shape.size(); ++a) row *= header.shape[a];
  return std::max<int64_t>(1, kAutoBlockElements / std::max<int64_t>(1, row));
}

/// What is read of a file: slices of its array, in blocks.
struct NpyPart {
  FileIdentity identity;
  NpyHeader header;
  graph::Slices slices;
  Chunks chunks;
};

/// Bytes that are read though nobody needs them rather than skipped: reading them takes as long as the call
/// that would begin behind them (about 1 us), and the system reads whole pages anyway.
constexpr int64_t kMostSkippedOver = 4096;

/// Where the elements of one block lie in the file, in elements from the first.
struct Range {
  int64_t start = 0;  ///< of the element at 0, 0, ...
  Dims shape;
  Dims strides;
};

Range range_of(const NpyPart& part, uint32_t number) {
  Range range;
  const Dims index = grid_index(number, grid_of(part.chunks));
  range.strides = row_major_strides(part.header.shape);
  for (size_t a = 0; a < index.size(); ++a) {
    const auto i = static_cast<size_t>(index[a]);
    const graph::AxisSlice& slice = part.slices[a];
    const int64_t first = part.chunks[a]->offset(i);
    range.shape.push_back(part.chunks[a]->size(i));
    range.start += (slice.whole ? first : slice.start + first * slice.step) * range.strides[a];
    if (!slice.whole) range.strides[a] *= slice.step;
  }
  return range;
}

/// Runs of bytes, as few and as short as kMostSkippedOver makes them, and what is in them as one block.
Block read_block(const NpyPart& part, uint32_t number) {
  const DType dtype = part.header.dtype;
  const auto size = static_cast<int64_t>(size_of(dtype));
  const Range range = range_of(part, number);
  if (element_count(range.shape) == 0) return Block::allocate(dtype, range.shape);
  // Axes from `outer` on lie in one run, of `length` elements; its first one may be the last of the block.
  size_t outer = range.shape.size();
  int64_t length = 1;
  int64_t backwards = 0;
  Dims strides = range.strides;  // in what was read
  while (outer > 0) {
    const int64_t steps = range.shape[outer - 1] - 1;
    const int64_t step = std::abs(range.strides[outer - 1]);
    if (steps > 0 && (step - length) * size > kMostSkippedOver) break;
    length += steps * step;
    if (range.strides[outer - 1] < 0) backwards += steps * step;
    --outer;
  }
  Dims runs;
  for (size_t a = 0; a < outer; ++a) runs.push_back(range.shape[a]);
  const Dims compact = row_major_strides(runs);
  for (size_t a = 0; a < outer; ++a) strides[a] = compact[a] * length;

  const File file(part.identity);
  Block read = Block::allocate(dtype, Dims{element_count(runs) * length});
  for (int64_t r = 0; r < element_count(runs); ++r) {
    const Dims at = grid_index(static_cast<size_t>(r), runs);
    int64_t first = range.start - backwards;
    for (size_t a = 0; a < outer; ++a) first += at[a] * range.strides[a];
    first = part.header.first + first * size;
    const std::span into(reinterpret_cast<char*>(read.bytes_data()) + r * length * size,
                         static_cast<size_t>(length * size));
    const size_t got = file.read_at(first, into);
    if (got < into.size())
      fail(part.identity.path, fmt::format("ends at byte {}", first + static_cast<int64_t>(got)));
  }
  if (dtype == DType::bool_) {
    // Any other byte than 0 and 1 would not be a bool.
    for (size_t i = 0; i < read.bytes(); ++i)
      read.bytes_data()[i] = std::byte{read.bytes_data()[i] != std::byte{0}};
  }
  return read.strided_view(backwards, range.shape, strides).contiguous();
}

graph::Port npy_layer(const NpyPart& part) {
  TableTask task;
  task.name = "read_npy";
  task.note = fmt::format("'{}'", part.identity.path);
  ByteWriter how;
  how.put(std::string_view("npy"));
  for (const graph::AxisSlice& slice : part.slices) {
    how.put(slice.whole);
    if (slice.whole) continue;
    task.note = fmt::format("part of '{}'", part.identity.path);
    for (int64_t number : {slice.start, slice.step, slice.count}) how.put(number);
  }
  how.put(part.chunks);
  const auto bytes = how.bytes();
  task.key = key_of({part.identity}, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  task.run = [part](TaskArguments& arguments) {
    arguments.outputs[0].emplace<Block>(read_block(part, arguments.block));
  };
  task.sliced = [part](const std::vector<graph::Port>&, const graph::Slices& slices) {
    return npy_layer({part.identity, part.header, graph::compose(part.slices, slices),
                      graph::sliced_chunks(part.chunks, slices)});
  };
  return {table_layer(std::move(task), {}, {{part.header.dtype, part.chunks}}), 0};
}

}  // namespace
}  // namespace detail

Array read_npy(const std::string& path) {
  const detail::FileIdentity identity = detail::identify(path);
  const detail::NpyHeader header = detail::read_header(identity);
  Chunks chunks;
  for (size_t a = 0; a < header.shape.size(); ++a) {
    chunks.push_back(a == 0 ? AxisChunks::regular(header.shape[0], detail::rows_per_block(header))
                            : AxisChunks::whole(header.shape[a]));
  }
  const size_t rank = chunks.size();
  return Array(detail::npy_layer({identity, header, graph::whole_slices(rank), chunks}));
}

}  // namespace table
TUFF_NAMESPACE_END
