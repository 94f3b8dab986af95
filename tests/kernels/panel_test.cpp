// Products of panels against triple loops in long double, at every small shape, with gaps between
// rows.
#include "tuff/kernels/panel.h"

#include "testing.h"
#include <gtest/gtest.h>

#include "tuff/base/error.h"

namespace tuff::kernel_test {
namespace {

template <class T>
T wanted_sum(const std::vector<long double>& products, long double* magnitude) {
  long double sum = 0;
  *magnitude = 0;
  for (long double p : products) sum += p, *magnitude += std::fabs(p);
  return static_cast<T>(sum);
}

template <class T>
std::vector<T> random_values(size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<T> values(n);
  for (T& v : values) v = static_cast<T>(static_cast<double>(random() >> 11) * 0x1p-53 - 0.4);
  return values;
}

// Rounding: one per product and one per addition of n terms, of the sum of magnitudes.
template <class T>
double bound(long double magnitude, size_t n) {
  return static_cast<double>(magnitude) * static_cast<double>(n + 2) *
         static_cast<double>(std::numeric_limits<T>::epsilon());
}

constexpr size_t kRows[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 40, 67};
constexpr size_t kCols[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,   10,  12,  15,
                            16, 17, 23, 31, 32, 33, 64, 65, 100, 127, 129, 513};

class PanelKernels : public OnEveryTarget {
 protected:
  template <class T>
  void check_vectors() {
    const kernels::PanelKernels* panel = kernels::find_panel(dtype_of<T>);
    for (size_t rows : kRows) {
      for (size_t cols : kCols) {
        for (size_t stride : {cols, cols + 1, cols + 5}) {
          // The elements between rows are NaN: reading them into a sum would show.
          std::vector<T> values = random_values<T>(rows * stride, rows * 1000 + cols);
          for (size_t i = 0; i < values.size(); ++i) {
            if (i % stride >= cols) values[i] = std::numeric_limits<T>::quiet_NaN();
          }
          const Tile<T> x(values, cols % 5), b(random_values<T>(cols, 1), 3),
              w(random_values<T>(rows, 2), 1);
          Tile<T> out(rows, 2), again(rows, 2);
          panel->times_vector(x.data(), rows, cols, stride, b.data(), out.data());
          panel->times_vector(x.data(), rows, cols, stride, b.data(), again.data());
          long double magnitude;
          for (size_t r = 0; r < rows; ++r) {
            std::vector<long double> products;
            for (size_t c = 0; c < cols; ++c)
              products.push_back(static_cast<long double>(x[r * stride + c]) * b[c]);
            const T want = wanted_sum<T>(products, &magnitude);
            ASSERT_NEAR(out[r], want, bound<T>(magnitude, cols))
                << rows << "x" << cols << " row " << r;
            ASSERT_TRUE(same_bits(out[r], again[r]));
          }
          ASSERT_TRUE(out.canaries_are_alive());
          Tile<T> sums(random_values<T>(cols, 3), 2);
          const std::vector<T> before(sums.data(), sums.data() + cols);
          panel->transposed_times_vector(x.data(), rows, cols, stride, w.data(), sums.data());
          for (size_t c = 0; c < cols; ++c) {
            std::vector<long double> products = {before[c]};
            for (size_t r = 0; r < rows; ++r)
              products.push_back(static_cast<long double>(x[r * stride + c]) * w[r]);
            const T want = wanted_sum<T>(products, &magnitude);
            ASSERT_NEAR(sums[c], want, bound<T>(magnitude, rows))
                << rows << "x" << cols << " column " << c;
          }
          ASSERT_TRUE(sums.canaries_are_alive());
        }
      }
    }
  }

