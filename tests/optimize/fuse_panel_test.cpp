// Contractions: a panel of rows is read once for X b, what follows, and X' r; large products stay with BLAS.
#include "tuff/graph/fused.h"
#include "tuff/optimize/fuse.h"

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// Logistic regression of `rows` rows and `p` columns, four blocks of rows.
struct Logistic {
  explicit Logistic(int64_t rows = 100, int64_t p = 3)
      : X((in_memory({rows, p}, {rows / 4, p}) * 1e-3).persist()),
        y((in_memory({rows}, rows / 4) * 1e-3).persist()),
        beta("beta", {p}, DType::float64),
        eta(matmul(X, beta)),
        mu(sigmoid(eta)),
        loss(sum(log1p(exp(eta)) - y * eta)),
        weight(mu * (1.0 - mu)) {}
  std::vector<Binding> bound() const {
    std::vector<double> b;
    for (int64_t i = 0; i < beta.shape()[0].value(); ++i)
      b.push_back(0.1 * static_cast<double>(i) - 0.05);
    return {{beta, b}};
  }
  Array X, y;
  Parameter beta;
  Array eta, mu, loss, weight;
};

/// One layer reads X, once per block, and nothing of the size of X or longer than its columns is written.
void expect_one_read(const Ports& outputs, const Logistic& model) {
  const Plan plan = compiled(outputs);
  size_t readers = 0;
  for (const graph::LayerPtr& layer : graph::layers_in_order(plan.outputs())) {
    readers += reads_of(*layer, model.X) > 0 ? 1 : 0;
    EXPECT_NE(layer->name(), "matmul") << plan.describe();
    if (layer->name() != "fused") continue;
    for (const graph::LayerOutput& output : layer->outputs()) {
      int64_t elements = 1;
      for (const Extent& extent : shape_of(output.chunks)) elements *= extent.value();
      EXPECT_LT(elements, model.X.shape()[0].value()) << plan.describe();
    }
  }
  EXPECT_EQ(readers, 1u) << plan.describe();
  expect_same_results(outputs, model.bound());
}

TEST(FusePanel, TheGradientIsOneLayer) {
  const Array X = in_memory({100, 3}, {25, 3});
  const Array y = in_memory({100}, 25);
  const Parameter beta("beta", {3}, DType::float64);
  const Ports built = {matmul(X.transpose(), sigmoid(matmul(X, beta)) - y)};
  EXPECT_EQ(describe(built),
            "L0  memory  0 tasks  ->  float64 (100, 3) in (4, 1) blocks\n"
            "L1  relabel(axes (1, 0))  4 tasks  <-  L0  ->  float64 (3, 100) in (1, 4) blocks\n"
            "L2  parameter(beta)  0 tasks  ->  float64 (3,) in (1,) blocks\n"
            "L3  matmul  4 tasks  <-  L0, L2  ->  float64 (100,) in (4,) blocks\n"
            "L4  sigmoid  4 tasks  <-  L3  ->  float64 (100,) in (4,) blocks\n"
            "L5  memory  0 tasks  ->  float64 (100,) in (4,) blocks\n"
            "L6  subtract  4 tasks  <-  L4, L5  ->  float64 (100,) in (4,) blocks\n"
            "L7  matmul  4 tasks  <-  L1, L6  ->  float64 (3, 4) in (1, 4) blocks\n"
            "L8  combine(axes (1,))  1 task  <-  L7  ->  float64 (3, 1) in (1, 1) blocks\n"
            "L9  relabel(axes (0))  1 task  <-  L8  ->  float64 (3,) in (1,) blocks\n");
  const Plan plan = compiled(built);
  EXPECT_EQ(plan.describe(),
            "L0  memory  0 tasks  ->  float64 (100, 3) in (4, 1) blocks\n"
            "L1  parameter(beta)  0 tasks  ->  float64 (3,) in (1,) blocks\n"
            "L2  memory  0 tasks  ->  float64 (100,) in (4,) blocks\n"
            "L3  fused(relabel, matmul, sigmoid, subtract -> matmul)  4 tasks  <-  L0, L1, L2  ->  "
            "float64 (3, 4) in (1, 4) blocks\n"
            "L4  combine(axes (1,))  1 task  <-  L3  ->  float64 (3, 1) in (1, 1) blocks\n"
            "L5  relabel(axes (0))  1 task  <-  L4  ->  float64 (3,) in (1,) blocks\n");
  EXPECT_EQ(plan.task_count(), 6u);
  EXPECT_TRUE(
      dynamic_cast<const graph::FusedLayer&>(*largest_fused(plan.outputs())).program().panel);
  expect_same_results(built, {{beta, std::vector<double>{0.001, -0.002, 0.001}}});
}

