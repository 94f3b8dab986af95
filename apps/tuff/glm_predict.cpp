// `tuff glm predict`: a model and files -> probabilities in a file.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tuff/glm/fit.h"
#include "tuff/table/table.h"
#include "tuff/table/write.h"

#include "apps/tuff/command.h"
#include "apps/tuff/model_file.h"

namespace tuff::cli {

namespace {

struct PredictCommand {
  CommonOptions common;
  TableOptions files;
  std::string model;
  std::string out;
};

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void write_probabilities(const std::string& path, const Array& probability, const RunOptions& run) {
  if (ends_with(path, ".npy")) {
    table::write_npy(path, probability, run);
  } else if (ends_with(path, ".csv")) {
    table::write_csv(path, {{"probability", probability}}, {.run = run});
  } else {
    table::write_parquet(path, {{"probability", probability}}, {.run = run});
  }
}

int predict_files(const PredictCommand& command, const std::stop_token& stop) {
  Computation computation(command.common, stop);
  const RunOptions& run = computation.run();
  const glm::FitResult model = read_model(command.model);
  const table::Table table = open_table(command.files).select(model.feature_names);
  for (const std::string& name : model.feature_names) {
    if (table.field(name).is_dictionary) {
      throw InvalidArgument(
          "glm predict",
          fmt::format("feature '{}' holds text; the model was fitted to numbers", name));
    }
  }
  const Array probability = glm::predict(model, table.matrix(model.feature_names));
  write_probabilities(command.out, probability, run);
  computation.end_progress();
  if (!command.common.quiet) fmt::print("probabilities: {}\n", command.out);
  return kOk;
}

}  // namespace

void add_glm_predict(CLI::App& app, const std::stop_token& stop, Run& run) {
  const auto command = std::make_shared<PredictCommand>();
  CLI::App* predict =
      app.add_subcommand("predict", "Probability of class 1 for each row of files, in their order");
  predict->add_option("model", command->model, "A file that `tuff glm fit --json` wrote")
      ->required();
  add_table_options(*predict, command->files);
  predict
      ->add_option("--out", command->out,
                   "Where to write them: a name ending in .parquet, .csv or .npy")
      ->required()
      ->check([](const std::string& path) -> std::string {
        if (ends_with(path, ".parquet") || ends_with(path, ".csv") || ends_with(path, ".npy"))
          return {};
        return fmt::format("'{}' has no known ending; accepted: .parquet, .csv, .npy", path);
      });
  add_common_options(*predict, command->common);
  predict->callback(
      [command, stop, &run] { run = [command, stop] { return predict_files(*command, stop); }; });
}

}  // namespace tuff::cli
