// The server of events: what it answers, whom it refuses, many clients, bad clients, starting and stopping.
#include "tuff/diagnostics/event_server.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/error.h"

#include "tests/diagnostics/http_client.h"

namespace {

using namespace std::chrono_literals;

using tuff::EventServer;
using tuff::http_test::answer_to;
using tuff::http_test::Connection;
using tuff::http_test::Events;
using tuff::http_test::get_text;
using tuff::http_test::status_of;

/// Counts: snapshots say what the last step said.
class Counter final : public tuff::EventFeed {
 public:
  std::string step() override {
    return "step " + std::to_string(++count_) + std::string(padding, '.');
  }
  std::string snapshot() override {
    ++snapshots;
    return "snapshot " + std::to_string(count_);
  }
  std::atomic<int> snapshots{0};
  size_t padding = 0;

 private:
  int count_ = 0;
};

class Served : public ::testing::Test {
 protected:
  tuff::EventServerOptions options() {
    return {.host = "127.0.0.1", .port = 0, .page = "<p>the page</p>", .pause = 5ms};
  }
  int port() const { return server_.port(); }
  std::string status(const std::string& request) { return status_of(answer_to(port(), request)); }
  std::string request(const std::string& first_line, const std::string& lines) {
    return first_line + " HTTP/1.1\r\n" + lines + "\r\n";
  }

