// Passes of logistic regression over one block; see logistic.h.
//
// A tile of rows goes through four steps while it is in L1: z, the deviations from the columns' centres, and
// eta = z beta; residuals, weights and loss of each row (one exp and one division a row); z' residual; and
// (sqrt(w) z)' (sqrt(w) z). The sum of log(1 + exp(-|eta|)) over a tile is the logarithm of a product:
// each factor lies in (1, 2], so a lane can take kTileRows / lanes of them (2^512 at most) before one
// logarithm is due.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/logistic.cpp"

#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "tuff/kernels/across-inl.h"
#include "tuff/kernels/blas.h"
#include "tuff/kernels/logistic.h"
#include "tuff/kernels/math-inl.h"
#include "tuff/kernels/panel.h"
#include "tuff/kernels/unroll-inl.h"

#ifndef TUFF_KERNELS_LOGISTIC_CPP_
#define TUFF_KERNELS_LOGISTIC_CPP_
TUFF_NAMESPACE_BEGIN
namespace kernels {

// Columns up to which rows are taken apart in registers: as many as Highway does.
constexpr size_t kFewColumns = 4;
// Rows of a tile: 16 KB of z, which is read two or three times, next to 12 KB for the vectors; at most 512,
// at least 8 (one vector). Half of that for few columns, where the next tile of x is on its way to L1
// meanwhile, and a row's arithmetic takes less time than its way from memory.
constexpr size_t kTileRows = 512;
constexpr size_t kTileBytes = 16 * 1024;
constexpr size_t kNarrowTileBytes = 8 * 1024;
inline size_t logistic_tile_rows(size_t cols) {
  const size_t bytes = cols <= kFewColumns ? kNarrowTileBytes : kTileBytes;
  const size_t rows = bytes / (sizeof(double) * (cols == 0 ? 1 : cols)) / 8 * 8;
  return rows > kTileRows ? kTileRows : rows < 8 ? 8 : rows;
}

// Above this many columns a Hessian (295 KB here) no longer lies in L2 beside the tiles: BLAS adds 128 rows
// at once, so that it is read and written 16 times less.
constexpr size_t kBlasColumns = 192;
constexpr size_t kBlasRows = 128;
inline size_t logistic_panel_rows(size_t cols) {
  return cols > kBlasColumns ? kBlasRows : logistic_tile_rows(cols);
}

// Rows of z begin on cache lines: a vector that lies on two costs two loads or stores.
inline size_t padded_columns(size_t cols) { return (cols + 7) / 8 * 8; }

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

// A tile ahead, x is asked for: while loads wait for memory, stores fill their queue, and few further loads
// are on their way (1.5 times as long for 100 columns, 1.2 times for 4).
constexpr size_t kRowsAhead = 16;  // of 100 columns

// z = x scale + shift, its rows `z_stride` apart, and eta = z beta. Missing rows are the last row again, so
// that a vector of rows becomes a vector of eta.
void deviations(const double* x, size_t rows, size_t cols, size_t stride, const double* scale,
                const double* shift, const double* beta, size_t z_stride, double* z, double* eta) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  constexpr size_t kRows = kLanes<double>;
  const size_t whole = cols - cols % kRows;
  const auto rest = hn::FirstN(d, cols - whole);
  const size_t ahead = kRowsAhead * stride;
  for (size_t r = 0; r < rows; r += kRows) {
    const size_t count = rows - r < kRows ? rows - r : kRows;
    const double* from[kRows];
    double* to[kRows];
    V sum[kRows];
    for (size_t i = 0; i < kRows; ++i) {
      const size_t at = r + (i < count ? i : count - 1);
      from[i] = x + at * stride;
      to[i] = z + at * z_stride;
      sum[i] = hn::Zero(d);
    }
    for (size_t c = 0; c < whole; c += kRows) {
      const V by = hn::LoadU(d, scale + c), plus = hn::LoadU(d, shift + c),
              times = hn::LoadU(d, beta + c);
      for (size_t i = 0; i < kRows; ++i) {
        __builtin_prefetch(from[i] + ahead + c);
        const V v = hn::MulAdd(hn::LoadU(d, from[i] + c), by, plus);
        hn::StoreU(v, d, to[i] + c);
        sum[i] = hn::MulAdd(v, times, sum[i]);
      }
    }
    if (whole < cols) {
      const V by = hn::MaskedLoad(rest, d, scale + whole),
              plus = hn::MaskedLoad(rest, d, shift + whole),
              times = hn::MaskedLoad(rest, d, beta + whole);
      for (size_t i = 0; i < kRows; ++i) {
        const V v = hn::MulAdd(hn::MaskedLoad(rest, d, from[i] + whole), by, plus);
        hn::BlendedStore(v, rest, d, to[i] + whole);
        sum[i] = hn::MulAdd(v, times, sum[i]);
      }
    }
    hn::StoreU(combine_across<Sum, kRows, kRows / 2, double>(sum), d, eta + r);
  }
}