  template <class T>
  void check_matrices() {
    const kernels::PanelKernels* panel = kernels::find_panel(dtype_of<T>);
    for (size_t rows : {size_t{0}, size_t{1}, size_t{3}, size_t{8}, size_t{40}}) {
      for (size_t p : {size_t{1}, size_t{2}, size_t{3}, size_t{4}, size_t{7}, size_t{16},
                       size_t{33}, size_t{100}}) {
        for (size_t q : {size_t{1}, size_t{2}, size_t{3}, size_t{4}, size_t{5}, size_t{8},
                         size_t{17}, size_t{64}, size_t{100}}) {
          const size_t stride = p + rows % 3, z_stride = q + p % 2;
          const Tile<T> x(random_values<T>(rows * stride + 1, rows + p), 3),
              b(random_values<T>(p * q, q), 1);
          const Tile<T> z(random_values<T>(rows * z_stride + 1, q + 9), 2);
          Tile<T> out(rows * q, 3);
          panel->times_matrix(x.data(), rows, p, stride, b.data(), q, out.data());
          long double magnitude;
          for (size_t r = 0; r < rows; ++r) {
            for (size_t c = 0; c < q; ++c) {
              std::vector<long double> products;
              for (size_t k = 0; k < p; ++k)
                products.push_back(static_cast<long double>(x[r * stride + k]) * b[k * q + c]);
              const T want = wanted_sum<T>(products, &magnitude);
              ASSERT_NEAR(out[r * q + c], want, bound<T>(magnitude, p));
            }
          }
          ASSERT_TRUE(out.canaries_are_alive());
          check_gram(panel, x, p, stride, z, q, z_stride, rows);
          if (HasFatalFailure()) return;
        }
        const size_t stride = p + 1;
        const Tile<T> x(random_values<T>(rows * stride + 1, rows + p), 3);
        check_gram(panel, x, p, stride, x, p, stride, rows);
        if (HasFatalFailure()) return;
      }
    }
  }

