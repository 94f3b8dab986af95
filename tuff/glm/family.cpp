// The families; see family.h.
#include "tuff/glm/family.h"

#include <cmath>

#include "tuff/array/math.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

/// How far eta pulls away from the label: z = -eta where y is 1, eta where y is 0.
Array pull(const Array& eta, const Array& y) { return where(y != 0, -eta, eta); }

// Functions rather than lambdas, so that is_logistic() can tell them.
Array logistic_loss(const Array& eta, const Array& y) {
  const Array z = pull(eta, y);
  return maximum(z, 0.0) + log1p(exp(-abs(z)));
}
/// mu - y as 1 - P(label), with the label's sign: no cancellation.
Array logistic_residual(const Array& eta, const Array& y) {
  const Array miss = sigmoid(pull(eta, y));
  return where(y != 0, -miss, miss);
}
Array logistic_weight(const Array& eta, const Array&) { return sigmoid(eta) * sigmoid(-eta); }

Family make_logistic() {
  Family family;
  family.name = "logistic";
  family.loss = logistic_loss;
  family.residual = logistic_residual;
  family.weight = logistic_weight;
  family.undecided = [](const Array& eta, const Array& y) { return !(pull(eta, y) < 0.0); };
  family.mean = [](const Array& eta) { return sigmoid(eta); };
  family.null_eta = [](double mean) { return std::log(mean) - std::log1p(-mean); };
  return family;
}

}  // namespace

const Family& logistic() {
  static const Family& family = *new Family(make_logistic());
  return family;
}

bool is_logistic(const Family& family) {
  using Function = Array (*)(const Array&, const Array&);
  const auto is = [](const Family::Expression& given, Function wanted) {
    const Function* const target = given.target<Function>();
    return target != nullptr && *target == wanted;
  };
  return is(family.loss, logistic_loss) && is(family.residual, logistic_residual) &&
         is(family.weight, logistic_weight);
}

}  // namespace glm
TUFF_NAMESPACE_END
