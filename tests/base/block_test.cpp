// Blocks: views, and copies between any strides against the dumbest possible loop.
#include "tuff/base/block.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using tuff::Block;
using tuff::Dims;
using tuff::DType;

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const tuff::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

Block iota(const Dims& shape) {
  Block block = Block::allocate(DType::float64, shape);
  std::iota(block.data<double>(), block.data<double>() + block.size(), 0.0);
  return block;
}

/// Calls `f(index)` for every index of a shape, in row-major order.
template <class F>
void for_each_index(const Dims& shape, F&& f) {
  for (int64_t i = 0; i < element_count(shape); ++i) f(grid_index(static_cast<size_t>(i), shape));
}

int64_t offset_of(const Block& block, const Dims& index) {
  int64_t offset = 0;
  for (size_t a = 0; a < block.rank(); ++a) offset += index[a] * block.strides()[a];
  return offset;
}

/// A view with random strides (gaps, reversed and permuted axes) into memory filled with `fill`.
template <class T>
Block random_view(std::mt19937& random, const Dims& shape, uint8_t fill) {
  const size_t rank = shape.size();
  std::vector<size_t> order(rank);
  std::iota(order.begin(), order.end(), size_t{0});
  std::shuffle(order.begin(), order.end(), random);
  Dims strides(rank, 0);
  int64_t span = 1;
  int64_t first = 0;
  for (size_t axis : order) {
    const int64_t gap = random() % 3 == 0 ? 2 : 1;
    strides[axis] = span * gap;
    span *= gap * std::max<int64_t>(shape[axis], 1);
    if (random() % 4 == 0) {
      first += strides[axis] * std::max<int64_t>(shape[axis] - 1, 0);
      strides[axis] = -strides[axis];
    }
  }
  Block memory = Block::allocate(tuff::dtype_of<T>, Dims{span});
  std::fill_n(memory.bytes_data(), memory.bytes(), std::byte{fill});
  return memory.strided_view(first, shape, strides);
}

TEST(Block, IsRowMajorWhenMade) {
  const Block block = Block::allocate(DType::int32, Dims{2, 3});
  EXPECT_EQ(block.dtype(), DType::int32);
  EXPECT_EQ(block.shape(), (Dims{2, 3}));
  EXPECT_EQ(block.strides(), (Dims{3, 1}));
  EXPECT_EQ(block.bytes(), 24u);
  EXPECT_TRUE(block.is_row_major());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block.bytes_data()) % 64, 0u);
}

TEST(Block, CopiesShareAndTheLastOneFrees) {
  const size_t before = tuff::buffer_statistics().live_buffers;
  {
    Block first = Block::scalar(2.5);
    EXPECT_TRUE(first.is_unique());
    const Block second = first;
    EXPECT_FALSE(first.is_unique());
    EXPECT_EQ(second.data<double>(), first.data<double>());
    first = Block();
    EXPECT_FALSE(first);
    EXPECT_TRUE(second.is_unique());
    const Block view = second.strided_view(0, Dims{1}, Dims{1});
    EXPECT_FALSE(second.is_unique());
    EXPECT_FALSE(view.is_unique());
  }
  EXPECT_EQ(tuff::buffer_statistics().live_buffers, before);
}

TEST(Block, AViewKeepsTheMemoryAlive) {
  Block view;
  {
    const Block block = iota(Dims{4, 5});
    view = block.strided_view(6, Dims{2}, Dims{5});
  }
  EXPECT_EQ(view.to_vector<double>(), (std::vector<double>{6, 11}));
}

TEST(Block, OverMemoryThatWasLentCopiesNothing) {
  double numbers[6] = {1, 2, 3, 4, 5, 6};
  bool released = false;
  {
    const tuff::Buffer buffer =
        tuff::Buffer::borrow(numbers, sizeof numbers, [&released] { released = true; });
    const Block block = Block::view(buffer, buffer.data(), DType::float64, Dims{3, 2}, Dims{1, 3});
    EXPECT_EQ(block.to_vector<double>(), (std::vector<double>{1, 4, 2, 5, 3, 6}));
    EXPECT_EQ(block.data<double>(), numbers);
  }
  EXPECT_TRUE(released);
}

