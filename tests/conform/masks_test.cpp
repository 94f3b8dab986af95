// Boolean masks: selection against a loop, whatever the cuts of array and mask; extents that only a run
// tells, made known, combined and reduced.
#include <gtest/gtest.h>

#include "tests/conform/naive.h"

namespace tuff::conform {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kCases = 50;
#else
constexpr int kCases = 800;
#endif

/// Rows of x where a 1-d mask holds, or elements where a mask of x's shape holds.
Dense selected(const Dense& x, const Dense& mask) {
  const bool rows = mask.shape.size() == 1;
  int64_t count = 0;
  for (int64_t i = 0; i < mask.size(); ++i) count += mask.data<bool>()[i] ? 1 : 0;
  Dims shape{count};
  size_t run = size_of(x.dtype);
  for (size_t a = 1; rows && a < x.shape.size(); ++a) {
    shape.push_back(x.shape[a]);
    run *= static_cast<size_t>(x.shape[a]);
  }
  Dense out(x.dtype, shape);
  size_t at = 0;
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (!mask.data<bool>()[i]) continue;
    if (run > 0)
      std::memcpy(out.bytes.data() + at, x.bytes.data() + static_cast<size_t>(i) * run, run);
    at += run;
  }
  return out;
}

Dense random_mask(Rng& rng, const Dims& shape) {
  Dense mask(DType::bool_, shape);
  const int percent = rng.pick(std::vector<int>{0, 3, 50, 97, 100});
  for (int64_t i = 0; i < mask.size(); ++i) mask.data<bool>()[i] = rng.chance(percent);
  return mask;
}

::testing::AssertionResult near(const Dense& got, const Dense& want, long double tolerance) {
  if (!(got.shape == want.shape)) return same(got, want);
  for (int64_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want.at(i)) ? !std::isnan(got.at(i))
                               : !(std::fabs(got.at(i) - want.at(i)) <= tolerance))
      return same(got, want);
  }
  return ::testing::AssertionSuccess();
}

struct Case {
  Dense x, mask;
};

Case random_case(Rng& rng) {
  const auto rank = static_cast<size_t>(rng.below(3)) + 1;
  const Dims shape = random_shape(rng, rank, rank == 1 ? 60 : 9);
  const bool rows = rng.chance(60);
  return {mixed(rng, rng.pick(kEveryDType), shape),
          random_mask(rng, rows ? Dims{shape[0]} : shape)};
}

TEST(Mask, SelectsWhatALoopSelectsHoweverBothAreCut) {
  Rng rng(1);
  for (int c = 0; c < kCases; ++c) {
    const auto [x, mask] = random_case(rng);
    Guises guises(rng);
    const Array array = guises.any(x), bits = guises.any(mask);
    SCOPED_TRACE("case " + std::to_string(c) + ": " + array.describe() + "[" + bits.describe() +
                 "]");
    const Dense want = selected(x, mask);
    ASSERT_TRUE(same(computed(array[bits]), want));
    const Array known = array[bits].compute_chunk_sizes();
    for (const Extent& extent : known.shape()) ASSERT_TRUE(extent.is_known());
    ASSERT_TRUE(same(computed(known), want));
    // Known extents are as good as any: cut anew, turned around, stretched against others.
    ASSERT_TRUE(same(computed(known.rechunk(spec_of(random_cuts(rng, want.shape)))), want));
    const std::vector<Index> reversed(want.shape.size(),
                                      Slice{.start = {}, .stop = {}, .step = -1});
    ASSERT_TRUE(same(computed(known[reversed][reversed]), want));
  }
}

TEST(Mask, OfAnOperationEqualsTheOperationOfAMask) {
  Rng rng(2);
  for (int c = 0; c < kCases / 2; ++c) {
    auto [x, mask] = random_case(rng);
    x = naive_astype(small(rng, DType::int32, x.shape), DType::float64);
    Guises guises(rng);
    const Array array = guises.any(x), bits = guises.any(mask);
    SCOPED_TRACE("case " + std::to_string(c) + ": " + array.describe() + "[" + bits.describe() +
                 "]");
    const Array some = array[bits];
    ASSERT_TRUE(same(computed(some * 2 + some), selected(computed(array * 2 + array), mask)));
    ASSERT_TRUE(same(computed(where(some > 0, some, -1.0)),
                     selected(computed(where(array > 0, array, -1.0)), mask)));
    // A mask of what a mask selected.
    if (some.ndim() == 1) {
      const Dense once = selected(x, mask);
      Dense positive(DType::bool_, once.shape);
      for (int64_t i = 0; i < once.size(); ++i) positive.data<bool>()[i] = once.at(i) > 0;
      ASSERT_TRUE(same(computed(some[some > 0]), selected(once, positive)));
    }
  }
}

