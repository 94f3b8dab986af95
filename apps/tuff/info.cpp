// `tuff info`: what this build has, and what it sees of the machine.
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/tuff/command.h"

namespace tuff::cli {

void add_info(CLI::App& app, Run& run) {
  CLI::App* command =
      app.add_subcommand("info", "Show version, CPU features, threads, memory and optional parts");
  command->callback([&run] {
    run = [] {
      const auto line = [](std::string_view name, const std::string& value) {
        fmt::print("{:<18}{}\n", name, value);
      };
      line("version", TUFF_VERSION);
      line("instruction sets",
           fmt::format("{} (in use: {})", fmt::join(kernels::available_targets(), ", "),
                       kernels::current_target()));
      line("threads", std::to_string(Context::current().threads()));
      line("memory", bytes_text(static_cast<double>(usable_memory())));
      line("memory budget", bytes_text(static_cast<double>(Context::current().memory_bytes())));
      line("files", "Parquet, CSV, npy (Arrow " TUFF_ARROW_VERSION ")");
      return kOk;
    };
  });
}

}  // namespace tuff::cli
