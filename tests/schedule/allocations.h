// How often this thread has called operator new, and threads to which it says no. Only in tuff_test_schedule, whose own
// one counts.
#pragma once

#include <cstddef>

namespace tuff_test {

size_t allocations();
/// Threads of this name get no memory from now on; null: all do. The name must outlive that.
void refuse_memory_to(const char* thread_name);

}  // namespace tuff_test
