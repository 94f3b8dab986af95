// The five kinds of error that Tuff throws.
//
// Texts read `[operation] what is wrong, with the actual values; what is accepted`. Building a graph
// throws InvalidArgument; running a plan throws TaskError, Cancelled or MemoryError; InternalError is a bug
// in Tuff.
#pragma once

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

/// Base of everything that Tuff throws on purpose.
class TUFF_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An argument that the named operation does not accept. Nothing was changed.
class TUFF_API InvalidArgument : public Error {
 public:
  InvalidArgument(std::string_view operation, std::string_view what);
};

/// One task that failed during a run.
struct TaskFailure {
  std::string operation;     ///< name of the operation, e.g. "exp" or the name given to delayed()
  uint32_t task = 0;         ///< task number in the plan
  std::string block;         ///< block index as text, e.g. "(3, 0)"
  std::exception_ptr cause;  ///< what the task threw
};

/// One or more tasks failed. What had not started was cancelled and every block was freed.
///
/// The first failure is also nested (std::rethrow_if_nested reaches what the task threw).
class TUFF_API TaskError : public Error {
 public:
  explicit TaskError(std::vector<TaskFailure> failures);
  /// Every failed task, in order of task number; never empty.
  const std::vector<TaskFailure>& failures() const { return failures_; }

 private:
  std::vector<TaskFailure> failures_;
};

/// The run was ended by its stop token or its deadline before all tasks had run: tasks under way gave up, what they
/// had made was freed.
class TUFF_API Cancelled : public Error {
 public:
  enum class Reason { stop_requested, deadline };
  Cancelled(Reason reason, uint64_t tasks_done, uint64_t tasks_total);
  /// What a task throws that gives up.
  explicit Cancelled(Reason reason);
  Reason reason() const { return reason_; }

 private:
  Reason reason_;
};

/// What a run must hold at once does not fit in its memory budget, or could not be written to the spill
/// folder or read back from it. Nothing was lost: all blocks were freed, and the next run works.
class TUFF_API MemoryError : public Error {
 public:
  MemoryError(std::string_view operation, std::string_view what);
};

/// A broken invariant inside Tuff: please report it.
class TUFF_API InternalError : public Error {
 public:
  using Error::Error;
};

/// The text of an exception and of all that are nested in it, joined by ": ".
TUFF_API std::string describe(const std::exception_ptr& error);

TUFF_NAMESPACE_END
