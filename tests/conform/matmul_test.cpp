// Products of 1-d and 2-d arrays of every type, cut in every way, against three nested loops; also where
// fusion turns them into panels.
#include <gtest/gtest.h>

#include "tests/conform/naive.h"

namespace tuff::conform {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kCases = 60;
#else
constexpr int kCases = 1500;
#endif

struct Product {
  Dense value;                    // rounded
  std::vector<long double> size;  // sums of magnitudes, by which errors are measured
};

Product naive_product(const Dense& a, const Dense& b) {
  const int64_t n = a.shape.size() == 2 ? a.shape[0] : 1, k = a.shape.back(),
                m = b.shape.size() == 2 ? b.shape[1] : 1;
  Dims shape;
  if (a.shape.size() == 2) shape.push_back(n);
  if (b.shape.size() == 2) shape.push_back(m);
  const DType dtype = promote(a.dtype, b.dtype);
  const Dense x = naive_astype(a, dtype), y = naive_astype(b, dtype);
  Product product{Dense(dtype, shape), {}};
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < m; ++j) {
        std::conditional_t<std::is_floating_point_v<T>, long double, uint64_t> total = 0;
        long double size = 0;
        for (int64_t l = 0; l < k; ++l) {
          const T p = x.data<T>()[i * k + l], q = y.data<T>()[l * m + j];
          if constexpr (std::is_same_v<T, bool>) {
            total = total != 0 || (p && q) ? 1 : 0;
          } else if constexpr (std::is_floating_point_v<T>) {
            total += static_cast<long double>(p) * static_cast<long double>(q);
            size += std::fabs(static_cast<long double>(p) * static_cast<long double>(q));
          } else {
            total += static_cast<uint64_t>(p) * static_cast<uint64_t>(q);
          }
        }
        product.value.data<T>()[i * m + j] = static_cast<T>(total);
        product.size.push_back(size);
      }
    }
  });
  return product;
}

::testing::AssertionResult conforms(const Dense& got, const Product& want, int64_t terms) {
  if (!is_floating(want.value.dtype) || got.dtype != want.value.dtype ||
      !(got.shape == want.value.shape))
    return same(got, want.value);
  const long double unit = got.dtype == DType::float32 ? 0x1p-24L : 0x1p-53L;
  for (int64_t i = 0; i < got.size(); ++i) {
    // Higham 2002, section 3.1: |error| <= n u / (1 - n u) times the sum of magnitudes, in any order.
    const long double bound =
        static_cast<long double>(terms + 2) * unit * want.size[static_cast<size_t>(i)];
    const long double a = got.at(i), b = want.value.at(i);
    if (std::isnan(b) ? !std::isnan(a) : !(a == b || std::fabs(a - b) <= 2 * bound)) {
      return ::testing::AssertionFailure()
             << "element " << i << " of " << to_string(got.shape) << ": "
             << describe_element(got, i) << " instead of " << describe_element(want.value, i);
    }
  }
  return ::testing::AssertionSuccess();
}

Dense factor(Rng& rng, DType dtype, const Dims& shape) {
  if (!is_floating(dtype))
    return rng.chance(50) ? mixed(rng, dtype, shape) : small(rng, dtype, shape);
  Dense x(dtype, shape);
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t i = 0; i < x.size(); ++i) x.data<T>()[i] = static_cast<T>(rng.unit() * 4 - 2);
  });
  return x;
}

TEST(Matmul, EqualsThreeNestedLoops) {
  Rng rng(5);
  for (int c = 0; c < kCases; ++c) {
    const int64_t largest = rng.chance(15) ? 70 : 9;
    const Dims extents = random_shape(rng, 3, largest);  // n, k, m
    const bool row = rng.chance(25), column = rng.chance(25);
    const DType common = rng.pick(kEveryDType);
    const Dense a = factor(rng, common, row ? Dims{extents[1]} : Dims{extents[0], extents[1]});
    const Dense b = factor(rng, rng.chance(70) ? common : rng.pick(kEveryDType),
                           column ? Dims{extents[1]} : Dims{extents[1], extents[2]});
    Guises guises(rng);
    const Array x = guises.any(a), y = guises.any(b);
    SCOPED_TRACE("case " + std::to_string(c) + ": " + x.describe() + " x " + y.describe());
    ASSERT_TRUE(conforms(computed(matmul(x, y)), naive_product(a, b), extents[1]));
  }
}

