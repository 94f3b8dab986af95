// See task_group.h.
#include "tuff/graph/task_group.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "tuff/base/check.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

/// Registers and arguments of most groups, and of nearly all others: 16 values are 384 bytes of stack,
/// and making and freeing them takes 10 ns.
constexpr size_t kFew = 4;
constexpr size_t kOnStack = 16;
/// What is called is asked for this many parts ahead. Each call of a task graph has an object of its own,
/// which in a large graph is not in the caches.
constexpr ptrdiff_t kPartsAhead = 4;
/// Parts take some 10 ns at least, a look at the stop request half of one.
constexpr uint32_t kPartsBetweenLooks = 16;

template <size_t kCount>
struct Stack {
  std::array<Value, kCount> registers;
  std::array<Value*, kCount> inputs;
  std::array<bool, kCount> last_use;
};

/// Gives a group's arguments back as they were, also when a part throws.
class Restored {
 public:
  explicit Restored(TaskArguments& arguments)
      : arguments_(arguments),
        block_(arguments.block),
        inputs_(arguments.inputs),
        last_use_(arguments.last_use),
        outputs_(arguments.outputs) {}
  ~Restored() {
    arguments_.block = block_;
    arguments_.inputs = inputs_;
    arguments_.last_use = last_use_;
    arguments_.outputs = outputs_;
  }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  TaskArguments& arguments_;
  uint32_t block_;
  std::span<Value* const> inputs_;
  std::span<const bool> last_use_;
  std::span<Value> outputs_;
};
/// Operations that a group's name shows.
constexpr size_t kNamesShown = 6;

}  // namespace

void GroupProgram::add_part(const TaskFunction* function, uint32_t operation, uint32_t block,
                            std::span<const Argument> arguments, uint32_t outputs,
                            uint32_t retries) {
  if (parts_.size() == first_part_) first_value_.assign(1, 0);
  if (retries > 0) {
    retries_.resize(parts_.size() + 1, 0);
    retries_.back() = retries;
  }
  Part part{};
  part.function = function;
  part.operation = operation;
  part.block = block;
  part.first_argument = static_cast<uint32_t>(arguments_.size());
  part.argument_count = static_cast<uint32_t>(arguments.size());
  part.output_count = outputs;
  for (const Argument& argument : arguments) {
    TUFF_CHECK(argument.is_input || argument.number < parts_.size() - first_part_);
    arguments_.push_back(argument.is_input ? kInput | argument.number
                                           : first_value_[argument.number] + argument.output);
  }
  first_value_.push_back(first_value_.back() + outputs);
  parts_.push_back(part);
}

/// From the end: the first time that something is met is its last use. Within one call only one
/// argument may be consumed, so a value that is passed twice is marked nowhere; and a call that may be made
/// again must find its arguments as they were.
void GroupProgram::mark_last_uses() {
  uint32_t inputs = 0;
  for (size_t a = parts_[first_part_].first_argument; a < arguments_.size(); ++a) {
    if ((arguments_[a] & kInput) != 0) inputs = std::max(inputs, (arguments_[a] & kNumber) + 1);
  }
  // Values first, inputs after them.
  const uint32_t values = first_value_.back();
  const auto place = [&](uint32_t argument) {
    return (argument & kInput) != 0 ? values + (argument & kNumber) : argument & kNumber;
  };
  std::vector<uint8_t> seen(values + inputs, 0);
  std::vector<uint32_t> times(values + inputs, 0);  // in the part at hand
  for (size_t p = parts_.size(); p-- > first_part_;) {
    const auto row =
        std::span(arguments_).subspan(parts_[p].first_argument, parts_[p].argument_count);
    for (uint32_t argument : row) ++times[place(argument)];
    for (uint32_t& argument : row) {
      const uint32_t at = place(argument);
      if (seen[at] != 0 || times[at] != 1) continue;
      argument |= retries_of(p) == 0 ? kLastUse | kMoves : kLastUse;
    }
    for (uint32_t argument : row) {
      times[place(argument)] = 0;
      seen[place(argument)] = 1;
    }
  }
}

/// Replaces values by registers; returns how many are needed. A part's outputs stand together, so several
/// outputs get new registers; single ones take what is free.
uint32_t GroupProgram::assign_registers() {
  const size_t values = first_value_.back();
  std::vector<uint32_t> last_part(values, 0);  // that reads the value
  for (size_t p = first_part_; p < parts_.size(); ++p) {
    for (uint32_t a = 0; a < parts_[p].argument_count; ++a) {
      const uint32_t argument = arguments_[parts_[p].first_argument + a];
      if ((argument & kInput) == 0)
        last_part[argument & kNumber] = static_cast<uint32_t>(p - first_part_);
    }
  }
  std::vector<uint32_t> register_of(values, 0);
  std::vector<std::vector<uint32_t>> ends(parts_.size() - first_part_);
  std::vector<uint32_t> free;
  uint32_t count = 0;
  for (size_t p = first_part_; p < parts_.size(); ++p) {
    Part& part = parts_[p];
    for (uint32_t a = 0; a < part.argument_count; ++a) {
      uint32_t& argument = arguments_[part.first_argument + a];
      if ((argument & kInput) == 0)
        argument = (argument & (kLastUse | kMoves)) | register_of[argument & kNumber];
    }
    if (p + 1 == parts_.size()) break;  // writes the group's own outputs
    const size_t number = p - first_part_;
    const bool reuses = part.output_count == 1 && !free.empty();
    part.output = reuses ? free.back() : count;
    if (reuses) free.pop_back();
    if (!reuses) count += part.output_count;
    for (uint32_t o = 0; o < part.output_count; ++o) {
      const uint32_t value = first_value_[number] + o;
      register_of[value] = part.output + o;
      // Never read: free after this part.
      ends[std::max<size_t>(last_part[value], number)].push_back(part.output + o);
    }
    for (uint32_t released : ends[number]) free.push_back(released);
  }
  return count;
}

