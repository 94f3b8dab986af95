// The product of two strided matrices: BLAS for floats, plain loops for integers and bool.
#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "tuff/base/check.h"
#include "tuff/kernels/blas.h"
#include "tuff/kernels/panel.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace {

struct Extents {
  size_t m, n, k;
};

template <class T>
struct Operand {
  const T* data;
  size_t rows, cols;
  int64_t row_stride, col_stride;
};

/// Calls f(first, last) for stretches of rows, each of which takes about `work` steps, some of a nanosecond each.
template <class F>
void for_each_stretch(size_t rows, size_t work, StopRequest stop, F&& f) {
  constexpr size_t kStepsBetweenLooks = size_t{1} << 20;
  const size_t stretch = std::max<size_t>(kStepsBetweenLooks / std::max<size_t>(work, 1), 1);
  for (size_t first = 0; first < rows; first += stretch) {
    stop.check();
    f(first, std::min(first + stretch, rows));
  }
}

template <class T>
std::unique_ptr<T[]> dense_copy(const Operand<T>& a, StopRequest stop) {
  auto copy = std::make_unique_for_overwrite<T[]>(a.rows * a.cols);
  for_each_stretch(a.rows, a.cols, stop, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      const T* row = a.data + static_cast<int64_t>(i) * a.row_stride;
      for (size_t j = 0; j < a.cols; ++j) {
        copy[i * a.cols + j] = row[static_cast<int64_t>(j) * a.col_stride];
      }
    }
  });
  return copy;
}

blasint checked(size_t extent) {
  if (extent > static_cast<size_t>(std::numeric_limits<blasint>::max())) {
    throw InvalidArgument("matmul", "an extent or stride of " + std::to_string(extent) +
                                        " exceeds what BLAS counts; use smaller blocks");
  }
  return static_cast<blasint>(extent);
}

// An operand as BLAS takes it: unit stride along one axis, at least the other extent along the
// other.
template <class T>
struct BlasOperand {
  BlasOperand(const Operand<T>& a, StopRequest stop) {
    // The stride of an axis of extent 1 is never used, so any will do.
    const int64_t rows = static_cast<int64_t>(a.rows), cols = static_cast<int64_t>(a.cols);
    const int64_t row_stride = a.rows == 1 ? (a.col_stride == 1 ? cols : 1) : a.row_stride;
    const int64_t col_stride = a.cols == 1 ? (row_stride == 1 ? rows : 1) : a.col_stride;
    data = a.data;
    if (col_stride == 1 && row_stride >= cols) {
      leading = checked(static_cast<size_t>(row_stride));
    } else if (row_stride == 1 && col_stride >= rows) {
      transpose = CblasTrans;
      leading = checked(static_cast<size_t>(col_stride));
    } else {
      copy = dense_copy(a, stop);
      data = copy.get();
      leading = checked(a.cols);
    }
  }
  /// Its element (i, j).
  const T* at(size_t i, size_t j) const {
    if (transpose == CblasTrans) std::swap(i, j);
    return data + i * static_cast<size_t>(leading) + j;
  }
  const T* data;
  CBLAS_TRANSPOSE transpose = CblasNoTrans;
  blasint leading = 0;
  std::unique_ptr<T[]> copy;
};

/// How a product is cut into parts between which to look: of at most kProductsBetweenLooks, but no smaller than
/// what OpenBLAS cuts it into itself. So nothing is slower: parts of 1024 rows and 256 float64 of the inner extent
/// took as long as the whole, within 1 % (extents of 1500 to 3000, Zen 4).
template <class T>
Extents part_of(const Extents& e) {
  constexpr size_t kRows = 1024;
  constexpr size_t kInner = 2048 / sizeof(T);
  constexpr size_t kColumns = 4096;
  const auto cut = [](size_t extent, size_t others, size_t least) {
    return std::clamp(kProductsBetweenLooks / std::max<size_t>(others, 1), std::min(least, extent),
                      extent);
  };
  Extents part = e;
  part.m = cut(e.m, e.n * e.k, kRows);
  part.k = cut(e.k, part.m * e.n, kInner);
  part.n = cut(e.n, part.m * part.k, kColumns);
  return part;
}

