// Products of a panel with vectors, by Highway, and with small matrices, by BLAS.
//
// Every sum has one fixed order that depends on the shape and the instruction set alone (for BLAS: on
// the processor's kind).
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/panel.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"
#include "tuff/kernels/blas.h"
#include "tuff/kernels/panel.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::TFromD<D> across_lanes(D d, hn::Vec<D> v) {
  using T = hn::TFromD<D>;
  HWY_ALIGN T lane[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(v, d, lane);
  for (size_t width = hn::Lanes(d) / 2; width > 0; width /= 2) {
    for (size_t i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}

// Four rows at a time: one load of b serves all, and four sums run side by side.
template <class T>
void times_vector(const void* x_data, size_t rows, size_t cols, size_t stride, const void* b_data,
                  void* out_data) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const T* x = static_cast<const T*>(x_data);
  const T* b = static_cast<const T*>(b_data);
  T* out = static_cast<T*>(out_data);
  const size_t whole = cols - cols % lanes;
  const auto rest = hn::FirstN(d, cols - whole);
  const auto last = hn::MaskedLoad(rest, d, b + whole);
  size_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * stride) {
    auto a0 = hn::Mul(last, hn::MaskedLoad(rest, d, x + whole));
    auto a1 = hn::Mul(last, hn::MaskedLoad(rest, d, x + stride + whole));
    auto a2 = hn::Mul(last, hn::MaskedLoad(rest, d, x + 2 * stride + whole));
    auto a3 = hn::Mul(last, hn::MaskedLoad(rest, d, x + 3 * stride + whole));
    for (size_t c = 0; c < whole; c += lanes) {
      const auto factor = hn::LoadU(d, b + c);
      a0 = hn::MulAdd(factor, hn::LoadU(d, x + c), a0);
      a1 = hn::MulAdd(factor, hn::LoadU(d, x + stride + c), a1);
      a2 = hn::MulAdd(factor, hn::LoadU(d, x + 2 * stride + c), a2);
      a3 = hn::MulAdd(factor, hn::LoadU(d, x + 3 * stride + c), a3);
    }
    out[r] = across_lanes(d, a0);
    out[r + 1] = across_lanes(d, a1);
    out[r + 2] = across_lanes(d, a2);
    out[r + 3] = across_lanes(d, a3);
  }
  for (; r < rows; ++r, x += stride) {
    auto a = hn::Mul(last, hn::MaskedLoad(rest, d, x + whole));
    for (size_t c = 0; c < whole; c += lanes) {
      a = hn::MulAdd(hn::LoadU(d, b + c), hn::LoadU(d, x + c), a);
    }
    out[r] = across_lanes(d, a);
  }
}

// Four vectors of columns at a time stay in registers over all rows.
template <class T>
void transposed_times_vector(const void* x_data, size_t rows, size_t cols, size_t stride,
                             const void* w_data, void* out_data) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const T* x = static_cast<const T*>(x_data);
  const T* w = static_cast<const T*>(w_data);
  T* out = static_cast<T*>(out_data);
  size_t c = 0;
  for (; c + 4 * lanes <= cols; c += 4 * lanes) {
    auto a0 = hn::LoadU(d, out + c);
    auto a1 = hn::LoadU(d, out + c + lanes);
    auto a2 = hn::LoadU(d, out + c + 2 * lanes);
    auto a3 = hn::LoadU(d, out + c + 3 * lanes);
    const T* row = x + c;
    for (size_t r = 0; r < rows; ++r, row += stride) {
      const auto weight = hn::Set(d, w[r]);
      a0 = hn::MulAdd(weight, hn::LoadU(d, row), a0);
      a1 = hn::MulAdd(weight, hn::LoadU(d, row + lanes), a1);
      a2 = hn::MulAdd(weight, hn::LoadU(d, row + 2 * lanes), a2);
      a3 = hn::MulAdd(weight, hn::LoadU(d, row + 3 * lanes), a3);
    }
    hn::StoreU(a0, d, out + c);
    hn::StoreU(a1, d, out + c + lanes);
    hn::StoreU(a2, d, out + c + 2 * lanes);
    hn::StoreU(a3, d, out + c + 3 * lanes);
  }
  for (; c < cols; c += lanes) {
    const auto mask = hn::FirstN(d, cols - c < lanes ? cols - c : lanes);
    auto a = hn::MaskedLoad(mask, d, out + c);
    const T* row = x + c;
    for (size_t r = 0; r < rows; ++r, row += stride) {
      a = hn::MulAdd(hn::Set(d, w[r]), hn::MaskedLoad(mask, d, row), a);
    }
    hn::BlendedStore(a, mask, d, out + c);
  }
}

template <class T>
void times_matrix(const void* x, size_t rows, size_t p, size_t stride, const void* b, size_t q, void* out) {
  if (rows == 0 || q == 0) return;
  gemm(CblasNoTrans, CblasNoTrans, static_cast<blasint>(rows), static_cast<blasint>(q),
       static_cast<blasint>(p), static_cast<const T*>(x), static_cast<blasint>(stride),
       static_cast<const T*>(b), static_cast<blasint>(q), T(0), static_cast<T*>(out),
       static_cast<blasint>(q));
}

template <class T>
void transposed_times_panel(const void* x, size_t rows, size_t p, size_t x_stride, const void* z, size_t q,
                            size_t z_stride, void* out) {
  if (p == 0 || q == 0) return;
  gemm(CblasTrans, CblasNoTrans, static_cast<blasint>(p), static_cast<blasint>(q),
       static_cast<blasint>(rows), static_cast<const T*>(x), static_cast<blasint>(x_stride),
       static_cast<const T*>(z), static_cast<blasint>(z_stride), T(1), static_cast<T*>(out),
       static_cast<blasint>(q));
}

template <class T>
const PanelKernels* panel_of() {
  static constexpr PanelKernels kernels = {&times_vector<T>, &transposed_times_vector<T>, &times_matrix<T>,
                                           &transposed_times_panel<T>};
  return &kernels;
}

const PanelKernels* find_panel_here(DType element) {
  if (element == DType::float32) return panel_of<float>();
  if (element == DType::float64) return panel_of<double>();
  return nullptr;
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {

const PanelKernels* find_panel(DType element) { return TUFF_DISPATCH(find_panel_here)(element); }

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
