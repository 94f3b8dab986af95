// Passes of logistic regression over one block; see logistic.h.
//
// A tile of rows goes through four steps while it is in L1: eta = x beta; residuals, weights and loss
// of each row (one exp and one division a row); x' residual; and (sqrt(w) x)' (sqrt(w) x). The sum of
// log(1 + exp(-|eta|)) over a tile is the logarithm of a product: each factor lies in (1, 2], so a lane
// can take kTileRows / lanes of them (2^512 at most) before one logarithm is due.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/logistic.cpp"

#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "tuff/kernels/logistic.h"
#include "tuff/kernels/math-inl.h"
#include "tuff/kernels/panel.h"
#include "tuff/kernels/unroll-inl.h"

#ifndef TUFF_KERNELS_LOGISTIC_CPP_
#define TUFF_KERNELS_LOGISTIC_CPP_
TUFF_NAMESPACE_BEGIN
namespace kernels {

// Rows of a tile: 16 KB of x, since it is read twice or three times, next to 16 KB for its scaled copy
// and 12 KB for the vectors; at most 512, at least 8 (one vector).
constexpr size_t kTileRows = 512;
constexpr size_t kTileBytes = 16 * 1024;
inline size_t logistic_tile_rows(size_t cols) {
  const size_t rows = kTileBytes / (sizeof(double) * (cols == 0 ? 1 : cols)) / 8 * 8;
  return rows > kTileRows ? kTileRows : rows < 8 ? 8 : rows;
}

// What the rows of a tile leave.
struct RowSums {
  double value = 0, undecided = 0, residual = 0, weight = 0;
};

}  // namespace kernels
TUFF_NAMESPACE_END
#endif

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// y of one vector's rows as 0.0 or 1.0; rows beyond `count` as 0.
template <class D>
HWY_INLINE hn::Vec<D> labels_of(D d, const uint8_t* y, size_t count) {
  const hn::Rebind<uint8_t, D> bytes;
  const hn::Rebind<int32_t, D> ints;
  if (HWY_LIKELY(count >= hn::Lanes(d)))
    return hn::PromoteTo(d, hn::PromoteTo(ints, hn::LoadU(bytes, y)));
  HWY_ALIGN uint8_t padded[hn::MaxLanes(d)] = {};
  for (size_t i = 0; i < count; ++i) padded[i] = y[i];
  return hn::PromoteTo(d, hn::PromoteTo(ints, hn::LoadU(bytes, padded)));
}

// From eta (without the intercept) to residual mu - y in place; the weights and their roots (an exp's
// worth of time) where their pointers are not null. Vectors past `rows` are left out of the sums.
template <bool kWeights, bool kRoots>
RowSums logistic_rows(double* eta_then_residual, const uint8_t* y, size_t rows, double intercept,
                      double* weights, double* roots) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  const size_t lanes = hn::Lanes(d);
  const V one = hn::Set(d, 1.0), zero = hn::Zero(d), shift = hn::Set(d, intercept);
  V positive = zero, product = one, undecided = zero, residuals = zero, weight_sum = zero;
  for (size_t r = 0; r < rows; r += lanes) {
    const size_t count = rows - r;
    const V eta = hn::Add(hn::LoadU(d, eta_then_residual + r), shift);
    const V label = labels_of(d, y + r, count);
    const auto is_one = hn::Gt(label, zero);
    // z > 0 pulls away from the label; loss = log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)).
    const V z = hn::IfThenElse(is_one, hn::Neg(eta), eta);
    const V e = math::exp(d, hn::CopySign(eta, hn::Set(d, -1.0)));
    const V inverse = hn::Div(one, hn::Add(one, e));
    const auto wrong = hn::Not(hn::Lt(z, zero));
    const V miss = hn::Mul(hn::IfThenElse(wrong, one, e), inverse);  // 1 - P(label)
    V residual = hn::IfThenElse(is_one, hn::Neg(miss), miss);
    V weight = hn::Mul(hn::Mul(e, inverse), inverse);
    if (HWY_UNLIKELY(count < lanes)) {
      const auto there = hn::FirstN(d, count);
      positive = hn::Add(positive, hn::IfThenElseZero(there, hn::Max(z, zero)));
      product = hn::IfThenElse(there, hn::MulAdd(product, e, product), product);
      undecided = hn::Add(undecided, hn::IfThenElseZero(hn::And(there, wrong), one));
      residual = hn::IfThenElseZero(there, residual);
      weight = hn::IfThenElseZero(there, weight);
    } else {
      // Max drops a NaN on some targets; the product keeps it.
      positive = hn::Add(positive, hn::Max(z, zero));
      product = hn::MulAdd(product, e, product);
      undecided = hn::Add(undecided, hn::IfThenElseZero(wrong, one));
    }
    residuals = hn::Add(residuals, residual);
    hn::StoreU(residual, d, eta_then_residual + r);
    if constexpr (kWeights) {
      weight_sum = hn::Add(weight_sum, weight);
      hn::StoreU(weight, d, weights + r);
      if constexpr (kRoots) hn::StoreU(hn::Sqrt(weight), d, roots + r);
    }
  }
  const V logs = hn::Add(positive, math::log(d, product));
  RowSums sums;
  sums.value = hn::GetLane(hn::SumOfLanes(d, logs));
  sums.undecided = hn::GetLane(hn::SumOfLanes(d, undecided));
  sums.residual = hn::GetLane(hn::SumOfLanes(d, residuals));
  sums.weight = hn::GetLane(hn::SumOfLanes(d, weight_sum));
  return sums;
}

