// Whether columns are independent: asked once, of X, before a solver starts, so that the answer is the same
// for every solver, instruction set, number of threads and budget.
//
// Called by: fit.cpp. A pivoted Cholesky factor of the columns' products names suspects; whether a suspect
// is a combination of the others is decided by one more pass over what the combination leaves of it.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "tuff/glm/scaling.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

/// From this condition number on, standardised columns count as nearly collinear: standard errors are up to
/// a thousand times those of uncorrelated columns. (statsmodels warns from the same number on.)
inline constexpr double kIllConditioned = 1000;

struct Collinearity {
  /// Not empty: coefficients of standardised columns whose combination is 0 in every row, to rounding; that
  /// of the last column is -1. Of several such relations the one that ends first.
  std::vector<double> relation;
  /// Scaling::mix, in which no column is nearly a combination of others; empty where none is anyway.
  std::vector<double> mix;
  /// At the start, in columns that are mixed like that.
  Evaluation at;
  /// Largest singular value of the standardised columns over the smallest, and the direction of the
  /// smallest; 0 and empty below kIllConditioned.
  double condition_number = 0;
  std::vector<double> weakest;
};

/// `at_start`: value, gradient and Hessian at the start, with columns mixed as its argument says, where
/// every row has the same weight: then the Hessian holds the products of columns. `sizes` (p): root mean
/// square of each column as it was given, over its scale; `rounding`: of its values, relative. A column is
/// a combination when what is left of it is at most what rounding of the values and of the combination
/// makes: (4 + p) rounding times the sum of the sizes in it.
/// Cost: what at_start costs, once more for each round of suspects; p^3 / 3 operations.
/// Source: Higham 2002, section 10.3 (pivoted Cholesky) and Yamamoto et al. 2015 (repeated for accuracy).
Collinearity find_collinearity(
    const Scaling& scaling, std::span<const double> sizes, double rounding,
    const std::function<Evaluation(const std::vector<double>& mix)>& at_start);

}  // namespace glm
TUFF_NAMESPACE_END
