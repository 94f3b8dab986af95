// From arrays to a fitted model: load -> check -> scale -> solve -> report. See fit.h.
#include "tuff/glm/fit.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "tuff/array/creation.h"
#include "tuff/array/linalg.h"
#include "tuff/array/math.h"
#include "tuff/array/reductions.h"
#include "tuff/graph/sources.h"
#include "tuff/persist.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

/// Rows of one block are at most 1 MiB: a pass over 80 MB then has 80 tasks, and no thread waits long for
/// the last one. (Smaller blocks share a task: logistic_pass.h.)
constexpr int64_t kBlockBytes = int64_t{1} << 20;

// ---- load ----------------------------------------------------------------------------------------

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

/// Data of up to this part of the memory budget are held in memory; more of it is persisted, block by block,
/// so that some of it can wait on disk.
constexpr double kInMemory = 0.8;

int64_t most_rows(int64_t row_bytes) { return std::max<int64_t>(64, kBlockBytes / row_bytes); }

/// Blocks of whole rows, dense within each row; more blocks where they are larger than kBlockBytes.
Array cut_rows(const Result& result, int64_t row_bytes) {
  const int64_t most = most_rows(row_bytes);
  std::vector<int64_t> sizes;
  std::vector<Block> blocks;
  for (const Block& whole : result.blocks()) {
    const int64_t rows = whole.shape()[0];
    if (rows == 0) continue;
    const int64_t parts = (rows + most - 1) / most;
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t first = rows * part / parts, last = rows * (part + 1) / parts;
      Dims shape = whole.shape();
      shape[0] = last - first;
      Block block = whole.strided_view(first * whole.strides()[0], shape, whole.strides());
      const bool dense = whole.strides().back() == 1 && whole.strides()[0] >= 0;
      blocks.push_back(dense ? std::move(block) : block.contiguous());
      sizes.push_back(last - first);
    }
  }
  Chunks chunks = {AxisChunks::of(sizes)};
  if (result.chunks().size() == 2) chunks.push_back(AxisChunks::whole(result.shape()[1]));
  return Array(
      {std::make_shared<graph::MemoryLayer>(result.dtype(), std::move(chunks), std::move(blocks)),
       0});
}

/// Whether X as float64 and y leave room in the budget.
bool fits(const Array& X, const Array& y, const RunOptions& run) {
  if (!X.shape()[0].is_known()) return true;  // nobody knows before it is computed
  const Context& context = run.context != nullptr ? *run.context : Context::current();
  const auto budget = static_cast<double>(run.memory_bytes.value_or(context.memory_bytes()));
  const auto row_bytes =
      static_cast<double>(8 * X.shape()[1].value()) + static_cast<double>(size_of(y.dtype()));
  return row_bytes * static_cast<double>(X.shape()[0].value()) <= kInMemory * budget;
}

/// Blocks cut to at most `most` rows.
std::vector<int64_t> cut_sizes(const AxisChunks& chunks, int64_t most) {
  std::vector<int64_t> sizes;
  for (const int64_t rows : chunks.sizes()) {
    const int64_t parts = std::max<int64_t>(1, (rows + most - 1) / most);
    for (int64_t part = 0; part < parts; ++part)
      sizes.push_back(rows * (part + 1) / parts - rows * part / parts);
  }
  return sizes;
}

/// X as float64 in whole rows, y cut like it; in memory, or persisted when they are too large for that.
Rows load(const Array& X, const Array& y, const FitOptions& options) {
  const bool in_memory = fits(X, y, options.run);
  const int64_t row_bytes = 8 * X.shape()[1].value();
  if (!in_memory && X.dtype() == DType::float64 && is_persisted(X.port()) &&
      is_persisted(y.port()) && X.chunks()[1]->count() == 1 &&
      same_chunks(X.chunks()[0], y.chunks()[0]))
    return {X, y};
  Array features = X.astype(DType::float64);
  Array target = y;
  if (is_known(X.chunks())) {
    const AxisChunks& old = *X.chunks()[0];
    const std::vector<int64_t> rows =
        in_memory ? old.sizes() : cut_sizes(old, most_rows(row_bytes));
    if (X.chunks()[1]->count() > 1 || !in_memory) {
      features = features.rechunk(std::vector<std::vector<int64_t>>{rows, {X.shape()[1].value()}});
    }
    target = target.rechunk(std::vector<std::vector<int64_t>>{rows});
  }
  if (!in_memory) {
    const std::vector<graph::Port> kept = persist({features.port(), target.port()}, options.run);
    return {Array(kept[0]), Array(kept[1])};
  }
  const std::vector<Result> results = tuff::compute({features, target}, options.run);
  if (results[0].shape()[0] == 0)
    throw InvalidArgument("fit", "X and y have no rows; at least one is needed");
  return {cut_rows(results[0], row_bytes), cut_rows(results[1], row_bytes)};
}

