// Several calls as one task: what fused tasks run as. Their order, where each value is kept and when it
// is freed are all settled when the group is built; running one looks nothing up. A call that throws is made
// again where it stands, as often as its options say; calls before it are not.
//
// Built by lower_tasks.cpp and optimize/fuse_tasks.cpp. All groups of a plan share one program; a task's
// block number is its group. Values between the calls of a group live in registers of the call's stack.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

class TUFF_API GroupProgram {
 public:
  /// An argument of a part: an input of the group, or output `output` of part `number` before it.
  struct Argument {
    bool is_input = false;
    uint32_t number = 0;
    uint32_t output = 0;
  };

  /// begin(); add_part() for each call, in order; end(). The outputs of the group are those of the last.
  void begin() { first_part_ = parts_.size(); }
  /// `operation`: its name, by the number that add_operation() gave. `retries`: how often it is called again
  /// when it throws, unless it is a group, whose parts see to that. Functions are the caller's to keep.
  void add_part(const TaskFunction* function, uint32_t operation, uint32_t block,
                std::span<const Argument> arguments, uint32_t outputs, uint32_t retries = 0);
  uint32_t add_operation(std::string name) {
    operations_.push_back(std::move(name));
    return static_cast<uint32_t>(operations_.size() - 1);
  }
  /// The number of the group.
  uint32_t end();

  void run(TaskArguments& arguments) const;
  std::pair<const TaskFunction*, uint32_t> last_call(uint32_t group) const;
  size_t group_count() const { return groups_.size(); }
  /// Calls of one group, and how many values it holds at once at most.
  size_t part_count(uint32_t group) const { return groups_[group].part_count; }
  size_t register_count(uint32_t group) const { return groups_[group].registers; }

 private:
  struct Part {
    const TaskFunction* function;
    uint32_t operation;
    uint32_t block;
    uint32_t first_argument;
    uint32_t argument_count;
    uint32_t output;  ///< first register, unless it is the last part
    uint32_t output_count;
  };
  struct Group {
    uint32_t first_part;
    uint32_t part_count;
    uint32_t registers;
    uint32_t most_arguments;
  };
  /// Packed arguments: kInput and an input's number, or a register; kLastUse where nothing later in the
  /// group reads it; kMoves where the part may move from it, too.
  static constexpr uint32_t kInput = uint32_t{1} << 31;
  static constexpr uint32_t kLastUse = uint32_t{1} << 30;
  static constexpr uint32_t kMoves = uint32_t{1} << 29;
  static constexpr uint32_t kNumber = kMoves - 1;

  void mark_last_uses();
  uint32_t assign_registers();
  uint32_t retries_of(size_t part) const { return part < retries_.size() ? retries_[part] : 0; }
  void run_parts(TaskArguments& arguments, const Group& group, Value* registers, Value** inputs,
                 bool* last_use) const;

  std::vector<Part> parts_;
  std::vector<uint32_t> arguments_;
  std::vector<Group> groups_;
  std::vector<std::string> operations_;
  std::vector<uint32_t> retries_;  // by part, up to the last that has any: read when one has thrown
  // Of the group that is being built:
  size_t first_part_ = 0;
  std::vector<uint32_t> first_value_;  // by part: the number of its first output, before registers
};

/// The function of all groups that call the same things, by name.
class TUFF_API GroupTask final : public TaskFunction {
 public:
  /// `unknown_sizes`: whether some part yields blocks of unknown sizes.
  GroupTask(std::shared_ptr<const GroupProgram> program, std::string name, bool unknown_sizes)
      : program_(std::move(program)), name_(std::move(name)), unknown_sizes_(unknown_sizes) {}
  void run(TaskArguments& arguments) const override { program_->run(arguments); }
  std::string_view name() const override { return name_; }
  bool yields_unknown_sizes() const override { return unknown_sizes_; }
  std::pair<const TaskFunction*, uint32_t> last_call(uint32_t group) const override {
    return program_->last_call(group);
  }
  const GroupProgram& program() const { return *program_; }

 private:
  std::shared_ptr<const GroupProgram> program_;
  std::string name_;
  bool unknown_sizes_;
};

/// "load, clean x3, sum": each operation once, in order, with how often; long lists are cut.
TUFF_API std::string group_name(std::span<const std::string_view> operations);

}  // namespace graph
TUFF_NAMESPACE_END