TEST(Mask, IsReducedLikeAnyArray) {
  Rng rng(3);
  for (int c = 0; c < kCases / 2; ++c) {
    auto [x, mask] = random_case(rng);
    x = naive_astype(small(rng, DType::int32, x.shape), DType::float64);
    Guises guises(rng);
    const Array array = guises.any(x), bits = guises.any(mask);
    SCOPED_TRACE("case " + std::to_string(c) + ": " + array.describe() + "[" + bits.describe() +
                 "]");
    const Array some = array[bits];
    const Dense taken = selected(x, mask);
    const Array whole = from_memory(taken.data<double>(), taken.shape);
    for (const AxisList& axes : {AxisList(), AxisList(0), AxisList(-1)}) {
      // Small whole numbers: sums are exact in any order.
      ASSERT_TRUE(same(computed(sum(some, axes)), computed(sum(whole, axes))));
      ASSERT_TRUE(same(computed(any(some, axes)), computed(any(whole, axes))));
      if (taken.size() > 0) {
        ASSERT_TRUE(
            same(computed(min(some, axes)), computed(min(whole, axes))));
        ASSERT_TRUE(
            same(computed(max(some, axes)), computed(max(whole, axes))));
      }
      // Elements are at most 4; moments are merged block by block and round at each step.
      ASSERT_TRUE(near(computed(mean(some, axes)), computed(mean(whole, axes)),
                       1e-14 * 4));
      ASSERT_TRUE(near(computed(var(some, axes)), computed(var(whole, axes)),
                       1e-13 * 16));
    }
  }
}

TEST(Mask, OfNothingFailsMinAndMaxInTheRun) {
  const Array x = arange(10).rechunk(3);
  const Array none = x[x > 100];
  EXPECT_EQ(sum(none).compute<int64_t>(), 0);
  EXPECT_TRUE(std::isnan(mean(none).compute<double>()));
  EXPECT_THROW(min(none).compute(), TaskError);
  EXPECT_THROW(max(none).compute(), TaskError);
  EXPECT_TRUE(none.to_vector<int64_t>().empty());
}

// Blocks without elements cut the axis of extent 1; the counts beside the minimum must be cut as it is.
TEST(Mask, IsReducedWhereAnAxisOfOneElementIsInTwoBlocks) {
  const Array x = arange(6).rechunk(4)[{whole, newaxis}].rechunk(
      std::vector<std::vector<int64_t>>{{4, 2}, {1, 0}});
  const Array some = x[arange(6) > 1];
  EXPECT_EQ(min(some, 0).to_vector<int64_t>(), (std::vector<int64_t>{2}));
  EXPECT_EQ(max(some, 0, {.keepdims = true}).to_vector<int64_t>(),
            (std::vector<int64_t>{5}));
}

// The documentation promises that x[m] and y[m] go together.
TEST(Mask, OfTwoArraysCutAlikeGoTogether) {
  const Array x = arange(20).rechunk(6), m = x % 3 == 0;
  const Array y = (x * 10).rechunk(6);
  EXPECT_EQ((x[m] + y[m]).to_vector<int64_t>(),
            (std::vector<int64_t>{0, 33, 66, 99, 132, 165, 198}));
}

TEST(Mask, OfTwoArraysCutDifferentlyGoTogetherToo) {
  const Array x = arange(20).rechunk(6), m = x % 3 == 0;
  const Array y = (x * 10).rechunk(7);
  EXPECT_EQ((x[m] + y[m]).to_vector<int64_t>(),
            (std::vector<int64_t>{0, 33, 66, 99, 132, 165, 198}));
}

TEST(Mask, OfTwoMasksDoNotGoTogetherUntilTheirExtentsAreKnown) {
  const Array x = arange(20).rechunk(6);
  const Array a = x[x < 5], b = x[x >= 15];
  EXPECT_THROW(a + b, InvalidArgument);
  EXPECT_EQ((a.compute_chunk_sizes() + b.compute_chunk_sizes()).to_vector<int64_t>(),
            (std::vector<int64_t>{15, 17, 19, 21, 23}));
}

TEST(Mask, RefusesOtherTypesAndShapes) {
  const Array x = ones({4, 3});
  EXPECT_THROW(x[zeros({4}, {.dtype = DType::int8})], InvalidArgument);
  EXPECT_THROW(x[zeros({3}, {.dtype = DType::bool_})], InvalidArgument);
  EXPECT_THROW(x[zeros({3, 4}, {.dtype = DType::bool_})], InvalidArgument);
}

TEST(Mask, LeavesExtentsThatCannotBeCutUntilTheyAreKnown) {
  const Array some = arange(20)[arange(20) > 3];
  EXPECT_THROW(some.rechunk(2), InvalidArgument);
  EXPECT_THROW((some[{0}]), InvalidArgument);
  EXPECT_THROW((some[{Slice{.start = 1}}]), InvalidArgument);
  EXPECT_NO_THROW((some[{whole, newaxis}]));
}

}  // namespace
}  // namespace tuff::conform
