// Models as JSON; see model_file.h.
#include "apps/tuff/model_file.h"

#include <cmath>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tuff/tuff.h"

namespace tuff::cli {

namespace {

using Json = nlohmann::ordered_json;  // coefficients stay in the order of the columns

/// Changes when a reader of older files would misread newer ones.
constexpr int kFormat = 1;

}  // namespace

void write_model(const std::string& path, const glm::FitResult& model, const FitFigures& figures) {
  Json coef = Json::object(), centre = Json::object();
  for (size_t j = 0; j < model.coef.size(); ++j) coef[model.feature_names[j]] = model.coef[j];
  for (size_t j = 0; j < model.centre.size(); ++j) centre[model.feature_names[j]] = model.centre[j];
  const Json json = {
      {"format", kFormat},
      {"family", model.family},
      {"target", figures.target},
      {"coef", coef},
      {"intercept", model.intercept},
      {"centre", centre},
      {"eta_at_centre", model.eta_at_centre},
      {"fit_intercept", model.fit_intercept},
      {"alpha", model.alpha},
      {"converged", model.converged},
      {"stop_reason", glm::to_string(model.stop_reason)},
      {"warnings", model.warnings},
      {"n_iter", model.n_iter},
      {"objective", model.objective},
      {"gradient_norm", model.gradient_norm},
      {"objective_history", model.objective_history},
      {"gradient_norm_history", model.gradient_norm_history},
      {"passes", model.passes},
      {"rows", model.rows},
      {"seconds_read", figures.seconds_read},
      {"seconds_fit", figures.seconds_fit},
      {"threads", figures.threads},
      {"white_space", figures.white_space},
  };
  AtomicFile file("glm fit --json", path);
  file.write(json.dump(2) + "\n");
  file.commit();
}

glm::FitResult read_model(const std::string& path) {
  const auto refuse = [&](const std::string& what) -> InvalidArgument {
    return InvalidArgument(
        "glm predict",
        fmt::format("'{}' {}; a file that `tuff glm fit --json` wrote is needed", path, what));
  };
  std::ifstream file(path);
  if (!file) throw refuse("cannot be opened");
  try {
    const Json json = Json::parse(file);
    if (json.at("format").get<int>() != kFormat)
      throw refuse(fmt::format("has format {}", json.at("format").dump()));
    glm::FitResult model;
    model.family = json.at("family").get<std::string>();
    model.intercept = json.at("intercept").get<double>();
    for (const auto& [name, value] : json.at("coef").items()) {
      model.feature_names.push_back(name);
      model.coef.push_back(value.get<double>());
    }
    if (model.coef.empty()) throw refuse("has no coefficients");
    if (json.contains("centre")) {
      for (const std::string& name : model.feature_names)
        model.centre.push_back(json.at("centre").at(name).get<double>());
      model.eta_at_centre = json.at("eta_at_centre").get<double>();
    }
    for (const std::vector<double>& numbers : {model.coef, model.centre}) {
      for (double c : numbers) {
        if (!std::isfinite(c)) throw refuse("has coefficients that are not finite");
      }
    }
    return model;
  } catch (const nlohmann::json::exception& error) {
    throw refuse(fmt::format("is no model ({})", error.what()));
  }
}

}  // namespace tuff::cli