TEST(Block, HoldsWhatWasCopiedIn) {
  const std::vector<int16_t> values = {5, -6, 7};
  const Block block = Block::copy_of<int16_t>(values, Dims{3, 1});
  EXPECT_EQ(block.to_vector<int16_t>(), values);
  EXPECT_EQ(error_of([&] { static_cast<void>(Block::copy_of<int16_t>(values, Dims{2})); }),
            "[block] 3 values do not fill shape (2,)");
  EXPECT_EQ(Block::scalar(true).to_vector<bool>(), std::vector<bool>{true});
}

TEST(Block, AShapeThatNoMemoryHoldsIsRefused) {
  constexpr int64_t kMuch = int64_t{1} << 32;
  EXPECT_EQ(error_of([] {
              static_cast<void>(Block::allocate(DType::int8, Dims{2, -1}));
            }),
            "[block] shape (2, -1) has a negative extent");
  // The product of these is 0, or 8, modulo 2^64.
  EXPECT_EQ(error_of([] {
              static_cast<void>(Block::allocate(DType::int8, Dims{kMuch, kMuch}));
            }),
            "[block] shape (4294967296, 4294967296) of int8 takes 2^63 bytes or more; less is "
            "accepted");
  EXPECT_EQ(error_of([] {
              static_cast<void>(Block::allocate(DType::float64, Dims{(int64_t{1} << 61) + 1}));
            }),
            "[block] shape (2305843009213693953,) of float64 takes 2^63 bytes or more; less is "
            "accepted");
  EXPECT_EQ(error_of([] {
              static_cast<void>(Block::copy_of<double>(std::vector<double>(), Dims{kMuch, kMuch}));
            }),
            "[block] shape (4294967296, 4294967296) of float64 takes 2^63 bytes or more; less is "
            "accepted");
}

TEST(Block, AViewThatReachesOutOfItsBufferIsRefused) {
  const Block block = iota(Dims{3, 4});
  const auto refused = [&](int64_t offset, const Dims& shape, const Dims& strides) {
    const std::string text =
        error_of([&] { static_cast<void>(block.strided_view(offset, shape, strides)); });
    EXPECT_EQ(text, "[block] a view of float64 of shape " + to_string(shape) + " and strides " +
                        to_string(strides) +
                        " reaches out of its buffer of 96 bytes; every element must lie inside")
        << offset;
  };
  const auto accepted = [&](int64_t offset, const Dims& shape, const Dims& strides) {
    EXPECT_EQ(block.strided_view(offset, shape, strides).shape(), shape) << offset;
  };
  accepted(0, Dims{12}, Dims{1});
  refused(0, Dims{13}, Dims{1});
  refused(1, Dims{12}, Dims{1});
  refused(-1, Dims{1}, Dims{1});
  accepted(11, Dims{12}, Dims{-1});
  refused(10, Dims{12}, Dims{-1});
  accepted(2, Dims{3, 3}, Dims{4, -1});
  refused(2, Dims{3, 4}, Dims{4, -1});
  accepted(11, Dims{1 << 20}, Dims{0});
  refused(0, Dims{2, 2}, Dims{1});
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  refused(0, Dims{3}, Dims{kMost});
  refused(0, Dims{2, 2}, Dims{kMost, kMost});
  refused(kMost, Dims{1}, Dims{1});
  refused(int64_t{1} << 61, Dims{1}, Dims{1});  // in bytes, 0 modulo 2^64
  // Nothing is reached where there are no elements.
  accepted(1000, Dims{0, 5}, Dims{kMost, 1});
  EXPECT_EQ(error_of([&] {
              static_cast<void>(
                  block.strided_view(0, Dims{int64_t{1} << 40, int64_t{1} << 40}, Dims{0, 0}));
            }),
            "[block] shape (1099511627776, 1099511627776) of float64 takes 2^63 bytes or more; "
            "less is accepted");
  double numbers[4] = {};
  const tuff::Buffer lent = tuff::Buffer::borrow(numbers, sizeof numbers, {});
  EXPECT_EQ(
      error_of([&] {
        static_cast<void>(Block::view(lent, lent.data() + 8, DType::float64, Dims{4}, Dims{1}));
      }),
      "[block] a view of float64 of shape (4,) and strides (1,) reaches out of its buffer of "
      "32 bytes; every element must lie inside");
}

TEST(Block, OfNothingHasNoElements) {
  const Block none;
  const std::string text = "[block] an empty block has no elements; assign one that has";
  EXPECT_EQ(error_of([&] { static_cast<void>(none.data<double>()); }), text);
  EXPECT_EQ(error_of([&] { static_cast<void>(none.item<double>()); }), text);
  EXPECT_EQ(error_of([&] { static_cast<void>(none.to_vector<double>()); }), text);
  EXPECT_EQ(error_of([&] { static_cast<void>(none.contiguous()); }), text);
  EXPECT_EQ(error_of([&] { static_cast<void>(none.transposed({})); }), text);
  EXPECT_EQ(error_of([&] { static_cast<void>(none.strided_view(0, Dims{}, Dims{})); }), text);
}

