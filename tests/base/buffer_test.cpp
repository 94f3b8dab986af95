// Buffers: alignment, counting, recycling across threads, limits, lent memory.
#include "tuff/base/buffer.h"

#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/error.h"

namespace {

using tuff::Buffer;
using tuff::buffer_statistics;
using tuff::BufferStatistics;

constexpr size_t kMiB = size_t{1} << 20;

/// Begins with nothing recycled and a limit that tests do not reach, ends with what it found.
class Buffers : public testing::Test {
 protected:
  Buffers() {
    tuff::set_recycle_limit(1024 * kMiB);
    tuff::release_recycled_memory();
    before = buffer_statistics();
  }
  ~Buffers() override {
    EXPECT_EQ(buffer_statistics().live_bytes, before.live_bytes);
    EXPECT_EQ(buffer_statistics().live_buffers, before.live_buffers);
    tuff::release_recycled_memory();
  }
  BufferStatistics before;
};

TEST_F(Buffers, AreAlignedAndHoldWhatWasAskedFor) {
  for (size_t bytes :
       {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{512}, size_t{513},
        size_t{4097}, size_t{32768}, size_t{32769}, kMiB, 2 * kMiB - 1, 2 * kMiB, 5 * kMiB + 7}) {
    const Buffer buffer = Buffer::allocate(bytes);
    ASSERT_TRUE(buffer);
    EXPECT_EQ(buffer.bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    std::memset(buffer.data(), 0x5a, bytes);
    EXPECT_TRUE(bytes == 0 || buffer.data()[bytes - 1] == std::byte{0x5a});
  }
}

TEST_F(Buffers, BigOnesStartOnAHugePage) {
  const Buffer buffer = Buffer::allocate(3 * kMiB);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % (2 * kMiB), 0u);
}

TEST_F(Buffers, AreRoundedUpByAQuarterAtMost) {
  for (size_t bytes = 600; bytes < 64 * kMiB; bytes = bytes * 17 / 16 + 3) {
    const size_t recycled = buffer_statistics().recycled_bytes;
    Buffer::allocate(bytes).reset();
    const size_t kept = buffer_statistics().recycled_bytes - recycled;
    EXPECT_GE(kept, bytes);
    EXPECT_LE(kept, bytes + bytes / 4 + 64);
    tuff::release_recycled_memory();
  }
}

TEST_F(Buffers, CopiesCountUpAndTheLastOneFrees) {
  Buffer first = Buffer::allocate(100);
  Buffer second = first;
  EXPECT_EQ(first.use_count(), 2u);
  first.reset();
  EXPECT_EQ(second.use_count(), 1u);
  EXPECT_EQ(buffer_statistics().live_buffers, before.live_buffers + 1);
  Buffer third = std::move(second);
  EXPECT_EQ(third.use_count(), 1u);
  third = Buffer();
  EXPECT_EQ(buffer_statistics().live_buffers, before.live_buffers);
  EXPECT_EQ(Buffer().data(), nullptr);
  EXPECT_EQ(Buffer().bytes(), 0u);
  EXPECT_EQ(Buffer().use_count(), 0u);
}

TEST_F(Buffers, AreCountedExactly) {
  std::mt19937 random(7);
  std::vector<Buffer> held;
  size_t bytes = 0;
  size_t peak = 0;
  tuff::reset_peak_live_bytes();
  for (int step = 0; step < 5000; ++step) {
    if (held.empty() || random() % 5 < 3) {
      const size_t size = random() % 10 == 0 ? random() % (3 * kMiB) : random() % 5000;
      held.push_back(Buffer::allocate(size));
      bytes += size;
    } else {
      const size_t at = random() % held.size();
      bytes -= held[at].bytes();
      std::swap(held[at], held.back());
      held.pop_back();
    }
    peak = std::max(peak, bytes);
    if (held.size() > 200) {
      held.clear();
      bytes = 0;
    }
    if (step % 100 == 0) {
      const BufferStatistics now = buffer_statistics();
      ASSERT_EQ(now.live_bytes, before.live_bytes + bytes);
      ASSERT_EQ(now.live_buffers, before.live_buffers + held.size());
      ASSERT_EQ(now.peak_live_bytes, before.live_bytes + peak);
    }
  }
}

TEST_F(Buffers, TheHighWaterMarkRestartsAtThePresent) {
  Buffer::allocate(10 * kMiB).reset();
  EXPECT_GE(buffer_statistics().peak_live_bytes, before.live_bytes + 10 * kMiB);
  const Buffer small = Buffer::allocate(1000);
  tuff::reset_peak_live_bytes();
  EXPECT_EQ(buffer_statistics().peak_live_bytes, before.live_bytes + 1000);
}

TEST_F(Buffers, FreedMemoryIsHandedOutAgain) {
  for (size_t bytes : {size_t{100}, size_t{40000}, 5 * kMiB}) {
    Buffer buffer = Buffer::allocate(bytes);
    const std::byte* address = buffer.data();
    buffer.reset();
    EXPECT_GE(buffer_statistics().recycled_bytes, bytes);
    buffer = Buffer::allocate(bytes - bytes / 50);
    EXPECT_EQ(buffer.data(), address);
  }
}

TEST_F(Buffers, ReleaseGivesEverythingBack) {
  std::vector<Buffer> held;
  for (size_t bytes : {size_t{10}, size_t{5000}, size_t{300000}, 4 * kMiB}) {
    for (int i = 0; i < 20; ++i) held.push_back(Buffer::allocate(bytes));
  }
  held.clear();
  EXPECT_GT(buffer_statistics().recycled_bytes, 80 * kMiB);
  tuff::release_recycled_memory();
  EXPECT_EQ(buffer_statistics().recycled_bytes, 0u);
}

TEST_F(Buffers, NothingIsKeptBeyondTheLimit) {
  tuff::set_recycle_limit(10 * kMiB);
  std::vector<Buffer> held;
  held.reserve(10);
  for (int i = 0; i < 10; ++i) held.push_back(Buffer::allocate(3 * kMiB));
  held.clear();
  EXPECT_LE(buffer_statistics().recycled_bytes, 10 * kMiB);
  EXPECT_GE(buffer_statistics().recycled_bytes, 9 * kMiB);
  tuff::set_recycle_limit(4 * kMiB);
  EXPECT_LE(buffer_statistics().recycled_bytes, 4 * kMiB);
  tuff::set_recycle_limit(0);
  EXPECT_EQ(buffer_statistics().recycled_bytes, 0u);
  Buffer::allocate(100).reset();
  Buffer::allocate(3 * kMiB).reset();
  EXPECT_EQ(buffer_statistics().recycled_bytes, 0u);
}

TEST_F(Buffers, SizesOfAnEarlierPhaseMakeRoomForThePresentOnes) {
  tuff::set_recycle_limit(20 * kMiB);
  {
    std::vector<Buffer> phase;
    phase.reserve(6);
    for (int i = 0; i < 6; ++i) phase.push_back(Buffer::allocate(3 * kMiB));
  }
  Buffer buffer = Buffer::allocate(10 * kMiB);
  const std::byte* address = buffer.data();
  buffer.reset();
  buffer = Buffer::allocate(10 * kMiB);
  EXPECT_EQ(buffer.data(), address);
}

TEST_F(Buffers, MayBeFreedByAnotherThread) {
  std::vector<Buffer> held;
  held.reserve(10000);
  for (int i = 0; i < 10000; ++i) held.push_back(Buffer::allocate(static_cast<size_t>(i)));
  std::thread([&held] { held.clear(); }).join();
  EXPECT_EQ(buffer_statistics().live_buffers, before.live_buffers);
}

TEST_F(Buffers, AnEndingThreadPassesItsCacheOn) {
  const std::byte* address = nullptr;
  std::thread([&address] {
    Buffer buffer = Buffer::allocate(30000);
    address = buffer.data();
  }).join();
  EXPECT_EQ(Buffer::allocate(30000).data(), address);
}

TEST_F(Buffers, ManyThreadsPassThemAround) {
  std::mutex mutex;
  std::vector<Buffer> shared;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 3000; ++i) {
        Buffer mine = Buffer::allocate(random() % 100 == 0 ? 70000 : random() % 2000);
        if (mine.bytes() > 0) std::memset(mine.data(), static_cast<int>(t), mine.bytes());
        const std::lock_guard lock(mutex);
        if (shared.size() < 100) {
          shared.push_back(mine);
        } else {
          std::swap(shared[random() % shared.size()], mine);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(buffer_statistics().live_buffers, before.live_buffers + shared.size());
}

TEST_F(Buffers, LentMemoryIsReleasedOnceAndNotCounted) {
  int released = 0;
  double numbers[4] = {1, 2, 3, 4};
  Buffer lent = Buffer::borrow(numbers, sizeof numbers, [&released] { ++released; });
  Buffer copy = lent;
  EXPECT_EQ(copy.data(), reinterpret_cast<std::byte*>(numbers));
  EXPECT_EQ(copy.bytes(), sizeof numbers);
  EXPECT_EQ(buffer_statistics().live_bytes, before.live_bytes);
  lent.reset();
  EXPECT_EQ(released, 0);
  copy.reset();
  EXPECT_EQ(released, 1);
  EXPECT_NO_THROW(Buffer::borrow(numbers, sizeof numbers, {}).reset());
}

TEST_F(Buffers, MoreThanThereIsIsBadAlloc) {
  EXPECT_THROW(Buffer::allocate(std::numeric_limits<size_t>::max()), std::bad_alloc);
  EXPECT_THROW(Buffer::allocate(size_t{1} << 47), std::bad_alloc);
}

TEST_F(Buffers, AReleaseThatAllocatesIsFine) {
  Buffer lent = Buffer::borrow(nullptr, 0, [] { Buffer::allocate(100).reset(); });
  lent.reset();
}

TEST_F(Buffers, LentMemoryHasAnAddress) {
  EXPECT_THROW(Buffer::borrow(nullptr, 1, {}), tuff::InvalidArgument);
}

struct FreesAtThreadEnd {
  Buffer buffer;
};

TEST_F(Buffers, MayOutliveTheirThreadsCache) {
  std::thread([] {
    // Constructed before the first allocation, so destroyed after this thread's cache.
    static thread_local FreesAtThreadEnd holder;
    holder.buffer = Buffer();
    holder.buffer = Buffer::allocate(100);
  }).join();
}

}  // namespace
