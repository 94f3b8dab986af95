// Worker scratch, and the check that a plan's arrays agree; see plan.h.
#include "tuff/graph/plan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <new>

#include <fmt/format.h>

#include "tuff/base/check.h"
#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

constexpr std::align_val_t kScratchAlignment{64};
// A thread keeps so much from run to run, uncounted: the tiles of the longest block programs.
constexpr size_t kSmallScratch = 1 << 20;
constexpr uint32_t kNoTask = UINT32_MAX;

void verify_rows(const Rows& rows, size_t count, size_t limit) {
  TUFF_CHECK_EQ(rows.count(), count);
  TUFF_CHECK_EQ(rows.first.front(), 0u);
  TUFF_CHECK_EQ(rows.first.back(), rows.items.size());
  TUFF_CHECK(std::is_sorted(rows.first.begin(), rows.first.end()));
  for (uint32_t item : rows.items) TUFF_CHECK_LT(item, limit);
}

/// Which task writes each slot; kNoTask for constants, parameters and slots that nobody fills.
std::vector<uint32_t> writers_of(const PlanArrays& plan) {
  std::vector<uint32_t> writer(plan.slot_count(), kNoTask);
  for (uint32_t task = 0; task < plan.task_count(); ++task) {
    for (uint32_t slot = plan.first_output[task]; slot < plan.first_output[task + 1]; ++slot) {
      writer[slot] = task;
    }
  }
  return writer;
}

/// Every slot has at most one source, and every slot that is read or returned has one.
void verify_sources(const PlanArrays& plan, const std::vector<uint32_t>& writer) {
  std::vector<uint8_t> filled(plan.slot_count(), 0);
  for (size_t slot = 0; slot < filled.size(); ++slot) filled[slot] = writer[slot] != kNoTask;
  const auto fill = [&](uint32_t slot) {
    TUFF_CHECK_LT(slot, filled.size());
    TUFF_CHECK_EQ(int{filled[slot]}, 0);
    filled[slot] = 1;
  };
  for (const PlanConstant& constant : plan.constants) {
    fill(constant.slot);
    TUFF_CHECK(constant.value().has_value());
  }
  for (uint32_t slot : plan.parameter_slots) fill(slot);
  for (uint32_t slot : plan.inputs.items) TUFF_CHECK_EQ(int{filled[slot]}, 1);
  for (uint32_t slot : plan.output_slots) {
    TUFF_CHECK_LT(slot, filled.size());
    TUFF_CHECK_EQ(int{filled[slot]}, 1);
  }
}

void verify_use_counts(const PlanArrays& plan) {
  std::vector<uint32_t> reads(plan.slot_count(), 0);
  for (uint32_t slot : plan.inputs.items) ++reads[slot];
  for (size_t slot = 0; slot < reads.size(); ++slot) {
    TUFF_CHECK_LE(reads[slot], plan.use_count[slot]);
    TUFF_CHECK_LE(plan.use_count[slot], reads[slot] + 1);
  }
  for (uint32_t slot : plan.output_slots) TUFF_CHECK_EQ(plan.use_count[slot], reads[slot] + 1);
}

/// Successors and wait counts are what inputs and outputs imply.
void verify_edges(const PlanArrays& plan, const std::vector<uint32_t>& writer) {
  size_t edges = 0;
  for (uint32_t task = 0; task < plan.task_count(); ++task) {
    std::vector<uint32_t> producers;
    for (uint32_t slot : plan.inputs[task]) {
      if (writer[slot] != kNoTask) producers.push_back(writer[slot]);
    }
    std::sort(producers.begin(), producers.end());
    producers.erase(std::unique(producers.begin(), producers.end()), producers.end());
    TUFF_CHECK_EQ(producers.size(), plan.wait_count[task]);
    edges += producers.size();
    for (uint32_t producer : producers) {
      const std::span<const uint32_t> row = plan.successors[producer];
      TUFF_CHECK(std::binary_search(row.begin(), row.end(), task));
    }
  }
  // Rows ascend strictly and hold each of these edges, so equal totals mean equal sets.
  TUFF_CHECK_EQ(edges, plan.successors.items.size());
}

