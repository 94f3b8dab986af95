// Plans of blocks that are all as large, and contexts that have room for a few of them.
#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "tuff/base/block.h"
#include "tuff/base/context.h"
#include "tuff/schedule/memory_statistics.h"

#include "tests/schedule/plan_builder.h"

namespace tuff_test {

using tuff::Block;
using tuff::Context;
using tuff::Dims;
using tuff::DType;
using tuff::MemoryStatistics;
using tuff::PlanArrays;
using tuff::RunOptions;
using tuff::TaskArguments;
using tuff::Value;

inline constexpr int64_t kElements = 32 * 1024;
inline constexpr size_t kBytes = kElements * sizeof(double);  // 256 KiB

class FixedBytes final : public tuff::BlockBytes {
 public:
  uint64_t bytes(uint32_t, uint32_t) const override { return kBytes; }
};

/// A plan whose every task yields a block of kBytes.
inline PlanArrays sized(PlanArrays plan) {
  plan.function_bytes.assign(plan.functions.size(), std::make_shared<FixedBytes>());
  plan.output_bytes = kBytes * plan.task_count();
  return plan;
}

inline void make(TaskArguments& arguments) {
  Block block = Block::allocate(DType::float64, Dims{kElements});
  for (int64_t k = 0; k < kElements; ++k)
    block.data<double>()[k] = std::sin(static_cast<double>(arguments.block * 7919 + k));
  arguments.outputs[0].emplace<Block>(std::move(block));
}

/// Depends on the order and on every element of its inputs; writes into an input that it may consume.
inline void mix(TaskArguments& arguments) {
  auto [result, reused] = take_an_input(arguments);
  if (!result) result = Block::allocate(DType::float64, Dims{kElements});
  double* to = result.data<double>();
  for (int64_t k = 0; k < kElements; ++k) {
    double sum = 0;
    for (size_t i = 0; i < arguments.inputs.size(); ++i)
      sum = sum * 0.7 + (i == reused ? to : arguments.inputs[i]->get<Block>().data<double>())[k];
    to[k] = sum / 3 + static_cast<double>(arguments.block);
  }
  arguments.outputs[0].emplace<Block>(std::move(result));
}

/// The source reads nothing back, so a second pass needs every block again: n blocks, summed, then each less the sum.
inline PlanArrays two_passes(uint32_t n) {
  PlanBuilder builder;
  const uint32_t source = builder.function("source", make);
  const uint32_t add = builder.function("mix", mix);
  std::vector<uint32_t> blocks;
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; ++i) {
    blocks.push_back(builder.task(source, {}));
    sum = i == 0 ? builder.task(add, {blocks[0]}) : builder.task(add, {sum, blocks[i]});
  }
  uint32_t total = sum;
  for (uint32_t i = 0; i < n; ++i)
    total = builder.task(add, {total, builder.task(add, {blocks[i], sum})});
  builder.output(total);
  return sized(builder.build());
}

inline std::vector<double> values_of(std::vector<Value> outputs) {
  std::vector<double> values;
  for (Value& output : outputs) {
    const std::vector<double> part = output.get<Block>().to_vector<double>();
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

/// A context with a small budget.
struct Small {
  explicit Small(size_t blocks, int threads = 2, std::optional<size_t> spill_bytes = {})
      : context({.threads = threads,
                 .memory_bytes = blocks * kBytes,
                 .spill_folder = "/var/tmp",
                 .spill_bytes = spill_bytes}) {}
  RunOptions options() { return {.context = &context}; }
  MemoryStatistics statistics() { return memory_statistics(&context); }
  Context context;
};

}  // namespace tuff_test
