// Write, flush, rename; see atomic_file.h.
#include "tuff/base/atomic_file.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

/// A name in the folder of `path` that no other file of this process has; short, since that of `path` may be as long as
/// names can be.
std::string temporary_name(const std::string& path) {
  static std::atomic<uint64_t> count{0};
  const size_t slash = path.find_last_of('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  return fmt::format("{}.tuff-{}-{}.part", path.substr(0, name), ::getpid(), ++count);
}

/// A link stays, and what it points at is written, be it there or not.
std::string target_of(const std::string& path) {
  constexpr int kMostLinks = 40;  // as the system follows
  std::filesystem::path target = path;
  std::error_code error;
  for (int links = 0; links < kMostLinks; ++links) {
    if (!std::filesystem::is_symlink(target, error)) break;
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (error) break;
    target = next.is_absolute() ? next : target.parent_path() / next;
  }
  return target.string();
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

AtomicFile::AtomicFile(std::string_view operation, std::string path)
    : operation_(operation), path_(std::move(path)) {
  struct stat status {};
  if (path_.empty()) throw InvalidArgument(operation_, "an empty path");
  if (::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw InvalidArgument(
        operation_, fmt::format("'{}' is {}; a file is needed", path_,
                                S_ISDIR(status.st_mode) ? "a directory" : "not a regular file"));
  }
  path_ = target_of(path_);
  temporary_ = temporary_name(path_);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("create", errno);
  // Whoever may read the old file may read the new one. Only a privileged process can give files away.
  if (::stat(path_.c_str(), &status) == 0) {
    static_cast<void>(::fchown(descriptor_, status.st_uid, status.st_gid) == 0 ||
                      ::fchown(descriptor_, static_cast<uid_t>(-1), status.st_gid) == 0);
    static_cast<void>(::fchmod(descriptor_, status.st_mode & 07777));
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail(std::string_view doing, int error) const {
  throw InvalidArgument(
      operation_, fmt::format("cannot {} '{}': {} (after {} bytes); nothing was left, and what was "
                              "there before still is",
                              doing, path_, std::strerror(error), written_));  // NOLINT
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t done = ::write(descriptor_, at, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail("write", errno);
    at += done;
    bytes -= static_cast<size_t>(done);
    written_ += static_cast<size_t>(done);
  }
}

void AtomicFile::commit() {
  // A disk may say that it is full only now.
  if (::fsync(descriptor_) != 0) fail("write", errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("write", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename the finished file to", errno);
  temporary_.clear();
  // The name, too, should outlive a crash. Some file systems cannot flush a folder; the data are safe.
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    static_cast<void>(::fsync(folder));
    ::close(folder);
  }
}

TUFF_NAMESPACE_END
