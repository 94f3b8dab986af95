// Extents, shapes, chunks and grid numbers.
#include "tuff/base/shape.h"

#include <limits>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using tuff::AxisChunks;
using tuff::AxisChunksPtr;
using tuff::Chunks;
using tuff::Dims;
using tuff::Extent;
using tuff::Shape;

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const tuff::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(PerAxis, InsertAndEraseActLikeAVector) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    Dims dims;
    std::vector<int64_t> model;
    for (int step = 0; step < 30; ++step) {
      const auto value = static_cast<int64_t>(random() % 100);
      if (model.size() < tuff::kMaxRank && random() % 2 == 0) {
        const size_t at = random() % (model.size() + 1);
        dims.insert(at, value);
        model.insert(model.begin() + static_cast<std::ptrdiff_t>(at), value);
      } else if (!model.empty()) {
        const size_t at = random() % model.size();
        dims.erase(at);
        model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
      }
      ASSERT_EQ(std::vector<int64_t>(dims.begin(), dims.end()), model);
      ASSERT_EQ(dims, Dims(model.begin(), model.end()));
    }
  }
}

TEST(PerAxis, MoreAxesThanSupportedAreAnError) {
  const std::string text = "[shape] 9 axes; at most 8 are supported";
  EXPECT_EQ(error_of([] { static_cast<void>(Dims(9, 1)); }), text);
  EXPECT_EQ(error_of([] { static_cast<void>(Dims{1, 2, 3, 4, 5, 6, 7, 8, 9}); }), text);
  EXPECT_EQ(error_of([] { Dims(8, 1).push_back(1); }), text);
  EXPECT_EQ(error_of([] { Dims(8, 1).insert(0, 1); }), text);
}

TEST(Shape, RowMajorStridesStepThroughMemoryInOrder) {
  EXPECT_EQ(row_major_strides(Dims{2, 3, 4}), (Dims{12, 4, 1}));
  EXPECT_EQ(row_major_strides(Dims{}), Dims{});
  EXPECT_EQ(element_count(Dims{2, 3, 4}), 24);
  EXPECT_EQ(element_count(Dims{}), 1);
  EXPECT_EQ(element_count(Dims{5, 0, 3}), 0);
}

TEST(Shape, ReadsLikeNumPy) {
  EXPECT_EQ(to_string(Dims{}), "()");
  EXPECT_EQ(to_string(Dims{5}), "(5,)");
  EXPECT_EQ(to_string(Dims{3, 4}), "(3, 4)");
  EXPECT_EQ(to_string(Shape{Extent(3), Extent(4)}), "(3, 4)");
  const Extent symbol = Extent::symbol(10);
  EXPECT_EQ(to_string(Shape{symbol}), "(?" + std::to_string(symbol.symbol_id()) + ",)");
}

TEST(Extent, TwoSymbolsDifferAndOneEqualsItself) {
  const Extent a = Extent::symbol(10);
  const Extent b = Extent::symbol(10);
  const Extent copy = a;
  EXPECT_EQ(a, copy);
  EXPECT_FALSE(a == b);
  EXPECT_FALSE(a == Extent(10));
  EXPECT_FALSE(a.is_known());
  EXPECT_EQ(a.upper_bound(), 10);
  EXPECT_EQ(Extent(7).value(), 7);
  EXPECT_EQ(Extent(7).upper_bound(), 7);
}

TEST(Extent, ASymbolHasNoValue) {
  EXPECT_THROW(static_cast<void>(Extent::symbol(10).value()), tuff::InternalError);
}

TEST(AxisChunks, RegularChunksCoverTheAxis) {
  for (int64_t extent : {0, 1, 2, 7, 12, 100}) {
    for (int64_t size : {1, 2, 3, 7, 12, 1000}) {
      const AxisChunksPtr chunks = AxisChunks::regular(extent, size);
      const std::vector<int64_t> sizes = chunks->sizes();
      EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}), extent);
      EXPECT_EQ(chunks->extent(), Extent(extent));
      EXPECT_EQ(chunks->count(),
                static_cast<size_t>(std::max<int64_t>(1, (extent + size - 1) / size)));
      for (size_t i = 0; i + 1 < sizes.size(); ++i) EXPECT_EQ(sizes[i], size);
      EXPECT_EQ(chunks->largest(), *std::max_element(sizes.begin(), sizes.end()));
    }
  }
}

