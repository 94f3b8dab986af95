// `tuff glm fit`: files -> columns -> kept blocks -> model -> table, JSON and report.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "tuff/glm/fit.h"
#include "tuff/persist.h"
#include "tuff/table/table.h"

#include "apps/tuff/command.h"
#include "apps/tuff/model_file.h"
#include "apps/tuff/target.h"

namespace tuff::cli {

namespace {

struct FitCommand {
  CommonOptions common;
  TableOptions files;
  std::string target;
  std::vector<std::string> features;
  std::string family = "logistic";
  std::string solver = "newton";
  bool no_intercept = false;
  glm::FitOptions fit;
  std::string json;
  std::string report;
  std::string trace;
  std::string explain;
};

/// A data set that is kept, and what it cost to get there.
struct Loaded {
  Array X, y;
  std::vector<std::string> features;
  double seconds = 0;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The features asked for, or all numeric columns but the target's.
std::vector<std::string> choose_features(const table::Table& table, const FitCommand& command,
                                         const Target& target) {
  std::vector<std::string> features = command.features;
  if (features.empty()) {
    for (const table::Field& field : table.fields()) {
      if (!field.is_dictionary && field.name != target.column) features.push_back(field.name);
    }
    if (features.empty()) {
      throw InvalidArgument("glm fit",
                            fmt::format("no numeric column beside the target '{}'", target.column));
    }
  }
  for (size_t j = 0; j < features.size(); ++j) {
    if (table.field(features[j]).is_dictionary) {
      throw InvalidArgument(
          "glm fit",
          fmt::format("feature '{}' holds text; numeric columns are accepted", features[j]));
    }
    if (std::find(features.begin(), features.begin() + static_cast<ptrdiff_t>(j), features[j]) !=
        features.begin() + static_cast<ptrdiff_t>(j)) {
      throw InvalidArgument("glm fit", fmt::format("feature '{}' is given twice", features[j]));
    }
    if (features[j] == target.column && target.comparison.empty()) {
      throw InvalidArgument(
          "glm fit", fmt::format("'{}' is the target; it cannot be a feature too", features[j]));
    }
  }
  return features;
}

/// Features and target, decoded; in memory as far as --memory allows.
Loaded load(const FitCommand& command, const RunOptions& run) {
  const double start = now();
  const Target target = parse_target(command.target);
  table::Table table = open_table(command.files);
  table.field(target.column);
  Loaded loaded{zeros({0}), zeros({0}), choose_features(table, command, target), 0};
  std::vector<std::string> used = loaded.features;
  if (std::find(used.begin(), used.end(), target.column) == used.end())
    used.push_back(target.column);
  const table::Table counted = table.select(used).counted(run);
  if (counted.rows().value() == 0)
    throw InvalidArgument("glm fit",
                          fmt::format("no rows in {}", fmt::join(command.files.paths, ", ")));
  const std::vector<graph::Port> kept = persist(
      {counted.matrix(loaded.features).port(), target_array(counted, target, run).port()}, run);
  loaded.X = Array(kept[0]);
  loaded.y = Array(kept[1]);
  loaded.seconds = now() - start;
  return loaded;
}

/// One line on a terminal that says where the solver is, as long as it takes.
class IterationLine {
 public:
  explicit IterationLine(bool wanted) : shown_(wanted && ::isatty(2) == 1) {}
  ~IterationLine() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
  }
  void operator()(const glm::Iteration& at) {
    if (!shown_) return;
    drawn_ = true;
    fmt::print(stderr, "\r\x1b[Kiteration {}: objective {:.9g}, gradient {:.2e}", at.number,
               at.objective, at.gradient_norm);
    std::fflush(stderr);
  }

