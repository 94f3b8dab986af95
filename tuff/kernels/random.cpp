// Threefry-2x64-20 over vectors of counters, and the uniform and normal deviates made from its
// words.
//
// Sources: Salmon, Moraes, Dror & Shaw 2011 (generator, rotation constants of Random123's
// threefry.h); Box & Muller 1958 (normals).
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/random.cpp"

#include <cstring>

#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "tuff/kernels/math-inl.h"
#include "tuff/kernels/random.h"
#include "tuff/kernels/unroll-inl.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Words = hn::ScalableTag<uint64_t>;
using Doubles = hn::ScalableTag<double>;
using WordVector = hn::Vec<Words>;
using DoubleVector = hn::Vec<Doubles>;

// Counters per vector, and vectors of counters worked on together: a round is a chain of three
// operations, so one vector alone would leave the processor waiting.
constexpr size_t kLanes = HWY_MAX_BYTES / 8;
constexpr size_t kVectors = 4;
constexpr size_t kBlockCounters = kLanes * kVectors;
constexpr size_t kBlockElements = 2 * kBlockCounters;

template <int kBits>
HWY_INLINE WordVector rotate_left(WordVector v) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Or(hn::ShiftLeft<kBits>(v), hn::ShiftRight<64 - kBits>(v));
#else
  return hn::RotateRight<64 - kBits>(v);
#endif
}

struct Key {
  WordVector words[3];
  explicit Key(RandomKey key) {
    const Words d;
    words[0] = hn::Set(d, key.seed);
    words[1] = hn::Set(d, key.stream);
    words[2] = hn::Set(d, 0x1BD11BDAA9FC1A22ULL ^ key.seed ^ key.stream);
  }
};

struct Block {
  // Left to itself, GCC would compile this without the target's instructions, and NEON's vectors have
  // constructors that ask for them.
  HWY_INLINE Block() {}
  WordVector x[kVectors];
  WordVector y[kVectors];
};

template <int kBits>
HWY_INLINE void round(Block& b) {
  unroll<kVectors>([&](size_t v) TUFF_INLINED {
    b.x[v] = hn::Add(b.x[v], b.y[v]);
    b.y[v] = hn::Xor(rotate_left<kBits>(b.y[v]), b.x[v]);
  });
}

template <int kNumber>
HWY_INLINE void inject(Block& b, const Key& key) {
  const Words d;
  const WordVector second = hn::Add(key.words[(kNumber + 1) % 3], hn::Set(d, uint64_t{kNumber}));
  unroll<kVectors>([&](size_t v) TUFF_INLINED {
    b.x[v] = hn::Add(b.x[v], key.words[kNumber % 3]);
    b.y[v] = hn::Add(b.y[v], second);
  });
}

// The second word of a counter: distributions of one key share no word of the generator.
enum class Deviate : uint64_t { uniform = 0, normal = 1 };

// Both words of the counters (first + i, deviate).
HWY_INLINE Block threefry(const Key& key, uint64_t first, Deviate deviate) {
  const Words d;
  // The first injection, of which the second word is the same for all counters.
  const WordVector second = hn::Add(key.words[1], hn::Set(d, static_cast<uint64_t>(deviate)));
  Block b;
  unroll<kVectors>([&](size_t v) TUFF_INLINED {
    b.x[v] = hn::Add(hn::Iota(d, first + v * kLanes), key.words[0]);
    b.y[v] = second;
  });
  round<16>(b), round<42>(b), round<12>(b), round<31>(b);
  inject<1>(b, key);
  round<16>(b), round<32>(b), round<24>(b), round<21>(b);
  inject<2>(b, key);
  round<16>(b), round<42>(b), round<12>(b), round<31>(b);
  inject<3>(b, key);
  round<16>(b), round<32>(b), round<24>(b), round<21>(b);
  inject<4>(b, key);
  round<16>(b), round<42>(b), round<12>(b), round<31>(b);
  inject<5>(b, key);
  return b;
}

// The value of words below 2^53, exactly.
HWY_INLINE DoubleVector to_double(WordVector v) {
#if HWY_TARGET == HWY_SCALAR
  return DoubleVector{static_cast<double>(v.raw)};
#elif HWY_TARGET == HWY_AVX3
  return DoubleVector{_mm512_cvtepu64_pd(v.raw)};
#else
  const Doubles d;
  // The high 32 bits on top of 2^84 and the low ones on top of 2^52; the difference is exact.
  const Words w;
  const auto high =
      hn::BitCast(d, hn::Or(hn::ShiftRight<32>(v), hn::Set(w, 0x4530000000000000ULL)));
  const auto low = hn::BitCast(
      d, hn::Or(hn::And(v, hn::Set(w, 0xFFFFFFFFULL)), hn::Set(w, 0x4330000000000000ULL)));
  return hn::Add(hn::Sub(high, hn::Set(d, 0x1p84 + 0x1p52)), low);
#endif
}

