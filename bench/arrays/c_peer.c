// The cases of bench/arrays as one would write each by hand for one machine: OpenMP over blocks,
// the widest vectors the compiler is allowed, libmvec's exp called by its vector name (a loop that
// the compiler declines to vectorise would call the scalar one in silence), non-temporal stores for
// results that are not read again. Knows all block sizes at compile time, as no library can.
//
// The case `read` only loads the bytes of `sum`: what the memory of this machine gives.
// Built by bench/run.py with the flags in question.json.

#include <omp.h>

#include "bench/common/bench.h"
#include "bench/common/vectors.h"

enum {
  CHUNK = 1000000,    // elements of a block
  ROW_CHUNK = 10000,  // rows of a block of a matrix
  PANEL = 32,         // rows whose 25 KiB are still in the first-level cache when read again
  TILE = 2048,        // generated elements at a time: 16 KiB
};

static size_t count;  // elements of x
static const double *x, *labels;
static double *kept, coefficients[COLUMNS];
static int threads;

static Vec exp_minus_reciprocal(Vec v) { return VECTOR_EXP(v) - 1.0 / v; }

// Eight accumulators: enough to hide the latency of the addition at any level of the cache.
static double sum_block(const double* p, size_t n) {
  Vec total[8] = {0};
  for (size_t i = 0; i < n; i += 8 * LANES) {
    for (int k = 0; k < 8; k++) total[k] += vec(p + i + k * LANES);
  }
  for (int k = 1; k < 8; k++) total[0] += total[k];
  return add_lanes(total[0]);
}

static double expsum_block(const double* p, size_t n) {
  Vec total = {0};
  for (size_t i = 0; i < n; i += LANES) total += exp_minus_reciprocal(vec(p + i));
  return add_lanes(total);
}

static int run_read(double* result) {
  uint64_t bits = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic) reduction(^ : bits)
  for (size_t start = 0; start < count; start += CHUNK) bits ^= read_block(x + start, CHUNK);
  result[0] = (double)(bits >> 11);
  return 1;
}

static int run_sum(double* result) {
  double total = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic) reduction(+ : total)
  for (size_t start = 0; start < count; start += CHUNK) total += sum_block(x + start, CHUNK);
  result[0] = total;
  return 1;
}

static int run_expsum(double* result) {
  double total = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic) reduction(+ : total)
  for (size_t start = 0; start < count; start += CHUNK) total += expsum_block(x + start, CHUNK);
  result[0] = total;
  return 1;
}

static int run_expmat(double* result) {
  if (kept == NULL) kept = bench_pages(count);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (size_t start = 0; start < count; start += CHUNK) {
    for (size_t i = start; i < start + CHUNK; i += LANES) {
      STREAM(kept + i, exp_minus_reciprocal(vec(x + i)));
    }
    STREAM_FENCE();
  }
  (void)result;
  return 0;
}

// xoshiro256+ (Blackman and Vigna 2018), one generator per lane, seeded afresh for each block; its
// upper 52 bits become the fraction of a number in [1, 2).
static double lazy_block(uint64_t block) {
  Word s0, s1, s2, s3;
  for (int k = 0; k < LANES; k++) {
    const uint64_t first = (block * LANES + (uint64_t)k) * 4;
    s0[k] = bench_hash(first);
    s1[k] = bench_hash(first + 1);
    s2[k] = bench_hash(first + 2);
    s3[k] = bench_hash(first + 3);
  }
  double tile[TILE] __attribute__((aligned(64)));
  double total = 0;
  for (size_t done = 0; done < CHUNK;) {
    const size_t n = CHUNK - done < TILE ? CHUNK - done : TILE;
    for (size_t i = 0; i < n; i += LANES) {
      const Word bits = ((s0 + s3) >> 12) | 0x3ff0000000000000ULL;
      *(Vec*)(tile + i) = (Vec)bits - 0.5;
      const Word t = s1 << 17;
      s2 ^= s0;
      s3 ^= s1;
      s1 ^= s2;
      s0 ^= s3;
      s2 ^= t;
      s3 = (s3 << 45) | (s3 >> 19);
    }
    total += expsum_block(tile, n);
    done += n;
  }
  return total;
}

