// Arrays from nothing, memory and functions, casts between all types, and numbers that do not depend on
// how an array is cut.
#include <mutex>

#include <gtest/gtest.h>

#include "tests/conform/naive.h"

namespace tuff::conform {
namespace {

TEST(Creation, FullHoldsItsNumberEverywhereInEveryType) {
  Rng rng(1);
  for (DType dtype : kEveryDType) {
    for (int c = 0; c < 10; ++c) {
      const Dims shape = random_shape(rng, static_cast<size_t>(rng.below(5)), 7);
      Dense want(dtype, shape), one(dtype, shape);
      visit_dtype(dtype, [&](auto t) {
        using T = decltype(t);
        std::fill_n(want.data<T>(), want.size(), static_cast<T>(is_bool(dtype) ? 1 : 100));
        std::fill_n(one.data<T>(), one.size(), static_cast<T>(1));
      });
      const CreateOptions options{.dtype = dtype, .chunks = spec_of(random_cuts(rng, shape))};
      EXPECT_TRUE(same(computed(full(shape, 100, options)), want));
      EXPECT_TRUE(same(computed(zeros(shape, options)), Dense(dtype, shape)));
      EXPECT_TRUE(same(computed(ones(shape, options)), one));
    }
  }
}

TEST(Creation, FullRefusesNumbersThatDoNotFit) {
  EXPECT_THROW(full({2}, 128, {.dtype = DType::int8}), InvalidArgument);
  EXPECT_THROW(full({2}, -1, {.dtype = DType::uint64}), InvalidArgument);
  EXPECT_THROW(full({2}, 0.5, {.dtype = DType::int32}), InvalidArgument);
  EXPECT_THROW(full({2}, std::numeric_limits<double>::quiet_NaN(), {.dtype = DType::int32}),
               InvalidArgument);
  EXPECT_THROW(full({-2}, 1), InvalidArgument);
  EXPECT_EQ(full({1}, std::numeric_limits<uint64_t>::max(), {.dtype = DType::uint64})
                .to_vector<uint64_t>()[0],
            std::numeric_limits<uint64_t>::max());
}

TEST(Creation, ArangeOfIntegersCountsUpAndDown) {
  Rng rng(2);
  for (int c = 0; c < 300; ++c) {
    const int64_t start = rng.between(-50, 50), stop = rng.between(-50, 50),
                  step = rng.between(1, 7) * (rng.chance(50) ? -1 : 1);
    std::vector<int64_t> want;
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) want.push_back(i);
    const auto n = static_cast<int64_t>(want.size());
    const Array x = arange(start, stop, step, {.chunks = spec_of(random_cuts(rng, Dims{n}))});
    ASSERT_EQ(x.dtype(), DType::int64);
    ASSERT_EQ(x.to_vector<int64_t>(), want) << start << " " << stop << " " << step;
  }
  EXPECT_EQ(arange(5).to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(arange(0).to_vector<int64_t>().empty());
  EXPECT_THROW(arange(0, 5, 0), InvalidArgument);
}

TEST(Creation, ArangeOfFractionsIsStartPlusMultiplesOfStep) {
  const Array x = arange(0.5, 3.0, 0.3, {.chunks = 4});
  const std::vector<double> got = x.to_vector<double>();
  ASSERT_EQ(got.size(), 9U);  // ceil(2.5 / 0.3)
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], 0.5 + static_cast<double>(i) * 0.3);
  EXPECT_EQ(arange(0, 3, 1, {.dtype = DType::float32}).to_vector<float>(),
            (std::vector<float>{0, 1, 2}));
  EXPECT_THROW(arange(0, std::numeric_limits<double>::infinity(), 1.0), InvalidArgument);
}

