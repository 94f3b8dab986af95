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
TUFF_API Array zeros(const ShapeSpec& shape, const CreateOptions& options = {});
TUFF_API Array ones(const ShapeSpec& shape, const CreateOptions& options = {});
TUFF_API Array full(const ShapeSpec& shape, const Operand& value,
                    const CreateOptions& options = {});

struct RangeOptions {
  /// Absent: int64 when all of start, stop and step are integers (uint64 when a value is 2^63 or more), else float64.
  std::optional<DType> dtype = {};
  ChunkSpec chunks = {};
};

/// start, start + step, ... below stop (above it when step < 0): ceil((stop - start) / step) values, each
/// computed as start + i step. Throws InvalidArgument for a step of 0, for bounds that are not finite, and
/// for values that an integer dtype cannot hold.
TUFF_API Array arange(const Operand& start, const Operand& stop, const Operand& step = 1,
                      const RangeOptions& options = {});
/// 0, 1, ..., stop - 1.
TUFF_API Array arange(const Operand& stop);

struct LinspaceOptions {
  bool endpoint = true;  ///< whether `stop` is the last value, exactly
  ChunkSpec chunks = {};
};

/// `count` evenly spaced float64 values from start to stop.
TUFF_API Array linspace(double start, double stop, int64_t count,
                        const LinspaceOptions& options = {});

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
Array from_memory(const T* data, const ShapeSpec& shape, const MemoryOptions& options = {});
/// A vector's elements, copied, as a 1-d array or in the given shape.
template <Element T>
Array from_vector(const std::vector<T>& values, const std::optional<ShapeSpec>& shape = {},
                  const ChunkSpec& chunks = {});
/// A block as an array (its elements are shared, not copied).
TUFF_API Array from_block(const Block& block, const ChunkSpec& chunks = {});

/// An array whose blocks a callable makes: called once per block and run, from any thread, several at
/// once. What it throws, and a wrong dtype or shape, fails the run with a TaskError.
TUFF_API Array from_function(BlockFunction function, const ShapeSpec& shape,
                             const CreateOptions& options = {});
/// The same with a callable known by name (register_function), so that the graph can be sent.
TUFF_API Array from_registered(const std::string& name, const ShapeSpec& shape,
                               const CreateOptions& options = {});

/// The array that a delayed Block holds, in one block. A block of another dtype or shape fails the run.
TUFF_API Array from_delayed(const Delayed<Block>& block, DType dtype, const ShapeSpec& shape);
/// The array that delayed Blocks make together: one per block of `chunks`, in row-major order. Throws
/// InvalidArgument when they are not as many as the chunks say.
TUFF_API Array from_delayed(const std::vector<Delayed<Block>>& blocks, DType dtype,
                            const ShapeSpec& shape, const ChunkSpec& chunks);
/// The blocks of an array, in row-major order, each as a delayed value. O(1) per block.
TUFF_API std::vector<Delayed<Block>> to_delayed(const Array& array);

namespace detail {
TUFF_API Array from_memory(const void* data, DType dtype, const ShapeSpec& shape,
                           const MemoryOptions& options);
/// Memory for from_vector. Throws InvalidArgument unless `count` elements fill the shape.
TUFF_API Block block_for(int64_t count, DType dtype, const ShapeSpec& shape);
TUFF_API Array from_block(std::string_view operation, const Block& block, const ChunkSpec& chunks);
}  // namespace detail

template <Element T>
Array from_memory(const T* data, const ShapeSpec& shape, const MemoryOptions& options) {
  return detail::from_memory(data, dtype_of<T>, shape, options);
}

template <Element T>
Array from_vector(const std::vector<T>& values, const std::optional<ShapeSpec>& shape,
                  const ChunkSpec& chunks) {
  const auto count = static_cast<int64_t>(values.size());
  Block block = detail::block_for(count, dtype_of<T>, shape.value_or(ShapeSpec{count}));
  std::copy(values.begin(), values.end(), block.template data<T>());
  return detail::from_block("from_vector", block, chunks);
}

TUFF_NAMESPACE_END
