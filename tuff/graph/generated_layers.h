// Arrays made from nothing, inside the program that reads them: one value, numbers in sequence, random numbers.
//
// Appended by array/creation.cpp, array/random.cpp and array/scalars.cpp. Cheap: a block may be made twice
// rather than kept. Arrays that come from memory or from a callable are in sources.h.
#pragma once

#include <array>

#include "tuff/graph/blockwise.h"
#include "tuff/kernels/program.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// Arrays made from nothing: one value everywhere. Extents are known.
class TUFF_API FullLayer final : public BlockwiseLayer {
 public:
  FullLayer(DType dtype, const Chunks& chunks, const std::array<std::byte, 8>& value);
  std::string_view name() const override { return "full"; }
  /// The element, in the first bytes.
  const std::array<std::byte, 8>& value() const { return value_; }
  bool is_cheap_source() const override { return true; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  std::array<std::byte, 8> value_;
};

/// int64 numbers first, first + step, first + 2 step, ... in a 1-d array; 0, 1, 2, ... unless it was sliced. None is
/// negative. The extent is known.
class TUFF_API IndexLayer final : public BlockwiseLayer {
 public:
  explicit IndexLayer(const AxisChunksPtr& axis, int64_t first = 0, int64_t step = 1);
  std::string_view name() const override { return "index"; }
  bool is_cheap_source() const override { return true; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  int64_t first_;
  int64_t step_;
};

/// Whether first + the sum of strides[a] i[a] is a position, from 0 to 2^63 - 2, for every element i of these chunks.
bool are_positions(int64_t first, const Dims& strides, const Chunks& chunks);

/// Random numbers keyed by (seed, stream, position in the whole array).
class TUFF_API RandomLayer final : public BlockwiseLayer {
 public:
  RandomLayer(bool normal, kernels::RandomKey key, DType dtype, const Chunks& chunks);
  /// A part of a larger array: element i has the position first + the sum of strides[a] i[a] there, which is not
  /// negative. Extents are known.
  RandomLayer(bool normal, kernels::RandomKey key, DType dtype, const Chunks& chunks, int64_t first,
              Dims strides);
  std::string_view name() const override { return normal_ ? "normal" : "uniform"; }
  bool is_cheap_source() const override { return true; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  Port sliced(uint32_t output, const Slices& slices) const override;
  Port rechunked(uint32_t output, const Chunks& chunks) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  bool normal_;
  kernels::RandomKey key_;
  int64_t first_ = 0;
  Dims strides_;
};

}  // namespace graph
TUFF_NAMESPACE_END
