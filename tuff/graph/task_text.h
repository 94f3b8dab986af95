// Task graphs for people: prefixes of keys, expressions, text and dot; see taskgraph.h for the latter.
#pragma once

#include <string>
#include <string_view>

#include "tuff/base/value.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// What tasks of one kind have in common: the name up to the first "-" or "#" that a number or a hash
/// follows. "load-3" and "load-1f0a99bc" are "load"; "read-csv-2" is "read-csv".
TUFF_API std::string_view key_prefix(std::string_view name);
/// A value in a few words: numbers and texts as they are, blocks as dtype and shape, others by type.
TUFF_API std::string short_text(const Value& value);
/// A type as one writes it in C++.
TUFF_API std::string type_text(const std::type_info& type);

}  // namespace graph
TUFF_NAMESPACE_END
