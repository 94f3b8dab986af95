// Plans out of lambdas, for tests of what runs plans.
//
// Used by tests/schedule and tests/race. build() works out wait counts, use counts and successors and
// verifies the result, so a test states only what each task reads and does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tuff/base/block.h"
#include "tuff/graph/plan.h"

namespace tuff_test {

using tuff::Block;
using tuff::PlanArrays;
using tuff::TaskArguments;
using tuff::TaskFunction;
using tuff::Value;

/// An input that the task may take and that nobody else sees, moved out, and its number; else an empty block and the
/// number of inputs.
inline std::pair<Block, size_t> take_an_input(TaskArguments& arguments) {
  for (size_t i = 0; i < arguments.inputs.size(); ++i) {
    if (arguments.last_use[i] && arguments.inputs[i]->get<Block>().is_unique())
      return {std::move(arguments.inputs[i]->get<Block>()), i};
  }
  return {Block(), arguments.inputs.size()};
}

class LambdaTask : public TaskFunction {
 public:
  using Body = std::function<void(TaskArguments&)>;
  LambdaTask(std::string name, Body body) : name_(std::move(name)), body_(std::move(body)) {}
  void run(TaskArguments& arguments) const override { body_(arguments); }
  std::string_view name() const override { return name_; }
  std::string block_name(uint32_t block) const override {
    return "(" + std::to_string(block) + ",)";
  }

 private:
  std::string name_;
  Body body_;
};

class PlanBuilder {
 public:
  using Slots = std::vector<uint32_t>;

  uint32_t constant(Value value) {
    const uint32_t slot = new_slot(kNone);
    plan_.constants.emplace_back(slot, std::move(value));
    return slot;
  }
  uint32_t parameter() {
    const uint32_t slot = new_slot(kNone);
    plan_.parameter_slots.push_back(slot);
    return slot;
  }
  /// Makes a function that several tasks may share.
  uint32_t function(std::string name, LambdaTask::Body body) {
    plan_.functions.push_back(std::make_shared<LambdaTask>(std::move(name), std::move(body)));
    return static_cast<uint32_t>(plan_.functions.size() - 1);
  }
  /// A task; returns its first output slot.
  uint32_t task(uint32_t function, const Slots& inputs, uint32_t outputs = 1) {
    const auto number = static_cast<uint32_t>(plan_.function.size());
    plan_.function.push_back(function);
    plan_.block.push_back(number);
    plan_.inputs.items.insert(plan_.inputs.items.end(), inputs.begin(), inputs.end());
    plan_.inputs.end_row();
    // Task outputs must be consecutive over all tasks: they are renumbered in build().
    const auto first = static_cast<uint32_t>(writer_.size());
    for (uint32_t i = 0; i < outputs; ++i) new_slot(number);
    return first;
  }
  uint32_t task(const std::string& name, LambdaTask::Body body, const Slots& inputs,
                uint32_t outputs = 1) {
    return task(function(name, std::move(body)), inputs, outputs);
  }
  void output(uint32_t slot) { plan_.output_slots.push_back(slot); }

  PlanArrays build() {
    renumber_slots();
    const auto tasks = static_cast<uint32_t>(plan_.function.size());
    std::vector<Slots> successors(tasks);
    plan_.use_count.assign(writer_.size(), 0);
    for (uint32_t t = 0; t < tasks; ++t) {
      Slots producers;
      for (uint32_t slot : plan_.inputs[t]) {
        ++plan_.use_count[slot];
        if (writer_[slot] != kNone) producers.push_back(writer_[slot]);
      }
      std::sort(producers.begin(), producers.end());
      producers.erase(std::unique(producers.begin(), producers.end()), producers.end());
      for (uint32_t producer : producers) successors[producer].push_back(t);
      plan_.wait_count.push_back(static_cast<uint32_t>(producers.size()));
      if (producers.empty()) plan_.roots.push_back(t);
    }
    for (const Slots& row : successors) {
      plan_.successors.items.insert(plan_.successors.items.end(), row.begin(), row.end());
      plan_.successors.end_row();
    }
    Slots kept = plan_.output_slots;
    for (const auto& constant : plan_.constants) kept.push_back(constant.slot);
    std::sort(kept.begin(), kept.end());
    kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
    for (uint32_t slot : kept) ++plan_.use_count[slot];
    plan_.verify();
    return std::move(plan_);
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t new_slot(uint32_t writer) {
    writer_.push_back(writer);
    return static_cast<uint32_t>(writer_.size() - 1);
  }

  /// Task outputs first, in order of tasks, then all other slots.
  void renumber_slots() {
    const auto tasks = static_cast<uint32_t>(plan_.function.size());
    Slots new_number(writer_.size());
    Slots new_writer;
    for (uint32_t pass = 0; pass < 2; ++pass) {
      for (uint32_t slot = 0; slot < writer_.size(); ++slot) {
        if ((writer_[slot] == kNone) != (pass == 1)) continue;
        new_number[slot] = static_cast<uint32_t>(new_writer.size());
        new_writer.push_back(writer_[slot]);
      }
    }
    writer_ = std::move(new_writer);
    plan_.first_output.assign(tasks + 1, 0);
    for (uint32_t writer : writer_) {
      if (writer != kNone) ++plan_.first_output[writer + 1];
    }
    for (uint32_t t = 0; t < tasks; ++t) plan_.first_output[t + 1] += plan_.first_output[t];
    for (uint32_t& slot : plan_.inputs.items) slot = new_number[slot];
    for (uint32_t& slot : plan_.parameter_slots) slot = new_number[slot];
    for (uint32_t& slot : plan_.output_slots) slot = new_number[slot];
    for (auto& constant : plan_.constants) constant.slot = new_number[constant.slot];
  }

  PlanArrays plan_;
  std::vector<uint32_t> writer_;  // by slot: task, or kNone
};

/// Adds up its inputs (doubles) and its block number; yields one double per output.
inline void add_up(TaskArguments& arguments) {
  double sum = 1.0 + arguments.block;
  for (const Value* input : arguments.inputs) sum += input->get<double>();
  for (size_t i = 0; i < arguments.outputs.size(); ++i) {
    arguments.outputs[i].emplace<double>(sum / 3 + static_cast<double>(i));
  }
}

/// The outputs of a plan whose tasks all add_up(): each computed after those it reads, nothing ever freed.
inline std::vector<double> outputs_by_hand(const PlanArrays& plan,
                                           const std::vector<double>& parameters) {
  std::vector<double> slots(plan.slot_count());
  for (const auto& constant : plan.constants) slots[constant.slot] = constant.value().get<double>();
  for (size_t p = 0; p < parameters.size(); ++p) slots[plan.parameter_slots[p]] = parameters[p];
  for (size_t t = 0; t < plan.task_count(); ++t) {
    double sum = 1.0 + plan.block[t];
    for (uint32_t slot : plan.inputs[t]) sum += slots[slot];
    for (uint32_t slot = plan.first_output[t]; slot < plan.first_output[t + 1]; ++slot)
      slots[slot] = sum / 3 + (slot - plan.first_output[t]);
  }
  std::vector<double> outputs;
  for (uint32_t slot : plan.output_slots) outputs.push_back(slots[slot]);
  return outputs;
}

}  // namespace tuff_test
