// The end of a process: what computes then works, and the exit status stays.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/tuff.h"

namespace tuff::flow {
namespace {

/// In a process of its own, started anew: threads of this one are not there.
class ExitDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

bool computes() {
  const Array x = random::normal({2000, 50}, {.chunks = {100, 50}, .seed = 1});
  const Array y = exp(x - mean(x, 0));
  return sum(y).compute<double>() > 0 && sum(y).compute<double>({.threads = 1}) > 0;
}

struct ComputesAtTheEnd {
  ~ComputesAtTheEnd() { std::_Exit(computes() ? 7 : 8); }
};

TEST_F(ExitDeathTest, AStaticDestructorMayCompute) {
  EXPECT_EXIT(
      {
        static const ComputesAtTheEnd last;
        static_cast<void>(computes());
        std::exit(0);
      },
      testing::ExitedWithCode(7), "");
}

TEST_F(ExitDeathTest, AnAtexitHandlerMayComputeForTheFirstTime) {
  EXPECT_EXIT(
      {
        std::atexit([] { std::_Exit(computes() ? 7 : 8); });
        std::exit(0);
      },
      testing::ExitedWithCode(7), "");
}

std::atomic_flag has_exited;

Array that_exits() {
  const auto make = [](const BlockInfo& info) -> Block {
    // Two threads that call exit() are beyond what C++ allows.
    if (info.start[0] >= 500 && !has_exited.test_and_set()) std::exit(3);
    Block block = Block::allocate(info.dtype, info.shape);
    std::fill_n(block.data<double>(), block.size(), 1.0);
    return block;
  };
  return from_function(make, {1000}, {.chunks = 1});
}

TEST_F(ExitDeathTest, ACallableMayExit) {
  EXPECT_EXIT(static_cast<void>(sum(that_exits()).compute<double>()), testing::ExitedWithCode(3),
              "");
}

TEST_F(ExitDeathTest, ACallableMayExitInAContextThatIsDestroyedThen) {
  EXPECT_EXIT(
      {
        static Context context({.threads = 4});
        static_cast<void>(sum(that_exits()).compute<double>({.context = &context}));
      },
      testing::ExitedWithCode(3), "");
}

}  // namespace
}  // namespace tuff::flow
