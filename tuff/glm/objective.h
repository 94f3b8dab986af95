// What solvers minimise, seen from both sides: the sum over rows of a model's loss (a plan over blocks),
// and the function that a solver sees (per row, in scaled coefficients, with the penalty).
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

/// The sum over rows of `family`'s loss, as a function of p coefficients and the intercept (last).
/// Families with a hand-tuned twin use it when `twin` holds and y is bool; all else is a block program.
TUFF_API std::unique_ptr<Objective> make_objective(const Family& family, Rows rows,
                                                   const RunOptions& run, bool twin = true);

/// The graph of one pass of that objective as it is built, for compile() and explain().
TUFF_API std::vector<graph::Port> pass_layers(const Family& family, const Rows& rows, Wants wants,
                                              bool twin = true);

/// Column means and scales, by which a model becomes one of columns with mean 0 and scale 1:
/// theta_j = scale_j beta_j, and theta_p = intercept + sum of mean_j beta_j. Without an intercept nothing
/// is centred and theta has p entries.
struct Scaling {
  std::vector<double> mean;
  std::vector<double> scale;
  bool intercept = true;

  size_t dimension() const { return scale.size() + (intercept ? 1 : 0); }
  /// (p + 1) coefficients, the intercept last (0 without one), and back.
  std::vector<double> coefficients(std::span<const double> theta) const;
  std::vector<double> scaled(std::span<const double> beta) const;
};

/// `(sum over rows) / n + alpha / 2 sum of beta_j^2` as a function of theta; the intercept is not
/// penalised. Its gradient is the derivative by the coefficients of standardised columns, per row.
class TUFF_API ScaledObjective final : public Objective {
 public:
  ScaledObjective(Objective& sum, Scaling scaling, int64_t rows, double alpha);
  size_t dimension() const override { return scaling_.dimension(); }
  std::vector<Evaluation> evaluate(std::span<const double> points, Wants wants) override;
  int64_t passes() const override { return sum_.passes(); }

 private:
  void scale_gradient(const std::vector<double>& beta, Evaluation& e) const;
  void scale_hessian(Evaluation& e) const;
  Objective& sum_;
  Scaling scaling_;
  double rows_;
  double alpha_;
};

}  // namespace glm
TUFF_NAMESPACE_END
