// What the conformance and flow tests share: arrays as plain bytes (the oracle's side), random shapes
// and chunks, and the same elements as a blocked Array in many guises (the library's side).
#pragma once

#include <cstring>
#include <deque>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/tuff.h"

#include "tests/kernels/testing.h"

namespace tuff::conform {

using kernel_test::int128;
using kernel_test::kEveryDType;
using kernel_test::same_bits;
using kernel_test::uint128;
using kernel_test::ulps;

/// Random choices that a seed reproduces on every platform (std::uniform_int_distribution does not).
class Rng {
 public:
  explicit Rng(uint64_t seed) : engine_(seed * 0x9E3779B97F4A7C15ULL + 1) {}
  uint64_t word() { return engine_(); }
  /// 0 .. n - 1.
  int64_t below(int64_t n) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(n)); }
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }
  bool chance(int percent) { return below(100) < percent; }
  /// In [0, 1).
  double unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  template <class C>
  auto pick(const C& choices) {
    return *(std::begin(choices) + below(static_cast<int64_t>(std::size(choices))));
  }

 private:
  std::mt19937_64 engine_;
};

/// All elements in row-major order.
struct Dense {
  DType dtype = DType::float64;
  Dims shape;
  std::vector<std::byte> bytes;

  Dense() = default;
  Dense(DType type, const Dims& dims)
      : dtype(type), shape(dims), bytes(static_cast<size_t>(element_count(dims)) * size_of(type)) {}
  explicit Dense(const Block& block) : Dense(block.dtype(), block.shape()) {
    const Block dense = block.contiguous();
    if (!bytes.empty()) std::memcpy(bytes.data(), dense.bytes_data(), bytes.size());
  }
  template <Element T>
  Dense(const std::vector<T>& values, const Dims& dims) : Dense(dtype_of<T>, dims) {
    for (size_t i = 0; i < values.size(); ++i) data<T>()[i] = values[i];
  }
  int64_t size() const { return element_count(shape); }
  template <Element T>
  T* data() {
    TUFF_CHECK(dtype == dtype_of<T>);
    return reinterpret_cast<T*>(bytes.data());
  }
  template <Element T>
  const T* data() const {
    TUFF_CHECK(dtype == dtype_of<T>);
    return reinterpret_cast<const T*>(bytes.data());
  }
  /// Any element without loss: the mantissa of a long double (64 bits on x86-64) holds every type.
  long double at(int64_t i) const {
    return visit_dtype(dtype,
                       [&](auto t) { return static_cast<long double>(data<decltype(t)>()[i]); });
  }
};

/// Calls f(index, linear) for every index of `shape` in row-major order.
template <class F>
void for_each_index(const Dims& shape, F&& f) {
  const int64_t count = element_count(shape);
  Dims index(shape.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    f(index, i);
    for (size_t a = shape.size(); a-- > 0;) {
      if (++index[a] < shape[a]) break;
      index[a] = 0;
    }
  }
}

inline int64_t linear_of(const Dims& index, const Dims& shape) {
  int64_t linear = 0;
  for (size_t a = 0; a < shape.size(); ++a) linear = linear * shape[a] + index[a];
  return linear;
}

/// The element of `x` that lines up with `index` of a larger shape, as NumPy broadcasts.
inline int64_t broadcast_at(const Dims& index, const Dims& shape) {
  int64_t linear = 0;
  const size_t skipped = index.size() - shape.size();
  for (size_t a = 0; a < shape.size(); ++a)
    linear = linear * shape[a] + (shape[a] == 1 ? 0 : index[skipped + a]);
  return linear;
}

/// A conversion as documented: C++'s, with out-of-range floats giving the least value (unsigned: 0).
template <class To, class From>
To naive_cast(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    const From low =
        std::is_signed_v<To> ? std::ldexp(From(-1), std::numeric_limits<To>::digits) : From(-1);
    const From high = std::ldexp(From(1), std::numeric_limits<To>::digits);
    const bool inside = std::is_signed_v<To> ? std::trunc(value) >= low : value > low;
    return inside && value < high ? static_cast<To>(value) : std::numeric_limits<To>::min();
  } else {
    return static_cast<To>(value);
  }
}

