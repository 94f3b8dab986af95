// See dag.h.
#include "tuff/graph/dag.h"

#include <algorithm>

#include "tuff/base/check.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

/// Rows turned round: row j lists, ascending, the rows that have j.
Rows turned(const Rows& rows) {
  const size_t count = rows.count();
  Rows result;
  result.first.assign(count + 1, 0);
  for (uint32_t item : rows.items) ++result.first[item + 1];
  for (size_t i = 0; i < count; ++i) result.first[i + 1] += result.first[i];
  result.items.resize(rows.items.size());
  std::vector<uint32_t> at(result.first.begin(), result.first.end() - 1);
  for (size_t i = 0; i < count; ++i) {
    for (uint32_t item : rows[i]) result.items[at[item]++] = static_cast<uint32_t>(i);
  }
  return result;
}

}  // namespace

Dag make_dag(const Rows& inputs) {
  Dag dag;
  const size_t count = inputs.count();
  dag.inputs.first.reserve(count + 1);
  dag.inputs.items.reserve(inputs.items.size());
  for (size_t t = 0; t < count; ++t) {
    const auto row = static_cast<std::ptrdiff_t>(dag.inputs.items.size());
    for (uint32_t input : inputs[t]) {
      TUFF_CHECK_LT(input, count);
      if (input != t) dag.inputs.items.push_back(input);
    }
    std::sort(dag.inputs.items.begin() + row, dag.inputs.items.end());
    dag.inputs.items.erase(std::unique(dag.inputs.items.begin() + row, dag.inputs.items.end()),
                           dag.inputs.items.end());
    dag.inputs.end_row();
  }
  dag.users = turned(dag.inputs);
  return dag;
}

Dag dag_of(const PlanArrays& plan) {
  // successors list each task once and ascending, so turning them round is enough.
  Dag dag;
  dag.inputs = turned(plan.successors);
  dag.users = plan.successors;
  return dag;
}

}  // namespace graph
TUFF_NAMESPACE_END