TEST(Block, TheWrongElementTypeIsAnErrorThatNamesBoth) {
  const Block block = Block::scalar(2.5);
  EXPECT_EQ(error_of([&] { static_cast<void>(block.data<int32_t>()); }),
            "[block] the elements are float64, asked for int32");
}

TEST(Block, AnItemOfManyIsAnError) {
  EXPECT_EQ(Block::scalar(int64_t{7}).item<int64_t>(), 7);
  EXPECT_EQ(error_of([] {
              static_cast<void>(iota(Dims{3, 4}).item<double>());
            }),
            "[block] shape (3, 4) has 12 elements; a single value needs exactly 1");
  EXPECT_EQ(error_of([] { static_cast<void>(iota(Dims{0}).item<double>()); }),
            "[block] shape (0,) has 0 elements; a single value needs exactly 1");
}

TEST(Block, RowMajorMeansThatElementsFollowEachOther) {
  const Block block = iota(Dims{3, 4});
  EXPECT_TRUE(block.strided_view(4, Dims{2, 4}, Dims{4, 1}).is_row_major());
  EXPECT_FALSE(block.strided_view(0, Dims{3, 2}, Dims{4, 1}).is_row_major());
  EXPECT_FALSE(block.strided_view(0, Dims{4, 3}, Dims{1, 4}).is_row_major());
  EXPECT_FALSE(block.strided_view(11, Dims{12}, Dims{-1}).is_row_major());
  EXPECT_FALSE(block.strided_view(0, Dims{3}, Dims{0}).is_row_major());
  // The stride of an axis of extent 1, or of an empty block, moves nothing.
  EXPECT_TRUE(block.strided_view(0, Dims{1, 4}, Dims{77, 1}).is_row_major());
  EXPECT_TRUE(block.strided_view(0, Dims{5, 0}, Dims{-3, 9}).is_row_major());
  EXPECT_TRUE(Block::scalar(1.0).is_row_major());
}

