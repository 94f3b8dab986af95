// SLEEF's vector functions (error at most 1.0 ulp) on Highway vectors.
//
// The `cinz`/`finz` variants are used: they choose between algorithms lane by lane, so that a
// lane's value does not depend on its neighbours (the ordinary sin and cos do). sleef.h declares
// the functions of an instruction set only when the whole file is compiled for it, so they are
// declared here. For that reason too, Clang would hand vectors of more than 16 bytes over in memory, as on
// a processor without them, and SLEEF looks for them in registers; so with Clang it gets 16 bytes at a time.
// That gives the same bits (all finz variants do), in up to four times the time.
#if defined(TUFF_KERNELS_SLEEF_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUFF_KERNELS_SLEEF_INL_H_
#undef TUFF_KERNELS_SLEEF_INL_H_
#else
#define TUFF_KERNELS_SLEEF_INL_H_
#endif

#include "hwy/highway.h"

#include "tuff/base/api.h"

#undef TUFF_SLEEF_IN_PARTS_
#undef TUFF_SLEEF_WIDE_
#undef TUFF_SLEEF_NARROW_
#undef TUFF_SLEEF_DOUBLE_
#undef TUFF_SLEEF_FLOAT_
#if defined(__clang__) && (HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2)
#define TUFF_SLEEF_IN_PARTS_ 1
#define TUFF_SLEEF_DOUBLE_(name) Sleef_finz_##name##d2_u10avx2128
#define TUFF_SLEEF_FLOAT_(name) Sleef_finz_##name##f4_u10avx2128
#define TUFF_SLEEF_WIDE_ __m128d
#define TUFF_SLEEF_NARROW_ __m128
#elif HWY_TARGET == HWY_AVX3
#define TUFF_SLEEF_DOUBLE_(name) Sleef_finz_##name##d8_u10avx512f
#define TUFF_SLEEF_FLOAT_(name) Sleef_finz_##name##f16_u10avx512f
#define TUFF_SLEEF_WIDE_ __m512d
#define TUFF_SLEEF_NARROW_ __m512
#elif HWY_TARGET == HWY_AVX2
#define TUFF_SLEEF_DOUBLE_(name) Sleef_finz_##name##d4_u10avx2
#define TUFF_SLEEF_FLOAT_(name) Sleef_finz_##name##f8_u10avx2
#define TUFF_SLEEF_WIDE_ __m256d
#define TUFF_SLEEF_NARROW_ __m256
#elif HWY_TARGET == HWY_NEON
#define TUFF_SLEEF_DOUBLE_(name) Sleef_finz_##name##d2_u10advsimd
#define TUFF_SLEEF_FLOAT_(name) Sleef_finz_##name##f4_u10advsimd
#define TUFF_SLEEF_WIDE_ float64x2_t
#define TUFF_SLEEF_NARROW_ float32x4_t
#else
#define TUFF_SLEEF_DOUBLE_(name) Sleef_cinz_##name##d1_u10purec
#define TUFF_SLEEF_FLOAT_(name) Sleef_cinz_##name##f1_u10purec
#define TUFF_SLEEF_WIDE_ double
#define TUFF_SLEEF_NARROW_ float
#endif

// Not for the target alone: Clang declares the same functions for two.
extern "C" {
#define TUFF_SLEEF_DECLARE_(name)                              \
  TUFF_SLEEF_WIDE_ TUFF_SLEEF_DOUBLE_(name)(TUFF_SLEEF_WIDE_); \
  TUFF_SLEEF_NARROW_ TUFF_SLEEF_FLOAT_(name)(TUFF_SLEEF_NARROW_);
TUFF_SLEEF_DECLARE_(sin)
TUFF_SLEEF_DECLARE_(cos)
#undef TUFF_SLEEF_DECLARE_
TUFF_SLEEF_WIDE_ TUFF_SLEEF_DOUBLE_(pow)(TUFF_SLEEF_WIDE_, TUFF_SLEEF_WIDE_);
TUFF_SLEEF_NARROW_ TUFF_SLEEF_FLOAT_(pow)(TUFF_SLEEF_NARROW_, TUFF_SLEEF_NARROW_);
}

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {
namespace sleef {

namespace hn = hwy::HWY_NAMESPACE;

#if defined(TUFF_SLEEF_IN_PARTS_)
template <class T>
using Part = hn::Full128<T>;

template <class V>
HWY_INLINE auto part_of(V v, size_t at) {
  using T = hn::TFromV<V>;
  HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(v, hn::ScalableTag<T>(), lanes);
  return hn::Load(Part<T>(), lanes + at).raw;
}

template <class F, class V, class... W>
HWY_INLINE V call(F* function, V a, W... more) {
  using T = hn::TFromV<V>;
  HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)];
  for (size_t at = 0; at < HWY_MAX_BYTES / sizeof(T); at += 16 / sizeof(T)) {
    const hn::Vec<Part<T>> part{function(part_of(a, at), part_of(more, at)...)};
    hn::Store(part, Part<T>(), lanes + at);
  }
  return hn::Load(hn::ScalableTag<T>(), lanes);
}
#else
template <class F, class V, class... W>
HWY_INLINE V call(F* function, V a, W... more) {
  return V{function(a.raw, more.raw...)};
}
#endif

#define TUFF_SLEEF_WRAP_(name)                            \
  template <class V, class... W>                          \
  HWY_INLINE V name(V a, W... more) {                     \
    if constexpr (sizeof(hn::TFromV<V>) == 8) {           \
      return call(&TUFF_SLEEF_DOUBLE_(name), a, more...); \
    } else {                                              \
      return call(&TUFF_SLEEF_FLOAT_(name), a, more...);  \
    }                                                     \
  }
TUFF_SLEEF_WRAP_(sin)
TUFF_SLEEF_WRAP_(cos)
TUFF_SLEEF_WRAP_(pow)
#undef TUFF_SLEEF_WRAP_

}  // namespace sleef
}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
