// What the hand-written C peers share: vectors as wide as the machine's, and loops over rows of 100
// columns. Included by the c_peer.c of a question, which is built with -march=native.
//
// The only part of bench/ that names instruction sets.

#pragma once

#include <immintrin.h>

#include "bench/common/bench.h"

#if defined(__AVX512F__)
#define LANES 8
#define STREAM(p, v) _mm512_stream_pd(p, (__m512d)(v))
#define STREAM_FENCE() _mm_sfence()
__m512d _ZGVeN8v_exp(__m512d);
__m512d _ZGVeN8v_log(__m512d);
#define VECTOR_EXP(v) ((Vec)_ZGVeN8v_exp((__m512d)(v)))
#define VECTOR_LOG(v) ((Vec)_ZGVeN8v_log((__m512d)(v)))
// The next LANES bytes as numbers.
#define VECTOR_OF_BYTES(p) \
  ((Vec)_mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)(p)))))
#elif defined(__AVX2__)
#define LANES 4
#define STREAM(p, v) _mm256_stream_pd(p, (__m256d)(v))
#define STREAM_FENCE() _mm_sfence()
__m256d _ZGVdN4v_exp(__m256d);
__m256d _ZGVdN4v_log(__m256d);
#define VECTOR_EXP(v) ((Vec)_ZGVdN4v_exp((__m256d)(v)))
#define VECTOR_LOG(v) ((Vec)_ZGVdN4v_log((__m256d)(v)))
#define VECTOR_OF_BYTES(p) ((Vec)_mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_loadu_si32(p))))
#else
#error "needs AVX2 or AVX-512"
#endif

typedef double Vec __attribute__((vector_size(8 * LANES), may_alias));
typedef uint64_t Word __attribute__((vector_size(8 * LANES), may_alias));

enum {
  COLUMNS = 100,  // of a wide matrix
  // Two rows are a whole number of vectors (200 doubles, 25 of 8), so every load is aligned.
  PAIR = 2 * COLUMNS / LANES,
};

static inline double add_lanes(Vec v) {
  double total = 0;
  for (int k = 0; k < LANES; k++) total += v[k];
  return total;
}

static inline Vec vec(const double* p) { return *(const Vec*)p; }

static inline Vec splat(double value) { return value - (Vec){0}; }

/// All bits of a block: n is a multiple of 8 vectors.
static inline uint64_t read_block(const double* p, size_t n) {
  Word bits[8] = {0};
  for (size_t i = 0; i < n; i += 8 * LANES) {
    for (int k = 0; k < 8; k++) bits[k] ^= *(const Word*)(p + i + k * LANES);
  }
  for (int k = 1; k < 8; k++) bits[0] ^= bits[k];
  uint64_t all = 0;
  for (int k = 0; k < LANES; k++) all ^= bits[0][k];
  return all;
}

// With 8 lanes the middle vector of a pair of rows holds the end of one and the start of the other.
enum { MIDDLE = COLUMNS / LANES, SHARED = COLUMNS % LANES };

static inline void dot_pair(const double* p, const Vec* b, double* eta) {
  Vec first[2] = {0}, second[2] = {0};
  for (int j = 0; j < MIDDLE; j++) first[j % 2] += vec(p + j * LANES) * b[j];
  for (int j = MIDDLE + (SHARED > 0); j < PAIR; j++) second[j % 2] += vec(p + j * LANES) * b[j];
  eta[0] = add_lanes(first[0] + first[1]);
  eta[1] = add_lanes(second[0] + second[1]);
  if (SHARED > 0) {
    const Vec shared = vec(p + MIDDLE * LANES) * b[MIDDLE];
    for (int k = 0; k < LANES; k++) eta[k >= SHARED] += shared[k];
  }
}
