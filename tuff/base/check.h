// Checks of invariants inside Tuff; each failure prints the expression and both values.
//
// TUFF_CHECK* are always on (cheap, outside inner loops). TUFF_DEBUG_CHECK* cost nothing unless
// TUFF_DEBUG_CHECKS is defined (the dev, asan and tsan builds). Wrong arguments from a user are not
// checked with these: they throw InvalidArgument.
#pragma once

#include <sstream>

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN
namespace detail {

[[noreturn]] TUFF_API void check_failed(const char* file, int line, const char* expression,
                                        const std::string& values);

template <class A, class B>
std::string both_values(const A& a, const B& b) {
  std::ostringstream out;
  out << a << " vs " << b;
  return out.str();
}

}  // namespace detail
TUFF_NAMESPACE_END

#define TUFF_CHECK(condition)                                                      \
  do {                                                                             \
    if (!(condition)) [[unlikely]]                                                 \
      ::tuff::detail::check_failed(__FILE__, __LINE__, #condition, std::string()); \
  } while (false)

#define TUFF_CHECK_OP_(a, op, b)                                                   \
  do {                                                                             \
    const auto& tuff_a_ = (a);                                                     \
    const auto& tuff_b_ = (b);                                                     \
    if (!(tuff_a_ op tuff_b_)) [[unlikely]]                                        \
      ::tuff::detail::check_failed(__FILE__, __LINE__, #a " " #op " " #b,          \
                                   ::tuff::detail::both_values(tuff_a_, tuff_b_)); \
  } while (false)

#define TUFF_CHECK_EQ(a, b) TUFF_CHECK_OP_(a, ==, b)
#define TUFF_CHECK_NE(a, b) TUFF_CHECK_OP_(a, !=, b)
#define TUFF_CHECK_LT(a, b) TUFF_CHECK_OP_(a, <, b)
#define TUFF_CHECK_LE(a, b) TUFF_CHECK_OP_(a, <=, b)

#if defined(TUFF_DEBUG_CHECKS)
#define TUFF_DEBUG_CHECK(condition) TUFF_CHECK(condition)
#define TUFF_DEBUG_CHECK_EQ(a, b) TUFF_CHECK_EQ(a, b)
#define TUFF_DEBUG_CHECK_LT(a, b) TUFF_CHECK_LT(a, b)
#else
#define TUFF_DEBUG_CHECK(condition) static_cast<void>(0)
#define TUFF_DEBUG_CHECK_EQ(a, b) static_cast<void>(0)
#define TUFF_DEBUG_CHECK_LT(a, b) static_cast<void>(0)
#endif
