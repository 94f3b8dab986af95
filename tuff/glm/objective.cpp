// Objectives over blocks of rows; see objective.h.
#include "tuff/glm/objective.h"

#include <map>

#include <fmt/format.h>

#include "tuff/array/creation.h"
#include "tuff/array/linalg.h"
#include "tuff/array/math.h"
#include "tuff/array/reductions.h"
#include "tuff/glm/logistic_pass.h"
#include "tuff/graph/combine.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

Objective::~Objective() = default;

namespace {

/// One pass: its parameters, the graph that fills Evaluations, and that graph compiled.
struct Pass {
  std::vector<Parameter> betas;  // one (k, q), or k times (p,) and (1,)
  std::vector<graph::Port> outputs;
  std::optional<Plan> plan;
};

/// Passes are compiled once per number of points and kind of result, then rerun.
class PlannedObjective : public Objective {
 public:
  PlannedObjective(Rows rows, const RunOptions& run, Columns columns)
      : rows_(std::move(rows)),
        run_(run),
        columns_(std::move(columns)),
        features_(static_cast<size_t>(rows_.X.shape()[1].value())) {}
  size_t dimension() const override { return features_ + 1; }
  int64_t passes() const override { return passes_; }
  std::vector<Evaluation> evaluate(std::span<const double> points, Wants wants) override {
    const size_t count = points.size() / dimension();
    Pass& pass = plans_[{count, wants}];
    if (!pass.plan) {
      pass = make_pass(count, wants);
      pass.plan = compile(pass.outputs, tuff::detail::compile_options_for(run_));
    }
    ++passes_;
    return run_pass(pass, points, count, wants);
  }
  std::vector<graph::Port> layers(Wants wants) const { return make_pass(1, wants).outputs; }

 protected:
  virtual Pass make_pass(size_t count, Wants wants) const = 0;
  virtual std::vector<Evaluation> run_pass(const Pass& pass, std::span<const double> points,
                                           size_t count, Wants wants) const = 0;
  Rows rows_;
  RunOptions run_;
  Columns columns_;
  size_t features_;

 private:
  std::map<std::pair<size_t, Wants>, Pass> plans_;
  int64_t passes_ = 0;
};

/// kernels/logistic.h on every block.
class LogisticObjective final : public PlannedObjective {
 public:
  using PlannedObjective::PlannedObjective;

 private:
  static kernels::LogisticWants kernel_wants(Wants wants) {
    return static_cast<kernels::LogisticWants>(wants);
  }

  Pass make_pass(size_t count, Wants wants) const override {
    Pass pass;
    pass.betas.emplace_back("beta",
                            Dims{static_cast<int64_t>(count), static_cast<int64_t>(dimension())},
                            DType::float64);
    const graph::Port sums{
        std::make_shared<LogisticPassLayer>(rows_.X, rows_.y, pass.betas[0],
                                            columns_as_array().port(), kernel_wants(wants)),
        0};
    pass.outputs = {graph::combine_tree(ops::Reduction::sum, sums, Axes{0})};
    return pass;
  }

  /// Centres, scales and mix, one below the other.
  Array columns_as_array() const {
    std::vector<double> rows = columns_.centre;
    rows.resize(features_, 0.0);
    rows.insert(rows.end(), columns_.scale.begin(), columns_.scale.end());
    rows.resize(2 * features_, 1.0);
    rows.insert(rows.end(), columns_.mix.begin(), columns_.mix.end());
    const auto p = static_cast<int64_t>(features_);
    return from_vector(rows, Dims{static_cast<int64_t>(rows.size()) / std::max<int64_t>(p, 1), p});
  }

  std::vector<Evaluation> run_pass(const Pass& pass, std::span<const double> points, size_t count,
                                   Wants wants) const override {
    const size_t q = dimension();
    const Block beta =
        Block::copy_of<double>(points, {static_cast<int64_t>(count), static_cast<int64_t>(q)});
    const std::vector<double> sums =
        pass.plan->run({{pass.betas[0], beta}}, run_)[0].to_vector<double>();
    const size_t each = kernels::logistic_sum_count(features_, kernel_wants(wants));
    std::vector<Evaluation> evaluations(count);
    for (size_t k = 0; k < count; ++k) {
      const double* from = sums.data() + k * each;
      Evaluation& e = evaluations[k];
      e.value = from[0];
      e.undecided = static_cast<int64_t>(from[1]);
      if (wants != Wants::value) e.gradient.assign(from + 2, from + 2 + q);
      if (wants == Wants::hessian) e.hessian.assign(from + 2 + q, from + 2 + q + q * q);
    }
    return evaluations;
  }
};

/// A family's expressions as one block program.
class FamilyObjective final : public PlannedObjective {
 public:
  FamilyObjective(const Family& family, Rows rows, const RunOptions& run, Columns columns)
      : PlannedObjective(std::move(rows), run, std::move(columns)), family_(family) {}

