#include "tuff/kernels/target.h"

#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

#include "tuff/base/error.h"

namespace tuff::kernels {
namespace {

TEST(Target, BaselineIsAlwaysThereAndLast) { EXPECT_EQ(available_targets().back(), "baseline"); }

TEST(Target, CanBePinnedToEveryAvailableOne) {
  const std::string before = current_target();
  for (const std::string& name : available_targets()) {
    set_target(name);
    EXPECT_EQ(current_target(), name);
  }
  set_target(before);
}

TEST(Target, UnknownNameIsRefusedAndChangesNothing) {
  const std::string before = current_target();
  try {
    set_target("neon");
    FAIL() << "no error";
  } catch (const InvalidArgument& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("\"neon\" is not an instruction set of this machine"), std::string::npos)
        << text;
    EXPECT_NE(text.find("baseline"), std::string::npos) << text;
  }
  EXPECT_EQ(current_target(), before);
}

// Each in a process of its own: the choice is made once.
TEST(TargetDeathTest, EnvironmentPinsItBeforeFirstUse) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        setenv("TUFF_TARGET", "baseline", 1);
        std::exit(current_target() == "baseline" ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(TargetDeathTest, UnknownNameInTheEnvironmentIsAnError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        setenv("TUFF_TARGET", "mmx", 1);
        try {
          current_target();
        } catch (const InvalidArgument& error) {
          std::fputs(error.what(), stderr);
          std::exit(3);
        }
        std::exit(0);
      },
      ::testing::ExitedWithCode(3), "TUFF_TARGET.*\"mmx\" is not an instruction set");
}

}  // namespace
}  // namespace tuff::kernels
