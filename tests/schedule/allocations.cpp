// See allocations.h. In a file of its own, so that the compiler, which sees these bodies, does not take a
// delete elsewhere for one that frees what malloc gave.
#include "tests/schedule/allocations.h"

#include <cstdlib>
#include <new>

namespace {
thread_local size_t count = 0;
}  // namespace

size_t tuff_test::allocations() { return count; }

void* operator new(size_t bytes) {
  ++count;
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