// out[r] = root[r] x[r].
void scale_rows(const double* x, size_t rows, size_t cols, size_t stride, const double* root,
                double* out) {
  const hn::ScalableTag<double> d;
  const size_t lanes = hn::Lanes(d), whole = cols - cols % lanes;
  const auto rest = hn::FirstN(d, cols - whole);
  for (size_t r = 0; r < rows; ++r, x += stride, out += cols) {
    const auto factor = hn::Set(d, root[r]);
    for (size_t c = 0; c < whole; c += lanes)
      hn::StoreU(hn::Mul(factor, hn::LoadU(d, x + c)), d, out + c);
    if (whole < cols)
      hn::BlendedStore(hn::Mul(factor, hn::MaskedLoad(rest, d, x + whole)), rest, d, out + whole);
  }
}

#if HWY_TARGET != HWY_SCALAR
// Few dense columns: a vector of rows, column by column, times its weights and every other column. The
// sums of all tiles so far stay in `hessian`, (kCols + 1)^2, but for its last element.
template <size_t kCols>
void add_narrow_hessian(const double* x, size_t rows, const double* weights, double* hessian) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  constexpr size_t kRows = hn::MaxLanes(d), q = kCols + 1;
  V sum[kCols][kCols + 1];
  unroll<kCols>([&](size_t i) TUFF_INLINED {
    unroll<q>([&](size_t j) TUFF_INLINED { sum[i][j] = hn::Zero(d); });
  });
  const auto add = [&](const double* from, const double* w) TUFF_INLINED {
    V column[4];
    if constexpr (kCols == 1) column[0] = hn::LoadU(d, from);
    if constexpr (kCols == 2) hn::LoadInterleaved2(d, from, column[0], column[1]);
    if constexpr (kCols == 3) hn::LoadInterleaved3(d, from, column[0], column[1], column[2]);
    if constexpr (kCols == 4)
      hn::LoadInterleaved4(d, from, column[0], column[1], column[2], column[3]);
    const V weight = hn::LoadU(d, w);
    unroll<kCols>([&](size_t i) TUFF_INLINED {
      const V weighted = hn::Mul(weight, column[i]);
      unroll<kCols>([&](size_t j) TUFF_INLINED {
        if (j <= i) sum[i][j] = hn::MulAdd(weighted, column[j], sum[i][j]);
      });
      sum[i][kCols] = hn::Add(sum[i][kCols], weighted);
    });
  };
  size_t r = 0;
  for (; r + kRows <= rows; r += kRows) add(x + r * kCols, weights + r);
  if (r < rows) {
    HWY_ALIGN double last[kRows * kCols] = {};
    HWY_ALIGN double last_weights[kRows] = {};
    for (size_t i = 0; i < (rows - r) * kCols; ++i) last[i] = x[r * kCols + i];
    for (size_t i = 0; i < rows - r; ++i) last_weights[i] = weights[r + i];
    add(last, last_weights);
  }
  for (size_t i = 0; i < kCols; ++i) {
    for (size_t j = 0; j <= kCols; ++j) {
      if (j > i && j < kCols) continue;
      hessian[i * q + j] += hn::GetLane(hn::SumOfLanes(d, sum[i][j]));
      hessian[j * q + i] = hessian[i * q + j];
    }
  }
}

