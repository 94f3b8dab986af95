// The floor: an executor for exactly these graphs, as one would write it by hand. A task is a number into
// flat arrays; there are no functions to choose from, no errors, no types of values, no order, no memory to
// bound.
//
// One thread counts without atomics on one stack. Several have a stack each behind a spin lock: a thread
// goes on with the first task that it made ready, and who has none takes the older half of another's stack.

#include <pthread.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "bench/scheduler/graphs.h"

enum { MOST_THREADS = 64 };

typedef struct {
  uint32_t* items;
  uint32_t count;  // written under the lock, read by thieves without
  bool locked;
} __attribute__((aligned(64))) Stack;

typedef struct {
  Values values;
  uint32_t* waits;  // reads that have not finished
  Stack stacks[MOST_THREADS];
  uint32_t done __attribute__((aligned(64)));
  int threads;
} Executor;

typedef struct {
  Executor* executor;
  int number;
} Worker;

static void rest(void) {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

static void lock(Stack* s) {
  while (__atomic_test_and_set(&s->locked, __ATOMIC_ACQUIRE)) rest();
}
static void unlock(Stack* s) { __atomic_clear(&s->locked, __ATOMIC_RELEASE); }
static uint32_t look(const Stack* s) { return __atomic_load_n(&s->count, __ATOMIC_RELAXED); }
static void set_count(Stack* s, uint32_t count) {
  __atomic_store_n(&s->count, count, __ATOMIC_RELAXED);
}

static bool pop(Stack* s, uint32_t* task) {
  if (look(s) == 0) return false;
  lock(s);
  const uint32_t count = look(s);
  if (count > 0) {
    *task = s->items[count - 1];
    set_count(s, count - 1);
  }
  unlock(s);
  return count > 0;
}

static void push(Stack* s, uint32_t task) {
  lock(s);
  const uint32_t count = look(s);
  s->items[count] = task;
  set_count(s, count + 1);
  unlock(s);
}

/// Moves the older half of a victim's tasks to an empty stack of one's own.
static bool steal(Stack* own, Stack* victim, uint32_t* buffer) {
  if (look(victim) == 0) return false;
  lock(victim);
  const uint32_t count = look(victim), taken = (count + 1) / 2;
  memcpy(buffer, victim->items, taken * sizeof(uint32_t));
  memmove(victim->items, victim->items + taken, (count - taken) * sizeof(uint32_t));
  set_count(victim, count - taken);
  unlock(victim);
  lock(own);
  memcpy(own->items, buffer, taken * sizeof(uint32_t));
  set_count(own, taken);
  unlock(own);
  return taken > 0;
}

static void* work(void* argument) {
  const Worker* worker = argument;
  Executor* x = worker->executor;
  const Graph* g = x->values.graph;
  Stack* own = &x->stacks[worker->number];
  uint32_t* buffer = graph_memory(NULL, g->tasks * sizeof(uint32_t));
  uint32_t done = 0;
  for (;;) {
    uint32_t task;
    if (!pop(own, &task)) {
      if (done > 0) __atomic_add_fetch(&x->done, done, __ATOMIC_ACQ_REL);
      done = 0;
      if (__atomic_load_n(&x->done, __ATOMIC_ACQUIRE) == g->tasks) break;
      bool found = false;
      for (int v = 1; v < x->threads && !found; v++) {
        found = steal(own, &x->stacks[(worker->number + v) % x->threads], buffer);
      }
      if (!found) rest();
      continue;
    }
    for (bool more = true; more;) {
      graph_execute(&x->values, task, true);
      done++;
      more = false;
      const uint32_t finished = task;
      for (uint32_t e = g->first_user[finished]; e < g->first_user[finished + 1]; e++) {
        const uint32_t user = g->users[e];
        if (!graph_count_down(&x->waits[user], true)) continue;
        if (more) {
          push(own, user);
        } else {
          task = user;
          more = true;
        }
      }
    }
  }
  free(buffer);
  return NULL;
}

static void run_alone(Executor* x) {
  const Graph* g = x->values.graph;
  uint32_t* stack = x->stacks[0].items;
  uint32_t count = 0;
  for (uint32_t t = g->tasks; t-- > 0;) {
    x->waits[t] = graph_reads(g, t);
    if (x->waits[t] == 0) stack[count++] = t;
  }
  while (count > 0) {
    const uint32_t task = stack[--count];
    graph_execute(&x->values, task, false);
    for (uint32_t e = g->first_user[task]; e < g->first_user[task + 1]; e++) {
      if (graph_count_down(&x->waits[g->users[e]], false)) stack[count++] = g->users[e];
    }
  }
}

static void run_together(Executor* x) {
  const Graph* g = x->values.graph;
  for (int i = 0; i < x->threads; i++) x->stacks[i].count = 0;
  // Each begins with a part of those that wait for nothing, the first of them on top.
  for (uint32_t t = g->tasks; t-- > 0;) {
    x->waits[t] = graph_reads(g, t);
    if (x->waits[t] > 0) continue;
    Stack* s = &x->stacks[(uint64_t)t * (uint64_t)x->threads / g->tasks];
    s->items[s->count++] = t;
  }
  x->done = 0;
  pthread_t helpers[MOST_THREADS];
  Worker workers[MOST_THREADS];
  for (int i = 0; i < x->threads; i++) workers[i] = (Worker){x, i};
  for (int i = 1; i < x->threads; i++) {
    if (pthread_create(&helpers[i], NULL, work, &workers[i]) != 0) bench_fail("no thread", "c");
  }
  work(&workers[0]);
  for (int i = 1; i < x->threads; i++) pthread_join(helpers[i], NULL);
}

static void run(void* self) {
  Executor* x = self;
  values_reset(&x->values);
  if (x->threads == 1) {
    run_alone(x);
  } else {
    run_together(x);
  }
}

static double result(void* self) { return values_result(&((Executor*)self)->values); }

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "scheduler", "c", "gcc " __VERSION__);
  if (options.threads > MOST_THREADS) bench_fail("out of range", "--threads");
  const Graph graph = graph_of(&options);
  static Executor executor;
  executor.values = values_of(&graph);
  executor.waits = graph_memory(NULL, graph.tasks * sizeof(uint32_t));
  executor.threads = options.threads;
  for (int i = 0; i < options.threads; i++) {
    executor.stacks[i].items = graph_memory(NULL, graph.tasks * sizeof(uint32_t));
  }
  const Scheduler scheduler = {&executor, run, result, NULL};
  scheduler_bench(&options, &graph, &scheduler);
}
