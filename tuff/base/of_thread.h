// An object of each thread that can still be asked for while the thread is ending: static destructors and atexit
// handlers run after the main thread's objects are gone.
#pragma once

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

/// The calling thread's T, made at first use; null once it is gone.
template <class T>
T* of_this_thread() {
  static thread_local bool is_gone = false;  // trivial, so it stays readable
  struct Owner {
    T value;
    ~Owner() { is_gone = true; }
  };
  if (is_gone) return nullptr;
  static thread_local Owner owner;
  return &owner.value;
}

TUFF_NAMESPACE_END
