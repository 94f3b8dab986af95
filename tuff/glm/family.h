// Families of generalized linear models: three expressions of eta and y each.
//
// Used by: objective.cpp, which makes them one block program per pass. A family of one's own is another
// value of this struct; it is fused, and travels to other processes, like any array expression.
#pragma once

#include <functional>
#include <string>

#include "tuff/array/array.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

/// One family with its link. Expressions are element-wise, of `eta` (n,) float64 and the target `y`
/// (n,) as the model stores it.
struct Family {
  using Expression = std::function<Array(const Array& eta, const Array& y)>;

  std::string name;
  /// Negative log-likelihood of each row; terms without eta may be left out.
  Expression loss;
  /// Its first derivative in eta: mu - y for canonical links.
  Expression residual;
  /// Its second derivative in eta, at least 0.
  Expression weight;
  /// For families that classify: true where eta does not decide the row as y says. When it holds
  /// nowhere, coefficients have no finite optimum. Empty otherwise.
  Expression undecided = {};
  /// Mean of y for each eta.
  std::function<Array(const Array& eta)> mean;
  /// eta of the model that has an intercept alone, from the mean of y.
  std::function<double(double mean_of_y)> null_eta;
};

/// y in {0, 1}, eta = log(mu / (1 - mu)). Source: McCullagh & Nelder 1989, section 4.3.
TUFF_API const Family& logistic();
/// Whether loss and derivatives are those of logistic(), whatever the name: then its hand-tuned pass serves.
TUFF_API bool is_logistic(const Family& family);

}  // namespace glm
TUFF_NAMESPACE_END
