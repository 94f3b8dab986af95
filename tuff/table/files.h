// The files behind a table: finding them, remembering what they were, reading bytes at an offset.
//
// Called by table.cpp (which files), parquet.cpp and csv.cpp (their bytes), from any thread. Invariant: a
// file that is not as it was when the table was opened is an error, before a byte of it is used.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/base/key.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

/// A file as it was when the table was opened.
struct FileIdentity {
  std::string path;
  int64_t bytes = 0;
  int64_t modified_ns = 0;  ///< since 1970
};

/// Files that the paths and globs stand for. Throws InvalidArgument for a glob that nothing matches.
std::vector<std::string> expand(const std::vector<std::string>& paths);

/// Throws InvalidArgument when there is no such regular file, or it cannot be read.
FileIdentity identify(const std::string& path);

/// Equal for the same files, unchanged, in the same order, read by the same `how`.
Key key_of(const std::vector<FileIdentity>& files, std::string_view how);

/// An open file. Thread-safe.
class File {
 public:
  /// Throws InvalidArgument when the file is gone or has changed.
  explicit File(const FileIdentity& identity);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  /// Bytes that are there: fewer than asked for only at the end of the file.
  size_t read_at(int64_t offset, std::span<char> into) const;
  /// The descriptor, which then belongs to the caller; nothing else may be called after.
  int release();
  const std::string& path() const { return identity_.path; }

 private:
  FileIdentity identity_;
  int descriptor_ = -1;
};

/// The accepted word nearest to `word` by insertions, deletions and replacements; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& accepted);

}  // namespace table::detail
TUFF_NAMESPACE_END
