// The recycled pool behind Buffer: size classes, a cache per thread, central lists; see buffer.h.
//
// Sizes are rounded up to classes at most 25 % apart (64-byte steps up to 512 bytes, then four per
// power of two). Freed chunks of up to 32 KiB go to a cache of the freeing thread, which hands half of
// a full list to the central lists and is emptied when its thread ends; larger ones go to the central
// lists at once. Chunks of 2 MiB and more come from mmap on huge pages, the others from malloc.
// Invariant: a chunk is in exactly one place: with a user, in one thread's cache, or in one central
// list. Counters: each thread counts its own, so that allocation touches no shared line; big changes
// are published to the central counts, under the central lock.
//
// This file is larger than most because the three parts share one lock order and one chunk layout.
#include "tuff/base/buffer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <new>

#include <malloc.h>
#include <sys/mman.h>

#include "tuff/base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define TUFF_POISON_(address, size) ASAN_POISON_MEMORY_REGION(address, size)
#define TUFF_UNPOISON_(address, size) ASAN_UNPOISON_MEMORY_REGION(address, size)
#else
#define TUFF_POISON_(address, size) static_cast<void>(0)
#define TUFF_UNPOISON_(address, size) static_cast<void>(0)
#endif

TUFF_NAMESPACE_BEGIN

