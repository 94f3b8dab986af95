// See spill_file.h.
#include "tuff/schedule/spill_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <lz4.h>
#include <sys/statfs.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

// Pieces that shrink by less than this are stored as they are: reading them back then costs no time.
constexpr double kWorthCompressing = 0.9;
// The system and others need some of the disk: what is left alone when no limit was set.
constexpr uint64_t kShareLeftAlone = 20;
// Holes are made of whole blocks of the file system; 4 KiB on all that are common.
constexpr uint64_t kDiskBlock = 4096;

bool is_in_memory(const char* folder) {
  struct statfs system {};
  return ::statfs(folder, &system) == 0 &&
         (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
}

std::string default_folder() {
  const char* asked = std::getenv("TMPDIR");
  for (const char* folder : {asked, "/var/tmp", "/tmp"}) {
    if (folder != nullptr && *folder != '\0' && ::access(folder, W_OK) == 0 &&
        !is_in_memory(folder))
      return folder;
  }
  return "/tmp";
}

std::string text_of(int error) { return std::strerror(error); }

std::string megabytes(uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) * 1e-6);
}

/// All bytes to the place, or an errno.
int write_all(int file, const std::byte* data, size_t bytes, uint64_t offset) {
  while (bytes > 0) {
    const ssize_t written = ::pwrite(file, data, bytes, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    data += written;
    bytes -= static_cast<size_t>(written);
    offset += static_cast<uint64_t>(written);
  }
  return 0;
}

/// All bytes from the place, or an errno; EIO when the file ends before.
int read_all(int file, std::byte* data, size_t bytes, uint64_t offset) {
  while (bytes > 0) {
    const ssize_t got = ::pread(file, data, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 ? errno : EIO;
    data += got;
    bytes -= static_cast<size_t>(got);
    offset += static_cast<uint64_t>(got);
  }
  return 0;
}

uint64_t whole_blocks(uint64_t bytes) { return (bytes + kDiskBlock - 1) / kDiskBlock * kDiskBlock; }

}  // namespace

SpillFile::~SpillFile() {
  if (file_ >= 0) ::close(file_);
}

void SpillFile::open() {
  if (file_ >= 0) {
    if (owner_ == ::getpid()) return;
    throw MemoryError("spill",
                      "this process was forked from the one whose blocks are on disk, and may not "
                      "write there; make a Context of its own");
  }
  owner_ = ::getpid();
  if (folder_.empty()) folder_ = default_folder();
  if (is_in_memory(folder_.c_str())) {
    throw MemoryError(
        "spill", fmt::format("the folder {} is in memory itself (tmpfs); set TUFF_SPILL_FOLDER or "
                             "ContextOptions::spill_folder to one on a disk",
                             folder_));
  }
  file_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file_ < 0 &&
      (errno == EOPNOTSUPP || errno == EISDIR)) {  // a file system without nameless files
    std::string name = folder_ + "/tuff-spill-XXXXXX";
    file_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (file_ >= 0) ::unlink(name.c_str());
  }
  if (file_ < 0) {
    throw MemoryError("spill",
                      fmt::format("cannot write to the folder {}: {}; set TUFF_SPILL_FOLDER or "
                                  "ContextOptions::spill_folder to another",
                                  folder_, text_of(errno)));
  }
}

/// Throws when `more` bytes would be too many.
void SpillFile::check_room(size_t more) const {
  struct statfs system {};
  if (::fstatfs(file_, &system) != 0) return;  // then the write itself will tell
  const auto unit = static_cast<uint64_t>(system.f_bsize);
  const uint64_t available = static_cast<uint64_t>(system.f_bavail) * unit;
  const uint64_t alone =
      most_bytes_ ? 0 : static_cast<uint64_t>(system.f_blocks) * unit / kShareLeftAlone;
  const uint64_t most = most_bytes_ ? *most_bytes_ : UINT64_MAX;
  if (taken_bytes() + more <= most && more + alone <= available) return;
  const std::string limit =
      most_bytes_ ? fmt::format("at most {} are allowed (spill_bytes)", megabytes(*most_bytes_))
                  : fmt::format("{} are left alone", megabytes(alone));
  throw MemoryError(
      "spill",
      fmt::format("no room for {} more in {}: {} are there, {} are free on the disk, {}; free some "
                  "of it, or set TUFF_SPILL_FOLDER to a folder on a larger disk",
                  megabytes(more), folder_, megabytes(taken_bytes()), megabytes(available), limit));
}

