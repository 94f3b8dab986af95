// Numbers as elements: whether one fits a type, its bytes, and a rank-0 source that holds it.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "tuff/array/array.h"

TUFF_NAMESPACE_BEGIN
namespace detail {

/// Whether the number is representable: in range for integers, anything for floating types and bool.
bool fits(const Operand& number, DType type);
/// "int8 (whole numbers from -128 to 127)"; of other types the name alone.
std::string type_with_range(DType type);
/// The number as an element of `type`. Throws InvalidArgument in the name of `operation` if it does not
/// fit; the text ends with `advice`.
std::array<std::byte, 8> element_bytes(
    std::string_view operation, const Operand& number, DType type,
    std::string_view advice = "cast the array with astype first");
/// The number as a rank-0 array.
graph::Port scalar_port(std::string_view operation, const Operand& number, DType type);
/// The number as float64. Throws InvalidArgument for an array.
double as_double(std::string_view operation, const Operand& number);
bool is_whole(const Operand& number);

}  // namespace detail
TUFF_NAMESPACE_END
