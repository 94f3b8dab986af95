// What a dashboard costs: the same tasks without one, with one, and with clients; see README.md.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tuff/tuff.h"

#include "bench/common/bench.h"

namespace {

constexpr int64_t kTasks = 40'000;
double task_seconds = 10e-6;
int64_t steps_per_task = 1;

double spin(int64_t seed) {
  double x = static_cast<double>(seed);
  for (int64_t i = 0; i < steps_per_task; ++i) x = x * 0.999 + 0.001;
  return x;
}

void calibrate() {
  steps_per_task = 1'000'000;
  double fastest = 1;
  volatile double sink = 0;
  for (int i = 0; i < 20; ++i) {
    const double start = bench_now();
    sink = sink + spin(i);
    fastest = std::min(fastest, bench_now() - start);
  }
  steps_per_task = static_cast<int64_t>(1e6 * task_seconds / fastest);
}

/// Processor time of all threads of this process: the server's and the clients' too.
double processor_now() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Reads the events until the server ends them.
class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string request = "GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 ||
        ::send(socket_, request.data(), request.size(), 0) < 0)
      bench_fail("cannot connect", "client");
    reader_ = std::thread([this] {
      char bytes[65536];
      for (ssize_t n = 1; n > 0; n = ::recv(socket_, bytes, sizeof bytes, 0)) received_ += n;
    });
  }
  ~Client() {
    reader_.join();
    ::close(socket_);
  }
  /// Until the first message has come.
  void wait() const {
    while (received_ < 300) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

 private:
  int socket_;
  std::atomic<int64_t> received_{0};
  std::thread reader_;
};

double median(std::vector<double> values, double share = 0.5) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 41;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 2;
  if (argc > 3) task_seconds = 1e-6 * std::atof(argv[3]);
  if (rounds < 1 || threads < 1 || !(task_seconds > 0))
    bench_fail("out of range", "rounds, threads, microseconds");
  calibrate();
  tuff::TaskGraph graph;
  std::vector<tuff::Node<double>> ends;
  for (int64_t i = 0; i < kTasks; ++i) {
    ends.push_back(graph.add({"spin", {i}}, spin, i));
    graph.set(ends.back(), {.cost_seconds = task_seconds});
  }
  tuff::Context context({.threads = threads});
  tuff::TaskCompileOptions compile_options{.threads = threads};
  compile_options.widths.ave_width = 1;
  const tuff::TaskPlan plan = tuff::compile(graph, ends, compile_options);
  const tuff::RunOptions run{.context = &context};

  const char* const names[] = {"no dashboard", "dashboard", "1 client", "10 clients"};
  const int clients_of[] = {-1, 0, 1, 10};
  std::vector<double> wall[4];
  std::vector<double> processor[4];
  std::vector<double> wall_ratio[4];
  std::vector<double> processor_ratio[4];
  for (int round = -1; round < rounds; ++round) {  // the first is warm-up
    double took[4];
    double used[4];
    for (int i = 0; i < 4; ++i) {
      const int kind = round % 2 == 0 ? i : 3 - i;
      std::unique_ptr<tuff::Dashboard> dashboard;
      std::vector<std::unique_ptr<Client>> clients;
      if (clients_of[kind] >= 0)
        dashboard = std::make_unique<tuff::Dashboard>(
            tuff::DashboardOptions{.port = 0, .context = &context});
      for (int c = 0; c < clients_of[kind]; ++c)
        clients.push_back(std::make_unique<Client>(dashboard->port()));
      for (const auto& client : clients) client->wait();
      const double start = bench_now();
      const double processor_start = processor_now();
      plan.run(run);
      took[kind] = bench_now() - start;
      used[kind] = processor_now() - processor_start;
      dashboard.reset();
    }
    if (round < 0) continue;
    for (int kind = 0; kind < 4; ++kind) {
      wall[kind].push_back(took[kind]);
      processor[kind].push_back(used[kind]);
      wall_ratio[kind].push_back(took[kind] / took[0]);
      processor_ratio[kind].push_back(used[kind] / used[0]);
    }
  }
  std::printf("%zu tasks of %g us on %d threads, %d rounds\n", plan.task_count(),
              1e6 * task_seconds, threads, rounds);
  for (int kind = 0; kind < 4; ++kind) {
    std::printf(
        "%-14s wall %.4f s, x %.4f (%.4f to %.4f)   processors %.4f s, x %.4f (%.4f to %.4f)\n",
        names[kind], median(wall[kind]), median(wall_ratio[kind]), median(wall_ratio[kind], 0.25),
        median(wall_ratio[kind], 0.75), median(processor[kind]), median(processor_ratio[kind]),
        median(processor_ratio[kind], 0.25), median(processor_ratio[kind], 0.75));
  }
}
