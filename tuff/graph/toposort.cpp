// Depth-first, with the path under way kept apart from what is finished: meeting the path again closes a
// cycle. See toposort.h.
#include "tuff/graph/toposort.h"

#include <algorithm>
#include <numeric>

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

bool is_sorted_already(const Rows& inputs) {
  for (uint32_t t = 0; t < inputs.count(); ++t) {
    for (uint32_t input : inputs[t]) {
      if (input >= t) return false;
    }
  }
  return true;
}

}  // namespace

Toposort toposort(const Rows& inputs) {
  Toposort result;
  const auto count = static_cast<uint32_t>(inputs.count());
  if (is_sorted_already(inputs)) {
    result.order.resize(count);
    std::iota(result.order.begin(), result.order.end(), 0U);
    return result;
  }
  enum class State : uint8_t { fresh, on_path, finished };
  std::vector<State> state(count, State::fresh);
  std::vector<uint32_t> next(inputs.first.begin(), inputs.first.end() - 1);
  std::vector<uint32_t> path;
  result.order.reserve(count);
  for (uint32_t start = 0; start < count; ++start) {
    if (state[start] != State::fresh) continue;
    state[start] = State::on_path;
    path.push_back(start);
    while (!path.empty()) {
      const uint32_t t = path.back();
      if (next[t] == inputs.first[t + 1]) {
        state[t] = State::finished;
        result.order.push_back(t);
        path.pop_back();
        continue;
      }
      const uint32_t input = inputs.items[next[t]++];
      if (state[input] == State::fresh) {
        state[input] = State::on_path;
        path.push_back(input);
      } else if (state[input] == State::on_path) {
        result.cycle.assign(std::find(path.begin(), path.end(), input), path.end());
        result.order.clear();
        return result;
      }
    }
  }
  return result;
}

}  // namespace graph
TUFF_NAMESPACE_END
