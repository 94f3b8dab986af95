// What a process shares (threads, memory, observers), and what one run may override.
//
// Precedence of every setting: call (RunOptions), context, environment (TUFF_*), default.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <typeindex>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/trace.h"

TUFF_NAMESPACE_BEGIN

class Context;

/// Settings of one run. What is not set comes from the context.
struct RunOptions {
  /// Threads that work on this run, the caller included; at least 1, and never more than the context's
  /// (give a Context of your own to use more than the machine's).
  std::optional<int> threads = {};
  /// Ends the run early when stop is requested: what has not started is dropped, Cancelled is thrown.
  std::stop_token stop = {};
  /// Ends the run early once this much time has passed since its start; Cancelled is thrown.
  std::optional<std::chrono::nanoseconds> deadline = {};
  /// Receives the trace of this run, beside the context's sinks.
  TraceSink* trace = nullptr;
  /// Sees start and finish of this run, beside the context's observers.
  RunObserver* observer = nullptr;
  /// How much there is of each named resource that tasks demand; never more is in use at once. A task
  /// whose demand exceeds this, or names a resource that is not here, is an error before anything runs.
  std::map<std::string, double> resources = {};
  /// Bytes that blocks may take while this run is under way, those of everybody else included; what is
  /// needed latest is written to the spill folder when it gets tight.
  std::optional<size_t> memory_bytes = {};
  /// For debugging: when tasks have failed, the first of them is called once more, by the thread that called
  /// run, with the same inputs and outside of any handler. What it throws reaches the caller as it is, and a
  /// debugger stops where it is thrown. Inputs are kept for that, so nothing is computed in place.
  bool rerun_failed = false;
  /// Where to run; null is Context::current().
  Context* context = nullptr;
};

/// Settings of a context. What is not set comes from the environment, then from the default.
struct ContextOptions {
  /// Environment TUFF_THREADS; default: the CPUs this process may use (affinity, cgroup quota).
  std::optional<int> threads = {};
  /// Freed memory kept for reuse, over the whole process. Environment TUFF_RECYCLE_BYTES; default: a
  /// quarter of the memory that this process may use (cgroup limit, else physical).
  std::optional<size_t> recycle_bytes = {};
  /// Recycled memory goes back to the system when the context's helper threads have had no work for so
  /// long (a context with one thread has none). Environment TUFF_IDLE_SECONDS; default: 30.
  std::optional<double> idle_seconds = {};
  /// Bytes that blocks may take while a run is under way. Environment TUFF_MEMORY_BYTES; default: 60 % of
  /// the memory that this process may use.
  std::optional<size_t> memory_bytes = {};
  /// Where blocks go that do not fit: a folder on a disk. Environment TUFF_SPILL_FOLDER; default: the
  /// first of $TMPDIR, /var/tmp and /tmp that is not in memory itself (tmpfs).
  std::string spill_folder = {};
  /// How much of that disk may be used. Environment TUFF_SPILL_BYTES; default: all but a twentieth of it.
  std::optional<size_t> spill_bytes = {};
};

/// Owns a thread pool (made at first use) and a list of observers. Thread-safe.
class TUFF_API Context {
 public:
  /// Throws InvalidArgument when threads < 1 or an environment variable does not parse.
  explicit Context(ContextOptions options = {});
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// The context of this process, made at first use; it lives until the process has ended.
  static Context& current();

  int threads() const { return threads_; }
  double idle_seconds() const { return idle_seconds_; }
  size_t memory_bytes() const { return memory_bytes_; }
  /// Empty: the default.
  const std::string& spill_folder() const { return spill_folder_; }
  std::optional<size_t> spill_bytes() const { return spill_bytes_; }

  /// Observers and sinks that see every outermost run which starts before they are removed. Shared,
  /// since runs of other threads may be under way when their owner removes them. Throws InvalidArgument for null.
  void add_observer(std::shared_ptr<RunObserver> observer);
  void remove_observer(const RunObserver* observer);
  void add_trace(std::shared_ptr<TraceSink> sink);
  void remove_trace(const TraceSink* sink);
  std::vector<std::shared_ptr<RunObserver>> observers() const;
  std::vector<std::shared_ptr<TraceSink>> traces() const;
  /// Expires with the context.
  std::weak_ptr<const void> life() const { return life_; }

  /// The one T of this context, made by T(*this) at first use and destroyed with the context in
  /// reverse order. It lets upper layers keep state here (the thread pool) that base does not know.
  template <class T>
  T& service() {
    return *static_cast<T*>(find_or_make(
        typeid(T), [this]() -> std::shared_ptr<void> { return std::make_shared<T>(*this); }));
  }

 private:
  void* find_or_make(std::type_index type, const std::function<std::shared_ptr<void>()>& make);
  int threads_ = 1;
  double idle_seconds_ = 0;
  size_t memory_bytes_ = 0;
  std::string spill_folder_;
  std::optional<size_t> spill_bytes_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<RunObserver>> observers_;
  std::vector<std::shared_ptr<TraceSink>> traces_;
  std::vector<std::pair<std::type_index, std::shared_ptr<void>>> services_;
  std::shared_ptr<const void> life_ = std::make_shared<char>();
};

/// CPUs this process may use: affinity mask and cgroup quota; at least 1.
TUFF_API int usable_cpus();
/// Bytes of memory this process may use: cgroup limit, else physical memory.
TUFF_API size_t usable_memory();

TUFF_NAMESPACE_END
