// Running a plan: the scheduler as the layers above see it.
//
// Called by compute.cpp and by whoever holds a plan. One Runner per plan; it keeps the memory of
// finished runs for the next ones.
#pragma once

#include <memory>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/context.h"
#include "tuff/base/value.h"
#include "tuff/graph/plan.h"

TUFF_NAMESPACE_BEGIN

class RunStore;

/// A plan that can be run any number of times. Thread-safe: many threads may run it at once.
class TUFF_API Runner {
 public:
  explicit Runner(PlanArrays arrays);
  /// No run may be under way.
  ~Runner();
  Runner(Runner&& other) noexcept;
  Runner& operator=(Runner&& other) noexcept;

  /// The plan, its tasks numbered in the order in which one thread runs them.
  const PlanArrays& arrays() const;

  /// One value per parameter slot in, one per output slot out.
  ///
  /// The calling thread works itself and never waits for a thread that has not joined; at most
  /// `options.threads` threads of the context take part. Values are freed at their last use; a
  /// parameter's is the task's to consume when nothing else reads it. Inside a task this starts a nested
  /// run: the caller works on the new run only, which ends with the run around it; observers and the
  /// context's trace sinks do not hear of it.
  /// Throws TaskError when a task threw, Cancelled when the stop token or the deadline ended the run
  /// early, InvalidArgument when options.threads < 1. All values of the run have then been freed.
  std::vector<Value> run(std::vector<Value> parameters, const RunOptions& options = {}) const;

 private:
  std::unique_ptr<RunStore> store_;
};

TUFF_NAMESPACE_END
