// The helper's side of a door; see door.h.
#include "tuff/schedule/door.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

TUFF_NAMESPACE_BEGIN

namespace {

/// A caller between two tasks is back in one, or answers, within some 10 ns; unless the system has put
/// it aside.
constexpr int kLooks = 256;

bool membarrier(int command) { return ::syscall(SYS_membarrier, command, 0, 0) == 0; }

}  // namespace

bool Door::can_open() {
  if constexpr (!kMembarrier) return true;
  static const bool registered = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  return registered;
}

bool Door::open() {
  if (is_open()) return true;
  if (!has_seen_barrier_) {
    asked_.store(true, std::memory_order_seq_cst);
    // Refused: the caller sees it in time.
    if (kMembarrier && !membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return false;
    has_seen_barrier_ = true;
  }
  // From here on: a caller that is inside a task sees `asked_` when it leaves that task. For if it has looked at
  // `asked_` before the barrier, it had marked itself as outside before that, and the mark is seen below. The load
  // acquires what the caller counted before it went in.
  for (int look = 0; look < kLooks; ++look) {
    if (caller_.load(std::memory_order_seq_cst) != Caller::between_tasks) return true;
  }
  return false;
}

TUFF_NAMESPACE_END
