// Looks at this process now and then: resident memory, live blocks, time on processors.
//
// Used by Recorder and ResourceProfiler. Invariant: never more than kMostSamples; beyond, neighbours are
// merged and looks become rarer, so that memory stays bounded and no peak that was seen is lost.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/diagnostics/recording.h"

TUFF_NAMESPACE_BEGIN

/// Resident bytes of this process; 0 where the system does not say.
class ResidentMemory {
 public:
  ResidentMemory();
  ~ResidentMemory();
  ResidentMemory(const ResidentMemory&) = delete;
  ResidentMemory& operator=(const ResidentMemory&) = delete;
  uint64_t bytes() const;

 private:
  int file_;
  uint64_t page_bytes_;
};

/// Its thread is made by the first start() and ends with stop(). start, rest and stop: one caller at a time.
class Sampler {
 public:
  /// 2.6 MB, and more of them than any screen has pixels.
  static constexpr size_t kMostSamples = 65536;

  explicit Sampler(std::chrono::duration<double> pause) : pause_(pause) {}
  ~Sampler() { stop(); }
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  /// Looks now, and again and again until rest() or stop(). Where no thread is to be had, this look and
  /// theirs are all there are.
  void start() noexcept;
  /// Looks once more, and sleeps until start().
  void rest() noexcept;
  void stop() noexcept;
  void look() noexcept;
  std::vector<ResourceSample> samples() const;
  void clear();

 private:
  // Caller holds mutex_.
  void take() noexcept;
  void thin();
  void serve();

  const ResidentMemory resident_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::chrono::duration<double> pause_;
  std::vector<ResourceSample> samples_;
  bool resting_ = false;
  bool stop_ = false;
  std::thread thread_;
};

/// `seconds` as a pause, at most an hour (no clock counts any number of seconds). Throws InvalidArgument in
/// the name of `operation` unless positive.
std::chrono::duration<double> checked_pause(std::string_view operation, std::string_view name,
                                            double seconds);

/// Nanoseconds of the steady clock, as in traces.
int64_t trace_now_ns();

TUFF_NAMESPACE_END
