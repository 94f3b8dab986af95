// Products of a panel with vectors and small matrices.
//
// A panel is a tile: it lies in L1 or L2, so nothing is packed or blocked for caches. Every sum has
// one fixed order that depends on the shape and the instruction set alone. BLAS is not used here:
// on tiles of some 40 x 100 its calls cost more than they save (measured with OpenBLAS 0.3.21 on
// Zen 5, x' x of such a tile: dgemm 16.6 us, dsyrk 10.8 us, ours 6.4 us), and it would pick its own
// instruction set.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/panel.cpp"

#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "tuff/kernels/across-inl.h"
#include "tuff/kernels/panel.h"
#include "tuff/kernels/unroll-inl.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// ---- x b

// Rows of x from one vector of columns on; kLanes rows become kLanes sums. Missing rows are the
// last row again.
template <class T>
void times_vector_wide(const T* x, size_t rows, size_t cols, size_t stride, const T* b, T* out) {
  const hn::ScalableTag<T> d;
  constexpr size_t kRows = kLanes<T>;
  const size_t whole = cols - cols % kRows;
  const auto rest = hn::FirstN(d, cols - whole);
  // No load with an empty mask: one lane's reads what it masks, and that may be past the end.
  const auto last = whole < cols ? hn::MaskedLoad(rest, d, b + whole) : hn::Zero(d);
  for (size_t r = 0; r < rows; r += kRows, x += kRows * stride) {
    const size_t count = rows - r < kRows ? rows - r : kRows;
    const T* row[kRows];
    Vector<T> sum[kRows];
    for (size_t i = 0; i < kRows; ++i) {
      row[i] = x + (i < count ? i : count - 1) * stride;
      sum[i] = whole < cols ? hn::Mul(last, hn::MaskedLoad(rest, d, row[i] + whole)) : hn::Zero(d);
    }
    for (size_t c = 0; c < whole; c += kRows) {
      const auto factor = hn::LoadU(d, b + c);
      for (size_t i = 0; i < kRows; ++i)
        sum[i] = hn::MulAdd(factor, hn::LoadU(d, row[i] + c), sum[i]);
    }
    const Vector<T> sums = combine_across<Sum, kRows, kRows / 2, T>(sum);
    hn::BlendedStore(sums, hn::FirstN(d, count), d, out + r);
  }
}

#if HWY_TARGET != HWY_SCALAR
// kCols dense columns, kCols a power of two below kLanes: a vector holds several rows, and kCols
// vectors hold kLanes of them. Row i of vector v ends up where v's bits, in combine_across(), and i
// say.
template <size_t kCols, class T>
void times_vector_narrow(const T* x, size_t rows, const T* b, T* out) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  using I = hn::TFromD<decltype(di)>;
  constexpr size_t kRows = kLanes<T>;
  constexpr size_t kPerVector = kRows / kCols;
  HWY_ALIGN T tiled[kRows];
  HWY_ALIGN I place[kRows];
  for (size_t i = 0; i < kRows; ++i) {
    tiled[i] = b[i % kCols];
    place[i] = static_cast<I>(i % kPerVector * kCols + i / kPerVector);
  }
  const auto factor = hn::Load(d, tiled);
  const auto order = hn::SetTableIndices(d, place);
  for (size_t r = 0; r < rows; r += kRows, x += kRows * kCols) {
    const size_t count = rows - r < kRows ? rows - r : kRows;
    Vector<T> part[kCols];
    for (size_t v = 0; v < kCols; ++v) {
      const size_t first = v * kRows, end = count * kCols;
      const auto there = hn::FirstN(d, end > first ? end - first : 0);
      part[v] = hn::Mul(
          factor, count == kRows ? hn::LoadU(d, x + first) : hn::MaskedLoad(there, d, x + first));
    }
    const Vector<T> sums =
        hn::TableLookupLanes(combine_across<Sum, kCols, kCols / 2, T>(part), order);
    hn::BlendedStore(sums, hn::FirstN(d, count), d, out + r);
  }
}
#endif

template <class T>
void times_vector(const void* x_data, size_t rows, size_t cols, size_t stride, const void* b_data,
                  void* out_data) {
  const T* x = static_cast<const T*>(x_data);
  const T* b = static_cast<const T*>(b_data);
  T* out = static_cast<T*>(out_data);
#if HWY_TARGET != HWY_SCALAR
  if (stride == cols) {
    if (cols == 1) return times_vector_narrow<1, T>(x, rows, b, out);
    if (cols == 2) return times_vector_narrow<2, T>(x, rows, b, out);
    if constexpr (4 < kLanes<T>) {
      if (cols == 4) return times_vector_narrow<4, T>(x, rows, b, out);
    }
  }
#endif
  times_vector_wide<T>(x, rows, cols, stride, b, out);
}

