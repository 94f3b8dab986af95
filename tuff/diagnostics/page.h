// The pages without their data, as CMake puts them together from page/ (cmake/embed_page.cmake), and how
// data gets in.
//
// Each holds two marks, each once: {{title}} and then {{data}}.
#pragma once

#include <string>
#include <string_view>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

extern const std::string_view kReportPage;
extern const std::string_view kExplainPage;
extern const std::string_view kDashboardPage;

/// `json`: may stand inside an HTML script element, as JsonWriter makes it.
std::string filled(std::string_view page, std::string_view title, std::string_view json);

TUFF_NAMESPACE_END
