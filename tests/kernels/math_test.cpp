// exp and its kin: error bounds against long double over sweeps, special values against the C
// library, and values that depend on nothing but the operand.
#include "testing.h"
#include <gtest/gtest.h>

#include "tuff/kernels/elementwise.h"

namespace tuff::kernel_test {
namespace {

using kernels::Elementwise;
using kernels::find_elementwise;

constexpr double kMaxUlps = 2;

struct Function {
  Elementwise op;
  long double (*exact)(long double);
  double low, high;  // where a uniform sweep makes sense
};

long double logistic(long double x) { return 1 / (1 + std::exp(-x)); }

const Function kFunctions[] = {
    {Elementwise::exp, [](long double x) { return std::exp(x); }, -750, 715},
    {Elementwise::expm1, [](long double x) { return std::expm1(x); }, -40, 715},
    {Elementwise::log, [](long double x) { return std::log(x); }, 0, 10},
    {Elementwise::log1p, [](long double x) { return std::log1p(x); }, -1, 10},
    {Elementwise::sin, [](long double x) { return std::sin(x); }, -100, 100},
    {Elementwise::cos, [](long double x) { return std::cos(x); }, -100, 100},
    {Elementwise::tanh, [](long double x) { return std::tanh(x); }, -25, 25},
    {Elementwise::sigmoid, logistic, -760, 60},
};

// A quarter each: uniform over the interesting range, near 0, near 1, and any exponent.
template <class T>
std::vector<T> sweep_values(const Function& function, size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<T> values(n);
  for (size_t i = 0; i < n; ++i) {
    const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
    const double sign = (random() & 1) != 0 ? 1 : -1;
    switch (i % 4) {
      case 0:
        values[i] = static_cast<T>(function.low + (function.high - function.low) * unit);
        break;
      case 1: values[i] = static_cast<T>(sign * unit); break;
      case 2: values[i] = static_cast<T>(1 + sign * unit * 0.5); break;
      default:
        values[i] =
            static_cast<T>(sign * std::ldexp(0.5 + unit, static_cast<int>(random() % 2100) - 1075));
    }
  }
  return values;
}

template <class T>
std::vector<T> evaluate(Elementwise op, const std::vector<T>& x) {
  std::vector<T> out(x.size());
  const void* operands[1] = {x.data()};
  find_elementwise(op, dtype_of<T>, 0)(operands, out.data(), x.size());
  return out;
}

template <class T>
std::vector<T> evaluate(Elementwise op, const std::vector<T>& x, const std::vector<T>& y) {
  std::vector<T> out(x.size());
  const void* operands[2] = {x.data(), y.data()};
  find_elementwise(op, dtype_of<T>, 0)(operands, out.data(), x.size());
  return out;
}

class MathKernels : public OnEveryTarget {
 protected:
  template <class T>
  void bound_errors(size_t n) {
    for (const Function& function : kFunctions) {
      const std::vector<T> x = sweep_values<T>(function, n, 3);
      const std::vector<T> out = evaluate(function.op, x);
      double worst = 0;
      T where = 0;
      for (size_t i = 0; i < n; ++i) {
        const double error = ulps(out[i], function.exact(x[i]));
        if (error > worst) worst = error, where = x[i];
      }
      RecordProperty(std::string(kernels::name_of(function.op)), std::to_string(worst));
      EXPECT_LE(worst, kMaxUlps) << kernels::name_of(function.op) << " at " << where;
    }
  }

  // The library's own answer at every special value, the sign of zero included.
  template <class T>
  void compare_special_values() {
    const std::vector<T> x = special_values<T>();
    for (const Function& function : kFunctions) {
      const std::vector<T> out = evaluate(function.op, x);
      for (size_t i = 0; i < x.size(); ++i) {
        const T want = static_cast<T>(function.exact(x[i]));
        EXPECT_LE(ulps(out[i], function.exact(x[i])), kMaxUlps)
            << kernels::name_of(function.op) << "(" << x[i] << ") = " << out[i] << ", not " << want;
        if (want == 0 && out[i] == 0) {
          EXPECT_EQ(std::signbit(out[i]), std::signbit(want))
              << kernels::name_of(function.op) << "(" << x[i] << ")";
        }
      }
    }
  }

