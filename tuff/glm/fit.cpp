// From arrays to a fitted model: load -> check -> scale -> independent columns -> solve -> report. See fit.h.
#include "tuff/glm/fit.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "tuff/array/creation.h"
#include "tuff/array/linalg.h"
#include "tuff/array/math.h"
#include "tuff/glm/collinearity.h"
#include "tuff/glm/data.h"
#include "tuff/glm/scaling.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

/// With a penalty and more columns than this, L-BFGS makes no Hessian: up to here its two cost less than the
/// two or three passes that they make sure of, and a penalised optimum needs no proof that it exists.
constexpr size_t kMostConfirmed = 512;
/// Terms of a linear relation, and columns of a near one, that a text shows.
constexpr size_t kTermsShown = 6;
constexpr size_t kColumnsShown = 3;

void check_options(const FitOptions& options) {
  if (!(options.alpha >= 0) || std::isinf(options.alpha)) {
    throw InvalidArgument(
        "fit", fmt::format("alpha is {}; accepted: 0 or any positive number", options.alpha));
  }
  if (!(options.tol > 0) || std::isinf(options.tol)) {
    throw InvalidArgument("fit",
                          fmt::format("tol is {}; accepted: any positive number", options.tol));
  }
  if (options.max_iter < 1) {
    throw InvalidArgument("fit",
                          fmt::format("max_iter is {}; at least 1 is needed", options.max_iter));
  }
}

void check_arrays(const Array& X, const Array& y, const FitOptions& options) {
  if (X.ndim() != 2 || y.ndim() != 1 || !(X.shape()[0] == y.shape()[0])) {
    throw InvalidArgument("fit",
                          fmt::format("X of shape {} and y of shape {}; accepted: (n, p) and (n,)",
                                      tuff::to_string(X.shape()), tuff::to_string(y.shape())));
  }
  if (!X.shape()[1].is_known()) {
    throw InvalidArgument("fit", fmt::format("X of shape {} has an unknown number of columns; call "
                                             "compute_chunk_sizes() first",
                                             tuff::to_string(X.shape())));
  }
  const int64_t columns = X.shape()[1].value();
  if (columns == 0) throw InvalidArgument("fit", "X has no columns; at least one is needed");
  const std::vector<std::string>& names = options.feature_names;
  if (!names.empty() && names.size() != static_cast<size_t>(columns)) {
    throw InvalidArgument(
        "fit", fmt::format("{} feature_names for {} columns; accepted: one per column, or none",
                           names.size(), columns));
  }
}

std::vector<std::string> names_of(const FitOptions& options, size_t columns) {
  std::vector<std::string> names = options.feature_names;
  for (size_t j = names.size(); j < columns; ++j) names.push_back(fmt::format("x{}", j));
  return names;
}

// ---- scale ---------------------------------------------------------------------------------------

Scaling choose_scaling(const Summary& summary, const FitOptions& options,
                       const std::vector<std::string>& names) {
  Scaling scaling{summary.mean, summary.sd, options.fit_intercept};
  for (size_t j = 0; j < names.size(); ++j) {
    const double mean = summary.mean[j];
    const bool constant = summary.constant[j] != 0;
    if (options.fit_intercept && constant && options.alpha == 0) {
      throw InvalidArgument(
          "fit", fmt::format("feature '{}' is constant ({}), which the intercept already is; "
                             "leave it out",
                             names[j], mean));
    }
    if (!options.fit_intercept) {
      scaling.centre[j] = 0;
      scaling.scale[j] = std::hypot(mean, summary.sd[j]);
    } else if (constant) {
      scaling.scale[j] = std::fabs(mean);
    }
    if (scaling.scale[j] > 0) continue;
    if (options.alpha == 0) {
      throw InvalidArgument("fit",
                            fmt::format("feature '{}' is 0 in every row; leave it out", names[j]));
    }
    scaling.scale[j] = 1;
  }
  return scaling;
}

// ---- independent columns -------------------------------------------------------------------------