// ---- check ---------------------------------------------------------------------------------------

std::vector<std::string> names_of(const FitOptions& options, size_t columns) {
  std::vector<std::string> names = options.feature_names;
  for (size_t j = names.size(); j < columns; ++j) names.push_back(fmt::format("x{}", j));
  return names;
}

/// Row and value of the first element of column `column` for which `bad` holds; row -1 if there is none.
/// Block by block: the column may be larger than the memory budget.
std::pair<int64_t, double> first_where(const Array& array, std::optional<int64_t> column,
                                       const RunOptions& run,
                                       const std::function<bool(double)>& bad) {
  const Array values = (column ? array[{whole, *column}] : array).astype(DType::float64);
  int64_t row = 0;
  for (const int64_t rows : values.chunks()[0]->sizes()) {
    for (const double v : values[{Slice{row, row + rows}}].compute(run).to_vector<double>()) {
      if (bad(v)) return {row, v};
      ++row;
    }
  }
  return {-1, 0};
}

[[noreturn]] void refuse_column(const Rows& rows, const std::string& name, size_t column,
                                const RunOptions& run) {
  const auto [row, value] = first_where(rows.X, static_cast<int64_t>(column), run,
                                        [](double v) { return !std::isfinite(v); });
  if (row < 0) {
    throw InvalidArgument(
        "fit", fmt::format("feature '{}' has values so large that their squares overflow; "
                           "rescale it",
                           name));
  }
  throw InvalidArgument("fit", fmt::format("feature '{}' is {} in row {}; accepted: finite numbers",
                                           name, value, row));
}

[[noreturn]] void refuse_target(const Rows& rows, const RunOptions& run) {
  const auto [row, value] = first_where(rows.y, {}, run, [](double v) { return v != 0 && v != 1; });
  throw InvalidArgument(
      "fit",
      fmt::format("the target is {} in row {}; the logistic family accepts 0 and 1", value, row));
}

/// What one pass over the loaded data tells.
struct Summary {
  std::vector<double> mean, sd;
  double mean_of_y = 0;
};

/// Checks every value, and makes a logistic target bool.
Summary check_data(Rows& rows, const FitOptions& options, const std::vector<std::string>& names) {
  const bool classes = options.family.undecided != nullptr;
  const Array y = rows.y;
  const bool in_memory = !is_persisted(y.port());
  std::vector<graph::Port> wanted = {mean(rows.X, {.axes = 0}), tuff::std(rows.X, {.axes = 0}),
                                     mean(y.astype(DType::float64)),
                                     classes ? all((y == 0) || (y == 1)) : all(y == y)};
  if (classes && in_memory) wanted.push_back(y != 0);
  const std::vector<Result> results = tuff::compute(wanted, options.run);
  Summary summary{results[0].to_vector<double>(), results[1].to_vector<double>(),
                  results[2].item<double>()};
  for (size_t j = 0; j < names.size(); ++j) {
    if (!std::isfinite(summary.mean[j]) || !std::isfinite(summary.sd[j]))
      refuse_column(rows, names[j], j, options.run);
  }
  if (classes) {
    if (!results[3].item<bool>()) refuse_target(rows, options.run);
    if (summary.mean_of_y == 0 || summary.mean_of_y == 1) {
      throw InvalidArgument("fit",
                            fmt::format("the target has one class: every row is {}; two are needed",
                                        summary.mean_of_y));
    }
    rows.y = in_memory ? Array(results[4]) : (y != 0).persist(options.run);
  } else if (!std::isfinite(summary.mean_of_y)) {
    const auto [row, value] =
        first_where(y, {}, options.run, [](double v) { return !std::isfinite(v); });
    throw InvalidArgument(
        "fit", fmt::format("the target is {} in row {}; accepted: finite numbers", value, row));
  }
  return summary;
}

// ---- scale ---------------------------------------------------------------------------------------

/// A standard deviation this small against the mean is rounding.
constexpr double kConstant = 1e-13;

