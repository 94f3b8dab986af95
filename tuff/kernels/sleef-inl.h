// SLEEF's vector functions (error at most 1.0 ulp) on Highway vectors.
//
// The `cinz`/`finz` variants are used: they choose between algorithms lane by lane, so that a
// lane's value does not depend on its neighbours (the ordinary sin and cos do). sleef.h declares
// the functions of an instruction set only when the whole file is compiled for it, so they are
// declared here.
#if defined(TUFF_KERNELS_SLEEF_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUFF_KERNELS_SLEEF_INL_H_
#undef TUFF_KERNELS_SLEEF_INL_H_
#else
#define TUFF_KERNELS_SLEEF_INL_H_
#endif

#include "hwy/highway.h"

#include "tuff/base/api.h"

#undef TUFF_SLEEF_WIDE_
#undef TUFF_SLEEF_NARROW_
#undef TUFF_SLEEF_DOUBLE_
#undef TUFF_SLEEF_FLOAT_
#if HWY_TARGET == HWY_AVX3
#define TUFF_SLEEF_DOUBLE_(name) Sleef_finz_##name##d8_u10avx512f
#define TUFF_SLEEF_FLOAT_(name) Sleef_finz_##name##f16_u10avx512f
#define TUFF_SLEEF_WIDE_ __m512d
#define TUFF_SLEEF_NARROW_ __m512
#elif HWY_TARGET == HWY_AVX2
#define TUFF_SLEEF_DOUBLE_(name) Sleef_finz_##name##d4_u10avx2
#define TUFF_SLEEF_FLOAT_(name) Sleef_finz_##name##f8_u10avx2
#define TUFF_SLEEF_WIDE_ __m256d
#define TUFF_SLEEF_NARROW_ __m256
#else
#define TUFF_SLEEF_DOUBLE_(name) Sleef_cinz_##name##d1_u10purec
#define TUFF_SLEEF_FLOAT_(name) Sleef_cinz_##name##f1_u10purec
#define TUFF_SLEEF_WIDE_ double
#define TUFF_SLEEF_NARROW_ float
#endif

HWY_BEFORE_NAMESPACE();
extern "C" {
#define TUFF_SLEEF_DECLARE_(name)                              \
  TUFF_SLEEF_WIDE_ TUFF_SLEEF_DOUBLE_(name)(TUFF_SLEEF_WIDE_); \
  TUFF_SLEEF_NARROW_ TUFF_SLEEF_FLOAT_(name)(TUFF_SLEEF_NARROW_);
TUFF_SLEEF_DECLARE_(exp)
TUFF_SLEEF_DECLARE_(expm1)
TUFF_SLEEF_DECLARE_(log)
TUFF_SLEEF_DECLARE_(log1p)
TUFF_SLEEF_DECLARE_(sin)
TUFF_SLEEF_DECLARE_(cos)
TUFF_SLEEF_DECLARE_(tanh)
#undef TUFF_SLEEF_DECLARE_
TUFF_SLEEF_WIDE_ TUFF_SLEEF_DOUBLE_(pow)(TUFF_SLEEF_WIDE_, TUFF_SLEEF_WIDE_);
TUFF_SLEEF_NARROW_ TUFF_SLEEF_FLOAT_(pow)(TUFF_SLEEF_NARROW_, TUFF_SLEEF_NARROW_);
}

TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {
namespace sleef {

namespace hn = hwy::HWY_NAMESPACE;

#define TUFF_SLEEF_WRAP_(name)                   \
  template <class V>                             \
  HWY_INLINE V name(V a) {                       \
    if constexpr (sizeof(hn::TFromV<V>) == 8) {  \
      return V{TUFF_SLEEF_DOUBLE_(name)(a.raw)}; \
    } else {                                     \
      return V{TUFF_SLEEF_FLOAT_(name)(a.raw)};  \
    }                                            \
  }
TUFF_SLEEF_WRAP_(exp)
TUFF_SLEEF_WRAP_(expm1)
TUFF_SLEEF_WRAP_(log)
TUFF_SLEEF_WRAP_(log1p)
TUFF_SLEEF_WRAP_(sin)
TUFF_SLEEF_WRAP_(cos)
TUFF_SLEEF_WRAP_(tanh)
#undef TUFF_SLEEF_WRAP_

template <class V>
HWY_INLINE V pow(V a, V b) {
  if constexpr (sizeof(hn::TFromV<V>) == 8) {
    return V{TUFF_SLEEF_DOUBLE_(pow)(a.raw, b.raw)};
  } else {
    return V{TUFF_SLEEF_FLOAT_(pow)(a.raw, b.raw)};
  }
}

}  // namespace sleef
}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
