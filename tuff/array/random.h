// Random arrays. Every element is a function of (distribution, seed, stream, its position in the whole array): the
// same for any chunks, any number of threads, whatever part of the array is computed, and on every processor, bit by
// bit. Distributions, seeds and streams are independent of each other. What is computed of the elements is as exact as
// the operation says, and sums depend on chunks and instruction set in the last bits.
#pragma once

#include "tuff/array/array.h"

TUFF_NAMESPACE_BEGIN
namespace random {

struct UniformOptions {
  double low = 0.0;
  double high = 1.0;
  ChunkSpec chunks = {};
  std::optional<uint64_t> seed = {};  ///< absent: a new one from the system
  uint64_t stream = 0;                ///< arrays of one seed and different streams are independent
  DType dtype = DType::float64;
};

/// Uniform numbers in [low, high): low + (high - low) u, u a multiple of 2^-53 (2^-24 for float32).
/// Throws InvalidArgument unless low <= high, both and their difference are finite in the dtype, and that is
/// floating.
TUFF_API Array uniform(const ShapeSpec& shape, const UniformOptions& options = {});

struct NormalOptions {
  double loc = 0.0;    ///< mean
  double scale = 1.0;  ///< standard deviation
  ChunkSpec chunks = {};
  std::optional<uint64_t> seed = {};
  uint64_t stream = 0;
  DType dtype = DType::float64;
};

/// Normal numbers loc + scale z. Throws InvalidArgument for scale < 0, and for what is not finite in the
/// dtype.
TUFF_API Array normal(const ShapeSpec& shape, const NormalOptions& options = {});

}  // namespace random
TUFF_NAMESPACE_END
