// The door of a run: who may touch what, by the order of its calls. Threads: tests/race.
#include "tuff/schedule/door.h"

#include <gtest/gtest.h>

namespace {

using tuff::Door;

TEST(Door, StaysShutAsLongAsNobodyAsks) {
  Door door;
  door.shut();
  for (int task = 0; task < 3; ++task) {
    door.enter_task();
    EXPECT_TRUE(door.leave_task());
    EXPECT_FALSE(door.is_open());
  }
}

TEST(Door, LetsNobodyInBetweenTasksButTellsTheCaller) {
  ASSERT_TRUE(Door::can_open());
  Door door;
  door.shut();
  EXPECT_FALSE(door.open());
  door.enter_task();
  EXPECT_FALSE(door.leave_task());
  EXPECT_TRUE(door.is_open());
  EXPECT_TRUE(door.open());
}

TEST(Door, OpensWhileTheCallerIsInATaskAndTheCallerSeesItAfterwards) {
  ASSERT_TRUE(Door::can_open());
  Door door;
  door.shut();
  door.enter_task();
  EXPECT_TRUE(door.open());
  EXPECT_FALSE(door.is_open()) << "the caller does not know yet";
  EXPECT_FALSE(door.leave_task());
  EXPECT_TRUE(door.is_open());
}

TEST(Door, CanBeShutAgainForTheNextRun) {
  Door door;
  door.stand_open();
  EXPECT_TRUE(door.is_open());
  EXPECT_TRUE(door.open());
  door.shut();
  EXPECT_FALSE(door.is_open());
  door.enter_task();
  EXPECT_TRUE(door.leave_task());
}

}  // namespace
