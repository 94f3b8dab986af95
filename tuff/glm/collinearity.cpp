// Suspects, and the passes that decide; see collinearity.h.
#include "tuff/glm/collinearity.h"

#include <algorithm>
#include <cmath>

#include "tuff/kernels/blas.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

/// What is left of a column after those before it are taken out, as a share of its square, below which it
/// is looked at. Sums of products are exact to about 1e-15 of their size, so a share of 1e-8 is known to
/// seven digits, and Newton's steps in such columns are too.
constexpr double kSuspect = 1e-8;
/// Each round leaves at most 1e-4 of a suspect, and rounding ends it after four.
constexpr int kRounds = 8;
/// Pivots above it belong to columns whose condition number is not worth a look.
constexpr double kClear = 0.01;
/// Each power iteration at least halves the error of a condition number that is shown with two digits,
/// unless singular values lie within a factor of 1.4, where it does not matter which is found.
constexpr int kPowerIterations = 60;
/// Coefficients of a relation below this share of the largest are rounding.
constexpr double kNoPart = 1e-6;

class Finder {
 public:
  Finder(const Scaling& scaling, std::span<const double> sizes, double rounding,
         const std::function<Evaluation(const std::vector<double>&)>& at_start)
      : p_(scaling.scale.size()),
        q_(scaling.dimension()),
        sizes_(sizes),
        rounding_(rounding),
        at_start_(at_start),
        mix_(p_ * p_, 0.0),
        mixed_(p_, false),
        dependent_(p_, false) {
    for (size_t j = 0; j < p_; ++j) mix_[j * p_ + j] = 1;
  }

  Collinearity run() {
    e_ = at_start_({});
    plain_ = e_.hessian;
    for (size_t j = 0; j < p_; ++j) weight_ += diagonal(j) / static_cast<double>(p_);
    for (int round = 1; factorise() < active_.size(); ++round) {
      const std::vector<size_t> suspects = take_out();
      e_ = at_start_(mix_);
      for (size_t s : suspects) dependent_[s] = remainder(s) <= rounding_of(s) || round == kRounds;
    }
    Collinearity found;
    found.relation = first_relation();
    if (!found.relation.empty()) return found;
    look_at_condition(found);
    give_unit_size();
    if (std::find(mixed_.begin(), mixed_.end(), true) != mixed_.end()) found.mix = std::move(mix_);
    found.at = std::move(e_);
    return found;
  }

 private:
  double diagonal(size_t j) const { return e_.hessian[j * q_ + j]; }
  /// Root mean square of the column as it is mixed now.
  double remainder(size_t j) const { return std::sqrt(std::fmax(0.0, diagonal(j)) / weight_); }
  double rounding_of(size_t s) const {
    double size = 0;
    for (size_t j = 0; j < p_; ++j) size += std::fabs(mix_[j * p_ + s]) * sizes_[j];
    return static_cast<double>(4 + p_) * rounding_ * size;
  }

  /// Of the columns that are not known to depend on others, the intercept's first: among equals the first
  /// pivot is taken. Suspects come after all others, since what is left of them is partly rounding, which others must
  /// not be told by. Returns how many are no suspects (any more).
  size_t factorise() {
    active_.clear();
    for (size_t j = p_; j < q_; ++j) active_.push_back(j);
    for (const bool mixed : {false, true}) {
      for (size_t j = 0; j < p_; ++j) {
        if (!dependent_[j] && mixed_[j] == mixed) active_.push_back(j);
      }
    }
    const size_t m = active_.size();
    const auto first = static_cast<size_t>(std::count_if(
        active_.begin(), active_.end(), [&](size_t j) { return j == p_ || !mixed_[j]; }));
    root_.resize(m);
    for (size_t i = 0; i < m; ++i) root_[i] = std::sqrt(diagonal(active_[i]));
    const auto product = [&](size_t i, size_t j) {
      return i == j ? 1 : e_.hessian[active_[i] * q_ + active_[j]] / (root_[i] * root_[j]);
    };
    order_.resize(m);
    factor_.assign(m * m, 0.0);
    rank_ = factorise_block(0, first, product);
    for (size_t i = first; i < m; ++i) {
      order_[i] = i;
      double* const row = factor_.data() + i * m;
      for (size_t k = 0; k < rank_; ++k) row[k] = product(i, order_[k]);
      kernels::solve_lower(factor_.data(), rank_, m, row);
    }
    if (rank_ < first || first == m) return rank_;
    // What is left of the suspects when all others are taken out.
    const std::vector<double> rows = factor_;
    rank_ += factorise_block(first, m - first, [&](size_t i, size_t j) {
      double sum = product(i, j);
      for (size_t k = 0; k < first; ++k) sum -= rows[i * m + k] * rows[j * m + k];
      return sum;
    });
    for (size_t i = first; i < m; ++i) {
      std::copy_n(rows.begin() + static_cast<ptrdiff_t>(order_[i] * m), first,
                  factor_.begin() + static_cast<ptrdiff_t>(i * m));
    }
    // It may be so little that its products with the others are mostly rounding: then a share of the size of that
    // rounding tells nothing, and another round has to.
    for (size_t r = first; r < rank_; ++r) {
      const size_t j = active_[order_[r]];
      if (factor_[r * m + r] < rounding_of(j) / remainder(j)) rank_ = r;
    }
    return rank_;
  }

