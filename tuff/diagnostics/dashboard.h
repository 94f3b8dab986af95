// A web page that shows what the runs of a context do while they do it.
//
// A reader of traces and of progress: nothing in the layers below knows it. docs/dashboard.md says what the page
// shows and who may look.
#pragma once

#include <memory>
#include <string>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN

class Context;

struct DashboardOptions {
  /// 0 takes any that is free. The default spells TUFF on a telephone.
  int port = 8833;
  /// Address or name of this machine to listen on. Nobody is asked for a password: whoever reaches it sees
  /// names of operations and figures, and can change nothing.
  std::string host = "127.0.0.1";
  /// On top of the page; empty is the name of this program.
  std::string title = {};
  /// Whose runs to show; null is Context::current().
  Context* context = nullptr;
};

/// Serves the page from construction to destruction, and shows every outermost run of the context that starts in
/// between. Costs a thread that sleeps and, per task, what a trace costs; memory stays bounded however long
/// it lives. Several at once are fine. The context must outlive this.
/// Throws InvalidArgument when the port is in use, or host or port are none to listen on.
class TUFF_API Dashboard {
 public:
  explicit Dashboard(const DashboardOptions& options = {});
  ~Dashboard();
  Dashboard(const Dashboard&) = delete;
  Dashboard& operator=(const Dashboard&) = delete;

  /// Such as "http://127.0.0.1:8833/".
  std::string url() const;
  int port() const;

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

TUFF_NAMESPACE_END