  template <class T>
  void check_gram(const kernels::PanelKernels* panel, const Tile<T>& x, size_t p, size_t stride,
                  const Tile<T>& z, size_t q, size_t z_stride, size_t rows) {
    Tile<T> gram(random_values<T>(p * q, 77), 1);
    const bool symmetric = x.data() == z.data();
    if (symmetric) {
      for (size_t i = 0; i < p * q; ++i) gram.data()[i] = T(0.5);
    }
    const std::vector<T> before(gram.data(), gram.data() + p * q);
    panel->transposed_times_panel(x.data(), rows, p, stride, z.data(), q, z_stride, gram.data());
    long double magnitude;
    for (size_t i = 0; i < p; ++i) {
      for (size_t j = 0; j < q; ++j) {
        std::vector<long double> products = {before[i * q + j]};
        for (size_t r = 0; r < rows; ++r)
          products.push_back(static_cast<long double>(x[r * stride + i]) * z[r * z_stride + j]);
        const T want = wanted_sum<T>(products, &magnitude);
        ASSERT_NEAR(gram[i * q + j], want, bound<T>(magnitude, rows))
            << p << "x" << q << " (" << i << ", " << j << ")";
        ASSERT_TRUE(!symmetric || same_bits(gram[i * q + j], gram[j * q + i])) << i << ", " << j;
      }
    }
    ASSERT_TRUE(gram.canaries_are_alive());
  }
};

TEST_P(PanelKernels, Float64VectorProductsMatchANaiveLoop) { check_vectors<double>(); }
TEST_P(PanelKernels, Float32VectorProductsMatchANaiveLoop) { check_vectors<float>(); }
TEST_P(PanelKernels, Float64MatrixProductsMatchANaiveLoop) { check_matrices<double>(); }
TEST_P(PanelKernels, Float32MatrixProductsMatchANaiveLoop) { check_matrices<float>(); }

TEST(Panel, ExistsForFloatsOnly) {
  for (DType dtype : kEveryDType)
    EXPECT_EQ(kernels::find_panel(dtype) != nullptr, is_floating(dtype));
}

TUFF_ON_EVERY_TARGET(PanelKernels);

// ---- matrix_multiply

struct Layout {
  int64_t row, col;  // strides
  size_t origin;     // element (0, 0) in memory of `size` elements
  size_t size;
};

// Row-major, column-major, with gaps both ways, reversed, and broadcast along an axis.
std::vector<Layout> layouts(size_t rows, size_t cols) {
  const auto r = static_cast<int64_t>(rows), c = static_cast<int64_t>(cols);
  return {{c, 1, 0, rows * cols},
          {1, r, 0, rows * cols},
          {c + 3, 1, 0, rows * (cols + 3)},
          {2 * c, 2, 0, 2 * rows * cols},
          {-c, 1, (rows == 0 ? 0 : rows - 1) * cols, rows * cols},
          {0, 1, 0, cols},
          {1, 0, 0, rows}};
}

template <class T>
void check_product(size_t m, size_t n, size_t k) {
  std::vector<T> some = mixed_values<T>(64, 5);
  for (const Layout& la : layouts(m, k)) {
    for (const Layout& lb : layouts(k, n)) {
      std::vector<T> a_values = mixed_values<T>(la.size + 1, m + k),
                     b_values = mixed_values<T>(lb.size + 1, n + k);
      if constexpr (std::is_floating_point_v<T>) {
        a_values = random_values<T>(la.size + 1, m + k),
        b_values = random_values<T>(lb.size + 1, n + k);
      }
      const Tile<T> a(a_values, 1), b(b_values, 2);
      const T* first_a = a.data() + la.origin;
      const T* first_b = b.data() + lb.origin;
      const size_t stride = n + m % 3;
      Tile<T> c(std::vector<T>(m * stride, T(1)), 3);
      kernels::matrix_multiply(dtype_of<T>, m, n, k, first_a, la.row, la.col, first_b, lb.row,
                               lb.col, c.data(), stride);
      for (size_t i = 0; i < m; ++i) {
        for (size_t j = 0; j < stride; ++j) {
          if (j >= n) {
            ASSERT_EQ(c[i * stride + j], T(1)) << "gap written";
            continue;
          }
          const auto x = [&](size_t l) {
            return first_a[static_cast<int64_t>(i) * la.row + static_cast<int64_t>(l) * la.col];
          };
          const auto y = [&](size_t l) {
            return first_b[static_cast<int64_t>(l) * lb.row + static_cast<int64_t>(j) * lb.col];
          };
          if constexpr (std::is_floating_point_v<T>) {
            std::vector<long double> products;
            for (size_t l = 0; l < k; ++l)
              products.push_back(static_cast<long double>(x(l)) * y(l));
            long double magnitude;
            const T want = wanted_sum<T>(products, &magnitude);
            ASSERT_NEAR(c[i * stride + j], want, bound<T>(magnitude, k))
                << m << " " << n << " " << k;
          } else if constexpr (std::is_same_v<T, bool>) {
            bool want = false;
            for (size_t l = 0; l < k; ++l) want = want || (x(l) && y(l));
            ASSERT_EQ(c[i * stride + j], want);
          } else {
            uint64_t want = 0;
            for (size_t l = 0; l < k; ++l)
              want += static_cast<uint64_t>(x(l)) * static_cast<uint64_t>(y(l));
            ASSERT_EQ(c[i * stride + j], static_cast<T>(want)) << m << " " << n << " " << k;
          }
        }
      }
      ASSERT_TRUE(c.canaries_are_alive());
    }
  }
}

// Products beyond kProductsBetweenLooks are cut along all three extents. Small whole numbers, so sums are exact.
template <class T>
void check_parts(size_t m, size_t n, size_t k) {
  std::vector<T> a(m * k), b(k * n), c(m * n, T(7));
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(static_cast<int>(i * 7 % 11) - 5);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<T>(static_cast<int>(i * 5 % 13) - 6);
  const auto rows = static_cast<int64_t>(m);
  // A lies column by column, B row by row.
  kernels::matrix_multiply(dtype_of<T>, m, n, k, a.data(), 1, rows, b.data(),
                           static_cast<int64_t>(n), 1, c.data(), n);
  for (size_t i : {size_t{0}, size_t{1023}, size_t{1024}, m - 1}) {
    for (size_t j = 0; j < n; j += 97) {
      T want = 0;
      for (size_t l = 0; l < k; ++l) want += a[l * m + i] * b[l * n + j];
      ASSERT_EQ(c[i * n + j], want) << i << " " << j;
    }
  }
}

TEST(MatrixMultiply, OfMoreThanOnePartIsTheSame) {
  check_parts<double>(1100, 1000, 300);
  check_parts<float>(1100, 1000, 300);
  check_parts<double>(1100, 5000, 260);
}

TEST(MatrixMultiply, StopsBetweenItsParts) {
  std::stop_source source;
  const std::stop_token token = source.get_token();
  source.request_stop();
  for (DType dtype : kEveryDType) {
    const std::vector<uint64_t> x(64);
    std::vector<uint64_t> y(64);
    EXPECT_THROW(kernels::matrix_multiply(dtype, 8, 8, 8, x.data(), 8, 1, x.data(), 8, 1, y.data(),
                                          8, StopRequest(token)),
                 Cancelled)
        << name_of(dtype);
  }
}

TEST(MatrixMultiply, MatchesANaiveLoopForEveryTypeAndLayout) {
  for (DType dtype : kEveryDType) {
    visit_dtype(dtype, [](auto zero) {
      using T = decltype(zero);
      constexpr size_t kExtents[][3] = {{1, 1, 1}, {1, 5, 3},  {5, 1, 3},   {5, 3, 1},
                                        {2, 3, 0}, {0, 3, 2},  {3, 0, 2},   {4, 4, 4},
                                        {7, 9, 5}, {1, 1, 20}, {20, 17, 33}};
      for (const auto& e : kExtents) {
        check_product<T>(e[0], e[1], e[2]);
        if (::testing::Test::HasFatalFailure()) return;
      }
    });
  }
}

}  // namespace
}  // namespace tuff::kernel_test
