// Writes JSON that may stand inside an HTML script element. Used by encode.cpp only.
//
// Strings keep their bytes but for what would end the string or the element. No check of nesting: the
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
    for (const char c : text) put(c);
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
  std::string text_;
};

TUFF_NAMESPACE_END