/// "3 'x0' - 1 'x1' + a constant": what the last column of a relation between standardised columns is.
std::string text_of(const std::vector<double>& relation, size_t last, const Scaling& scaling,
                    const std::vector<std::string>& names) {
  double constant = scaling.centre[last], size = std::fabs(constant);
  std::string text;
  size_t terms = 0;
  for (size_t j = 0; j < last; ++j) {
    if (relation[j] == 0) continue;
    const double times = relation[j] * scaling.scale[last] / scaling.scale[j];
    constant -= times * scaling.centre[j];
    size += std::fabs(times * scaling.centre[j]);
    if (++terms > kTermsShown) continue;
    const char* sign = times < 0 ? (terms == 1 ? "-" : " - ") : terms == 1 ? "" : " + ";
    text += fmt::format("{}{:.4g} '{}'", sign, std::fabs(times), names[j]);
  }
  if (terms > kTermsShown) text += fmt::format(" + ... ({} more)", terms - kTermsShown);
  if (std::fabs(constant) > 1e-9 * size)
    text += " + a constant";  // its digits are those that offsets leave
  return text;
}

[[noreturn]] void refuse_relation(const std::vector<double>& relation, const Scaling& scaling,
                                  const std::vector<std::string>& names) {
  size_t last = relation.size() - 1;
  while (relation[last] == 0) --last;
  throw InvalidArgument(
      "fit",
      fmt::format("feature '{}' is a linear combination of the other features ({}); leave it "
                  "out, or set alpha > 0",
                  names[last], text_of(relation, last, scaling, names)));
}

std::string condition_warning(const Collinearity& found, const std::vector<std::string>& names) {
  std::vector<size_t> order(names.size());
  for (size_t j = 0; j < order.size(); ++j) order[j] = j;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::fabs(found.weakest[a]) > 1.01 * std::fabs(found.weakest[b]);
  });
  std::string columns;
  for (size_t i = 0; i < std::min(kColumnsShown, order.size()); ++i) {
    if (std::fabs(found.weakest[order[i]]) < 0.1 * std::fabs(found.weakest[order[0]])) break;
    columns += fmt::format("{}'{}'", columns.empty() ? "" : ", ", names[order[i]]);
  }
  return fmt::format(
      "the features are nearly collinear ({} above all): the condition number of the standardised "
      "features is {:.2g}, so single coefficients are known that much less well than sums of them",
      columns, found.condition_number);
}

// ---- solve ---------------------------------------------------------------------------------------

[[noreturn]] void refuse_classes(const SeparableData& e, const Scaling& scaling,
                                 const std::vector<std::string>& names) {
  const std::vector<double> direction = scaling.standardised(e.direction());
  size_t column = 0;
  for (size_t j = 1; j < direction.size(); ++j) {
    if (std::fabs(direction[j]) > std::fabs(direction[column])) column = j;
  }
  const std::string name =
      column < names.size() ? fmt::format("feature '{}'", names[column]) : "the intercept";
  throw InvalidArgument(
      "fit",
      e.complete()
          ? fmt::format(
                "the classes are separable: a combination of the features ({} above all) tells "
                "them apart in every row, so that coefficients grow without bound; set alpha > 0",
                name)
          : fmt::format(
                "the classes are quasi-separable: the coefficient of {} grows without bound; set "
                "alpha > 0, or leave it out",
                name));
}

SolverOptions solver_options(const FitOptions& options, int64_t rows, size_t columns) {
  SolverOptions solver;
  solver.tol = options.tol;
  solver.max_iter = options.max_iter;
  solver.rows = rows;
  solver.confirm = options.alpha == 0 || columns <= kMostConfirmed;
  if (options.on_iteration) {
    solver.on_iteration = [&options](int n, double value, double norm) {
      options.on_iteration({n, value, norm});
    };
  }
  return solver;
}

/// One fit's objective, made again when its columns are to be mixed.
class Problem {
 public:
  Problem(const Rows& rows, int64_t count, Scaling scaling, const FitOptions& options)
      : rows_(rows), count_(count), scaling_(std::move(scaling)), options_(options) {
    mix({});
  }
  const Scaling& scaling() const { return scaling_; }
  Objective& objective() { return *scaled_; }
  int64_t passes() const { return passes_ + sum_->passes(); }

  void mix(const std::vector<double>& mix) {
    if (sum_ != nullptr) passes_ += sum_->passes();
    scaling_.mix = mix;
    sum_ = make_objective(options_.family, rows_, options_.run, true, scaling_.columns());
    scaled_ = std::make_unique<ScaledObjective>(*sum_, scaling_, count_, options_.alpha);
  }

 private:
  const Rows& rows_;
  int64_t count_, passes_ = 0;
  Scaling scaling_;
  const FitOptions& options_;
  std::unique_ptr<Objective> sum_;
  std::unique_ptr<ScaledObjective> scaled_;
};

