// See event_server.h.
#include "tuff/diagnostics/event_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

namespace {

using namespace std::chrono_literals;

// A browser takes six connections; 64 are ten browsers, and cost nothing.
constexpr size_t kMostClients = 64;
// Browsers send some 1 kB; other servers refuse from 8 to 16 kB.
constexpr size_t kMostRequestBytes = 16384;
// A snapshot of a machine with many threads is some MB; who lags behind by more begins anew.
constexpr size_t kMostUnsentBytes = size_t{16} << 20;
// For a request to arrive, or an answer to be read.
constexpr std::chrono::seconds kPatience{10};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// The head of a request, as far as it matters here.
struct Request {
  std::string method;
  std::string path;
  std::optional<std::string> host, origin, site;
};

/// None when it is not HTTP/1, or has not just one Host.
std::optional<Request> parse(std::string_view head) {
  Request request;
  const size_t end = head.find("\r\n");
  const std::string_view line = head.substr(0, end);
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return {};
  if (line.substr(last + 1, 7) != "HTTP/1.") return {};
  request.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  request.path = target.substr(0, target.find('?'));
  for (size_t at = end + 2; at < head.size();) {
    const size_t stop = std::min(head.find("\r\n", at), head.size());
    const std::string_view field = head.substr(at, stop - at);
    at = stop + 2;
    const size_t colon = field.find(':');
    if (colon == std::string_view::npos) return {};
    const std::string name = lower(field.substr(0, colon));
    std::optional<std::string>* const wanted = name == "host"             ? &request.host
                                               : name == "origin"         ? &request.origin
                                               : name == "sec-fetch-site" ? &request.site
                                                                          : nullptr;
    if (wanted == nullptr) continue;
    if (wanted->has_value()) return {};
    *wanted = lower(trimmed(field.substr(colon + 1)));
  }
  if (!request.host) return {};
  return request;
}

/// Without the port, and an IPv6 address without its brackets.
std::string name_in(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  return std::string(host.substr(0, host.find(':')));
}

std::string address_text(const sockaddr_storage& address, socklen_t length) {
  char text[NI_MAXHOST];
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, text, sizeof text, nullptr,
                    0, NI_NUMERICHOST) != 0)
    return {};
  const std::string_view found(text);
  // An IPv4 client of a socket for both.
  if (found.starts_with("::ffff:")) return std::string(found.substr(7));
  return std::string(found);
}

std::string machine_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? lower(name) : std::string();
}

bool is_any_address(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

constexpr std::string_view kHeaders =
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Content-Security-Policy: frame-ancestors 'none'\r\n"
    "Connection: close\r\n";

std::string whole_answer(std::string_view status, std::string_view type, std::string_view body,
                         std::string_view more = "") {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}; charset=utf-8\r\nContent-Length: {}\r\n{}{}\r\n{}", status,
      type, body.size(), kHeaders, more, body);
}

std::string refusal(std::string_view status, std::string_view why, std::string_view more = "") {
  return whole_answer(status, "text/plain", std::string(why) + "\n", more);
}

/// A socket that listens there. Throws InvalidArgument.
int listen_at(std::string_view operation, const EventServerOptions& options) {
  if (options.port < 0 || options.port > 65535) {
    throw InvalidArgument(
        operation,
        fmt::format("port = {}; accepted: 1 to 65535, or 0 for any that is free", options.port));
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  // An empty name would mean all addresses.
  const int failed = options.host.empty()
                         ? EAI_NONAME
                         : ::getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(),
                                         &hints, &found);
  if (failed != 0) {
    throw InvalidArgument(operation,
                          fmt::format("host '{}': {}; an address or a name of this machine is "
                                      "needed, such as 127.0.0.1, or 0.0.0.0 for all of them",
                                      options.host, ::gai_strerror(failed)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  int error = 0;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int socket =
        ::socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
    const int yes = 1;  // connections of a program that has ended do not keep the port busy
    if (socket >= 0 && ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        ::bind(socket, at->ai_addr, at->ai_addrlen) == 0 && ::listen(socket, SOMAXCONN) == 0)
      return socket;
    error = errno;
    if (socket >= 0) ::close(socket);
  }
  if (error == EADDRINUSE) {
    throw InvalidArgument(operation,
                          fmt::format("port {} of {} is in use by another program or "
                                      "dashboard; give another one, or 0 for any that is free",
                                      options.port, options.host));
  }
  if (error == EADDRNOTAVAIL) {
    throw InvalidArgument(operation,
                          fmt::format("host '{}' is no address of this machine; accepted: "
                                      "one that is, such as 127.0.0.1, or 0.0.0.0 for all of them",
                                      options.host));
  }
  throw InvalidArgument(
      operation,
      fmt::format("cannot listen on port {} of {}: {}; 0 takes any port that is free, and "
                  "those from 1024 need no rights",
                  options.port, options.host, std::strerror(error)));
}

}  // namespace

EventServer::EventServer(std::string_view operation, EventServerOptions options, EventFeed& feed)
    : options_(std::move(options)), feed_(feed) {
  listener_ = listen_at(operation, options_);
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                              : reinterpret_cast<sockaddr_in&>(address).sin_port);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  try {
    if (wake_ < 0) throw std::system_error(errno, std::generic_category());
    thread_ = std::thread([this] { serve(); });
  } catch (const std::system_error& error) {
    ::close(listener_);
    if (wake_ >= 0) ::close(wake_);
    throw Error(fmt::format("[{}] cannot start the server: {}", operation, error.what()));
  }
}

