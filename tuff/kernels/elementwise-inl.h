// Highway loops over tiles for operations of one, two or three operands.
//
// Included by the element-wise sources, once per target. An operation is a struct with `static V
// apply(D, V...)` that returns a vector, or a mask for results of type bool. A scalar operand is
// one splatted vector that the loop never steps beyond: one loop body serves every scalar pattern,
// for one load from L1 that the loop, bound by its stores, does not feel. Tails run through the
// same vector code on padded copies, so a value never depends on its position.
#if defined(TUFF_KERNELS_ELEMENTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUFF_KERNELS_ELEMENTWISE_INL_H_
#undef TUFF_KERNELS_ELEMENTWISE_INL_H_
#else
#define TUFF_KERNELS_ELEMENTWISE_INL_H_
#endif

#include <cstring>
#include <type_traits>

#include "hwy/highway.h"

#include "tuff/kernels/elementwise.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
inline constexpr size_t kMaxLanes = HWY_MAX_BYTES / sizeof(T);

template <class D>
HWY_INLINE hn::Vec<D> load_part(D d, const hn::TFromD<D>* in, size_t count) {
  using T = hn::TFromD<D>;
  HWY_ALIGN T padded[kMaxLanes<T>];
  for (size_t i = 0; i < hn::Lanes(d); ++i) padded[i] = in[i < count ? i : 0];
  return hn::Load(d, padded);
}

template <class D>
HWY_INLINE void store(D d, hn::Vec<D> v, hn::TFromD<D>* out) {
  hn::StoreU(v, d, out);
}

// A mask as bytes 0 and 1. For AVX2 each multiplication spreads four mask bits i to bit 8 i
// (shifts by 7 i; no two products share a bit).
template <class D>
HWY_INLINE void store(D d, hn::Mask<D> mask, bool* out) {
#if HWY_TARGET == HWY_AVX3
  static_cast<void>(d);
  if constexpr (kMaxLanes<hn::TFromD<D>> == 8) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_maskz_set1_epi8(mask.raw, 1));
  } else {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_maskz_set1_epi8(mask.raw, 1));
  }
#else
  uint8_t bits[8];
  hn::StoreMaskBits(d, mask, bits);
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < lanes; i += 4) {
    const uint32_t four = (bits[0] >> i) & 15U;
    const uint32_t bytes = (four * 0x204081U) & 0x01010101U;
    std::memcpy(out + i, &bytes, lanes < 4 ? lanes : 4);
  }
#endif
}

template <class Op, class D, class R, class... V>
HWY_INLINE void apply_part(D d, R* out, size_t count, V... operands) {
  HWY_ALIGN R padded[kMaxLanes<hn::TFromD<D>>];
  store(d, Op::apply(d, operands...), padded);
  for (size_t i = 0; i < count; ++i) out[i] = padded[i];
}

template <class Op, class T>
using Result = std::conditional_t<Op::kMask, bool, T>;

template <class Op, class T, class R>
HWY_NOINLINE void run1(const T* a, R* out, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  for (; n >= 4 * lanes; n -= 4 * lanes) {
    const auto r0 = Op::apply(d, hn::LoadU(d, a));
    const auto r1 = Op::apply(d, hn::LoadU(d, a + lanes));
    const auto r2 = Op::apply(d, hn::LoadU(d, a + 2 * lanes));
    const auto r3 = Op::apply(d, hn::LoadU(d, a + 3 * lanes));
    store(d, r0, out);
    store(d, r1, out + lanes);
    store(d, r2, out + 2 * lanes);
    store(d, r3, out + 3 * lanes);
    a += 4 * lanes;
    out += 4 * lanes;
  }
  for (; n >= lanes; n -= lanes) {
    store(d, Op::apply(d, hn::LoadU(d, a)), out);
    a += lanes;
    out += lanes;
  }
  if (n > 0) apply_part<Op>(d, out, n, load_part(d, a, n));
}

