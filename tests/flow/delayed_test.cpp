// Callables as tasks: alone, in diamonds, mixed with arrays, nested, and failing.
#include <algorithm>
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

TEST(Delayed, TakesContainersOfDelayedValuesAndOfArrays) {
  const auto make = delayed([](int v) { return v; }, "make");
  const auto total = delayed([](const std::vector<int>& v, const std::map<std::string, int>& m) {
    int sum = 0;
    for (int x : v) sum += x;
    for (const auto& [name, x] : m) sum += x * static_cast<int>(name.size());
    return sum;
  });
  const std::vector<Delayed<int>> parts = {make(1), make(2), make(3)};
  EXPECT_EQ(total(parts, std::map<std::string, Delayed<int>>{{"ab", make(10)}}).compute(), 26);
  const auto sizes = delayed([](const std::vector<Block>& blocks, const std::pair<int, double>& p) {
    return static_cast<double>(blocks[0].size() + blocks[1].size()) + p.second * p.first;
  });
  const std::vector<Array> arrays = {arange(7).rechunk(2), arange(5)};
  EXPECT_EQ(sizes(arrays, std::pair{make(2), 0.5}).compute(), 13.0);
}

TEST(Delayed, GivesSeveralOutputs) {
  std::atomic<int> calls = 0;
  const auto split = delayed([&calls](int v) {
    ++calls;
    return std::tuple(v / 10, std::to_string(v % 10), 0.5);
  });
  const auto [tens, ones, half] = split.outputs(42);
  const auto join = delayed([](int a, const std::string& b) { return std::to_string(a) + b; });
  const auto [text, number] = compute(join(tens, ones), half);
  EXPECT_EQ(text, "42");
  EXPECT_EQ(number, 0.5);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(ones.compute(), "2");
}

TEST(Delayed, ReturnsNothingAsMonostate) {
  std::atomic<int> calls = 0;
  const auto save = delayed([&calls](int) { ++calls; });
  const auto after = delayed([](const std::vector<std::monostate>& all) { return all.size(); });
  const std::vector<Delayed<std::monostate>> saved = {save(1), save(2)};
  EXPECT_EQ(after(saved).compute(), 2U);
  EXPECT_EQ(calls, 2);
}

TEST(Delayed, HasNamesRetriesPriorityAndResourcesPerTask) {
  std::atomic<int> calls = 0;
  const auto flaky = delayed([&calls](int v) {
                       if (++calls < 3) throw std::runtime_error("not yet");
                       return v;
                     })
                         .named("flaky")
                         .with({.retries = 2});
  EXPECT_EQ(flaky(7).compute(), 7);
  const auto fails = flaky.named("other").with({});
  calls = 0;
  try {
    fails(1).compute();
    FAIL();
  } catch (const TaskError& error) {
    EXPECT_EQ(error.failures()[0].operation, "other");
  }
  std::vector<int> order;
  const auto note = delayed([&order](int v) {
    order.push_back(v);
    return v;
  });
  const std::vector<Delayed<int>> both = {note(1), note.with({.priority = 3})(2)};
  EXPECT_EQ(compute(both, {.threads = 1}), (std::vector{1, 2}));
  EXPECT_EQ(order, (std::vector{2, 1}));
  const auto gpu = note.with({.resources = {{"GPU", 1}}});
  EXPECT_THROW(gpu(1).compute(), InvalidArgument);
  EXPECT_EQ(gpu(1).compute({.resources = {{"GPU", 1}}}), 1);
  EXPECT_EQ(std::get<0>(compute(RunOptions{.resources = {{"GPU", 2}}}, gpu(5), note(6))), 5);
}

