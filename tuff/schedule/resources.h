// Named amounts that tasks occupy while they run: never more than the run has, and nobody waits for ever.
//
// Used by ActiveRun from all workers. Invariant: what is free plus what running tasks hold is the total; a
// task that does not fit waits here only while another one holds something, which hands it out again.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN

class Resources {
 public:
  /// Before a run. Throws InvalidArgument when a task demands more than there is.
  void prepare(const PlanArrays& plan, const std::map<std::string, double>& totals);
  /// Whether any task of the plan demands anything.
  bool any() const { return any_; }
  /// Whether some task is kept until others end.
  bool anyone_waits();
  /// Whether the task may run now; else it is kept until release() hands it out.
  bool acquire(uint32_t task);
  /// The task has ended: calls `ready` for those kept that fit now, in the order in which they came.
  template <class Ready>
  void release(uint32_t task, Ready&& ready) {
    for (uint32_t next : give_back(task)) ready(next);
  }

 private:
  using Demand = std::vector<std::pair<size_t, double>>;  // resource and amount
  std::vector<uint32_t> give_back(uint32_t task);
  const Demand& demand_of(uint32_t task) const { return demands_[(*option_of_)[task]]; }
  bool fits(const Demand& demand) const;
  void take(const Demand& demand, double sign);

  bool any_ = false;
  const std::vector<uint32_t>* option_of_ = nullptr;
  std::vector<Demand> demands_;  // by options of the plan
  std::mutex mutex_;
  std::vector<double> free_;
  std::vector<uint32_t> waiting_;
};

TUFF_NAMESPACE_END
