#include <cstdio>
#include <vector>

#include "tuff/tuff.h"

int main() {
  // Building an expression computes nothing: x and y are nodes of a graph, whatever their size.
  tuff::Array x = tuff::random::normal({10'000'000}, {.seed = 1});
  tuff::Array y = tuff::exp(x) - 1.0 / x;

  // The sum runs as one program per block on all cores; neither x nor y is ever stored.
  std::printf("sum of y       %.6f\n", tuff::sum(y).compute<double>());

  // An iteration compiles its step once, and gives new numbers to its parameters in each run. Here:
  // logistic regression by gradient descent. One read of X gives the whole gradient.
  tuff::Array X = tuff::random::normal({1'000'000, 3}, {.seed = 2}).persist();
  tuff::Array labels = (tuff::matmul(X, tuff::from_vector<double>({1, -2, 0.5})) > 0.0).persist();
  tuff::Parameter beta("beta", {3}, tuff::DType::float64);
  tuff::Array residuals = tuff::sigmoid(tuff::matmul(X, beta)) - labels;
  tuff::Plan gradient = tuff::compile({tuff::matmul(X.transpose(), residuals)});

  std::vector<double> b(3);
  for (int i = 0; i < 100; ++i) {
    const std::vector<double> g = gradient.run({{beta, b}})[0].to_vector<double>();
    for (size_t j = 0; j < b.size(); ++j) b[j] -= 1e-5 * g[j];
  }
  std::printf("coefficients   %.3f %.3f %.3f\n", b[0], b[1], b[2]);

  // How a plan will run: what was welded together, in how many tasks, and what reads what.
  std::printf("%s", gradient.describe().c_str());
}
