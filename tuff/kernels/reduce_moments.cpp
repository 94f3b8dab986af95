// Count, mean and sum of squared deviations of float64.
//
// Each run is read twice while it lies in cache: for its mean, then for deviations from it, whose
// sum also corrects the mean. Runs and states are merged as Chan, Golub & LeVeque 1983.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/reduce_moments.cpp"

#include <cmath>

#include "hwy/foreach_target.h"

#include "tuff/kernels/reduce-inl.h"
#include "tuff/kernels/reduce_tables.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

// squares[c] = sum of (x - mean)^2 over rows, shift[c] = sum of x - mean: what rounding left in the
// mean.
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

// merged() with moments_about() over columns, which all have seen `before` rows and now see n more.
void merge_columns(double before, double* mean, double* m2, double n, const double* center,
                   const double* squares, const double* shifts, size_t count) {
  const hn::ScalableTag<double> d;
  const auto inverse = hn::Set(d, 1 / n);
  const auto share = hn::Set(d, n / (before + n));
  const auto weight = hn::Set(d, before * (n / (before + n)));
  const auto nan = hn::Set(d, NAN);
  for (size_t c = 0; c < count; c += kLanes<double>) {
    const auto mask = hn::FirstN(d, count - c < kLanes<double> ? count - c : kLanes<double>);
    const auto near = hn::MaskedLoad(mask, d, center + c);
    const auto shift = hn::MaskedLoad(mask, d, shifts + c);
    const auto correction = hn::Mul(shift, inverse);
    const auto new_mean = hn::Add(near, correction);
    const auto new_m2 = hn::Sub(hn::MaskedLoad(mask, d, squares + c), hn::Mul(shift, correction));
    const auto old_mean = hn::MaskedLoad(mask, d, mean + c);
    const auto delta = hn::Sub(new_mean, old_mean);
    const auto all_mean = hn::Add(old_mean, hn::Mul(delta, share));
    const auto all_m2 = hn::Add(hn::Add(hn::MaskedLoad(mask, d, m2 + c), new_m2),
                                hn::Mul(hn::Mul(delta, delta), weight));
    const auto finite = hn::And(hn::IsFinite(near), hn::IsFinite(old_mean));
    hn::BlendedStore(hn::IfThenElse(finite, all_mean, hn::Add(old_mean, near)), mask, d, mean + c);
    hn::BlendedStore(hn::IfThenElse(finite, all_m2, nan), mask, d, m2 + c);
  }
}

void moments_columns(const void* x, size_t rows, size_t cols, void* state) {
  if (cols == 1) return moments_flat(x, rows, state);
  const double* element = static_cast<const double*>(x);
  double* total = static_cast<double*>(state);
  double* mean = total + 1;
  double* m2 = mean + cols;
  const double before = total[0];
  for_each_piece<double>(
      rows, cols, [=](size_t r, size_t row_count, size_t c, size_t count, size_t fold) {
        const double* first = element + r * cols + c;
        const double n = static_cast<double>(row_count);
        HWY_ALIGN double center[kFolded];
        HWY_ALIGN double squares[kFolded];
        HWY_ALIGN double shifts[kFolded];
        folded_columns<Sum>(first, row_count, count, cols, fold, center);
        for (size_t i = 0; i < count; ++i) center[i] /= n;
        const size_t width = fold * count;
        for (size_t i = count; i < width; ++i) center[i] = center[i - count];
        deviations(first, row_count / fold, width, fold == 1 ? cols : width, center, squares,
                   shifts);
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
        merge_columns(before + static_cast<double>(r), mean + c, m2 + c, n, center, squares, shifts,
                      count);
      });
  total[0] = before + static_cast<double>(rows);
}

// Below this, a loop over elements is over before vectors have been set up.
constexpr size_t kTinyRow = 16;

Moments moments_of_few(const double* x, size_t n) {
  if (n == 0) return {};
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  double shift = 0;
  for (size_t i = 0; i < n; ++i) {
    const double deviation = x[i] - mean;
    squares += deviation * deviation;
    shift += deviation;
  }
  return moments_about(static_cast<double>(n), mean, squares, shift);
}

void moments_rows(const void* x, size_t rows, size_t cols, void* out) {
  const double* row = static_cast<const double*>(x);
  double* result = static_cast<double*>(out);
  for (size_t r = 0; r < rows; ++r, row += cols, result += 3) {
    const Moments all = cols <= kTinyRow ? moments_of_few(row, cols) : moments_of(row, cols);
    result[0] = all.n;
    result[1] = all.mean;
    result[2] = all.m2;
  }
}

void moments_merge(void* state, const void* other, size_t count) {
  double* total = static_cast<double*>(state);
  const double* more = static_cast<const double*>(other);
  for (size_t c = 1; c <= count; ++c) {
    const Moments all =
        merged({total[0], total[c], total[count + c]}, {more[0], more[c], more[count + c]});
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

const ReductionKernels* find_moments_here() {
  static constexpr ReductionKernels moments = {&moments_bytes,   &moments_start, &moments_flat,
                                               &moments_columns, &moments_rows,  &moments_merge,
                                               &moments_finish};
  return &moments;
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {

const ReductionKernels* find_moments() { return TUFF_DISPATCH(find_moments_here)(); }

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
