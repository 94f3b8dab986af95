// How often this thread has called operator new. Only in tuff_test_schedule, whose own one counts.
#pragma once

#include <cstddef>

namespace tuff_test {
size_t allocations();
}  // namespace tuff_test
