// A loop over constant indices that is unrolled before the compiler decides what lives in
// registers.
//
// GCC 12 unrolls ordinary loops too late for that: arrays of vectors indexed in them are stored in
// every iteration (a third of the speed in panel.cpp). Included once per target.
#if defined(TUFF_KERNELS_UNROLL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUFF_KERNELS_UNROLL_INL_H_
#undef TUFF_KERNELS_UNROLL_INL_H_
#else
#define TUFF_KERNELS_UNROLL_INL_H_
#endif

#include <cstddef>
#include <utility>

#include "hwy/highway.h"

#include "tuff/base/api.h"

// Attributes of a lambda that is part of a kernel.
#undef TUFF_INLINED
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TUFF_INLINED HWY_ATTR
#else
#define TUFF_INLINED HWY_ATTR __attribute__((always_inline))
#endif

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Instrumented, unrolled kernels would take minutes to compile.
template <size_t kCount, class F>
void unroll(const F& f) {
  for (size_t i = 0; i < kCount; ++i) f(i);
}
#else
template <class F, size_t... i>
HWY_INLINE void call_each(const F& f, std::index_sequence<i...>) {
  (f(i), ...);
}

/// f(0), f(1), ..., f(kCount - 1), each index a constant once inlined.
template <size_t kCount, class F>
HWY_INLINE void unroll(const F& f) {
  call_each(f, std::make_index_sequence<kCount>());
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
