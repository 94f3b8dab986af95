// Fields from Parquet columns and back; see parquet_types.h.
#include "tuff/table/parquet_types.h"

#include <optional>

#include <fmt/format.h>
#include <parquet/types.h>

TUFF_NAMESPACE_BEGIN
namespace table::detail {

namespace {

using parquet::LogicalType;
using parquet::Repetition;
using TimeUnit = LogicalType::TimeUnit;

std::string unit_name(TimeUnit::unit unit) {
  switch (unit) {
    case TimeUnit::MILLIS: return "ms";
    case TimeUnit::MICROS: return "us";
    case TimeUnit::NANOS: return "ns";
    default: return "";
  }
}

std::optional<TimeUnit::unit> unit_from(std::string_view name) {
  if (name == "ms") return TimeUnit::MILLIS;
  if (name == "us") return TimeUnit::MICROS;
  if (name == "ns") return TimeUnit::NANOS;
  return std::nullopt;
}

DType integer_of(int bits, bool is_signed) {
  switch (bits) {
    case 8: return is_signed ? DType::int8 : DType::uint8;
    case 16: return is_signed ? DType::int16 : DType::uint16;
    case 32: return is_signed ? DType::int32 : DType::uint32;
    default: return is_signed ? DType::int64 : DType::uint64;
  }
}

/// INT32 and INT64, whose meaning is in the annotation. False when arrays have no such type.
bool integer_field(parquet::Type::type physical, const LogicalType& logical, Field& field) {
  if (logical.is_none()) {
    field.dtype = physical == parquet::Type::INT32 ? DType::int32 : DType::int64;
  } else if (logical.is_int()) {
    const auto& type = static_cast<const parquet::IntLogicalType&>(logical);
    field.dtype = integer_of(type.bit_width(), type.is_signed());
    return (type.bit_width() == 64) == (physical == parquet::Type::INT64);
  } else if (logical.is_date()) {
    field.dtype = DType::int64;
    field.unit = "days";
  } else if (logical.is_timestamp()) {
    field.dtype = DType::int64;
    field.unit = unit_name(static_cast<const parquet::TimestampLogicalType&>(logical).time_unit());
    return !field.unit.empty();
  } else if (logical.is_time()) {
    field.dtype = DType::int64;
    field.unit =
        unit_name(static_cast<const parquet::TimeLogicalType&>(logical).time_unit()) + " of day";
  } else {
    return false;
  }
  return true;
}

bool fill_field(const parquet::schema::PrimitiveNode& node, Field& field) {
  const LogicalType& logical = *node.logical_type();
  switch (node.physical_type()) {
    case parquet::Type::BOOLEAN: field.dtype = DType::bool_; return logical.is_none();
    case parquet::Type::FLOAT: field.dtype = DType::float32; return logical.is_none();
    case parquet::Type::DOUBLE: field.dtype = DType::float64; return logical.is_none();
    case parquet::Type::INT32:
    case parquet::Type::INT64: return integer_field(node.physical_type(), logical, field);
    case parquet::Type::INT96:
      field.dtype = DType::int64;
      field.unit = "ns";
      return logical.is_none();
    case parquet::Type::BYTE_ARRAY:
      field.dtype = DType::int32;
      field.is_dictionary = true;
      return logical.is_none() || logical.is_string() || logical.is_enum() || logical.is_JSON();
    default: return false;
  }
}

}  // namespace

std::variant<Field, UnusableColumn> field_of(const parquet::schema::Node& node) {
  Field field{.name = node.name()};
  if (!node.is_primitive() || node.is_repeated()) {
    return UnusableColumn{node.name(), "nested (a list, a map or a struct)"};
  }
  const auto& primitive = static_cast<const parquet::schema::PrimitiveNode&>(node);
  if (fill_field(primitive, field)) return field;
  return UnusableColumn{node.name(),
                        fmt::format("{} {}", parquet::TypeToString(primitive.physical_type()),
                                    primitive.logical_type()->ToString())};
}

parquet::schema::NodePtr node_of(const Field& field) {
  const auto make = [&](std::shared_ptr<const LogicalType> logical, parquet::Type::type physical) {
    return parquet::schema::PrimitiveNode::Make(field.name, Repetition::REQUIRED,
                                                std::move(logical), physical);
  };
  if (field.is_dictionary) return make(LogicalType::String(), parquet::Type::BYTE_ARRAY);
  if (field.unit == "days") return make(LogicalType::Date(), parquet::Type::INT32);
  if (!field.unit.empty()) {
    const bool of_day = field.unit.ends_with(" of day");
    const auto unit = unit_from(of_day ? std::string_view(field.unit).substr(0, 2) : field.unit);
    if (!unit) {
      throw InvalidArgument(
          "write_parquet",
          fmt::format("column '{}' has the unit '{}'; Parquet knows 'days', 'ms', 'us', "
                      "'ns', and the last three with ' of day'",
                      field.name, field.unit));
    }
    if (!of_day) return make(LogicalType::Timestamp(false, *unit), parquet::Type::INT64);
    return make(LogicalType::Time(false, *unit),
                *unit == TimeUnit::MILLIS ? parquet::Type::INT32 : parquet::Type::INT64);
  }
  switch (field.dtype) {
    case DType::bool_: return make(LogicalType::None(), parquet::Type::BOOLEAN);
    case DType::float32: return make(LogicalType::None(), parquet::Type::FLOAT);
    case DType::float64: return make(LogicalType::None(), parquet::Type::DOUBLE);
    default: break;
  }
  const int bits = static_cast<int>(size_of(field.dtype)) * 8;
  return make(LogicalType::Int(bits, is_signed_integer(field.dtype)),
              bits == 64 ? parquet::Type::INT64 : parquet::Type::INT32);
}

}  // namespace table::detail
TUFF_NAMESPACE_END
