// Contexts and what the machine grants this process; see context.h.
#include "tuff/base/context.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include "tuff/base/buffer.h"
#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

// Others can use the memory then; touching it again costs some 0.3 s per GB, once.
constexpr double kIdleSeconds = 30;

template <class T>
std::optional<T> from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  T value{};
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error != std::errc() || *end != '\0') {
    throw InvalidArgument("context", fmt::format("{}='{}' is not a {}number", name, text,
                                                 std::is_integral_v<T> ? "whole " : ""));
  }
  return value;
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

int usable_cpus() {
  int cpus = 1;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
  // cgroup v2 writes "max 100000" or "<quota> <period>" in microseconds.
  const std::string quota = first_line("/sys/fs/cgroup/cpu.max");
  long long used = 0;
  long long period = 0;
  if (std::sscanf(quota.c_str(), "%lld %lld", &used, &period) == 2 && period > 0) {
    cpus = std::min(
        cpus, static_cast<int>(std::ceil(static_cast<double>(used) / static_cast<double>(period))));
  }
  return std::max(cpus, 1);
}

size_t usable_memory() {
  const auto physical =
      static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
  const std::string limit = first_line("/sys/fs/cgroup/memory.max");
  unsigned long long bytes = 0;
  if (std::sscanf(limit.c_str(), "%llu", &bytes) == 1 && bytes > 0) {
    return std::min(physical, static_cast<size_t>(bytes));
  }
  return physical;
}

Context::Context(ContextOptions options) {
  const std::optional<int> threads =
      options.threads ? options.threads : from_environment<int>("TUFF_THREADS");
  threads_ = threads.value_or(usable_cpus());
  if (threads_ < 1) {
    throw InvalidArgument("context", fmt::format("threads = {}; at least 1 is needed", threads_));
  }
  const std::optional<size_t> recycle = options.recycle_bytes
                                            ? options.recycle_bytes
                                            : from_environment<size_t>("TUFF_RECYCLE_BYTES");
  // Recycled memory is the process's, so only a setting that somebody made changes it later.
  [[maybe_unused]] static const bool once = (set_recycle_limit(usable_memory() / 4), true);
  if (recycle) set_recycle_limit(*recycle);
  idle_seconds_ = options.idle_seconds
                      ? *options.idle_seconds
                      : from_environment<double>("TUFF_IDLE_SECONDS").value_or(kIdleSeconds);
  if (!(idle_seconds_ > 0)) {
    throw InvalidArgument("context",
                          fmt::format("idle_seconds = {}; more than 0 is needed", idle_seconds_));
  }
  const std::optional<size_t> memory =
      options.memory_bytes ? options.memory_bytes : from_environment<size_t>("TUFF_MEMORY_BYTES");
  memory_bytes_ = memory.value_or(usable_memory() / 10 * 6);
  if (memory_bytes_ == 0) {
    throw InvalidArgument("context", "memory_bytes = 0; at least 1 is needed");
  }
  spill_folder_ = options.spill_folder;
  if (const char* folder = std::getenv("TUFF_SPILL_FOLDER");
      spill_folder_.empty() && folder != nullptr)
    spill_folder_ = folder;
  // The program may change its directory later.
  if (!spill_folder_.empty()) spill_folder_ = std::filesystem::absolute(spill_folder_).string();
  spill_bytes_ =
      options.spill_bytes ? options.spill_bytes : from_environment<size_t>("TUFF_SPILL_BYTES");
}

Context::~Context() {
  while (!services_.empty()) services_.pop_back();
}

Context& Context::current() {
  // Never destroyed: static destructors and atexit handlers may compute, and a callable may exit.
  static Context& context = *new Context;
  return context;
}

void Context::add_observer(std::shared_ptr<RunObserver> observer) {
  if (observer == nullptr) throw InvalidArgument("context", "an observer that is null");
  const std::lock_guard lock(mutex_);
  observers_.push_back(std::move(observer));
}

void Context::remove_observer(const RunObserver* observer) {
  const std::lock_guard lock(mutex_);
  std::erase_if(observers_, [observer](const auto& known) { return known.get() == observer; });
}

void Context::add_trace(std::shared_ptr<TraceSink> sink) {
  if (sink == nullptr) throw InvalidArgument("context", "a trace sink that is null");
  const std::lock_guard lock(mutex_);
  traces_.push_back(std::move(sink));
}

void Context::remove_trace(const TraceSink* sink) {
  const std::lock_guard lock(mutex_);
  std::erase_if(traces_, [sink](const auto& known) { return known.get() == sink; });
}

std::vector<std::shared_ptr<RunObserver>> Context::observers() const {
  const std::lock_guard lock(mutex_);
  return observers_;
}

std::vector<std::shared_ptr<TraceSink>> Context::traces() const {
  const std::lock_guard lock(mutex_);
  return traces_;
}

void* Context::find_or_make(std::type_index type,
                            const std::function<std::shared_ptr<void>()>& make) {
  const std::lock_guard lock(mutex_);
  for (const auto& [known, service] : services_) {
    if (known == type) return service.get();
  }
  return services_.emplace_back(type, make()).second.get();
}

TUFF_NAMESPACE_END
