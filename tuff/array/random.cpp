// Random arrays; see random.h.
#include "tuff/array/random.h"

#include <cmath>
#include <limits>
#include <random>

#include <fmt/format.h>

#include "tuff/array/math.h"
#include "tuff/graph/generated_layers.h"

TUFF_NAMESPACE_BEGIN
namespace random {

namespace {

uint64_t seed_or_new(std::optional<uint64_t> seed) {
  if (seed) return *seed;
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

Array draw(std::string_view operation, bool normal_numbers, const ShapeSpec& shape,
           const ChunkSpec& chunks, std::optional<uint64_t> seed, uint64_t stream, DType dtype) {
  check_dtype(operation, dtype);
  if (!is_floating(dtype)) {
    throw InvalidArgument(
        operation, fmt::format("dtype {}; float32 and float64 are accepted", name_of(dtype)));
  }
  Chunks cut = chunks.resolve(operation, shape.dims(operation), dtype);
  const kernels::RandomKey key{seed_or_new(seed), stream};
  return Array(
      {std::make_shared<graph::RandomLayer>(normal_numbers, key, dtype, std::move(cut)), 0});
}

/// Whether the number is finite as an element of this floating type.
bool is_finite_in(DType dtype, double value) {
  return dtype == DType::float32 ? std::abs(value) <= double{std::numeric_limits<float>::max()}
                                 : std::isfinite(value);
}

/// Rounding may take low + (high - low) u up to `high`: then the number below that, else `high`.
template <class T>
double largest_below(double low_wanted, double high_wanted) {
  const auto low = static_cast<T>(low_wanted);
  const auto high = static_cast<T>(high_wanted);
  const auto width = static_cast<T>(high_wanted - low_wanted);
  constexpr T kLargest = 1 - std::numeric_limits<T>::epsilon() / 2;  // of the multiples of it
  const bool is_reached = kLargest * width + low >= high || std::fma(kLargest, width, low) >= high;
  return is_reached && low < high ? std::nextafter(high, low) : high_wanted;
}

}  // namespace

Array uniform(const ShapeSpec& shape, const UniformOptions& options) {
  if (!std::isfinite(options.low) || !std::isfinite(options.high) || options.low > options.high) {
    throw InvalidArgument(
        "uniform", fmt::format("low {} and high {}; finite numbers with low <= high are accepted",
                               options.low, options.high));
  }
  const double width = options.high - options.low;
  for (double number : {options.low, options.high, width}) {
    if (is_floating(options.dtype) && !is_finite_in(options.dtype, number)) {
      throw InvalidArgument(
          "uniform", fmt::format("low {} and high {}; they and high - low must be finite in {}",
                                 options.low, options.high, name_of(options.dtype)));
    }
  }
  Array u =
      draw("uniform", false, shape, options.chunks, options.seed, options.stream, options.dtype);
  if (width != 1.0) u = u * width;
  if (options.low != 0.0) u = u + options.low;
  const double below = options.dtype == DType::float32
                           ? largest_below<float>(options.low, options.high)
                           : largest_below<double>(options.low, options.high);
  return below < options.high ? minimum(u, below) : u;
}

Array normal(const ShapeSpec& shape, const NormalOptions& options) {
  if (!std::isfinite(options.loc) || !std::isfinite(options.scale) || options.scale < 0) {
    throw InvalidArgument(
        "normal", fmt::format("loc {} and scale {}; finite numbers with scale >= 0 are accepted",
                              options.loc, options.scale));
  }
  for (double number : {options.loc, options.scale}) {
    if (is_floating(options.dtype) && !is_finite_in(options.dtype, number)) {
      throw InvalidArgument(
          "normal", fmt::format("loc {} and scale {}; both must be finite in {}", options.loc,
                                options.scale, name_of(options.dtype)));
    }
  }
  Array z =
      draw("normal", true, shape, options.chunks, options.seed, options.stream, options.dtype);
  if (options.scale != 1.0) z = z * options.scale;
  return options.loc == 0.0 ? z : z + options.loc;
}

}  // namespace random
TUFF_NAMESPACE_END
