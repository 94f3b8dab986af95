// Tables behind dtype.h. The promotion rule is NumPy 2's (NEP 50, the part without Python scalars).
#include "tuff/base/dtype.h"

#include <array>

#include <fmt/format.h>

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

constexpr std::array<std::string_view, kDTypeCount> kNames = {
    "bool",   "int8",   "int16",  "int32",   "int64",  "uint8",
    "uint16", "uint32", "uint64", "float32", "float64"};
constexpr std::array<size_t, kDTypeCount> kSizes = {1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};

DType signed_of_size(size_t bytes) {
  switch (bytes) {
    case 1: return DType::int8;
    case 2: return DType::int16;
    case 4: return DType::int32;
    default: return DType::int64;
  }
}

}  // namespace

size_t size_of(DType dtype) { return kSizes[static_cast<size_t>(dtype)]; }

std::string_view name_of(DType dtype) { return kNames[static_cast<size_t>(dtype)]; }

DType dtype_from_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<DType>(i);
  }
  throw InvalidArgument("dtype", fmt::format("'{}' is not an element type; accepted are {}", name,
                                             fmt::join(kNames, ", ")));
}

void check_dtype(std::string_view operation, DType dtype) {
  if (static_cast<size_t>(dtype) < kNames.size()) return;
  throw InvalidArgument(operation,
                        fmt::format("dtype number {} is not an element type; accepted are {}",
                                    static_cast<int>(dtype), fmt::join(kNames, ", ")));
}

DType promote(DType a, DType b) {
  if (a == b || is_bool(b)) return a;
  if (is_bool(a)) return b;
  if (is_floating(a) && is_floating(b)) return DType::float64;  // they differ, so one is float64
  if (is_floating(a) || is_floating(b)) {
    const DType floating = is_floating(a) ? a : b;
    const DType integer = is_floating(a) ? b : a;
    // float32 holds 24 bits exactly: enough for 8 and 16 bit integers.
    return floating == DType::float32 && size_of(integer) <= 2 ? DType::float32 : DType::float64;
  }
  if (is_signed_integer(a) == is_signed_integer(b)) return size_of(a) > size_of(b) ? a : b;
  const DType with_sign = is_signed_integer(a) ? a : b;
  const DType without = is_signed_integer(a) ? b : a;
  if (size_of(with_sign) > size_of(without)) return with_sign;
  return size_of(without) == 8 ? DType::float64 : signed_of_size(2 * size_of(without));
}

DType floating_of(DType t) { return t == DType::float32 ? DType::float32 : DType::float64; }

TUFF_NAMESPACE_END
