// The log behind Recorder, and its thread that looks at the memory; see recorder.h.
//
// Invariant: `kept_` has operation numbers as the plan has them; they are put into one list of names
// only when somebody asks for the recording, so that a run costs no look-up of names.
#include "tuff/diagnostics/recorder.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "tuff/base/buffer.h"
#include "tuff/base/context.h"
#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

using Names = std::shared_ptr<const std::vector<std::string>>;

// Beyond this many samples every second one is dropped and the pause doubles: 1.5 MB, and more of them
// than any screen has pixels.
constexpr size_t kMostSamples = 65536;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Resident bytes of this process; 0 where the system does not say.
class ResidentMemory {
 public:
  ResidentMemory() : file_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {}
  ~ResidentMemory() {
    if (file_ >= 0) ::close(file_);
  }
  ResidentMemory(const ResidentMemory&) = delete;
  ResidentMemory& operator=(const ResidentMemory&) = delete;

  uint64_t bytes() const {
    char text[128];
    const ssize_t length = ::pread(file_, text, sizeof text - 1, 0);
    if (length <= 0) return 0;
    text[length] = '\0';
    unsigned long long size = 0;
    unsigned long long resident = 0;
    if (std::sscanf(text, "%llu %llu", &size, &resident) != 2) return 0;
    return resident * page_bytes_;
  }

 private:
  int file_;
  uint64_t page_bytes_ = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
};

}  // namespace

class Recorder::Log final : public TraceSink {
 public:
  Log(uint32_t threads, std::chrono::duration<double> pause) : pause_(pause) {
    kept_.threads = threads;
    kept_.start_ns = now_ns();
    take_sample();
    try {
      sampler_ = std::thread([this] { sample_until_closed(); });
    } catch (const std::system_error&) {
      // No thread to be had: memory is looked at when phases begin and end.
    }
  }
  ~Log() override { close(); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void on_run(const TraceRun& run) override {
    const std::lock_guard lock(mutex_);
    std::vector<TraceEvent>& events = kept_.events;
    const uint64_t first = events.size();
    names_.push_back(run.operations);
    try {
      events.insert(events.end(), run.events.begin(), run.events.end());
      kept_.runs.push_back({run.start_ns, run.end_ns, run.threads, first, events.size()});
    } catch (...) {
      events.resize(first);
      names_.pop_back();
      throw;
    }
  }

  void begin_phase(std::string name) {
    const std::lock_guard lock(mutex_);
    take_sample();
    open_.push_back(kept_.phases.size());
    const auto depth = static_cast<uint32_t>(open_.size() - 1);
    kept_.phases.push_back({std::move(name), now_ns(), 0, depth});
  }

  void end_phase() {
    const int64_t now = now_ns();
    const std::lock_guard lock(mutex_);
    if (open_.empty()) {
      throw InvalidArgument("end_phase", "no phase is under way; call begin_phase(name) first");
    }
    kept_.phases[open_.back()].end_ns = now;
    open_.pop_back();
    take_sample();
  }

  double white_space(std::string_view phase) {
    const std::lock_guard lock(mutex_);
    end_now();
    return totals_of_phase(kept_, phase).white_space;
  }

  Recording recording() {
    const std::lock_guard lock(mutex_);
    take_sample();
    end_now();
    Recording copy = kept_;
    name_operations(copy);
    return copy;
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    closing_.notify_all();
    if (sampler_.joinable()) sampler_.join();
  }

 private:
  // All below but the thread's own function: caller holds mutex_.

  /// What is under way has lasted until now; its end is set anew when it comes.
  void end_now() {
    kept_.end_ns = now_ns();
    for (const size_t phase : open_) kept_.phases[phase].end_ns = kept_.end_ns;
  }

  /// Gives each operation of each plan its number in one list without repetitions.
  void name_operations(Recording& all) const {
    std::unordered_map<std::string_view, uint32_t> number_of_name;
    std::unordered_map<const void*, std::vector<uint32_t>> numbers_of_plan;
    for (size_t r = 0; r < all.runs.size(); ++r) {
      std::vector<uint32_t>& numbers = numbers_of_plan[names_[r].get()];
      if (numbers.empty()) {
        for (const std::string& name : *names_[r]) {
          const auto next = static_cast<uint32_t>(all.operations.size());
          const auto [at, is_new] = number_of_name.try_emplace(name, next);
          if (is_new) all.operations.push_back(name);
          numbers.push_back(at->second);
        }
      }
      for (uint64_t e = all.runs[r].first_event; e < all.runs[r].end_event; ++e) {
        all.events[e].operation = numbers[all.events[e].operation];
      }
    }
  }

  void take_sample() noexcept {
    try {
      if (kept_.memory.size() >= kMostSamples) thin_samples();
      kept_.memory.push_back({now_ns(), resident_.bytes(), buffer_statistics().live_bytes});
    } catch (const std::bad_alloc&) {
      // The recording goes on without this sample.
    }
  }

  /// Of each two neighbours, keeps the later time and the larger figures.
  void thin_samples() {
    std::vector<MemorySample>& memory = kept_.memory;
    const size_t half = memory.size() / 2;
    for (size_t i = 0; i < half; ++i) {
      const MemorySample& a = memory[2 * i];
      const MemorySample& b = memory[2 * i + 1];
      memory[i] = {b.time_ns, std::max(a.resident_bytes, b.resident_bytes),
                   std::max(a.live_bytes, b.live_bytes)};
    }
    memory.resize(half);
    pause_ *= 2;
  }

  void sample_until_closed() {
    std::unique_lock lock(mutex_);
    while (!closing_.wait_for(lock, pause_, [this] { return closed_; })) {
      take_sample();
    }
  }

  const ResidentMemory resident_;
  std::mutex mutex_;
  std::condition_variable closing_;
  std::chrono::duration<double> pause_;
  Recording kept_;            // without names; operations are numbered as in the run's plan
  std::vector<Names> names_;  // by run
  std::vector<size_t> open_;  // phases under way, outermost first
  bool closed_ = false;
  std::thread sampler_;
};

Recorder::Recorder(const RecorderOptions& options)
    : context_(options.context != nullptr ? options.context : &Context::current()) {
  if (!(options.memory_seconds > 0)) {
    throw InvalidArgument("recorder", fmt::format("memory_seconds = {}; more than 0 is needed",
                                                  options.memory_seconds));
  }
  // An hour, for the clock cannot count any number of seconds.
  const std::chrono::duration<double> pause(std::min(options.memory_seconds, 3600.0));
  log_ = std::make_shared<Log>(static_cast<uint32_t>(context_->threads()), pause);
  context_->add_trace(log_);
}

Recorder::~Recorder() {
  context_->remove_trace(log_.get());
  log_->close();
}

void Recorder::begin_phase(std::string name) { log_->begin_phase(std::move(name)); }
void Recorder::end_phase() { log_->end_phase(); }
Recording Recorder::recording() const { return log_->recording(); }

double Recorder::white_space(std::string_view phase) const { return log_->white_space(phase); }

TUFF_NAMESPACE_END
