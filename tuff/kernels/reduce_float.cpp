// Reductions of float64 (sum, moments) and of float32 and float64 (min, max), with Highway.
//
// Three loops do all the work: one run of elements into a value (`flat`), rows into columns (`columns`)
// and rows into columns of squared deviations (`deviations`). Narrow matrices are *folded*: k rows of
// `cols` dense elements are one row of k * cols, so that vectors are full at any number of columns.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/reduce_float.cpp"
#include "hwy/foreach_target.h"

#include <cstring>
#include <limits>
#include <numeric>

#include "hwy/highway.h"
#include "tuff/kernels/reduce_tables.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Elements summed without compensation, 32 KB of float64: what is left of rounding error is that of
// some 4096 / 64 additions per lane, and a tile's second pass finds it in L1.
constexpr size_t kRun = 4096;
// Rows that are summed without compensation, for the same reason.
constexpr size_t kRowRun = 1024;
// Columns reduced at once; their results lie on the stack.
constexpr size_t kStrip = 512;
// The widest folded row: see fold_of().
constexpr size_t kFolded = 2048;

struct Sum {
  template <class T>
  static constexpr T identity() { return T(0); }
  template <class D, class V>
  static HWY_INLINE V combine(D, V total, V x) { return hn::Add(total, x); }
  template <class T>
  static HWY_INLINE T combine_one(T total, T x) { return total + x; }
};

// NaN wins. On x86, Min(x, least) returns `least` when either is NaN; elsewhere a comparison does.
struct Min {
  template <class T>
  static constexpr T identity() { return std::numeric_limits<T>::infinity(); }
  template <class D, class V>
  static HWY_INLINE V combine(D, V least, V x) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
    return hn::IfThenElse(hn::IsNaN(x), x, hn::Min(x, least));
#else
    return hn::IfThenElse(hn::Or(hn::Lt(x, least), hn::IsNaN(x)), x, least);
#endif
  }
  template <class T>
  static HWY_INLINE T combine_one(T least, T x) { return x < least || x != x ? x : least; }
};
struct Max {
  template <class T>
  static constexpr T identity() { return -std::numeric_limits<T>::infinity(); }
  template <class D, class V>
  static HWY_INLINE V combine(D, V greatest, V x) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
    return hn::IfThenElse(hn::IsNaN(x), x, hn::Max(x, greatest));
#else
    return hn::IfThenElse(hn::Or(hn::Gt(x, greatest), hn::IsNaN(x)), x, greatest);
#endif
  }
  template <class T>
  static HWY_INLINE T combine_one(T greatest, T x) { return x > greatest || x != x ? x : greatest; }
};

