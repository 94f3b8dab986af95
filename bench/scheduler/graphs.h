// The graphs of bench/scheduler, what a task of them does, and how a scheduler of them is timed.
//
// Valid C11 and C++20: our own program, the C peer and the C++ peers all read these very graphs;
// dask_peer.py makes the same ones. Every task yields a number: one more than the sum of those it reads,
// modulo 2^32. So each value counts the paths that lead to its task, and one missing edge shows in
// `result`, the sum over the tasks that nobody reads.

#pragma once

#include "bench/common/bench.h"

enum {
  GRAPH_WINDOW = 1000,  // how far back a task of `random` reads
  METG_WIDTH = 32,      // points of a step: 16 per thread, so that half of them can wait
  METG_STEPS = 500,
};

/// Tasks in an order in which each comes after all that it reads.
typedef struct {
  uint32_t tasks;
  uint32_t*
      first_read;  // the reads of task t: reads[first_read[t]] .. reads[first_read[t + 1] - 1]
  uint32_t* reads;
  uint32_t* first_user;  // and its users likewise, ascending
  uint32_t* users;
  size_t capacity;  // of reads
} Graph;

static inline uint32_t graph_reads(const Graph* g, uint32_t t) {
  return g->first_read[t + 1] - g->first_read[t];
}
static inline uint32_t graph_users(const Graph* g, uint32_t t) {
  return g->first_user[t + 1] - g->first_user[t];
}

// ---- making graphs

static inline void* graph_memory(void* old, size_t bytes) {
  void* memory = realloc(old, bytes);
  if (memory == NULL) bench_fail("no memory", "a graph");
  return memory;
}

/// With room for `tasks`; none is there yet.
static inline Graph graph_begin(size_t tasks) {
  Graph g = {0, NULL, NULL, NULL, NULL, 0};
  g.first_read = (uint32_t*)graph_memory(NULL, (tasks + 1) * sizeof(uint32_t));
  g.first_read[0] = 0;
  return g;
}

/// Lets the task that is being added read `task` as well.
static inline void graph_read(Graph* g, uint32_t count, uint32_t task) {
  const size_t at = g->first_read[g->tasks] + count;
  if (at >= g->capacity) {
    g->capacity = 2 * at + 1024;
    g->reads = (uint32_t*)graph_memory(g->reads, g->capacity * sizeof(uint32_t));
  }
  g->reads[at] = task;
}

/// The task with the `count` reads just given is there.
static inline void graph_task(Graph* g, uint32_t count) {
  g->first_read[g->tasks + 1] = g->first_read[g->tasks] + count;
  g->tasks++;
}

/// Works out who reads whom.
static inline void graph_end(Graph* g) {
  const size_t edges = g->first_read[g->tasks];
  g->first_user = (uint32_t*)calloc((size_t)g->tasks + 2, sizeof(uint32_t));
  g->users = (uint32_t*)graph_memory(NULL, (edges + 1) * sizeof(uint32_t));
  if (g->first_user == NULL) bench_fail("no memory", "a graph");
  // Counted two places further on; the second pass moves each count to where its row begins.
  for (size_t e = 0; e < edges; e++) g->first_user[g->reads[e] + 2]++;
  for (uint32_t t = 2; t <= g->tasks + 1; t++) g->first_user[t] += g->first_user[t - 1];
  for (uint32_t t = 0; t < g->tasks; t++) {
    for (uint32_t e = g->first_read[t]; e < g->first_read[t + 1]; e++) {
      g->users[g->first_user[g->reads[e] + 1]++] = t;
    }
  }
}

static inline Graph graph_indep(uint32_t size) {
  Graph g = graph_begin(size);
  for (uint32_t t = 0; t < size; t++) graph_task(&g, 0);
  return g;
}

static inline Graph graph_chain(uint32_t size) {
  Graph g = graph_begin(size);
  graph_task(&g, 0);
  for (uint32_t t = 1; t < size; t++) {
    graph_read(&g, 0, t - 1);
    graph_task(&g, 1);
  }
  return g;
}