 private:
  Array seen() const {
    if (columns_.scale.empty()) return rows_.X;
    const Array z = (rows_.X - from_vector(columns_.centre)) * from_vector(columns_.scale);
    if (columns_.mix.empty()) return z;
    const auto p = static_cast<int64_t>(features_);
    return matmul(z, from_vector(columns_.mix, Dims{p, p}));
  }

  Pass make_pass(size_t count, Wants wants) const override {
    Pass pass;
    std::vector<graph::Port>& outputs = pass.outputs;
    const Array X = seen();
    for (size_t k = 0; k < count; ++k) {
      const Parameter beta("beta", {static_cast<int64_t>(features_)}, DType::float64);
      const Parameter intercept("intercept", {1}, DType::float64);
      pass.betas.push_back(beta);
      pass.betas.push_back(intercept);
      const Array eta = matmul(X, beta) + intercept;
      outputs.push_back(sum(family_.loss(eta, rows_.y)));
      if (family_.undecided) outputs.push_back(sum(family_.undecided(eta, rows_.y)));
      if (wants == Wants::value) continue;
      const Array Xt = X.transpose();
      const Array residual = family_.residual(eta, rows_.y);
      outputs.push_back(matmul(Xt, residual));
      outputs.push_back(sum(residual));
      if (wants == Wants::gradient) continue;
      const Array weight = family_.weight(eta, rows_.y);
      outputs.push_back(matmul(Xt, weight[{whole, newaxis}] * X));
      outputs.push_back(matmul(Xt, weight));
      outputs.push_back(sum(weight));
    }
    return pass;
  }

  std::vector<Evaluation> run_pass(const Pass& pass, std::span<const double> points, size_t count,
                                   Wants wants) const override {
    const size_t p = features_, q = p + 1;
    std::vector<Binding> bindings;
    for (size_t k = 0; k < count; ++k) {
      bindings.push_back(
          {pass.betas[2 * k], Block::copy_of<double>(points.subspan(k * q, p), {int64_t(p)})});
      bindings.push_back(
          {pass.betas[2 * k + 1], Block::copy_of<double>(points.subspan(k * q + p, 1), {1})});
    }
    const std::vector<Result> results = pass.plan->run(std::move(bindings), run_);
    std::vector<Evaluation> evaluations(count);
    size_t next = 0;
    for (Evaluation& e : evaluations) {
      e.value = results[next++].item<double>();
      if (family_.undecided) e.undecided = results[next++].item<int64_t>();
      if (wants == Wants::value) continue;
      e.gradient = results[next++].to_vector<double>();
      e.gradient.push_back(results[next++].item<double>());
      if (wants == Wants::gradient) continue;
      const std::vector<double> inner = results[next++].to_vector<double>();
      std::vector<double> border = results[next++].to_vector<double>();
      border.push_back(results[next++].item<double>());
      e.hessian.resize(q * q);
      for (size_t i = 0; i < q; ++i) {
        for (size_t j = 0; j < q; ++j) {
          e.hessian[i * q + j] = i == p ? border[j] : j == p ? border[i] : inner[i * p + j];
        }
      }
    }
    return evaluations;
  }

  Family family_;
};

std::unique_ptr<PlannedObjective> make_planned(const Family& family, Rows rows,
                                               const RunOptions& run, bool twin,
                                               const Columns& columns) {
  if (twin && is_logistic(family) && rows.y.dtype() == DType::bool_) {
    return std::make_unique<LogisticObjective>(std::move(rows), run, columns);
  }
  return std::make_unique<FamilyObjective>(family, std::move(rows), run, columns);
}

}  // namespace

std::unique_ptr<Objective> make_objective(const Family& family, Rows rows, const RunOptions& run,
                                          bool twin, const Columns& columns) {
  return make_planned(family, std::move(rows), run, twin, columns);
}

std::vector<graph::Port> pass_layers(const Family& family, const Rows& rows, Wants wants,
                                     bool twin) {
  return make_planned(family, rows, {}, twin, {})->layers(wants);
}

}  // namespace glm
TUFF_NAMESPACE_END