TEST(Delayed, RefusesOptionsThatMeanNothing) {
  const auto f = delayed([] { return 1; });
  const auto refusal = [&](const TaskOptions& options) -> std::string {
    try {
      (void)f.with(options);
    } catch (const InvalidArgument& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(refusal({.retries = -3}), "[delayed] retries = -3; 0 or more are accepted");
  EXPECT_EQ(refusal({.resources = {{"GPU", -1}}}),
            "[delayed] -1 of resource 'GPU'; an amount above 0 is needed");
  EXPECT_EQ(refusal({.cost_seconds = -1}),
            "[delayed] cost_seconds = -1; 0 (not known) or more is accepted");
}

TEST(Delayed, GoesFromArraysAndBack) {
  const Array x = random::normal({40, 30}, {.chunks = {7, 30}, .seed = 5});
  const auto twice = delayed([](const Block& block) {
    Block result = Block::allocate(DType::float64, block.shape());
    const Block flat = block.contiguous();
    for (int64_t i = 0; i < flat.size(); ++i) result.data<double>()[i] = 2 * flat.data<double>()[i];
    return result;
  });
  std::vector<Delayed<Block>> blocks = to_delayed(x);
  ASSERT_EQ(blocks.size(), 6U);
  for (Delayed<Block>& block : blocks) block = twice(block);
  const Array y = from_delayed(blocks, DType::float64, {40, 30}, {7, 30});
  EXPECT_EQ(y.to_vector<double>(), (x * 2.0).to_vector<double>());
  blocks.pop_back();
  try {
    from_delayed(blocks, DType::float64, {40, 30}, {7, 30});
    FAIL();
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(
        error.what(),
        "[from_delayed] 5 delayed blocks for shape (40, 30) in (6, 1) blocks; 6 are needed");
  }
}

TEST(Delayed, TouchesOneBlockForOneBlock) {
  std::atomic<int> made = 0;
  const Array x = from_function(
      [&made](const BlockInfo& info) {
        ++made;
        Block block = Block::allocate(info.dtype, info.shape);
        std::fill_n(block.data<double>(), block.size(), 1.0);
        return block;
      },
      {1000}, {.chunks = 10});
  EXPECT_EQ(to_delayed(x)[57].compute().size(), 10);
  EXPECT_EQ(made, 1);
}

TEST(Delayed, CostsTheSamePerBlockHoweverManyThereAre) {
  // dask/dask#7851: 16,000 blocks took 324 s there.
  const Array x = arange(160'000).rechunk(10);
  const auto size = delayed([](const Block& block) { return block.size(); });
  std::vector<Delayed<int64_t>> sizes;
  for (const Delayed<Block>& block : to_delayed(x)) sizes.push_back(size(block));
  const auto total = delayed([](const std::vector<int64_t>& v) {
    int64_t sum = 0;
    for (int64_t n : v) sum += n;
    return sum;
  });
  EXPECT_EQ(total(sizes).compute(), 160'000);
}

TEST(Delayed, WhatCannotBeCopiedIsGivenOnce) {
  const auto make = delayed([] { return std::make_unique<int>(5); });
  const auto u = make();
  EXPECT_EQ(*u.compute(), 5);
  try {
    static_cast<void>(compute(u, u));
    FAIL();
  } catch (const InvalidArgument& error) {
    EXPECT_NE(std::string(error.what()).find("which cannot be copied; ask for it once"),
              std::string::npos);
  }
}

TEST(Delayed, BlocksOfAnArrayAreAsLargeAsItSays) {
  const auto make = delayed([](int64_t b) {
    Block block = Block::allocate(DType::float64, Dims{100});
    std::fill_n(block.data<double>(), 100, static_cast<double>(b));
    return block;
  });
  std::vector<Delayed<Block>> blocks;
  for (int64_t b = 0; b < 10; ++b) blocks.push_back(make(b));
  const Array x = from_delayed(blocks, DType::float64, {1000}, {100});
  // What is known needs no asking, task by task.
  EXPECT_LE(compile({sum(x).port()}).arrays().output_bytes, 20u * 100 * sizeof(double));
  EXPECT_EQ(sum(x).compute<double>(), 4500);
  // Of some of the calls only.
  EXPECT_EQ(sum(x[{Slice{250, 420}}]).compute<double>(), 50 * 2 + 100 * 3 + 20 * 4);
}

TEST(Delayed, LongChainsBuildRunAndGoAwayWithoutRecursion) {
  const auto next = delayed([](int64_t v) { return v + 1; }, "next");
  Delayed<int64_t> x = delayed([] { return int64_t{0}; })();
  for (int i = 0; i < 100'000; ++i) x = next(x);
  EXPECT_EQ(x.compute(), 100'000);
}

}  // namespace
}  // namespace tuff::flow
