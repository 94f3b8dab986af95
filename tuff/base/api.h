// Symbol visibility: everything is hidden but what carries TUFF_API.
#pragma once

#if defined(TUFF_BUILDING)
#define TUFF_API __attribute__((visibility("default")))
#else
#define TUFF_API
#endif

/// All public names live in an inline namespace that changes with the binary interface.
#define TUFF_NAMESPACE_BEGIN \
  namespace tuff {           \
  inline namespace v0 {
#define TUFF_NAMESPACE_END \
  }                        \
  }
