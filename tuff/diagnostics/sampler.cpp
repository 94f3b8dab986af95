// See sampler.h.
#include "tuff/diagnostics/sampler.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <new>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "tuff/base/buffer.h"
#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

/// Processor time of this process so far, of all its threads.
int64_t cpu_ns() {
  timespec time{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return 0;
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

int64_t trace_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::chrono::duration<double> checked_pause(std::string_view operation, std::string_view name,
                                            double seconds) {
  if (!(seconds > 0)) {
    throw InvalidArgument(operation, fmt::format("{} = {}; more than 0 is needed", name, seconds));
  }
  return std::chrono::duration<double>(std::min(seconds, 3600.0));
}

ResidentMemory::ResidentMemory()
    : file_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)),
      page_bytes_(static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))) {}

ResidentMemory::~ResidentMemory() {
  if (file_ >= 0) ::close(file_);
}

uint64_t ResidentMemory::bytes() const {
  char text[128];
  const ssize_t length = ::pread(file_, text, sizeof text - 1, 0);
  if (length <= 0) return 0;
  text[length] = '\0';
  unsigned long long size = 0;
  unsigned long long resident = 0;
  if (std::sscanf(text, "%llu %llu", &size, &resident) != 2) return 0;
  return resident * page_bytes_;
}

void Sampler::start() noexcept {
  {
    const std::lock_guard lock(mutex_);
    take();
    resting_ = false;
    stop_ = false;
  }
  changed_.notify_all();
  if (thread_.joinable()) return;
  try {
    thread_ = std::thread([this] { serve(); });
  } catch (const std::system_error&) {
    // The looks of callers must do.
  }
}

void Sampler::rest() noexcept {
  const std::lock_guard lock(mutex_);
  take();
  resting_ = true;
}

void Sampler::stop() noexcept {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Sampler::look() noexcept {
  const std::lock_guard lock(mutex_);
  take();
}

std::vector<ResourceSample> Sampler::samples() const {
  const std::lock_guard lock(mutex_);
  return samples_;
}

void Sampler::clear() {
  const std::lock_guard lock(mutex_);
  samples_.clear();
}

void Sampler::take() noexcept {
  try {
    if (samples_.size() >= kMostSamples) thin();
    samples_.push_back(
        {trace_now_ns(), resident_.bytes(), buffer_statistics().live_bytes, cpu_ns()});
  } catch (const std::bad_alloc&) {
    // It goes on without this one.
  }
}

/// Of each two neighbours, keeps the later time and the larger figures.
void Sampler::thin() {
  const size_t half = samples_.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    const ResourceSample& a = samples_[2 * i];
    const ResourceSample& b = samples_[2 * i + 1];
    samples_[i] = {b.time_ns, std::max(a.resident_bytes, b.resident_bytes),
                   std::max(a.live_bytes, b.live_bytes), b.cpu_ns};
  }
  samples_.resize(half);
  pause_ *= 2;
}

void Sampler::serve() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (resting_) {
      changed_.wait(lock, [this] { return stop_ || !resting_; });
    } else if (!changed_.wait_for(lock, pause_, [this] { return stop_ || resting_; })) {
      take();
    }
  }
}

TUFF_NAMESPACE_END
