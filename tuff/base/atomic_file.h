// A file that appears under its name complete or not at all.
//
// Used by everything that writes files. Invariant: until commit() returns, what lay under the name
// before is untouched; an AtomicFile that goes without commit() leaves nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

/// Errors are InvalidArgument in the name of the operation; nothing is left behind then.
class TUFF_API AtomicFile {
 public:
  /// Creates a temporary file beside `path`. Throws InvalidArgument in the name of `operation`.
  AtomicFile(std::string_view operation, std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Flushes to the disk, and gives the file its name.
  void commit();

 private:
  [[noreturn]] void fail(std::string_view doing, int error) const;
  std::string operation_;
  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
  size_t written_ = 0;
};

TUFF_NAMESPACE_END
