// Every pair of element types, at special values and odd places.
#include "testing.h"
#include <gtest/gtest.h>

#include "tuff/kernels/elementwise.h"

namespace tuff::kernel_test {
namespace {

// Long double holds every value of every element type.
template <class To, class From>
To naive_cast(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    const long double whole = std::trunc(static_cast<long double>(x));
    const bool fits = whole >= static_cast<long double>(Limits::min()) &&
                      whole <= static_cast<long double>(Limits::max());
    return fits ? static_cast<To>(whole) : Limits::min();
  } else {
    return static_cast<To>(x);
  }
}

// The neighbours of every power of two, where ranges end.
template <class T>
std::vector<T> values_around_limits() {
  std::vector<T> values = mixed_values<T>(300, 41);
  if constexpr (std::is_floating_point_v<T>) {
    for (int exponent = -2; exponent <= 66; ++exponent) {
      const T power = std::ldexp(T(1), exponent);
      for (T x : {power, std::nextafter(power, T(0)), std::nextafter(power, 4 * power),
                  power - T(0.5), power + T(0.5), power - T(1), power + T(1)}) {
        values.push_back(x);
        values.push_back(-x);
      }
    }
  }
  return values;
}

template <class From, class To>
void check_pair() {
  const auto kernel = kernels::find_cast(dtype_of<From>, dtype_of<To>);
  ASSERT_NE(kernel, nullptr);
  const std::vector<From> all = values_around_limits<From>();
  for (size_t n = 0; n <= all.size(); n = n < 70 ? n + 1 : n == all.size() ? n + 1 : all.size()) {
    const Tile<From> in(std::vector<From>(all.end() - static_cast<int64_t>(n), all.end()), n % 7);
    Tile<To> out(n, (3 * n) % 5);
    kernel(in.data(), out.data(), n);
    for (size_t i = 0; i < n; ++i) {
      const To want = naive_cast<To>(in[i]);
      ASSERT_TRUE(same_bits(out[i], want))
          << name_of(dtype_of<From>) << " to " << name_of(dtype_of<To>) << ": " << +in[i]
          << " gives " << +out[i] << ", not " << +want;
    }
    ASSERT_TRUE(out.canaries_are_alive());
  }
}

class CastKernels : public OnEveryTarget {};

TEST_P(CastKernels, EveryPairOfTypesMatchesANaiveLoop) {
  for (DType from : kEveryDType) {
    for (DType to : kEveryDType) {
      visit_dtype(from, [to](auto source) {
        visit_dtype(to, [](auto target) { check_pair<decltype(source), decltype(target)>(); });
      });
      if (HasFatalFailure()) return;
    }
  }
}

TUFF_ON_EVERY_TARGET(CastKernels);

}  // namespace
}  // namespace tuff::kernel_test
