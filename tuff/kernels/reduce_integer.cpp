// Reductions of integers and bool: plain loops that the compiler vectorises per target. Exact, so
// that order does not matter; sums wrap.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/reduce_integer.cpp"

#include <cstring>
#include <limits>

#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "tuff/kernels/reduce_tables.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

// Narrow matrices are seen as matrices of at least this many dense elements per row (k rows each),
// so that the inner loop is worth vectorising.
constexpr size_t kWide = 64;

struct Sum {
  template <class T>
  static constexpr T identity() {
    return 0;
  }
  template <class T>
  static HWY_INLINE T combine(T a, T b) {
    return a + b;
  }
};
struct Min {
  template <class T>
  static constexpr T identity() {
    return std::numeric_limits<T>::max();
  }
  template <class T>
  static HWY_INLINE T combine(T a, T b) {
    return b < a ? b : a;
  }
};
struct Max {
  template <class T>
  static constexpr T identity() {
    return std::numeric_limits<T>::min();
  }
  template <class T>
  static HWY_INLINE T combine(T a, T b) {
    return b > a ? b : a;
  }
};

template <class P, class T>
struct Exact {
  static size_t bytes(size_t count) { return count * sizeof(T); }
  static void start(void* state, size_t count) {
    T* value = static_cast<T*>(state);
    for (size_t c = 0; c < count; ++c) value[c] = P::template identity<T>();
  }
  static T flat(const T* x, size_t n) {
    T value = P::template identity<T>();
    for (size_t i = 0; i < n; ++i) value = P::combine(value, x[i]);
    return value;
  }
  static void add_flat(const void* x, size_t n, void* state) {
    T* value = static_cast<T*>(state);
    *value = P::combine(*value, flat(static_cast<const T*>(x), n));
  }
  // value[c] = combine(value[c], every row's c).
  static void accumulate(const T* x, size_t rows, size_t cols, T* value) {
    for (size_t r = 0; r < rows; ++r, x += cols) {
      TUFF_INDEPENDENT for (size_t c = 0; c < cols; ++c) value[c] = P::combine(value[c], x[c]);
    }
  }
  static void add_columns(const void* x, size_t rows, size_t cols, void* state) {
    if (cols == 1) return add_flat(x, rows, state);
    const T* element = static_cast<const T*>(x);
    T* value = static_cast<T*>(state);
    const size_t fold = cols == 0 || cols >= kWide ? 1 : kWide / cols;
    size_t folded = 0;
    if (fold > 1 && rows >= 2 * fold) {
      T wide[kWide];
      for (T& w : wide) w = P::template identity<T>();
      folded = rows - rows % fold;
      accumulate(element, rows / fold, fold * cols, wide);
      accumulate(wide, fold, cols, value);
    }
    accumulate(element + folded * cols, rows - folded, cols, value);
  }
  static void rows(const void* x, size_t rows, size_t cols, void* out) {
    const T* row = static_cast<const T*>(x);
    T* value = static_cast<T*>(out);
    for (size_t r = 0; r < rows; ++r, row += cols) value[r] = flat(row, cols);
  }
  static void merge(void* state, const void* other, size_t count) {
    accumulate(static_cast<const T*>(other), 1, count, static_cast<T*>(state));
  }
  static void finish(const void* state, size_t count, void* out) {
    if (count > 0) std::memcpy(out, state, bytes(count));
  }
};

// bool is one byte 0 or 1: any and all are maximum and minimum, and memchr stops at the first
// witness.
template <bool kAny>
struct AnyAll : Exact<std::conditional_t<kAny, Max, Min>, uint8_t> {
  using Base = Exact<std::conditional_t<kAny, Max, Min>, uint8_t>;
  static void start(void* state, size_t count) {
    if (count > 0) std::memset(state, kAny ? 0 : 1, count);
  }
  static bool flat(const void* x, size_t n) {
    const bool found = n > 0 && std::memchr(x, kAny ? 1 : 0, n) != nullptr;
    return found == kAny;
  }
  static void add_flat(const void* x, size_t n, void* state) {
    uint8_t* value = static_cast<uint8_t*>(state);
    if (*value == (kAny ? 0 : 1)) *value = static_cast<uint8_t>(flat(x, n));
  }
  static void add_columns(const void* x, size_t rows, size_t cols, void* state) {
    if (cols == 1) return add_flat(x, rows, state);
    Base::add_columns(x, rows, cols, state);
  }
  static void rows(const void* x, size_t rows, size_t cols, void* out) {
    const uint8_t* row = static_cast<const uint8_t*>(x);
    uint8_t* value = static_cast<uint8_t*>(out);
    for (size_t r = 0; r < rows; ++r, row += cols) value[r] = static_cast<uint8_t>(flat(row, cols));
  }
};

template <class E>
const ReductionKernels* table() {
  static constexpr ReductionKernels kernels = {&E::bytes, &E::start, &E::add_flat, &E::add_columns,
                                               &E::rows,  &E::merge, &E::finish};
  return &kernels;
}

template <class P>
const ReductionKernels* extreme(DType element) {
  switch (element) {
    case DType::int8: return table<Exact<P, int8_t>>();
    case DType::int16: return table<Exact<P, int16_t>>();
    case DType::int32: return table<Exact<P, int32_t>>();
    case DType::int64: return table<Exact<P, int64_t>>();
    case DType::uint8: return table<Exact<P, uint8_t>>();
    case DType::uint16: return table<Exact<P, uint16_t>>();
    case DType::uint32: return table<Exact<P, uint32_t>>();
    case DType::uint64: return table<Exact<P, uint64_t>>();
    default: return nullptr;
  }
}

const ReductionKernels* find_reduction_integer_here(Reduction reduction, DType element) {
  const bool is_bool = element == DType::bool_;
  switch (reduction) {
    case Reduction::sum: {
      const bool wide = element == DType::int64 || element == DType::uint64;
      return wide ? table<Exact<Sum, uint64_t>>() : nullptr;
    }
    case Reduction::min: return is_bool ? table<AnyAll<false>>() : extreme<Min>(element);
    case Reduction::max: return is_bool ? table<AnyAll<true>>() : extreme<Max>(element);
    case Reduction::any: return is_bool ? table<AnyAll<true>>() : nullptr;
    case Reduction::all: return is_bool ? table<AnyAll<false>>() : nullptr;
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

const ReductionKernels* find_reduction_integer(Reduction reduction, DType element) {
  return TUFF_DISPATCH(find_reduction_integer_here)(reduction, element);
}

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
