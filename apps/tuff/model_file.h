// A fitted model as JSON: what `tuff glm fit --json` writes and `tuff glm predict` reads.
#pragma once

#include <string>

#include "tuff/glm/fit.h"

namespace tuff::cli {

/// What the command knows beside the model.
struct FitFigures {
  std::string target;
  double seconds_read = 0;
  double seconds_fit = 0;
  int threads = 1;
  double white_space = 0;  ///< over the fit, in [0, 1]
};

/// Written whole or not at all. Numbers have all their digits: reading gives back the same.
void write_model(const std::string& path, const glm::FitResult& model, const FitFigures& figures);

/// Throws InvalidArgument, naming the path, for what is not such a file.
glm::FitResult read_model(const std::string& path);

}  // namespace tuff::cli
