// See page.h.
#include "tuff/diagnostics/page.h"

TUFF_NAMESPACE_BEGIN

namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

}  // namespace

std::string filled(std::string_view page, std::string_view title, std::string_view json) {
  static constexpr std::string_view kTitle = "{{title}}";
  static constexpr std::string_view kData = "{{data}}";
  const size_t title_at = page.find(kTitle);
  const size_t data_at = page.find(kData);
  const size_t after_title = title_at + kTitle.size();
  std::string result(page.substr(0, title_at));
  result += escaped(title);
  result += page.substr(after_title, data_at - after_title);
  result += json;
  result += page.substr(data_at + kData.size());
  return result;
}

TUFF_NAMESPACE_END
