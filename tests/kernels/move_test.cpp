// Strided copies and streaming copies: every size and misalignment around a cache line.
#include "testing.h"
#include <gtest/gtest.h>

#include "tuff/kernels/elementwise.h"

namespace tuff::kernel_test {
namespace {

template <class T>
void check_strides() {
  const std::vector<T> source = mixed_values<T>(4000, 7);
  for (int64_t stride : {0, 1, 2, 3, 7, 16, 25, -1, -2, -9}) {
    for (size_t n = 0; n <= 70; ++n) {
      const Tile<T> in(source, n % 8);
      const T* first = in.data() + 2000;
      Tile<T> out(n, (n * 3) % 8);
      kernels::gather(first, stride, sizeof(T), out.data(), n);
      for (size_t i = 0; i < n; ++i) {
        ASSERT_TRUE(same_bits(out[i], first[static_cast<int64_t>(i) * stride]))
            << "stride " << stride;
      }
      ASSERT_TRUE(out.canaries_are_alive());
      if (stride == 0) continue;
      Tile<T> scattered(std::vector<T>(4000), n % 5);
      T* target = scattered.data() + 2000;
      kernels::scatter(first, target, stride, sizeof(T), n);
      std::vector<T> want(4000);
      for (size_t i = 0; i < n; ++i)
        want[static_cast<size_t>(2000 + static_cast<int64_t>(i) * stride)] = first[i];
      for (size_t i = 0; i < want.size(); ++i) ASSERT_TRUE(same_bits(scattered[i], want[i])) << i;
      ASSERT_TRUE(scattered.canaries_are_alive());
    }
  }
}

TEST(Move, GatherAndScatterFollowAnyStride) {
  check_strides<uint8_t>();
  check_strides<int16_t>();
  check_strides<float>();
  check_strides<int64_t>();
}

class StreamingCopy : public OnEveryTarget {};

TEST_P(StreamingCopy, CopiesEveryByteAtAnyAlignment) {
  for (size_t bytes : {0, 1, 3, 63, 64, 65, 100, 127, 128, 129, 191, 192, 193, 1000, 4096, 10007}) {
    for (size_t from = 0; from < 70; from += 7) {
      for (size_t to = 0; to < 70; ++to) {
        const Tile<uint8_t> in(mixed_values<uint8_t>(bytes, bytes), from);
        Tile<uint8_t> out(bytes, to);
        kernels::copy_streaming(in.data(), out.data(), bytes);
        ASSERT_EQ(bytes == 0 ? 0 : std::memcmp(in.data(), out.data(), bytes), 0)
            << bytes << " at " << from << ", " << to;
        ASSERT_TRUE(out.canaries_are_alive());
      }
    }
  }
}

TUFF_ON_EVERY_TARGET(StreamingCopy);

}  // namespace
}  // namespace tuff::kernel_test