EventServer::~EventServer() {
  const uint64_t one = 1;
  static_cast<void>(!::write(wake_, &one, sizeof one));
  thread_.join();
  drop_all();
  ::close(listener_);
  ::close(wake_);
}

std::string EventServer::url() const {
  const std::string host = is_any_address(options_.host) ? machine_name() : options_.host;
  const bool brackets = host.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}/", brackets ? "[" : "", host, brackets ? "]" : "", port_);
}

void EventServer::serve() {
  Clock::time_point next = Clock::now();
  while (!stop_) {
    try {
      wait(next);
      if (stop_ || Clock::now() < next) continue;
      next = std::max(next + options_.pause, Clock::now());
      may_accept_ = true;
      tell();
      close_finished();
    } catch (const std::bad_alloc&) {
      drop_all();  // they come back, and begin with a snapshot
    }
  }
}

void EventServer::drop_all() {
  for (const Client& client : clients_) ::close(client.socket);
  clients_.clear();
}

/// Until then, or until something happened, which it deals with.
void EventServer::wait(Clock::time_point until) {
  std::vector<pollfd> waited;
  waited.push_back({wake_, POLLIN, 0});
  waited.push_back({may_accept_ ? listener_ : -1, POLLIN, 0});
  for (const Client& client : clients_) {
    const bool writes = client.sent < client.out.size();
    const int events = (client.has_ended ? 0 : POLLIN) | (writes ? POLLOUT : 0);
    waited.push_back({client.socket, static_cast<short>(events), 0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  if (::poll(waited.data(), waited.size(), static_cast<int>(std::max<int64_t>(left, 0))) <= 0)
    return;
  stop_ = waited[0].revents != 0;
  for (size_t c = 0; c < clients_.size(); ++c) {
    const short events = waited[c + 2].revents;
    if ((events & POLLOUT) != 0) write(clients_[c]);
    if ((events & POLLIN) != 0) read(clients_[c]);
    if ((events & (POLLERR | POLLHUP)) != 0) clients_[c].until = {};
  }
  if (waited[1].revents != 0) accept_clients();
  close_finished();
}

void EventServer::accept_clients() {
  for (;;) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0) {
      // Out of file descriptors, most likely: asking again at once would not help.
      if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ECONNABORTED)
        may_accept_ = false;
      return;
    }
    Client& client = clients_.emplace_back();
    client.socket = socket;
    client.until = Clock::now() + kPatience;
    if (clients_.size() <= kMostClients) continue;
    client.stage = Stage::answer;
    client.out = refusal("503 Service Unavailable",
                         fmt::format("This dashboard has {} connections already.", kMostClients));
    write(client);
    close_finished();
  }
}

void EventServer::tell() {
  const std::string step = "data: " + feed_.step() + "\n\n";
  for (Client& client : clients_) {
    if (client.stage != Stage::stream) continue;
    if (client.is_new) {
      client.out += "data: " + feed_.snapshot() + "\n\n";
    } else {
      client.out += step;
    }
    client.is_new = false;
    write(client);
  }
}

