// Another process that computes what it is sent: this very program, run again.
#pragma once

#include <vector>

#include <sys/types.h>

#include "tuff/base/bytes.h"

namespace tuff::flow {

/// Started by the constructor, ended (and its exit status checked) by the destructor.
class OtherProcess {
 public:
  OtherProcess();
  ~OtherProcess();
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  /// Sends a serialised graph; returns the elements of all its outputs one after another, or the text of
  /// the error that the other process met.
  Bytes compute(const Bytes& message);

 private:
  pid_t pid_ = 0;
  int to_ = -1;
  int from_ = -1;
};

}  // namespace tuff::flow