inline Dense naive_astype(const Dense& x, DType to) {
  Dense out(to, x.shape);
  visit_dtype(x.dtype, [&](auto f) {
    visit_dtype(to, [&](auto t) {
      for (int64_t i = 0; i < x.size(); ++i) {
        out.data<decltype(t)>()[i] = naive_cast<decltype(t)>(x.data<decltype(f)>()[i]);
      }
    });
  });
  return out;
}

/// Mixed magnitudes with a third of special values (kernel_test::mixed_values).
inline Dense mixed(Rng& rng, DType dtype, const Dims& shape) {
  return visit_dtype(dtype, [&](auto t) {
    return Dense(kernel_test::mixed_values<decltype(t)>(static_cast<size_t>(element_count(shape)),
                                                        rng.word()),
                 shape);
  });
}

/// Whole numbers from -4 to 4 (0 to 4, false and true) as any type: sums and products stay exact.
inline Dense small(Rng& rng, DType dtype, const Dims& shape) {
  Dense x(dtype, shape);
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t i = 0; i < x.size(); ++i) {
      x.data<T>()[i] = static_cast<T>(
          std::is_same_v<T, bool> ? rng.below(2) : rng.between(std::is_signed_v<T> ? -4 : 0, 4));
    }
  });
  return x;
}

inline Dims random_shape(Rng& rng, size_t rank, int64_t largest) {
  Dims shape;
  for (size_t a = 0; a < rank; ++a) {
    shape.push_back(rng.chance(5) ? 0 : rng.chance(15) ? 1 : rng.between(1, largest));
  }
  return shape;
}

/// Ragged cuts; now and then the whole axis, blocks of one, and blocks without elements.
inline std::vector<int64_t> random_cut(Rng& rng, int64_t extent) {
  std::vector<int64_t> sizes;
  const bool singles = extent <= 6 && rng.chance(10);
  const bool whole = !singles && rng.chance(25);
  for (int64_t left = extent; left > 0;) {
    if (rng.chance(4)) sizes.push_back(0);
    sizes.push_back(whole ? left : singles ? 1 : rng.between(1, left));
    left -= sizes.back();
  }
  if (sizes.empty() || rng.chance(4)) sizes.push_back(0);
  return sizes;
}

inline std::vector<std::vector<int64_t>> random_cuts(Rng& rng, const Dims& shape) {
  std::vector<std::vector<int64_t>> cuts;
  for (int64_t extent : shape) cuts.push_back(random_cut(rng, extent));
  return cuts;
}

/// An explicit ChunkSpec; for rank 0, which has no axis to cut, the automatic one.
inline ChunkSpec spec_of(std::vector<std::vector<int64_t>> cuts) {
  return cuts.empty() ? ChunkSpec() : ChunkSpec(std::move(cuts));
}

/// Makes Arrays of given elements and keeps the memory that they borrow.
class Guises {
 public:
  explicit Guises(Rng& rng) : rng_(rng) {}