template <class T>
void multiply_floats(const Operand<T>& a, const Operand<T>& b, T* c, size_t c_stride,
                     StopRequest stop) {
  const BlasOperand<T> left(a, stop), right(b, stop);
  const Extents all{a.rows, b.cols, a.cols};
  static_cast<void>(checked(all.m)), static_cast<void>(checked(all.n));
  static_cast<void>(checked(all.k));
  const Extents part = part_of<T>(all);
  for (size_t i = 0; i < all.m; i += part.m) {
    for (size_t j = 0; j < all.n; j += part.n) {
      for (size_t l = 0; l < all.k; l += part.k) {
        stop.check();
        gemm(left.transpose, right.transpose, static_cast<blasint>(std::min(part.m, all.m - i)),
             static_cast<blasint>(std::min(part.n, all.n - j)),
             static_cast<blasint>(std::min(part.k, all.k - l)), left.at(i, l), left.leading,
             right.at(l, j), right.leading, T(l == 0 ? 0 : 1), c + i * c_stride + j,
             checked(c_stride));
      }
    }
  }
}

// Rows of B are added to rows of C, so that the inner loop is dense and vectorises.
template <class T>
void multiply_integers(const Operand<T>& a, const Operand<T>& b, T* c, size_t c_stride,
                       StopRequest stop) {
  std::unique_ptr<T[]> copy;
  const T* dense = b.data;
  int64_t dense_stride = b.row_stride;
  if (b.col_stride != 1 && b.cols > 1) {
    copy = dense_copy(b, stop);
    dense = copy.get();
    dense_stride = static_cast<int64_t>(b.cols);
  }
  using Wrapping =
      std::conditional_t<std::is_same_v<T, bool>, unsigned, std::common_type_t<T, unsigned>>;
  const auto multiply_row = [&](size_t i) {
    T* out = c + i * c_stride;
    const T* row = a.data + static_cast<int64_t>(i) * a.row_stride;
    for (size_t l = 0; l < a.cols; ++l) {
      const T factor = row[static_cast<int64_t>(l) * a.col_stride];
      const T* in = dense + static_cast<int64_t>(l) * dense_stride;
      for (size_t j = 0; j < b.cols; ++j) {
        if constexpr (std::is_same_v<T, bool>) {
          out[j] = static_cast<bool>(out[j] | (factor & in[j]));
        } else {
          out[j] = static_cast<T>(Wrapping(out[j]) + Wrapping(factor) * Wrapping(in[j]));
        }
      }
    }
  };
  for_each_stretch(a.rows, a.cols * b.cols, stop, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) multiply_row(i);
  });
}

template <class T>
void multiply(const Extents& e, const void* a, int64_t a_row_stride, int64_t a_col_stride,
              const void* b, int64_t b_row_stride, int64_t b_col_stride, void* c, size_t c_stride,
              StopRequest stop) {
  T* out = static_cast<T*>(c);
  const Operand<T> left{static_cast<const T*>(a), e.m, e.k, a_row_stride, a_col_stride};
  const Operand<T> right{static_cast<const T*>(b), e.k, e.n, b_row_stride, b_col_stride};
  if constexpr (std::is_floating_point_v<T>) {
    if (e.k > 0) return multiply_floats(left, right, out, c_stride, stop);
  }
  for (size_t i = 0; i < e.m; ++i) std::memset(out + i * c_stride, 0, e.n * sizeof(T));
  if constexpr (!std::is_floating_point_v<T>) multiply_integers(left, right, out, c_stride, stop);
}

}  // namespace

void matrix_multiply(DType element, size_t m, size_t n, size_t k, const void* a,
                     int64_t a_row_stride, int64_t a_col_stride, const void* b,
                     int64_t b_row_stride, int64_t b_col_stride, void* c, size_t c_stride,
                     StopRequest stop) {
  if (m == 0 || n == 0) return;
  const auto call = [&]<class T>(T) {
    multiply<T>({m, n, k}, a, a_row_stride, a_col_stride, b, b_row_stride, b_col_stride, c,
                c_stride, stop);
  };
  switch (element) {
    case DType::bool_: return call(bool());
    case DType::int8:
    case DType::uint8:
      return call(uint8_t());  // wrapping products have the same bits for both signs
    case DType::int16:
    case DType::uint16: return call(uint16_t());
    case DType::int32:
    case DType::uint32: return call(uint32_t());
    case DType::int64:
    case DType::uint64: return call(uint64_t());
    case DType::float32: return call(float());
    case DType::float64: return call(double());
  }
}

}  // namespace kernels
TUFF_NAMESPACE_END