// ---- x' w

// Vector v of kVectors, of which only the last is partial.
template <size_t kVectors, class D, class M>
HWY_INLINE hn::Vec<D> load_vector(D d, M last, size_t v, const hn::TFromD<D>* from) {
  return v + 1 < kVectors ? hn::LoadU(d, from + v * hn::MaxLanes(d))
                          : hn::MaskedLoad(last, d, from + v * hn::MaxLanes(d));
}
template <size_t kVectors, class D, class M>
HWY_INLINE void store_vector(D d, M last, size_t v, hn::Vec<D> value, hn::TFromD<D>* to) {
  if (v + 1 < kVectors) {
    hn::StoreU(value, d, to + v * hn::MaxLanes(d));
  } else {
    hn::BlendedStore(value, last, d, to + v * hn::MaxLanes(d));
  }
}

// kVectors vectors of columns over all rows, kUnroll rows at once: enough independent sums to keep
// two multiply-adds going.
template <size_t kVectors, size_t kUnroll, class T, class M>
HWY_INLINE void add_weighted_rows(const T* x, size_t rows, size_t stride, const T* w, M last,
                                  T* out) {
  const hn::ScalableTag<T> d;
  Vector<T> sum[kUnroll][kVectors];
  unroll<kVectors>([&](size_t v) TUFF_INLINED {
    sum[0][v] = load_vector<kVectors>(d, last, v, out);
    unroll<kUnroll - 1>([&](size_t u) TUFF_INLINED { sum[u + 1][v] = hn::Zero(d); });
  });
  size_t r = 0;
  for (; r + kUnroll <= rows; r += kUnroll, x += kUnroll * stride) {
    unroll<kUnroll>([&](size_t u) TUFF_INLINED {
      const auto weight = hn::Set(d, w[r + u]);
      unroll<kVectors>([&](size_t v) TUFF_INLINED {
        sum[u][v] =
            hn::MulAdd(weight, load_vector<kVectors>(d, last, v, x + u * stride), sum[u][v]);
      });
    });
  }
  for (; r < rows; ++r, x += stride) {
    const auto weight = hn::Set(d, w[r]);
    unroll<kVectors>([&](size_t v) TUFF_INLINED {
      sum[0][v] = hn::MulAdd(weight, load_vector<kVectors>(d, last, v, x), sum[0][v]);
    });
  }
  unroll<kVectors>([&](size_t v) TUFF_INLINED {
    unroll<kUnroll - 1>([&](size_t u)
                            TUFF_INLINED { sum[0][v] = hn::Add(sum[0][v], sum[u + 1][v]); });
    store_vector<kVectors>(d, last, v, sum[0][v], out);
  });
}

#if HWY_TARGET != HWY_SCALAR
// kCols dense columns, at most 8: kLanes rows are kCols full vectors, each weighted by a
// permutation of kLanes weights. Lane l of sum v belongs to column (v kLanes + l) % kCols.
template <size_t kCols, class T>
void transposed_times_vector_narrow(const T* x, size_t rows, const T* w, T* out) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  using I = hn::TFromD<decltype(di)>;
  constexpr size_t kRows = kLanes<T>;
  using Order = decltype(hn::SetTableIndices(d, static_cast<const I*>(nullptr)));
  Order order[kCols];
  Vector<T> sum[kCols];
  for (size_t v = 0; v < kCols; ++v) {
    HWY_ALIGN I row[kRows];
    for (size_t l = 0; l < kRows; ++l) row[l] = static_cast<I>((v * kRows + l) / kCols);
    order[v] = hn::SetTableIndices(d, row);
    sum[v] = hn::Zero(d);
  }
  size_t r = 0;
  for (; r + kRows <= rows; r += kRows, x += kRows * kCols) {
    const auto weights = hn::LoadU(d, w + r);
    for (size_t v = 0; v < kCols; ++v) {
      sum[v] =
          hn::MulAdd(hn::TableLookupLanes(weights, order[v]), hn::LoadU(d, x + v * kRows), sum[v]);
    }
  }
  HWY_ALIGN T lane[kCols * kRows];
  for (size_t v = 0; v < kCols; ++v) hn::Store(sum[v], d, lane + v * kRows);
  for (size_t c = 0; c < kCols; ++c) {
    T total = 0;
    for (size_t l = c; l < kCols * kRows; l += kCols) total += lane[l];
    for (size_t rest = r; rest < rows; ++rest) total += x[(rest - r) * kCols + c] * w[rest];
    out[c] += total;
  }
}