  Counter feed_;
  EventServer server_{"serve", options(), feed_};
};

size_t threads_of_this_process() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

std::string refusal(tuff::EventServerOptions options) {
  Counter feed;
  try {
    const EventServer server("serve", std::move(options), feed);
  } catch (const tuff::InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

using EventServerTest = Served;

TEST_F(EventServerTest, GivesThePageToWhoeverAsksForIt) {
  const std::string answer = answer_to(port(), get_text(port(), "/"));
  EXPECT_EQ(status_of(answer), "200 OK");
  EXPECT_NE(answer.find("Content-Type: text/html; charset=utf-8\r\n"), std::string::npos);
  EXPECT_NE(answer.find("Content-Length: 15\r\n"), std::string::npos);
  EXPECT_NE(answer.find("Cache-Control: no-store\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n<p>the page</p>"));
  EXPECT_EQ(status(get_text(port(), "/?reload=1")), "200 OK");
}

TEST_F(EventServerTest, OtherPathsAndMethodsAreRefused) {
  EXPECT_EQ(status(get_text(port(), "/etc/passwd")), "404 Not Found");
  EXPECT_EQ(status(get_text(port(), "/events/")), "404 Not Found");
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get"}) {
    const std::string answer =
        answer_to(port(), request(std::string(method) + " /", "Host: 127.0.0.1\r\n"));
    EXPECT_EQ(status_of(answer), "405 Method Not Allowed") << method;
    EXPECT_NE(answer.find("Allow: GET, HEAD\r\n"), std::string::npos);
  }
}

TEST_F(EventServerTest, HeadGivesWhatComesBeforeTheBody) {
  const auto head = [&](const std::string& path) {
    return answer_to(port(), request("HEAD " + path, "Host: 127.0.0.1\r\n"));
  };
  const std::string page = head("/");
  EXPECT_EQ(status_of(page), "200 OK");
  EXPECT_NE(page.find("Content-Length: 15\r\n"), std::string::npos);
  EXPECT_TRUE(page.ends_with("\r\n\r\n")) << page;
  EXPECT_EQ(status_of(head("/events")), "200 OK");
  EXPECT_TRUE(head("/events").ends_with("\r\n\r\n"));
  EXPECT_EQ(status_of(head("/none")), "404 Not Found");
  EXPECT_TRUE(head("/none").ends_with("\r\n\r\n"));
}

TEST_F(EventServerTest, HostsThatAreNotThisServerAreRefused) {
  const std::string at = ":" + std::to_string(port());
  for (const std::string& host :
       {"127.0.0.1" + at, "localhost" + at, std::string("LOCALHOST:9"), std::string("127.0.0.1")}) {
    EXPECT_EQ(status(request("GET /", "Host: " + host + "\r\n")), "200 OK") << host;
  }
  for (const std::string& host :
       {"attacker.example" + at, "127.0.0.1.attacker.example" + at, "10.0.0.1" + at,
        "127.0.0.2" + at, std::string("[::1]") + at, std::string("")}) {
    for (const char* path : {"/", "/events"}) {
      EXPECT_EQ(status(request("GET " + std::string(path), "Host: " + host + "\r\n")),
                "403 Forbidden")
          << host;
    }
  }
}

TEST_F(EventServerTest, PagesOfOtherOriginsAreRefused) {
  const std::string own = "127.0.0.1:" + std::to_string(port());
  const std::string host = "Host: " + own + "\r\n";
  for (const char* path : {"GET /", "GET /events"}) {
    for (const char* origin : {"http://attacker.example", "null", "http://127.0.0.1:1",
                               "http://localhost", "file://", "http://127.0.0.1"}) {
      EXPECT_EQ(status(request(path, host + "Origin: " + origin + "\r\n")), "403 Forbidden")
          << origin;
    }
    EXPECT_EQ(status(request(path, host + "Origin: https://" + own + "\r\n")), "403 Forbidden");
  }
  EXPECT_EQ(status(request("GET /", host + "ORIGIN:http://" + own + "\r\n")), "200 OK");
  // What a page of another origin embeds without reading it: browsers send no Origin then.
  EXPECT_EQ(status(request("GET /events", host + "Sec-Fetch-Site: cross-site\r\n")),
            "403 Forbidden");
  EXPECT_EQ(status(request("GET /events", host + "Sec-Fetch-Site: same-site\r\n")),
            "403 Forbidden");
  EXPECT_EQ(status(request("GET /", host + "Sec-Fetch-Site: cross-site\r\n")), "200 OK")
      << "a link";
}

TEST_F(EventServerTest, WhatIsNoRequestIsRefused) {
  const std::string host = "Host: 127.0.0.1\r\n";
  EXPECT_EQ(status("hello\r\n\r\n"), "400 Bad Request");
  EXPECT_EQ(status("GET /\r\n" + host + "\r\n"), "400 Bad Request");
  EXPECT_EQ(status("\r\n\r\n"), "400 Bad Request");
  EXPECT_EQ(status(request("GET /", "")), "400 Bad Request") << "no Host";
  EXPECT_EQ(status(request("GET /", host + host)), "400 Bad Request") << "two";
  EXPECT_EQ(status(request("GET /", host + "no colon\r\n")), "400 Bad Request");
  EXPECT_EQ(status("GET / SPDY/3\r\n" + host + "\r\n"), "400 Bad Request");
  EXPECT_EQ(status("GET /" + std::string(20'000, 'x')), "431 Request Header Fields Too Large");
}

TEST_F(EventServerTest, ARequestMayComeInPiecesAndEndEarly) {
  const std::string text = get_text(port(), "/");
  Connection slow(port());
  for (const char c : text) slow.send(std::string_view(&c, 1));
  EXPECT_EQ(status_of(slow.read_all()), "200 OK");
  Connection ended(port());
  ended.send(text);
  ended.end_sending();
  EXPECT_TRUE(ended.read_all().ends_with("<p>the page</p>"));
  Connection(port()).send("GET / HT");  // and goes away
  EXPECT_EQ(status(text), "200 OK");
}

TEST_F(EventServerTest, AClientGetsASnapshotAndThenEveryStep) {
  Events events(port());
  EXPECT_NE(events.head().find("Content-Type: text/event-stream\r\n"), std::string::npos);
  const std::string first = events.next();
  ASSERT_TRUE(first.starts_with("snapshot ")) << first;
  const int count = std::stoi(first.substr(9));
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(events.next(), "step " + std::to_string(count + i));
}

TEST_F(EventServerTest, TenClientsAtOnceAllGetEverything) {
  std::vector<std::unique_ptr<Events>> clients;
  for (int c = 0; c < 10; ++c) clients.push_back(std::make_unique<Events>(port()));
  for (const auto& client : clients) {
    const int count = std::stoi(client->next().substr(9));
    for (int i = 1; i <= 20; ++i) EXPECT_EQ(client->next(), "step " + std::to_string(count + i));
  }
  EXPECT_EQ(feed_.snapshots, 10);
  EXPECT_EQ(status(get_text(port(), "/")), "200 OK") << "and there is room for more";
}

TEST_F(EventServerTest, AClientThatComesBackBeginsWithASnapshot) {
  for (int i = 1; i <= 20; ++i) {
    Events events(port());
    EXPECT_TRUE(events.next().starts_with("snapshot "));
    EXPECT_EQ(feed_.snapshots, i);
  }
}

TEST_F(EventServerTest, TooManyConnectionsAreToldSoAndFreedWhenTheyEnd) {
  {
    std::vector<std::unique_ptr<Events>> clients;
    for (int c = 0; c < 64; ++c) clients.push_back(std::make_unique<Events>(port()));
    EXPECT_EQ(status(get_text(port(), "/")), "503 Service Unavailable");
  }
  std::string found;
  for (int tries = 0; tries < 1000 && found != "200 OK"; ++tries)
    found = status(get_text(port(), "/"));
  EXPECT_EQ(found, "200 OK");
}

TEST(EventServer, AClientThatDoesNotReadIsDroppedAndHoldsUpNobody) {
  Counter feed;
  feed.padding = 1 << 20;
  const EventServer server("serve", {.host = "127.0.0.1", .page = "", .pause = 2ms}, feed);
  Connection asleep(server.port());
  asleep.send(get_text(server.port(), "/events"));
  Events awake(server.port());
  awake.next();
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(awake.next().starts_with("step "));
  // It gets what the system had taken, and then the end: 16 MB and those buffers, not 60.
  EXPECT_LT(asleep.read_all().size(), size_t{50} << 20);
}

TEST(EventServer, StopsAtOnceWhileClientsHangOn) {
  const size_t before = threads_of_this_process();
  Counter feed;
  auto server = std::make_unique<EventServer>(
      "serve", tuff::EventServerOptions{.host = "127.0.0.1", .page = "", .pause = 1h}, feed);
  EXPECT_EQ(threads_of_this_process(), before + 1);
  const int port = server->port();
  Events streaming(port);
  Connection silent(port);
  Connection half(port);
  half.send("GET / HT");
  const auto start = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s) << "an hour is no matter";
  EXPECT_EQ(threads_of_this_process(), before);
  EXPECT_EQ(streaming.next(), "");
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_EQ(half.read_all(), "");
  EXPECT_THROW(Connection{port}, std::runtime_error);
  // The port is free at once, although connections to it have just been open.
  const EventServer next("serve", {.host = "127.0.0.1", .port = port, .page = ""}, feed);
  EXPECT_EQ(next.port(), port);
}

TEST(EventServer, APortThatIsInUseIsNamed) {
  Counter feed;
  const EventServer server("serve", {.host = "127.0.0.1", .page = ""}, feed);
  const std::string port = std::to_string(server.port());
  EXPECT_EQ(refusal({.host = "127.0.0.1", .port = server.port(), .page = ""}),
            "[serve] port " + port +
                " of 127.0.0.1 is in use by another program or dashboard; give "
                "another one, or 0 for any that is free");
}

TEST(EventServer, PortsAndHostsThatCannotBeAreRefused) {
  for (const int port : {-1, 65536}) {
    EXPECT_EQ(refusal({.host = "127.0.0.1", .port = port, .page = ""}),
              "[serve] port = " + std::to_string(port) +
                  "; accepted: 1 to 65535, or 0 for any that is free");
  }
  for (const char* host : {"", "no such host"}) {
    EXPECT_EQ(refusal({.host = host, .page = ""}),
              "[serve] host '" + std::string(host) +
                  "': Name or service not known; an address or a name of "
                  "this machine is needed, such as 127.0.0.1, or 0.0.0.0 for all of them");
  }
  EXPECT_EQ(refusal({.host = "192.0.2.1", .page = ""}),
            "[serve] host '192.0.2.1' is no address of this machine; accepted: one that is, such "
            "as 127.0.0.1, "
            "or 0.0.0.0 for all of them");
  // A link-local address without its link.
  const std::string other = refusal({.host = "fe80::1", .page = ""});
  EXPECT_TRUE(other.starts_with("[serve] cannot listen on port 0 of fe80::1: ")) << other;
  EXPECT_TRUE(
      other.ends_with("; 0 takes any port that is free, and those from 1024 need no rights"))
      << other;
}

TEST(EventServer, ItsAddressIsTheOneThatWasAskedFor) {
  Counter feed;
  const EventServer named("serve", {.host = "localhost", .page = ""}, feed);
  EXPECT_EQ(named.url(), "http://localhost:" + std::to_string(named.port()) + "/");
  const EventServer other("serve", {.host = "127.0.0.2", .page = ""}, feed);
  EXPECT_EQ(other.url(), "http://127.0.0.2:" + std::to_string(other.port()) + "/");
  Connection connection(other.port(), "127.0.0.2");
  connection.send("GET / HTTP/1.1\r\nHost: 127.0.0.2:" + std::to_string(other.port()) + "\r\n\r\n");
  EXPECT_EQ(status_of(connection.read_all()), "200 OK");
}

TEST(EventServer, OnAllAddressesEachOfThemIsItsName) {
  Counter feed;
  const EventServer server("serve", {.host = "0.0.0.0", .page = ""}, feed);
  for (const char* address : {"127.0.0.1", "127.0.0.3"}) {
    Connection right(server.port(), address);
    right.send("GET / HTTP/1.1\r\nHost: " + std::string(address) + "\r\n\r\n");
    EXPECT_EQ(status_of(right.read_all()), "200 OK");
    Connection wrong(server.port(), address);
    wrong.send("GET / HTTP/1.1\r\nHost: attacker.example\r\n\r\n");
    EXPECT_EQ(status_of(wrong.read_all()), "403 Forbidden");
  }
  char name[256] = {};
  ASSERT_EQ(::gethostname(name, sizeof name - 1), 0);
  EXPECT_NE(server.url().find(std::to_string(server.port())), std::string::npos);
  Connection by_name(server.port());
  by_name.send("GET / HTTP/1.1\r\nHost: " + std::string(name) + "\r\n\r\n");
  EXPECT_EQ(status_of(by_name.read_all()), "200 OK");
}

}  // namespace