static int run_lazy(double* result) {
  double total = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic) reduction(+ : total)
  for (size_t block = 0; block < count / CHUNK; block++) total += lazy_block(block);
  result[0] = total;
  return 1;
}

// Sums and sums of squares of two rows' worth of columns, shifted by the first rows so that nothing
// cancels. Four rows at a time halve the traffic of the accumulators.
static void moments_block(const double* p, size_t rows, Vec* sums, Vec* squares) {
  for (size_t i = 0; i < rows * COLUMNS; i += 4 * COLUMNS) {
    for (int j = 0; j < PAIR; j++) {
      const Vec shift = vec(x + j * LANES);
      const Vec a = vec(p + i + j * LANES) - shift;
      const Vec b = vec(p + i + 2 * COLUMNS + j * LANES) - shift;
      sums[j] += a + b;
      squares[j] += a * a + b * b;
    }
  }
}

static int run_standardize(double* result) {
  if (kept == NULL) kept = bench_pages(count);
  const size_t rows = count / COLUMNS;
  const size_t block = (size_t)ROW_CHUNK * COLUMNS;
  double sums[2 * COLUMNS] = {0}, squares[2 * COLUMNS] = {0};
  double centre[2 * COLUMNS] __attribute__((aligned(64)));
  double scale[2 * COLUMNS] __attribute__((aligned(64)));
#pragma omp parallel num_threads(threads)
  {
    Vec own_sums[PAIR] = {0}, own_squares[PAIR] = {0};
#pragma omp for schedule(dynamic)
    for (size_t start = 0; start < count; start += block) {
      moments_block(x + start, ROW_CHUNK, own_sums, own_squares);
    }
#pragma omp critical
    for (int j = 0; j < 2 * COLUMNS; j++) {
      sums[j] += own_sums[j / LANES][j % LANES];
      squares[j] += own_squares[j / LANES][j % LANES];
    }
#pragma omp barrier
#pragma omp single
    for (int j = 0; j < COLUMNS; j++) {
      // The two halves were shifted by different rows: bring the second to the first one's shift.
      const double n = (double)(rows / 2), d = x[COLUMNS + j] - x[j];
      const double sum = sums[j] + sums[COLUMNS + j] + n * d;
      const double square =
          squares[j] + squares[COLUMNS + j] + 2 * d * sums[COLUMNS + j] + n * d * d;
      const double mean = sum / (double)rows;
      centre[j] = centre[COLUMNS + j] = mean + x[j];
      scale[j] = scale[COLUMNS + j] = 1 / sqrt(square / (double)rows - mean * mean);
    }
#pragma omp for schedule(dynamic)
    for (size_t start = 0; start < count; start += block) {
      for (size_t i = start; i < start + block; i += 2 * COLUMNS) {
        for (int j = 0; j < 2 * COLUMNS; j += LANES) {
          STREAM(kept + i + j, (vec(x + i + j) - vec(centre + j)) * vec(scale + j));
        }
      }
      STREAM_FENCE();
    }
  }
  (void)result;
  return 0;
}

static void gradient_block(const double* p, const double* y, const Vec* b, Vec* gradient) {
  double w[PANEL] __attribute__((aligned(64)));
  for (size_t row = 0; row < ROW_CHUNK; row += PANEL) {
    const size_t n = ROW_CHUNK - row < PANEL ? ROW_CHUNK - row : PANEL;
    const double* panel = p + row * COLUMNS;
    for (size_t i = 0; i < n; i += 2) dot_pair(panel + i * COLUMNS, b, w + i);
    for (size_t i = 0; i < n; i += LANES) {
      *(Vec*)(w + i) = 1.0 / (1.0 + VECTOR_EXP(-vec(w + i))) - vec(y + row + i);
    }
    Vec g[PAIR];  // 25 of the 32 registers
    for (int j = 0; j < PAIR; j++) g[j] = gradient[j];
    for (size_t i = 0; i < n; i += 2) {
      const Vec first = splat(w[i]), second = splat(w[i + 1]);
      Vec both = first;
      for (int k = SHARED; k < LANES; k++) both[k] = w[i + 1];
      const double* pair = panel + i * COLUMNS;
#pragma GCC unroll 50
      for (int j = 0; j < MIDDLE; j++) g[j] += first * vec(pair + j * LANES);
      if (SHARED > 0) g[MIDDLE] += both * vec(pair + MIDDLE * LANES);
#pragma GCC unroll 50
      for (int j = MIDDLE + (SHARED > 0); j < PAIR; j++) g[j] += second * vec(pair + j * LANES);
    }
    for (int j = 0; j < PAIR; j++) gradient[j] = g[j];
  }
}