void verify_roots_and_acyclic(const PlanArrays& plan) {
  std::vector<uint32_t> waits = plan.wait_count;
  std::vector<uint32_t> ready;
  for (uint32_t task = 0; task < waits.size(); ++task) {
    if (waits[task] == 0) ready.push_back(task);
  }
  TUFF_CHECK(plan.roots == ready);
  size_t reached = 0;
  while (!ready.empty()) {
    const uint32_t task = ready.back();
    ready.pop_back();
    ++reached;
    for (uint32_t next : plan.successors[task]) {
      if (--waits[next] == 0) ready.push_back(next);
    }
  }
  TUFF_CHECK_EQ(reached, plan.task_count());  // fewer: some tasks wait for each other
}

size_t hash_of(const TaskOptions& options) {
  size_t hash = 0;
  const auto add = [&hash](auto value) {
    hash = (hash ^ std::hash<decltype(value)>()(value)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  };
  add(options.priority);
  add(options.retries);
  add(options.fusible);
  add(options.cost_seconds);
  for (const auto& [name, amount] : options.resources) {
    add(std::string_view(name));
    add(amount);
  }
  return hash;
}

}  // namespace

void Scratch::Free::operator()(std::byte* data) const {
  ::operator delete(data, kScratchAlignment);
}

std::byte* Scratch::get(size_t bytes) {
  if (bytes > kSmallScratch) {
    if (!large_ || bytes > large_.bytes()) {
      trim();
      large_ = Buffer::allocate(bytes);
    }
    return large_.data();
  }
  if (bytes > small_bytes_ || small_ == nullptr) {
    small_.reset();
    // Half as much again, so that slowly growing demands do not allocate each time.
    small_bytes_ = std::max(bytes, small_bytes_ + small_bytes_ / 2);
    small_.reset(static_cast<std::byte*>(::operator new(small_bytes_, kScratchAlignment)));
  }
  return small_.get();
}

void Scratch::trim() { large_ = Buffer(); }

bool may_fuse(const TaskOptions& a, const TaskOptions& b) {
  return a.fusible && b.fusible && a.priority == b.priority && a.retries == b.retries &&
         a.resources == b.resources;
}

void take_in(TaskOptions& options, const TaskOptions& part) {
  if (part.priority != 0) options.priority = std::max(options.priority, part.priority);
  options.retries = std::max(options.retries, part.retries);
  options.fusible = options.fusible && part.fusible;
  if (part.resources == options.resources) return;
  // One call at a time holds its amounts, so the largest is enough.
  std::map<std::string, double> amounts(options.resources.begin(), options.resources.end());
  for (const auto& [name, amount] : part.resources) {
    double& most = amounts[name];
    most = std::max(most, amount);
  }
  options.resources.assign(amounts.begin(), amounts.end());
}

bool may_call_again(TaskArguments& arguments, uint32_t attempts, uint32_t retries) {
  if (attempts > retries || !arguments.may_retry || arguments.stop.stop_requested()) return false;
  for (Value& output : arguments.outputs) output.reset();
  return true;
}

uint32_t OptionSets::number(const TaskOptions& given) {
  if (last_ < sets_.size() && sets_[last_] == given) return last_;
  TaskOptions options = given;
  std::map<std::string, double> amounts;
  for (const auto& [name, amount] : given.resources) amounts[name] += amount;
  options.resources.assign(amounts.begin(), amounts.end());
  const size_t hash = hash_of(options);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    if (sets_[known->second] == options) return last_ = known->second;
  }
  last_ = static_cast<uint32_t>(sets_.size());
  by_hash_.emplace(hash, last_);
  sets_.push_back(std::move(options));
  return last_;
}

