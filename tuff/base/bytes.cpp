// Bytes for the wire; see bytes.h.
#include "tuff/base/bytes.h"

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN

void ByteWriter::raw(const void* data, size_t bytes) {
  const auto* first = static_cast<const std::byte*>(data);
  bytes_.insert(bytes_.end(), first, first + bytes);
}

void ByteWriter::put(std::string_view text) {
  put(static_cast<uint64_t>(text.size()));
  raw(text.data(), text.size());
}

void ByteWriter::put(const Dims& dims) {
  put(static_cast<uint8_t>(dims.size()));
  for (int64_t extent : dims) put(extent);
}

void ByteWriter::put(const AxisChunks& axis) {
  put(axis.extent().symbol_id());
  put(static_cast<uint64_t>(axis.count()));
  for (size_t i = 0; i < axis.count(); ++i) put(axis.size(i));
}

void ByteWriter::put(const Chunks& chunks) {
  put(static_cast<uint8_t>(chunks.size()));
  for (const AxisChunksPtr& axis : chunks) put(*axis);
}

void ByteReader::fail(std::string_view what) const {
  throw InvalidArgument("deserialize",
                        fmt::format("{} at byte {} of {}", what, at_, bytes_.size()));
}

std::span<const std::byte> ByteReader::raw(size_t bytes) {
  if (bytes > remaining()) fail(fmt::format("{} more bytes were expected", bytes));
  at_ += bytes;
  return bytes_.subspan(at_ - bytes, bytes);
}

size_t ByteReader::count(size_t least_bytes) {
  const auto items = get<uint64_t>();
  if (items > remaining() / least_bytes) fail(fmt::format("a count of {} is too large", items));
  return items;
}

std::string ByteReader::text() {
  const std::span<const std::byte> bytes = raw(count(1));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Dims ByteReader::dims() {
  Dims dims;
  const auto rank = get<uint8_t>();
  if (rank > kMaxRank) fail("a rank out of range");
  for (size_t i = 0; i < rank; ++i) dims.push_back(get<int64_t>());
  return dims;
}

AxisChunksPtr ByteReader::axis_chunks() {
  const auto symbol = get<uint64_t>();
  std::vector<int64_t> sizes(count(sizeof(int64_t)));
  int64_t total = 0;
  for (int64_t& size : sizes) {
    size = get<int64_t>();
    if (size < 0 || size > (int64_t{1} << 62) - total) fail("a block size out of range");
    total += size;
  }
  AxisChunksPtr chunks = AxisChunks::of(sizes);
  // A symbol of another process means nothing here beyond "unknown": it gets a fresh identity. The
  // graph's reader maps equal symbols to one.
  return symbol == 0 ? chunks : AxisChunks::unknown(*chunks);
}

Chunks ByteReader::chunks() {
  Chunks chunks;
  const auto rank = get<uint8_t>();
  if (rank > kMaxRank) fail("a rank out of range");
  for (size_t i = 0; i < rank; ++i) chunks.push_back(axis_chunks());
  return chunks;
}

TUFF_NAMESPACE_END
