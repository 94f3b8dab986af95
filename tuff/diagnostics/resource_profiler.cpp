// Memory and processor time while runs are under way; see profilers.h.
#include <algorithm>
#include <mutex>

#include <fmt/format.h>

#include "tuff/diagnostics/profilers.h"
#include "tuff/diagnostics/sampler.h"
#include "tuff/diagnostics/text.h"

TUFF_NAMESPACE_BEGIN

struct ResourceProfiler::State {
  explicit State(std::chrono::duration<double> pause) : sampler(pause) {}
  std::mutex mutex;
  uint32_t runs = 0;  // under way
  Sampler sampler;
};

ResourceProfiler::ResourceProfiler(const ResourceProfilerOptions& options)
    : state_(std::make_unique<State>(
          checked_pause("resource_profiler", "interval_seconds", options.interval_seconds))) {}
ResourceProfiler::~ResourceProfiler() = default;

void ResourceProfiler::on_start(const std::shared_ptr<const RunProgress>& progress) {
  static_cast<void>(progress);
  const std::lock_guard lock(state_->mutex);
  if (state_->runs++ == 0) state_->sampler.start();
}

void ResourceProfiler::on_finish(bool failed) {
  static_cast<void>(failed);
  const std::lock_guard lock(state_->mutex);
  if (--state_->runs == 0) state_->sampler.rest();
}

void ResourceProfiler::clear() { state_->sampler.clear(); }

ResourceProfile ResourceProfiler::results() const {
  ResourceProfile profile;
  profile.samples = state_->sampler.samples();
  if (profile.samples.empty()) return profile;
  for (const ResourceSample& sample : profile.samples) {
    profile.peak_resident_bytes = std::max(profile.peak_resident_bytes, sample.resident_bytes);
    profile.peak_live_bytes = std::max(profile.peak_live_bytes, sample.live_bytes);
  }
  const ResourceSample& first = profile.samples.front();
  const ResourceSample& last = profile.samples.back();
  profile.wall_ns = last.time_ns - first.time_ns;
  profile.cpu_ns = last.cpu_ns - first.cpu_ns;
  if (profile.wall_ns > 0) {
    profile.mean_percent =
        100.0 * static_cast<double>(profile.cpu_ns) / static_cast<double>(profile.wall_ns);
  }
  return profile;
}

std::string ResourceProfile::to_text() const {
  if (samples.empty()) return "nothing was sampled: no run was under way\n";
  const std::vector<double> percent = cpu_percent(samples);
  return fmt::format(
      "{} samples over {}\n\n{}", count_text(samples.size()), time_text(wall_ns),
      columns_of({{"", "mean", "most"},
                  {"processors", fmt::format("{:.0f} %", mean_percent),
                   fmt::format("{:.0f} %", *std::max_element(percent.begin(), percent.end()))},
                  {"resident memory", "", bytes_text(peak_resident_bytes)},
                  {"live blocks", "", bytes_text(peak_live_bytes)}},
                 LastColumn::number));
}

TUFF_NAMESPACE_END