// Lanes of both vectors in turn: element 2 i from a, 2 i + 1 from b.
HWY_INLINE void store_pairs(DoubleVector a, DoubleVector b, double* out) {
  const Doubles d;
#if HWY_TARGET == HWY_SCALAR
  hn::StoreU(a, d, out);
  hn::StoreU(b, d, out + 1);
#else
  hn::StoreInterleaved2(a, b, d, out);
#endif
}

struct Uniform64 {
  static HWY_INLINE void fill(const Key& key, uint64_t counter, double* out) {
    const Doubles d;
    const auto unit = hn::Set(d, 0x1p-53);
    const Block b = threefry(key, counter, Deviate::uniform);
    unroll<kVectors>([&](size_t v) TUFF_INLINED {
      store_pairs(hn::Mul(to_double(hn::ShiftRight<11>(b.x[v])), unit),
                  hn::Mul(to_double(hn::ShiftRight<11>(b.y[v])), unit), out + 2 * v * kLanes);
    });
  }
};

// Multiples of 2^-24 from the upper 24 bits of each word; float holds them exactly.
struct Uniform32 {
  static HWY_INLINE void fill(const Key& key, uint64_t counter, float* out) {
    const Doubles d;
    const auto unit = hn::Set(d, 0x1p-24);
    const Block b = threefry(key, counter, Deviate::uniform);
    HWY_ALIGN double wide[kBlockElements];
    unroll<kVectors>([&](size_t v) TUFF_INLINED {
      store_pairs(hn::Mul(to_double(hn::ShiftRight<40>(b.x[v])), unit),
                  hn::Mul(to_double(hn::ShiftRight<40>(b.y[v])), unit), wide + 2 * v * kLanes);
    });
    for (size_t i = 0; i < kBlockElements; ++i) out[i] = static_cast<float>(wide[i]);
  }
};

// Numbers are the same on every target.
template <class D, class V>
HWY_INLINE V mul_add(D d, V a, V b, V c) {
  return math::RoundedOnce::mul_add(d, a, b, c);
}

// cos and sin of `turns` full circles, 0 <= turns < 1: exact reduction to an eighth of a circle on
// either side of a multiple of a quarter, then Chebyshev fits in t^2 (errors 2.5e-18 and 1.2e-19).
HWY_INLINE void circle(DoubleVector turns, DoubleVector& cosine, DoubleVector& sine) {
  const Doubles d;
  const Words w;
  const auto round = hn::Set(d, 0x1.8p52);  // adding it leaves the nearest integer in the low bits
  const auto shifted = mul_add(d, turns, hn::Set(d, 4.0), round);
  const auto t = mul_add(d, hn::Sub(round, shifted), hn::Set(d, 0.25), turns);
  const auto z = hn::Mul(t, t);
  auto s = mul_add(d, z, hn::Set(d, 0x1.e3f362f896ffep+1), hn::Set(d, -0x1.e300715607854p+3));
  s = mul_add(d, z, s, hn::Set(d, 0x1.50782fd9b7104p+5));
  s = mul_add(d, z, s, hn::Set(d, -0x1.32d2cce2e55bfp+6));
  s = mul_add(d, z, s, hn::Set(d, 0x1.466bc677587f3p+6));
  s = mul_add(d, z, s, hn::Set(d, -0x1.4abbce625be41p+5));
  s = hn::Mul(t, mul_add(d, z, s, hn::Set(d, 0x1.921fb54442d18p+2)));
  auto c = mul_add(d, z, hn::Set(d, -0x1.b2f3d15e072b2p+0), hn::Set(d, 0x1.f9ce24161feb0p+2));
  c = mul_add(d, z, c, hn::Set(d, -0x1.a6d1eef43193ep+4));
  c = mul_add(d, z, c, hn::Set(d, 0x1.e1f5068688925p+5));
  c = mul_add(d, z, c, hn::Set(d, -0x1.55d3c7e3cb23fp+6));
  c = mul_add(d, z, c, hn::Set(d, 0x1.03c1f081b5ac0p+6));
  c = mul_add(d, z, c, hn::Set(d, -0x1.3bd3cc9be45dep+4));
  c = mul_add(d, z, c, hn::Set(d, 1.0));
  // Quarter 1 is (-s, c), quarter 2 (-c, -s), quarter 3 (s, -c).
  const auto quarter = hn::BitCast(w, shifted);
  const auto two = hn::Set(w, uint64_t{2});
  const auto swap = hn::RebindMask(d, hn::TestBit(quarter, hn::Set(w, uint64_t{1})));
  const auto cosine_sign =
      hn::ShiftLeft<62>(hn::And(hn::Add(quarter, hn::Set(w, uint64_t{1})), two));
  const auto sine_sign = hn::ShiftLeft<62>(hn::And(quarter, two));
  cosine = hn::Xor(hn::IfThenElse(swap, s, c), hn::BitCast(d, cosine_sign));
  sine = hn::Xor(hn::IfThenElse(swap, c, s), hn::BitCast(d, sine_sign));
}

