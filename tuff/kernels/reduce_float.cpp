// Sums of float64, minima and maxima of float32 and float64.
#include <cmath>

#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/reduce_float.cpp"

#include "hwy/foreach_target.h"

#include "tuff/kernels/reduce-inl.h"
#include "tuff/kernels/reduce_tables.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

// NaN wins, and -0 is less than 0, so that no result depends on the order: what is equal differs in its sign at most. On
// x86, Min(x, least) returns `least` when either is NaN; elsewhere a comparison does.
struct Min {
  template <class T>
  static constexpr T identity() {
    return std::numeric_limits<T>::infinity();
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V least, V x) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
    const V smaller = hn::IfThenElse(hn::IsNaN(x), x, hn::Min(x, least));
#else
    const V smaller = hn::IfThenElse(hn::Or(hn::Lt(x, least), hn::IsNaN(x)), x, least);
#endif
    return hn::IfThenElse(hn::Eq(x, least), hn::Or(x, least), smaller);
  }
  template <class T>
  static HWY_INLINE T combine_one(T least, T x) {
    if (x == least) return std::signbit(x) ? x : least;
    return x < least || x != x ? x : least;
  }
};
struct Max {
  template <class T>
  static constexpr T identity() {
    return -std::numeric_limits<T>::infinity();
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V greatest, V x) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
    const V greater = hn::IfThenElse(hn::IsNaN(x), x, hn::Max(x, greatest));
#else
    const V greater = hn::IfThenElse(hn::Or(hn::Gt(x, greatest), hn::IsNaN(x)), x, greatest);
#endif
    return hn::IfThenElse(hn::Eq(x, greatest), hn::And(x, greatest), greater);
  }
  template <class T>
  static HWY_INLINE T combine_one(T greatest, T x) {
    if (x == greatest) return std::signbit(x) ? greatest : x;
    return x > greatest || x != x ? x : greatest;
  }
};

// ---- sum of float64

size_t sum_bytes(size_t count) { return 2 * count * sizeof(double); }

void sum_start(void* state, size_t count) { std::memset(state, 0, sum_bytes(count)); }

void sum_flat(const void* x, size_t n, void* state) {
  const double* element = static_cast<const double*>(x);
  double* total = static_cast<double*>(state);
  for (; n > kRun; n -= kRun, element += kRun) {
    add_compensated(total[0], total[1], flat<Sum, double, true>(element, kRun));
  }
  if (n > 0) add_compensated(total[0], total[1], flat<Sum>(element, n));
}

// add_compensated() over columns.
void add_all_compensated(double* total, double* compensation, const double* x, size_t count) {
  const hn::ScalableTag<double> d;
  for (size_t c = 0; c < count; c += kLanes<double>) {
    const auto mask = hn::FirstN(d, count - c < kLanes<double> ? count - c : kLanes<double>);
    const auto before = hn::MaskedLoad(mask, d, total + c);
    const auto more = hn::MaskedLoad(mask, d, x + c);
    const auto sum = hn::Add(before, more);
    const auto added = hn::Sub(sum, before);
    const auto lost = hn::Add(hn::Sub(before, hn::Sub(sum, added)), hn::Sub(more, added));
    hn::BlendedStore(hn::Add(hn::MaskedLoad(mask, d, compensation + c), lost), mask, d,
                     compensation + c);
    hn::BlendedStore(sum, mask, d, total + c);
  }
}

void sum_columns(const void* x, size_t rows, size_t cols, void* state) {
  if (cols == 1) return sum_flat(x, rows, state);
  const double* element = static_cast<const double*>(x);
  double* total = static_cast<double*>(state);
  double* compensation = total + cols;
  for_each_piece<double>(
      rows, cols, [=](size_t r, size_t row_count, size_t c, size_t count, size_t fold) {
        HWY_ALIGN double sums[kStrip];
        folded_columns<Sum>(element + r * cols + c, row_count, count, cols, fold, sums);
        add_all_compensated(total + c, compensation + c, sums, count);
      });
}

// Rows of up to this many elements are reduced kLanes at a time, one accumulator each; longer ones
// on their own, with eight.
constexpr size_t kShortRow = 1024;

// Missing rows are the last row again.
template <class P, class T>
void short_rows(const T* x, size_t rows, size_t cols, T* out) {
  const hn::ScalableTag<T> d;
  constexpr size_t kRows = kLanes<T>;
  const size_t whole = cols - cols % kRows;
  const auto rest = hn::FirstN(d, cols - whole);
  const auto identity = hn::Set(d, P::template identity<T>());
  for (size_t r = 0; r < rows; r += kRows, x += kRows * cols) {
    const size_t count = rows - r < kRows ? rows - r : kRows;
    const T* row[kRows];
    Vector<T> value[kRows];
    for (size_t i = 0; i < kRows; ++i) {
      row[i] = x + (i < count ? i : count - 1) * cols;
      value[i] = identity;  // no load with an empty mask: one lane's reads what it masks
      if (whole < cols)
        value[i] = hn::IfThenElse(rest, hn::MaskedLoad(rest, d, row[i] + whole), identity);
    }
    for (size_t c = 0; c < whole; c += kRows) {
      for (size_t i = 0; i < kRows; ++i)
        value[i] = P::combine(d, value[i], hn::LoadU(d, row[i] + c));
    }
    const Vector<T> values = combine_across<P, kRows, kRows / 2, T>(value);
    hn::BlendedStore(values, hn::FirstN(d, count), d, out + r);
  }
}

void sum_rows(const void* x, size_t rows, size_t cols, void* out) {
  const double* row = static_cast<const double*>(x);
  double* sum = static_cast<double*>(out);
  if (cols <= kShortRow) return short_rows<Sum>(row, rows, cols, sum);
  for (size_t r = 0; r < rows; ++r, row += cols) {
    double state[2] = {0, 0};
    sum_flat(row, cols, state);
    sum[r] = compensated_value(state[0], state[1]);
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
    for_each_piece<T>(
        rows, cols, [=](size_t r, size_t row_count, size_t c, size_t count, size_t fold) {
          HWY_ALIGN T found[kStrip];
          folded_columns<P>(element + r * cols + c, row_count, count, cols, fold, found);
          for (size_t i = 0; i < count; ++i) value[c + i] = P::combine_one(value[c + i], found[i]);
        });
  }
  static void rows(const void* x, size_t rows, size_t cols, void* out) {
    const T* row = static_cast<const T*>(x);
    T* value = static_cast<T*>(out);
    if (cols <= kShortRow) return short_rows<P>(row, rows, cols, value);
    for (size_t r = 0; r < rows; ++r, row += cols) value[r] = flat<P>(row, cols);
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
  const bool wide = element == DType::float64;
  switch (reduction) {
    case Reduction::sum: return wide ? &sum : nullptr;
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
