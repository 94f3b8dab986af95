// See auto_width.h.
#include "tuff/optimize/auto_width.h"

#include <algorithm>

#include "tuff/base/check.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

/// Widths tried. 64 merges six levels of a binary tree; what is left to save beyond it is 1 % of the
/// tasks.
constexpr double kWidest = 64;
/// When scheduling has become this part of the work, wider fusion is not tried.
constexpr double kSmallPart = 0.01;

size_t left(std::span<const uint32_t> swallowed_by) {
  return static_cast<size_t>(std::count(swallowed_by.begin(), swallowed_by.end(), kNotSwallowed));
}

}  // namespace

double estimated_seconds(const Rows& inputs, std::span<const uint32_t> order,
                         std::span<const uint32_t> swallowed_by, std::span<const float> seconds,
                         int threads) {
  TUFF_CHECK_EQ(order.size(), inputs.count());
  // By task: when its inputs from outside are there, the work of its tree so far, when it is done.
  struct Times {
    double ready = 0;
    double work = 0;
    double done = 0;
    uint32_t parts = 1;
  };
  std::vector<Times> times(inputs.count());
  double total = 0;
  double longest = 0;
  for (uint32_t t : order) {
    Times& own = times[t];
    own.work = static_cast<double>(seconds[t]);
    for (uint32_t input : inputs[t]) {
      const Times& from = times[input];
      if (swallowed_by[input] == t) {
        own.ready = std::max(own.ready, from.ready);
        own.work += from.work;
        own.parts += from.parts;
      } else {
        own.ready = std::max(own.ready, from.done);
      }
    }
    if (swallowed_by[t] != kNotSwallowed) continue;
    own.work += kTaskSeconds;
    if (own.parts > 1) own.work += kGroupSeconds + own.parts * kPartSeconds;
    own.done = own.ready + own.work;
    total += own.work;
    longest = std::max(longest, own.done);
  }
  const double share = 1.0 / threads;
  return total * share + longest * (1 - share);
}

FusionChoice choose_width(const Rows& inputs, std::span<const uint32_t> order,
                          std::span<const uint8_t> may_go, std::span<const float> seconds,
                          const FuseWidths& given, int threads, std::string_view operation) {
  FusionChoice best;
  best.swallowed_by = choose_fusion(inputs, order, may_go, widths_of(given, 1, operation));
  best.seconds = estimated_seconds(inputs, order, best.swallowed_by, seconds, threads);
  const double worth = best.seconds * (1 - kWorthFusing);
  double work = 0;
  for (float s : seconds) work += static_cast<double>(s);
  size_t tasks = left(best.swallowed_by);
  for (double width = 2; width <= kWidest; width *= 2) {
    if (static_cast<double>(tasks) * (kTaskSeconds + kGroupSeconds) < kSmallPart * work) break;
    FusionChoice wider;
    wider.ave_width = width;
    wider.swallowed_by = choose_fusion(inputs, order, may_go, widths_of(given, width, operation));
    const size_t fewer = left(wider.swallowed_by);
    // Some widths change nothing, and the next one does: a tree of four needs 3.
    if (fewer == tasks) continue;
    wider.seconds = estimated_seconds(inputs, order, wider.swallowed_by, seconds, threads);
    tasks = fewer;
    if (wider.seconds < std::min(best.seconds, worth)) best = std::move(wider);
  }
  return best;
}

}  // namespace optimize
TUFF_NAMESPACE_END