/// `leaves` joined in pairs, level by level; one that is left over goes up alone.
static inline Graph graph_tree(uint32_t leaves) {
  Graph g = graph_begin(2 * (size_t)leaves + 64);
  for (uint32_t t = 0; t < leaves; t++) graph_task(&g, 0);
  uint32_t low = 0, high = leaves;
  while (high - low > 1) {
    for (uint32_t t = low; t < high; t += 2) {
      const uint32_t count = t + 1 < high ? 2 : 1;
      for (uint32_t i = 0; i < count; i++) graph_read(&g, i, t + i);
      graph_task(&g, count);
    }
    low = high;
    high = g.tasks;
  }
  return g;
}

/// A square; each task reads the one above and the one to the left.
static inline Graph graph_grid(uint32_t side) {
  Graph g = graph_begin((size_t)side * side);
  for (uint32_t i = 0; i < side; i++) {
    for (uint32_t j = 0; j < side; j++) {
      uint32_t count = 0;
      if (i > 0) graph_read(&g, count++, g.tasks - side);
      if (j > 0) graph_read(&g, count++, g.tasks - 1);
      graph_task(&g, count);
    }
  }
  return g;
}

/// The Mersenne twister of Matsumoto & Nishimura (1998), as std::mt19937 and numpy.random.RandomState
/// have it.
typedef struct {
  uint32_t word[624];
  int at;
} Twister;

static inline Twister twister_begin(uint32_t seed) {
  Twister twister;
  twister.word[0] = seed;
  for (uint32_t i = 1; i < 624; i++) {
    const uint32_t last = twister.word[i - 1];
    twister.word[i] = 1812433253U * (last ^ (last >> 30)) + i;
  }
  twister.at = 624;
  return twister;
}