void EventServer::read(Client& client) {
  char bytes[4096];
  for (int round = 0; round < 16; ++round) {  // there are others
    const ssize_t count = ::recv(client.socket, bytes, sizeof bytes, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (count <= 0) {
      client.has_ended = true;
      // It is gone, or has only said that it asks no more, and waits for the rest of its answer.
      if (count < 0 || client.stage != Stage::answer) client.until = {};
      return;
    }
    if (client.stage != Stage::request) continue;
    client.in.append(bytes, static_cast<size_t>(count));
    if (client.in.find("\r\n\r\n") != std::string::npos) {
      answer(client);
      write(client);
    } else if (client.in.size() > kMostRequestBytes) {
      client.out = refusal("431 Request Header Fields Too Large",
                           fmt::format("At most {} bytes are accepted.", kMostRequestBytes));
      client.stage = Stage::answer;
      write(client);
    }
  }
}

void EventServer::write(Client& client) {
  while (client.sent < client.out.size()) {
    const ssize_t count = ::send(client.socket, client.out.data() + client.sent,
                                 client.out.size() - client.sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      client.until = {};
      return;
    }
    if (count < 0) break;
    client.sent += static_cast<size_t>(count);
  }
  // What was sent is let go of also when there is more: a client may lag a little behind for ever.
  client.out.erase(0, client.sent);
  client.sent = 0;
  if (!client.out.empty()) {
    if (client.out.size() > kMostUnsentBytes) client.until = {};
    return;
  }
  if (client.stage != Stage::answer) return;
  ::shutdown(client.socket, SHUT_WR);
  client.stage = Stage::closing;
  client.until = client.has_ended ? Clock::time_point() : std::min(client.until, Clock::now() + 1s);
}

void EventServer::close_finished() {
  const Clock::time_point now = Clock::now();
  std::erase_if(clients_, [now](const Client& client) {
    if (now < client.until) return false;
    ::close(client.socket);
    return true;
  });
}

std::vector<std::string> EventServer::hosts_of(int socket) const {
  std::vector<std::string> hosts;
  if (is_any_address(options_.host)) {
    hosts.push_back(machine_name());
  } else {
    hosts.push_back(lower(options_.host));
  }
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return hosts;
  hosts.push_back(address_text(address, length));
  if (hosts.back().starts_with("127.") || hosts.back() == "::1") hosts.emplace_back("localhost");
  return hosts;
}

/// Decides on what the client asked for.
void EventServer::answer(Client& client) {
  const std::optional<Request> request =
      parse(std::string_view(client.in).substr(0, client.in.find("\r\n\r\n")));
  client.in.clear();
  client.in.shrink_to_fit();
  client.stage = Stage::answer;
  if (!request) {
    client.out = refusal("400 Bad Request", "This is no request of HTTP/1.1 with one Host.");
    return;
  }
  const std::vector<std::string> hosts = hosts_of(client.socket);
  if (std::find(hosts.begin(), hosts.end(), name_in(*request->host)) == hosts.end()) {
    client.out =
        refusal("403 Forbidden", "This server has another name; ask for it by its address.");
    return;
  }
  const bool foreign = request->origin
                           ? *request->origin != "http://" + *request->host
                           : request->path == "/events" && request->site &&
                                 *request->site != "same-origin" && *request->site != "none";
  if (foreign) {
    client.out = refusal("403 Forbidden", "Pages of other origins may not read this.");
    return;
  }
  const bool is_head = request->method == "HEAD";
  if (request->method != "GET" && !is_head) {
    client.out =
        refusal("405 Method Not Allowed", "GET and HEAD are accepted.", "Allow: GET, HEAD\r\n");
  } else if (request->path == "/") {
    client.out = whole_answer("200 OK", "text/html", options_.page);
  } else if (request->path == "/events") {
    // Browsers wait for a second before they come back.
    client.out = fmt::format(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{}\r\nretry: 1000\n\n", kHeaders);
    if (!is_head) {
      client.stage = Stage::stream;
      client.is_new = true;
      client.until = Clock::time_point::max();
    }
  } else {
    client.out = refusal("404 Not Found", "There are / and /events.");
  }
  if (is_head) client.out.resize(client.out.find("\r\n\r\n") + 4);  // what comes before a body
}

TUFF_NAMESPACE_END