TEST(AxisChunks, BlockOfFindsTheBlockThatHoldsAnIndex) {
  const std::vector<int64_t> sizes = {3, 0, 5, 1, 0, 0, 4};
  const AxisChunksPtr chunks = AxisChunks::of(sizes);
  for (int64_t index = 0; index < 13; ++index) {
    const size_t block = chunks->block_of(index);
    EXPECT_LE(chunks->offset(block), index);
    EXPECT_LT(index, chunks->offset(block) + chunks->size(block));
  }
  EXPECT_EQ(chunks->sizes(), sizes);
  EXPECT_EQ(chunks->largest(), 5);
}

TEST(AxisChunks, AnAxisWithoutSizesHasOneEmptyBlock) {
  const AxisChunksPtr chunks = AxisChunks::of({});
  EXPECT_EQ(chunks->count(), 1u);
  EXPECT_EQ(chunks->extent(), Extent(0));
  EXPECT_EQ(AxisChunks::whole(0)->count(), 1u);
}

TEST(AxisChunks, WrongSizesAreErrors) {
  const std::vector<int64_t> negative = {3, -1};
  EXPECT_EQ(error_of([&] { static_cast<void>(AxisChunks::of(negative)); }),
            "[chunks] block size -1 is negative");
  EXPECT_EQ(error_of([] { static_cast<void>(AxisChunks::regular(-2, 1)); }),
            "[shape] extent -2 is negative");
  EXPECT_EQ(error_of([] { static_cast<void>(AxisChunks::regular(5, 0)); }),
            "[chunks] block size 0; at least 1 is needed");
}

TEST(AxisChunks, SizesThatAddUpToMoreThanCanBeCountedAreErrors) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  // Modulo 2^64 these are 10 elements.
  const std::vector<int64_t> wrapping = {kMost, kMost, 12};
  EXPECT_EQ(error_of([&] { static_cast<void>(AxisChunks::of(wrapping)); }),
            "[chunks] a block of size 9223372036854775807 after blocks of 9223372036854775807 in "
            "all makes 2^63 or more; less is accepted");
  EXPECT_EQ(AxisChunks::of(std::vector<int64_t>{kMost, 0})->extent().value(), kMost);
  EXPECT_EQ(error_of([] { static_cast<void>(AxisChunks::regular(int64_t{1} << 60, 1)); }),
            "[chunks] 1152921504606846976 blocks along an axis; at most 268435456 are accepted");
  EXPECT_EQ(AxisChunks::regular(kMost, kMost)->count(), 1u);
  EXPECT_EQ(AxisChunks::regular(kMost, int64_t{1} << 62)->count(), 2u);
}

TEST(Chunks, OfAnArrayThatNobodyCouldCountAreRefused) {
  const AxisChunksPtr many = AxisChunks::regular(1 << 20, 1);
  const AxisChunksPtr longest = AxisChunks::whole(int64_t{1} << 40);
  const auto refusal = [](const Chunks& chunks, tuff::DType dtype) {
    return error_of([&] { check_size("test", chunks, dtype); });
  };
  EXPECT_EQ(refusal({many, many}, tuff::DType::int8),
            "[test] shape (1048576, 1048576) in (1048576, 1048576) blocks makes more than "
            "268435456 blocks; give larger chunks");
  EXPECT_EQ(refusal(Chunks(8, many), tuff::DType::int8).substr(0, 44),
            "[test] shape (1048576, 1048576, 1048576, 104");
  EXPECT_EQ(refusal({longest, longest}, tuff::DType::int8),
            "[test] shape (1099511627776, 1099511627776) of int8 takes 2^63 bytes or more; less is "
            "accepted");
  EXPECT_EQ(refusal({longest, AxisChunks::unknown(*longest)}, tuff::DType::int8),
            refusal({longest, longest}, tuff::DType::int8));
  EXPECT_EQ(refusal({longest, nullptr}, tuff::DType::int8), "[test] axis 1 of 2 has no chunks");
  EXPECT_EQ(refusal({longest, AxisChunks::whole(1 << 20)}, tuff::DType::float64),
            "[test] shape (1099511627776, 1048576) of float64 takes 2^63 bytes or more; less is "
            "accepted");
  EXPECT_EQ(refusal({longest, AxisChunks::whole((1 << 20) - 1)}, tuff::DType::float64),
            "nothing was thrown");
}

