// One source, three instruction sets on x86-64 and one on 64-bit ARM: which targets Highway compiles,
// and how one is picked at run time.
//
// Included first in every kernel source (before any Highway header). A source is compiled once per
// target, each in its own namespace; TUFF_DISPATCH(f) is the copy of `f` for the target in use. We
// keep our own index instead of Highway's: that one is shared by every library of the process, and
// pinning ours must not slow theirs.
#pragma once

#if defined(HIGHWAY_HWY_DETECT_TARGETS_H_)
#error "include tuff/kernels/dispatch.h before any Highway header"
#endif

// AVX3_DL adds nothing that our kernels use; SSSE3 and SSE4 machines (before 2013) run the
// baseline. Each further target costs a third of the kernels' compile time. On ARM the baseline is NEON,
// and SVE is left out: its vectors have no size at compile time, so they fit in no array and no struct,
// and no sum of kLanes parts has a fixed order (docs/decisions/0018-arm-with-neon.md).
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
// One lane per vector in the baseline, as Highway does for GCC before 12.3 anyway: with other
// compilers it would have two, and sums would round differently.
#define HWY_BROKEN_EMU128 1
#include <type_traits>

#include "hwy/targets.h"

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

/// 0 for the baseline (on ARM NEON), 1 for AVX2, 2 for AVX-512. Chosen at the first call.
unsigned target_index();

template <class F>
F* pick_target(F* baseline, F* avx2, F* avx512) {
  F* const table[3] = {baseline, avx2, avx512};
  return table[target_index()];
}

}  // namespace kernels
TUFF_NAMESPACE_END

#if HWY_STATIC_TARGET == HWY_AVX2 || HWY_STATIC_TARGET == HWY_AVX3
#define TUFF_BASELINE_OF_(f) static_cast<decltype(&HWY_STATIC_DISPATCH(f))>(nullptr)
#else
#define TUFF_BASELINE_OF_(f) &HWY_STATIC_DISPATCH(f)
#endif
#if HWY_TARGETS & HWY_AVX2
#define TUFF_AVX2_OF_(f) &N_AVX2::f
#else
#define TUFF_AVX2_OF_(f) static_cast<decltype(&HWY_STATIC_DISPATCH(f))>(nullptr)
#endif
#if HWY_TARGETS & HWY_AVX3
#define TUFF_AVX512_OF_(f) &N_AVX3::f
#else
#define TUFF_AVX512_OF_(f) static_cast<decltype(&HWY_STATIC_DISPATCH(f))>(nullptr)
#endif

/// `TUFF_DISPATCH(f)(arguments)` calls the copy of the (not overloaded) function `f`.
#define TUFF_DISPATCH(f)                                                 \
  pick_target<std::remove_pointer_t<decltype(&HWY_STATIC_DISPATCH(f))>>( \
      TUFF_BASELINE_OF_(f), TUFF_AVX2_OF_(f), TUFF_AVX512_OF_(f))

/// Before a loop whose iterations do not depend on each other, though the compiler cannot see it.
#if defined(__clang__)
#define TUFF_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define TUFF_INDEPENDENT _Pragma("GCC ivdep")
#endif
