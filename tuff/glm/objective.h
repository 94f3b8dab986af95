// What solvers minimise: a function that costs one pass over the data. Here the sum over rows of a model's
// loss, as a plan over blocks; scaling.h makes of it what a solver sees.
//
// Solvers know `Objective` alone, not where it is computed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tuff/glm/family.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

/// What evaluate() is asked for; each includes those before it.
enum class Wants : uint8_t { value, gradient, hessian };

/// A function's value at one point, and what else was wanted.
struct Evaluation {
  double value = 0;
  std::vector<double> gradient;  ///< (q,)
  std::vector<double> hessian;   ///< (q, q) row-major, symmetric
  /// Rows whose class is not decided as y says; -1 for families that do not classify.
  int64_t undecided = -1;
};

/// A function of q coefficients that costs one pass over the data, however many points are asked for.
class TUFF_API Objective {
 public:
  virtual ~Objective();
  virtual size_t dimension() const = 0;
  /// `points`: (k, q) row-major. One Evaluation per point. Not finite where the function is not.
  virtual std::vector<Evaluation> evaluate(std::span<const double> points, Wants wants) = 0;
  /// Passes over the data so far.
  virtual int64_t passes() const = 0;
};

/// Rows in memory, cut into blocks of rows. `X`: (n, p) float64; `y`: (n,), cut like X's rows.
struct Rows {
  Array X;
  Array y;
};

/// The columns that a pass sees: deviations (x_j - centre_j) scale_j, and with `mix` (p, p; row-major, a
/// column per column seen) their combinations. Scales are powers of two, so that a deviation is rounded
/// once. All empty: the columns of X as they are.
struct Columns {
  std::vector<double> centre = {};
  std::vector<double> scale = {};
  std::vector<double> mix = {};
};

/// The sum over rows of `family`'s loss, as a function of a coefficient for each of `columns` and the
/// intercept (last). Families with a hand-tuned twin use it when `twin` holds and y is bool; all else is a
/// block program.
TUFF_API std::unique_ptr<Objective> make_objective(const Family& family, Rows rows,
                                                   const RunOptions& run, bool twin = true,
                                                   const Columns& columns = {});

/// The graph of one pass of that objective, on columns as they are, as it is built, for compile() and explain().
TUFF_API std::vector<graph::Port> pass_layers(const Family& family, const Rows& rows, Wants wants,
                                              bool twin = true);

}  // namespace glm
TUFF_NAMESPACE_END