static int run_gradstep(double* result) {
  double gradient[COLUMNS] = {0};
#pragma omp parallel num_threads(threads)
  {
    Vec b[PAIR], own[PAIR] = {0};
    for (int j = 0; j < 2 * COLUMNS; j++) b[j / LANES][j % LANES] = coefficients[j % COLUMNS];
#pragma omp for schedule(dynamic)
    for (size_t start = 0; start < count / COLUMNS; start += ROW_CHUNK) {
      gradient_block(x + start * COLUMNS, labels + start, b, own);
    }
#pragma omp critical
    for (int j = 0; j < 2 * COLUMNS; j++) gradient[j % COLUMNS] += own[j / LANES][j % LANES];
  }
  result[0] = 0;
  for (int j = 0; j < COLUMNS; j++) result[0] += gradient[j] * gradient[j];
  result[1] = gradient[0];
  result[2] = gradient[50];
  result[3] = gradient[99];
  return 4;
}

// A kept result: its sum, or that of its squares, and three of its elements.
static int check_kept(bool squares, size_t middle, double* result) {
  result[0] = 0;
  for (size_t i = 0; i < count; i++) result[0] += squares ? kept[i] * kept[i] : kept[i];
  result[1] = kept[0];
  result[2] = kept[middle];
  result[3] = kept[count - 1];
  return 4;
}

typedef struct {
  const char* name;
  size_t elements, quick_elements;
  double bytes_per_element;
  int (*run)(double*);  // writes the figures to compare, and says how many
} Case;

static const Case cases[] = {
    {"read", 100000000, 10000000, 8, run_read},
    {"sum", 100000000, 10000000, 8, run_sum},
    {"expsum", 100000000, 10000000, 8, run_expsum},
    {"expmat", 100000000, 10000000, 16, run_expmat},
    {"lazy1e9", 1000000000, 20000000, 0, run_lazy},
    {"standardize", 100000000, 10000000, 24, run_standardize},
    {"gradstep", 100000000, 10000000, 8 + 8.0 / COLUMNS, run_gradstep},
};

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "arrays", "c", "gcc " __VERSION__);
  const Case* c = NULL;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (strcmp(cases[i].name, options.case_name) == 0) c = &cases[i];
  }
  if (c == NULL) bench_fail("unknown case", options.case_name);

  threads = options.threads;
  count = options.quick ? c->quick_elements : c->elements;
  if (c->run != run_lazy) x = bench_input(count, 0);
  if (c->run == run_gradstep) {
    double* y = bench_pages(count / COLUMNS);
    for (size_t i = 0; i < count / COLUMNS; i++) y[i] = bench_uniform(count + i) < 1;
    labels = y;
    for (size_t j = 0; j < COLUMNS; j++) coefficients[j] = bench_coefficient(j);
  }

  double figures[4];
  BenchRepeat row = {0, 0, (double)count, c->bytes_per_element * (double)count, figures, 0};
  for (int repeat = 0; repeat <= options.repeats; repeat++) {
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double start = bench_now();
    row.result_count = c->run(figures);
    row.seconds = bench_now() - start;
    faults = bench_minor_faults() - faults;
    if (c->run == run_expmat) row.result_count = check_kept(false, count / 2, figures);
    if (c->run == run_standardize) {
      row.result_count = check_kept(true, count / 2 + COLUMNS / 2, figures);
    }
    bench_print(&options, repeat, faults, &row);
  }
}