namespace {

using detail::BufferHeader;

constexpr size_t kAlignment = 64;
// The header takes one line in front of a small chunk's data, so that one malloc serves both.
constexpr size_t kHeaderBytes = 64;
static_assert(sizeof(BufferHeader) <= kHeaderBytes);

constexpr uint32_t kLinearClasses = 8;                     // 64, 128, ..., 512
constexpr uint32_t kClassCount = kLinearClasses + 4 * 37;  // up to 2^46 bytes
constexpr uint32_t kLent = std::numeric_limits<uint32_t>::max();

// 2 MiB: the huge page of x86-64 and arm64.
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLargestCachedBytes = size_t{32} << 10;
// A list may hold 128 KiB, which covers the blocks in flight of a deep plan, and at least 4 chunks.
constexpr size_t kListBytes = size_t{128} << 10;
constexpr size_t kThreadCacheBytes = size_t{2} << 20;
// Threads publish their live bytes once they have changed by this much: a mutex per 64 KiB is noise
// beside the writing of 64 KiB (some 3 us). Below a low ceiling by so small a part of it.
constexpr int64_t kPublishBytes = int64_t{64} << 10;
constexpr size_t kPublishPart = 256;
// Until a Context sets its own limit.
constexpr size_t kDefaultRecycleLimit = size_t{256} << 20;

constexpr uint32_t class_of(size_t bytes) {
  if (bytes <= kLinearClasses * kAlignment) {
    return bytes == 0 ? 0 : static_cast<uint32_t>((bytes - 1) / kAlignment);
  }
  const auto octave = static_cast<uint32_t>(std::bit_width(bytes - 1) - 1);  // 9 for 513 .. 1024
  const size_t quarter = ((bytes - 1) - (size_t{1} << octave)) >> (octave - 2);
  return kLinearClasses + (octave - 9) * 4 + static_cast<uint32_t>(quarter);
}

constexpr size_t class_bytes(uint32_t size_class) {
  if (size_class < kLinearClasses) return (size_class + size_t{1}) * kAlignment;
  const uint32_t octave = 9 + (size_class - kLinearClasses) / 4;
  const size_t quarter = (size_class - kLinearClasses) % 4;
  return (size_t{1} << octave) + (quarter + 1) * (size_t{1} << (octave - 2));
}

constexpr uint32_t kCachedClasses = class_of(kLargestCachedBytes) + 1;
static_assert(class_bytes(kCachedClasses - 1) == kLargestCachedBytes);
static_assert(class_of(class_bytes(40)) == 40 && class_of(class_bytes(40) + 1) == 41);

constexpr bool is_mapped(uint32_t size_class) { return class_bytes(size_class) >= kHugePage; }

/// Memory that one chunk of this class takes; a mapped chunk's header is an object of its own.
constexpr size_t chunk_bytes(uint32_t size_class) { return class_bytes(size_class) + kHeaderBytes; }

/// A chunk while nobody uses it; lies where its BufferHeader was.
struct FreeChunk {
  FreeChunk* next;
  std::byte* data;
};
static_assert(sizeof(FreeChunk) <= sizeof(BufferHeader));

// --- Memory from the system and back ---------------------------------------------------------------

/// Aligned memory from malloc; the word before it says where the allocation began. Cheaper than
/// aligned_alloc, which goes past glibc's thread caches.
void* aligned_malloc(size_t bytes) {
  void* origin = std::malloc(bytes + kAlignment);
  if (origin == nullptr) return nullptr;
  const auto address = reinterpret_cast<uintptr_t>(origin) + sizeof(void*);
  const uintptr_t aligned = (address + kAlignment - 1) & ~(uintptr_t{kAlignment} - 1);
  void** memory = reinterpret_cast<void**>(aligned);
  memory[-1] = origin;
  return memory;
}

void aligned_free(void* memory) { std::free(static_cast<void**>(memory)[-1]); }

/// A mapping aligned to a huge page, so that the kernel can back it with huge pages from its start.
std::byte* map_huge(size_t bytes) {
  const size_t padded = bytes + kHugePage;
  void* mapping =
      ::mmap(nullptr, padded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;
  auto* first = static_cast<std::byte*>(mapping);
  const size_t in_page = reinterpret_cast<uintptr_t>(first) % kHugePage;
  const size_t before = in_page == 0 ? 0 : kHugePage - in_page;
  if (before > 0) ::munmap(first, before);
  ::munmap(first + before + bytes, kHugePage - before);
  // Advice: where huge pages are off, small ones serve as well.
  static_cast<void>(::madvise(first + before, bytes, MADV_HUGEPAGE));
  return first + before;
}

FreeChunk* new_chunk(uint32_t size_class) {
  if (!is_mapped(size_class)) {
    auto* memory = static_cast<std::byte*>(aligned_malloc(chunk_bytes(size_class)));
    if (memory == nullptr) return nullptr;
    return ::new (memory) FreeChunk{nullptr, memory + kHeaderBytes};
  }
  void* header = aligned_malloc(kHeaderBytes);
  if (header == nullptr) return nullptr;
  std::byte* data = map_huge(class_bytes(size_class));
  if (data == nullptr) {
    aligned_free(header);
    return nullptr;
  }
  return ::new (header) FreeChunk{nullptr, data};
}

void delete_chunk(FreeChunk* chunk, uint32_t size_class) {
  TUFF_UNPOISON_(chunk->data, class_bytes(size_class));
  if (is_mapped(size_class)) ::munmap(chunk->data, class_bytes(size_class));
  aligned_free(chunk);
}

// --- Central lists and counts ----------------------------------------------------------------------

struct ThreadCache;

/// What all threads share. Never destroyed: blocks in static objects are freed after everything else.
struct Central {
  std::mutex mutex;
  std::array<FreeChunk*, kClassCount> lists{};
  std::array<uint64_t, kClassCount> last_taken{};  // clock value of the last request
  uint64_t clock = 0;                              // counts requests
  size_t recycled_bytes = 0;
  size_t limit = kDefaultRecycleLimit;
  size_t ceiling = std::numeric_limits<size_t>::max();  // of live and recycled memory together
  // Published by threads; a thread's own counts come on top.
  int64_t live_bytes = 0;
  int64_t live_buffers = 0;
  int64_t peak_live_bytes = 0;
  ThreadCache* caches = nullptr;  // of all threads that have one
};

Central& central() {
  static Central& instance = *new Central;
  return instance;
}

// Bumped when caches are to be emptied; read on each allocation, written hardly ever. Relaxed: each thread
// empties its own, some time after; nothing else hangs on it.
std::atomic<uint32_t> generation{0};
std::atomic<int64_t> publish_bytes{kPublishBytes};
std::atomic<size_t> thread_cache_limit{std::min(kThreadCacheBytes, kDefaultRecycleLimit / 64)};

/// Chunks by class that are to be deleted once the lock is released.
using Doomed = std::array<FreeChunk*, kClassCount>;

void push(FreeChunk*& list, FreeChunk* chunk) {
  chunk->next = list;
  list = chunk;
}

void delete_all(const Doomed& doomed) {
  for (uint32_t c = 0; c < kClassCount; ++c) {
    for (FreeChunk* chunk = doomed[c]; chunk != nullptr;) {
      FreeChunk* next = chunk->next;
      delete_chunk(chunk, c);
      chunk = next;
    }
  }
}

/// How much may be kept for reuse beside what is live and `more`. Caller holds the lock.
size_t room_for_recycled(const Central& pool, size_t more) {
  const size_t live = static_cast<size_t>(std::max<int64_t>(pool.live_bytes, 0)) + more;
  return std::min(pool.limit, pool.ceiling - std::min(live, pool.ceiling));
}

/// Takes chunks out of the class that was not asked for for the longest time, other than `keep`, until
/// at most `most` bytes or nothing else is left. Caller holds the lock.
void evict(Central& pool, size_t most, uint32_t keep, Doomed& doomed) {
  while (pool.recycled_bytes > most) {
    uint32_t oldest = kClassCount;
    for (uint32_t c = 0; c < kClassCount; ++c) {
      if (c != keep && pool.lists[c] != nullptr &&
          (oldest == kClassCount || pool.last_taken[c] < pool.last_taken[oldest])) {
        oldest = c;
      }
    }
    if (oldest == kClassCount) return;
    FreeChunk* chunk = pool.lists[oldest];
    pool.lists[oldest] = chunk->next;
    pool.recycled_bytes -= chunk_bytes(oldest);
    push(doomed[oldest], chunk);
  }
}

/// Gives a linked list of chunks to the central lists, or to the system when they are full.
void give_central(FreeChunk* chunks, uint32_t size_class) {
  Central& pool = central();
  const size_t each = chunk_bytes(size_class);
  Doomed doomed{};
  {
    const std::lock_guard lock(pool.mutex);
    const size_t limit = room_for_recycled(pool, 0);
    while (chunks != nullptr) {
      FreeChunk* chunk = std::exchange(chunks, chunks->next);
      // Sizes of an earlier phase of the program must not keep this phase from recycling: they go.
      if (each <= limit) evict(pool, limit - each, size_class, doomed);
      if (pool.recycled_bytes + each <= limit) {
        push(pool.lists[size_class], chunk);
        pool.recycled_bytes += each;
      } else {
        push(doomed[size_class], chunk);
      }
    }
  }
  delete_all(doomed);
}

/// Up to `count` chunks from the central lists; null when there are none.
FreeChunk* take_central(uint32_t size_class, uint32_t count, uint32_t* taken) {
  Central& pool = central();
  const std::lock_guard lock(pool.mutex);
  pool.last_taken[size_class] = ++pool.clock;
  FreeChunk* first = pool.lists[size_class];
  FreeChunk* last = nullptr;
  *taken = 0;
  for (FreeChunk* chunk = first; chunk != nullptr && *taken < count; chunk = chunk->next) {
    last = chunk;
    ++*taken;
  }
  if (last == nullptr) return nullptr;
  pool.lists[size_class] = last->next;
  last->next = nullptr;
  pool.recycled_bytes -= *taken * chunk_bytes(size_class);
  return first;
}

/// Before new memory is taken: recycled memory of other sizes goes, if all would be above the ceiling.
void make_room(size_t bytes) {
  Central& pool = central();
  Doomed doomed{};
  {
    const std::lock_guard lock(pool.mutex);
    if (pool.recycled_bytes == 0) return;
    evict(pool, room_for_recycled(pool, bytes), kClassCount, doomed);
  }
  delete_all(doomed);
}

/// A chunk from the central lists or the system. Throws std::bad_alloc.
FreeChunk* take_or_make(uint32_t size_class) {
  uint32_t taken = 0;
  if (FreeChunk* chunk = take_central(size_class, 1, &taken)) return chunk;
  if (size_class >= kCachedClasses) make_room(chunk_bytes(size_class));
  if (FreeChunk* chunk = new_chunk(size_class)) return chunk;
  release_recycled_memory();
  if (FreeChunk* chunk = new_chunk(size_class)) return chunk;
  throw std::bad_alloc();
}

// --- One thread's cache and counts -----------------------------------------------------------------

/// Written by its own thread only, with plain stores; atomic so that statistics may read it.
struct Counter {
  std::atomic<int64_t> value{0};
  int64_t get() const { return value.load(std::memory_order_relaxed); }
  void set(int64_t to) { value.store(to, std::memory_order_relaxed); }
  void add(int64_t amount) { set(get() + amount); }
};

struct ThreadCache {
  struct List {
    FreeChunk* first = nullptr;
    uint32_t count = 0;
  };
  std::array<List, kCachedClasses> lists{};
  uint32_t seen_generation = generation.load(std::memory_order_relaxed);
  Counter cached_bytes;
  Counter live_bytes;  // since the last publication; negative when others' buffers were freed here
  Counter live_buffers;
  Counter peak_live_bytes;  // largest live_bytes since the last publication
  ThreadCache* next = nullptr;
  ThreadCache** link = nullptr;  // what points to this one

  ThreadCache() {
    Central& pool = central();
    const std::lock_guard lock(pool.mutex);
    next = pool.caches;
    link = &pool.caches;
    if (next != nullptr) next->link = &next;
    pool.caches = this;
  }
  ~ThreadCache() {
    flush();
    Central& pool = central();
    const std::lock_guard lock(pool.mutex);
    publish(pool);
    *link = next;
    if (next != nullptr) next->link = link;
  }
  ThreadCache(const ThreadCache&) = delete;
  ThreadCache& operator=(const ThreadCache&) = delete;

  static uint32_t capacity(uint32_t size_class) {
    return static_cast<uint32_t>(std::max<size_t>(4, kListBytes / chunk_bytes(size_class)));
  }

  FreeChunk* take(uint32_t size_class) {
    if (seen_generation != generation.load(std::memory_order_relaxed)) [[unlikely]]
      flush();
    List& list = lists[size_class];
    if (list.first == nullptr) [[unlikely]] {
      uint32_t taken = 0;
      list.first = take_central(size_class, capacity(size_class) / 2, &taken);
      if (list.first == nullptr) return take_or_make(size_class);
      list.count = taken;
      cached_bytes.add(static_cast<int64_t>(taken * chunk_bytes(size_class)));
    }
    FreeChunk* chunk = list.first;
    list.first = chunk->next;
    --list.count;
    cached_bytes.add(-static_cast<int64_t>(chunk_bytes(size_class)));
    return chunk;
  }

  void give(FreeChunk* chunk, uint32_t size_class) {
    if (seen_generation != generation.load(std::memory_order_relaxed)) [[unlikely]]
      flush();
    List& list = lists[size_class];
    chunk->next = list.first;
    list.first = chunk;
    ++list.count;
    cached_bytes.add(static_cast<int64_t>(chunk_bytes(size_class)));
    if (list.count > capacity(size_class) || static_cast<size_t>(cached_bytes.get()) >
                                                 thread_cache_limit.load(std::memory_order_relaxed))
        [[unlikely]] {
      give_half(size_class);
    }
  }

  /// Keeps the recently used half of a list (it is warm in this core's caches).
  void give_half(uint32_t size_class) {
    List& list = lists[size_class];
    const uint32_t keep = list.count / 2;
    FreeChunk** cut = &list.first;
    for (uint32_t i = 0; i < keep; ++i) cut = &(*cut)->next;
    FreeChunk* rest = *cut;
    *cut = nullptr;
    cached_bytes.add(-static_cast<int64_t>((list.count - keep) * chunk_bytes(size_class)));
    list.count = keep;
    give_central(rest, size_class);
  }

  void flush() {
    seen_generation = generation.load(std::memory_order_relaxed);
    for (uint32_t c = 0; c < kCachedClasses; ++c) {
      if (lists[c].first != nullptr) give_central(lists[c].first, c);
      lists[c] = List();
    }
    cached_bytes.set(0);
  }

  void count(int64_t bytes, int64_t buffers) {
    const int64_t now = live_bytes.get() + bytes;
    const int64_t step = publish_bytes.load(std::memory_order_relaxed);
    if (now > step || now < -step) [[unlikely]] {
      // Nothing large is ever on its way: others would take it to have been there all the time.
      Central& pool = central();
      const std::lock_guard lock(pool.mutex);
      publish(pool);
      pool.live_bytes += bytes;
      pool.live_buffers += buffers;
      raise_peak(pool, 0);
      return;
    }
    live_bytes.set(now);
    live_buffers.add(buffers);
    if (now > peak_live_bytes.get()) peak_live_bytes.set(now);
  }

  /// Caller holds the lock.
  void publish(Central& pool) {
    raise_peak(pool, peak_live_bytes.get() - live_bytes.get());
    pool.live_bytes += live_bytes.get();
    pool.live_buffers += live_buffers.get();
    live_bytes.set(0);
    live_buffers.set(0);
    peak_live_bytes.set(0);
  }

  /// There were so many bytes `more` than now. Caller holds the lock.
  void raise_peak(Central& pool, int64_t more) {
    if (pool.live_bytes + live_bytes.get() + more <= pool.peak_live_bytes) return;
    pool.peak_live_bytes = std::max(pool.peak_live_bytes, live_of_all(pool) + more);
  }

  /// With what has not been published.
  static int64_t live_of_all(const Central& pool) {
    int64_t bytes = pool.live_bytes;
    for (const ThreadCache* cache = pool.caches; cache != nullptr; cache = cache->next)
      bytes += cache->live_bytes.get();
    return bytes;
  }
};

// A plain pointer, so that it can still be read while the thread's other objects are destroyed.
thread_local ThreadCache* cache_of_thread = nullptr;
thread_local bool thread_is_ending = false;

struct CacheOwner {
  ThreadCache cache;
  CacheOwner() { cache_of_thread = &cache; }
  ~CacheOwner() {
    cache_of_thread = nullptr;
    thread_is_ending = true;
  }
  CacheOwner(const CacheOwner&) = delete;
  CacheOwner& operator=(const CacheOwner&) = delete;
};

ThreadCache* make_thread_cache() {
  if (thread_is_ending) return nullptr;
  thread_local CacheOwner owner;
  return cache_of_thread;
}

/// Null while the thread is ending.
ThreadCache* thread_cache() {
  return cache_of_thread != nullptr ? cache_of_thread : make_thread_cache();
}

FreeChunk* take_chunk(ThreadCache* cache, uint32_t size_class) {
  return size_class < kCachedClasses && cache != nullptr ? cache->take(size_class)
                                                         : take_or_make(size_class);
}

void give_chunk(ThreadCache* cache, FreeChunk* chunk, uint32_t size_class) {
  if (size_class < kCachedClasses && cache != nullptr) {
    cache->give(chunk, size_class);
  } else {
    chunk->next = nullptr;
    give_central(chunk, size_class);
  }
}

void count_live(ThreadCache* cache, int64_t bytes, int64_t buffers) {
  if (cache != nullptr) return cache->count(bytes, buffers);
  Central& pool = central();
  const std::lock_guard lock(pool.mutex);
  pool.live_bytes += bytes;
  pool.live_buffers += buffers;
  pool.peak_live_bytes = std::max(pool.peak_live_bytes, pool.live_bytes);
}

struct LiveNow {
  int64_t bytes = 0;
  int64_t buffers = 0;
  int64_t peak_bytes = 0;
};

/// Live bytes and the highest that they can have been. Caller holds the lock.
LiveNow sum_live(const Central& pool) {
  LiveNow now{ThreadCache::live_of_all(pool), pool.live_buffers, 0};
  for (const ThreadCache* cache = pool.caches; cache != nullptr; cache = cache->next)
    now.buffers += cache->live_buffers.get();
  now.peak_bytes = std::max(pool.peak_live_bytes, now.bytes);
  for (const ThreadCache* cache = pool.caches; cache != nullptr; cache = cache->next) {
    now.peak_bytes = std::max(now.peak_bytes,
                              now.bytes - cache->live_bytes.get() + cache->peak_live_bytes.get());
  }
  return now;
}

size_t not_negative(int64_t value) { return static_cast<size_t>(std::max<int64_t>(value, 0)); }

}  // namespace

namespace detail {

void free_buffer(BufferHeader* header) noexcept {
  const uint32_t size_class = header->size_class;
  if (size_class == kLent) {
    const std::function<void()> release = std::move(header->release);
    delete header;
    if (release) release();
    return;
  }
  std::byte* data = header->data;
  const auto bytes = static_cast<int64_t>(header->bytes);
  header->~BufferHeader();
  auto* chunk = ::new (static_cast<void*>(header)) FreeChunk{nullptr, data};
  TUFF_POISON_(data, class_bytes(size_class));
  ThreadCache* cache = thread_cache();
  give_chunk(cache, chunk, size_class);
  count_live(cache, -bytes, -1);
}

void* take_node(size_t bytes) {
  const uint32_t size_class = class_of(bytes <= kHeaderBytes ? 0 : bytes - kHeaderBytes);
  FreeChunk* chunk = take_chunk(thread_cache(), size_class);
  TUFF_UNPOISON_(chunk->data, class_bytes(size_class));
  return chunk;
}

void give_node(void* node, size_t bytes) noexcept {
  const uint32_t size_class = class_of(bytes <= kHeaderBytes ? 0 : bytes - kHeaderBytes);
  std::byte* data = static_cast<std::byte*>(node) + kHeaderBytes;
  auto* chunk = ::new (node) FreeChunk{nullptr, data};
  TUFF_POISON_(data, class_bytes(size_class));
  give_chunk(thread_cache(), chunk, size_class);
}

}  // namespace detail

Buffer Buffer::allocate(size_t bytes) {
  if (bytes > class_bytes(kClassCount - 1)) throw std::bad_alloc();
  const uint32_t size_class = class_of(bytes);
  ThreadCache* cache = thread_cache();
  FreeChunk* chunk = take_chunk(cache, size_class);
  std::byte* data = chunk->data;
  // Beyond the bytes asked for, a class's rounding stays out of bounds for the address sanitizer.
  TUFF_POISON_(data, class_bytes(size_class));
  TUFF_UNPOISON_(data, bytes);
  auto* header = ::new (static_cast<void*>(chunk)) detail::BufferHeader();
  header->size_class = size_class;
  header->data = data;
  header->bytes = bytes;
  count_live(cache, static_cast<int64_t>(bytes), 1);
  return Buffer(header);
}

Buffer Buffer::borrow(void* data, size_t bytes, std::function<void()> release) {
  if (data == nullptr && bytes > 0) {
    throw InvalidArgument(
        "buffer", "a null pointer to " + std::to_string(bytes) + " bytes; their address is needed");
  }
  auto* header = new detail::BufferHeader();
  header->size_class = kLent;
  header->data = static_cast<std::byte*>(data);
  header->bytes = bytes;
  header->release = std::move(release);
  return Buffer(header);
}

BufferStatistics buffer_statistics() {
  Central& pool = central();
  const std::lock_guard lock(pool.mutex);
  const LiveNow now = sum_live(pool);
  pool.peak_live_bytes = now.peak_bytes;
  BufferStatistics statistics;
  statistics.live_bytes = not_negative(now.bytes);
  statistics.live_buffers = not_negative(now.buffers);
  statistics.peak_live_bytes = not_negative(now.peak_bytes);
  statistics.recycled_bytes = pool.recycled_bytes;
  for (const ThreadCache* cache = pool.caches; cache != nullptr; cache = cache->next) {
    statistics.recycled_bytes += not_negative(cache->cached_bytes.get());
  }
  return statistics;
}

void reset_peak_live_bytes() {
  Central& pool = central();
  const std::lock_guard lock(pool.mutex);
  for (ThreadCache* cache = pool.caches; cache != nullptr; cache = cache->next) {
    cache->peak_live_bytes.set(cache->live_bytes.get());
  }
  pool.peak_live_bytes = sum_live(pool).bytes;
}

void release_recycled_memory() {
  generation.fetch_add(1, std::memory_order_relaxed);
  if (ThreadCache* cache = cache_of_thread) cache->flush();
  Central& pool = central();
  Doomed all{};
  {
    const std::lock_guard lock(pool.mutex);
    std::swap(all, pool.lists);
    pool.recycled_bytes = 0;
  }
  delete_all(all);
  // Chunks below 2 MiB came from malloc, which keeps freed memory too.
  ::malloc_trim(0);
}

void set_recycle_limit(size_t bytes) {
  Central& pool = central();
  Doomed doomed{};
  thread_cache_limit.store(std::min(kThreadCacheBytes, bytes / 64), std::memory_order_relaxed);
  {
    const std::lock_guard lock(pool.mutex);
    pool.limit = bytes;
    evict(pool, room_for_recycled(pool, 0), kClassCount, doomed);
  }
  delete_all(doomed);
  // Caches may be above their new limit: let each thread empty its own.
  generation.fetch_add(1, std::memory_order_relaxed);
  if (ThreadCache* cache = cache_of_thread) cache->flush();
}

size_t set_memory_ceiling(size_t bytes) {
  Central& pool = central();
  Doomed doomed{};
  size_t before = 0;
  {
    const std::lock_guard lock(pool.mutex);
    before = std::exchange(pool.ceiling, bytes);
    publish_bytes.store(static_cast<int64_t>(std::min<size_t>(kPublishBytes, bytes / kPublishPart)),
                        std::memory_order_relaxed);
    evict(pool, room_for_recycled(pool, 0), kClassCount, doomed);
  }
  delete_all(doomed);
  return before;
}

size_t live_bytes() {
  Central& pool = central();
  const std::lock_guard lock(pool.mutex);
  return not_negative(ThreadCache::live_of_all(pool));
}

void count_foreign_bytes(int64_t bytes) { count_live(thread_cache(), bytes, 0); }

bool Buffer::is_own() const { return header_ != nullptr && header_->size_class != kLent; }

TUFF_NAMESPACE_END
