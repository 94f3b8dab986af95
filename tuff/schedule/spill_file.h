// Bytes on disk that no longer fit in memory: compressed, checksummed, gone when the process is.
//
// Used by memory.cpp alone. The file has no name (it is unlinked before the first byte), so that the
// system takes it back on any exit. What is freed becomes a hole, so that it takes no more of the disk than what it
// holds, and is written again before the file grows, so that no limit on its size is met for nothing. A process that
// was forked off owns nothing of it: it may read, and neither writes nor frees. Thread-safe: one thread writes, any
// number read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/stop.h"

TUFF_NAMESPACE_BEGIN

/// Where some bytes lie in the file. Default: nowhere.
struct SpillRegion {
  struct Piece {
    uint64_t offset = 0;
    uint32_t stored_bytes = 0;  ///< kPieceBytes or what is left of the data: not compressed
    uint64_t checksum = 0;      ///< XXH3 of what is stored
  };
  uint64_t stored_bytes = 0;  ///< 0: nowhere
  std::vector<Piece> pieces;
  bool is_somewhere() const { return stored_bytes > 0; }
};

class SpillFile {
 public:
  /// Compressed at a time: LZ4 is at its best from 64 KiB on, and one piece fits in a second-level cache.
  static constexpr size_t kPieceBytes = size_t{1} << 20;

  /// `folder`: empty for the default (ContextOptions::spill_folder). Nothing is opened before the first write.
  explicit SpillFile(std::string folder, std::optional<size_t> most_bytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  /// Throws MemoryError when the folder cannot be used or there is no room, and Cancelled when stop is requested on
  /// the way; the file is as before then.
  SpillRegion write(std::span<const std::byte> data, StopRequest stop = {});
  /// Throws MemoryError when what is on disk is not what was written, and Cancelled when stop is requested.
  void read(const SpillRegion& region, std::span<std::byte> data, StopRequest stop = {}) const;
  void free(const SpillRegion& region) noexcept;
  /// What regions take of the disk: whole blocks of the file system.
  uint64_t taken_bytes() const;

 private:
  void open();
  void check_room(size_t more) const;
  size_t compress(std::span<const std::byte> piece, SpillRegion::Piece& entry);
  uint64_t take(uint64_t bytes);
  void give_back(uint64_t offset, uint64_t bytes) noexcept;

  std::string folder_;
  const std::optional<size_t> most_bytes_;
  int file_ = -1;
  std::vector<std::byte> buffer_;  // of the writer
  int owner_ = 0;                  // the process that has opened it
  mutable std::mutex mutex_;
  // All in whole blocks of the file system:
  uint64_t end_ = 0;
  uint64_t taken_ = 0;
  std::map<uint64_t, uint64_t> free_;  // before the end, by offset: bytes; no two are neighbours
};

TUFF_NAMESPACE_END