  // Each element alone, and every split of the first 40, against one call over all.
  template <class T>
  void compare_positions() {
    const std::vector<T> x = mixed_values<T>(4 * 70, 17);
    for (const Function& function : kFunctions) {
      const std::vector<T> all = evaluate(function.op, x);
      for (size_t i = 0; i < x.size(); ++i) {
        const std::vector<T> alone = evaluate(function.op, std::vector<T>{x[i]});
        ASSERT_TRUE(same_bits(alone[0], all[i]))
            << kernels::name_of(function.op) << "(" << x[i] << ")";
      }
      for (size_t split = 0; split <= 40; ++split) {
        const std::vector<T> rest =
            evaluate(function.op, std::vector<T>(x.begin() + static_cast<int64_t>(split), x.end()));
        for (size_t i = 0; i < rest.size(); ++i) ASSERT_TRUE(same_bits(rest[i], all[split + i]));
      }
    }
    const std::vector<T> y = mixed_values<T>(x.size(), 18);
    const std::vector<T> all = evaluate(Elementwise::power, x, y);
    for (size_t i = 0; i < x.size(); ++i) {
      const std::vector<T> alone =
          evaluate(Elementwise::power, std::vector<T>{x[i]}, std::vector<T>{y[i]});
      ASSERT_TRUE(same_bits(alone[0], all[i])) << x[i] << " ** " << y[i];
    }
  }

  template <class T>
  void compare_sizes_and_places() {
    for (const Function& function : kFunctions) {
      const auto kernel = find_elementwise(function.op, dtype_of<T>, 0);
      for (size_t n = 0; n <= 70; ++n) {
        const std::vector<T> values = sweep_values<T>(function, n, n);
        const Tile<T> x(values, n % 9);
        Tile<T> out(n, (n * 5) % 7);
        const void* operands[1] = {x.data()};
        kernel(operands, out.data(), n);
        ASSERT_TRUE(out.canaries_are_alive());
        Tile<T> over(values, n % 5);
        operands[0] = over.data();
        kernel(operands, over.data(), n);
        for (size_t i = 0; i < n; ++i) {
          ASSERT_LE(ulps(out[i], function.exact(x[i])), kMaxUlps)
              << kernels::name_of(function.op) << " " << x[i];
          ASSERT_TRUE(same_bits(over[i], out[i]));
        }
      }
    }
  }
};

TEST_P(MathKernels, Float64IsWithinTwoUlps) { bound_errors<double>(200000); }
TEST_P(MathKernels, Float32IsWithinTwoUlps) { bound_errors<float>(200000); }
TEST_P(MathKernels, Float64SpecialValuesAreRight) { compare_special_values<double>(); }
TEST_P(MathKernels, Float32SpecialValuesAreRight) { compare_special_values<float>(); }
TEST_P(MathKernels, Float64ValuesDoNotDependOnPosition) { compare_positions<double>(); }
TEST_P(MathKernels, Float32ValuesDoNotDependOnPosition) { compare_positions<float>(); }
TEST_P(MathKernels, Float64WorksAtAnySizeAndPlace) { compare_sizes_and_places<double>(); }
TEST_P(MathKernels, Float32WorksAtAnySizeAndPlace) { compare_sizes_and_places<float>(); }

// A ramp through every power of two that exp can return, subnormal results and both limits
// included.
TEST_P(MathKernels, ExpIsRightAtItsLimits) {
  std::vector<double> x;
  for (double limit :
       {709.782712893384, 710.0, -708.3964185322641, -745.1332191019411, -745.1332191019412, -746.0,
        88.72283905206835, -103.97208, 1e4, -1e4, 1e300, -1e300}) {
    for (int step = -200; step <= 200; ++step) x.push_back(limit + step * 1e-13 * std::fabs(limit));
  }
  for (int k = -1080; k <= 1030; ++k) x.push_back(k * 0.6931471805599453);
  const std::vector<double> out = evaluate(Elementwise::exp, x);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_LE(ulps(out[i], std::exp(static_cast<long double>(x[i]))), kMaxUlps)
        << x[i] << " gives " << out[i];
  }
}

TEST_P(MathKernels, SigmoidIsFiniteFarOutAndSymmetric) {
  const std::vector<double> x = {-1e308, -1e4, -746, -745, -710, -40,  -1,
                                 0,      1,    40,   710,  1e4,  1e308};
  const std::vector<double> out = evaluate(Elementwise::sigmoid, x);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_GE(out[i], 0) << x[i];
    EXPECT_LE(out[i], 1) << x[i];
    EXPECT_LE(ulps(out[i], logistic(x[i])), kMaxUlps) << x[i];
  }
  EXPECT_EQ(out[7], 0.5);
}