/// Puts the piece, compressed or not, at the end of the writer's buffer.
size_t SpillFile::compress(std::span<const std::byte> piece, SpillRegion::Piece& entry) {
  const int stored = LZ4_compress_default(
      reinterpret_cast<const char*>(piece.data()), reinterpret_cast<char*>(buffer_.data()),
      static_cast<int>(piece.size()), static_cast<int>(buffer_.size()));
  size_t bytes = static_cast<size_t>(std::max(stored, 0));
  if (stored <= 0 ||
      static_cast<double>(stored) > kWorthCompressing * static_cast<double>(piece.size())) {
    bytes = piece.size();
    std::copy(piece.begin(), piece.end(), buffer_.begin());
  }
  entry.stored_bytes = static_cast<uint32_t>(bytes);
  entry.checksum = XXH3_64bits(buffer_.data(), bytes);
  return bytes;
}

/// A place for so many bytes, in whole blocks: the smallest gap that is large enough, or the end.
uint64_t SpillFile::take(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  taken_ += bytes;
  auto best = free_.end();
  for (auto gap = free_.begin(); gap != free_.end(); ++gap) {
    if (gap->second >= bytes && (best == free_.end() || gap->second < best->second)) best = gap;
  }
  if (best == free_.end()) return std::exchange(end_, end_ + bytes);
  const auto [offset, size] = *best;
  free_.erase(best);
  if (size > bytes) free_.emplace(offset + bytes, size - bytes);
  return offset;
}

void SpillFile::give_back(uint64_t offset, uint64_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  taken_ -= bytes;
  try {
    auto gap = free_.emplace(offset, bytes).first;
    if (const auto after = std::next(gap);
        after != free_.end() && gap->first + gap->second == after->first) {
      gap->second += after->second;
      free_.erase(after);
    }
    if (gap != free_.begin()) {
      const auto before = std::prev(gap);
      if (before->first + before->second == gap->first) {
        before->second += gap->second;
        free_.erase(gap);
        gap = before;
      }
    }
    if (gap->first + gap->second == end_ &&
        ::ftruncate(file_, static_cast<off_t>(gap->first)) == 0) {
      end_ = gap->first;
      free_.erase(gap);
      return;
    }
  } catch (const std::bad_alloc&) {
    // The gap is forgotten: it stays a hole in the file.
  }
  static_cast<void>(::fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                static_cast<off_t>(offset), static_cast<off_t>(bytes)));
}

SpillRegion SpillFile::write(std::span<const std::byte> data, StopRequest stop) {
  open();
  check_room(data.size());
  buffer_.resize(static_cast<size_t>(LZ4_compressBound(static_cast<int>(kPieceBytes))));
  SpillRegion region;
  region.pieces.reserve((data.size() + kPieceBytes - 1) / kPieceBytes);
  try {
    for (size_t at = 0; at < data.size(); at += kPieceBytes) {
      stop.check();
      SpillRegion::Piece piece;
      const size_t bytes =
          compress(data.subspan(at, std::min(kPieceBytes, data.size() - at)), piece);
      piece.offset = take(whole_blocks(bytes));
      region.pieces.push_back(piece);
      region.stored_bytes += bytes;
      const int error = write_all(file_, buffer_.data(), bytes, piece.offset);
      if (error != 0) {
        throw MemoryError("spill", fmt::format("writing {} to {} failed: {}",
                                               megabytes(data.size()), folder_, text_of(error)));
      }
    }
  } catch (...) {
    free(region);
    throw;
  }
  return region;
}

void SpillFile::read(const SpillRegion& region, std::span<std::byte> data, StopRequest stop) const {
  std::vector<std::byte> stored;
  size_t at = 0;
  for (const SpillRegion::Piece& piece : region.pieces) {
    stop.check();
    const size_t bytes = std::min(kPieceBytes, data.size() - at);
    const bool raw = piece.stored_bytes == bytes;
    if (!raw) stored.resize(piece.stored_bytes);
    std::byte* const to = raw ? data.data() + at : stored.data();
    const int error = read_all(file_, to, piece.stored_bytes, piece.offset);
    bool right = error == 0 && XXH3_64bits(to, piece.stored_bytes) == piece.checksum;
    if (right && !raw) {
      right = LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()),
                                  reinterpret_cast<char*>(data.data() + at),
                                  static_cast<int>(piece.stored_bytes),
                                  static_cast<int>(bytes)) == static_cast<int>(bytes);
    }
    if (!right) {
      throw MemoryError(
          "spill",
          fmt::format("reading {} back from {} failed: {}", megabytes(data.size()), folder_,
                      error != 0
                          ? text_of(error)
                          : "it is not what was written (its checksum differs); check the disk"));
    }
    at += bytes;
  }
}

void SpillFile::free(const SpillRegion& region) noexcept {
  if (!region.is_somewhere() || owner_ != ::getpid()) return;
  for (const SpillRegion::Piece& piece : region.pieces)
    give_back(piece.offset, whole_blocks(piece.stored_bytes));
}

uint64_t SpillFile::taken_bytes() const {
  const std::lock_guard lock(mutex_);
  return taken_;
}

TUFF_NAMESPACE_END
