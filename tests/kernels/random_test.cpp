// Known answers of the generator, elements against scalar formulas, and the statistics of what
// comes out.
#include "tuff/kernels/random.h"

#include "testing.h"
#include <gtest/gtest.h>

namespace tuff::kernel_test {
namespace {

using kernels::RandomKey;

struct Words {
  uint64_t word[2];
};

/// `deviate`: 0 for uniform numbers, 1 for normal ones.
Words words_of(RandomKey key, uint64_t counter, uint64_t deviate) {
  const uint64_t k[2] = {key.seed, key.stream}, c[2] = {counter, deviate};
  Words w;
  kernels::threefry2x64(k, c, w.word);
  return w;
}

double naive_uniform(RandomKey key, uint64_t index) {
  return static_cast<double>(words_of(key, index / 2, 0).word[index % 2] >> 11) * 0x1p-53;
}

long double naive_normal(RandomKey key, uint64_t index) {
  const Words w = words_of(key, index / 2, 1);
  const long double pi = 3.14159265358979323846264338327950288L;
  const long double u = (static_cast<long double>(w.word[0] >> 11) + 1) * 0x1p-53L;
  const long double angle = 2 * pi * static_cast<long double>(w.word[1] >> 11) * 0x1p-53L;
  const long double radius = std::sqrt(-2 * std::log(u));
  return radius * (index % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

// Random123 1.14, tests/kat_vectors, "threefry2x64 20".
TEST(Threefry, GivesTheKnownAnswers) {
  struct Answer {
    uint64_t counter[2], key[2], out[2];
  };
  const Answer answers[] = {
      {{0, 0}, {0, 0}, {0xc2b6e3a8c2c69865, 0x6f81ed42f350084d}},
      {{~0ULL, ~0ULL}, {~0ULL, ~0ULL}, {0xe02cb7c4d95d277a, 0xd06633d0893b8b68}},
      {{0x243f6a8885a308d3, 0x13198a2e03707344},
       {0xa4093822299f31d0, 0x082efa98ec4e6c89},
       {0x263c7d30bb0f0af1, 0x56be8361d3311526}}};
  for (const Answer& answer : answers) {
    uint64_t out[2];
    kernels::threefry2x64(answer.key, answer.counter, out);
    EXPECT_EQ(out[0], answer.out[0]);
    EXPECT_EQ(out[1], answer.out[1]);
  }
}

constexpr RandomKey kKeys[] = {
    {0, 0}, {1, 0}, {0, 1}, {~0ULL, ~0ULL}, {0xa4093822299f31d0, 0x082efa98ec4e6c89}};
constexpr uint64_t kStarts[] = {
    0, 1, 2, 7, 64, 1000001, (1ULL << 33) - 3, (1ULL << 62) + 5, 0xFFFFFFFFFFFFFE00ULL};

class RandomKernels : public OnEveryTarget {};

TEST_P(RandomKernels, UniformsAreThoseOfTheScalarGenerator) {
  for (const RandomKey& key : kKeys) {
    for (uint64_t first : kStarts) {
      for (size_t n : {size_t{0}, size_t{1}, size_t{2}, size_t{3}, size_t{31}, size_t{64},
                       size_t{65}, size_t{130}, size_t{300}}) {
        Tile<double> wide(n, n % 7);
        Tile<float> narrow(n, n % 5);
        kernels::fill_uniform(key, first, wide.data(), n);
        kernels::fill_uniform(key, first, narrow.data(), n);
        for (size_t i = 0; i < n; ++i) {
          ASSERT_EQ(wide[i], naive_uniform(key, first + i)) << first << " + " << i;
          ASSERT_EQ(narrow[i], static_cast<float>(
                                   std::floor(naive_uniform(key, first + i) * 0x1p24) * 0x1p-24));
        }
        ASSERT_TRUE(wide.canaries_are_alive() && narrow.canaries_are_alive());
      }
    }
  }
}

TEST_P(RandomKernels, NormalsAreBoxMullerOfTheScalarGenerator) {
  for (const RandomKey& key : kKeys) {
    for (uint64_t first : kStarts) {
      constexpr size_t kCount = 301;
      Tile<double> wide(kCount, 3);
      Tile<float> narrow(kCount, 3);
      kernels::fill_normal(key, first, wide.data(), kCount);
      kernels::fill_normal(key, first, narrow.data(), kCount);
      for (size_t i = 0; i < kCount; ++i) {
        const long double want = naive_normal(key, first + i);
        ASSERT_NEAR(static_cast<double>(wide[i] - want), 0, 4e-15) << first << " + " << i;
        ASSERT_EQ(narrow[i], static_cast<float>(wide[i]));
      }
      ASSERT_TRUE(wide.canaries_are_alive() && narrow.canaries_are_alive());
    }
  }
}

template <class T>
void expect_any_split_to_be_equal(void (*fill)(RandomKey, uint64_t, T*, size_t)) {
  constexpr size_t kCount = 400;
  const RandomKey key{12, 34};
  std::vector<T> whole(kCount);
  fill(key, 1000, whole.data(), kCount);
  for (size_t offset = 0; offset < 140; ++offset) {
    for (size_t n : {size_t{0}, size_t{1}, size_t{2}, size_t{5}, size_t{63}, size_t{64}, size_t{67},
                     kCount - offset}) {
      Tile<T> piece(n, offset % 8);
      fill(key, 1000 + offset, piece.data(), n);
      for (size_t i = 0; i < n; ++i)
        ASSERT_TRUE(same_bits(piece[i], whole[offset + i])) << offset << " + " << i;
      ASSERT_TRUE(piece.canaries_are_alive());
    }
  }
}

TEST_P(RandomKernels, AnElementDoesNotDependOnTheCallThatMakesIt) {
  expect_any_split_to_be_equal<double>(&kernels::fill_uniform);
  expect_any_split_to_be_equal<float>(&kernels::fill_uniform);
  expect_any_split_to_be_equal<double>(&kernels::fill_normal);
  expect_any_split_to_be_equal<float>(&kernels::fill_normal);
}

// ---- statistics: deterministic, since the numbers are; limits are at 4 to 5 standard errors.

constexpr size_t kSample = 1 << 20;

double chi_square(const std::vector<size_t>& counts, const std::vector<double>& expected) {
  double sum = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double difference = static_cast<double>(counts[i]) - expected[i];
    sum += difference * difference / expected[i];
  }
  return sum;
}

double correlation(const double* x, const double* y, size_t n) {
  double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
  for (size_t i = 0; i < n; ++i)
    sx += x[i], sy += y[i], sxx += x[i] * x[i], syy += y[i] * y[i], sxy += x[i] * y[i];
  const double m = static_cast<double>(n);
  return (sxy - sx * sy / m) / std::sqrt((sxx - sx * sx / m) * (syy - sy * sy / m));
}

void expect_no_correlation(void (*fill)(RandomKey, uint64_t, double*, size_t)) {
  const double limit = 4.5 / std::sqrt(static_cast<double>(kSample));
  std::vector<double> x(kSample), y(kSample);
  fill({7, 0}, 0, x.data(), kSample);
  for (size_t lag : {1, 2, 3, 16, 1000})
    EXPECT_LT(std::fabs(correlation(x.data(), x.data() + lag, kSample - lag)), limit) << lag;
  for (RandomKey other : {RandomKey{7, 1}, RandomKey{8, 0}, RandomKey{0, 7}}) {
    fill(other, 0, y.data(), kSample);
    EXPECT_LT(std::fabs(correlation(x.data(), y.data(), kSample)), limit)
        << other.seed << ", " << other.stream;
  }
}

TEST_P(RandomKernels, UniformsAreUniformAndUncorrelated) {
  std::vector<double> x(kSample);
  kernels::fill_uniform({2024, 3}, 12345, x.data(), kSample);
  constexpr size_t kBins = 1000;
  std::vector<size_t> counts(kBins);
  double sum = 0, squares = 0;
  for (double v : x) {
    ASSERT_GE(v, 0);
    ASSERT_LT(v, 1);
    ++counts[static_cast<size_t>(v * kBins)];
    sum += v;
    squares += (v - 0.5) * (v - 0.5);
  }
  const double n = static_cast<double>(kSample);
  EXPECT_NEAR(sum / n, 0.5, 4.5 * std::sqrt(1.0 / 12 / n));
  EXPECT_NEAR(squares / n, 1.0 / 12, 4.5 * std::sqrt(1.0 / 180 / n));
  EXPECT_NEAR(chi_square(counts, std::vector<double>(kBins, n / kBins)), kBins - 1,
              4.5 * std::sqrt(2.0 * kBins));
  expect_no_correlation(&kernels::fill_uniform);
}

TEST_P(RandomKernels, NormalsAreNormalAndUncorrelated) {
  std::vector<double> x(kSample);
  kernels::fill_normal({2024, 3}, 12345, x.data(), kSample);
  const double n = static_cast<double>(kSample);
  constexpr size_t kBins = 80;  // width 0.1 from -4 to 4, the tails in the outer ones
  std::vector<size_t> counts(kBins);
  std::vector<double> expected(kBins);
  double sum = 0, squares = 0, cubes = 0, fourths = 0;
  for (double v : x) {
    ASSERT_LT(std::fabs(v), 8.6);
    ++counts[static_cast<size_t>(std::clamp(std::floor((v + 4) * 10), 0.0, kBins - 1.0))];
    sum += v, squares += v * v, cubes += v * v * v, fourths += v * v * v * v;
  }
  const auto below = [](double v) { return 0.5 * std::erfc(-v / std::sqrt(2.0)); };
  for (size_t i = 0; i < kBins; ++i) {
    const double low = i == 0 ? 0 : below(-4 + 0.1 * static_cast<double>(i));
    const double high = i + 1 == kBins ? 1 : below(-4 + 0.1 * static_cast<double>(i + 1));
    expected[i] = n * (high - low);
  }
  EXPECT_NEAR(sum / n, 0, 4.5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 4.5 * std::sqrt(2 / n));
  EXPECT_NEAR(cubes / n, 0, 4.5 * std::sqrt(15 / n));
  EXPECT_NEAR(fourths / n, 3, 4.5 * std::sqrt(96 / n));
  EXPECT_NEAR(chi_square(counts, expected), kBins - 1, 4.5 * std::sqrt(2.0 * kBins));
  expect_no_correlation(&kernels::fill_normal);
}

TEST_P(RandomKernels, DistributionsOfOneKeyAreIndependent) {
  std::vector<double> u(kSample), z(kSample);
  kernels::fill_uniform({2024, 3}, 0, u.data(), kSample);
  kernels::fill_normal({2024, 3}, 0, z.data(), kSample);
  const double n = static_cast<double>(kSample);
  for (size_t lag = 0; lag < 4; ++lag) {
    double products = 0, of_squares = 0;
    for (size_t i = 0; i + lag < kSample; ++i) {
      products += (u[i] - 0.5) * std::sqrt(12) * z[i + lag];
      of_squares += (u[i] - 0.5) * std::sqrt(12) * (z[i + lag] * z[i + lag] - 1) / std::sqrt(2);
    }
    EXPECT_NEAR(products / n, 0, 4.5 / std::sqrt(n));
    EXPECT_NEAR(of_squares / n, 0, 4.5 / std::sqrt(n));
  }
}

TUFF_ON_EVERY_TARGET(RandomKernels);

TEST(RandomNumbers, AreTheSameOnEveryTarget) {
  constexpr size_t kCount = 200000;
  std::vector<double> want(kCount), got(kCount);
  std::vector<float> want_narrow(kCount), got_narrow(kCount);
  const std::vector<std::string> targets = kernels::available_targets();
  for (const auto fill :
       {static_cast<void (*)(RandomKey, uint64_t, double*, size_t)>(&kernels::fill_normal),
        static_cast<void (*)(RandomKey, uint64_t, double*, size_t)>(&kernels::fill_uniform)}) {
    for (const std::string& target : targets) {
      kernels::set_target(target);
      fill({9, 4}, 1, got.data(), kCount);
      if (target == targets.front()) want = got;
      EXPECT_EQ(std::memcmp(got.data(), want.data(), kCount * sizeof(double)), 0) << target;
    }
  }
  for (const std::string& target : targets) {
    kernels::set_target(target);
    kernels::fill_normal({9, 4}, 1, got_narrow.data(), kCount);
    if (target == targets.front()) want_narrow = got_narrow;
    EXPECT_EQ(std::memcmp(got_narrow.data(), want_narrow.data(), kCount * sizeof(float)), 0)
        << target;
  }
  kernels::set_target(targets.front());
}

}  // namespace
}  // namespace tuff::kernel_test