// The factors come out of operations that fuse with the product, the result goes into one.
TEST(Matmul, OfFusedFactorsEqualsThreeNestedLoops) {
  Rng rng(6);
  for (int c = 0; c < kCases; ++c) {
    const Dims extents = random_shape(rng, 3, rng.chance(20) ? 40 : 7);
    const bool row = rng.chance(25), column = rng.chance(35), turned = rng.chance(50);
    const DType dtype = rng.chance(40) ? DType::float32 : DType::float64;
    Dense a = factor(rng, dtype, row ? Dims{extents[1]} : Dims{extents[0], extents[1]});
    Dense b = factor(rng, dtype, column ? Dims{extents[1]} : Dims{extents[1], extents[2]});
    Guises guises(rng);
    Array x = guises.any(a), y = guises.any(b);
    // Stretched factors: constant along one axis, or everywhere.
    if (!row && rng.chance(15)) {
      a = factor(rng, dtype, Dims{extents[1]});
      x = broadcast_to(guises.any(a), Dims{extents[0], extents[1]},
                       spec_of(random_cuts(rng, {extents[0], extents[1]})));
      Dense stretched(dtype, Dims{extents[0], extents[1]});
      for (int64_t i = 0; i < stretched.size(); ++i) {
        std::memcpy(stretched.bytes.data() + static_cast<size_t>(i) * size_of(dtype),
                    a.bytes.data() + static_cast<size_t>(i % extents[1]) * size_of(dtype),
                    size_of(dtype));
      }
      a = stretched;
    } else if (rng.chance(15)) {
      x = full(a.shape, 0.5, {.dtype = dtype, .chunks = spec_of(random_cuts(rng, a.shape))});
      visit_dtype(dtype, [&](auto t) {
        std::fill_n(a.data<decltype(t)>(), a.size(), static_cast<decltype(t)>(0.5));
      });
    }
    x = negative(negative(x));
    if (turned && !column)
      y = y.transpose().rechunk(spec_of(random_cuts(rng, {extents[2], extents[1]}))).transpose();
    SCOPED_TRACE("case " + std::to_string(c) + ": " + x.describe() + " x " + y.describe());
    const Product want = naive_product(a, b);
    const std::vector<Result> got = compute({negative(matmul(x, y)), matmul(x, y)});
    Dense opposite(got[0].gather());
    visit_dtype(dtype, [&](auto t) {
      for (int64_t i = 0; i < opposite.size(); ++i)
        opposite.data<decltype(t)>()[i] = -opposite.data<decltype(t)>()[i];
    });
    ASSERT_TRUE(conforms(opposite, want, extents[1]));
    ASSERT_TRUE(conforms(Dense(got[1].gather()), want, extents[1]));
  }
}

TEST(Matmul, SpreadsNanAndInfinityAsNumbersDo) {
  Dense x(DType::float64, Dims{4, 3});
  x.data<double>()[4] = std::numeric_limits<double>::quiet_NaN();
  x.data<double>()[7] = std::numeric_limits<double>::infinity();
  Dense y(DType::float64, Dims{3, 2});
  for (int64_t i = 0; i < 6; ++i) y.data<double>()[i] = static_cast<double>(i);
  Rng rng(1);
  for (int64_t block : {1, 2, 4}) {
    Guises guises(rng);
    EXPECT_TRUE(conforms(computed(matmul(guises.plain(x, block), guises.plain(y, block))),
                         naive_product(x, y), 3));
  }
}

TEST(Matmul, RefusesWhatDoesNotFitWithBothShapes) {
  try {
    matmul(ones({3, 4}), ones({5, 6}));
    FAIL() << "no error";
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(error.what(), "[matmul] (3, 4) x (5, 6): inner extents 4 and 5 differ");
  }
  EXPECT_THROW(matmul(ones({}), ones({3})), InvalidArgument);
  EXPECT_THROW(matmul(ones({2, 3, 4}), ones({4})), InvalidArgument);
}

}  // namespace
}  // namespace tuff::conform