  /// Factorises `count` columns from number `begin` on by themselves, the largest pivot first, into rows and columns
  /// `begin` and on of the factor. Returns how many are no suspects.
  template <class Product>
  size_t factorise_block(size_t begin, size_t count, Product&& product) {
    std::vector<double> block(count * count, 0.0);
    for (size_t i = 0; i < count; ++i) {
      for (size_t j = 0; j <= i; ++j) block[i * count + j] = product(begin + i, begin + j);
    }
    std::vector<size_t> order(count);
    const size_t rank = kernels::pivoted_cholesky(block.data(), count, kSuspect, order.data());
    const size_t m = active_.size();
    for (size_t i = 0; i < count; ++i) {
      order_[begin + i] = begin + order[i];
      for (size_t j = 0; j <= i; ++j) factor_[(begin + i) * m + begin + j] = block[i * count + j];
    }
    return rank;
  }

  /// Takes out of each suspect what the others explain of it. Returns the suspects.
  std::vector<size_t> take_out() {
    const size_t m = active_.size();
    std::vector<size_t> suspects;
    for (size_t r = rank_; r < m; ++r) {
      const size_t s = active_[order_[r]];
      suspects.push_back(s);
      mixed_[s] = true;
      std::vector<double> share(factor_.begin() + static_cast<ptrdiff_t>(r * m),
                                factor_.begin() + static_cast<ptrdiff_t>(r * m + rank_));
      kernels::solve_transposed(factor_.data(), rank_, m, share.data());
      for (size_t k = 0; k < rank_; ++k) {
        const size_t j = active_[order_[k]];
        if (j == p_) continue;  // columns are centred: nothing of the intercept is in them
        const double times = share[k] * root_[order_[r]] / root_[order_[k]];
        for (size_t i = 0; i < p_; ++i) mix_[i * p_ + s] -= times * mix_[i * p_ + j];
      }
    }
    return suspects;
  }

  /// Of all relations, the one whose last column is the first possible: what no relation but one can have is
  /// eliminated from the end. It does not depend on which columns became pivots.
  std::vector<double> first_relation() const {
    std::vector<std::vector<double>> relations;
    for (size_t s = 0; s < p_; ++s) {
      if (!dependent_[s]) continue;
      std::vector<double>& relation = relations.emplace_back(p_);
      for (size_t j = 0; j < p_; ++j) relation[j] = mix_[j * p_ + s];
    }
    if (relations.empty()) return {};
    const auto has = [](const std::vector<double>& relation, size_t j) {
      double most = 0;
      for (double v : relation) most = std::fmax(most, std::fabs(v));
      return std::fabs(relation[j]) > kNoPart * most;
    };
    for (size_t j = p_; relations.size() > 1; --j) {
      const auto larger = [&](const auto& a, const auto& b) {
        return std::fabs(a[j - 1]) < std::fabs(b[j - 1]);
      };
      const auto at = std::max_element(relations.begin(), relations.end(), larger);
      if (!has(*at, j - 1)) continue;
      const std::vector<double> gone = std::move(*at);
      relations.erase(at);
      for (std::vector<double>& relation : relations) {
        const double times = relation[j - 1] / gone[j - 1];
        for (size_t i = 0; i < p_; ++i) relation[i] -= times * gone[i];
        relation[j - 1] = 0;
      }
    }
    std::vector<double> relation = std::move(relations[0]);
    size_t last = p_ - 1;
    while (!has(relation, last)) --last;
    const double by = -1 / relation[last];
    std::vector<double> result(p_, 0.0);
    for (size_t j = 0; j <= last; ++j) result[j] = has(relation, j) ? relation[j] * by : 0;
    return result;
  }

