// Graphs as bytes: what travels to another process is the optimised graph and a range of blocks.
//
// The receiver lowers the graph itself. Layers travel by stable name with their parameters; symbols keep
// their identity within one message. The format has a version, a checksum tells bytes that were changed on the
// way, and the reader trusts nothing: what it accepts runs, or fails with one of our errors.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "tuff/base/bytes.h"
#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

inline constexpr uint32_t kFormatVersion = 2;

/// Blocks first .. last - 1 (in row-major order) of one output.
struct BlockRange {
  uint32_t output = 0;
  uint32_t first = 0;
  uint32_t last = 0;
};

struct Message {
  std::vector<Port> outputs;
  std::vector<BlockRange> wanted;
};

/// Throws InvalidArgument for a range outside its output, and when a layer cannot travel: a callable that
/// is not registered, or more memory than MemoryLayer::kSendLimit.
TUFF_API Bytes serialize(const Message& message);
/// Throws InvalidArgument, naming what is wrong and where, for anything serialize() did not write.
TUFF_API Message deserialize(std::span<const std::byte> bytes);
/// Writes the checksum of a message anew, for those who changed its bytes: to see what deserialize() makes of them.
TUFF_API void seal(Bytes& bytes);
/// Names of the kinds of layers that travel, in alphabetical order.
TUFF_API std::vector<std::string_view> travelling_layers();

}  // namespace graph
TUFF_NAMESPACE_END
