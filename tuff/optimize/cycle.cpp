// See cycle.h.
#include "tuff/optimize/cycle.h"

#include <algorithm>

TUFF_NAMESPACE_BEGIN
namespace optimize {

std::vector<uint32_t> find_cycle(const graph::Dag& dag) {
  const size_t count = dag.count();
  std::vector<uint32_t> misses(count);
  std::vector<uint32_t> free;
  for (uint32_t t = 0; t < count; ++t) {
    misses[t] = static_cast<uint32_t>(dag.inputs[t].size());
    if (misses[t] == 0) free.push_back(t);
  }
  size_t freed = 0;
  for (; !free.empty(); ++freed) {
    const uint32_t t = free.back();
    free.pop_back();
    for (uint32_t user : dag.users[t]) {
      if (--misses[user] == 0) free.push_back(user);
    }
  }
  if (freed == count) return {};

  // Whatever is left misses an input that is left too, so going from input to input ends in a cycle.
  const auto left = [&](uint32_t t) { return misses[t] != 0; };
  uint32_t t = 0;
  while (!left(t)) ++t;
  std::vector<uint32_t> path;
  std::vector<uint8_t> on_path(count, 0);
  while (on_path[t] == 0) {
    on_path[t] = 1;
    path.push_back(t);
    const auto inputs = dag.inputs[t];
    t = *std::find_if(inputs.begin(), inputs.end(), left);
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), t));
  std::reverse(path.begin(), path.end());
  std::rotate(path.begin(), std::min_element(path.begin(), path.end()), path.end());
  return path;
}

}  // namespace optimize
TUFF_NAMESPACE_END
