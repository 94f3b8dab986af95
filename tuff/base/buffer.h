// Counted, 64-byte aligned memory, recycled inside the process.
//
// A page fault costs more than the arithmetic on the page (2.7 ms to touch 8 MB of fresh memory
// against 0.3-0.8 ms to write it), so freed memory goes to size-class free lists and is handed out
// again. Big buffers sit on huge pages. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

namespace detail {

struct BufferHeader {
  std::atomic<uint32_t> references{1};
  uint32_t size_class = 0;
  std::byte* data = nullptr;
  size_t bytes = 0;
  std::function<void()> release;  // for memory that a caller lent
};

TUFF_API void free_buffer(BufferHeader* header) noexcept;

/// 64-byte aligned memory for small objects that come and go with buffers (a block's header), from the
/// same thread-local lists but not counted as live. `bytes` is at most 1024.
void* take_node(size_t bytes);
/// Gives back what take_node returned for the same `bytes`, from any thread.
void give_node(void* node, size_t bytes) noexcept;

}  // namespace detail

/// A handle to counted memory; copying it counts up.
class TUFF_API Buffer {
 public:
  Buffer() = default;
  /// `bytes` of uninitialised memory, 64-byte aligned. Throws std::bad_alloc.
  static Buffer allocate(size_t bytes);
  /// Memory that belongs to somebody else; `release` (may be empty) is called once nobody uses it. Throws
  /// InvalidArgument for a null pointer to more than 0 bytes.
  static Buffer borrow(void* data, size_t bytes, std::function<void()> release);
  Buffer(const Buffer& other) noexcept : header_(other.header_) { retain(); }
  Buffer(Buffer&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Buffer() { reset(); }
  // Counting down releases this handle's uses of the memory and the last one acquires them all; counting up
  // needs no order, since it comes from a handle. use_count() acquires: who finds 1 may write.
  void reset() noexcept {
    if (header_ != nullptr && header_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      detail::free_buffer(header_);
    }
    header_ = nullptr;
  }
  std::byte* data() const { return header_ != nullptr ? header_->data : nullptr; }
  size_t bytes() const { return header_ != nullptr ? header_->bytes : 0; }
  uint32_t use_count() const {
    return header_ != nullptr ? header_->references.load(std::memory_order_acquire) : 0;
  }
  explicit operator bool() const { return header_ != nullptr; }
  /// Whether freeing the last handle gives memory back (lent memory is its owner's).
  bool is_own() const;

 private:
  explicit Buffer(detail::BufferHeader* header) : header_(header) {}
  void retain() const noexcept {
    if (header_ != nullptr) header_->references.fetch_add(1, std::memory_order_relaxed);
  }
  detail::BufferHeader* header_ = nullptr;
};

/// What the recycled pool holds and has handed out, in bytes, over the whole process.
///
/// Exact while no other thread allocates or frees. The high-water mark is exact for one thread, and
/// otherwise off by at most 64 KiB, or a 256th of the memory ceiling, for each further thread that works on small
/// buffers.
struct BufferStatistics {
  size_t live_bytes = 0;       ///< asked for and not yet freed (lent memory not counted)
  size_t recycled_bytes = 0;   ///< freed and kept for reuse, with rounding and headers
  size_t peak_live_bytes = 0;  ///< high-water mark of live_bytes since the last reset
  size_t live_buffers = 0;     ///< number of buffers behind live_bytes
};

TUFF_API BufferStatistics buffer_statistics();
/// Restarts the high-water mark at the present live_bytes.
TUFF_API void reset_peak_live_bytes();
/// Gives all recycled memory back to the system; what other threads have cached (up to 2 MiB each)
/// follows when they next allocate or free.
TUFF_API void release_recycled_memory();
/// Freed memory beyond this many bytes goes back to the system at once (that of sizes which were not
/// asked for lately first). Each thread may cache a 64th of it, up to 2 MiB, on top.
TUFF_API void set_recycle_limit(size_t bytes);
/// While live and recycled memory together are above this many bytes, freed memory goes back to the system,
/// and recycled memory goes before new memory is taken. Returns what was set before.
TUFF_API size_t set_memory_ceiling(size_t bytes);
/// live_bytes of buffer_statistics().
TUFF_API size_t live_bytes();
/// Counts memory that somebody else allocated on our behalf (Arrow) as live; negative when it was freed.
TUFF_API void count_foreign_bytes(int64_t bytes);

TUFF_NAMESPACE_END
