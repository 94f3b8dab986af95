// The loops of the float64 reductions: a run of elements into a value (`flat`) and rows into
// columns (`columns`), for any combination of two values.
//
// Included by reduce_float.cpp and reduce_moments.cpp, once per target. Narrow matrices are
// *folded*: k rows of `cols` dense elements are one row of k * cols, so that vectors are full at
// any number of columns.
#if defined(TUFF_KERNELS_REDUCE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUFF_KERNELS_REDUCE_INL_H_
#undef TUFF_KERNELS_REDUCE_INL_H_
#else
#define TUFF_KERNELS_REDUCE_INL_H_
#endif

#include <cstring>
#include <limits>
#include <numeric>

#include "hwy/highway.h"

#include "tuff/kernels/across-inl.h"
#include "tuff/kernels/reduce_tables.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

// Elements summed without compensation, 32 KB of float64: what is left of rounding error is that of
// some 4096 / 64 additions per lane, and a tile's second pass finds it in L1.
constexpr size_t kRun = 4096;
// Rows that are summed without compensation, for the same reason.
constexpr size_t kRowRun = 1024;
// Columns reduced at once; their results lie on the stack.
constexpr size_t kStrip = 512;
// The widest folded row: see fold_of().
constexpr size_t kFolded = 2048;

// The first `count` elements (fewer than a vector), then the identity.
template <class P, class D>
HWY_INLINE hn::Vec<D> load_part(D d, const hn::TFromD<D>* x, size_t count) {
  const auto identity = hn::Set(d, P::template identity<hn::TFromD<D>>());
  if (count == 0) return identity;  // one lane's masked load reads what it masks
  const auto mask = hn::FirstN(d, count);
  return hn::IfThenElse(mask, hn::MaskedLoad(mask, d, x), identity);
}

template <class P, class D>
HWY_INLINE hn::TFromD<D> across_lanes(D d, hn::Vec<D> v) {
  using T = hn::TFromD<D>;
  HWY_ALIGN T lane[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(v, d, lane);
  for (size_t width = hn::Lanes(d) / 2; width > 0; width /= 2) {
    for (size_t i = 0; i < width; ++i) lane[i] = P::combine_one(lane[i], lane[i + width]);
  }
  return lane[0];
}

// Eight accumulators: an addition takes 3 to 4 cycles and two can start in each. With `kAhead`, lines
// are asked for 4 KB early, 100 ns before they are needed at 40 GB/s: for runs in memory, after which
// more follows.
template <class P, class T, bool kAhead = false>
HWY_NOINLINE T flat(const T* x, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto identity = hn::Set(d, P::template identity<T>());
  auto a0 = identity, a1 = identity, a2 = identity, a3 = identity;
  auto a4 = identity, a5 = identity, a6 = identity, a7 = identity;
  for (; n >= 8 * lanes; n -= 8 * lanes) {
    if constexpr (kAhead) {
      for (size_t at = 0; at < 8 * lanes; at += 64 / sizeof(T)) {
        __builtin_prefetch(x + 4096 / sizeof(T) + at);
      }
    }
    a0 = P::combine(d, a0, hn::LoadU(d, x));
    a1 = P::combine(d, a1, hn::LoadU(d, x + lanes));
    a2 = P::combine(d, a2, hn::LoadU(d, x + 2 * lanes));
    a3 = P::combine(d, a3, hn::LoadU(d, x + 3 * lanes));
    a4 = P::combine(d, a4, hn::LoadU(d, x + 4 * lanes));
    a5 = P::combine(d, a5, hn::LoadU(d, x + 5 * lanes));
    a6 = P::combine(d, a6, hn::LoadU(d, x + 6 * lanes));
    a7 = P::combine(d, a7, hn::LoadU(d, x + 7 * lanes));
    x += 8 * lanes;
  }
  for (; n >= lanes; n -= lanes) {
    a0 = P::combine(d, a0, hn::LoadU(d, x));
    x += lanes;
  }
  if (n > 0) a1 = P::combine(d, a1, load_part<P>(d, x, n));
  a0 = P::combine(d, P::combine(d, a0, a4), P::combine(d, a1, a5));
  a2 = P::combine(d, P::combine(d, a2, a6), P::combine(d, a3, a7));
  return across_lanes<P>(d, P::combine(d, a0, a2));
}

// out[c] = all rows of column c. Four vectors of columns at a time, even and odd rows apart.
template <class P, class T>
HWY_NOINLINE void columns(const T* x, size_t rows, size_t cols, size_t stride, T* out) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto identity = hn::Set(d, P::template identity<T>());
  size_t c = 0;
  for (; c + 4 * lanes <= cols; c += 4 * lanes) {
    auto a0 = identity, a1 = identity, a2 = identity, a3 = identity;
    auto b0 = identity, b1 = identity, b2 = identity, b3 = identity;
    const T* row = x + c;
    size_t r = 0;
    for (; r + 2 <= rows; r += 2, row += 2 * stride) {
      const T* next = row + stride;
      a0 = P::combine(d, a0, hn::LoadU(d, row));
      a1 = P::combine(d, a1, hn::LoadU(d, row + lanes));
      a2 = P::combine(d, a2, hn::LoadU(d, row + 2 * lanes));
      a3 = P::combine(d, a3, hn::LoadU(d, row + 3 * lanes));
      b0 = P::combine(d, b0, hn::LoadU(d, next));
      b1 = P::combine(d, b1, hn::LoadU(d, next + lanes));
      b2 = P::combine(d, b2, hn::LoadU(d, next + 2 * lanes));
      b3 = P::combine(d, b3, hn::LoadU(d, next + 3 * lanes));
    }
    if (r < rows) {
      a0 = P::combine(d, a0, hn::LoadU(d, row));
      a1 = P::combine(d, a1, hn::LoadU(d, row + lanes));
      a2 = P::combine(d, a2, hn::LoadU(d, row + 2 * lanes));
      a3 = P::combine(d, a3, hn::LoadU(d, row + 3 * lanes));
    }
    hn::StoreU(P::combine(d, a0, b0), d, out + c);
    hn::StoreU(P::combine(d, a1, b1), d, out + c + lanes);
    hn::StoreU(P::combine(d, a2, b2), d, out + c + 2 * lanes);
    hn::StoreU(P::combine(d, a3, b3), d, out + c + 3 * lanes);
  }
  for (; c < cols; c += lanes) {
    const size_t count = cols - c < lanes ? cols - c : lanes;
    const auto mask = hn::FirstN(d, count);
    auto a = identity, b = identity;
    const T* row = x + c;
    size_t r = 0;
    for (; r + 2 <= rows; r += 2, row += 2 * stride) {
      a = P::combine(d, a, hn::MaskedLoad(mask, d, row));
      b = P::combine(d, b, hn::MaskedLoad(mask, d, row + stride));
    }
    if (r < rows) a = P::combine(d, a, hn::MaskedLoad(mask, d, row));
    hn::BlendedStore(P::combine(d, a, b), mask, d, out + c);
  }
}

