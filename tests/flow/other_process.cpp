// The other process, and main(): the tests, or with one special argument that process. See other_process.h.
#include "other_process.h"

#include <cerrno>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/conform/naive.h"

namespace tuff::flow {

namespace {

constexpr std::string_view kServe = "--compute-graphs-from-stdin";

bool write_all(int file, const void* data, size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = write(file, from, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    from += n;
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

bool read_all(int file, void* data, size_t bytes) {
  char* to = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t n = read(file, to, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

void put(int file, const std::byte* data, uint64_t bytes) {
  if (!write_all(file, &bytes, sizeof bytes) || !write_all(file, data, bytes))
    throw std::runtime_error("a broken pipe");
}

bool get(int file, std::vector<std::byte>& bytes) {
  uint64_t size = 0;
  if (!read_all(file, &size, sizeof size)) return false;
  bytes.resize(size);
  return read_all(file, bytes.data(), size);
}

/// Reads messages and answers each, until the pipe ends.
void serve() {
  for (Bytes message; get(STDIN_FILENO, message);) {
    Bytes answer;
    try {
      for (const Result& result : compute(graph::deserialize(message).outputs, {.threads = 2})) {
        const conform::Dense value(result.gather());
        answer.insert(answer.end(), value.bytes.begin(), value.bytes.end());
      }
    } catch (const Error& error) {
      const std::string_view text = error.what();
      const auto* first = reinterpret_cast<const std::byte*>(text.data());
      answer.assign(first, first + text.size());
    }
    put(STDOUT_FILENO, answer.data(), answer.size());
  }
}

/// What both processes know by name: 0, 1, 2, ...
Block ramp(const BlockInfo& info) {
  Block block = Block::allocate(info.dtype, info.shape);
  for (int64_t i = 0; i < block.size(); ++i)
    block.data<double>()[i] = static_cast<double>(info.start[0] + i);
  return block;
}

}  // namespace

OtherProcess::OtherProcess() {
  int to[2];
  int from[2];
  if (pipe(to) != 0 || pipe(from) != 0) throw std::runtime_error("no pipes");
  pid_ = fork();
  if (pid_ == 0) {
    // Only calls that are safe after fork() in a program with threads.
    dup2(to[0], STDIN_FILENO);
    dup2(from[1], STDOUT_FILENO);
    for (int file : {to[0], to[1], from[0], from[1]}) close(file);
    execl("/proc/self/exe", "/proc/self/exe", kServe.data(), static_cast<char*>(nullptr));
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  to_ = to[1];
  from_ = from[0];
}

OtherProcess::~OtherProcess() {
  close(to_);
  close(from_);
  int status = 0;
  waitpid(pid_, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << "the other process ended with status " << status;
}

Bytes OtherProcess::compute(const Bytes& message) {
  put(to_, message.data(), message.size());
  Bytes answer;
  if (!get(from_, answer)) throw std::runtime_error("no answer from the other process");
  return answer;
}

}  // namespace tuff::flow

int main(int argc, char** argv) {
  tuff::graph::register_function("flow.ramp", tuff::flow::ramp);
  if (argc > 1 && argv[1] == tuff::flow::kServe) {
    tuff::flow::serve();
    return 0;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
