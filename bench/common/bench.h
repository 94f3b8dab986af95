// What every native benchmark program shares: its arguments, the inputs, the clock, and the line it
// prints per repeat. bench/common/peer.py is the same for the Python peers.
//
// Valid C11 and C++20, so that our programs and the hand-written C peers read the very same inputs.
// Invariant: nothing here runs inside a timed region except bench_now().

#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const char* bench;      // the question: the name of the folder
  const char* system;     // what answers it
  const char* version;    // of the system and of what it stands on
  const char* case_name;  // one row of the table
  int threads;
  int repeats;  // warm ones; one cold one comes first
  bool quick;   // the sizes of BENCH_QUICK=1
} BenchOptions;

/// What one repeat of one case gave, beside its time.
typedef struct {
  double seconds;
  long tasks;       // what the system's scheduler ran; 0 where there is none
  double elements;  // elements of the input
  double bytes;     // that have to cross memory: each input read, each output written
  const double* result;
  int result_count;
} BenchRepeat;

static inline void bench_fail(const char* what, const char* value) {
  fprintf(stderr, "[bench] %s: %s\n", what, value);
  exit(2);
}

/// Reads `--case C --threads T --repeats R [--quick]`; anything else ends the program.
static inline BenchOptions bench_options(int argc, char** argv, const char* bench,
                                         const char* system, const char* version) {
  BenchOptions options = {bench, system, version, NULL, 1, 1, false};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--quick") == 0) {
      options.quick = true;
      continue;
    }
    if (i + 1 == argc) bench_fail("argument without a value", argv[i]);
    const char* value = argv[i + 1];
    if (strcmp(argv[i], "--case") == 0) {
      options.case_name = value;
    } else if (strcmp(argv[i], "--threads") == 0) {
      options.threads = atoi(value);
    } else if (strcmp(argv[i], "--repeats") == 0) {
      options.repeats = atoi(value);
    } else {
      bench_fail("unknown argument", argv[i]);
    }
    i++;
  }
  if (options.case_name == NULL) bench_fail("missing argument", "--case");
  if (options.threads < 1 || options.repeats < 0) {
    bench_fail("out of range", "--threads and --repeats");
  }
  return options;
}

static inline double bench_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/// Lets bench_peak_rss() start again from what is resident now.
static inline void bench_forget_peak_rss(void) {
  FILE* file = fopen("/proc/self/clear_refs", "w");
  if (file == NULL) return;
  fputs("5", file);
  fclose(file);
}

/// Largest resident set of this process since bench_forget_peak_rss(), in bytes. Not getrusage's:
/// that figure never falls, and starts at that of the process that called exec, here Python's.
static inline double bench_peak_rss(void) {
  FILE* file = fopen("/proc/self/status", "r");
  if (file == NULL) return 0;
  char line[256];
  double kib = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "VmHWM: %lf kB", &kib) == 1) break;
  }
  fclose(file);
  return kib * 1024;
}

/// Page faults served without a disk so far: where an allocator gives its memory back, they come
/// again with every repeat.
static inline long bench_minor_faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/// A well-mixed word for each `i`: the 64-bit finaliser of MurmurHash3 (Appleby 2011).
static inline uint64_t bench_hash(uint64_t i) {
  uint64_t z = i + 1;
  z = (z ^ (z >> 33)) * 0xff51afd7ed558ccdULL;
  z = (z ^ (z >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return z ^ (z >> 33);
}

/// Uniform in [0, 1) for each `i`, the same in every language.
static inline double bench_unit(uint64_t i) { return (double)(bench_hash(i) >> 11) * 0x1p-53; }

/// Element `i` of the input: uniform in [0.5, 1.5), the same in every language.
static inline double bench_uniform(uint64_t i) { return bench_unit(i) + 0.5; }

/// Fresh zero pages for `count` doubles, on huge pages where the system grants them, as NumPy asks
/// for its own; nothing is touched yet. Never freed: it lives as long as the program.
static inline double* bench_pages(size_t count) {
  const size_t bytes = count * sizeof(double);
  void* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) bench_fail("no memory", "mmap");
  madvise(memory, bytes, MADV_HUGEPAGE);
  return (double*)memory;
}

/// `count` elements of the input starting at element `first`, touched and in memory.
static inline double* bench_input(size_t count, uint64_t first) {
  double* x = bench_pages(count);
  for (size_t i = 0; i < count; i++) x[i] = bench_uniform(first + i);
  return x;
}

/// The data of a logistic regression without intercept whose coefficients are -1, 0, 1, 2, 0, 0, ...:
/// X (rows, columns) uniform in [0, 1) by rows, y (rows,) zeros and ones; touched and in memory.
///
/// The same in every language, but for a label whose probability lies within a few roundings of its
/// uniform number: any of 1e7 labels differs in less than one data set of a million.
static inline void bench_logistic(size_t rows, size_t columns, const double** X, const bool** y) {
  static const double truth[4] = {-1, 0, 1, 2};
  double* features = bench_pages(rows * columns);
  bool* labels = (bool*)bench_pages((rows + sizeof(double) - 1) / sizeof(double));
  for (size_t i = 0; i < rows; i++) {
    double* row = features + i * columns;
    double eta = 0;
    for (size_t j = 0; j < columns; j++) row[j] = bench_unit(i * columns + j);
    for (size_t j = 0; j < columns && j < 4; j++) eta += truth[j] * row[j];
    labels[i] = bench_unit(rows * columns + i) < 1 / (1 + exp(-eta));
  }
  *X = features;
  *y = labels;
}

/// Column `j` of the coefficients of `gradstep`, and of the point of a pass in bench/glm: small, of both
/// signs, not adding up to zero.
static inline double bench_coefficient(size_t j) {
  return (j % 2 == 0 ? 0.06 : -0.05) * (double)(1 + j % 4);
}

/// The intercept of that point.
#define BENCH_INTERCEPT (-0.25)

/// One JSON line on standard output. `repeat` 0 is the cold one. `key` is one that only some rows have,
/// such as `white_space`; it is left out when its value is negative.
static inline void bench_print_with(const BenchOptions* options, int repeat, long faults,
                                    const BenchRepeat* row, const char* key, double value) {
  printf("{\"bench\":\"%s\",\"case\":\"%s\",\"system\":\"%s\",\"threads\":%d,\"tasks\":%ld",
         options->bench, options->case_name, options->system, options->threads, row->tasks);
  printf(",\"seconds\":%.9g,\"bytes\":%.0f,\"peak_rss\":%.0f,\"result\":[", row->seconds,
         row->bytes, bench_peak_rss());
  for (int i = 0; i < row->result_count; i++) {
    if (isfinite(row->result[i])) {
      printf("%s%.17g", i == 0 ? "" : ",", row->result[i]);
    } else {
      printf("%snull", i == 0 ? "" : ",");
    }
  }
  printf("],\"state\":\"%s\",\"repeat\":%d,\"elements\":%.0f,\"faults\":%ld",
         repeat == 0 ? "cold" : "warm", repeat, row->elements, faults);
  if (value >= 0) printf(",\"%s\":%.6g", key, value);
  printf(",\"version\":\"%s\"}\n", options->version);
  fflush(stdout);
}

static inline void bench_print(const BenchOptions* options, int repeat, long faults,
                               const BenchRepeat* row) {
  bench_print_with(options, repeat, faults, row, "", -1);
}

#ifdef __cplusplus
}
#endif
