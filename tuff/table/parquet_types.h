// From Parquet's types to fields: which physical type carries what, and which columns arrays cannot hold.
//
// Called by parquet.cpp (reading) and write_parquet.cpp (the way back).
#pragma once

#include <string>
#include <variant>

#include <parquet/schema.h>

#include "tuff/table/source.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

/// The field that a top-level column becomes, or why it cannot be one.
std::variant<Field, UnusableColumn> field_of(const parquet::schema::Node& node);

/// The Parquet column for a field without nulls. Throws InvalidArgument for a unit that is not known.
parquet::schema::NodePtr node_of(const Field& field);

}  // namespace table::detail
TUFF_NAMESPACE_END