// z[r] *= root[r].
void scale_rows(double* z, size_t rows, size_t cols, size_t stride, const double* root) {
  const hn::ScalableTag<double> d;
  const size_t lanes = hn::Lanes(d), whole = cols - cols % lanes;
  const auto rest = hn::FirstN(d, cols - whole);
  for (size_t r = 0; r < rows; ++r, z += stride) {
    const auto factor = hn::Set(d, root[r]);
    for (size_t c = 0; c < whole; c += lanes)
      hn::StoreU(hn::Mul(factor, hn::LoadU(d, z + c)), d, z + c);
    if (whole < cols)
      hn::BlendedStore(hn::Mul(factor, hn::MaskedLoad(rest, d, z + whole)), rest, d, z + whole);
  }
}

#if HWY_TARGET != HWY_SCALAR
// Few dense columns: z = x scale + shift, as dense as x.
template <size_t kCols>
void narrow_deviations(const double* x, size_t rows, const double* scale, const double* shift,
                       double* z) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  constexpr size_t kRows = hn::MaxLanes(d);
  // kRows rows are kCols vectors, and columns lie in them in the same places every time.
  HWY_ALIGN double scales[kRows * kCols];
  HWY_ALIGN double shifts[kRows * kCols];
  for (size_t i = 0; i < kRows * kCols; ++i)
    scales[i] = scale[i % kCols], shifts[i] = shift[i % kCols];
  V by[kCols], plus[kCols];
  unroll<kCols>([&](size_t v) TUFF_INLINED {
    by[v] = hn::Load(d, scales + v * kRows), plus[v] = hn::Load(d, shifts + v * kRows);
  });
  const size_t values = rows * kCols;
  size_t i = 0;
  for (; i + kRows * kCols <= values; i += kRows * kCols) {
    unroll<kCols>([&](size_t v) TUFF_INLINED {
      __builtin_prefetch(x + i + v * kRows + kNarrowTileBytes / sizeof(double));
      hn::StoreU(hn::MulAdd(hn::LoadU(d, x + i + v * kRows), by[v], plus[v]), d, z + i + v * kRows);
    });
  }
  for (; i < values; ++i) z[i] = x[i] * scale[i % kCols] + shift[i % kCols];
}

