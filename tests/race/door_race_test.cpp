// A caller who counts without atomics until somebody comes in: no count is lost, whenever that is.
#include <atomic>
#include <cstdint>
#include <thread>

#include <gtest/gtest.h>

#include "tuff/schedule/door.h"

namespace {

using tuff::Door;

constexpr uint64_t kTasks = 2000;
constexpr uint64_t kOfHelper = 500;

void work_inside_a_task(uint64_t length) {
  for (uint64_t i = 0; i < length; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
}

/// The caller's tasks: counts in plain words while the door is shut, as finish() does.
void work_as_caller(Door& door, uint64_t& counter, uint64_t task_length) {
  bool alone = true;
  for (uint64_t task = 0; task < kTasks; ++task) {
    if (alone) door.enter_task();
    work_inside_a_task(task_length);
    if (alone) alone = door.leave_task();
    if (alone) {
      counter = counter + 1;
    } else {
      std::atomic_ref(counter).fetch_add(1, std::memory_order_acq_rel);
    }
  }
  // The run is over, and nobody may come in any more; those inside are waited for.
  if (alone) door.enter_task();
}

TEST(DoorRace, NoCountIsLostWheneverAHelperComesIn) {
  ASSERT_TRUE(Door::can_open());
  for (uint64_t round = 0; round < 300; ++round) {
    Door door;
    door.shut();
    uint64_t counter = 0;
    std::atomic<bool> ready{false};
    std::thread helper([&] {
      ready.store(true);
      work_inside_a_task(round * 20);
      while (!door.open()) std::this_thread::yield();
      for (uint64_t i = 0; i < kOfHelper; ++i)
        std::atomic_ref(counter).fetch_add(1, std::memory_order_acq_rel);
    });
    while (!ready.load()) std::this_thread::yield();
    work_as_caller(door, counter, round % 7 * 5);
    helper.join();
    ASSERT_EQ(counter, kTasks + kOfHelper) << "round " << round;
  }
}

}  // namespace