// The first `count` elements (fewer than a vector), then the identity.
template <class P, class D>
HWY_INLINE hn::Vec<D> load_part(D d, const hn::TFromD<D>* x, size_t count) {
  const auto mask = hn::FirstN(d, count);
  return hn::IfThenElse(mask, hn::MaskedLoad(mask, d, x),
                        hn::Set(d, P::template identity<hn::TFromD<D>>()));
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

// Eight accumulators: an addition takes 3 to 4 cycles and two can start in each.
template <class P, class T>
HWY_NOINLINE T flat(const T* x, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto identity = hn::Set(d, P::template identity<T>());
  auto a0 = identity, a1 = identity, a2 = identity, a3 = identity;
  auto a4 = identity, a5 = identity, a6 = identity, a7 = identity;
  for (; n >= 8 * lanes; n -= 8 * lanes) {
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

// squares[c] = sum of (x - mean)^2 over rows, shift[c] = sum of x - mean: what rounding left in the mean.
HWY_NOINLINE void deviations(const double* x, size_t rows, size_t cols, size_t stride,
                             const double* mean, double* squares, double* shift) {
  const hn::ScalableTag<double> d;
  const size_t lanes = hn::Lanes(d);
  size_t c = 0;
  for (; c + 2 * lanes <= cols; c += 2 * lanes) {
    const auto mean0 = hn::LoadU(d, mean + c);
    const auto mean1 = hn::LoadU(d, mean + c + lanes);
    auto s0 = hn::Zero(d), s1 = s0, t0 = s0, t1 = s0;
    auto q0 = s0, q1 = s0, u0 = s0, u1 = s0;
    const double* row = x + c;
    size_t r = 0;
    for (; r + 2 <= rows; r += 2, row += 2 * stride) {
      const auto d0 = hn::Sub(hn::LoadU(d, row), mean0);
      const auto d1 = hn::Sub(hn::LoadU(d, row + lanes), mean1);
      const auto e0 = hn::Sub(hn::LoadU(d, row + stride), mean0);
      const auto e1 = hn::Sub(hn::LoadU(d, row + stride + lanes), mean1);
      s0 = hn::MulAdd(d0, d0, s0);
      s1 = hn::MulAdd(d1, d1, s1);
      t0 = hn::MulAdd(e0, e0, t0);
      t1 = hn::MulAdd(e1, e1, t1);
      q0 = hn::Add(q0, d0);
      q1 = hn::Add(q1, d1);
      u0 = hn::Add(u0, e0);
      u1 = hn::Add(u1, e1);
    }
    if (r < rows) {
      const auto d0 = hn::Sub(hn::LoadU(d, row), mean0);
      const auto d1 = hn::Sub(hn::LoadU(d, row + lanes), mean1);
      s0 = hn::MulAdd(d0, d0, s0);
      s1 = hn::MulAdd(d1, d1, s1);
      q0 = hn::Add(q0, d0);
      q1 = hn::Add(q1, d1);
    }
    hn::StoreU(hn::Add(s0, t0), d, squares + c);
    hn::StoreU(hn::Add(s1, t1), d, squares + c + lanes);
    hn::StoreU(hn::Add(q0, u0), d, shift + c);
    hn::StoreU(hn::Add(q1, u1), d, shift + c + lanes);
  }
  for (; c < cols; c += lanes) {
    const auto mask = hn::FirstN(d, cols - c < lanes ? cols - c : lanes);
    const auto center = hn::MaskedLoad(mask, d, mean + c);
    auto s = hn::Zero(d), q = s;
    for (size_t r = 0; r < rows; ++r) {
      const auto difference = hn::Sub(hn::MaskedLoad(mask, d, x + r * stride + c), center);
      s = hn::MulAdd(difference, difference, s);
      q = hn::Add(q, difference);
    }
    hn::BlendedStore(s, mask, d, squares + c);
    hn::BlendedStore(q, mask, d, shift + c);
  }
}

// How many rows of `cols` to see as one: at least four full vectors, without a partial one. Below 2
// folded rows, or with 8 vectors per row already, folding gains nothing.
template <class T>
size_t fold_of(size_t rows, size_t cols) {
  const size_t lanes = hn::Lanes(hn::ScalableTag<T>());
  if (cols >= 8 * lanes) return 1;
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

// ---- sum of float64

size_t sum_bytes(size_t count) { return 2 * count * sizeof(double); }

void sum_start(void* state, size_t count) { std::memset(state, 0, sum_bytes(count)); }

void sum_flat(const void* x, size_t n, void* state) {
  const double* element = static_cast<const double*>(x);
  double* total = static_cast<double*>(state);
  for (size_t i = 0; i < n; i += kRun) {
    add_compensated(total[0], total[1], flat<Sum>(element + i, n - i < kRun ? n - i : kRun));
  }
}

void sum_columns(const void* x, size_t rows, size_t cols, void* state) {
  if (cols == 1) return sum_flat(x, rows, state);
  const double* element = static_cast<const double*>(x);
  double* total = static_cast<double*>(state);
  double* compensation = total + cols;
  for_each_piece<double>(rows, cols, [=](size_t r, size_t row_count, size_t c, size_t count, size_t fold) {
    HWY_ALIGN double sums[kStrip];
    folded_columns<Sum>(element + r * cols + c, row_count, count, cols, fold, sums);
    for (size_t i = 0; i < count; ++i) {
      add_compensated(total[c + i], compensation[c + i], sums[i]);
    }
  });
}

// Rows of up to this many elements are reduced one element after the other: rows overlap in the
// processor, and a vector loop would spend its time on crossing lanes.
constexpr size_t kShortRow = 16;

template <class P, class T>
HWY_INLINE T short_row(const T* x, size_t n) {
  T value = P::template identity<T>();
  for (size_t i = 0; i < n; ++i) value = P::combine_one(value, x[i]);
  return value;
}

void sum_rows(const void* x, size_t rows, size_t cols, void* out) {
  const double* row = static_cast<const double*>(x);
  double* sum = static_cast<double*>(out);
  for (size_t r = 0; r < rows; ++r, row += cols) {
    if (cols <= kShortRow) {
      sum[r] = short_row<Sum>(row, cols);
    } else {
      double state[2] = {0, 0};
      sum_flat(row, cols, state);
      sum[r] = compensated_value(state[0], state[1]);
    }
  }
}

void sum_merge(void* state, const void* other, size_t count) {
  double* total = static_cast<double*>(state);
  const double* more = static_cast<const double*>(other);
  for (size_t c = 0; c < count; ++c) {
    add_compensated(total[c], total[count + c], more[c]);
    total[count + c] += more[count + c];
  }
}

void sum_finish(const void* state, size_t count, void* out) {
  const double* total = static_cast<const double*>(state);
  double* sum = static_cast<double*>(out);
  for (size_t c = 0; c < count; ++c) sum[c] = compensated_value(total[c], total[count + c]);
}

// ---- min and max

template <class P, class T>
struct Extreme {
  static size_t bytes(size_t count) { return count * sizeof(T); }
  static void start(void* state, size_t count) {
    T* value = static_cast<T*>(state);
    for (size_t c = 0; c < count; ++c) value[c] = P::template identity<T>();
  }
  static void add_flat(const void* x, size_t n, void* state) {
    T* value = static_cast<T*>(state);
    *value = P::combine_one(*value, flat<P>(static_cast<const T*>(x), n));
  }
  static void add_columns(const void* x, size_t rows, size_t cols, void* state) {
    const T* element = static_cast<const T*>(x);
    T* value = static_cast<T*>(state);
    for_each_piece<T>(rows, cols, [=](size_t r, size_t row_count, size_t c, size_t count, size_t fold) {
      HWY_ALIGN T found[kStrip];
      folded_columns<P>(element + r * cols + c, row_count, count, cols, fold, found);
      for (size_t i = 0; i < count; ++i) value[c + i] = P::combine_one(value[c + i], found[i]);
    });
  }
  static void rows(const void* x, size_t rows, size_t cols, void* out) {
    const T* row = static_cast<const T*>(x);
    T* value = static_cast<T*>(out);
    for (size_t r = 0; r < rows; ++r, row += cols) {
      value[r] = cols <= kShortRow ? short_row<P>(row, cols) : flat<P>(row, cols);
    }
  }
  static void merge(void* state, const void* other, size_t count) {
    T* value = static_cast<T*>(state);
    const T* more = static_cast<const T*>(other);
    for (size_t c = 0; c < count; ++c) value[c] = P::combine_one(value[c], more[c]);
  }
  static void finish(const void* state, size_t count, void* out) {
    if (count > 0) std::memcpy(out, state, bytes(count));
  }
};

// ---- moments of float64

size_t moments_bytes(size_t count) { return (1 + 2 * count) * sizeof(double); }

void moments_start(void* state, size_t count) { std::memset(state, 0, moments_bytes(count)); }

// From sums about an approximate mean to the moments of one run of elements.
HWY_INLINE Moments moments_about(double n, double mean, double squares, double shift) {
  if (!std::isfinite(mean)) return {n, mean, NAN};
  return {n, mean + shift / n, squares - shift * (shift / n)};
}

Moments moments_of(const double* x, size_t n) {
  Moments all;
  for (size_t i = 0; i < n; i += kRun) {
    const size_t count = n - i < kRun ? n - i : kRun;
    const double mean = flat<Sum>(x + i, count) / static_cast<double>(count);
    // The run as rows of 8 vectors, so that `deviations` has independent sums to work on.
    constexpr size_t kWidth = 8 * HWY_MAX_BYTES / sizeof(double);
    HWY_ALIGN double means[kWidth];
    HWY_ALIGN double squares[kWidth];
    HWY_ALIGN double shifts[kWidth];
    for (double& m : means) m = mean;
    const size_t whole = count / kWidth;
    double square = 0;
    double shift = 0;
    if (whole > 0) {
      deviations(x + i, whole, kWidth, kWidth, means, squares, shifts);
      square = flat<Sum>(squares, kWidth);
      shift = flat<Sum>(shifts, kWidth);
    }
    for (size_t j = whole * kWidth; j < count; ++j) {
      const double deviation = x[i + j] - mean;
      square += deviation * deviation;
      shift += deviation;
    }
    all = merged(all, moments_about(static_cast<double>(count), mean, square, shift));
  }
  return all;
}

void moments_flat(const void* x, size_t n, void* state) {
  double* total = static_cast<double*>(state);
  const Moments all =
      merged({total[0], total[1], total[2]}, moments_of(static_cast<const double*>(x), n));
  total[0] = all.n;
  total[1] = all.mean;
  total[2] = all.m2;
}

void moments_columns(const void* x, size_t rows, size_t cols, void* state) {
  if (cols == 1) return moments_flat(x, rows, state);
  const double* element = static_cast<const double*>(x);
  double* total = static_cast<double*>(state);
  double* mean = total + 1;
  double* m2 = mean + cols;
  const double before = total[0];
  for_each_piece<double>(rows, cols, [=](size_t r, size_t row_count, size_t c, size_t count, size_t fold) {
    const double* first = element + r * cols + c;
    const double n = static_cast<double>(row_count);
    HWY_ALIGN double center[kFolded];
    HWY_ALIGN double squares[kFolded];
    HWY_ALIGN double shifts[kFolded];
    folded_columns<Sum>(first, row_count, count, cols, fold, center);
    for (size_t i = 0; i < count; ++i) center[i] /= n;
    const size_t width = fold * count;
    for (size_t i = count; i < width; ++i) center[i] = center[i - count];
    deviations(first, row_count / fold, width, fold == 1 ? cols : width, center, squares, shifts);
    for (size_t i = count; i < width; ++i) {
      squares[i % count] += squares[i];
      shifts[i % count] += shifts[i];
    }
    for (size_t rest = row_count - row_count % fold; rest < row_count; ++rest) {
      for (size_t i = 0; i < count; ++i) {
        const double deviation = first[rest * cols + i] - center[i];
        squares[i] += deviation * deviation;
        shifts[i] += deviation;
      }
    }
    for (size_t i = 0; i < count; ++i) {
      const Moments all = merged({before + static_cast<double>(r), mean[c + i], m2[c + i]},
                                 moments_about(n, center[i], squares[i], shifts[i]));
      mean[c + i] = all.mean;
      m2[c + i] = all.m2;
    }
  });
  total[0] = before + static_cast<double>(rows);
}

void moments_rows(const void* x, size_t rows, size_t cols, void* out) {
  const double* row = static_cast<const double*>(x);
  double* result = static_cast<double*>(out);
  for (size_t r = 0; r < rows; ++r, row += cols, result += 3) {
    const Moments all = moments_of(row, cols);
    result[0] = all.n;
    result[1] = all.mean;
    result[2] = all.m2;
  }
}

void moments_merge(void* state, const void* other, size_t count) {
  double* total = static_cast<double*>(state);
  const double* more = static_cast<const double*>(other);
  for (size_t c = 1; c <= count; ++c) {
    const Moments all = merged({total[0], total[c], total[count + c]}, {more[0], more[c], more[count + c]});
    total[c] = all.mean;
    total[count + c] = all.m2;
  }
  total[0] += more[0];
}

void moments_finish(const void* state, size_t count, void* out) {
  const double* total = static_cast<const double*>(state);
  double* result = static_cast<double*>(out);
  for (size_t c = 1; c <= count; ++c, result += 3) {
    result[0] = total[0];
    result[1] = total[c];
    result[2] = total[count + c];
  }
}

template <class P, class T>
const ReductionKernels* extreme() {
  using E = Extreme<P, T>;
  static constexpr ReductionKernels kernels = {&E::bytes, &E::start, &E::add_flat, &E::add_columns,
                                               &E::rows,  &E::merge, &E::finish};
  return &kernels;
}

const ReductionKernels* find_reduction_float_here(Reduction reduction, DType element) {
  static constexpr ReductionKernels sum = {&sum_bytes, &sum_start, &sum_flat,  &sum_columns,
                                           &sum_rows,  &sum_merge, &sum_finish};
  static constexpr ReductionKernels moments = {
      &moments_bytes, &moments_start, &moments_flat,  &moments_columns,
      &moments_rows,  &moments_merge, &moments_finish};
  const bool wide = element == DType::float64;
  switch (reduction) {
    case Reduction::sum: return wide ? &sum : nullptr;
    case Reduction::moments: return wide ? &moments : nullptr;
    case Reduction::min: return wide ? extreme<Min, double>() : extreme<Min, float>();
    case Reduction::max: return wide ? extreme<Max, double>() : extreme<Max, float>();
    default: return nullptr;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {

const ReductionKernels* find_reduction_float(Reduction reduction, DType element) {
  return TUFF_DISPATCH(find_reduction_float_here)(reduction, element);
}

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