// What a tile of them adds to the Hessian but for its last element: a vector of rows, column by column, times
// its weights and every other column.
template <size_t kCols>
void add_narrow_hessian(const double* z, size_t rows, const double* weights, double* hessian) {
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
  for (; r + kRows <= rows; r += kRows) add(z + r * kCols, weights + r);
  if (r < rows) {
    HWY_ALIGN double last[kRows * kCols] = {};
    HWY_ALIGN double last_weights[kRows] = {};
    for (size_t i = 0; i < (rows - r) * kCols; ++i) last[i] = z[r * kCols + i];
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

struct NarrowSteps {
  decltype(&narrow_deviations<1>) deviations;
  decltype(&add_narrow_hessian<1>) add_hessian;
};
constexpr NarrowSteps kNarrow[kFewColumns + 1] = {{},
                                                  {&narrow_deviations<1>, &add_narrow_hessian<1>},
                                                  {&narrow_deviations<2>, &add_narrow_hessian<2>},
                                                  {&narrow_deviations<3>, &add_narrow_hessian<3>},
                                                  {&narrow_deviations<4>, &add_narrow_hessian<4>}};
#endif

// Places in the scratch memory, in this order.
struct Workspace {
  double* shift;    // (p)
  double* eta;      // (tile), then the residuals
  double* weights;  // (tile)
  double* roots;    // (tile)
  double* panel;    // (panel rows, padded p): z
  double* plain;    // (tile, padded p): z before it is mixed
  double* gram;     // (p, p), up to kBlasColumns
};

Workspace places(std::byte* scratch, size_t p) {
  const size_t tile = logistic_tile_rows(p);
  Workspace at{};
  at.eta = reinterpret_cast<double*>(scratch);
  at.weights = at.eta + tile;
  at.roots = at.weights + tile;
  at.panel = at.roots + tile;
  at.plain = at.panel + logistic_panel_rows(p) * padded_columns(p);
  at.shift = at.plain + tile * padded_columns(p);
  at.gram = at.shift + p;
  return at;
}

// One call of logistic_sums(): what it was given, and its sums.
class Pass {
 public:
  Pass(const LogisticRows& data, const LogisticColumns& columns, const double* beta,
       LogisticWants wants, double* sums, std::byte* scratch)
      : data_(data),
        columns_(columns),
        beta_(beta),
        with_gradient_(wants != LogisticWants::value),
        with_hessian_(wants == LogisticWants::hessian),
        sums_(sums),
        gradient_(sums + 2),
        hessian_(gradient_ + q_),
        at_(places(scratch, data.cols)) {
    for (size_t j = 0; j < p_; ++j) at_.shift[j] = -columns.centre[j] * columns.scale[j];
    if (with_hessian_ && p_ <= kBlasColumns) {
      for (size_t i = 0; i < p_ * p_; ++i) at_.gram[i] = 0;
    }
  }

  void run() {
    const size_t tile = logistic_tile_rows(p_);
    double lost = 0, value = 0;  // the value grows to 1e7 and more (Kahan 1965)
    for (size_t r = 0; r < data_.rows; r += tile) {
      const size_t rows = data_.rows - r < tile ? data_.rows - r : tile;
      const RowSums here = one_tile(r, rows, r + rows == data_.rows);
      const double term = here.value - lost, total = value + term;
      lost = (total - value) - term;
      value = total;
      sums_[1] += here.undecided;
      if (with_gradient_) gradient_[p_] += here.residual;
      if (with_hessian_) hessian_[q_ * q_ - 1] += here.weight;
    }
    sums_[0] += value;
    if (with_hessian_ && !narrow_) spread_hessian();
  }

 private:
  RowSums one_tile(size_t r, size_t rows, bool last) {
    double* z = at_.panel + held_ * z_stride_;
    see(data_.x + r * data_.stride, rows, z);
    const RowSums here = of_rows(data_.y + r, rows);
    if (p_ == 0 || !with_gradient_) return here;
    panel_.transposed_times_vector(z, rows, p_, z_stride_, at_.eta, gradient_);
    if (with_hessian_) add_to_hessian(z, rows, last);
    return here;
  }

  // z and eta of a tile.
  void see(const double* x, size_t rows, double* z) const {
#if HWY_TARGET != HWY_SCALAR
    if (narrow_) {
      kNarrow[p_].deviations(x, rows, columns_.scale, at_.shift, z);
      panel_.times_vector(z, rows, p_, p_, beta_, at_.eta);
      return;
    }
#endif
    const bool mixed = columns_.mix != nullptr && p_ > 0;
    const size_t stride = padded_columns(p_);
    double* plain = mixed ? at_.plain : z;
    deviations(x, rows, p_, data_.stride, columns_.scale, at_.shift, beta_, stride, plain, at_.eta);
    if (!mixed) return;
    panel_.times_matrix(plain, rows, p_, stride, columns_.mix, p_, z);
    panel_.times_vector(z, rows, p_, z_stride_, beta_, at_.eta);
  }

  RowSums of_rows(const uint8_t* y, size_t rows) const {
    if (!with_hessian_)
      return logistic_rows<false, false>(at_.eta, y, rows, beta_[p_], nullptr, nullptr);
    return narrow_ ? logistic_rows<true, false>(at_.eta, y, rows, beta_[p_], at_.weights, nullptr)
                   : logistic_rows<true, true>(at_.eta, y, rows, beta_[p_], at_.weights, at_.roots);
  }

  void add_to_hessian(double* z, size_t rows, bool last) {
#if HWY_TARGET != HWY_SCALAR
    if (narrow_) return kNarrow[p_].add_hessian(z, rows, at_.weights, hessian_);
#endif
    panel_.transposed_times_vector(z, rows, p_, z_stride_, at_.weights, hessian_ + p_ * q_);
    scale_rows(z, rows, p_, z_stride_, at_.roots);
    held_ += rows;
    if (!last && held_ + logistic_tile_rows(p_) <= logistic_panel_rows(p_)) return;
    if (p_ > kBlasColumns) {
      add_gram(at_.panel, held_, p_, z_stride_, hessian_, q_);
    } else {
      panel_.transposed_times_panel(at_.panel, held_, p_, z_stride_, at_.panel, p_, z_stride_,
                                    at_.gram);
    }
    held_ = 0;
  }

  void spread_hessian() const {
    for (size_t i = 0; i < p_; ++i) {
      for (size_t j = 0; j <= i; ++j) {
        if (p_ <= kBlasColumns) hessian_[i * q_ + j] += at_.gram[i * p_ + j];
        hessian_[j * q_ + i] = hessian_[i * q_ + j];
      }
      hessian_[i * q_ + p_] = hessian_[p_ * q_ + i];
    }
  }

  const LogisticRows& data_;
  const LogisticColumns& columns_;
  const double* beta_;
  const size_t p_ = data_.cols, q_ = p_ + 1;
  const bool with_gradient_, with_hessian_;
#if HWY_TARGET != HWY_SCALAR
  const bool narrow_ = p_ > 0 && p_ <= kFewColumns&& data_.stride == p_&& columns_.mix == nullptr;
#else
  static constexpr bool narrow_ = false;
#endif
  const size_t z_stride_ = narrow_ || columns_.mix != nullptr ? p_ : padded_columns(p_);
  double* const sums_;
  double* const gradient_;
  double* const hessian_;
  const Workspace at_;
  const PanelKernels& panel_ = *find_panel(DType::float64);
  size_t held_ = 0;  // rows of the panel that the Hessian lacks
};

void logistic_sums_here(const LogisticRows& data, const LogisticColumns& columns,
                        const double* beta, LogisticWants wants, double* sums, std::byte* scratch) {
  Pass(data, columns, beta, wants, sums, scratch).run();
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {

size_t logistic_scratch_bytes(size_t cols) {
  const size_t tile = logistic_tile_rows(cols), gram = cols > kBlasColumns ? 0 : cols * cols;
  return sizeof(double) *
         (3 * tile + (logistic_panel_rows(cols) + tile) * padded_columns(cols) + cols + gram);
}

void logistic_sums(const LogisticRows& data, const LogisticColumns& columns, const double* beta,
                   LogisticWants wants, double* sums, std::byte* scratch) {
  TUFF_DISPATCH(logistic_sums_here)(data, columns, beta, wants, sums, scratch);
}

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
