// A connection to a server on this machine, for tests of what is answered to which bytes.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tuff::http_test {

class Connection {
 public:
  explicit Connection(int port, const char* address = "127.0.0.1")
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    ::inet_pton(AF_INET, address, &to.sin_addr);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
      ::close(socket_);
      throw std::runtime_error("nobody listens there");
    }
  }
  ~Connection() {
    if (socket_ >= 0) ::close(socket_);
  }
  Connection(Connection&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), text_(std::move(other.text_)) {}
  Connection& operator=(Connection&&) = delete;

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      text.remove_prefix(static_cast<size_t>(count));
    }
  }
  void end_sending() { ::shutdown(socket_, SHUT_WR); }

  /// Everything until the server closes, or 20 s have passed.
  std::string read_all() {
    while (more()) {
    }
    return std::move(text_);
  }
  /// Until this has come; what follows stays. Empty when the server closed before.
  std::string read_until(std::string_view end) {
    size_t at = 0;
    while ((at = text_.find(end)) == std::string::npos) {
      if (!more()) return {};
    }
    std::string result = text_.substr(0, at + end.size());
    text_.erase(0, result.size());
    return result;
  }

 private:
  bool more() {
    pollfd waited{socket_, POLLIN, 0};
    if (::poll(&waited, 1, 20'000) != 1) throw std::runtime_error("the server is silent: " + text_);
    char bytes[65536];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    text_.append(bytes, static_cast<size_t>(count));
    return true;
  }
  int socket_;
  std::string text_;
};

/// A GET of this path with these lines in its head, beside Host.
inline std::string get_text(int port, std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
         "\r\n" + std::string(more) + "\r\n";
}

inline std::string answer_to(int port, std::string_view request) {
  Connection connection(port);
  connection.send(request);
  return connection.read_all();
}

/// The first line of an answer, without "HTTP/1.1 ".
inline std::string status_of(std::string_view answer) {
  return std::string(answer.substr(0, answer.find("\r\n")))
      .substr(std::string_view("HTTP/1.1 ").size());
}

/// A client of the stream of events.
class Events {
 public:
  explicit Events(int port) : connection_(port) {
    connection_.send(get_text(port, "/events"));
    head_ = connection_.read_until("\r\n\r\n");
    connection_.read_until("retry: 1000\n\n");
  }
  const std::string& head() const { return head_; }
  /// The data of the next event; empty when the server has closed.
  std::string next() {
    const std::string event = connection_.read_until("\n\n");
    return event.empty() ? event : event.substr(6, event.size() - 8);
  }
  nlohmann::json next_json() { return nlohmann::json::parse(next()); }

 private:
  Connection connection_;
  std::string head_;
};

}  // namespace tuff::http_test
