#include <atomic>
#include <cstdio>

#include "tuff/tuff.h"

int main() {
  tuff::Array x = tuff::random::normal({2000, 2000}, {.chunks = {250, 250}, .seed = 1});
  tuff::Plan plan = tuff::compile({tuff::sum(tuff::matmul(x, x.transpose()) * 0.5)});

  // A profiler reads one run ...
  tuff::TaskProfiler tasks;
  tuff::ResourceProfiler resources;
  plan.run({}, {.trace = &tasks, .observer = &resources});
  std::printf("%s\n%s\n", tasks.to_text().c_str(), resources.to_text().c_str());

  // ... or all runs of a context, as long as a watch lives.
  tuff::CacheProfiler cache;
  tuff::Recorder recorder;
  {
    tuff::Watch watch(cache);
    tuff::PhaseScope phase(recorder, "ten runs");
    for (int i = 0; i < 10; ++i) plan.run({});
  }
  std::printf("%s\n", cache.to_text().c_str());

  // Functions of one's own, called around every task on the thread that runs it.
  std::atomic<int> long_tasks{0};
  tuff::Callbacks callbacks;
  callbacks.after_task_ran = [&](const tuff::TaskStart&, const tuff::TraceEvent& event) {
    if (event.end_ns - event.start_ns > 1'000'000) ++long_tasks;
  };
  plan.run({}, {.observer = &callbacks});
  std::printf("%d tasks took longer than 1 ms\n", long_tasks.load());

  // Everything that was recorded, for a trace viewer and as a page.
  tuff::write_perfetto("profiling.json", recorder.recording());
  tuff::write_report("profiling.html", {.title = "Ten runs", .recording = recorder.recording()});
}