template <class T>
bool transposed_times_few(const T* x, size_t rows, size_t cols, const T* w, T* out) {
  switch (cols) {
    case 1: transposed_times_vector_narrow<1, T>(x, rows, w, out); return true;
    case 2: transposed_times_vector_narrow<2, T>(x, rows, w, out); return true;
    case 3: transposed_times_vector_narrow<3, T>(x, rows, w, out); return true;
    case 4: transposed_times_vector_narrow<4, T>(x, rows, w, out); return true;
    case 5: transposed_times_vector_narrow<5, T>(x, rows, w, out); return true;
    case 6: transposed_times_vector_narrow<6, T>(x, rows, w, out); return true;
    case 7: transposed_times_vector_narrow<7, T>(x, rows, w, out); return true;
    case 8: transposed_times_vector_narrow<8, T>(x, rows, w, out); return true;
    default: return false;
  }
}
#endif

template <class T>
void transposed_times_vector(const void* x_data, size_t rows, size_t cols, size_t stride,
                             const void* w_data, void* out_data) {
  const hn::ScalableTag<T> d;
  constexpr size_t kStep = kLanes<T>;
  const T* x = static_cast<const T*>(x_data);
  const T* w = static_cast<const T*>(w_data);
  T* out = static_cast<T*>(out_data);
#if HWY_TARGET != HWY_SCALAR
  // Fewer rows than this are done before the permutations are set up.
  if (stride == cols && rows >= 2 * kStep && transposed_times_few(x, rows, cols, w, out)) return;
#endif
  size_t c = 0;
  for (; c + 4 * kStep <= cols; c += 4 * kStep) {
    add_weighted_rows<4, 2>(x + c, rows, stride, w, hn::FirstN(d, kStep), out + c);
  }
  const size_t vectors = (cols - c + kStep - 1) / kStep;
  const auto last = hn::FirstN(d, vectors == 0 ? 0 : cols - c - (vectors - 1) * kStep);
  if (vectors == 1) add_weighted_rows<1, 8>(x + c, rows, stride, w, last, out + c);
  if (vectors == 2) add_weighted_rows<2, 4>(x + c, rows, stride, w, last, out + c);
  if (vectors == 3) add_weighted_rows<3, 2>(x + c, rows, stride, w, last, out + c);
  if (vectors == 4) add_weighted_rows<4, 2>(x + c, rows, stride, w, last, out + c);
}

// ---- products with matrices

// The sums of kRows x kVectors vectors fill the registers but for a row of B and a factor (24 + 4
// of 32; 12 + 4 of 16).
constexpr size_t kBlockRows = HWY_TARGET == HWY_AVX3 ? 8 : 4;
constexpr size_t kBlockVectors = 3;

// C (m x n) = or += A (m x k) B (k x n): A by any two strides, rows of B and C dense.
template <class T>
struct Product {
  const T* a;
  size_t a_row, a_col;
  const T* b;
  size_t b_stride;
  T* c;
  size_t c_stride;
  size_t m, n, k;
  bool accumulate;
};

// How many terms of each sum are added apart: with few sums, each would wait for itself.
constexpr size_t unroll_of(size_t sums) {
  return sums <= 1 ? 8 : sums <= 2 ? 4 : sums <= 6 ? 2 : 1;
}

