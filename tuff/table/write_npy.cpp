// Arrays as npy files, format version 1.0; see write.h.
#include <fmt/format.h>

#include "tuff/base/atomic_file.h"
#include "tuff/table/write.h"

TUFF_NAMESPACE_BEGIN
namespace table {

namespace {

/// NumPy's name of a type in a header: byte order, kind, bytes.
std::string descr_of(DType dtype) {
  const size_t bytes = size_of(dtype);
  const char kind = is_bool(dtype)             ? 'b'
                    : is_floating(dtype)       ? 'f'
                    : is_signed_integer(dtype) ? 'i'
                                               : 'u';
  return fmt::format("{}{}{}", bytes == 1 ? '|' : '<', kind, bytes);
}

std::string header_of(DType dtype, const Dims& shape) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                                   descr_of(dtype), tuff::to_string(shape));
  // Magic, version and length take 10 bytes; data begin at a multiple of 64, behind a line break.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());
  std::string start = "\x93NUMPY";
  start += '\x01';
  start += '\0';
  start += static_cast<char>(length & 0xff);
  start += static_cast<char>(length >> 8);
  return start + header;
}

/// Whether the blocks, one after the other, are the array in row-major order.
bool cut_along_first_axis(const Chunks& chunks) {
  for (size_t a = 1; a < chunks.size(); ++a) {
    if (chunks[a]->count() > 1) return false;
  }
  return true;
}

}  // namespace

void write_npy(const std::string& path, const Array& array, const RunOptions& run) {
  const Result result = tuff::compute({array.port()}, run)[0];
  AtomicFile file("write_npy", path);
  file.write(header_of(result.dtype(), result.shape()));
  const std::vector<Block> blocks =
      cut_along_first_axis(result.chunks()) ? result.blocks() : std::vector<Block>{result.gather()};
  for (const Block& block : blocks) {
    const Block dense = block.contiguous();
    file.write(dense.bytes_data(), dense.bytes());
  }
  file.commit();
}

}  // namespace table
TUFF_NAMESPACE_END
