#include "tuff/kernels/target.h"

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

}  // namespace
}  // namespace tuff::kernels