constexpr size_t kFewColumns = 4;  // as many as Highway takes apart
void add_few(const double* x, size_t rows, size_t cols, const double* weights, double* hessian) {
  if (cols == 1) add_narrow_hessian<1>(x, rows, weights, hessian);
  if (cols == 2) add_narrow_hessian<2>(x, rows, weights, hessian);
  if (cols == 3) add_narrow_hessian<3>(x, rows, weights, hessian);
  if (cols == 4) add_narrow_hessian<4>(x, rows, weights, hessian);
}
#else
constexpr size_t kFewColumns = 0;
void add_few(const double*, size_t, size_t, const double*, double*) {}
#endif

void logistic_sums_here(const LogisticRows& data, const double* beta, LogisticWants wants,
                        double* sums, std::byte* scratch) {
  const size_t p = data.cols, q = p + 1, tile = logistic_tile_rows(p);
  const PanelKernels& panel = *find_panel(DType::float64);
  auto* eta = reinterpret_cast<double*>(scratch);
  double* weights = eta + tile;
  double* roots = weights + tile;
  double* scaled = roots + tile;
  double* gram = scaled + tile * p;
  double* gradient = sums + 2;
  double* hessian = gradient + q;
  const bool with_gradient = wants != LogisticWants::value,
             with_hessian = wants == LogisticWants::hessian;
  for (size_t i = 0; i < logistic_sum_count(p, wants); ++i) sums[i] = 0;
  if (with_hessian) {
    for (size_t i = 0; i < p * p; ++i) gram[i] = 0;
  }
  const bool few = p > 0 && p <= kFewColumns && data.stride == p;
  double lost = 0;  // of the value, which grows to 1e7 and more (Kahan 1965)
  for (size_t r = 0; r < data.rows; r += tile) {
    const size_t rows = data.rows - r < tile ? data.rows - r : tile;
    const double* x = data.x + r * data.stride;
    if (p > 0) {
      panel.times_vector(x, rows, p, data.stride, beta, eta);
    } else {
      for (size_t i = 0; i < rows; ++i) eta[i] = 0;
    }
    const uint8_t* y = data.y + r;
    const RowSums here = !with_hessian
                             ? logistic_rows<false, false>(eta, y, rows, beta[p], nullptr, nullptr)
                         : few ? logistic_rows<true, false>(eta, y, rows, beta[p], weights, nullptr)
                               : logistic_rows<true, true>(eta, y, rows, beta[p], weights, roots);
    const double term = here.value - lost, total = sums[0] + term;
    lost = (total - sums[0]) - term;
    sums[0] = total;
    sums[1] += here.undecided;
    if (!with_gradient) continue;
    if (p > 0) panel.transposed_times_vector(x, rows, p, data.stride, eta, gradient);
    gradient[p] += here.residual;
    if (!with_hessian) continue;
    if (few) {
      add_few(x, rows, p, weights, hessian);
    } else if (p > 0) {
      panel.transposed_times_vector(x, rows, p, data.stride, weights, hessian + p * q);
      scale_rows(x, rows, p, data.stride, roots, scaled);
      panel.transposed_times_panel(scaled, rows, p, p, scaled, p, p, gram);
    }
    hessian[q * q - 1] += here.weight;
  }
  if (!with_hessian || few) return;
  for (size_t i = 0; i < p; ++i) {
    for (size_t j = 0; j < p; ++j) hessian[i * q + j] = gram[i * p + j];
    hessian[i * q + p] = hessian[p * q + i];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {

size_t logistic_scratch_bytes(size_t cols) {
  const size_t tile = logistic_tile_rows(cols);
  return sizeof(double) * (3 * tile + tile * cols + cols * cols);
}

void logistic_sums(const LogisticRows& data, const double* beta, LogisticWants wants, double* sums,
                   std::byte* scratch) {
  TUFF_DISPATCH(logistic_sums_here)(data, beta, wants, sums, scratch);
}

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