/// Where the solver begins: coefficients of 0, and the columns mixed when they are nearly collinear.
Evaluation begin(Problem& problem, const std::vector<double>& start, std::span<const double> sizes,
                 double rounding, const std::vector<std::string>& names,
                 std::vector<std::string>& warnings) {
  const auto at_start = [&](const std::vector<double>& mix) {
    if (!mix.empty()) problem.mix(mix);
    return problem.objective().evaluate(start, Wants::hessian)[0];
  };
  Collinearity found = find_collinearity(problem.scaling(), sizes, rounding, at_start);
  if (!found.relation.empty()) refuse_relation(found.relation, problem.scaling(), names);
  if (found.condition_number > 0) warnings.push_back(condition_warning(found, names));
  if (!found.mix.empty()) problem.mix(found.mix);
  return std::move(found.at);
}

/// Root mean square of each column over its scale.
std::vector<double> relative_sizes(const Summary& summary, const Scaling& scaling) {
  std::vector<double> sizes(scaling.scale.size());
  for (size_t j = 0; j < sizes.size(); ++j)
    sizes[j] = std::hypot(summary.mean[j], summary.sd[j]) / scaling.scale[j];
  return sizes;
}

}  // namespace

FitResult fit(const Array& X, const Array& y, const FitOptions& options) {
  check_options(options);
  check_arrays(X, y, options);
  LoadedRows data = load_rows(X, y, options.run);
  const auto begin_time = std::chrono::steady_clock::now();
  const auto columns = static_cast<size_t>(data.rows.X.shape()[1].value());

  FitResult model;
  model.family = options.family.name;
  model.mean = options.family.mean;
  model.feature_names = names_of(options, columns);
  model.fit_intercept = options.fit_intercept;
  model.alpha = options.alpha;
  model.rows = data.rows.X.shape()[0].value();
  const Summary summary = check_rows(data, options.family, options.run, model.feature_names);

  Problem problem(data.rows, model.rows, choose_scaling(summary, options, model.feature_names),
                  options);
  std::vector<double> start(problem.objective().dimension(), 0.0);
  if (options.fit_intercept) start.back() = options.family.null_eta(summary.mean_of_y);
  SolverOptions solver = solver_options(options, model.rows, columns);
  if (options.alpha == 0) {
    const double rounding = X.dtype() == DType::float32 ? 0x1p-24 : 0x1p-53;
    solver.at_start = begin(problem, start, relative_sizes(summary, problem.scaling()), rounding,
                            model.feature_names, model.warnings);
  }
  const auto solve = options.solver == Solver::newton ? newton : lbfgs;
  SolverResult solved;
  try {
    solved = solve(problem.objective(), start, solver);
  } catch (const SeparableData& e) {
    refuse_classes(e, problem.scaling(), model.feature_names);
  }

  model.coef = problem.scaling().coefficients(solved.point);
  model.intercept = model.coef.back();
  model.coef.pop_back();
  model.centre = problem.scaling().centre;
  if (options.fit_intercept) model.eta_at_centre = solved.point.back();
  model.converged = solved.converged;
  model.stop_reason = solved.stop_reason;
  model.n_iter = solved.n_iter;
  model.objective_history = std::move(solved.values);
  model.gradient_norm_history = std::move(solved.gradient_norms);
  model.objective = model.objective_history.back();
  model.gradient_norm = model.gradient_norm_history.back();
  model.passes = 1 + problem.passes();
  model.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_time).count();
  return model;
}

Array predict(const FitResult& model, const Array& X) {
  if (X.ndim() != 2 || !X.shape()[1].is_known() ||
      X.shape()[1].value() != static_cast<int64_t>(model.coef.size())) {
    throw InvalidArgument(
        "predict", fmt::format("X of shape {} for a model of {} columns; accepted: (n, {})",
                               tuff::to_string(X.shape()), model.coef.size(), model.coef.size()));
  }
  const auto& mean = !model.mean && model.family == logistic().name ? logistic().mean : model.mean;
  if (!mean) {
    throw InvalidArgument("predict", fmt::format("no mean of family '{}'; set FitResult::mean to "
                                                 "Family::mean of the family that was fitted",
                                                 model.family));
  }
  const Array x = X.astype(DType::float64), coef = from_vector(model.coef);
  if (model.centre.empty()) return mean(matmul(x, coef) + model.intercept);
  return mean(matmul(x - from_vector(model.centre), coef) + model.eta_at_centre);
}

}  // namespace glm
TUFF_NAMESPACE_END