  /// Row-major memory, in the given or random blocks.
  Array plain(const Dense& x, const ChunkSpec& chunks) {
    memory_.push_back(x.bytes);
    return detail::from_memory(memory_.back().data(), x.dtype, x.shape, {.chunks = chunks});
  }
  /// In random blocks, from memory whose axes are permuted, reversed and spread.
  Array strided(const Dense& x) { return strided(x, spec_of(random_cuts(rng_, x.shape))); }
  Array strided(const Dense& x, const ChunkSpec& chunks) {
    const size_t rank = x.shape.size();
    std::vector<size_t> order(rank);
    std::iota(order.begin(), order.end(), size_t{0});
    for (size_t a = rank; a > 1; --a)
      std::swap(order[a - 1], order[static_cast<size_t>(rng_.below(static_cast<int64_t>(a)))]);
    Dims strides(rank, 1);
    int64_t room = 1, first = 0;
    for (size_t a : order) {
      const int64_t step = rng_.chance(30) ? rng_.between(2, 3) : 1;
      strides[a] = room * step;
      room *= std::max<int64_t>(1, x.shape[a]) * step;
      if (rng_.chance(25)) {
        first += std::max<int64_t>(0, x.shape[a] - 1) * strides[a];
        strides[a] = -strides[a];
      }
    }
    const size_t size = size_of(x.dtype);
    std::vector<std::byte>& bytes =
        memory_.emplace_back(static_cast<size_t>(room) * size, std::byte{1});
    for_each_index(x.shape, [&](const Dims& index, int64_t i) {
      int64_t at = first;
      for (size_t a = 0; a < rank; ++a) at += index[a] * strides[a];
      std::memcpy(bytes.data() + static_cast<size_t>(at) * size,
                  x.bytes.data() + static_cast<size_t>(i) * size, size);
    });
    return detail::from_memory(bytes.data() + static_cast<size_t>(first) * size, x.dtype, x.shape,
                               {.chunks = chunks, .strides = strides, .copy = rng_.chance(20)});
  }
  /// One of many ways that the same elements can come about.
  Array any(const Dense& x) {
    switch (rng_.below(6)) {
      case 0: return plain(x, -1);
      case 1: return plain(x, spec_of(random_cuts(rng_, x.shape)));
      case 2: return strided(x).rechunk(spec_of(random_cuts(rng_, x.shape)));
      case 3: {  // transposed twice
        std::vector<int64_t> axes(x.shape.size());
        std::iota(axes.rbegin(), axes.rend(), int64_t{0});
        return strided(x).transpose(axes).transpose(axes);
      }
      case 4: {  // reversed twice
        const std::vector<Index> reversed(x.shape.size(),
                                          Slice{.start = {}, .stop = {}, .step = -1});
        return strided(x)[reversed].rechunk(spec_of(random_cuts(rng_, x.shape)))[reversed];
      }
      default: return strided(x);
    }
  }

 private:
  Rng& rng_;
  std::deque<std::vector<std::byte>> memory_;
};

inline std::string describe_element(const Dense& x, int64_t i) {
  char text[64];
  std::snprintf(text, sizeof text, "%.21Lg", x.at(i));
  return text;
}

/// The same dtype, shape and bits; any NaN equals any other. `max_ulps` > 0 loosens floats.
inline ::testing::AssertionResult same(const Dense& got, const Dense& want, double max_ulps = 0) {
  if (got.dtype != want.dtype || !(got.shape == want.shape)) {
    return ::testing::AssertionFailure()
           << name_of(got.dtype) << " " << to_string(got.shape) << " instead of "
           << name_of(want.dtype) << " " << to_string(want.shape);
  }
  return visit_dtype(got.dtype, [&](auto t) -> ::testing::AssertionResult {
    using T = decltype(t);
    for (int64_t i = 0; i < got.size(); ++i) {
      const T a = got.data<T>()[i], b = want.data<T>()[i];
      if (same_bits(a, b)) continue;
      if constexpr (std::is_floating_point_v<T>) {
        if (max_ulps > 0 && ulps(a, static_cast<long double>(b)) <= max_ulps) continue;
      }
      return ::testing::AssertionFailure()
             << "element " << i << " of " << name_of(got.dtype) << " " << to_string(got.shape)
             << ": " << describe_element(got, i) << " instead of " << describe_element(want, i);
    }
    return ::testing::AssertionSuccess();
  });
}

inline Dense computed(const Array& x, const RunOptions& options = {}) {
  return Dense(x.compute(options));
}

}  // namespace tuff::conform
