// One pass of a logistic fit as one would write it by hand for one machine: OpenMP over blocks of rows,
// and within a block panels of rows that stay in the first-level cache between the products with X and
// with its transpose. Knows the number of columns at compile time, as no library can.
//
// The cases `read/...` only load the bytes of X: what the memory of this machine gives.
// Built by bench/run.py with the flags in question.json.

#include <omp.h>

#include "bench/common/bench.h"
#include "bench/common/vectors.h"

enum {
  NARROW = 4,            // columns of a narrow matrix
  READ_CHUNK = 1000000,  // elements that a thread reads at a time
  WIDE_CHUNK = 1000,     // rows of a block: 0.8 MB either way
  NARROW_CHUNK = 25000,
  WIDE_PANEL = 32,     // rows whose 25 KiB are still in the first-level cache when read again
  NARROW_PANEL = 256,  // 8 KiB
};

static size_t rows, columns;
static const double* x;
static const bool* labels;
static double point[COLUMNS + 1];  // the coefficients; the intercept is point[columns]
static int threads;

static Vec choose(Word mask, Vec yes, Vec no) {
  return (Vec)((mask & (Word)yes) | (~mask & (Word)no));
}

// Replaces the linear predictors of some rows by sigmoid - y, and returns the sums of their losses
// log(1 + exp(eta)) - y eta, lane by lane. exp sees no positive number, so nothing overflows; nor does
// the product of at most 64 numbers up to 2, of which one logarithm does for all.
static Vec residuals(double* eta, const bool* y, size_t n) {
  Vec loss = {0}, product = splat(1);
  for (size_t i = 0; i < n; i += LANES) {
    const Vec z = vec(eta + i), target = VECTOR_OF_BYTES(y + i);
    const Word positive = (Word)(z >= 0);
    const Vec e = VECTOR_EXP(choose(positive, -z, z));
    product *= 1 + e;
    loss += choose(positive, z, splat(0)) - target * z;
    *(Vec*)(eta + i) = choose(positive, splat(1), e) / (1 + e) - target;
  }
  return loss + VECTOR_LOG(product);
}

// ---- 100 columns

// What a thread adds up: the gradient of two rows side by side, that by the intercept, and the loss.
typedef struct {
  Vec gradient[PAIR], intercept, loss;
} WideSums;

static void wide_block(const double* p, const bool* y, const Vec* b, WideSums* sums) {
  double w[WIDE_PANEL] __attribute__((aligned(64)));
  for (size_t row = 0; row < WIDE_CHUNK; row += WIDE_PANEL) {
    const size_t n = WIDE_CHUNK - row < WIDE_PANEL ? WIDE_CHUNK - row : WIDE_PANEL;
    const double* panel = p + row * COLUMNS;
    for (size_t i = 0; i < n; i += 2) dot_pair(panel + i * COLUMNS, b, w + i);
    for (size_t i = 0; i < n; i += LANES) *(Vec*)(w + i) += point[COLUMNS];
    sums->loss += residuals(w, y + row, n);
    for (size_t i = 0; i < n; i += LANES) sums->intercept += vec(w + i);
    Vec g[PAIR];  // 25 of the 32 registers
    for (int j = 0; j < PAIR; j++) g[j] = sums->gradient[j];
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
    for (int j = 0; j < PAIR; j++) sums->gradient[j] = g[j];
  }
}

static void wide_pass(double* gradient, double* loss) {
#pragma omp parallel num_threads(threads)
  {
    Vec b[PAIR];
    WideSums own = {0};
    for (int j = 0; j < 2 * COLUMNS; j++) b[j / LANES][j % LANES] = point[j % COLUMNS];
#pragma omp for schedule(dynamic)
    for (size_t start = 0; start < rows; start += WIDE_CHUNK) {
      wide_block(x + start * COLUMNS, labels + start, b, &own);
    }
#pragma omp critical
    {
      for (int j = 0; j < 2 * COLUMNS; j++) {
        gradient[j % COLUMNS] += own.gradient[j / LANES][j % LANES];
      }
      gradient[COLUMNS] += add_lanes(own.intercept);
      *loss += add_lanes(own.loss);
    }
  }
}

// ---- 4 columns

typedef struct {
  Vec gradient[NARROW], intercept, loss;
} NarrowSums;

// The columns of LANES rows of 4.
static void transpose(const double* p, Vec* column) {
  const Vec a = vec(p), b = vec(p + LANES), c = vec(p + 2 * LANES), d = vec(p + 3 * LANES);
#if LANES == 8
  const Word even = {0, 4, 8, 12, 1, 5, 9, 13}, odd = {2, 6, 10, 14, 3, 7, 11, 15};
  const Word low = {0, 1, 2, 3, 8, 9, 10, 11}, high = {4, 5, 6, 7, 12, 13, 14, 15};
#else
  const Word even = {0, 4, 1, 5}, odd = {2, 6, 3, 7}, low = {0, 1, 4, 5}, high = {2, 3, 6, 7};
#endif
  const Vec ab = __builtin_shuffle(a, b, even), cd = __builtin_shuffle(c, d, even);
  const Vec ab_odd = __builtin_shuffle(a, b, odd), cd_odd = __builtin_shuffle(c, d, odd);
  column[0] = __builtin_shuffle(ab, cd, low);
  column[1] = __builtin_shuffle(ab, cd, high);
  column[2] = __builtin_shuffle(ab_odd, cd_odd, low);
  column[3] = __builtin_shuffle(ab_odd, cd_odd, high);
}

