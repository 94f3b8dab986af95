// See allocations.h. In a file of its own, so that the compiler, which sees these bodies, does not take a
// delete elsewhere for one that frees what malloc gave.
#include "tests/schedule/allocations.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include <pthread.h>

namespace {

thread_local size_t count = 0;
std::atomic<const char*> refused{nullptr};

bool is_refused(const char* name) {
  char own[16] = "";
  return ::pthread_getname_np(::pthread_self(), own, sizeof own) == 0 &&
         std::strcmp(own, name) == 0;
}

}  // namespace

size_t tuff_test::allocations() { return count; }
void tuff_test::refuse_memory_to(const char* thread_name) { refused = thread_name; }

void* operator new(size_t bytes) {
  ++count;
  const char* const name = refused.load(std::memory_order_acquire);
  if (name != nullptr && is_refused(name)) throw std::bad_alloc();
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