template <class Op, class T, class R>
HWY_NOINLINE void run2(const T* a, size_t a_step, const T* b, size_t b_step, R* out, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  for (; n >= 4 * lanes; n -= 4 * lanes) {
    const auto r0 = Op::apply(d, hn::LoadU(d, a), hn::LoadU(d, b));
    const auto r1 = Op::apply(d, hn::LoadU(d, a + a_step), hn::LoadU(d, b + b_step));
    const auto r2 = Op::apply(d, hn::LoadU(d, a + 2 * a_step), hn::LoadU(d, b + 2 * b_step));
    const auto r3 = Op::apply(d, hn::LoadU(d, a + 3 * a_step), hn::LoadU(d, b + 3 * b_step));
    store(d, r0, out);
    store(d, r1, out + lanes);
    store(d, r2, out + 2 * lanes);
    store(d, r3, out + 3 * lanes);
    a += 4 * a_step;
    b += 4 * b_step;
    out += 4 * lanes;
  }
  for (; n >= lanes; n -= lanes) {
    store(d, Op::apply(d, hn::LoadU(d, a), hn::LoadU(d, b)), out);
    a += a_step;
    b += b_step;
    out += lanes;
  }
  if (n > 0) apply_part<Op>(d, out, n, load_part(d, a, n), load_part(d, b, n));
}

template <class Op, class T, class R>
HWY_NOINLINE void run3(const T* a, size_t a_step, const T* b, size_t b_step, const T* c,
                       size_t c_step, R* out, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  for (; n >= lanes; n -= lanes) {
    store(d, Op::apply(d, hn::LoadU(d, a), hn::LoadU(d, b), hn::LoadU(d, c)), out);
    a += a_step;
    b += b_step;
    c += c_step;
    out += lanes;
  }
  if (n > 0) {
    apply_part<Op>(d, out, n, load_part(d, a, n), load_part(d, b, n), load_part(d, c, n));
  }
}

// Operand k of a kernel: where it is and by how much each vector steps on.
template <class T, unsigned kScalars, unsigned k>
struct Operand {
  static constexpr bool kScalar = ((kScalars >> k) & 1U) != 0;
  HWY_INLINE explicit Operand(const void* const* operands)
      : data(static_cast<const T*>(operands[k])) {
    if constexpr (kScalar) {
      const T value = *data;
      for (T& element : splat) element = value;
      data = splat;
    }
  }
  size_t step() const { return kScalar ? 0 : hn::Lanes(hn::ScalableTag<T>()); }
  const T* data;
  HWY_ALIGN T splat[kScalar ? kMaxLanes<T> : 1];
};

template <class Op, class T>
void entry1(const void* const* operands, void* out, size_t n) {
  run1<Op, T>(static_cast<const T*>(operands[0]), static_cast<Result<Op, T>*>(out), n);
}

template <class Op, class T, unsigned kScalars>
void entry2(const void* const* operands, void* out, size_t n) {
  const Operand<T, kScalars, 0> a(operands);
  const Operand<T, kScalars, 1> b(operands);
  run2<Op, T>(a.data, a.step(), b.data, b.step(), static_cast<Result<Op, T>*>(out), n);
}

template <class Op, class T, unsigned kScalars>
void entry3(const void* const* operands, void* out, size_t n) {
  const Operand<T, kScalars, 0> a(operands);
  const Operand<T, kScalars, 1> b(operands);
  const Operand<T, kScalars, 2> c(operands);
  run3<Op, T>(a.data, a.step(), b.data, b.step(), c.data, c.step(),
              static_cast<Result<Op, T>*>(out), n);
}

template <class Op, class T>
ElementwiseKernel unary(unsigned scalars) {
  return scalars == 0 ? &entry1<Op, T> : nullptr;
}

template <class Op, class T>
ElementwiseKernel binary(unsigned scalars) {
  switch (scalars) {
    case 0: return &entry2<Op, T, 0>;
    case 1: return &entry2<Op, T, 1>;
    case 2: return &entry2<Op, T, 2>;
    default: return nullptr;
  }
}

template <class Op, class T>
ElementwiseKernel ternary(unsigned scalars) {
  switch (scalars) {
    case 0: return &entry3<Op, T, 0>;
    case 1: return &entry3<Op, T, 1>;
    case 2: return &entry3<Op, T, 2>;
    case 3: return &entry3<Op, T, 3>;
    case 4: return &entry3<Op, T, 4>;
    case 5: return &entry3<Op, T, 5>;
    case 6: return &entry3<Op, T, 6>;
    default: return nullptr;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
