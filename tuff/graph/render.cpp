// See render.h. The program is run without a shell, its input and output through temporary files: pipes in
// both directions would need a thread.
#include "tuff/graph/render.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tuff/base/atomic_file.h"
#include "tuff/base/error.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX declares it nowhere

TUFF_NAMESPACE_BEGIN

namespace {

constexpr const char* kOperation = "render";

/// A file without a name, gone when closed.
class Temporary {
 public:
  Temporary() : file_(std::tmpfile()) {
    if (file_ == nullptr) {
      throw InvalidArgument(kOperation,
                            fmt::format("cannot make a temporary file: {}; set TMPDIR to "
                                        "a folder that can be written",
                                        std::strerror(errno)));
    }
  }
  ~Temporary() { std::fclose(file_); }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  int descriptor() const { return ::fileno(file_); }
  void write(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), file_);
    std::fflush(file_);
    std::rewind(file_);
    ::lseek(descriptor(), 0, SEEK_SET);
  }
  std::string read() {
    ::lseek(descriptor(), 0, SEEK_SET);
    std::string text;
    char buffer[65536];
    for (ssize_t n = 0; (n = ::read(descriptor(), buffer, sizeof(buffer))) > 0;)
      text.append(buffer, static_cast<size_t>(n));
    return text;
  }

 private:
  std::FILE* file_;
};

/// The exit status of `dot -Tsvg`, or 127 when there is no such program.
int run_dot(const Temporary& input, const Temporary& output, const Temporary& errors) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.descriptor(), STDERR_FILENO);
  std::string program = "dot";
  std::string format = "-Tsvg";
  char* arguments[] = {program.data(), format.data(), nullptr};
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, "dot", &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return 127;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

void render(std::string_view dot, const std::string& path) {
  AtomicFile file(kOperation, path);
  Temporary input;
  Temporary output;
  Temporary errors;
  input.write(dot);
  const int status = run_dot(input, output, errors);
  if (status == 127) {
    throw InvalidArgument(kOperation,
                          "no program `dot`; install Graphviz, or write to_dot() to a file "
                          "and draw it elsewhere");
  }
  if (status != 0) {
    std::string said = errors.read();
    if (const size_t end = said.find('\n'); end != std::string::npos) said.resize(end);
    throw InvalidArgument(kOperation, fmt::format("`dot` ended with status {}: {}", status, said));
  }
  file.write(output.read());
  file.commit();
}

TUFF_NAMESPACE_END