uint32_t GroupProgram::end() {
  TUFF_CHECK(parts_.size() > first_part_);
  mark_last_uses();
  Group group{};
  group.first_part = static_cast<uint32_t>(first_part_);
  group.part_count = static_cast<uint32_t>(parts_.size() - first_part_);
  group.registers = assign_registers();
  for (size_t p = first_part_; p < parts_.size(); ++p)
    group.most_arguments = std::max(group.most_arguments, parts_[p].argument_count);
  groups_.push_back(group);
  return static_cast<uint32_t>(groups_.size() - 1);
}

std::pair<const TaskFunction*, uint32_t> GroupProgram::last_call(uint32_t group) const {
  const Part& part = parts_[groups_[group].first_part + groups_[group].part_count - 1];
  return part.function->last_call(part.block);
}

void GroupProgram::run(TaskArguments& arguments) const {
  const Group& group = groups_[arguments.block];
  const size_t needed = std::max(group.registers, group.most_arguments);
  if (needed <= kFew) {
    Stack<kFew> stack;
    run_parts(arguments, group, stack.registers.data(), stack.inputs.data(), stack.last_use.data());
  } else if (needed <= kOnStack) {
    Stack<kOnStack> stack;
    run_parts(arguments, group, stack.registers.data(), stack.inputs.data(), stack.last_use.data());
  } else {
    const auto registers = std::make_unique<Value[]>(group.registers);
    const auto inputs = std::make_unique<Value*[]>(group.most_arguments);
    const auto last_use = std::make_unique<bool[]>(group.most_arguments);
    run_parts(arguments, group, registers.get(), inputs.get(), last_use.get());
  }
}

/// Calls go through the group's own arguments: copying them would count the stop token's users, on a line
/// that all threads share.
void GroupProgram::run_parts(TaskArguments& arguments, const Group& group, Value* registers,
                             Value** inputs, bool* last_use) const {
  const Restored of_group(arguments);
  const std::span<Value* const> group_inputs = arguments.inputs;
  const std::span<const bool> group_last_use = arguments.last_use;
  const std::span<Value> group_outputs = arguments.outputs;
  const Part* const end = parts_.data() + group.first_part + group.part_count;
  const Part* const last_part = parts_.data() + parts_.size() - 1;
  uint32_t calls = 0;
  for (const Part* part = end - group.part_count; part != end; ++part) {
    // What seemed short may be long: nobody knows what a callable takes.
    if (++calls % kPartsBetweenLooks == 0) StopRequest(arguments.stop).check();
    __builtin_prefetch(part[std::min(kPartsAhead, last_part - part)].function);
    const uint32_t* const row = arguments_.data() + part->first_argument;
    for (uint32_t a = 0; a < part->argument_count; ++a) {
      const uint32_t number = row[a] & kNumber;
      const bool moves = (row[a] & kMoves) != 0;
      if ((row[a] & kInput) != 0) {
        inputs[a] = group_inputs[number];
        last_use[a] = moves && group_last_use[number];
      } else {
        inputs[a] = registers + number;
        last_use[a] = moves;
      }
    }
    arguments.block = part->block;
    arguments.inputs = {inputs, part->argument_count};
    arguments.last_use = {last_use, part->argument_count};
    arguments.outputs = part + 1 == end
                            ? group_outputs
                            : std::span<Value>(registers + part->output, part->output_count);
    for (uint32_t attempts = 1;; ++attempts) {
      try {
        part->function->run(arguments);
        break;
      } catch (const PartFailed&) {
        throw;  // the part was a group itself
      } catch (...) {
        const uint32_t retries = retries_of(static_cast<size_t>(part - parts_.data()));
        if (may_call_again(arguments, attempts, retries)) continue;
        throw PartFailed{operations_[part->operation], part->block, part->function,
                         std::current_exception(), attempts <= retries};
      }
    }
    for (uint32_t a = 0; a < part->argument_count; ++a) {
      if ((row[a] & (kInput | kLastUse)) == kLastUse) registers[row[a] & kNumber].reset();
    }
  }
}

std::string group_name(std::span<const std::string_view> operations) {
  std::vector<std::pair<std::string_view, size_t>> counts;
  for (std::string_view operation : operations) {
    const auto known = std::find_if(counts.begin(), counts.end(),
                                    [&](const auto& count) { return count.first == operation; });
    if (known != counts.end()) {
      ++known->second;
    } else if (counts.size() < kNamesShown) {
      counts.emplace_back(operation, 1);
    } else {
      counts.emplace_back("...", 1);
      break;
    }
  }
  std::string text;
  for (const auto& [operation, count] : counts) {
    if (!text.empty()) text += ", ";
    text += operation;
    if (count > 1) text += fmt::format(" x{}", count);
  }
  return text;
}

}  // namespace graph
TUFF_NAMESPACE_END
