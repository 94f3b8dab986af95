// What was found for a text lately, by its length, first and last bytes.
//
// Used where columns of text become codes, by one task at a time. A column names the same few texts again
// and again; looking one up here costs 3 ns against 25 ns to hash it and find it in a map. What is
// remembered is compared as a whole, so a text that looks like another costs time only.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

class TextMemo {
 public:
  /// The code that was remembered for this text, or -1.
  int32_t find(std::string_view text) {
    ends_ = Ends(text);
    slot_ = ends_.slot();
    const Entry& entry = entries_[slot_];
    const bool same = entry.ends == ends_ && entry.text.size() == text.size() &&
                      entry.text.data() != nullptr && (text.size() <= 16 || entry.text == text);
    return same ? entry.code : -1;
  }
  /// Remembers the text that find() was last asked for; `stays` is a copy that outlives the memo.
  void remember(std::string_view stays, int32_t code) { entries_[slot_] = {ends_, stays, code}; }

 private:
  /// 4096 entries stay in a second-level cache; more different texts evict each other.
  static constexpr int kBits = 12;

  /// First and last bytes. With the length they tell texts of at most 16 bytes apart.
  struct Ends {
    Ends() = default;
    explicit Ends(std::string_view text) {
      const char* begin = text.data();
      const char* end = begin + text.size();
      if (text.size() >= 8) {
        std::memcpy(&first, begin, 8);
        std::memcpy(&last, end - 8, 8);
      } else if (text.size() >= 4) {
        std::memcpy(&first, begin, 4);
        std::memcpy(&last, end - 4, 4);
      } else if (!text.empty()) {
        first = static_cast<uint8_t>(begin[0]);
        last = static_cast<uint64_t>(static_cast<uint8_t>(begin[text.size() / 2])) << 8 |
               static_cast<uint8_t>(end[-1]);
      }
    }
    size_t slot() const {
      // Fibonacci hashing: the top bits of a product with 2^64 / golden ratio.
      return ((first ^ (last << 23 | last >> 41)) * 0x9E3779B97F4A7C15U) >> (64 - kBits);
    }
    friend bool operator==(const Ends&, const Ends&) = default;
    uint64_t first = 0;
    uint64_t last = 0;
  };
  struct Entry {
    Ends ends;
    std::string_view text;  // its data is null in an unused entry
    int32_t code = 0;
  };

  std::vector<Entry> entries_ = std::vector<Entry>(size_t{1} << kBits);
  Ends ends_;
  size_t slot_ = 0;
};

}  // namespace table::detail
TUFF_NAMESPACE_END
