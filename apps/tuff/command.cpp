// Shared options and text; see command.h.
#include "apps/tuff/command.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <map>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

namespace tuff::cli {

void add_common_options(CLI::App& app, CommonOptions& options) {
  app.add_option("--threads", options.threads,
                 "Threads to use (default: all CPUs this process may use)")
      ->check(CLI::Range(1, 4096));
  app.add_option(
         "--memory", options.memory,
         "Most bytes to hold in memory, e.g. 8GB; what does not fit goes to a temporary folder "
         "(default: 60 % of what may be used)")
      ->check([](const std::string& text) -> std::string {
        try {
          parse_bytes(text);
          return {};
        } catch (const InvalidArgument& error) {
          return error.what();
        }
      });
  app.add_option("--dashboard", options.dashboard,
                 "Show what runs, live, on a web page at this port of this machine (default: " +
                     std::to_string(DashboardOptions().port) + "; 0: any that is free)")
      ->type_name("[PORT]")
      ->check(CLI::Range(0, 65535));
  app.add_flag("--quiet", options.quiet, "Print errors and nothing else");
}

void add_table_options(CLI::App& app, TableOptions& options) {
  app.add_option("files", options.paths,
                 "Parquet or CSV files of equal columns; globs in quotes work too")
      ->required();
  app.add_option(
         "--nulls", options.nulls,
         "What to do with missing values: 'error' names the first, 'drop' leaves out its row")
      ->check(CLI::IsMember({"error", "drop"}))
      ->capture_default_str();
  app.add_option("--csv-delimiter", options.delimiter, "What separates the values of a CSV file")
      ->capture_default_str();
  app.add_flag("--csv-multiline", options.multiline,
               "Quoted values of a CSV file may contain line breaks");
}

size_t parse_bytes(const std::string& text) {
  static const std::map<std::string, double> kUnits = {
      {"", 1},         {"B", 1},        {"KB", 1e3},     {"MB", 1e6},    {"GB", 1e9},
      {"TB", 1e12},    {"K", 1e3},      {"M", 1e6},      {"G", 1e9},     {"T", 1e12},
      {"KIB", 0x1p10}, {"MIB", 0x1p20}, {"GIB", 0x1p30}, {"TIB", 0x1p40}};
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  std::string unit(stop, end);
  unit.erase(std::remove(unit.begin(), unit.end(), ' '), unit.end());
  for (char& c : unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const auto found = kUnits.find(unit);
  const double bytes = found == kUnits.end() ? 0 : number * found->second;
  if (error != std::errc() || !(bytes >= 1) || bytes >= 0x1p63) {
    throw InvalidArgument(
        "memory",
        fmt::format("'{}' is no amount of memory; accepted: a positive number and a unit, "
                    "such as 8GB or 512MiB",
                    text));
  }
  return static_cast<size_t>(bytes);
}

namespace {

ContextOptions context_options(const CommonOptions& options) {
  ContextOptions result{.threads = options.threads};
  if (!options.memory.empty()) result.memory_bytes = parse_bytes(options.memory);
  return result;
}

}  // namespace

std::vector<std::string> arguments_of(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    if (arguments[i] != "--dashboard") continue;
    const std::string next = i + 1 < arguments.size() ? arguments[i + 1] : "";
    const bool is_port = !next.empty() && next.find_first_not_of("0123456789") == std::string::npos;
    arguments[i] += "=" + (is_port ? next : std::to_string(DashboardOptions().port));
    if (is_port) arguments.erase(arguments.begin() + static_cast<ptrdiff_t>(i) + 1);
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

table::Table open_table(const TableOptions& options) {
  table::ReadOptions read;
  read.nulls = options.nulls == "drop" ? table::Nulls::drop : table::Nulls::error;
  read.csv.delimiter = options.delimiter;
  read.csv.multiline = options.multiline;
  return table::read(options.paths, read);
}

Computation::Computation(const CommonOptions& options, const std::stop_token& stop)
    : context_(context_options(options)) {
  run_.context = &context_;
  run_.stop = stop;
  if (options.dashboard) {
    dashboard_.emplace(DashboardOptions{.port = *options.dashboard, .context = &context_});
    if (!options.quiet) fmt::print(stderr, "dashboard: {}\n", dashboard_->url());
  }
  if (!options.quiet) bar_.emplace(ProgressBarOptions{.context = &context_});
}

std::string with_commas(int64_t number) {
  std::string digits = std::to_string(number);
  for (ptrdiff_t at = static_cast<ptrdiff_t>(digits.size()) - 3; at > (number < 0 ? 1 : 0);
       at -= 3) {
    digits.insert(static_cast<size_t>(at), ",");
  }
  return digits;
}

std::string bytes_text(double bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 999.5 && unit < 4) bytes /= 1000, ++unit;
  return fmt::format("{:.3g} {}", bytes, kUnits[unit]);
}

std::string seconds_text(double seconds) { return fmt::format("{:.3f} s", seconds); }

std::string text_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> width;
  for (const std::vector<std::string>& row : rows) {
    width.resize(std::max(width.size(), row.size()));
    for (size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  }
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    text += " ";
    for (size_t c = 0; c < row.size(); ++c) {
      text += c == 0 ? fmt::format(" {:<{}}", row[c], width[c])
                     : fmt::format("  {:>{}}", row[c], width[c]);
    }
    text += "\n";
  }
  return text;
}

namespace {

/// Where the handler writes a byte; a thread of its own reads it, since a stop source may not be used in
/// a handler. (Blocking the signals and waiting for them would not do: libraries start threads
/// before main, which do not block them.)
int signal_pipe[2] = {-1, -1};

void on_signal(int) {
  static volatile std::sig_atomic_t count = 0;
  count = count + 1;
  if (count > 1) _exit(kRunError);
  const char byte = 0;
  static_cast<void>(!::write(signal_pipe[1], &byte, 1));
}

}  // namespace

std::stop_token stop_on_signals() {
  // A reader that went away shows as a failed write, not as death; a file size limit likewise.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const std::stop_source source;
  if (::pipe(signal_pipe) != 0) return source.get_token();
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::thread([source]() mutable {
    char byte = 0;
    if (::read(signal_pipe[0], &byte, 1) == 1) source.request_stop();
  }).detach();
  return source.get_token();
}

}  // namespace tuff::cli
