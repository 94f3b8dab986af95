// One list of operation names for the runs of many plans. Used by Recorder and the profilers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tuff/base/trace.h"

TUFF_NAMESPACE_BEGIN

class OperationNames {
 public:
  /// By operation of the plan, its number in names(): each name has one. Fast when asked for one plan again
  /// and again; valid until the next call.
  const std::vector<uint32_t>& numbers_of(const std::shared_ptr<const TracePlan>& plan) {
    if (plan == last_) return numbers_;
    numbers_.clear();
    for (const std::string& name : plan->operations) {
      const auto next = static_cast<uint32_t>(names_.size());
      const auto [at, is_new] = by_name_.try_emplace(name, next);
      if (is_new) names_.push_back(name);
      numbers_.push_back(at->second);
    }
    last_ = plan;
    return numbers_;
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, uint32_t> by_name_;
  std::shared_ptr<const TracePlan> last_;  // held, so that no other plan can get its address
  std::vector<uint32_t> numbers_;          // of last_
};

TUFF_NAMESPACE_END
