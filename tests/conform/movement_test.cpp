// Indexing, transposing, rechunking and stretching against index computations written out.
#include <deque>

#include <gtest/gtest.h>

#include "tests/conform/naive.h"

namespace tuff::conform {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kCases = 100;
#else
constexpr int kCases = 3000;
#endif

/// The positions that start:stop:step takes, as Python's documentation words it: walk from start to stop.
std::vector<int64_t> positions(const Slice& slice, int64_t n) {
  std::vector<int64_t> taken;
  const int64_t step = slice.step;
  int64_t at =
      slice.start ? (*slice.start < 0 ? *slice.start + n : *slice.start) : (step > 0 ? 0 : n - 1);
  const int64_t stop =
      slice.stop ? (*slice.stop < 0 ? *slice.stop + n : *slice.stop) : (step > 0 ? n : -1);
  at = step > 0 ? std::max<int64_t>(at, 0) : std::min<int64_t>(at, n - 1);
  for (; (step > 0 ? at < stop : at > stop) && at >= 0 && at < n; at += step) taken.push_back(at);
  return taken;
}

Dense take(const Dense& x, const std::vector<std::vector<int64_t>>& taken, const Dims& shape) {
  Dense out(x.dtype, shape);
  Dims grid;
  for (const auto& list : taken) grid.push_back(static_cast<int64_t>(list.size()));
  const size_t size = size_of(x.dtype);
  for_each_index(grid, [&](const Dims& index, int64_t i) {
    Dims at = index;
    for (size_t a = 0; a < grid.size(); ++a) at[a] = taken[a][static_cast<size_t>(index[a])];
    std::memcpy(out.bytes.data() + static_cast<size_t>(i) * size,
                x.bytes.data() + static_cast<size_t>(linear_of(at, x.shape)) * size, size);
  });
  return out;
}

Slice random_slice(Rng& rng, int64_t n) {
  Slice slice;
  if (rng.chance(70)) slice.start = rng.between(-n - 2, n + 2);
  if (rng.chance(70)) slice.stop = rng.between(-n - 2, n + 2);
  slice.step = rng.between(1, 4) * (rng.chance(40) ? -1 : 1);
  if (rng.chance(3))
    slice.step = rng.chance(50) ? std::numeric_limits<int64_t>::max()
                                : std::numeric_limits<int64_t>::min() + 1;
  return slice;
}

TEST(Indexing, EqualsAWalkFromStartToStop) {
  Rng rng(1);
  for (int c = 0; c < kCases; ++c) {
    const auto rank = static_cast<size_t>(rng.below(5));
    const Dense x = mixed(rng, rng.pick(kEveryDType), random_shape(rng, rank, 9));
    std::vector<Index> index;
    std::vector<std::vector<int64_t>> taken;
    Dims shape;
    const size_t given =
        rng.chance(60) ? rank : static_cast<size_t>(rng.below(static_cast<int64_t>(rank) + 1));
    const bool dots = rng.chance(30);
    const size_t dots_at = static_cast<size_t>(rng.below(static_cast<int64_t>(given) + 1));
    const auto take_all = [&](size_t count) {
      for (; count > 0; --count) {
        const int64_t n = x.shape[taken.size()];
        shape.push_back(n);
        taken.push_back(positions(whole, n));
      }
    };
    for (size_t g = 0; g <= given; ++g) {
      if (rng.chance(15)) index.emplace_back(newaxis), shape.push_back(1);
      if (dots && g == dots_at) index.emplace_back(ellipsis), take_all(rank - given);
      if (g == given) break;
      const int64_t n = x.shape[taken.size()];
      if (n > 0 && rng.chance(25)) {
        const int64_t at = rng.between(-n, n - 1);
        index.emplace_back(at);
        taken.push_back({at < 0 ? at + n : at});
      } else {
        const Slice slice = rng.chance(20) ? whole : random_slice(rng, n);
        index.emplace_back(slice);
        taken.push_back(positions(slice, n));
        shape.push_back(static_cast<int64_t>(taken.back().size()));
      }
    }
    take_all(rank - taken.size());
    Guises guises(rng);
    const Array array = guises.any(x)[index];
    SCOPED_TRACE("case " + std::to_string(c) + " of " + to_string(x.shape));
    ASSERT_TRUE(same(computed(array), take(x, taken, shape)));
    // Through an operation, so that the views reach a kernel.
    ASSERT_TRUE(same(computed(where(array == array, array, array)), take(x, taken, shape)));
  }
}

TEST(Indexing, RefusesWhatIsOutOfRange) {
  const Array x = arange(12).rechunk(5);
  EXPECT_THROW((x[{12}]), InvalidArgument);
  EXPECT_THROW((x[{-13}]), InvalidArgument);
  EXPECT_THROW((x[{0, 0}]), InvalidArgument);
  EXPECT_THROW((x[{Slice{.start = 0, .stop = 3, .step = 0}}]), InvalidArgument);
  EXPECT_THROW((x[{ellipsis, ellipsis}]), InvalidArgument);
}

TEST(Transpose, MovesEveryElementUnderAnyPermutation) {
  Rng rng(2);
  for (int c = 0; c < kCases / 3; ++c) {
    const auto rank = static_cast<size_t>(rng.below(5));
    const Dense x = mixed(rng, rng.pick(kEveryDType), random_shape(rng, rank, 9));
    std::vector<int64_t> axes(rank);
    std::iota(axes.begin(), axes.end(), int64_t{0});
    for (size_t a = rank; a > 1; --a)
      std::swap(axes[a - 1], axes[static_cast<size_t>(rng.below(static_cast<int64_t>(a)))]);
    Dims shape;
    for (int64_t axis : axes) shape.push_back(x.shape[static_cast<size_t>(axis)]);
    Dense want(x.dtype, shape);
    const size_t size = size_of(x.dtype);
    for_each_index(shape, [&](const Dims& index, int64_t i) {
      Dims at(rank, 0);
      for (size_t a = 0; a < rank; ++a) at[static_cast<size_t>(axes[a])] = index[a];
      std::memcpy(want.bytes.data() + static_cast<size_t>(i) * size,
                  x.bytes.data() + static_cast<size_t>(linear_of(at, x.shape)) * size, size);
    });
    std::vector<int64_t> given = axes;
    for (int64_t& axis : given) axis -= rng.chance(30) ? static_cast<int64_t>(rank) : 0;
    Guises guises(rng);
    const Array turned = guises.any(x).transpose(given);
    ASSERT_TRUE(same(computed(turned), want)) << c;
    ASSERT_TRUE(same(computed(maximum(turned, turned)), naive_astype(want, want.dtype))) << c;
  }
  EXPECT_THROW(ones({2, 3}).transpose({0}), InvalidArgument);
  EXPECT_THROW(ones({2, 3}).transpose({0, 0}), InvalidArgument);
  EXPECT_THROW(ones({2, 3}).transpose({0, 2}), InvalidArgument);
}

TEST(Rechunk, KeepsEveryElementAndCutsAsAsked) {
  Rng rng(3);
  for (int c = 0; c < kCases / 3; ++c) {
    const auto rank = static_cast<size_t>(rng.below(4)) + 1;
    const Dense x = mixed(rng, rng.pick(kEveryDType), random_shape(rng, rank, 20));
    Guises guises(rng);
    const auto cuts = random_cuts(rng, x.shape);
    const Array array = guises.any(x).rechunk(cuts);
    for (size_t a = 0; a < rank; ++a) ASSERT_EQ(array.chunks()[a]->sizes(), cuts[a]);
    ASSERT_TRUE(same(computed(array), x));
    const Result result = compute({array})[0];
    ASSERT_EQ(result.blocks().size(), array.block_count());
    for (size_t b = 0; b < result.blocks().size(); ++b) {
      const Dims at = grid_index(b, grid_of(array.chunks()));
      for (size_t a = 0; a < rank; ++a)
        ASSERT_EQ(result.blocks()[b].shape()[a], cuts[a][static_cast<size_t>(at[a])]);
    }
  }
  EXPECT_THROW(ones({4}).rechunk({{2, 3}}), InvalidArgument);
  EXPECT_THROW(ones({4}).rechunk(0), InvalidArgument);
  EXPECT_THROW((ones({4, 4}).rechunk(ChunkSpec{2})), InvalidArgument);
}

TEST(BroadcastTo, RepeatsWhatHasExtentOne) {
  Rng rng(4);
  for (int c = 0; c < kCases / 3; ++c) {
    const auto rank = static_cast<size_t>(rng.below(4));
    const Dims shape = random_shape(rng, rank, 7);
    Dims from = shape;
    for (auto drop = static_cast<size_t>(rng.below(static_cast<int64_t>(rank) + 1)); drop > 0;
         --drop)
      from.erase(0);
    for (int64_t& extent : from) {
      if (rng.chance(40)) extent = 1;
    }
    const Dense x = mixed(rng, rng.pick(kEveryDType), from);
    Dense want(x.dtype, shape);
    const size_t size = size_of(x.dtype);
    for_each_index(shape, [&](const Dims& index, int64_t i) {
      std::memcpy(want.bytes.data() + static_cast<size_t>(i) * size,
                  x.bytes.data() + static_cast<size_t>(broadcast_at(index, from)) * size, size);
    });
    Guises guises(rng);
    const Array stretched = broadcast_to(guises.any(x), shape, spec_of(random_cuts(rng, shape)));
    ASSERT_TRUE(same(computed(stretched), want)) << c;
    ASSERT_TRUE(same(computed(minimum(stretched, stretched)), want)) << c;
  }
  EXPECT_THROW(broadcast_to(ones({2}), {3}), InvalidArgument);
  EXPECT_THROW(broadcast_to(ones({2, 2}), {2}), InvalidArgument);
  EXPECT_THROW(broadcast_to(ones({2}), {2, 1}), InvalidArgument);
}

/// Arrays one after the other: each output element looked up in the array that holds it.
Dense joined(const std::vector<Dense>& parts, size_t axis) {
  Dims shape = parts[0].shape;
  shape[axis] = 0;
  for (const Dense& part : parts) shape[axis] += part.shape[axis];
  Dense out(parts[0].dtype, shape);
  const size_t size = size_of(out.dtype);
  for_each_index(shape, [&](const Dims& index, int64_t i) {
    Dims at = index;
    size_t k = 0;
    while (at[axis] >= parts[k].shape[axis]) at[axis] -= parts[k++].shape[axis];
    std::memcpy(out.bytes.data() + static_cast<size_t>(i) * size,
                parts[k].bytes.data() + static_cast<size_t>(linear_of(at, parts[k].shape)) * size,
                size);
  });
  return out;
}

TEST(Concatenate, PutsArraysOfAnyTypesAndCutsOneAfterTheOther) {
  Rng rng(5);
  for (int c = 0; c < kCases / 3; ++c) {
    const auto rank = static_cast<size_t>(rng.below(4)) + 1;
    const auto axis = static_cast<size_t>(rng.below(static_cast<int64_t>(rank)));
    const Dims shape = random_shape(rng, rank, 9);
    const DType first = rng.pick(kEveryDType);
    std::deque<Dense> parts;  // arrays may lie on their memory
    std::vector<Array> arrays;
    Guises guises(rng);
    for (int64_t k = rng.between(1, 4); k > 0; --k) {
      Dims own = shape;
      own[axis] = rng.below(8);
      parts.push_back(mixed(rng, rng.chance(80) ? first : rng.pick(kEveryDType), own));
      arrays.push_back(guises.any(parts.back()));
    }
    DType dtype = parts[0].dtype;
    for (const Dense& part : parts) dtype = promote(dtype, part.dtype);
    std::vector<Dense> cast;
    for (const Dense& part : parts) cast.push_back(naive_astype(part, dtype));
    const Array array = concatenate(
        arrays, static_cast<int64_t>(axis) - (rng.chance(30) ? static_cast<int64_t>(rank) : 0));
    SCOPED_TRACE("case " + std::to_string(c));
    ASSERT_EQ(array.dtype(), dtype);
    ASSERT_TRUE(same(computed(array), joined(cast, axis)));
    ASSERT_TRUE(same(computed(where(array == array, array, array)), joined(cast, axis)));
  }
}

TEST(Stack, PutsArraysSideBySideAlongANewAxis) {
  Rng rng(6);
  for (int c = 0; c < kCases / 3; ++c) {
    const auto rank = static_cast<size_t>(rng.below(4));
    const auto axis = static_cast<size_t>(rng.below(static_cast<int64_t>(rank) + 1));
    const Dims shape = random_shape(rng, rank, 9);
    const DType dtype = rng.pick(kEveryDType);
    std::deque<Dense> parts;
    std::vector<Array> arrays;
    Guises guises(rng);
    for (int64_t k = rng.between(1, 4); k > 0; --k) {
      parts.push_back(mixed(rng, dtype, shape));
      arrays.push_back(guises.any(parts.back()));
    }
    std::vector<Dense> thin(parts.begin(), parts.end());
    for (Dense& part : thin) part.shape.insert(axis, 1);
    ASSERT_TRUE(same(computed(stack(arrays, static_cast<int64_t>(axis))), joined(thin, axis)));
  }
}

TEST(Concatenate, HandsOutTheVeryBlocksOfItsInputsWithoutATask) {
  const Array x(compute({arange(12).rechunk(3)})[0]);
  const Array y(compute({arange(5).rechunk(2)})[0]);
  const Plan plan = compile({concatenate({x, y, x})});
  EXPECT_EQ(plan.task_count(), 0u);
  const Result joined = plan.run()[0];
  const Result alone = compute({y})[0];
  ASSERT_EQ(joined.blocks().size(), 11u);
  EXPECT_EQ(joined.blocks()[4].data<int64_t>(), alone.blocks()[0].data<int64_t>());
  // Of computed blocks, which then have two readers.
  const Array e = exp(x * 0.1);
  EXPECT_EQ(compile({concatenate({e, e})}).task_count(), 4u);
  EXPECT_EQ(sum(concatenate({e, e})).compute<double>(), 2 * sum(e).compute<double>());
}

}  // namespace
}  // namespace tuff::conform
