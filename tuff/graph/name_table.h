// Texts, each stored once and known by number. Copies cost one pass over flat memory, so graphs with a
// million different names can be copied by passes.
//
// Used by TaskGraph for names of keys and operations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

class NameTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t size() const { return static_cast<uint32_t>(first_.size() - 1); }
  std::string_view operator[](uint32_t number) const {
    return {text_.data() + first_[number], first_[number + 1] - first_[number]};
  }
  /// The number of a text, or kNone.
  uint32_t find(std::string_view text) const {
    if (last_ < size() && (*this)[last_] == text) return last_;
    if (table_.empty()) return kNone;
    const size_t mask = table_.size() - 1;
    for (size_t at = hash(text) & mask;; at = (at + 1) & mask) {
      if (table_[at] == kNone || (*this)[table_[at]] == text) return table_[at];
    }
  }
  /// The number of a text, which is added when it is new.
  uint32_t add(std::string_view text) {
    uint32_t number = find(text);
    if (number == kNone) {
      if ((size() + 1) * size_t{2} > table_.size()) grow();
      number = size();
      text_.insert(text_.end(), text.begin(), text.end());
      first_.push_back(text_.size());
      enter(number);
    }
    last_ = number;
    return number;
  }

 private:
  static size_t hash(std::string_view text) { return std::hash<std::string_view>()(text); }
  void enter(uint32_t number) {
    const size_t mask = table_.size() - 1;
    size_t at = hash((*this)[number]) & mask;
    while (table_[at] != kNone) at = (at + 1) & mask;
    table_[at] = number;
  }
  void grow() {
    table_.assign(std::max<size_t>(32, table_.size() * 2), kNone);
    for (uint32_t number = 0; number < size(); ++number) enter(number);
  }

  std::vector<char> text_;
  std::vector<uint64_t> first_ = {0};
  std::vector<uint32_t> table_;  // open addressing, at most half full
  uint32_t last_ = 0;            // what was asked for last is mostly asked for again
};

}  // namespace graph
TUFF_NAMESPACE_END