// How many rows of `cols` to see as one: at least four full vectors, without a partial one. Below 2
// folded rows, or with 8 vectors per row already, folding gains nothing.
template <class T>
size_t fold_of(size_t rows, size_t cols) {
  const size_t lanes = hn::Lanes(hn::ScalableTag<T>());
  if (cols == 0 || cols >= 8 * lanes) return 1;
  const size_t full = lanes / std::gcd(cols, lanes);
  const size_t width = full * cols;
  const size_t fold = full * ((4 * lanes + width - 1) / width);
  return rows >= 2 * fold ? fold : 1;
}

// out[c] = all rows of column c, folding narrow matrices; cols <= kStrip, or fold == 1.
template <class P, class T>
void folded_columns(const T* x, size_t rows, size_t cols, size_t stride, size_t fold, T* out) {
  if (fold == 1) return columns<P>(x, rows, cols, stride, out);
  HWY_ALIGN T wide[kFolded];
  const size_t width = fold * cols;
  columns<P>(x, rows / fold, width, width, wide);
  std::memcpy(out, wide, cols * sizeof(T));
  for (size_t part = 1; part < fold; ++part) {
    for (size_t c = 0; c < cols; ++c) out[c] = P::combine_one(out[c], wide[part * cols + c]);
  }
  for (size_t r = rows - rows % fold; r < rows; ++r) {
    for (size_t c = 0; c < cols; ++c) out[c] = P::combine_one(out[c], x[r * cols + c]);
  }
}

// Calls piece(first row, rows, first column, columns, fold) over the tile.
template <class T, class Piece>
void for_each_piece(size_t rows, size_t cols, Piece piece) {
  const size_t fold = fold_of<T>(rows, cols);
  const size_t run = kRowRun * fold;
  for (size_t r = 0; r < rows; r += run) {
    const size_t row_count = rows - r < run ? rows - r : run;
    for (size_t c = 0; c < cols; c += kStrip) {
      piece(r, row_count, c, cols - c < kStrip ? cols - c : kStrip, row_count < fold ? 1 : fold);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