HWY_INLINE void normal_block(const Key& key, uint64_t counter, double* out) {
  const Doubles d;
  const auto unit = hn::Set(d, 0x1p-53);
  const Block b = threefry(key, counter, Deviate::normal);
  unroll<kVectors>([&](size_t v) TUFF_INLINED {
    // (word + 1) 2^-53 lies in (0, 1]: a normal number, and its logarithm is finite.
    const auto u = hn::Mul(hn::Add(to_double(hn::ShiftRight<11>(b.x[v])), hn::Set(d, 1.0)), unit);
    const auto radius =
        hn::Sqrt(hn::Mul(hn::Set(d, -2.0), math::log_positive<math::RoundedOnce>(d, u)));
    DoubleVector cosine, sine;
    circle(hn::Mul(to_double(hn::ShiftRight<11>(b.y[v])), unit), cosine, sine);
    store_pairs(hn::Mul(radius, cosine), hn::Mul(radius, sine), out + 2 * v * kLanes);
  });
}

struct Normal64 {
  static HWY_INLINE void fill(const Key& key, uint64_t counter, double* out) {
    normal_block(key, counter, out);
  }
};

struct Normal32 {
  static HWY_INLINE void fill(const Key& key, uint64_t counter, float* out) {
    HWY_ALIGN double wide[kBlockElements];
    normal_block(key, counter, wide);
    for (size_t i = 0; i < kBlockElements; ++i) out[i] = static_cast<float>(wide[i]);
  }
};

// Whole blocks go straight to `out`; an odd first element and the rest through a copy.
template <class Maker, class T>
void fill(RandomKey random_key, uint64_t first, T* out, size_t n) {
  const Key key(random_key);
  HWY_ALIGN T block[kBlockElements];
  uint64_t counter = first / 2;
  size_t skip = first % 2;
  while (n > 0) {
    const bool whole = skip == 0 && n >= kBlockElements;
    Maker::fill(key, counter, whole ? out : block);
    // An odd start takes one element only, so that the blocks after it start at an even one.
    const size_t count = whole ? kBlockElements : skip != 0 ? 1 : n;
    if (!whole) std::memcpy(out, block + skip, count * sizeof(T));
    counter += skip != 0 ? 1 : kBlockCounters;
    skip = 0;
    out += count;
    n -= count;
  }
}

void uniform64(RandomKey key, uint64_t first, double* out, size_t n) {
  fill<Uniform64>(key, first, out, n);
}
void uniform32(RandomKey key, uint64_t first, float* out, size_t n) {
  fill<Uniform32>(key, first, out, n);
}
void normal64(RandomKey key, uint64_t first, double* out, size_t n) {
  fill<Normal64>(key, first, out, n);
}
void normal32(RandomKey key, uint64_t first, float* out, size_t n) {
  fill<Normal32>(key, first, out, n);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {

void threefry2x64(const uint64_t key[2], const uint64_t counter[2], uint64_t out[2]) {
  constexpr unsigned kRotations[8] = {16, 42, 12, 31, 16, 32, 24, 21};
  const uint64_t keys[3] = {key[0], key[1], 0x1BD11BDAA9FC1A22ULL ^ key[0] ^ key[1]};
  uint64_t x = counter[0] + keys[0];
  uint64_t y = counter[1] + keys[1];
  for (unsigned round = 0; round < 20; ++round) {
    const unsigned bits = kRotations[round % 8];
    x += y;
    y = ((y << bits) | (y >> (64 - bits))) ^ x;
    if (round % 4 == 3) {
      const unsigned number = round / 4 + 1;
      x += keys[number % 3];
      y += keys[(number + 1) % 3] + number;
    }
  }
  out[0] = x;
  out[1] = y;
}

void fill_uniform(RandomKey key, uint64_t first, double* out, size_t n) {
  TUFF_DISPATCH(uniform64)(key, first, out, n);
}
void fill_uniform(RandomKey key, uint64_t first, float* out, size_t n) {
  TUFF_DISPATCH(uniform32)(key, first, out, n);
}
void fill_normal(RandomKey key, uint64_t first, double* out, size_t n) {
  TUFF_DISPATCH(normal64)(key, first, out, n);
}
void fill_normal(RandomKey key, uint64_t first, float* out, size_t n) {
  TUFF_DISPATCH(normal32)(key, first, out, n);
}

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
