// The dumb scalar twin of every row of the operation table: what a new row must bring.
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <string_view>

#include "tests/conform/naive.h"

namespace tuff::conform {

/// One row on numbers. Integers and bool are computed in 128 bits and wrap; floats in their own type, or
/// in long double where a result within `ulps` of the exact one is asked for.
struct Row {
  double ulps = 0;
  std::function<int128(int128, int128, int128)> whole;
  std::function<float(float, float, float)> single;
  std::function<double(double, double, double)> twice;
  std::function<long double(long double, long double, long double)> exact;
};

namespace rows {

template <class F>
Row exactly(F f) {
  return {0,
          [f](int128 a, int128 b, int128 c) { return static_cast<int128>(f(a, b, c)); },
          [f](float a, float b, float c) { return static_cast<float>(f(a, b, c)); },
          [f](double a, double b, double c) { return static_cast<double>(f(a, b, c)); },
          {}};
}
template <class F>
Row within(double ulps, F f) {
  return {ulps, {}, {}, {}, [f](long double a, long double b, long double c) {
            return static_cast<long double>(f(a, b, c));
          }};
}

/// Python's: the rest has the sign of the divisor.
template <class T>
T rest_of(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    const T rest = std::fmod(a, b);
    if (b == 0) return rest;
    if (rest == 0) return std::copysign(T(0), b);
    return (b < 0) != (rest < 0) ? rest + b : rest;
  } else {
    if (b == 0) return 0;
    const T rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
}

/// Python's and NumPy's (npy_math_internal.h.src, npy_floor_divide): exact although a / b is not.
template <class T>
T floor_of_quotient(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (b == 0) return a / b;
    const T rest = std::fmod(a, b);
    T quotient = (a - rest) / b;
    if (rest != 0 && (b < 0) != (rest < 0)) quotient -= 1;
    if (quotient == 0) return std::copysign(T(0), a / b);
    const T below = std::floor(quotient);
    return quotient - below > T(0.5) ? below + 1 : below;
  } else {
    if (b == 0) return 0;
    return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
  }
}

template <class T>
T lesser(T a, T b) {
  return a < b || a != a ? a : b;
}
template <class T>
T larger(T a, T b) {
  return a > b || a != a ? a : b;
}

}  // namespace rows

inline const std::map<std::string_view, Row>& naive_rows() {
  using namespace rows;
  using L = long double;
  constexpr double kUlps = 2;
  static const std::map<std::string_view, Row> table = {
      {"negative", exactly([](auto a, auto, auto) { return -a; })},
      {"abs", exactly([](auto a, auto, auto) {
         if constexpr (std::is_floating_point_v<decltype(a)>) {
           return std::fabs(a);
         } else {
           return a < 0 ? -a : a;
         }
       })},
      {"sign", exactly([](auto a, auto, auto) {
         return a > 0 ? decltype(a)(1) : a < 0 ? decltype(a)(-1) : a == 0 ? decltype(a)(0) : a;
       })},
      // Wrapping products need the low bits only, and signed overflow is undefined.
      {"square", exactly([](auto a, auto, auto) {
         if constexpr (std::is_floating_point_v<decltype(a)>) {
           return a * a;
         } else {
           return static_cast<int128>(static_cast<uint128>(a) * static_cast<uint128>(a));
         }
       })},
      {"reciprocal", exactly([](auto a, auto, auto) {
         return decltype(a)(1) /
                (a == 0 && !std::is_floating_point_v<decltype(a)> ? decltype(a)(1) : a);
       })},
      {"sqrt", exactly([](auto a, auto, auto) {
         return static_cast<decltype(a)>(std::sqrt(
             static_cast<
                 std::conditional_t<std::is_floating_point_v<decltype(a)>, decltype(a), double>>(
                 a)));
       })},
      {"exp", within(kUlps, [](L a, L, L) { return std::exp(a); })},
      {"expm1", within(kUlps, [](L a, L, L) { return std::expm1(a); })},
      {"log", within(kUlps, [](L a, L, L) { return std::log(a); })},
      {"log1p", within(kUlps, [](L a, L, L) { return std::log1p(a); })},
      {"sin", within(kUlps, [](L a, L, L) { return std::sin(a); })},
      {"cos", within(kUlps, [](L a, L, L) { return std::cos(a); })},
      {"tanh", within(kUlps, [](L a, L, L) { return std::tanh(a); })},
      {"sigmoid", within(kUlps, [](L a, L, L) { return 1 / (1 + std::exp(-a)); })},
      {"floor", exactly([](auto a, auto, auto) {
         if constexpr (std::is_floating_point_v<decltype(a)>) return std::floor(a);
         return a;
       })},
      {"ceil", exactly([](auto a, auto, auto) {
         if constexpr (std::is_floating_point_v<decltype(a)>) return std::ceil(a);
         return a;
       })},
      {"isnan", exactly([](auto a, auto, auto) { return a != a; })},
      {"isfinite", exactly([](auto a, auto, auto) { return a - a == 0; })},
      {"logical_not", exactly([](auto a, auto, auto) { return a == 0; })},
      {"add", exactly([](auto a, auto b, auto) { return a + b; })},
      {"subtract", exactly([](auto a, auto b, auto) { return a - b; })},
      {"multiply", exactly([](auto a, auto b, auto) {
         if constexpr (std::is_floating_point_v<decltype(a)>) {
           return a * b;
         } else {
           return static_cast<int128>(static_cast<uint128>(a) * static_cast<uint128>(b));
         }
       })},
      {"divide", exactly([](auto a, auto b, auto) {
         return b == 0 && !std::is_floating_point_v<decltype(a)> ? a : a / b;
       })},
      {"floor_divide", exactly([](auto a, auto b, auto) { return floor_of_quotient(a, b); })},
      {"remainder", exactly([](auto a, auto b, auto) { return rest_of(a, b); })},
      {"power",
       {kUlps,
        [](int128 a, int128 b, int128) {
          uint128 product = 1, square = static_cast<uint128>(a);
          for (auto n = static_cast<uint128>(b); n != 0; n >>= 1, square *= square) {
            if ((n & 1) != 0) product *= square;
          }
          return static_cast<int128>(product);
        },
        {},
        {},
        [](L a, L b, L) { return std::pow(a, b); }}},
      {"minimum", exactly([](auto a, auto b, auto) { return lesser(a, b); })},
      {"maximum", exactly([](auto a, auto b, auto) { return larger(a, b); })},
      {"equal", exactly([](auto a, auto b, auto) { return a == b; })},
      {"not_equal", exactly([](auto a, auto b, auto) { return a != b; })},
      {"less", exactly([](auto a, auto b, auto) { return a < b; })},
      {"less_equal", exactly([](auto a, auto b, auto) { return a <= b; })},
      {"greater", exactly([](auto a, auto b, auto) { return a > b; })},
      {"greater_equal", exactly([](auto a, auto b, auto) { return a >= b; })},
      {"logical_and", exactly([](auto a, auto b, auto) { return a != 0 && b != 0; })},
      {"logical_or", exactly([](auto a, auto b, auto) { return a != 0 || b != 0; })},
      {"logical_xor", exactly([](auto a, auto b, auto) { return (a != 0) != (b != 0); })},
      {"where", exactly([](auto c, auto a, auto b) { return c != 0 ? a : b; })},
      {"clip", exactly([](auto x, auto low, auto high) { return lesser(larger(x, low), high); })},
  };
  return table;
}

}  // namespace tuff::conform
