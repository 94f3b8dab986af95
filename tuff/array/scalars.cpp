// Numbers as elements; see scalars.h.
#include "tuff/array/scalars.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "tuff/graph/generated_layers.h"

TUFF_NAMESPACE_BEGIN
namespace detail {

namespace {

template <class T, class V>
bool in_range(V value) {
  if constexpr (std::is_same_v<T, bool> || std::is_floating_point_v<T>) {
    return true;
  } else if constexpr (std::is_floating_point_v<V>) {
    return std::trunc(value) == value && value >= static_cast<V>(std::numeric_limits<T>::min()) &&
           value < std::ldexp(1.0, std::numeric_limits<T>::digits);
  } else if constexpr (std::is_same_v<V, bool>) {
    return true;
  } else {
    return std::in_range<T>(value);
  }
}

}  // namespace

bool fits(const Operand& number, DType type) {
  return std::visit(
      [&](auto value) {
        return visit_dtype(type, [&](auto t) { return in_range<decltype(t)>(value); });
      },
      number.number());
}

std::string type_with_range(DType type) {
  return visit_dtype(type, [&](auto t) {
    using T = decltype(t);
    if (!is_integer(type)) return std::string(name_of(type));
    return fmt::format("{} (whole numbers from {} to {})", name_of(type),
                       +std::numeric_limits<T>::min(), +std::numeric_limits<T>::max());
  });
}

std::array<std::byte, 8> element_bytes(std::string_view operation, const Operand& number,
                                       DType type, std::string_view advice) {
  std::array<std::byte, 8> bytes{};
  std::visit(
      [&](auto value) {
        visit_dtype(type, [&](auto t) {
          using T = decltype(t);
          if (!in_range<T>(value)) {
            throw InvalidArgument(operation, fmt::format("{} does not fit {}; {}", +value,
                                                         type_with_range(type), advice));
          }
          T element;
          if constexpr (std::is_same_v<T, bool>) {
            element = value != 0;
          } else {
            element = static_cast<T>(value);
          }
          std::memcpy(bytes.data(), &element, sizeof element);
        });
      },
      number.number());
  return bytes;
}

graph::Port scalar_port(std::string_view operation, const Operand& number, DType type) {
  return {
      std::make_shared<graph::FullLayer>(type, Chunks{}, element_bytes(operation, number, type)),
      0};
}

double as_double(std::string_view operation, const Operand& number) {
  if (number.is_array())
    throw InvalidArgument(operation, "an array where a number is needed; compute it first");
  return std::visit([](auto value) { return static_cast<double>(value); }, number.number());
}

bool is_whole(const Operand& number) { return !number.is_array() && number.number().index() != 3; }

}  // namespace detail
TUFF_NAMESPACE_END
