// Writes JSON that may stand inside an HTML script element. Used by encode.cpp, explain_page.cpp, perfetto.cpp.
//
// Strings keep their bytes but for what would end the string or the element, and what is not UTF-8. No check of nesting: the
// caller opens and closes.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

class JsonWriter {
 public:
  void open(char bracket) {
    separate();
    text_ += bracket;
  }
  void close(char bracket) { text_ += bracket; }
  void key(std::string_view name) {
    value(name);
    text_ += ':';
  }
  void value(std::string_view text) {
    separate();
    text_ += '"';
    for (size_t at = 0; at < text.size();) {
      const size_t length = utf8_length(text.substr(at));
      if (length == 0) {
        text_ += "\\ufffd";  // no character: JSON must be Unicode
        ++at;
      } else if (length == 1) {
        put(text[at++]);
      } else {
        text_ += text.substr(at, length);
        at += length;
      }
    }
    text_ += '"';
  }
  void value(const char* text) { value(std::string_view(text)); }
  void value(std::integral auto number) {
    separate();
    text_ += fmt::format("{}", number);
  }
  void value(double number) {
    separate();
    text_ += std::isfinite(number) ? fmt::format("{}", number) : "null";
  }
  template <class T>
  void member(std::string_view name, const T& content) {
    key(name);
    value(content);
  }
  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (text_.empty()) return;
    const char last = text_.back();
    if (last != '[' && last != '{' && last != ':') text_ += ',';
  }
  void put(char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&') {
      text_ += fmt::format("\\u{:04x}", byte);  // no tag, comment or end of script in here
    } else {
      text_ += c;
    }
  }
  /// Bytes of the character that the text begins with; 0 when it begins with none.
  static size_t utf8_length(std::string_view text) {
    const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
    if (byte(0) < 0x80) return 1;
    const size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
    if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < length) return 0;
    for (size_t i = 1; i < length; ++i) {
      if ((byte(i) & 0xC0) != 0x80) return 0;
    }
    // Longer than needed, a surrogate, or beyond Unicode.
    const uint32_t two = static_cast<uint32_t>(byte(0)) << 8 | byte(1);
    const bool wrong = (two >= 0xE080 && two < 0xE0A0) || (two >= 0xEDA0 && two <= 0xEDBF) ||
                       (two >= 0xF080 && two < 0xF090) || two >= 0xF490;
    return wrong ? 0 : length;
  }

  std::string text_;
};

TUFF_NAMESPACE_END