TEST_P(MathKernels, LargeAnglesAreReducedExactly) {
  std::vector<double> x;
  std::mt19937_64 random(11);
  for (int exponent = 0; exponent < 1024; ++exponent) {
    for (int i = 0; i < 20; ++i) {
      x.push_back(std::ldexp(1 + static_cast<double>(random() >> 12) * 0x1p-52, exponent));
    }
  }
  for (int k = 1; k < 5000; ++k) x.push_back(k * 1.5707963267948966);
  x.push_back(6381956970095103.0 *
              std::ldexp(1.0, 797));  // the double nearest to a multiple of pi / 2
  const std::vector<double> sine = evaluate(Elementwise::sin, x),
                            cosine = evaluate(Elementwise::cos, x);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_LE(ulps(sine[i], std::sin(static_cast<long double>(x[i]))), kMaxUlps) << x[i];
    ASSERT_LE(ulps(cosine[i], std::cos(static_cast<long double>(x[i]))), kMaxUlps) << x[i];
  }
}

template <class T>
void expect_power(const std::vector<T>& x, const std::vector<T>& y) {
  const std::vector<T> out = evaluate(Elementwise::power, x, y);
  for (size_t i = 0; i < x.size(); ++i) {
    const long double exact =
        std::pow(static_cast<long double>(x[i]), static_cast<long double>(y[i]));
    const T library = std::pow(x[i], y[i]);
    ASSERT_LE(ulps(out[i], exact), kMaxUlps)
        << x[i] << " ** " << y[i] << " = " << out[i] << ", not " << library;
    if (library == 0 && out[i] == 0) {
      ASSERT_EQ(std::signbit(out[i]), std::signbit(library)) << x[i] << " ** " << y[i];
    }
  }
}

TEST_P(MathKernels, PowerIsRightForEveryPairOfSpecialValues) {
  std::vector<double> a, b;
  std::vector<float> c, d;
  for (double x : special_values<double>()) {
    for (double y : special_values<double>()) a.push_back(x), b.push_back(y);
  }
  for (float x : special_values<float>()) {
    for (float y : special_values<float>()) c.push_back(x), d.push_back(y);
  }
  expect_power(a, b);
  expect_power(c, d);
}

TEST_P(MathKernels, PowerIsWithinTwoUlps) {
  std::mt19937_64 random(23);
  std::vector<double> x(50000), y(50000);
  for (size_t i = 0; i < x.size(); ++i) {
    const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
    x[i] =
        i % 3 == 0 ? std::ldexp(1 + unit, static_cast<int>(random() % 400) - 200) : unit * 4 + 1e-9;
    y[i] = i % 3 == 2 ? static_cast<double>(random() % 21) - 10
                      : (static_cast<double>(random() >> 11) * 0x1p-53 - 0.5) * 10;
    if (i % 6 == 5) x[i] = -x[i];
  }
  expect_power(x, y);
}

TUFF_ON_EVERY_TARGET(MathKernels);

}  // namespace
}  // namespace tuff::kernel_test
