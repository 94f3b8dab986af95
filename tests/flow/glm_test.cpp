// One Newton step of logistic regression as array expressions: loss, gradient and Hessian compiled
// together read X once, and agree with loops.
#include "random_graph.h"

#include "tuff/graph/fused.h"

namespace tuff::flow {
namespace {

struct Data {
  int64_t n, p;
  Dense X, y;
  std::vector<double> beta;
};

Data make_data(int64_t n, int64_t p, DType dtype) {
  conform::Rng rng(static_cast<uint64_t>(n * 100 + p));
  Dense X(DType::float64, Dims{n, p}), y(DType::float64, Dims{n});
  for (int64_t i = 0; i < X.size(); ++i) X.data<double>()[i] = rng.unit() * 2 - 1;
  for (int64_t i = 0; i < n; ++i) y.data<double>()[i] = rng.chance(40) ? 1 : 0;
  Data data{n, p, conform::naive_astype(X, dtype), conform::naive_astype(y, dtype), {}};
  for (int64_t j = 0; j < p; ++j) data.beta.push_back(rng.unit() - 0.5);
  return data;
}

/// Loss, gradient and Hessian of the negative log-likelihood, summed over rows, one element at a time.
struct Step {
  long double loss = 0;
  std::vector<long double> gradient, hessian;
};

Step naive_step(const Data& data) {
  const auto p = static_cast<size_t>(data.p);
  Step step{0, std::vector<long double>(p), std::vector<long double>(p * p)};
  for (int64_t i = 0; i < data.n; ++i) {
    long double eta = 0;
    for (size_t j = 0; j < p; ++j)
      eta +=
          data.X.at(i * data.p + static_cast<int64_t>(j)) * static_cast<long double>(data.beta[j]);
    const long double mu = 1 / (1 + std::exp(-eta)), w = mu * (1 - mu);
    step.loss += std::log1p(std::exp(-std::fabs(eta))) + std::max(eta, 0.0L) - data.y.at(i) * eta;
    for (size_t j = 0; j < p; ++j) {
      const long double xj = data.X.at(i * data.p + static_cast<int64_t>(j));
      step.gradient[j] += xj * (mu - data.y.at(i));
      for (size_t k = 0; k < p; ++k)
        step.hessian[j * p + k] += w * xj * data.X.at(i * data.p + static_cast<int64_t>(k));
    }
  }
  return step;
}

struct Expressions {
  Parameter beta;
  Array loss, gradient, hessian;
};

Expressions expressions(const Array& X, const Array& y, int64_t p, DType dtype) {
  const Parameter beta("beta", {p}, dtype);
  const Array eta = matmul(X, beta);
  const Array mu = sigmoid(eta);
  const Array w = mu * (1.0 - mu);
  return {beta, sum(log1p(exp(-abs(eta))) + maximum(eta, 0.0) - y * eta),
          matmul(X.transpose(), mu - y), matmul(X.transpose(), w[{whole, newaxis}] * X)};
}

/// The number of layers that read `source`, looking through views.
size_t readers_of(const Plan& plan, const graph::Layer* source) {
  size_t readers = 0;
  for (const graph::LayerPtr& layer : graph::layers_in_order(plan.outputs())) {
    size_t reads = 0;
    for (const graph::Port& input : layer->inputs()) reads += input.layer.get() == source ? 1 : 0;
    if (reads > 0 && layer->is_view()) {
      readers += readers_of(plan, layer.get());
    } else {
      readers += reads > 0 ? 1 : 0;
    }
  }
  return readers;
}

class Newton : public ::testing::TestWithParam<DType> {};

TEST_P(Newton, StepAgreesWithLoopsHoweverItIsCut) {
  const DType dtype = GetParam();
  // float32 contractions add up in float32: n u of the sum of magnitudes (Higham 2002, section 3.1).
  for (const auto& [n, p] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {7, 3}, {100, 1}, {1000, 10}, {523, 33}}) {
    const Data data = make_data(n, p, dtype);
    const Step want = naive_step(data);
    const double tolerance = dtype == DType::float64 ? 1e-12 : static_cast<double>(n + p) * 0x1p-22;
    conform::Rng rng(1);
    for (const ChunkSpec& chunks : {ChunkSpec(-1), ChunkSpec{(n + 2) / 3, -1}, ChunkSpec{64, -1},
                                    ChunkSpec{(n + 1) / 2, (p + 1) / 2}}) {
      conform::Guises guises(rng);
      const Array X = guises.plain(data.X, chunks), y = guises.plain(data.y, 100);
      const Expressions e = expressions(X, y, p, dtype);
      const Plan plan = compile({e.loss, e.gradient, e.hessian});
      Block beta = Block::allocate(dtype, {p});
      visit_dtype(dtype, [&](auto t) {
        using T = decltype(t);
        if constexpr (std::is_floating_point_v<T>) {
          for (int64_t j = 0; j < beta.size(); ++j)
            beta.data<T>()[j] = static_cast<T>(data.beta[static_cast<size_t>(j)]);
        }
      });
      std::vector<Dense> got;
      for (const Result& result : plan.run({{e.beta, beta}})) got.emplace_back(result.gather());
      const double size = static_cast<double>(n);
      SCOPED_TRACE(X.describe());
      ASSERT_EQ(got[0].dtype, dtype);
      ASSERT_NEAR(static_cast<double>(got[0].at(0)), static_cast<double>(want.loss),
                  tolerance * size);
      for (int64_t j = 0; j < p; ++j) {
        ASSERT_NEAR(static_cast<double>(got[1].at(j)),
                    static_cast<double>(want.gradient[static_cast<size_t>(j)]), tolerance * size);
      }
      for (int64_t j = 0; j < p * p; ++j) {
        ASSERT_NEAR(static_cast<double>(got[2].at(j)),
                    static_cast<double>(want.hessian[static_cast<size_t>(j)]), tolerance * size);
      }
    }
  }
}

TEST_P(Newton, StepReadsEachBlockOfXInOneFusedLayer) {
  const Array X =
      random::normal({1000, 10}, {.chunks = ChunkSpec{100, -1}, .seed = 1, .dtype = GetParam()})
          .persist();
  const Array y = zeros({1000}, {.dtype = GetParam(), .chunks = 100}).persist();
  const Expressions e = expressions(X, y, 10, GetParam());
  const Plan plan = compile({e.loss, e.gradient, e.hessian});
  EXPECT_EQ(readers_of(plan, X.port().layer.get()), 1U) << plan.describe();
  EXPECT_EQ(readers_of(plan, y.port().layer.get()), 1U) << plan.describe();
  size_t fused = 0;
  for (const graph::LayerPtr& layer : graph::layers_in_order(plan.outputs())) {
    const auto* one = dynamic_cast<const graph::FusedLayer*>(layer.get());
    const auto reads_X = [&](const graph::Port& input) { return input.layer == X.port().layer; };
    if (one == nullptr || std::none_of(one->inputs().begin(), one->inputs().end(), reads_X))
      continue;
    ++fused;
    EXPECT_EQ(one->outputs().size(), 3U) << plan.describe();
    EXPECT_EQ(one->task_count(), 10U);
  }
  EXPECT_EQ(fused, 1U) << plan.describe();
  EXPECT_NE(plan.describe().find("matmul"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Of, Newton, ::testing::Values(DType::float64, DType::float32),
                         [](const auto& dtype) { return std::string(name_of(dtype.param)); });

// What the first lines of any introduction show.
TEST(Standardize, GivesZeroMeanAndUnitDeviation) {
  const Array x =
      random::uniform({5000, 20}, {.low = 3, .high = 5, .chunks = ChunkSpec{700, 9}, .seed = 1});
  const Array z = (x - mean(x, 0)) / tuff::std(x, 0);
  for (double m : mean(z, 0).to_vector<double>()) EXPECT_NEAR(m, 0, 1e-13);
  for (double s : tuff::std(z, 0).to_vector<double>()) EXPECT_NEAR(s, 1, 1e-13);
}

}  // namespace
}  // namespace tuff::flow
