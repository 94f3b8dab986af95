// Texts of the errors; see error.h.
#include "tuff/base/error.h"

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN

namespace {

std::string task_error_text(const std::vector<TaskFailure>& failures) {
  const TaskFailure& first = failures.front();
  std::string text = fmt::format("[run] task {} ({}) on block {} failed: {}", first.task,
                                 first.operation, first.block, describe(first.cause));
  if (failures.size() > 1) {
    text += fmt::format("; {} more task(s) failed:", failures.size() - 1);
    for (size_t i = 1; i < failures.size() && i <= 8; ++i) {
      text += fmt::format(" {} ({}) on block {}{}", failures[i].task, failures[i].operation,
                          failures[i].block, i + 1 < failures.size() ? "," : "");
    }
    if (failures.size() > 9) text += " ...";
  }
  return text;
}

std::string_view name_of(Cancelled::Reason reason) {
  return reason == Cancelled::Reason::deadline ? "the deadline passed" : "stop was requested";
}

void append_nested(const std::exception& error, std::string& text) {
  const char* const what = error.what();
  text += what != nullptr ? what : "an exception without a text";
  // A TaskError's own text tells its causes already.
  if (dynamic_cast<const TaskError*>(&error) != nullptr) return;
  try {
    std::rethrow_if_nested(error);
  } catch (const std::exception& nested) {
    text += ": ";
    append_nested(nested, text);
  } catch (...) {
    text += ": an exception that is not a std::exception";
  }
}

}  // namespace

InvalidArgument::InvalidArgument(std::string_view operation, std::string_view what)
    : Error(fmt::format("[{}] {}", operation, what)) {}

MemoryError::MemoryError(std::string_view operation, std::string_view what)
    : Error(fmt::format("[{}] {}", operation, what)) {}

TaskError::TaskError(std::vector<TaskFailure> failures)
    : Error(task_error_text(failures)), failures_(std::move(failures)) {}

Cancelled::Cancelled(Reason reason, uint64_t tasks_done, uint64_t tasks_total)
    : Error(fmt::format("[run] {} after {} of {} tasks", name_of(reason), tasks_done, tasks_total)),
      reason_(reason) {}

Cancelled::Cancelled(Reason reason)
    : Error(fmt::format("[run] {} inside a task", name_of(reason))), reason_(reason) {}

std::string describe(const std::exception_ptr& error) {
  std::string text;
  try {
    if (error) std::rethrow_exception(error);
  } catch (const std::exception& e) {
    append_nested(e, text);
  } catch (...) {
    text = "an exception that is not a std::exception";
  }
  return text;
}

TUFF_NAMESPACE_END
