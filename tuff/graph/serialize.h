// Graphs as bytes: what travels to another process is the optimised graph and a range of blocks.
//
// The receiver lowers the graph itself. Layers travel by stable name with their parameters; symbols keep
// their identity within one message. The format has a version, and the reader trusts nothing.
#pragma once

#include <vector>

#include "tuff/base/bytes.h"
#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

inline constexpr uint32_t kFormatVersion = 1;

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

}  // namespace graph
TUFF_NAMESPACE_END
