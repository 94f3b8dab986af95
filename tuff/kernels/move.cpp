// Strided copies to and from dense tiles, and copies that bypass the cache.
#include "tuff/kernels/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tuff/kernels/move.cpp"

#include <cstring>

#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "tuff/base/check.h"
#include "tuff/kernels/elementwise.h"

HWY_BEFORE_NAMESPACE();
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace HWY_NAMESPACE {

// Streaming stores need aligned addresses, so the bytes up to the first full cache line and those
// after the last are copied the ordinary way.
void copy_streaming_here(const void* in, void* out, size_t bytes) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr size_t kLine = 64;
  const uint8_t* from = static_cast<const uint8_t*>(in);
  uint8_t* to = static_cast<uint8_t*>(out);
  const size_t head = (kLine - reinterpret_cast<uintptr_t>(to) % kLine) % kLine;
  if (bytes < head + kLine) {
    if (bytes > 0) std::memcpy(to, from, bytes);
    return;
  }
  if (head > 0) std::memcpy(to, from, head);
  from += head;
  to += head;
  bytes -= head;
#if HWY_TARGET == HWY_SCALAR
  const size_t whole = bytes - bytes % kLine;
  std::memcpy(to, from, whole);
  from += whole;
  to += whole;
  bytes -= whole;
#else
  const hn::ScalableTag<uint8_t> d;
  const size_t lanes = hn::Lanes(d);
  for (; bytes >= kLine; bytes -= kLine) {
    for (size_t i = 0; i < kLine; i += lanes) hn::Stream(hn::LoadU(d, from + i), d, to + i);
    from += kLine;
    to += kLine;
  }
#endif
  if (bytes > 0) std::memcpy(to, from, bytes);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
TUFF_NAMESPACE_END
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
TUFF_NAMESPACE_BEGIN
namespace kernels {
namespace {

// Elements are moved by memcpy of a constant size (one instruction), whatever their type.
template <size_t kSize>
void gather_of(const uint8_t* in, int64_t step, uint8_t* out, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    std::memcpy(out + i * kSize, in + static_cast<int64_t>(i) * step, kSize);
  }
}

template <size_t kSize>
void scatter_of(const uint8_t* in, uint8_t* out, int64_t step, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    std::memcpy(out + static_cast<int64_t>(i) * step, in + i * kSize, kSize);
  }
}

}  // namespace

void gather(const void* in, int64_t stride, size_t size, void* out, size_t n) {
  if (n == 0) return;
  if (stride == 1) {
    std::memcpy(out, in, n * size);
    return;
  }
  const uint8_t* from = static_cast<const uint8_t*>(in);
  uint8_t* to = static_cast<uint8_t*>(out);
  const int64_t step = stride * static_cast<int64_t>(size);
  switch (size) {
    case 1: return gather_of<1>(from, step, to, n);
    case 2: return gather_of<2>(from, step, to, n);
    case 4: return gather_of<4>(from, step, to, n);
    case 8: return gather_of<8>(from, step, to, n);
    default: throw InternalError("gather: elements of " + std::to_string(size) + " bytes");
  }
}

void scatter(const void* in, void* out, int64_t stride, size_t size, size_t n) {
  if (n == 0) return;
  if (stride == 1) {
    std::memcpy(out, in, n * size);
    return;
  }
  const uint8_t* from = static_cast<const uint8_t*>(in);
  uint8_t* to = static_cast<uint8_t*>(out);
  const int64_t step = stride * static_cast<int64_t>(size);
  switch (size) {
    case 1: return scatter_of<1>(from, to, step, n);
    case 2: return scatter_of<2>(from, to, step, n);
    case 4: return scatter_of<4>(from, to, step, n);
    case 8: return scatter_of<8>(from, to, step, n);
    default: throw InternalError("scatter: elements of " + std::to_string(size) + " bytes");
  }
}

void copy_streaming(const void* in, void* out, size_t bytes) {
  TUFF_DISPATCH(copy_streaming_here)(in, out, bytes);
}

void finish_streaming() { hwy::FlushStream(); }

}  // namespace kernels
TUFF_NAMESPACE_END
#endif