  /// By power iteration: the largest singular value of the columns, and that of their inverse.
  void look_at_condition(Collinearity& found) const {
    const size_t m = active_.size();
    const double smallest = factor_[m * m - 1];
    if (smallest * smallest > kClear &&
        std::find(mixed_.begin(), mixed_.end(), true) == mixed_.end()) {
      return;
    }
    double most = 0;  // of the products, so the square
    std::vector<double> x = beginning(p_);
    for (int i = 0; i < kPowerIterations; ++i) {
      std::vector<double> to(p_, 0.0);
      for (size_t a = 0; a < p_; ++a) {
        for (size_t b = 0; b < p_; ++b) to[a] += plain_[a * q_ + b] / weight_ * x[b];
      }
      most = normalise(to);
      x = std::move(to);
    }
    double longest = 0;  // likewise
    std::vector<double> weakest, from = beginning(m);
    for (int i = 0; i < kPowerIterations; ++i) {
      weakest = through_inverse(from);
      from = back_through_inverse(weakest);
      longest = normalise(from);
    }
    const double condition = std::sqrt(most * longest);
    if (!(condition >= kIllConditioned)) return;
    normalise(weakest);
    found.condition_number = condition;
    found.weakest = std::move(weakest);
  }

  static std::vector<double> beginning(size_t n) {
    std::vector<double> x(n);
    for (size_t i = 0; i < n; ++i) x[i] = 1 + 0.1 * std::sin(static_cast<double>(i));
    normalise(x);
    return x;
  }
  static double normalise(std::vector<double>& x) {
    double sum = 0;
    for (double v : x) sum += v * v;
    const double length = std::sqrt(sum);
    for (double& v : x) v /= length;
    return length;
  }
  /// The coefficients of standardised columns that give rows of size x (in the factor's order), and its
  /// transpose.
  std::vector<double> through_inverse(std::vector<double> x) const {
    const size_t m = active_.size();
    kernels::solve_transposed(factor_.data(), m, m, x.data());
    std::vector<double> to(p_, 0.0);
    for (size_t k = 0; k < m; ++k) {
      const size_t j = active_[order_[k]];
      if (j == p_) continue;
      const double times = x[k] * std::sqrt(weight_) / root_[order_[k]];
      for (size_t i = 0; i < p_; ++i) to[i] += mix_[i * p_ + j] * times;
    }
    return to;
  }
  std::vector<double> back_through_inverse(const std::vector<double>& y) const {
    const size_t m = active_.size();
    std::vector<double> x(m, 0.0);
    for (size_t k = 0; k < m; ++k) {
      const size_t j = active_[order_[k]];
      if (j == p_) continue;
      for (size_t i = 0; i < p_; ++i) x[k] += mix_[i * p_ + j] * y[i];
      x[k] *= std::sqrt(weight_) / root_[order_[k]];
    }
    kernels::solve_lower(factor_.data(), m, m, x.data());
    return x;
  }

  void give_unit_size() {
    for (size_t s = 0; s < p_; ++s) {
      if (!mixed_[s]) continue;
      const double by = 1 / remainder(s);
      for (size_t j = 0; j < p_; ++j) mix_[j * p_ + s] *= by;
      e_.gradient[s] *= by;
      for (size_t j = 0; j < q_; ++j) {
        e_.hessian[j * q_ + s] *= by;
        e_.hessian[s * q_ + j] *= by;
      }
    }
  }

  const size_t p_, q_;
  std::span<const double> sizes_;
  const double rounding_;
  const std::function<Evaluation(const std::vector<double>&)>& at_start_;
  std::vector<double> mix_;
  std::vector<bool> mixed_, dependent_;
  Evaluation e_;               // with columns mixed as mix_ says
  std::vector<double> plain_;  // the Hessian of standardised columns
  double weight_ = 0;          // of a row, in the Hessian
  // The latest factor: row i belongs to column active_[order_[i]], whose root of the diagonal is root_.
  std::vector<size_t> active_, order_;
  std::vector<double> root_, factor_;
  size_t rank_ = 0;
};

}  // namespace

Collinearity find_collinearity(
    const Scaling& scaling, std::span<const double> sizes, double rounding,
    const std::function<Evaluation(const std::vector<double>&)>& at_start) {
  return Finder(scaling, sizes, rounding, at_start).run();
}

}  // namespace glm
TUFF_NAMESPACE_END