TEST(Block, ContiguousCopiesOnlyWhenItMust) {
  const Block block = iota(Dims{3, 4});
  EXPECT_EQ(block.contiguous().bytes_data(), block.bytes_data());
  const int64_t axes[] = {1, 0};
  const Block turned = block.transposed(axes);
  EXPECT_EQ(turned.bytes_data(), block.bytes_data());
  EXPECT_EQ(turned.shape(), (Dims{4, 3}));
  EXPECT_TRUE(turned.contiguous().is_row_major());
  EXPECT_EQ(turned.to_vector<double>(),
            (std::vector<double>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
}

TEST(Block, AxesThatAreNoPermutationAreRefused) {
  const Block block = iota(Dims{3, 4});
  for (const std::vector<int64_t>& axes :
       {std::vector<int64_t>{0}, std::vector<int64_t>{0, 0}, std::vector<int64_t>{0, 2},
        std::vector<int64_t>{-1, 0}}) {
    EXPECT_THROW(static_cast<void>(block.transposed(axes)), tuff::InvalidArgument);
  }
}

template <class T>
void copy_against_naive_loop(unsigned seed) {
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    Dims shape;
    const size_t rank = random() % 5;
    const unsigned longest = rank <= 2 ? 70 : 9;
    for (size_t a = 0; a < rank; ++a) shape.push_back(static_cast<int64_t>(random() % longest));
    const Block from = random_view<T>(random, shape, 0);
    for_each_index(shape, [&](const Dims& index) {
      from.data<T>()[offset_of(from, index)] = static_cast<T>(random());
    });
    const Block to = random_view<T>(random, shape, 0xee);
    std::vector<uint8_t> is_target(to.buffer().bytes() / sizeof(T), 0);
    const T* memory = reinterpret_cast<const T*>(to.buffer().data());
    copy_elements(from, to);
    for_each_index(shape, [&](const Dims& index) {
      const T* target = to.data<T>() + offset_of(to, index);
      ASSERT_EQ(*target, from.data<T>()[offset_of(from, index)]) << to_string(shape);
      is_target[static_cast<size_t>(target - memory)] = 1;
    });
    T untouched;
    std::memset(&untouched, 0xee, sizeof(T));
    for (size_t i = 0; i < is_target.size(); ++i) {
      ASSERT_TRUE(is_target[i] != 0 || memory[i] == untouched) << "wrote between the elements";
    }
  }
}

TEST(CopyElements, MatchesANaiveLoopForOneByteElements) { copy_against_naive_loop<uint8_t>(1); }
TEST(CopyElements, MatchesANaiveLoopForTwoByteElements) { copy_against_naive_loop<int16_t>(2); }
TEST(CopyElements, MatchesANaiveLoopForFourByteElements) { copy_against_naive_loop<uint32_t>(3); }
TEST(CopyElements, MatchesANaiveLoopForEightByteElements) { copy_against_naive_loop<int64_t>(4); }

TEST(CopyElements, KeepsTheBitsOfNaNs) {
  const uint64_t bits[2] = {0x7ff8dead0000beefULL, 0xfff0000000000001ULL};
  Block from = Block::allocate(DType::float64, Dims{2});
  std::memcpy(from.bytes_data(), bits, sizeof bits);
  const Block to = from.strided_view(1, Dims{2}, Dims{-1}).contiguous();
  uint64_t copied[2];
  std::memcpy(copied, to.bytes_data(), sizeof copied);
  EXPECT_EQ(copied[0], bits[1]);
  EXPECT_EQ(copied[1], bits[0]);
}

TEST(CopyElements, RepeatsAnAxisOfStrideZero) {
  const Block row = iota(Dims{3});
  EXPECT_EQ(row.strided_view(0, Dims{2, 3}, Dims{0, 1}).to_vector<double>(),
            (std::vector<double>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(row.strided_view(2, Dims{3, 2}, Dims{-1, 0}).to_vector<double>(),
            (std::vector<double>{2, 2, 1, 1, 0, 0}));
}

TEST(CopyElements, TransposesOfAwkwardSizesAreExact) {
  const int64_t axes[] = {1, 0};
  for (int64_t rows : {1, 15, 16, 17, 64, 129}) {
    for (int64_t columns : {1, 16, 31, 128}) {
      const Block turned = iota(Dims{rows, columns}).transposed(axes).contiguous();
      for (int64_t c = 0; c < columns; ++c) {
        for (int64_t r = 0; r < rows; ++r) {
          ASSERT_EQ(turned.data<double>()[c * rows + r], static_cast<double>(r * columns + c));
        }
      }
    }
  }
}

TEST(CopyElements, RefusesBlocksThatDoNotMatch) {
  EXPECT_EQ(error_of([] { copy_elements(iota(Dims{3}), iota(Dims{4})); }),
            "[copy_elements] float64 of shape (3,) to float64 of shape (4,); equal dtypes and "
            "shapes are needed");
  EXPECT_EQ(error_of([] { copy_elements(Block::scalar(1.0), Block::scalar(1.0F)); }),
            "[copy_elements] float64 of shape () to float32 of shape (); equal dtypes and shapes "
            "are needed");
  EXPECT_EQ(error_of([] { copy_elements(Block(), iota(Dims{4})); }),
            "[copy_elements] an empty block to float64 of shape (4,); equal dtypes and shapes are "
            "needed");
}

/// Copies of these strides end at their first look when stop was requested before.
void expect_stopped(const Block& from, const Block& to) {
  std::stop_source source;
  const std::stop_token token = source.get_token();
  const tuff::StopRequest stop(token);
  EXPECT_NO_THROW(copy_elements(from, to, stop));
  source.request_stop();
  EXPECT_THROW(copy_elements(from, to, stop), tuff::Cancelled);
}

TEST(CopyElements, StopsOnTheWayWhateverTheStrides) {
  const Block square = iota(Dims{600, 600});
  const int64_t turned[] = {1, 0};
  expect_stopped(square.transposed(turned), Block::allocate(DType::float64, Dims{600, 600}));
  const Block part = square.strided_view(0, Dims{600, 300}, Dims{600, 1});
  expect_stopped(part, Block::allocate(DType::float64, Dims{600, 300}));
  const Block apart = square.strided_view(0, Dims{100000}, Dims{3});
  expect_stopped(apart, Block::allocate(DType::float64, Dims{100000}));
  const Block long_run = Block::allocate(DType::int8, Dims{(64 << 20) + 1});
  expect_stopped(long_run, Block::allocate(DType::int8, long_run.shape()));
}

TEST(CopyElements, LongRunsAndRowsAreCopiedToTheEnd) {
  // Longer than what is copied between two looks, and not a multiple of it.
  Block run = Block::allocate(DType::int8, Dims{(128 << 20) + 77});
  for (int64_t i = 0; i < run.size(); i += 4097) run.data<int8_t>()[i] = static_cast<int8_t>(i);
  const Block copy = Block::allocate(DType::int8, run.shape());
  copy_elements(run, copy);
  for (int64_t i = 0; i < run.size(); i += 4097)
    ASSERT_EQ(copy.data<int8_t>()[i], static_cast<int8_t>(i));
  const Block numbers = iota(Dims{3, 200000});
  const Block rows = numbers.strided_view(0, Dims{3, 99991}, Dims{200000, 2}).contiguous();
  for (int64_t r = 0; r < 3; ++r) {
    for (int64_t c = 0; c < 99991; ++c) {
      ASSERT_EQ(rows.data<double>()[r * 99991 + c], static_cast<double>(r * 200000 + 2 * c));
    }
  }
}

// --- Repacked ----------------------------------------------------------------------------------------

/// Whether axis `outer` can be walked with `inner` as one axis.
bool follows(const Block& block, size_t outer, size_t inner) {
  return block.strides()[outer] == block.strides()[inner] * block.shape()[inner];
}

TEST(Repacked, CutsLieAsBeforeInLessMemory) {
  std::mt19937 random(4);
  const auto below = [&](int64_t count) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(count));
  };
  int refused = 0;  // axes of extent 1 may lie such that there is no room for their strides
  for (int repeat = 0; repeat < 3000; ++repeat) {
    const size_t rank = 1 + random() % 4;
    Dims shape;
    for (size_t a = 0; a < rank; ++a) shape.push_back(1 + below(9));
    Block whole = iota(shape);
    int64_t order[4] = {0, 1, 2, 3};
    std::shuffle(order, order + rank, random);
    whole = whole.transposed(std::span(order, rank));
    int64_t offset = 0;
    Dims cut;
    Dims strides;
    for (size_t a = 0; a < rank; ++a) {
      const int64_t extent = whole.shape()[a];
      const int64_t first = below(extent);
      const int64_t step = 1 + below(3);
      offset += first * whole.strides()[a];
      cut.push_back(below(6) == 0 ? 1 : (extent - first + step - 1) / step);
      strides.push_back(step * whole.strides()[a]);
    }
    const Block view = whole.strided_view(offset, cut, strides);
    const std::optional<size_t> bytes = tuff::repacked_bytes(view);
    if (!bytes) {
      ASSERT_EQ(std::count(cut.begin(), cut.end(), 1) > 0, true) << to_string(strides);
      ++refused;
      continue;
    }
    const Block copy = tuff::repacked(view);
    ASSERT_EQ(copy.buffer().bytes(), *bytes);
    ASSERT_EQ(copy.to_vector<double>(), view.to_vector<double>());
    ASSERT_EQ(copy.is_row_major(), view.is_row_major());
    ASSERT_LE(*bytes, 24 * view.bytes() + 64);
    for (size_t a = 0; a < rank; ++a) {
      ASSERT_EQ(copy.strides()[a] == 1, view.strides()[a] == 1);
      for (size_t b = 0; b < rank; ++b) {
        if (a == b) continue;
        ASSERT_EQ(copy.strides()[a] < copy.strides()[b], view.strides()[a] < view.strides()[b]);
        ASSERT_EQ(follows(copy, a, b), follows(view, a, b))
            << to_string(view.strides()) << " " << to_string(copy.strides()) << " of "
            << to_string(cut);
      }
    }
  }
  EXPECT_LT(refused, 300);
}

TEST(Repacked, SaysWhatItCannotDo) {
  const Block row = iota({10});
  EXPECT_EQ(tuff::repacked_bytes(row.strided_view(9, Dims{10}, Dims{-1})), std::nullopt);
  EXPECT_EQ(tuff::repacked_bytes(row.strided_view(0, Dims{4, 10}, Dims{0, 1})), std::nullopt);
  EXPECT_EQ(tuff::repacked_bytes(row.strided_view(0, Dims{6, 5}, Dims{1, 1})), std::nullopt);
  EXPECT_EQ(tuff::repacked_bytes(row.strided_view(0, Dims{0, 5}, Dims{1, 1})), size_t{0});
  EXPECT_EQ(tuff::repacked(row.strided_view(3, Dims{0}, Dims{1})).size(), 0);
}

}  // namespace