TEST(Creation, ArangeIsExactAtTheEndsOfItsTypes) {
  const int64_t large = (int64_t{1} << 53) + 1;
  EXPECT_EQ(arange(large, large + 5, 2).to_vector<int64_t>(),
            (std::vector<int64_t>{large, large + 2, large + 4}));
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(arange(kLeast, kLeast + 2).to_vector<int64_t>(),
            (std::vector<int64_t>{kLeast, kLeast + 1}));
  EXPECT_EQ(arange(kLeast, kMost, kMost).to_vector<int64_t>(),
            (std::vector<int64_t>{kLeast, -1, kMost - 1}));
  constexpr uint64_t kEnd = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(arange(kEnd - 3, kEnd).to_vector<uint64_t>(),
            (std::vector<uint64_t>{kEnd - 3, kEnd - 2, kEnd - 1}));
  EXPECT_EQ(arange(kEnd, kEnd - 5, -2).to_vector<uint64_t>(),
            (std::vector<uint64_t>{kEnd, kEnd - 2, kEnd - 4}));
  EXPECT_EQ(arange(kEnd, kEnd - 5, -2, {.dtype = DType::float64}).to_vector<double>()[0], 0x1p64);
  const uint64_t half = uint64_t{1} << 63;
  EXPECT_EQ(arange(0, half + 1, half / 2).to_vector<uint64_t>(),
            (std::vector<uint64_t>{0, half / 2, half}));
  EXPECT_EQ(arange(0, half, half / 2).dtype(), DType::int64);
  EXPECT_THROW(arange(0, kEnd), InvalidArgument);
  EXPECT_THROW(arange(kEnd - 1, kEnd, 1, {.dtype = DType::int64}), InvalidArgument);
}

TEST(Creation, LinspaceReachesFarAndNear) {
  EXPECT_EQ(linspace(-1e308, 1e308, 5).to_vector<double>(),
            (std::vector<double>{-1e308, -5e307, 0, 5e307, 1e308}));
  const double least = std::numeric_limits<double>::denorm_min();
  EXPECT_EQ(linspace(0, 4 * least, 5).to_vector<double>(),
            (std::vector<double>{0, least, 2 * least, 3 * least, 4 * least}));
  EXPECT_EQ(linspace(0, 2 * least, 5).to_vector<double>()[2], least);
  EXPECT_EQ(linspace(3 * least, -3 * least, 3).to_vector<double>(),
            (std::vector<double>{3 * least, 0, -3 * least}));
  const double most = std::numeric_limits<double>::max();
  EXPECT_EQ(linspace(most, -most, 3).to_vector<double>(), (std::vector<double>{most, 0, -most}));
}

TEST(Creation, ArraysOfOneShapeAreCutAlikeWhateverTheirType) {
  const Array x = zeros({3000, 2000});
  for (DType dtype : kEveryDType) {
    EXPECT_EQ(to_string(zeros({3000, 2000}, {.dtype = dtype}).chunks()), to_string(x.chunks()));
  }
  EXPECT_EQ(to_string(random::uniform({3000, 2000}, {.dtype = DType::float32}).chunks()),
            to_string(x.chunks()));
}

TEST(Creation, AnAxisWithoutElementsMayHaveBlocksWithout) {
  const Array none = zeros({0, 4}, {.chunks = {0, 2}});
  EXPECT_EQ(none.rechunk({0, 2}).shape()[0].value(), 0);
  EXPECT_EQ(none.rechunk({0, 4}).compute().shape(), (Dims{0, 4}));
  EXPECT_THROW(zeros({1, 4}, {.chunks = {0, 2}}), InvalidArgument);
}

TEST(Creation, LinspaceEndsExactlyWhereItIsTold) {
  Rng rng(3);
  for (int c = 0; c < 200; ++c) {
    const double start = rng.unit() * 10 - 5, stop = rng.unit() * 10 - 5;
    const int64_t n = rng.below(40);
    const bool endpoint = rng.chance(50);
    const std::vector<double> got =
        linspace(start, stop, n,
                 {.endpoint = endpoint, .chunks = spec_of(random_cuts(rng, Dims{n}))})
            .to_vector<double>();
    ASSERT_EQ(static_cast<int64_t>(got.size()), n);
    const int64_t intervals = endpoint ? n - 1 : n;
    for (int64_t i = 0; i < n; ++i) {
      const double want =
          start + static_cast<double>(i) *
                      (intervals > 0 ? (stop - start) / static_cast<double>(intervals) : 0.0);
      ASSERT_EQ(got[static_cast<size_t>(i)], endpoint && n > 1 && i == n - 1 ? stop : want);
    }
  }
  EXPECT_THROW(linspace(0, 1, -1), InvalidArgument);
}