Scaling choose_scaling(const Summary& summary, const FitOptions& options,
                       const std::vector<std::string>& names) {
  Scaling scaling{summary.mean, summary.sd, options.fit_intercept};
  for (size_t j = 0; j < names.size(); ++j) {
    const bool constant = summary.sd[j] <= kConstant * std::fabs(summary.mean[j]);
    if (options.fit_intercept && constant && options.alpha == 0) {
      throw InvalidArgument(
          "fit", fmt::format("feature '{}' is constant ({}), which the intercept already is; "
                             "leave it out",
                             names[j], summary.mean[j]));
    }
    if (!options.fit_intercept) scaling.scale[j] = std::hypot(summary.mean[j], summary.sd[j]);
    if (constant && options.fit_intercept) scaling.scale[j] = std::fabs(summary.mean[j]);
    if (scaling.scale[j] > 0) continue;
    if (options.alpha == 0) {
      throw InvalidArgument("fit",
                            fmt::format("feature '{}' is 0 in every row; leave it out", names[j]));
    }
    scaling.scale[j] = 1;
  }
  return scaling;
}

// ---- solve ---------------------------------------------------------------------------------------

SolverResult solve(ScaledObjective& objective, double null_eta, int64_t rows,
                   const FitOptions& options, const std::vector<std::string>& names) {
  std::vector<double> start(objective.dimension(), 0.0);
  if (options.fit_intercept) start.back() = null_eta;
  SolverOptions solver;
  solver.tol = options.tol;
  solver.max_iter = options.max_iter;
  solver.rows = rows;
  if (options.on_iteration) {
    solver.on_iteration = [&](int n, double value, double norm) {
      options.on_iteration({n, value, norm});
    };
  }
  const auto name = [&](size_t column) {
    return column < names.size() ? fmt::format("feature '{}'", names[column]) : "the intercept";
  };
  try {
    return options.solver == Solver::newton ? newton(objective, std::move(start), solver)
                                            : lbfgs(objective, std::move(start), solver);
  } catch (const SingularHessian& e) {
    throw InvalidArgument(
        "fit", fmt::format("singular Hessian: {} is a linear combination of the other features; "
                           "leave it out, or set alpha > 0",
                           name(e.column())));
  } catch (const SeparableData& e) {
    throw InvalidArgument(
        "fit",
        e.complete()
            ? fmt::format(
                  "the classes are separable: a combination of the features ({} above all) tells "
                  "them "
                  "apart in every row, so that coefficients grow without bound; set alpha > 0",
                  name(e.column()))
            : fmt::format(
                  "the classes are quasi-separable: the coefficient of {} grows without bound; set "
                  "alpha > 0, or leave it out",
                  name(e.column())));
  }
}

}  // namespace

FitResult fit(const Array& X, const Array& y, const FitOptions& options) {
  check_options(options);
  check_arrays(X, y, options);
  Rows rows = load(X, y, options);
  const auto begin = std::chrono::steady_clock::now();
  const auto columns = static_cast<size_t>(rows.X.shape()[1].value());

  FitResult model;
  model.family = options.family.name;
  model.feature_names = names_of(options, columns);
  model.fit_intercept = options.fit_intercept;
  model.alpha = options.alpha;
  model.rows = rows.X.shape()[0].value();
  const Summary summary = check_data(rows, options, model.feature_names);
  const Scaling scaling = choose_scaling(summary, options, model.feature_names);

  const std::unique_ptr<Objective> sum = make_objective(options.family, rows, options.run);
  ScaledObjective objective(*sum, scaling, model.rows, options.alpha);
  SolverResult solved = solve(objective, options.family.null_eta(summary.mean_of_y), model.rows,
                              options, model.feature_names);

  model.coef = scaling.coefficients(solved.point);
  model.intercept = model.coef.back();
  model.coef.pop_back();
  model.converged = solved.converged;
  model.stop_reason = solved.stop_reason;
  model.n_iter = solved.n_iter;
  model.objective_history = std::move(solved.values);
  model.gradient_norm_history = std::move(solved.gradient_norms);
  model.objective = model.objective_history.back();
  model.gradient_norm = model.gradient_norm_history.back();
  model.passes = 1 + sum->passes();
  model.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return model;
}

Array predict(const FitResult& model, const Array& X) {
  if (X.ndim() != 2 || !X.shape()[1].is_known() ||
      X.shape()[1].value() != static_cast<int64_t>(model.coef.size())) {
    throw InvalidArgument(
        "predict", fmt::format("X of shape {} for a model of {} columns; accepted: (n, {})",
                               tuff::to_string(X.shape()), model.coef.size(), model.coef.size()));
  }
  if (model.family != logistic().name) {
    throw InvalidArgument("predict", fmt::format("family '{}'; accepted: logistic", model.family));
  }
  const Array eta = matmul(X.astype(DType::float64), from_vector(model.coef)) + model.intercept;
  return logistic().mean(eta);
}

}  // namespace glm
TUFF_NAMESPACE_END
