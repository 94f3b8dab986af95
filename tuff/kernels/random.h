// Random numbers keyed by (seed, stream, element index): the same for any chunking and any thread.
//
// Generator: Threefry-2x64 with 20 rounds (Salmon, Moraes, Dror & Shaw 2011, "Parallel random
// numbers: as easy as 1, 2, 3"), key (seed, stream), counter (index / 2, 0): each counter serves
// two elements.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

struct RandomKey {
  uint64_t seed = 0;
  uint64_t stream = 0;
};

/// The two words of one counter; the scalar reference that the vector code is tested against.
TUFF_API void threefry2x64(const uint64_t key[2], const uint64_t counter[2], uint64_t out[2]);

/// Element `first + i` of the stream to out[i]: multiples of 2^-53 in [0, 1).
TUFF_API void fill_uniform(RandomKey key, uint64_t first, double* out, size_t n);
/// Multiples of 2^-24 in [0, 1).
TUFF_API void fill_uniform(RandomKey key, uint64_t first, float* out, size_t n);
/// Standard normal deviates by Box-Muller on the two words of a counter (u1 in (0, 1], so that the
/// logarithm is finite; largest magnitude 8.6).
TUFF_API void fill_normal(RandomKey key, uint64_t first, double* out, size_t n);
/// The same deviates rounded to float.
TUFF_API void fill_normal(RandomKey key, uint64_t first, float* out, size_t n);

}  // namespace kernels
TUFF_NAMESPACE_END
