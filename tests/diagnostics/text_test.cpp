// Figures and tables as text.
#include "tuff/diagnostics/text.h"

#include <gtest/gtest.h>

namespace {

TEST(Text, FiguresHaveThreeDigitsAndAUnit) {
  EXPECT_EQ(tuff::time_text(0), "0 ns");
  EXPECT_EQ(tuff::time_text(999), "999 ns");
  EXPECT_EQ(tuff::time_text(1500), "1.5 us");
  EXPECT_EQ(tuff::time_text(999'600), "1 ms");
  EXPECT_EQ(tuff::time_text(93'400'000'000), "93.4 s");
  EXPECT_EQ(tuff::time_text(12'345'600'000'000), "12,346 s");
  EXPECT_EQ(tuff::bytes_text(999), "999 B");
  EXPECT_EQ(tuff::bytes_text(1'234'000), "1.23 MB");
  EXPECT_EQ(tuff::count_text(1'234'567), "1,234,567");
  EXPECT_EQ(tuff::percent_text(1, 8), "12.5 %");
  EXPECT_EQ(tuff::percent_text(0, 0), "0.0 %");
}

TEST(Text, ColumnsAreAsWideAsTheirLongestCell) {
  EXPECT_EQ(
      tuff::columns_of({{"name", "n", "note"}, {"a", "100", "long text"}, {"bcdefg", "", ""}}),
      "  name      n  note\n"
      "  a       100  long text\n"
      "  bcdefg\n");
  EXPECT_EQ(tuff::columns_of({{"", "n"}, {"a", "100"}}, tuff::LastColumn::number),
            "       n\n"
            "  a  100\n");
}

}  // namespace
