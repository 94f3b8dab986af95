// The report's page without its data, as CMake puts it together from page/ (cmake/embed_page.cmake).
//
// Holds two marks, each once: {{title}} and then {{data}}.
#pragma once

#include <string_view>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

extern const std::string_view kReportPage;

TUFF_NAMESPACE_END
