// What the kernel tests share: every target in turn, odd addresses, special values, and distance in
// ulps.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/dtype.h"
#include "tuff/kernels/target.h"

namespace tuff::kernel_test {

__extension__ typedef __int128 int128;            // NOLINT: ISO C++ has no name for them
__extension__ typedef unsigned __int128 uint128;  // NOLINT

/// Runs each of its tests once per instruction set of this machine.
class OnEveryTarget : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { kernels::set_target(GetParam()); }
  void TearDown() override { kernels::set_target(kernels::available_targets().front()); }
};

inline std::string name_of_target(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

#define TUFF_ON_EVERY_TARGET(suite)                                                                \
  INSTANTIATE_TEST_SUITE_P(Target, suite, ::testing::ValuesIn(tuff::kernels::available_targets()), \
                           tuff::kernel_test::name_of_target)

/// `n` elements that start `offset` elements past a 64-byte boundary, with a canary on both sides.
template <class T>
class Tile {
 public:
  Tile(size_t n, size_t offset)
      : n_(n), offset_(offset), bytes_((n + offset + 2 * kGuard + 64) * sizeof(T)) {
    const auto address = reinterpret_cast<uintptr_t>(bytes_.data());
    first_ = bytes_.data() + (64 - address % 64) % 64 + (kGuard + offset) * sizeof(T);
    std::memset(bytes_.data(), kCanary, bytes_.size());
  }
  Tile(const std::vector<T>& values, size_t offset) : Tile(values.size(), offset) {
    for (size_t i = 0; i < values.size(); ++i) data()[i] = values[i];
  }
  T* data() { return reinterpret_cast<T*>(first_); }
  const T* data() const { return reinterpret_cast<const T*>(first_); }
  T operator[](size_t i) const { return data()[i]; }
  size_t size() const { return n_; }
  bool canaries_are_alive() const {
    const unsigned char* end = first_ + n_ * sizeof(T);
    for (const unsigned char* p = bytes_.data(); p < first_; ++p) {
      if (*p != kCanary) return false;
    }
    for (const unsigned char* p = end; p < bytes_.data() + bytes_.size(); ++p) {
      if (*p != kCanary) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr unsigned char kCanary = 0xAB;
  size_t n_;
  size_t offset_;
  std::vector<unsigned char> bytes_;
  unsigned char* first_;
};

/// The same bits; any two NaN are the same.
template <class T>
bool same_bits(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) && std::isnan(b)) return true;
    return a == b && std::signbit(a) == std::signbit(b);
  } else {
    return a == b;
  }
}

/// Distance of `got` from the exact value, in units of the last place at the exact value. Infinity
/// counts as the power of two at which rounding overflows.
template <class T>
double ulps(T got, long double want) {
  using Limits = std::numeric_limits<T>;
  if (std::isnan(got) || std::isnan(want))
    return std::isnan(got) == std::isnan(want) ? 0 : INFINITY;
  const long double beyond = std::ldexp(1.0L, Limits::max_exponent);
  if (std::fabs(want) >= beyond) want = std::copysign(beyond, want);
  const auto magnitude = std::clamp<long double>(std::fabs(want), Limits::min(), Limits::max());
  const long double unit = std::ldexp(1.0L, std::ilogb(magnitude) - (Limits::digits - 1));
  const long double value = std::isinf(got) ? std::copysign(beyond, got) : got;
  return static_cast<double>(std::fabs(value - want) / unit);
}

/// Values at which formulas go wrong.
template <class T>
std::vector<T> special_values() {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_same_v<T, bool>) {
    return {false, true};
  } else if constexpr (std::is_floating_point_v<T>) {
    std::vector<T> values = {T(0),
                             Limits::denorm_min(),
                             T(3) * Limits::denorm_min(),
                             Limits::min(),
                             Limits::min() / 2,
                             Limits::epsilon(),
                             T(0.5),
                             T(1),
                             T(1) + Limits::epsilon(),
                             T(1) - Limits::epsilon() / 2,
                             T(1.5),
                             T(2),
                             T(2.5),
                             T(3),
                             T(7),
                             T(10.75),
                             T(100),
                             T(1e10),
                             T(1) / Limits::epsilon(),
                             T(3) / Limits::epsilon(),
                             Limits::max() / 2,
                             Limits::max(),
                             Limits::infinity()};
    const size_t count = values.size();
    for (size_t i = 0; i < count; ++i) values.push_back(-values[i]);
    values.push_back(Limits::quiet_NaN());
    return values;
  } else {
    std::vector<T> values = {T(0),
                             T(1),
                             T(2),
                             T(3),
                             T(7),
                             T(10),
                             T(100),
                             Limits::max(),
                             static_cast<T>(Limits::max() - 1),
                             static_cast<T>(Limits::max() / 2),
                             static_cast<T>(Limits::max() / 2 + 1),
                             Limits::min(),
                             static_cast<T>(Limits::min() + 1)};
    if constexpr (std::is_signed_v<T>) {
      for (int v : {-1, -2, -3, -7, -10, -100}) values.push_back(static_cast<T>(v));
    }
    return values;
  }
}

/// `n` values: a third special, the others spread over small and large magnitudes.
template <class T>
std::vector<T> mixed_values(size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::vector<T> special = special_values<T>();
  std::vector<T> values(n);
  for (size_t i = 0; i < n; ++i) {
    const uint64_t word = random();
    if (word % 3 == 0) {
      values[i] = special[(word >> 8) % special.size()];
    } else if constexpr (std::is_floating_point_v<T>) {
      const double unit = static_cast<double>(word >> 11) * 0x1p-53 - 0.5;
      values[i] = static_cast<T>(
          word % 3 == 1 ? unit * 20 : std::ldexp(unit, static_cast<int>(word >> 4 & 127) - 64));
    } else if constexpr (std::is_same_v<T, bool>) {
      values[i] = (word & 8) != 0;
    } else {
      values[i] = static_cast<T>(word % 3 == 1 ? (word >> 8) % 32 : word >> 8);
    }
  }
  return values;
}

inline constexpr DType kEveryDType[] = {DType::bool_,  DType::int8,    DType::int16,  DType::int32,
                                        DType::int64,  DType::uint8,   DType::uint16, DType::uint32,
                                        DType::uint64, DType::float32, DType::float64};

}  // namespace tuff::kernel_test