void check(const TaskOptions& options, std::string_view operation) {
  if (options.retries < 0) {
    throw InvalidArgument(operation,
                          fmt::format("retries = {}; 0 or more are accepted", options.retries));
  }
  if (!(options.cost_seconds >= 0) || !std::isfinite(options.cost_seconds)) {
    throw InvalidArgument(
        operation,
        fmt::format("cost_seconds = {}; 0 (not known) or more is accepted", options.cost_seconds));
  }
  for (const auto& [name, amount] : options.resources) {
    if (!(amount > 0) || !std::isfinite(amount)) {
      throw InvalidArgument(
          operation, fmt::format("{} of resource '{}'; an amount above 0 is needed", amount, name));
    }
  }
}

void PlanArrays::link(size_t slots) {
  const auto tasks = static_cast<uint32_t>(task_count());
  use_count.assign(slots, 0);
  for (uint32_t slot : inputs.items) ++use_count[slot];
  std::vector<uint8_t> outlives(slots, 0);
  for (uint32_t slot : output_slots) outlives[slot] = 1;
  for (const PlanConstant& constant : constants) outlives[constant.slot] = 1;
  for (size_t slot = 0; slot < slots; ++slot) use_count[slot] += outlives[slot];

  const std::vector<uint32_t> writer = writers_of(*this);
  wait_count.assign(tasks, 0);
  std::vector<uint32_t> seen(tasks, kNoTask);
  std::vector<uint32_t> count(tasks + 1, 0);
  const auto each_dependency = [&](uint32_t t, auto&& f) {
    for (uint32_t slot : inputs[t]) {
      const uint32_t from = writer[slot];
      if (from == kNoTask || seen[from] == t) continue;
      seen[from] = t;
      f(from);
    }
  };
  for (uint32_t t = 0; t < tasks; ++t) {
    each_dependency(t, [&](uint32_t from) {
      ++count[from + 1];
      ++wait_count[t];
    });
  }
  for (uint32_t t = 0; t < tasks; ++t) count[t + 1] += count[t];
  successors.first = count;
  successors.items.assign(count[tasks], 0);
  std::fill(seen.begin(), seen.end(), kNoTask);
  for (uint32_t t = 0; t < tasks; ++t) {
    each_dependency(t, [&](uint32_t from) { successors.items[count[from]++] = t; });
  }
  roots.clear();
  for (uint32_t t = 0; t < tasks; ++t) {
    if (wait_count[t] == 0) roots.push_back(t);
  }
}

void PlanArrays::verify() const {
  const size_t tasks = task_count();
  TUFF_CHECK_LT(tasks, size_t{kNoTask});
  TUFF_CHECK_EQ(block.size(), tasks);
  TUFF_CHECK_EQ(wait_count.size(), tasks);
  for (uint32_t index : function) {
    TUFF_CHECK_LT(index, functions.size());
    TUFF_CHECK(functions[index] != nullptr);
  }
  TUFF_CHECK(names.empty() || names.size() == functions.size());
  TUFF_CHECK(function_seconds.empty() || function_seconds.size() == functions.size());
  TUFF_CHECK(function_bytes.empty() || function_bytes.size() == functions.size());
  TUFF_CHECK(option_of.empty() || option_of.size() == tasks);
  for (uint32_t index : option_of) TUFF_CHECK_LT(index, options.size());
  verify_rows(inputs, tasks, slot_count());
  verify_rows(successors, tasks, tasks);
  for (size_t task = 0; task < tasks; ++task) {
    const std::span<const uint32_t> row = successors[task];
    TUFF_CHECK(std::adjacent_find(row.begin(), row.end(), std::greater_equal<>()) == row.end());
  }
  TUFF_CHECK_EQ(first_output.size(), tasks + 1);
  TUFF_CHECK(std::is_sorted(first_output.begin(), first_output.end()));
  TUFF_CHECK_LE(first_output.back(), slot_count());
  const std::vector<uint32_t> writer = writers_of(*this);
  verify_sources(*this, writer);
  verify_use_counts(*this);
  verify_edges(*this, writer);
  verify_roots_and_acyclic(*this);
}

TUFF_NAMESPACE_END