TEST(FusePanel, TheGradientWrittenAsRowTimesMatrixIsOneLayer) {
  const Logistic m;
  expect_one_read({matmul(m.mu - m.y, m.X)}, m);
}

TEST(FusePanel, LossAndGradientAreOneReadOfX) {
  const Logistic m;
  expect_one_read({m.loss, matmul(m.X.transpose(), m.mu - m.y)}, m);
}

TEST(FusePanel, LossGradientAndHessianAreOneReadOfX) {
  const Logistic m;
  const Array gradient = matmul(m.X.transpose(), m.mu - m.y);
  expect_one_read({m.loss, gradient, matmul(m.X.transpose() * m.weight, m.X)}, m);
}

TEST(FusePanel, TheHessianWithWeightedRowsIsOneReadOfX) {
  const Logistic m;
  const Array hessian = matmul(m.X.transpose(), m.X * m.weight[{whole, newaxis}]);
  expect_one_read({hessian}, m);
  expect_one_read({m.loss, hessian}, m);
}

TEST(FusePanel, OneTransposeServesGradientAndHessianWithWeightedRows) {
  // Both read X', which cse makes one layer; as a view it may stand in both places.
  const Logistic m;
  const Array gradient = matmul(m.X.transpose(), m.mu - m.y);
  const Array hessian = matmul(m.X.transpose(), m.X * m.weight[{whole, newaxis}]);
  expect_one_read({m.loss, gradient, hessian}, m);
}

TEST(FusePanel, AComputedPanelMeetsItselfOnlyInMemory) {
  // In X' W X the columns of X have two names, and a value of a program has one; a computed X is stored.
  const Logistic m;
  const Array X = m.X - mean(m.X, 0);
  const Array hessian = matmul(X.transpose(), X * m.weight[{whole, newaxis}]);
  EXPECT_THAT(plan_of({hessian}), Contains(HasSubstr("matmul")));
  expect_same_results({hessian, matmul(X.transpose(), m.mu - m.y)}, m.bound());
}

TEST(FusePanel, TheOrderOfOutputsDoesNotMatter) {
  const Logistic m;
  const Array gradient = matmul(m.X.transpose(), m.mu - m.y);
  const Array hessian = matmul(m.X.transpose() * m.weight, m.X);
  expect_one_read({hessian, gradient, m.loss}, m);
  expect_one_read({gradient, m.loss, hessian}, m);
}

TEST(FusePanel, ALinearPredictorAloneStaysAProductOfBlocks) {
  const Logistic m;
  EXPECT_THAT(plan_of({matmul(m.X, m.beta)}), ElementsAre("matmul"));
  EXPECT_THAT(plan_of({matmul(m.X, m.beta) + 1.0}), ElementsAre("fused(matmul, add)"));
  expect_same_results({matmul(m.X, m.beta) + 1.0}, m.bound());
}

TEST(FusePanel, ProductsOfTwoLargeMatricesStayWithBlas) {
  const auto large = [] { return zeros({1200, 1200}, {.chunks = 600}).persist(); };
  const Array a = large();
  const Array b = large();
  EXPECT_THAT(plan_of({matmul(a, b)}),
              ElementsAre("matmul", "combine(axes (2,))", "relabel(axes (0, 1))"));
  EXPECT_THAT(plan_of({exp(matmul(a, b))}), Contains("matmul"));
  const std::vector<std::string> both = plan_of({matmul(exp(a), b) + 1.0});
  EXPECT_THAT(both, Contains("matmul"));
  EXPECT_THAT(both, Contains("fused(exp)"));
}