static inline uint32_t twister_draw(Twister* twister) {
  uint32_t* w = twister->word;
  if (twister->at == 624) {
    for (int i = 0; i < 624; i++) {
      const uint32_t both = (w[i] & 0x80000000U) | (w[(i + 1) % 624] & 0x7fffffffU);
      w[i] = w[(i + 397) % 624] ^ (both >> 1) ^ (both % 2 != 0 ? 0x9908b0dfU : 0);
    }
    twister->at = 0;
  }
  uint32_t y = w[twister->at++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680U;
  y ^= (y << 15) & 0xefc60000U;
  return y ^ (y >> 18);
}

/// Each task reads up to four, two on average, of the thousand before it.
static inline Graph graph_random(uint32_t size) {
  Graph g = graph_begin(size);
  Twister twister = twister_begin(42);
  for (uint32_t t = 0; t < size; t++) {
    const uint32_t draws = t == 0 ? 0 : twister_draw(&twister) % 5;
    const uint32_t low = t > GRAPH_WINDOW ? t - GRAPH_WINDOW : 0;
    uint32_t reads[4], count = 0;
    for (uint32_t d = 0; d < draws; d++) {
      const uint32_t read = low + twister_draw(&twister) % (t - low);
      uint32_t at = 0;
      while (at < count && reads[at] < read) at++;
      if (at < count && reads[at] == read) continue;
      memmove(reads + at + 1, reads + at, (count - at) * sizeof(uint32_t));
      reads[at] = read;
      count++;
    }
    for (uint32_t i = 0; i < count; i++) graph_read(&g, i, reads[i]);
    graph_task(&g, count);
  }
  return g;
}

// ---- Task Bench: Slaughter et al., "Task Bench: a parameterized benchmark for evaluating parallel
// runtime performance" (SC 2020). Steps of METG_WIDTH points; each reads some points of the step before.

/// Whether point `i` of step `t` reads point `j` of the step before. Of `random_nearest` each of the five
/// nearest is read with probability one half.
static inline bool metg_reads(const char* pattern, uint32_t t, uint32_t i, uint32_t j) {
  const uint32_t distance = i > j ? i - j : j - i;
  if (strcmp(pattern, "stencil") == 0) return distance <= 1;
  if (strcmp(pattern, "fft") == 0) return distance == 0 || distance == 1U << ((t - 1) % 5);
  if (strcmp(pattern, "all_to_all") == 0) return true;
  return distance <= 2 && bench_hash(((uint64_t)t * METG_WIDTH + i) * METG_WIDTH + j) % 2 == 0;
}

/// How many points a step has: all, but of `tree` 1, 2, 4 up to all and down again, by turns.
static inline uint32_t metg_points(const char* pattern, uint32_t t) {
  if (strcmp(pattern, "tree") != 0) return METG_WIDTH;
  const uint32_t phase = t % 10;
  return 1U << (phase <= 5 ? phase : 10 - phase);
}

/// A tree spreads out from one point, each read by two, and gathers again in pairs.
static inline Graph metg_graph(const char* pattern, uint32_t steps) {
  const bool tree = strcmp(pattern, "tree") == 0;
  Graph g = graph_begin((size_t)steps * METG_WIDTH);
  for (uint32_t t = 0, before = 0; t < steps; t++) {
    const uint32_t points = metg_points(pattern, t);
    const uint32_t points_before = t > 0 ? metg_points(pattern, t - 1) : 0;
    const uint32_t first = g.tasks;
    for (uint32_t i = 0; i < points; i++) {
      uint32_t count = 0;
      for (uint32_t j = 0; j < points_before; j++) {
        const bool reads = !tree                    ? metg_reads(pattern, t, i, j)
                           : points > points_before ? i / 2 == j
                                                    : j / 2 == i;
        if (reads) graph_read(&g, count++, before + j);
      }
      graph_task(&g, count);
    }
    before = first;
  }
  return g;
}

/// The graph of a case.
static inline Graph graph_of(const BenchOptions* options) {
  const char* name = options->case_name;
  const uint32_t size = options->quick ? 10000 : 100000;
  Graph g;
  if (strcmp(name, "indep1e5") == 0) {
    g = graph_indep(size);
  } else if (strcmp(name, "indep1e6") == 0) {
    g = graph_indep(10 * size);
  } else if (strcmp(name, "chain1e5") == 0) {
    g = graph_chain(size);
  } else if (strcmp(name, "tree") == 0) {
    g = graph_tree(size);
  } else if (strcmp(name, "grid") == 0) {
    g = graph_grid(options->quick ? 100 : 300);
  } else if (strcmp(name, "random1e5") == 0) {
    g = graph_random(size);
  } else if (strcmp(name, "random1e6") == 0) {
    g = graph_random(10 * size);
  } else if (strncmp(name, "metg/", 5) == 0) {
    g = metg_graph(name + 5, options->quick ? METG_STEPS / 10 : METG_STEPS);
  } else {
    bench_fail("unknown case", name);
  }
  graph_end(&g);
  return g;
}

// ---- what a task does

/// How long a task keeps its thread busy before it yields: 0 in the cases that time scheduling alone. Set
/// between runs only.
static long graph_busy_turns = 0;

/// A chain of multiplications that no compiler shortens.
static inline void graph_busy(long turns) {
  uint64_t x = 1;
  for (long i = 0; i < turns; i++) {
    x = x * 6364136223846793005ULL + 1442695040888963407ULL;
    __asm__ volatile("" : "+r"(x));
  }
}

/// The values of a run in a flat array, as a program would hold them that has nothing better. A value
/// is freed (set to 0) by the last that reads it.
typedef struct {
  const Graph* graph;
  uint32_t* value;
  uint32_t* uses;  // reads to come
} Values;

static inline Values values_of(const Graph* g) {
  Values v = {g, (uint32_t*)graph_memory(NULL, g->tasks * sizeof(uint32_t)),
              (uint32_t*)graph_memory(NULL, g->tasks * sizeof(uint32_t))};
  for (uint32_t t = 0; t < g->tasks; t++) v.value[t] = v.uses[t] = 0;
  return v;
}

/// Before a run; part of it.
static inline void values_reset(Values* v) {
  for (uint32_t t = 0; t < v->graph->tasks; t++) v->uses[t] = graph_users(v->graph, t);
}

/// Counts down; whether this was the last one. `shared`: other threads count as well.
static inline bool graph_count_down(uint32_t* count, bool shared) {
  if (!shared) return --*count == 0;
  // Whoever sees 1 is the last, and needs no locked instruction.
  if (__atomic_load_n(count, __ATOMIC_ACQUIRE) == 1) return true;
  return __atomic_sub_fetch(count, 1, __ATOMIC_ACQ_REL) == 0;
}

/// The task itself.
static inline void graph_execute(Values* v, uint32_t t, bool shared) {
  const Graph* g = v->graph;
  uint32_t value = 1;
  for (uint32_t e = g->first_read[t]; e < g->first_read[t + 1]; e++) value += v->value[g->reads[e]];
  if (graph_busy_turns > 0) graph_busy(graph_busy_turns);
  v->value[t] = value;
  for (uint32_t e = g->first_read[t]; e < g->first_read[t + 1]; e++) {
    if (graph_count_down(&v->uses[g->reads[e]], shared)) v->value[g->reads[e]] = 0;
  }
}

/// After a run: the sum over what nobody read. Everything else must have been freed.
static inline double values_result(const Values* v) {
  double sum = 0;
  for (uint32_t t = 0; t < v->graph->tasks; t++) {
    if (graph_users(v->graph, t) == 0) {
      sum += v->value[t];
    } else if (v->value[t] != 0) {
      bench_fail("a value was not freed", "values_result");
    }
  }
  return sum;
}

// ---- timing

/// One scheduler with one graph.
typedef struct {
  void* self;
  void (*run)(void* self);           // timed
  double (*result)(void* self);      // of the last run
  void (*free_results)(void* self);  // of the last run; null: there is nothing to free
} Scheduler;

static inline double scheduler_seconds(const Scheduler* s) {
  if (s->free_results != NULL) s->free_results(s->self);
  const double start = bench_now();
  s->run(s->self);
  return bench_now() - start;
}

/// Seconds that one turn of graph_busy takes here.
static inline double metg_seconds_per_turn(void) {
  const long turns = 2000000;  // some 3 ms
  double best = 1e9;
  for (int i = 0; i < 5; i++) {
    const double start = bench_now();
    graph_busy(turns);
    const double seconds = (bench_now() - start) / (double)turns;
    if (seconds < best) best = seconds;
  }
  return best;
}

/// The minimum effective task granularity of the Task Bench paper, METG(50 %): the smallest time per task
/// and thread, overheads included, at which the threads spend half of their time in tasks. Longer and
/// longer tasks are tried, the best of three runs each; between the last two the share is interpolated.
/// When even tasks of 10 us do not reach half, what the longest took: the true figure is larger.
static inline double metg_of(const Scheduler* s, uint32_t tasks, int threads,
                             double seconds_per_turn) {
  double granularity_before = 0, share_before = 0;
  for (double length = 10e-9; length < 10e-6; length *= 1.25) {
    graph_busy_turns = (long)(length / seconds_per_turn) + 1;
    double wall = 1e9;
    for (int i = 0; i < 3; i++) {
      const double seconds = scheduler_seconds(s);
      if (seconds < wall) wall = seconds;
    }
    const double granularity = wall * threads / tasks;
    const double share = (double)graph_busy_turns * seconds_per_turn / granularity;
    if (share >= 0.5 && granularity_before == 0) return granularity;
    if (share >= 0.5) {
      const double part = (0.5 - share_before) / (share - share_before);
      return granularity_before * pow(granularity / granularity_before, part);
    }
    granularity_before = granularity;
    share_before = share;
  }
  return granularity_before;
}

/// Prints one line per repeat: seconds per task, or the granularity of a case `metg/...`.
static inline void scheduler_bench(const BenchOptions* options, const Graph* g,
                                   const Scheduler* s) {
  const bool metg = strncmp(options->case_name, "metg/", 5) == 0;
  const double seconds_per_turn = metg ? metg_seconds_per_turn() : 0;
  for (int repeat = 0; repeat <= options->repeats; repeat++) {
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double seconds = metg ? metg_of(s, g->tasks, options->threads, seconds_per_turn)
                                : scheduler_seconds(s) / g->tasks;
    faults = bench_minor_faults() - faults;
    const double result = s->result(s->self);
    const BenchRepeat row = {seconds, (long)g->tasks, (double)g->tasks, 0, &result, 1};
    bench_print(options, repeat, faults, &row);
  }
}
