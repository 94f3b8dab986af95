// OpenMP tasks with dependences: one thread submits all tasks in order while the others run them, and
// the runtime finds out from `depend` what waits for what. So the time includes what others do beforehand.

#include <omp.h>

#include "bench/scheduler/graphs.h"

namespace {

struct Run {
  const Graph& graph;
  int threads;
  Values values = values_of(&graph);
};

void run(void* self) {
  Run& r = *static_cast<Run*>(self);
  Values* values = &r.values;
  values_reset(values);
  const uint32_t* reads = r.graph.reads;
  uint32_t* slot = values->value;  // what dependences are on
#pragma omp parallel num_threads(r.threads)
#pragma omp single
  for (uint32_t t = 0; t < r.graph.tasks; t++) {
    const uint32_t first = r.graph.first_read[t];
    const uint32_t count = graph_reads(&r.graph, t);
#pragma omp task firstprivate(t, values) depend(iterator(uint32_t i = 0              \
                                                         : count),                   \
                                                in                                   \
                                                : slot[reads[first + i]]) depend(out \
                                                                                 : slot[t])
    graph_execute(values, t, true);
  }
}

double result(void* self) { return values_result(&static_cast<Run*>(self)->values); }

}  // namespace

int main(int argc, char** argv) {
  const BenchOptions options =
      bench_options(argc, argv, "scheduler", "openmp", "libgomp of gcc " __VERSION__);
  const Graph graph = graph_of(&options);
  Run work{graph, options.threads};
  const Scheduler scheduler = {&work, run, result, nullptr};
  scheduler_bench(&options, &graph, &scheduler);
}
