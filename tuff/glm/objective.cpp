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
  PlannedObjective(Rows rows, const RunOptions& run)
      : rows_(std::move(rows)),
        run_(run),
        features_(static_cast<size_t>(rows_.X.shape()[1].value())) {}
  size_t dimension() const override { return features_ + 1; }
  int64_t passes() const override { return passes_; }
  std::vector<Evaluation> evaluate(std::span<const double> points, Wants wants) override {
    const size_t count = points.size() / dimension();
    Pass& pass = plans_[{count, wants}];
    if (!pass.plan) {
      pass = make_pass(count, wants);
      pass.plan = compile(pass.outputs);
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
        std::make_shared<LogisticPassLayer>(rows_.X, rows_.y, pass.betas[0], kernel_wants(wants)),
        0};
    pass.outputs = {graph::combine_tree(ops::Reduction::sum, sums, Axes{0})};
    return pass;
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
  FamilyObjective(const Family& family, Rows rows, const RunOptions& run)
      : PlannedObjective(std::move(rows), run), family_(family) {}

 private:
  Pass make_pass(size_t count, Wants wants) const override {
    Pass pass;
    std::vector<graph::Port>& outputs = pass.outputs;
    for (size_t k = 0; k < count; ++k) {
      const Parameter beta("beta", {static_cast<int64_t>(features_)}, DType::float64);
      const Parameter intercept("intercept", {1}, DType::float64);
      pass.betas.push_back(beta);
      pass.betas.push_back(intercept);
      const Array eta = matmul(rows_.X, beta) + intercept;
      outputs.push_back(sum(family_.loss(eta, rows_.y)));
      if (family_.undecided) outputs.push_back(sum(family_.undecided(eta, rows_.y)));
      if (wants == Wants::value) continue;
      const Array Xt = rows_.X.transpose();
      const Array residual = family_.residual(eta, rows_.y);
      outputs.push_back(matmul(Xt, residual));
      outputs.push_back(sum(residual));
      if (wants == Wants::gradient) continue;
      const Array weight = family_.weight(eta, rows_.y);
      outputs.push_back(matmul(Xt, weight[{whole, newaxis}] * rows_.X));
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
                                               const RunOptions& run, bool twin) {
  if (twin && family.name == logistic().name && rows.y.dtype() == DType::bool_) {
    return std::make_unique<LogisticObjective>(std::move(rows), run);
  }
  return std::make_unique<FamilyObjective>(family, std::move(rows), run);
}

}  // namespace

std::unique_ptr<Objective> make_objective(const Family& family, Rows rows, const RunOptions& run,
                                          bool twin) {
  return make_planned(family, std::move(rows), run, twin);
}

std::vector<graph::Port> pass_layers(const Family& family, const Rows& rows, Wants wants,
                                     bool twin) {
  return make_planned(family, rows, {}, twin)->layers(wants);
}

// ---- scaling -------------------------------------------------------------------------------------

std::vector<double> Scaling::coefficients(std::span<const double> theta) const {
  const size_t p = scale.size();
  std::vector<double> beta(p + 1, 0.0);
  if (intercept) beta[p] = theta[p];
  for (size_t j = 0; j < p; ++j) {
    beta[j] = theta[j] / scale[j];
    if (intercept) beta[p] -= mean[j] * beta[j];
  }
  return beta;
}

std::vector<double> Scaling::scaled(std::span<const double> beta) const {
  const size_t p = scale.size();
  std::vector<double> theta(dimension());
  if (intercept) theta[p] = beta[p];
  for (size_t j = 0; j < p; ++j) {
    theta[j] = beta[j] * scale[j];
    if (intercept) theta[p] += mean[j] * beta[j];
  }
  return theta;
}

ScaledObjective::ScaledObjective(Objective& sum, Scaling scaling, int64_t rows, double alpha)
    : sum_(sum), scaling_(std::move(scaling)), rows_(static_cast<double>(rows)), alpha_(alpha) {}

std::vector<Evaluation> ScaledObjective::evaluate(std::span<const double> points, Wants wants) {
  const size_t q = dimension(), p = scaling_.scale.size(), count = points.size() / q;
  std::vector<double> betas;
  for (size_t k = 0; k < count; ++k) {
    const std::vector<double> beta = scaling_.coefficients(points.subspan(k * q, q));
    betas.insert(betas.end(), beta.begin(), beta.end());
  }
  std::vector<Evaluation> evaluations = sum_.evaluate(betas, wants);
  for (size_t k = 0; k < count; ++k) {
    Evaluation& e = evaluations[k];
    const std::vector<double> beta(betas.begin() + static_cast<ptrdiff_t>(k * (p + 1)),
                                   betas.begin() + static_cast<ptrdiff_t>((k + 1) * (p + 1)));
    if (alpha_ > 0) e.undecided = -1;  // with a penalty there always is an optimum
    e.value /= rows_;
    for (size_t j = 0; j < p; ++j) e.value += 0.5 * alpha_ * beta[j] * beta[j];
    if (wants != Wants::value) scale_gradient(beta, e);
    if (wants == Wants::hessian) scale_hessian(e);
  }
  return evaluations;
}

void ScaledObjective::scale_gradient(const std::vector<double>& beta, Evaluation& e) const {
  const size_t p = scaling_.scale.size();
  const double of_intercept = e.gradient[p] / rows_;
  for (size_t j = 0; j < p; ++j) {
    const double centre = scaling_.intercept ? scaling_.mean[j] * of_intercept : 0.0;
    e.gradient[j] = (e.gradient[j] / rows_ - centre + alpha_ * beta[j]) / scaling_.scale[j];
  }
  if (scaling_.intercept) {
    e.gradient[p] = of_intercept;
  } else {
    e.gradient.pop_back();
  }
}

void ScaledObjective::scale_hessian(Evaluation& e) const {
  const size_t p = scaling_.scale.size(), q = dimension(), from = p + 1;
  const std::vector<double> h = std::move(e.hessian);
  e.hessian.assign(q * q, 0.0);
  const auto mean = [&](size_t j) { return scaling_.intercept ? scaling_.mean[j] : 0.0; };
  const double corner = h[p * from + p];
  for (size_t i = 0; i < p; ++i) {
    for (size_t j = 0; j < p; ++j) {
      const double centred = h[i * from + j] - mean(i) * h[p * from + j] -
                             mean(j) * h[i * from + p] + mean(i) * mean(j) * corner;
      const double penalty = i == j ? alpha_ : 0.0;
      e.hessian[i * q + j] = (centred / rows_ + penalty) / (scaling_.scale[i] * scaling_.scale[j]);
    }
    if (scaling_.intercept) {
      const double border = (h[i * from + p] - mean(i) * corner) / (rows_ * scaling_.scale[i]);
      e.hessian[i * q + p] = border;
      e.hessian[p * q + i] = border;
    }
  }
  if (scaling_.intercept) e.hessian[q * q - 1] = corner / rows_;
}

}  // namespace glm
TUFF_NAMESPACE_END