template <size_t kRows, size_t kVectors, class T>
HWY_NOINLINE void multiply_block(const Product<T>& p, size_t i, size_t j) {
  const hn::ScalableTag<T> d;
  constexpr size_t kStep = kLanes<T>;
  constexpr size_t kUnroll = unroll_of(kRows * kVectors);
  const size_t columns = p.n - j - (kVectors - 1) * kStep;
  const auto last = hn::FirstN(d, columns < kStep ? columns : kStep);
  T* c = p.c + i * p.c_stride + j;
  Vector<T> sum[kUnroll][kRows][kVectors];
  unroll<kRows>([&](size_t r) TUFF_INLINED {
    unroll<kVectors>([&](size_t v) TUFF_INLINED {
      unroll<kUnroll>([&](size_t u) TUFF_INLINED { sum[u][r][v] = hn::Zero(d); });
      if (p.accumulate) sum[0][r][v] = load_vector<kVectors>(d, last, v, c + r * p.c_stride);
    });
  });
  const T* a = p.a + i * p.a_row;
  const T* b = p.b + j;
  const size_t a_row = p.a_row, a_col = p.a_col, b_stride = p.b_stride;
  const auto add_term = [&](size_t u, const T* a_term, const T* b_term) TUFF_INLINED {
    Vector<T> row[kVectors];
    unroll<kVectors>([&](size_t v)
                         TUFF_INLINED { row[v] = load_vector<kVectors>(d, last, v, b_term); });
    unroll<kRows>([&](size_t r) TUFF_INLINED {
      const auto factor = hn::Set(d, a_term[r * a_row]);
      unroll<kVectors>(
          [&](size_t v) TUFF_INLINED { sum[u][r][v] = hn::MulAdd(factor, row[v], sum[u][r][v]); });
    });
  };
  size_t k = 0;
  for (; k + kUnroll <= p.k; k += kUnroll, a += kUnroll * a_col, b += kUnroll * b_stride) {
    unroll<kUnroll>([&](size_t u) TUFF_INLINED { add_term(u, a + u * a_col, b + u * b_stride); });
  }
  for (; k < p.k; ++k, a += a_col, b += b_stride) add_term(0, a, b);
  unroll<kRows>([&](size_t r) TUFF_INLINED {
    unroll<kVectors>([&](size_t v) TUFF_INLINED {
      unroll<kUnroll - 1>(
          [&](size_t u) TUFF_INLINED { sum[0][r][v] = hn::Add(sum[0][r][v], sum[u + 1][r][v]); });
      store_vector<kVectors>(d, last, v, sum[0][r][v], c + r * p.c_stride);
    });
  });
}

template <size_t kRows, class T>
void multiply_rows(const Product<T>& p, size_t i, size_t first_column) {
  constexpr size_t kStep = kLanes<T>;
  size_t j = first_column;
  for (; j + 2 * kStep < p.n; j += kBlockVectors * kStep)
    multiply_block<kRows, kBlockVectors>(p, i, j);
  if (j + kStep < p.n) {
    multiply_block<kRows, 2>(p, i, j);
  } else if (j < p.n) {
    multiply_block<kRows, 1>(p, i, j);
  }
}

// Copies the upper triangle to the lower one, a few rows at a time so that cache lines are used up.
template <class T>
void mirror(T* c, size_t n, size_t stride) {
  constexpr size_t kTile = 8;
  for (size_t i = 0; i < n; i += kTile) {
    const size_t count = n - i < kTile ? n - i : kTile;
    for (size_t j = 0; j < i; ++j) {
      const T* from = c + j * stride + i;
      for (size_t r = 0; r < count; ++r) c[(i + r) * stride + j] = from[r];
    }
    for (size_t r = 1; r < count; ++r) {
      for (size_t j = i; j < i + r; ++j) c[(i + r) * stride + j] = c[j * stride + i + r];
    }
  }
}

// Of a symmetric product, only blocks that touch the upper triangle are computed.
template <class T>
void multiply(const Product<T>& p, bool symmetric) {
  constexpr size_t kWidth = kBlockVectors * kLanes<T>;
  for (size_t i = 0; i < p.m;) {
    const size_t first = symmetric ? i - i % kWidth : 0;
    if (kBlockRows > 4 && i + kBlockRows <= p.m) {
      multiply_rows<kBlockRows>(p, i, first);
      i += kBlockRows;
    } else if (i + 4 <= p.m) {
      multiply_rows<4>(p, i, first);
      i += 4;
    } else if (i + 2 <= p.m) {
      multiply_rows<2>(p, i, first);
      i += 2;
    } else {
      multiply_rows<1>(p, i, first);
      i += 1;
    }
  }
  if (symmetric) mirror(p.c, p.m, p.c_stride);
}

template <class T>
void times_matrix(const void* x, size_t rows, size_t p, size_t stride, const void* b, size_t q,
                  void* out) {
  if (q == 1) return times_vector<T>(x, rows, p, stride, b, out);
  const Product<T> product{static_cast<const T*>(x),
                           stride,
                           1,
                           static_cast<const T*>(b),
                           q,
                           static_cast<T*>(out),
                           q,
                           rows,
                           q,
                           p,
                           false};
  multiply(product, false);
}

template <class T>
void transposed_times_panel(const void* x, size_t rows, size_t p, size_t x_stride, const void* z,
                            size_t q, size_t z_stride, void* out) {
  const Product<T> product{static_cast<const T*>(x),
                           1,
                           x_stride,
                           static_cast<const T*>(z),
                           z_stride,
                           static_cast<T*>(out),
                           q,
                           p,
                           q,
                           rows,
                           true};
  multiply(product, x == z && p == q && x_stride == z_stride);
}

template <class T>
const PanelKernels* panel_of() {
  static constexpr PanelKernels kernels = {&times_vector<T>, &transposed_times_vector<T>,
                                           &times_matrix<T>, &transposed_times_panel<T>};
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