TEST(FusePanel, AnAxisOfOneElementIsNoRow) {
  // Dropped on the way to one factor, it would make that factor's vector a row of one number.
  const Array x = in_memory({1, 5}, {1, 5});
  const Array y = minimum(x, x);
  const Array product = matmul(y[{0}], x.transpose());
  EXPECT_EQ(product.to_vector<double>(), matmul(y, x.transpose()).to_vector<double>());
  expect_same_results({product + 1.0, y});
}

TEST(FusePanel, RowsThatAreTooWideStayApart) {
  const int64_t p = kernels::kMaxPanelColumns + 1;
  const auto gradient = [](int64_t columns) {
    const Array X = zeros({8, columns}, {.chunks = {4, columns}}).persist();
    const Parameter beta("beta", {columns}, DType::float64);
    return titles(compiled({matmul(X.transpose(), sigmoid(matmul(X, beta)))}).outputs());
  };
  EXPECT_THAT(gradient(p - 1), Contains("fused(relabel, matmul, sigmoid -> matmul)"));
  EXPECT_THAT(gradient(p), Not(Contains("fused(relabel, matmul, sigmoid -> matmul)")));
}

TEST(FusePanel, AGramMatrixThatIsTooLargeStaysWithBlas) {
  const auto hessian = [](int64_t p) {
    const Array X = zeros({8, p}, {.chunks = {4, p}}).persist();
    return titles(compiled({matmul(X.transpose(), exp(X))}).outputs());
  };
  EXPECT_THAT(hessian(500), Not(Contains("matmul")));  // 250,000 elements
  EXPECT_THAT(hessian(520), Contains("matmul"));       // 270,400: beyond kMaxSmallOperand
}

TEST(FusePanel, ColumnsInSeveralBlocksAreSummedOutside) {
  const Array X = in_memory({100, 6}, {25, 3}) * 1e-3;
  const Array beta = in_memory({6}, 3);
  const Array y = sigmoid(matmul(X, beta));
  EXPECT_THAT(plan_of({y}), Contains(HasSubstr("combine")));
  expect_same_results({y, matmul(X.transpose(), y)});
}

TEST(FusePanel, APanelTimesASmallMatrixAndWhatFollowsIsOneLayer) {
  const Array X = in_memory({40, 6}, {10, 6}) * 1e-3;
  const Array W = in_memory({6, 4}, -1);
  const Array hidden = tanh(matmul(X, W));
  EXPECT_THAT(plan_of({hidden}), ElementsAre("fused(multiply, matmul, tanh)"));
  expect_same_results({hidden});
  expect_same_results({sum(hidden, 0), matmul(hidden.transpose(), X)});
}

TEST(FusePanel, IntegersHaveNoPanelAndStayApart) {
  const Array X = in_memory({40, 6}, {10, 6}).astype(DType::int64);
  const Array b = in_memory({6}, -1).astype(DType::int64);
  EXPECT_THAT(plan_of({matmul(X, b) + 1}), Contains("matmul"));
  expect_same_results({matmul(X, b) + 1});
}

TEST(FusePanel, TheSumOfProductsOfTwoVectorsJoinsTheirMaker) {
  const Logistic m;
  const Array r = m.mu - m.y;
  expect_one_read({matmul(r, r), m.loss}, m);
}

TEST(FusePanel, FloatsOfBothWidthsFuseAlike) {
  const Array X = in_memory({40, 6}, {10, 6}).astype(DType::float32) * 0.001;
  const Parameter beta("beta", {6}, DType::float32);
  const Array g = matmul(X.transpose(), sigmoid(matmul(X, beta)));
  EXPECT_THAT(plan_of({g}), Not(Contains("matmul")));
}

TEST(FusePanel, ExtentsZeroAndOneGiveTheSameResults) {
  for (int64_t rows : {0, 1, 5}) {
    for (int64_t p : {1, 2}) {
      const Array X = in_memory({rows, p}, {2, p}) * 0.01;
      const Array b = in_memory({p}, -1);
      const Array r = sigmoid(matmul(X, b));
      SCOPED_TRACE(std::to_string(rows) + " rows, " + std::to_string(p) + " columns");
      expect_same_results({sum(r), matmul(X.transpose(), r), matmul(X.transpose() * r, X), r});
    }
  }
}

}  // namespace
}  // namespace tuff::optimize_test