TEST(Creation, MemoryIsUsedInPlaceUnlessACopyIsAskedFor) {
  std::vector<int32_t> memory = {1, 2, 3, 4, 5, 6};
  const Array in_place = from_memory(memory.data(), {2, 3}, {.chunks = ChunkSpec{1, 2}});
  const Array copy = from_memory(memory.data(), {2, 3}, {.copy = true});
  const Array vector = from_vector(memory, Dims{3, 2});
  EXPECT_EQ(compute({in_place})[0].blocks()[0].bytes_data(),
            reinterpret_cast<std::byte*>(memory.data()));
  memory[0] = 100;
  EXPECT_EQ(in_place.to_vector<int32_t>()[0], 100);
  EXPECT_EQ(copy.to_vector<int32_t>()[0], 1);
  EXPECT_EQ(vector.to_vector<int32_t>(), (std::vector<int32_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_THROW(from_vector(memory, Dims{4}), InvalidArgument);
  EXPECT_THROW(from_memory(static_cast<const int32_t*>(nullptr), {2}), InvalidArgument);
  EXPECT_THROW((from_memory(memory.data(), {2, 3}, {.strides = Dims{1}})), InvalidArgument);
}

TEST(Creation, AFunctionIsAskedOnceForEachBlockWithItsPlace) {
  Rng rng(4);
  for (int c = 0; c < 50; ++c) {
    const Dims shape = random_shape(rng, static_cast<size_t>(rng.below(3)) + 1, 9);
    std::mutex mutex;
    std::vector<std::string> asked;
    const auto ramp = [&](const BlockInfo& info) {
      {
        const std::lock_guard lock(mutex);
        asked.push_back(to_string(info.index));
      }
      Block block = Block::allocate(info.dtype, info.shape);
      for_each_index(info.shape, [&](const Dims& index, int64_t i) {
        Dims at = index;
        for (size_t a = 0; a < at.size(); ++a) at[a] += info.start[a];
        block.data<int64_t>()[i] = linear_of(at, shape);
      });
      return block;
    };
    const Array x = from_function(
        ramp, shape, {.dtype = DType::int64, .chunks = spec_of(random_cuts(rng, shape))});
    Dense want(DType::int64, shape);
    std::iota(want.data<int64_t>(), want.data<int64_t>() + want.size(), int64_t{0});
    ASSERT_TRUE(same(computed(x + x), computed(from_memory(want.data<int64_t>(), shape) * 2)));
    std::sort(asked.begin(), asked.end());
    EXPECT_EQ(asked.size(), x.block_count());
    EXPECT_EQ(std::adjacent_find(asked.begin(), asked.end()), asked.end());
  }
}

TEST(Astype, CastsBetweenAllTypesAsDocumented) {
  Rng rng(5);
  for (DType from : kEveryDType) {
    for (DType to : kEveryDType) {
      Guises guises(rng);
      const Dense x = mixed(rng, from, random_shape(rng, static_cast<size_t>(rng.below(4)), 12));
      EXPECT_TRUE(same(computed(guises.any(x).astype(to)), naive_astype(x, to)))
          << name_of(from) << " to " << name_of(to);
      visit_dtype(from, [&](auto t) {
        const auto special = kernel_test::special_values<decltype(t)>();
        const Dense all(special, Dims{static_cast<int64_t>(special.size())});
        EXPECT_TRUE(same(computed(guises.any(all).astype(to)), naive_astype(all, to)))
            << name_of(from) << " to " << name_of(to);
      });
    }
  }
}

Array drawn(bool normal, const Dims& shape, const ChunkSpec& chunks, DType dtype,
            uint64_t stream = 0) {
  return normal ? random::normal(shape,
                                 {.chunks = chunks, .seed = 7, .stream = stream, .dtype = dtype})
                : random::uniform(shape,
                                  {.chunks = chunks, .seed = 7, .stream = stream, .dtype = dtype});
}

TEST(Random, DoesNotDependOnChunksThreadsOrWhatIsComputed) {
  Rng rng(6);
  for (const bool normal : {false, true}) {
    for (DType dtype : {DType::float32, DType::float64}) {
      for (int c = 0; c < 40; ++c) {
        const Dims shape = random_shape(rng, static_cast<size_t>(rng.below(4)) + 1, 15);
        const Dense want = computed(drawn(normal, shape, -1, dtype), {.threads = 1});
        const Array x = drawn(normal, shape, spec_of(random_cuts(rng, shape)), dtype);
        ASSERT_TRUE(same(computed(x, {.threads = 3}), want));
        ASSERT_TRUE(same(computed(x.transpose().transpose()), want));
        // A part of it.
        std::vector<Index> part;
        for (int64_t extent : shape)
          part.emplace_back(Slice{.start = extent / 3, .stop = {}, .step = 2});
        ASSERT_TRUE(
            same(computed(x[part]),
                 computed(from_block(computed(x).bytes.empty()
                                         ? x.compute()
                                         : drawn(normal, shape, -1, dtype).compute())[part])));
      }
    }
  }
}

TEST(Random, HasTheMomentsItPromises) {
  const Array u = random::uniform({200000}, {.low = -1, .high = 3, .chunks = 30000, .seed = 1});
  const Array z = random::normal({200000}, {.loc = 2, .scale = 3, .chunks = 30000, .seed = 1});
  // Five standard errors: 4 / sqrt(12 n), 3 / sqrt(n).
  EXPECT_NEAR(mean(u).compute<double>(), 1.0, 5 * 4 / std::sqrt(12.0 * 200000));
  EXPECT_NEAR(var(u).compute<double>(), 16.0 / 12, 0.02);
  EXPECT_NEAR(mean(z).compute<double>(), 2.0, 5 * 3 / std::sqrt(200000.0));
  EXPECT_NEAR(tuff::std(z).compute<double>(), 3.0, 0.03);
  EXPECT_GE(min(u).compute<double>(), -1.0);
  EXPECT_LT(max(u).compute<double>(), 3.0);
}

TEST(Random, UniformNumbersStayBelowHigh) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    for (const auto& [low, high] :
         {std::pair(1.0, 2.0), std::pair(0.5, 0.75), std::pair(-3.0, -1.0), std::pair(1e6, 1e6 + 1),
          std::pair(0.0, 3.0), std::pair(-1.0, 0.0)}) {
      const Array u =
          random::uniform({1 << 20}, {.low = low, .high = high, .seed = 5, .dtype = dtype});
      EXPECT_GE(min(u).astype(DType::float64).compute<double>(), low);
      EXPECT_LT(max(u).astype(DType::float64).compute<double>(), high)
          << low << " " << name_of(dtype);
    }
  }
  const Array same = random::uniform({10}, {.low = 2, .high = 2, .seed = 1});
  EXPECT_EQ(max(same).compute<double>(), 2);
}

TEST(Random, StreamsAndSeedsDiffer) {
  const Dense a = computed(drawn(false, {100}, -1, DType::float64, 0)),
              b = computed(drawn(false, {100}, -1, DType::float64, 1));
  int equal = 0;
  for (int64_t i = 0; i < 100; ++i) equal += a.at(i) == b.at(i) ? 1 : 0;
  EXPECT_EQ(equal, 0);
  EXPECT_FALSE(same(computed(random::uniform({10})), computed(random::uniform({10}))));
}

TEST(Random, RefusesRangesThatMakeNoSense) {
  EXPECT_THROW(random::uniform({2}, {.low = 1, .high = 0}), InvalidArgument);
  EXPECT_THROW(random::normal({2}, {.scale = -1}), InvalidArgument);
  EXPECT_THROW(random::normal({2}, {.dtype = DType::int32}), InvalidArgument);
}

}  // namespace
}  // namespace tuff::conform
