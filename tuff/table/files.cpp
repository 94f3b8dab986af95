// Finding, identifying and reading files; see files.h.
#include "tuff/table/files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuff/base/bytes.h"
#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

namespace {

std::string reason(int error) { return std::strerror(error); }  // NOLINT(concurrency-mt-unsafe)

int64_t modified_ns(const struct stat& status) {
  return int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

std::vector<std::string> matches_of(const std::string& pattern) {
  ::glob_t found{};
  const int status = ::glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (status == GLOB_NOMATCH || (status == 0 && paths.empty())) {
    throw InvalidArgument("read", fmt::format("no file matches '{}'", pattern));
  }
  if (status != 0) throw InvalidArgument("read", fmt::format("cannot list '{}'", pattern));
  return paths;
}

}  // namespace

std::vector<std::string> expand(const std::vector<std::string>& paths) {
  if (paths.empty()) throw InvalidArgument("read", "no path; give at least one file or glob");
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    struct stat status {};
    // A file may have a star in its name; then it is that file.
    if (path.find_first_of("*?[") == std::string::npos || ::stat(path.c_str(), &status) == 0) {
      files.push_back(path);
      continue;
    }
    for (std::string& match : matches_of(path)) files.push_back(std::move(match));
  }
  return files;
}

FileIdentity identify(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    const int error = errno;
    if (error == ENOENT) throw InvalidArgument("read", fmt::format("no such file: '{}'", path));
    throw InvalidArgument("read", fmt::format("'{}': {}", path, reason(error)));
  }
  if (S_ISDIR(status.st_mode)) {
    throw InvalidArgument(
        "read",
        fmt::format("'{0}' is a directory; give files, or a glob such as '{0}/*.parquet'", path));
  }
  if (!S_ISREG(status.st_mode)) {
    throw InvalidArgument("read",
                          fmt::format("'{}' is not a regular file; slices are read at offsets, "
                                      "which a pipe or a device does not have",
                                      path));
  }
  return {path, status.st_size, modified_ns(status)};
}

Key key_of(const std::vector<FileIdentity>& files, std::string_view how) {
  ByteWriter writer;
  writer.put(how);
  writer.put(static_cast<uint64_t>(files.size()));
  for (const FileIdentity& file : files) {
    writer.put(std::string_view(file.path));
    writer.put(file.bytes);
    writer.put(file.modified_ns);
  }
  return hash_bytes(writer.bytes());
}

File::File(const FileIdentity& identity) : identity_(identity) {
  descriptor_ = ::open(identity.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) {
    throw InvalidArgument("read",
                          fmt::format("cannot open '{}': {}", identity.path, reason(errno)));
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || status.st_size != identity.bytes ||
      modified_ns(status) != identity.modified_ns) {
    ::close(descriptor_);
    throw InvalidArgument("read",
                          fmt::format("'{}' changed since it was opened ({} bytes then, {} now); "
                                      "read() it again",
                                      identity.path, identity.bytes, status.st_size));
  }
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int File::release() { return std::exchange(descriptor_, -1); }

size_t File::read_at(int64_t offset, std::span<char> into) const {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = ::pread(descriptor_, into.data() + done, into.size() - done,
                                offset + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw InvalidArgument("read",
                            fmt::format("'{}' at byte {}: {}", identity_.path,
                                        offset + static_cast<int64_t>(done), reason(errno)));
    }
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

std::string nearest(std::string_view word, const std::vector<std::string>& accepted) {
  // Two slips in a short word, or a third of a long one: more is another word.
  size_t best = std::max<size_t>(2, word.size() / 3) + 1;
  std::string found;
  std::vector<size_t> row;
  for (const std::string& candidate : accepted) {
    row.resize(candidate.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j < row.size(); ++j) {
        const size_t replaced = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best && row.back() < std::max(word.size(), candidate.size())) {
      best = row.back();
      found = candidate;
    }
  }
  return found;
}

}  // namespace table::detail
TUFF_NAMESPACE_END
