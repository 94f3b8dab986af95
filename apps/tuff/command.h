// What the commands of `tuff` share: options that all have, the run they make of them, and how text is
// printed.
//
// A command is a function that declares its options on a CLI::App and gives what to do. main.cpp lists
// them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "tuff/table/table.h"
#include "tuff/tuff.h"

namespace CLI {
class App;
}

namespace tuff::cli {

/// Exit codes.
inline constexpr int kOk = 0;
inline constexpr int kRunError = 1;
inline constexpr int kUsageError = 2;

/// Options of every command that computes.
struct CommonOptions {
  std::optional<int> threads;
  std::string memory;            ///< as given; empty: the default of contexts
  std::optional<int> dashboard;  ///< port; none: no dashboard
  bool quiet = false;
};
void add_common_options(CLI::App& app, CommonOptions& options);

/// Options of every command that reads tables.
struct TableOptions {
  std::vector<std::string> paths;
  std::string nulls = "error";
  bool multiline = false;
  char delimiter = ',';
};
void add_table_options(CLI::App& app, TableOptions& options);
table::Table open_table(const TableOptions& options);

/// "2GB", "512 MiB", "1e9": bytes. Throws InvalidArgument.
size_t parse_bytes(const std::string& text);

/// The arguments of a command line, with `--dashboard 8000` as "--dashboard=8000" and one without a number after it
/// with the default port: so that in `--dashboard data.csv` the file stays one. Last argument first, as
/// CLI::App::parse takes them.
std::vector<std::string> arguments_of(int argc, const char* const* argv);

/// What a command computes with: its context, its runs, a progress bar unless it is quiet, and the dashboard if
/// one was asked for; where that is, is printed unless it is quiet.
class Computation {
 public:
  Computation(const CommonOptions& options, const std::stop_token& stop);
  Context& context() { return context_; }
  const RunOptions& run() const { return run_; }
  /// Takes the bar away, before results are printed.
  void end_progress() { bar_.reset(); }

 private:
  Context context_;
  RunOptions run_;
  std::optional<Dashboard> dashboard_;
  std::optional<ProgressBar> bar_;
};

/// "3,000,000"; "1.2 GB"; "0.153 s".
std::string with_commas(int64_t number);
std::string bytes_text(double bytes);
std::string seconds_text(double seconds);
/// Columns lined up, numbers (all but the first column) to the right; two spaces in front.
std::string text_table(const std::vector<std::vector<std::string>>& rows);

/// The stop token that Ctrl-C and SIGTERM set; the second signal ends the process at once. Called first in
/// main, before there are threads.
std::stop_token stop_on_signals();

/// The commands. Each adds a subcommand to `app`; parsing fills its options, and `run` is set to what it
/// does when it was the one that was called.
using Run = std::function<int()>;
void add_glm_fit(CLI::App& app, const std::stop_token& stop, Run& run);
void add_glm_predict(CLI::App& app, const std::stop_token& stop, Run& run);
void add_info(CLI::App& app, Run& run);

}  // namespace tuff::cli
