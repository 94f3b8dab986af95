// Symbol visibility: everything is hidden but what carries TUFF_API.
#pragma once

// Default visibility on the user's side too: exceptions must be one type on both.
#define TUFF_API __attribute__((visibility("default")))

/// All public names live in an inline namespace that changes with the binary interface.
#define TUFF_NAMESPACE_BEGIN \
  namespace tuff {           \
  inline namespace v0 {
#define TUFF_NAMESPACE_END \
  }                        \
  }
