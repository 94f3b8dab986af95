// Random arrays; see random.h.
#include "tuff/array/random.h"

#include <cmath>
#include <random>

#include <fmt/format.h>

#include "tuff/array/math.h"
#include "tuff/graph/blockwise.h"

TUFF_NAMESPACE_BEGIN
namespace random {

namespace {

uint64_t seed_or_new(std::optional<uint64_t> seed) {
  if (seed) return *seed;
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

Array draw(std::string_view operation, bool normal_numbers, const Dims& shape, const ChunkSpec& chunks,
           std::optional<uint64_t> seed, uint64_t stream, DType dtype) {
  if (!is_floating(dtype)) {
    throw InvalidArgument(operation, fmt::format("dtype {}; float32 and float64 are accepted", name_of(dtype)));
  }
  Chunks cut = chunks.resolve(operation, shape, dtype);
  const kernels::RandomKey key{seed_or_new(seed), stream};
  return Array({std::make_shared<graph::RandomLayer>(normal_numbers, key, dtype, std::move(cut)), 0});
}

}  // namespace

Array uniform(const Dims& shape, const UniformOptions& options) {
  if (!std::isfinite(options.low) || !std::isfinite(options.high) || options.low > options.high) {
    throw InvalidArgument("uniform", fmt::format("low {} and high {}; finite numbers with low <= high are accepted",
                                                 options.low, options.high));
  }
  Array u = draw("uniform", false, shape, options.chunks, options.seed, options.stream, options.dtype);
  if (options.high - options.low != 1.0) u = u * (options.high - options.low);
  return options.low == 0.0 ? u : u + options.low;
}

Array normal(const Dims& shape, const NormalOptions& options) {
  if (!std::isfinite(options.loc) || !std::isfinite(options.scale) || options.scale < 0) {
    throw InvalidArgument("normal", fmt::format("loc {} and scale {}; finite numbers with scale >= 0 are accepted",
                                                options.loc, options.scale));
  }
  Array z = draw("normal", true, shape, options.chunks, options.seed, options.stream, options.dtype);
  if (options.scale != 1.0) z = z * options.scale;
  return options.loc == 0.0 ? z : z + options.loc;
}

}  // namespace random
TUFF_NAMESPACE_END
