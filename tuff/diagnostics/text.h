// Figures and tables as text, for explanations and profiles.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

/// "1.5 MB", "800 B": three digits, powers of 1000.
std::string bytes_text(uint64_t bytes);
/// "10,000".
std::string count_text(uint64_t count);
/// "1.5 ms", "800 ns": three digits.
std::string time_text(int64_t ns);
/// "12.3 %"; 0 of 0 is 0.
std::string percent_text(double part, double whole);

enum class LastColumn { text, number };
/// Columns as wide as their longest cell, numbers to the right; a last column of text as it comes.
std::string columns_of(const std::vector<std::vector<std::string>>& rows,
                       LastColumn last_column = LastColumn::text);

TUFF_NAMESPACE_END
