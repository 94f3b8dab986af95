// Combines the lanes of several vectors at once: as many results as vectors, for little more work
// than one.
//
// Included by reductions and panel products, once per target. A combination is a struct with
// `static V combine(D, V, V)`.
#if defined(TUFF_KERNELS_ACROSS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUFF_KERNELS_ACROSS_INL_H_
#undef TUFF_KERNELS_ACROSS_INL_H_
#else
#define TUFF_KERNELS_ACROSS_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

#include "tuff/base/api.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
inline constexpr size_t kLanes = hn::MaxLanes(hn::ScalableTag<T>());
template <class T>
using Vector = hn::Vec<hn::ScalableTag<T>>;

// With groups of kGroup lanes counted along a vector: even groups of the result combine
// neighbouring groups of `a`, odd ones those of `b`.
template <class P, size_t kGroup, class T>
HWY_INLINE Vector<T> combine_neighbours(Vector<T> a, Vector<T> b) {
#if HWY_TARGET == HWY_SCALAR
  static_cast<void>(b);
  return a;
#else
  const hn::ScalableTag<T> d;
  constexpr size_t kBytes = kGroup * sizeof(T);
  if constexpr (kBytes == 4) {
    return P::combine(d, hn::OddEven(b, a), hn::Shuffle2301(hn::OddEven(a, b)));
  } else if constexpr (kBytes == 8) {
    const hn::ScalableTag<double> w;
    const auto x = hn::BitCast(w, a), y = hn::BitCast(w, b);
    return P::combine(d, hn::BitCast(d, hn::OddEven(y, x)),
                      hn::BitCast(d, hn::Shuffle01(hn::OddEven(x, y))));
  } else if constexpr (kBytes == 16) {
    return P::combine(d, hn::OddEvenBlocks(b, a), hn::SwapAdjacentBlocks(hn::OddEvenBlocks(a, b)));
  } else {
    return P::combine(d, hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
  }
#endif
}

// Halves the number of vectors and of lanes per result until one vector is left. Called with kLanes
// vectors and groups of kLanes / 2, lane r of the result combines all lanes of vector r.
template <class P, size_t kCount, size_t kGroup, class T>
HWY_INLINE Vector<T> combine_across(Vector<T>* v) {
  if constexpr (kCount == 1) {
    return v[0];
  } else {
    for (size_t i = 0; i < kCount / 2; ++i)
      v[i] = combine_neighbours<P, kGroup, T>(v[i], v[i + kCount / 2]);
    return combine_across<P, kCount / 2, kGroup / 2, T>(v);
  }
}

struct Sum {
  template <class T>
  static constexpr T identity() {
    return T(0);
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V total, V x) {
    return hn::Add(total, x);
  }
  template <class T>
  static HWY_INLINE T combine_one(T total, T x) {
    return total + x;
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
