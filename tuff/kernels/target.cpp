// The instruction set in use: found once, changed by set_target() or by TUFF_TARGET in the
// environment.
#include "tuff/kernels/target.h"

#include <atomic>
#include <cstdlib>

#include "tuff/base/error.h"
#include "tuff/kernels/dispatch.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace {

constexpr std::string_view kNames[] = {"baseline", "avx2", "avx512"};

// Whether index `target` was compiled and this machine has it.
bool is_available(unsigned target) {
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  switch (target) {
    case 1: return (usable & HWY_AVX2) != 0;
    case 2: return (usable & HWY_AVX3) != 0;
    default: return HWY_STATIC_TARGET != HWY_AVX2 && HWY_STATIC_TARGET != HWY_AVX3;
  }
}

unsigned index_of(std::string_view name, std::string_view source) {
  for (unsigned i = 0; i < 3; ++i) {
    if (kNames[i] == name && is_available(i)) return i;
  }
  std::string usable;
  for (const std::string& available : available_targets()) usable += " " + available;
  throw InvalidArgument(
      source,
      "\"" + std::string(name) + "\" is not an instruction set of this machine; it has:" + usable);
}

unsigned choose() {
  if (const char* pinned = std::getenv("TUFF_TARGET"); pinned != nullptr && *pinned != '\0') {
    return index_of(pinned, "TUFF_TARGET");
  }
  unsigned best = 2;
  while (best > 0 && !is_available(best)) --best;
  return best;
}

std::atomic<unsigned>& current() {
  static std::atomic<unsigned> index{choose()};
  return index;
}

}  // namespace

unsigned target_index() { return current().load(std::memory_order_relaxed); }

std::vector<std::string> available_targets() {
  std::vector<std::string> names;
  for (unsigned i = 3; i-- > 0;) {
    if (is_available(i)) names.emplace_back(kNames[i]);
  }
  return names;
}

std::string current_target() { return std::string(kNames[target_index()]); }

void set_target(std::string_view name) {
  const unsigned index = index_of(name, "set_target");
  current().store(index, std::memory_order_relaxed);
}

}  // namespace kernels
TUFF_NAMESPACE_END