static void narrow_block(const double* p, const bool* y, NarrowSums* sums) {
  double w[NARROW_PANEL] __attribute__((aligned(64)));
  for (size_t row = 0; row < NARROW_CHUNK; row += NARROW_PANEL) {
    const size_t n = NARROW_CHUNK - row < NARROW_PANEL ? NARROW_CHUNK - row : NARROW_PANEL;
    const double* panel = p + row * NARROW;
    for (size_t i = 0; i < n; i += LANES) {
      Vec c[NARROW];
      transpose(panel + i * NARROW, c);
      *(Vec*)(w + i) =
          (c[0] * point[0] + c[1] * point[1]) + (c[2] * point[2] + c[3] * point[3]) + point[NARROW];
    }
    sums->loss += residuals(w, y + row, n);
    NarrowSums own = *sums;
    for (size_t i = 0; i < n; i += LANES) {
      Vec c[NARROW];
      transpose(panel + i * NARROW, c);
      for (int j = 0; j < NARROW; j++) own.gradient[j] += c[j] * vec(w + i);
      own.intercept += vec(w + i);
    }
    *sums = own;
  }
}

static void narrow_pass(double* gradient, double* loss) {
#pragma omp parallel num_threads(threads)
  {
    NarrowSums own = {0};
#pragma omp for schedule(dynamic)
    for (size_t start = 0; start < rows; start += NARROW_CHUNK) {
      narrow_block(x + start * NARROW, labels + start, &own);
    }
#pragma omp critical
    {
      for (int j = 0; j < NARROW; j++) gradient[j] += add_lanes(own.gradient[j]);
      gradient[NARROW] += add_lanes(own.intercept);
      *loss += add_lanes(own.loss);
    }
  }
}

// ---- cases

// Writes the loss, the first, a middle and the last derivative by a coefficient, and that by the
// intercept.
static int run_pass(double* result) {
  double gradient[COLUMNS + 1] = {0};
  result[0] = 0;
  if (columns == NARROW) {
    narrow_pass(gradient, result);
  } else {
    wide_pass(gradient, result);
  }
  result[1] = gradient[0];
  result[2] = gradient[columns / 2];
  result[3] = gradient[columns - 1];
  result[4] = gradient[columns];
  return 5;
}

static int run_read(double* result) {
  uint64_t bits = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic) reduction(^ : bits)
  for (size_t start = 0; start < rows * columns; start += READ_CHUNK) {
    bits ^= read_block(x + start, READ_CHUNK);
  }
  result[0] = (double)(bits >> 11);
  return 1;
}

typedef struct {
  const char* name;
  size_t rows, columns;
  double label_bytes;   // that have to cross memory, beside X
  int (*run)(double*);  // writes the figures to compare, and says how many
} Case;

static const Case cases[] = {
    {"pass/1e6x100", 1000000, COLUMNS, 1, run_pass},
    {"pass/1e7x4", 10000000, NARROW, 1, run_pass},
    {"read/1e6x100", 1000000, COLUMNS, 0, run_read},
    {"read/1e7x4", 10000000, NARROW, 0, run_read},
};

int main(int argc, char** argv) {
  const BenchOptions options = bench_options(argc, argv, "glm", "c", "gcc " __VERSION__);
  const Case* c = NULL;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (strcmp(cases[i].name, options.case_name) == 0) c = &cases[i];
  }
  if (c == NULL) bench_fail("unknown case", options.case_name);

  threads = options.threads;
  rows = options.quick ? c->rows / 10 : c->rows;
  columns = c->columns;
  bench_logistic(rows, columns, &x, &labels);
  for (size_t j = 0; j < columns; j++) point[j] = bench_coefficient(j);
  point[columns] = BENCH_INTERCEPT;

  double figures[5];
  const double bytes = (double)rows * (8 * (double)columns + c->label_bytes);
  BenchRepeat row = {0, 0, (double)(rows * columns), bytes, figures, 0};
  for (int repeat = 0; repeat <= options.repeats; repeat++) {
    bench_forget_peak_rss();
    long faults = bench_minor_faults();
    const double start = bench_now();
    row.result_count = c->run(figures);
    row.seconds = bench_now() - start;
    faults = bench_minor_faults() - faults;
    bench_print(&options, repeat, faults, &row);
  }
}
