// A web server of one page and one stream of events, on one thread. Used by Dashboard.
//
// Speaks the part of HTTP/1.1 that browsers need for this: GET /, GET /events (server-sent events), one
// request per connection. Whatever it has to wait for, it waits for in one poll(), so that stopping takes no
// time and a client that does not read holds up nobody. Invariant: bytes kept per client are bounded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

/// What is told. Called on the server's thread; texts without line breaks.
class EventFeed {
 public:
  virtual ~EventFeed() = default;
  /// What is new since the last step, for clients that know everything before.
  virtual std::string step() = 0;
  /// Everything, for a client that knows nothing, so that the next step goes on from there.
  virtual std::string snapshot() = 0;
};

struct EventServerOptions {
  std::string host;
  int port = 0;                                                     ///< 0 takes any that is free
  std::string page;                                                 ///< what GET / gets
  std::chrono::nanoseconds pause = std::chrono::milliseconds(200);  ///< between two steps
};

/// Serves from construction to destruction.
///
/// A page of another origin must not read what is told here, also when its author makes a name of his point
/// to this machine: requests are refused (403) whose Host is neither the host of the options nor the address
/// that they came to (nor "localhost", where that is a loopback address), or whose Origin is not that host.
class EventServer {
 public:
  /// Throws InvalidArgument in the name of `operation` when host and port cannot be listened on. `feed`
  /// outlives this.
  EventServer(std::string_view operation, EventServerOptions options, EventFeed& feed);
  ~EventServer();
  EventServer(const EventServer&) = delete;
  EventServer& operator=(const EventServer&) = delete;

  int port() const { return port_; }
  /// With the host of the options, or the name of this machine where that means all of its addresses.
  std::string url() const;

 private:
  using Clock = std::chrono::steady_clock;
  enum class Stage : uint8_t {
    request,  ///< its head is being read
    stream,   ///< gets events
    answer,   ///< gets the rest of an answer, and is closed then
    closing,  ///< has got all; what it still sends is read, lest the system discards what we sent
  };
  struct Client {
    int socket = -1;
    Stage stage = Stage::request;
    bool is_new = false;     ///< to the stream: needs a snapshot
    bool has_ended = false;  ///< sends no more
    std::string in;
    std::string out;
    size_t sent = 0;  ///< of out
    Clock::time_point until = {};
  };

  void serve();
  void wait(Clock::time_point until);
  void accept_clients();
  void tell();
  void drop_all();
  void read(Client& client);
  void write(Client& client);
  void answer(Client& client);
  void close_finished();
  /// Names of this server that a client of this socket may use.
  std::vector<std::string> hosts_of(int socket) const;

  const EventServerOptions options_;
  EventFeed& feed_;
  int port_ = 0;
  int listener_ = -1;
  int wake_ = -1;  // an eventfd: the server is to stop
  bool may_accept_ =
      true;  // no longer, until the next step, when there are no file descriptors left
  bool stop_ = false;
  std::vector<Client> clients_;
  std::thread thread_;
};

TUFF_NAMESPACE_END
