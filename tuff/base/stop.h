// How a long piece of work ends early: between two parts of it, it looks whether it should.
//
// Kernels and tasks that may take more than some milliseconds get a StopRequest; the scheduler's tasks make one of
// TaskArguments::stop, which a deadline, a stop token and a failing run set. A look costs two loads, so that one per
// ten microseconds of work is not to be seen.
#pragma once

#include <cstddef>
#include <stop_token>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

/// Bytes that a loop over memory may move between two looks: a millisecond's work even where each of them is
/// fetched with a cache line of its own.
inline constexpr size_t kBytesBetweenLooks = size_t{256} << 10;

class StopRequest {
 public:
  /// Nobody asks.
  StopRequest() = default;
  /// `token` outlives this.
  explicit StopRequest(const std::stop_token& token) : token_(&token) {}
  /// Throws Cancelled once stop was requested. What was being made is then to be thrown away.
  void check() const {
    if (token_ != nullptr && token_->stop_requested()) [[unlikely]]
      throw_stopped();
  }

 private:
  [[noreturn]] TUFF_API static void throw_stopped();
  const std::stop_token* token_ = nullptr;
};

TUFF_NAMESPACE_END
