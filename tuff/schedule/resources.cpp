// See resources.h.
#include "tuff/schedule/resources.h"

#include <algorithm>

#include <fmt/format.h>

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

/// Amounts are sums of what users write, such as ten times 0.1; a billionth too little still fits.
constexpr double kSlack = 1e-9;

[[noreturn]] void refuse(const PlanArrays& plan, uint32_t option, const std::string& resource,
                         double amount, const double* total) {
  const auto task = static_cast<uint32_t>(
      std::find(plan.option_of.begin(), plan.option_of.end(), option) - plan.option_of.begin());
  const std::string has = total == nullptr ? fmt::format("no '{}'", resource)
                                           : fmt::format("{} of '{}'", *total, resource);
  throw InvalidArgument(
      "run", fmt::format("task {} ({}) needs {} of resource '{}', but the run has {}; set "
                         "RunOptions::resources",
                         task, plan.name_of(plan.function[task]), amount, resource, has));
}

}  // namespace

void Resources::prepare(const PlanArrays& plan, const std::map<std::string, double>& totals) {
  any_ = false;
  waiting_.clear();
  demands_.clear();
  free_.clear();
  if (plan.option_of.empty()) return;
  option_of_ = &plan.option_of;
  std::map<std::string, size_t> numbers;
  for (const auto& [name, total] : totals) {
    if (!(total >= 0)) {
      throw InvalidArgument("run",
                            fmt::format("resource '{}' = {}; 0 or more is accepted", name, total));
    }
    numbers[name] = free_.size();
    free_.push_back(total);
  }
  for (uint32_t option = 0; option < plan.options.size(); ++option) {
    Demand demand;
    for (const auto& [name, amount] : plan.options[option].resources) {
      const auto total = totals.find(name);
      if (total == totals.end()) refuse(plan, option, name, amount, nullptr);
      if (amount > total->second + kSlack) refuse(plan, option, name, amount, &total->second);
      demand.emplace_back(numbers.at(name), amount);
      any_ = true;
    }
    demands_.push_back(std::move(demand));
  }
}

bool Resources::fits(const Demand& demand) const {
  return std::all_of(demand.begin(), demand.end(),
                     [&](const auto& item) { return item.second <= free_[item.first] + kSlack; });
}

void Resources::take(const Demand& demand, double sign) {
  for (const auto& [resource, amount] : demand) free_[resource] -= sign * amount;
}

bool Resources::acquire(uint32_t task) {
  const Demand& demand = demand_of(task);
  if (demand.empty()) return true;
  const std::lock_guard lock(mutex_);
  if (!fits(demand)) {
    waiting_.push_back(task);
    return false;
  }
  take(demand, 1);
  return true;
}

bool Resources::anyone_waits() {
  if (!any_) return false;
  const std::lock_guard lock(mutex_);
  return !waiting_.empty();
}

std::vector<uint32_t> Resources::give_back(uint32_t task) {
  const Demand& demand = demand_of(task);
  if (demand.empty()) return {};
  const std::lock_guard lock(mutex_);
  take(demand, -1);
  // Those that fit side by side; they ask again when they start, and may have been overtaken then.
  std::vector<uint32_t> ready;
  std::vector<uint32_t> still;
  for (uint32_t next : waiting_) {
    if (fits(demand_of(next))) {
      take(demand_of(next), 1);
      ready.push_back(next);
    } else {
      still.push_back(next);
    }
  }
  for (uint32_t next : ready) take(demand_of(next), -1);
  waiting_ = std::move(still);
  return ready;
}

TUFF_NAMESPACE_END
