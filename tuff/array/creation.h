// Arrays from nothing, from memory, and from a function.
#pragma once

#include <algorithm>
#include <functional>
#include <span>

#include "tuff/array/array.h"
#include "tuff/delayed.h"
#include "tuff/graph/sources.h"

TUFF_NAMESPACE_BEGIN

struct CreateOptions {
  DType dtype = DType::float64;
  ChunkSpec chunks = {};
};

/// Zeros, ones, or one value everywhere. `full` of a value that the dtype cannot hold throws
/// InvalidArgument.
TUFF_API Array zeros(const Dims& shape, const CreateOptions& options = {});
TUFF_API Array ones(const Dims& shape, const CreateOptions& options = {});
TUFF_API Array full(const Dims& shape, const Operand& value, const CreateOptions& options = {});

struct RangeOptions {
  /// Absent: int64 when all of start, stop and step are integers, else float64.
  std::optional<DType> dtype = {};
  ChunkSpec chunks = {};
};

/// start, start + step, ... below stop (above it when step < 0): ceil((stop - start) / step) values, each
/// computed as start + i step. Throws InvalidArgument for a step of 0 or bounds that are not finite.
TUFF_API Array arange(const Operand& start, const Operand& stop, const Operand& step = 1,
                      const RangeOptions& options = {});
/// 0, 1, ..., stop - 1.
TUFF_API Array arange(const Operand& stop);

struct LinspaceOptions {
  bool endpoint = true;  ///< whether `stop` is the last value, exactly
  ChunkSpec chunks = {};
};

/// `count` evenly spaced float64 values from start to stop.
TUFF_API Array linspace(double start, double stop, int64_t count, const LinspaceOptions& options = {});

struct MemoryOptions {
  ChunkSpec chunks = {};
  /// In elements, one per axis; empty means row-major.
  std::optional<Dims> strides = {};
  /// Copies the memory now. Otherwise it is used in place: it must outlive every array and result made
  /// from it, and changing it is undefined.
  bool copy = false;
};

/// Memory as an array. Throws InvalidArgument for a null pointer with a non-empty shape.
template <Element T>
Array from_memory(const T* data, const Dims& shape, const MemoryOptions& options = {});
/// A vector's elements, copied, as a 1-d array or in the given shape.
template <Element T>
Array from_vector(const std::vector<T>& values, std::optional<Dims> shape = {}, const ChunkSpec& chunks = {});
/// A block as an array (its elements are shared, not copied).
TUFF_API Array from_block(const Block& block, const ChunkSpec& chunks = {});

/// An array whose blocks a callable makes: called once per block and run, from any thread, several at
/// once. What it throws, and a wrong dtype or shape, fails the run with a TaskError.
TUFF_API Array from_function(BlockFunction function, const Dims& shape, const CreateOptions& options = {});
/// The same with a callable known by name (register_function), so that the graph can be sent.
TUFF_API Array from_registered(const std::string& name, const Dims& shape, const CreateOptions& options = {});

/// The array that a delayed Block holds, in one block. A block of another dtype or shape fails the run.
TUFF_API Array from_delayed(const Delayed<Block>& block, DType dtype, const Dims& shape);

namespace detail {
TUFF_API Array from_memory(const void* data, DType dtype, const Dims& shape, const MemoryOptions& options);
}

template <Element T>
Array from_memory(const T* data, const Dims& shape, const MemoryOptions& options) {
  return detail::from_memory(data, dtype_of<T>, shape, options);
}

template <Element T>
Array from_vector(const std::vector<T>& values, std::optional<Dims> shape, const ChunkSpec& chunks) {
  const auto count = static_cast<int64_t>(values.size());
  const Dims dims = shape.value_or(Dims{count});
  const bool negative = std::any_of(dims.begin(), dims.end(), [](int64_t extent) { return extent < 0; });
  if (negative || element_count(dims) != count) {
    throw InvalidArgument("from_vector", std::to_string(count) + " values do not fill shape " + to_string(dims));
  }
  Block block = Block::allocate(dtype_of<T>, dims);
  std::copy(values.begin(), values.end(), block.template data<T>());
  return from_block(block, chunks);
}

TUFF_NAMESPACE_END