TEST(Shape, ReachIsFromTheFirstElementInMemoryToTheOneAfterTheLast) {
  const auto reach = [](const Dims& shape, const Dims& strides) {
    const std::optional<tuff::Reach> found = reach_of(shape, strides);
    return found ? std::pair(found->first, found->last) : std::pair<int64_t, int64_t>(7, 7);
  };
  using Pair = std::pair<int64_t, int64_t>;
  EXPECT_EQ(reach({}, {}), Pair(0, 1));
  EXPECT_EQ(reach({3, 4}, {4, 1}), Pair(0, 12));
  EXPECT_EQ(reach({3, 4}, {-4, 1}), Pair(-8, 4));
  EXPECT_EQ(reach({3, 4}, {0, -2}), Pair(-6, 1));
  EXPECT_EQ(reach({3, 0}, {std::numeric_limits<int64_t>::max(), 1}), Pair(0, 0));
  EXPECT_EQ(reach({3}, {std::numeric_limits<int64_t>::max()}), Pair(7, 7));
  EXPECT_EQ(reach({3}, {std::numeric_limits<int64_t>::min()}), Pair(7, 7));
}

TEST(AxisChunks, UnknownChunksKeepTheirUpperBounds) {
  const AxisChunksPtr known = AxisChunks::regular(10, 4);
  const AxisChunksPtr unknown = AxisChunks::unknown(*known);
  EXPECT_FALSE(unknown->is_known());
  EXPECT_EQ(unknown->sizes(), known->sizes());
  EXPECT_EQ(unknown->extent().upper_bound(), 10);
}

TEST(Chunks, AreTheSameOnlyWhenCutAlike) {
  const AxisChunksPtr a = AxisChunks::regular(10, 5);
  EXPECT_TRUE(same_chunks(a, AxisChunks::regular(10, 5)));
  EXPECT_FALSE(same_chunks(a, AxisChunks::regular(10, 4)));
  EXPECT_FALSE(same_chunks(a, AxisChunks::regular(11, 5)));
  EXPECT_FALSE(same_chunks(AxisChunks::regular(10, 4), AxisChunks::regular(10, 3)));
  const AxisChunksPtr unknown = AxisChunks::unknown(*a);
  EXPECT_TRUE(same_chunks(unknown, unknown));
  EXPECT_FALSE(same_chunks(unknown, a));
  EXPECT_FALSE(same_chunks(unknown, AxisChunks::unknown(*a)));
}

TEST(Chunks, GiveShapeGridAndText) {
  const Chunks chunks{AxisChunks::regular(8, 3), AxisChunks::whole(4)};
  EXPECT_EQ(shape_of(chunks), (Shape{Extent(8), Extent(4)}));
  EXPECT_EQ(grid_of(chunks), (Dims{3, 1}));
  EXPECT_EQ(block_count(chunks), 3u);
  EXPECT_TRUE(is_known(chunks));
  EXPECT_EQ(to_string(chunks), "((3, 3, 2), (4,))");
  EXPECT_EQ(to_string(Chunks{AxisChunks::regular(100, 10)}), "((10, 10, ... 10 blocks),)");
  EXPECT_EQ(to_string(Chunks{AxisChunks::unknown(*chunks[0]), chunks[1]}), "((? x 3), (4,))");
  EXPECT_FALSE(is_known(Chunks{AxisChunks::unknown(*chunks[0])}));
  EXPECT_EQ(to_string(Chunks{}), "()");
  EXPECT_EQ(block_count(Chunks{}), 1u);
}

TEST(Grid, LinearNumbersGoThereAndBack) {
  for (const Dims& grid : {Dims{}, Dims{5}, Dims{3, 4}, Dims{2, 3, 4, 1}}) {
    for (size_t linear = 0; linear < static_cast<size_t>(element_count(grid)); ++linear) {
      EXPECT_EQ(linear_index(grid_index(linear, grid), grid), linear);
    }
  }
  EXPECT_EQ(grid_index(7, Dims{3, 4}), (Dims{1, 3}));
}

}  // namespace
