// Callables as tasks: alone, in diamonds, mixed with arrays, nested, and failing.
#include <atomic>

#include "random_graph.h"

namespace tuff::flow {
namespace {

TEST(Delayed, ComputesFromValuesAndFromOtherDelayedValues) {
  const auto add = delayed([](int a, int b) { return a + b; }, "add");
  const auto text = delayed([](int a) { return std::to_string(a); }, "text");
  const auto three = add(1, 2);
  EXPECT_EQ(three.compute(), 3);
  EXPECT_EQ(text(add(three, three)).compute(), "6");
  EXPECT_EQ(add(three, 4).compute({.threads = 1}), 7);
}

TEST(Delayed, GetsArraysAsOneRowMajorBlock) {
  const Array x = arange(12).rechunk(5);
  const Array m = arange(12).rechunk(7)[{newaxis, whole}];
  const auto total = delayed([](const Block& a, const Block& b, double scale) {
    EXPECT_TRUE(a.is_row_major());
    EXPECT_EQ(b.shape(), (Dims{1, 12}));
    double sum = 0;
    for (int64_t v : a.to_vector<int64_t>()) sum += static_cast<double>(v);
    for (int64_t v : b.to_vector<int64_t>()) sum += static_cast<double>(v);
    return sum * scale;
  });
  EXPECT_EQ(total(x, m, 0.5).compute(), 66.0);
  const auto one = delayed([](const Block& a) { return a.is_row_major(); });
  EXPECT_TRUE(one(random::normal({4, 6}, {.chunks = 2, .seed = 1}).transpose()).compute());
  EXPECT_TRUE(one(random::normal({4, 6}, {.chunks = -1, .seed = 1}).transpose()).compute());
}

TEST(Delayed, ComputesADiamondOnce) {
  std::atomic<int> calls = 0;
  const auto slow = delayed([&](int a) {
    ++calls;
    return a * 10;
  });
  const auto add = delayed([](int a, int b) { return a + b; });
  const auto base = slow(1);
  EXPECT_EQ(add(add(base, base), add(base, 1)).compute(), 31);
  EXPECT_EQ(calls, 1);
  // Nobody knows whether two calls would give the same, so both are made.
  calls = 0;
  EXPECT_EQ(add(slow(1), slow(1)).compute(), 20);
  EXPECT_EQ(calls, 2);
}

TEST(Delayed, ComputesSeveralInOneRun) {
  std::atomic<int> calls = 0;
  const auto base = delayed([&] {
    ++calls;
    return 5;
  })();
  const auto square = delayed([](int a) { return a * a; })(base);
  const auto name = delayed([](int a) { return std::string(static_cast<size_t>(a), 'x'); })(base);
  const auto [number, text, again] = compute(square, name, base);
  EXPECT_EQ(number, 25);
  EXPECT_EQ(text, "xxxxx");
  EXPECT_EQ(again, 5);
  EXPECT_EQ(calls, 1);
}

TEST(Delayed, CarriesLargeAndMoveOnlyFreeValues) {
  const auto make = delayed([](size_t n) { return std::vector<double>(n, 1.5); });
  const auto size = delayed([](const std::vector<double>& v) { return v.size(); });
  const auto vector = make(size_t{1000});
  EXPECT_EQ(size(vector).compute(), 1000U);
  EXPECT_EQ(vector.compute(), std::vector<double>(1000, 1.5));
}

TEST(Delayed, BecomesAnArray) {
  const auto make = delayed([](int n) {
    Block block = Block::allocate(DType::float64, {n});
    for (int i = 0; i < n; ++i) block.data<double>()[i] = i;
    return block;
  });
  const Array x = from_delayed(make(4), DType::float64, {4});
  EXPECT_EQ((x * 2.0).to_vector<double>(), (std::vector<double>{0, 2, 4, 6}));
  EXPECT_EQ(sum(x).compute<double>(), 6.0);
  EXPECT_THROW(from_delayed(make(4), DType::float64, {5}).compute(), TaskError);
  EXPECT_THROW(from_delayed(make(4), DType::int64, {4}).compute(), TaskError);
}

TEST(Delayed, MayComputeInside) {
  const auto nested = delayed([](int n) {
    const Array x = arange(n).rechunk(7);
    return sum(x * x).compute<int64_t>();
  });
  const auto add = delayed([](int64_t a, int64_t b) { return a + b; });
  for (int threads : {1, 2, 4}) {
    EXPECT_EQ(add(nested(10), nested(100)).compute({.threads = threads}), 285 + 328350);
  }
}

TEST(FromFunction, MayComputeInside) {
  const Array inner = random::uniform({1000}, {.chunks = 100, .seed = 3});
  const double want = sum(inner).compute<double>();
  const Array x = from_function(
      [&](const BlockInfo& info) {
        Block block = Block::allocate(info.dtype, info.shape);
        std::fill_n(block.data<double>(), block.size(), sum(inner).compute<double>());
        return block;
      },
      {40}, {.chunks = 3});
  for (int threads : {1, 2, 4}) {
    for (double v : x.to_vector<double>({.threads = threads})) ASSERT_EQ(v, want);
  }
}

TEST(Delayed, FailsWithTheNameOfTheCallableAndItsCause) {
  const auto fail =
      delayed([](int a) -> int { throw std::out_of_range("no " + std::to_string(a)); }, "look_up");
  const auto after = delayed([](int a) { return a; }, "after");
  try {
    after(fail(7)).compute();
    FAIL() << "no error";
  } catch (const TaskError& error) {
    EXPECT_EQ(error.failures()[0].operation, "look_up");
    EXPECT_THROW(std::rethrow_exception(error.failures()[0].cause), std::out_of_range);
    EXPECT_NE(describe(std::current_exception()).find("no 7"), std::string::npos);
  }
}

TEST(Delayed, FailingInsideANestedRunNamesBoth) {
  const auto inner = delayed([](int) -> int { throw std::runtime_error("deep"); }, "inner");
  const auto outer = delayed([&](int a) { return inner(a).compute(); }, "outer");
  try {
    outer(1).compute();
    FAIL() << "no error";
  } catch (const TaskError& error) {
    EXPECT_EQ(error.failures()[0].operation, "outer");
    const std::string text = describe(std::current_exception());
    EXPECT_NE(text.find("inner"), std::string::npos) << text;
    EXPECT_NE(text.find("deep"), std::string::npos) << text;
  }
}

TEST(Delayed, RefusesArraysOfUnknownExtentInSeveralBlocks) {
  const Array x = arange(20).rechunk(5);
  const auto size = delayed([](const Block& block) { return block.size(); });
  EXPECT_THROW(size(x[x > 3]), InvalidArgument);
  EXPECT_EQ(size(x[x > 3].compute_chunk_sizes()).compute(), 16);
}

TEST(Delayed, RefusesAParameterThatNobodyBinds) {
  const Parameter p("p", {3}, DType::float64);
  const auto size = delayed([](const Block& block) { return block.size(); });
  EXPECT_THROW(size(p).compute(), InvalidArgument);
}

}  // namespace
}  // namespace tuff::flow
