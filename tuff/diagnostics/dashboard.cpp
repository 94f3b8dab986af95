// See dashboard.h: the state of the runs (live.h), the server that tells it (event_server.h), the page.
#include "tuff/diagnostics/dashboard.h"

#include <cerrno>

#include <fmt/format.h>
#include <unistd.h>

#include "tuff/base/context.h"
#include "tuff/diagnostics/event_server.h"
#include "tuff/diagnostics/json.h"
#include "tuff/diagnostics/live.h"
#include "tuff/diagnostics/page.h"

TUFF_NAMESPACE_BEGIN

namespace {

std::string page_of(const DashboardOptions& options) {
  const std::string title =
      options.title.empty() ? fmt::format("{} ({})", ::program_invocation_short_name, ::getpid())
                            : options.title;
  JsonWriter json;
  json.open('{');
  json.member("title", title);
  json.close('}');
  return filled(kDashboardPage, title, json.take());
}

}  // namespace

class Dashboard::Server {
 public:
  explicit Server(const DashboardOptions& options)
      : context_(options.context != nullptr ? *options.context : Context::current()),
        state_(std::make_shared<LiveState>(context_)),
        events_("dashboard", {.host = options.host, .port = options.port, .page = page_of(options)},
                *state_) {
    context_.add_trace(state_);
    context_.add_observer(state_);
  }
  // Runs that are under way keep the state until they end.
  ~Server() {
    context_.remove_trace(state_.get());
    context_.remove_observer(state_.get());
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const EventServer& events() const { return events_; }

 private:
  Context& context_;
  std::shared_ptr<LiveState> state_;
  EventServer events_;
};

Dashboard::Dashboard(const DashboardOptions& options)
    : server_(std::make_unique<Server>(options)) {}
Dashboard::~Dashboard() = default;

std::string Dashboard::url() const { return server_->events().url(); }
int Dashboard::port() const { return server_->events().port(); }

TUFF_NAMESPACE_END
