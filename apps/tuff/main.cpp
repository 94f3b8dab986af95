// The command line `tuff`: finds the command, runs it, and turns errors into a line and an exit code.
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "apps/tuff/command.h"

namespace {

/// What a user has to know of an error: causes, without the wrapping of the scheduler.
std::string message_of(const std::exception& error) {
  if (const auto* task = dynamic_cast<const tuff::TaskError*>(&error)) {
    const std::exception_ptr& cause = task->failures().front().cause;
    std::string text = tuff::describe(cause);
    const size_t others = task->failures().size() - 1;
    if (others > 0)
      text += fmt::format("\n      ({} more {} failed)", others, others == 1 ? "task" : "tasks");
    return text;
  }
  if (dynamic_cast<const tuff::MemoryError*>(&error) != nullptr)
    return fmt::format("{}\n      --memory sets the budget", error.what());
  return error.what();
}

int call(const tuff::cli::Run& run) {
  try {
    return run();
  } catch (const tuff::Cancelled&) {
    fmt::print(stderr, "tuff: interrupted; nothing was written\n");
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "tuff: out of memory; fewer features or a larger machine are needed\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "tuff: {}\n", message_of(error));
  }
  return tuff::cli::kRunError;
}

}  // namespace

int main(int argc, char** argv) {
  const std::stop_token stop = tuff::cli::stop_on_signals();
  CLI::App app("Blocked arrays and statistics at the speed of memory.", "tuff");
  app.set_version_flag("--version", "tuff " TUFF_VERSION);
  app.require_subcommand(1);
  tuff::cli::Run run;
  CLI::App* glm = app.add_subcommand("glm", "Generalized linear models: fit one, or use one");
  glm->require_subcommand(1);
  tuff::cli::add_glm_fit(*glm, stop, run);
  tuff::cli::add_glm_predict(*glm, stop, run);
  tuff::cli::add_info(app, run);
  try {
    app.parse(tuff::cli::arguments_of(argc, argv));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? tuff::cli::kOk : tuff::cli::kUsageError;
  } catch (const tuff::InvalidArgument& error) {
    fmt::print(stderr, "tuff: {}\n", error.what());
    return tuff::cli::kUsageError;
  }
  return call(run);
}