 private:
  bool shown_;
  bool drawn_ = false;
};

std::string significant(double value) { return fmt::format("{:.9g}", value); }

std::vector<std::vector<std::string>> coefficient_rows(const glm::FitResult& model) {
  std::vector<std::vector<std::string>> rows;
  for (size_t j = 0; j < model.coef.size(); ++j)
    rows.push_back({model.feature_names[j], significant(model.coef[j])});
  if (model.fit_intercept) rows.push_back({"(intercept)", significant(model.intercept)});
  return rows;
}

std::string why_it_stopped(const glm::FitResult& model) {
  switch (model.stop_reason) {
    case glm::StopReason::gradient: return "converged: the gradient is small";
    case glm::StopReason::decrement: return "converged: the next step would gain nothing";
    case glm::StopReason::max_iter: return "NOT CONVERGED: iterations used up (--max-iter)";
    case glm::StopReason::stalled:
      return "NOT CONVERGED: rounding hides any further decrease; try --tol, or rescale the "
             "features";
  }
  return "";
}

/// What is printed, and stands first in the report.
std::vector<std::pair<std::string, std::string>> facts_of(const FitCommand& command,
                                                          const glm::FitResult& model,
                                                          const FitFigures& figures) {
  const double pass_bytes =
      static_cast<double>(model.rows) * static_cast<double>(8 * model.coef.size() + 1);
  return {
      {"model", fmt::format("{}, {}", model.family, command.target)},
      {"rows", with_commas(model.rows)},
      {"iterations",
       fmt::format("{} ({}), {} passes over the data", model.n_iter, command.solver, model.passes)},
      {"stopped", why_it_stopped(model)},
      {"objective", fmt::format("{:.12g} per row", model.objective)},
      {"gradient norm", fmt::format("{:.2e}", model.gradient_norm)},
      {"reading", seconds_text(figures.seconds_read)},
      {"fitting",
       fmt::format("{}, {:.1f} GB/s on {} threads", seconds_text(figures.seconds_fit),
                   static_cast<double>(model.passes) * pass_bytes / figures.seconds_fit * 1e-9,
                   figures.threads)},
      {"white space",
       fmt::format("{:.1f} % of the threads' time in the fit", 100 * figures.white_space)},
  };
}

std::string title_of(const FitCommand& command) {
  return fmt::format("{} on {}", command.target, fmt::join(command.files.paths, ", "));
}

/// What the solver runs again and again, on classes that it computed once.
std::vector<graph::Port> pass_of(const FitCommand& command, const Loaded& data) {
  const glm::Wants wants =
      command.fit.solver == glm::Solver::newton ? glm::Wants::hessian : glm::Wants::gradient;
  return glm::pass_layers(command.fit.family, {data.X, (data.y != 0).persist(command.fit.run)},
                          wants, true);
}

void write_fit_report(const FitCommand& command, const glm::FitResult& model,
                      const std::vector<std::pair<std::string, std::string>>& facts,
                      const Loaded& data, const Recording& recording) {
  Report report;
  report.title = title_of(command);
  report.recording = recording;
  report.phase = "fit";
  // The page itself shows the seconds and the white space of the phase.
  for (const auto& fact : facts) {
    if (fact.first != "fitting" && fact.first != "white space") report.facts.push_back(fact);
  }
  for (const std::string& warning : model.warnings) report.facts.emplace_back("warning", warning);
  report.tables.push_back({"Coefficients", {"feature", "coefficient"}, coefficient_rows(model)});
  report.series.push_back({"Gradient norm", "iteration", "largest scaled derivative", true,
                           model.gradient_norm_history});
  report.series.push_back(
      {"Objective", "iteration", "mean loss per row", false, model.objective_history});
  report.graphs.push_back(
      report_graph("One pass of the fit", compile(pass_of(command, data)).outputs()));
  write_report(command.report, report);
}

int fit_files(FitCommand& command, const std::stop_token& stop) {
  Computation computation(command.common, stop);
  const RunOptions& run = computation.run();
  Recorder recorder({.context = &computation.context()});

  recorder.begin_phase("read");
  const Loaded data = load(command, run);
  recorder.end_phase();
  computation.end_progress();

  glm::FitOptions& fit = command.fit;
  fit.solver = command.solver == "lbfgs" ? glm::Solver::lbfgs : glm::Solver::newton;
  fit.fit_intercept = !command.no_intercept;
  fit.feature_names = data.features;
  fit.run = run;
  std::optional<IterationLine> line(!command.common.quiet);
  fit.on_iteration = [&](const glm::Iteration& at) { (*line)(at); };
  recorder.begin_phase("fit");
  const double start = now();
  const glm::FitResult model = glm::fit(data.X, data.y, fit);
  FitFigures figures{command.target, data.seconds, now() - start, computation.context().threads(),
                     0};
  recorder.end_phase();
  line.reset();
  figures.white_space = recorder.white_space("fit");

  const auto facts = facts_of(command, model, figures);
  if (!command.json.empty()) write_model(command.json, model, figures);
  if (!command.report.empty() || !command.trace.empty()) {
    const Recording recording = recorder.recording();
    if (!command.report.empty()) write_fit_report(command, model, facts, data, recording);
    if (!command.trace.empty()) write_perfetto(command.trace, recording);
  }
  if (!command.explain.empty()) {
    explain(pass_of(command, data),
            {.title = "One pass of the fit of " + title_of(command), .threads = figures.threads})
        .save(command.explain);
  }
  if (!command.common.quiet) {
    std::vector<std::vector<std::string>> rows = coefficient_rows(model);
    rows.insert(rows.begin(), {"", "coefficient"});
    fmt::print("\n{}\n", text_table(rows));
    for (const auto& [name, value] : facts) fmt::print("  {:<14}{}\n", name, value);
    if (!command.json.empty()) fmt::print("  {:<14}{}\n", "saved as", command.json);
    if (!command.report.empty()) fmt::print("  {:<14}{}\n", "report", command.report);
    if (!command.trace.empty()) fmt::print("  {:<14}{}\n", "trace", command.trace);
    if (!command.explain.empty()) fmt::print("  {:<14}{}\n", "explanation", command.explain);
    fmt::print("\n");
  }
  for (const std::string& warning : model.warnings)
    fmt::print(stderr, "tuff: warning: {}\n", warning);
  if (!model.converged) {
    fmt::print(stderr, "tuff: warning: the fit has {}\n", why_it_stopped(model));
  }
  return kOk;
}

}  // namespace

void add_glm_fit(CLI::App& app, const std::stop_token& stop, Run& run) {
  const auto command = std::make_shared<FitCommand>();
  CLI::App* fit = app.add_subcommand("fit", "Fit a model to the columns of files");
  add_table_options(*fit, command->files);
  fit->add_option("--target", command->target,
                  "What to model: a column of 0 and 1, or a comparison such as 'delay > 15'")
      ->required();
  fit->add_option(
         "--features", command->features,
         "Columns to model it by, separated by commas (default: all other numeric columns)")
      ->delimiter(',')
      ->allow_extra_args(false);
  fit->add_option("--family", command->family, "Distribution of the target")
      ->check(CLI::IsMember({"logistic"}))
      ->capture_default_str();
  fit->add_option("--solver", command->solver,
                  "'newton' for up to a few thousand features, 'lbfgs' beyond")
      ->check(CLI::IsMember({"newton", "lbfgs"}))
      ->capture_default_str();
  fit->add_option("--alpha", command->fit.alpha,
                  "Strength of the L2 penalty: mean loss + alpha / 2 * sum of squared coefficients")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  fit->add_flag("--no-intercept", command->no_intercept, "Leave the intercept out");
  fit->add_option("--tol", command->fit.tol,
                  "Largest derivative, per row and standardised feature, at the end")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  fit->add_option("--max-iter", command->fit.max_iter, "Most iterations")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  fit->add_option("--json", command->json, "Write the model and all figures to this file");
  fit->add_option("--report", command->report, "Write a web page on the run to this file");
  fit->add_option("--trace", command->trace,
                  "Write every task of the run to this file, as JSON that ui.perfetto.dev opens");
  fit->add_option("--explain", command->explain,
                  "Write what one pass over the data does, layers, tasks and bytes, to this file "
                  "(.html or .txt)");
  add_common_options(*fit, command->common);
  fit->callback([command, stop, &run] {
    parse_target(command->target);  // so that a wrong one is a usage error
    run = [command, stop] { return fit_files(*command, stop); };
  });
}

}  // namespace tuff::cli
