// Lays accumulators and registers out in scratch memory; see registers.h.
#include "tuff/kernels/registers.h"

#include <algorithm>
#include <cstdint>
#include <utility>

TUFF_NAMESPACE_BEGIN
namespace kernels {

namespace {

/// Elements are equally large; otherwise writing would overtake reading.
bool in_place_safe(const Step& step, const std::vector<size_t>& register_bytes) {
  for (uint8_t k = 0; k < step.arg_count; ++k) {
    if (register_bytes[step.args[k]] != register_bytes[step.result]) return false;
  }
  return true;
}

}  // namespace

void place_registers(Bound& bound, const std::vector<size_t>& register_bytes) {
  constexpr size_t kAlign = 64;
  const auto rounded = [](size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; };
  size_t top = 0;
  for (Accumulator& accumulator : bound.accumulators) {
    accumulator.state_offset = top;
    top += rounded(accumulator.state_bytes);
  }
  std::vector<size_t> last_use(bound.registers.size(), 0);
  std::vector<bool> lasting(bound.registers.size(), false);
  for (size_t s = 0; s < bound.steps.size(); ++s) {
    const Step& step = bound.steps[s];
    for (uint8_t k = 0; k < step.arg_count; ++k) last_use[step.args[k]] = s;
    // What is made once per piece must survive all tiles.
    if (s < bound.once_steps) lasting[step.result] = true;
  }
  std::vector<std::pair<size_t, size_t>> free;  // (bytes, offset)
  std::vector<bool> placed(bound.registers.size(), false);
  const auto place = [&](uint32_t reg) {
    if (placed[reg] || bound.registers[reg].place != Register::Place::scratch) return;
    placed[reg] = true;
    const size_t bytes = rounded(register_bytes[reg]);
    const auto fit = std::find_if(free.begin(), free.end(),
                                  [&](const auto& hole) { return hole.first == bytes; });
    if (fit != free.end()) {
      bound.registers[reg].offset = fit->second;
      free.erase(fit);
    } else {
      bound.registers[reg].offset = top;
      top += bytes;
    }
  };
  const auto release = [&](const Step& step, size_t s) {
    for (uint8_t k = 0; k < step.arg_count; ++k) {
      const uint32_t reg = step.args[k];
      if (last_use[reg] != s || lasting[reg]) continue;
      if (bound.registers[reg].place != Register::Place::scratch || !placed[reg]) continue;
      last_use[reg] = SIZE_MAX;  // an operand given twice is released once
      free.emplace_back(rounded(register_bytes[reg]), bound.registers[reg].offset);
    }
  };
  for (size_t s = 0; s < bound.steps.size(); ++s) {
    const Step& step = bound.steps[s];
    const bool makes = step.code != StepCode::store && step.code != StepCode::add_flat &&
                       step.code != StepCode::add_columns && step.code != StepCode::row_sums &&
                       step.code != StepCode::gram;
    // An element-wise result may take the place of an operand that dies here, when elements are
    // equally large (otherwise writing would overtake reading).
    const bool in_place = step.code == StepCode::elementwise && in_place_safe(step, register_bytes);
    if (in_place) release(step, s);
    if (makes) place(step.result);
    if (!in_place) release(step, s);
  }
  bound.scratch_bytes = top;
}

}  // namespace kernels
TUFF_NAMESPACE_END
