// Element types, their sizes and names, and NumPy 2's promotion between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

enum class DType : uint8_t {
  bool_,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64,
};

inline constexpr int kDTypeCount = 11;

/// Bytes of one element; bool is one byte holding 0 or 1.
TUFF_API size_t size_of(DType dtype);
/// NumPy's name: "bool", "int8", ..., "float64".
TUFF_API std::string_view name_of(DType dtype);
/// The inverse of name_of. Throws InvalidArgument for anything else.
TUFF_API DType dtype_from_name(std::string_view name);
/// Throws InvalidArgument in the name of `operation` for a number that is no DType.
TUFF_API void check_dtype(std::string_view operation, DType dtype);

constexpr bool is_floating(DType t) { return t == DType::float32 || t == DType::float64; }
constexpr bool is_signed_integer(DType t) { return t >= DType::int8 && t <= DType::int64; }
constexpr bool is_unsigned_integer(DType t) { return t >= DType::uint8 && t <= DType::uint64; }
constexpr bool is_integer(DType t) { return t >= DType::int8 && t <= DType::uint64; }
constexpr bool is_bool(DType t) { return t == DType::bool_; }

/// The smallest dtype that holds both, as NumPy 2's `promote_types` (int64 with uint64 is float64).
TUFF_API DType promote(DType a, DType b);
/// float32 for itself, float64 for everything else: the result type of exp, log, a / b, mean, ...
TUFF_API DType floating_of(DType t);

/// The DType of a C++ type; only the eleven element types have one.
template <class T>
struct dtype_traits;
#define TUFF_DTYPE_(type, tag)                 \
  template <>                                  \
  struct dtype_traits<type> {                  \
    static constexpr DType value = DType::tag; \
  };
TUFF_DTYPE_(bool, bool_)
TUFF_DTYPE_(int8_t, int8)
TUFF_DTYPE_(int16_t, int16)
TUFF_DTYPE_(int32_t, int32)
TUFF_DTYPE_(int64_t, int64)
TUFF_DTYPE_(uint8_t, uint8)
TUFF_DTYPE_(uint16_t, uint16)
TUFF_DTYPE_(uint32_t, uint32)
TUFF_DTYPE_(uint64_t, uint64)
TUFF_DTYPE_(float, float32)
TUFF_DTYPE_(double, float64)
#undef TUFF_DTYPE_

template <class T>
inline constexpr DType dtype_of = dtype_traits<T>::value;

template <class T>
concept Element = requires {
  dtype_traits<T>::value;
};

/// Calls `f(T{})` with the C++ type of `dtype` (bool, int8_t, ..., double).
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::bool_: return f(bool{});
    case DType::int8: return f(int8_t{});
    case DType::int16: return f(int16_t{});
    case DType::int32: return f(int32_t{});
    case DType::int64: return f(int64_t{});
    case DType::uint8: return f(uint8_t{});
    case DType::uint16: return f(uint16_t{});
    case DType::uint32: return f(uint32_t{});
    case DType::uint64: return f(uint64_t{});
    case DType::float32: return f(float{});
    case DType::float64: break;
  }
  return f(double{});
}

TUFF_NAMESPACE_END
