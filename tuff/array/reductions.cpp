// Reductions: a partial result per block, a tree above, a last step. See reductions.h.
#include "tuff/array/reductions.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tuff/array/axes.h"
#include "tuff/array/math.h"
#include "tuff/array/scalars.h"
#include "tuff/graph/combine.h"
#include "tuff/graph/reduce_layer.h"
#include "tuff/graph/relabel_layer.h"

TUFF_NAMESPACE_BEGIN

namespace {

using ops::Reduction;

/// What is reduced, once axes are settled.
struct Job {
  const ops::ReductionRow& row;
  ops::OperationTypes types;
  Axes axes;
  bool keepdims;
};

Job settle(std::string_view name, const Array& x, const AxisList& axes, bool keepdims) {
  const ops::ReductionRow& row = ops::reduction(name);
  std::vector<int64_t> wanted;
  if (!axes.all()) {
    wanted = detail::normalised_axes(name, axes.axes(), x.ndim(), true);
  } else {
    for (size_t a = 0; a < x.ndim(); ++a) wanted.push_back(static_cast<int64_t>(a));
  }
  return {row, ops::types_of(row, x.dtype()), Axes(wanted.begin(), wanted.end()), keepdims};
}

/// Drops the reduced axes, each of extent 1 now, unless they are kept.
Array without_axes(const Array& x, const Job& job) {
  if (job.keepdims || job.axes.empty()) return x;
  graph::LabelMap from;
  Chunks chunks;
  for (size_t a = 0; a < x.ndim(); ++a) {
    if (std::find(job.axes.begin(), job.axes.end(), static_cast<int64_t>(a)) != job.axes.end())
      continue;
    from.push_back(static_cast<int8_t>(a));
    chunks.push_back(x.chunks()[a]);
  }
  return Array({std::make_shared<graph::RelabelLayer>(x.port(), from, std::move(chunks)), 0});
}

/// The partial results of all blocks, merged: reduced axes have extent 1.
Array merged(std::string_view name, Reduction partial, DType element, const Array& x,
             const Axes& axes) {
  // A wider type, and three numbers of moments per element, may be more than can be counted.
  Dims bounds;
  for (const AxisChunksPtr& axis : x.chunks()) bounds.push_back(axis->extent().upper_bound());
  for (int64_t axis : axes) {
    const auto a = static_cast<size_t>(axis);
    bounds[a] = static_cast<int64_t>(x.chunks()[a]->count());
  }
  if (partial == Reduction::moments) bounds.push_back(3);
  check_size(name, bounds, element);
  graph::Port port{std::make_shared<graph::ReduceLayer>(partial, element, x.port(), axes), 0};
  return Array(graph::combine_tree(partial, port, axes));
}

bool is_count_known(const Array& x, const Axes& axes) {
  return std::all_of(axes.begin(), axes.end(), [&](int64_t axis) {
    return x.chunks()[static_cast<size_t>(axis)]->is_known();
  });
}

double element_number(const Array& x, const Axes& axes) {
  double n = 1;
  for (int64_t axis : axes) n *= static_cast<double>(x.shape()[static_cast<size_t>(axis)].value());
  return n;
}

Array moments(const Array& x, const Job& job, graph::FinishMomentsLayer::Moment moment,
              double ddof) {
  if (!std::isfinite(ddof)) {
    throw InvalidArgument(job.row.name, fmt::format("ddof {}; a finite number is needed", ddof));
  }
  // Count, mean and squares of the blocks lie along one more axis.
  if (x.ndim() == kMaxRank) {
    throw InvalidArgument(job.row.name, fmt::format("shape {} has {} axes; at most {} are accepted",
                                                    to_string(x.shape()), kMaxRank, kMaxRank - 1));
  }
  const Array state = merged(job.row.name, Reduction::moments, DType::float64, x, job.axes);
  const Array finished(
      {std::make_shared<graph::FinishMomentsLayer>(moment, ddof, job.types.result, state.port()),
       0});
  return without_axes(finished, job);
}

Array extreme(std::string_view name, const Array& x, const AxisList& axes,
              const ReduceOptions& options) {
  const Job job = settle(name, x, axes, options.keepdims);
  const Array result = merged(job.row.name, job.row.partial, job.types.operand, x, job.axes);
  if (is_count_known(x, job.axes)) {
    if (element_number(x, job.axes) == 0) {
      throw InvalidArgument(
          name,
          fmt::format("no elements along the reduced axes of shape {}; at least one is needed",
                      to_string(x.shape())));
    }
    return without_axes(result, job);
  }
  const Array one = where(x, int64_t{1}, int64_t{1});
  Array count = merged(name, Reduction::sum, DType::int64, one, job.axes);
  // where() joins the blocks of an axis of extent 1, which may be several.
  for (size_t a = 0; a < count.ndim(); ++a) count = detail::recut(count, a, result.chunks()[a]);
  return without_axes(Array({std::make_shared<graph::RequireElementsLayer>(
                                 std::string(name), result.port(), count.port()),
                             0}),
                      job);
}

}  // namespace

Array sum(const Array& x, const AxisList& axes, const ReduceOptions& options) {
  const Job job = settle("sum", x, axes, options.keepdims);
  return without_axes(merged(job.row.name, job.row.partial, job.types.operand, x, job.axes), job)
      .astype(job.types.result);
}

Array mean(const Array& x, const AxisList& axes, const ReduceOptions& options) {
  const Job job = settle("mean", x, axes, options.keepdims);
  if (!is_count_known(x, job.axes))
    return moments(x, job, graph::FinishMomentsLayer::Moment::mean, 0.0);
  const Array total =
      without_axes(merged(job.row.name, job.row.partial, job.types.operand, x, job.axes), job);
  return (total / element_number(x, job.axes)).astype(job.types.result);
}

Array var(const Array& x, const AxisList& axes, const VarianceOptions& options) {
  return moments(x, settle("var", x, axes, options.keepdims),
                 graph::FinishMomentsLayer::Moment::var, options.ddof);
}

Array std(const Array& x, const AxisList& axes, const VarianceOptions& options) {
  return moments(x, settle("std", x, axes, options.keepdims),
                 graph::FinishMomentsLayer::Moment::std, options.ddof);
}

Array min(const Array& x, const AxisList& axes, const ReduceOptions& options) {
  return extreme("min", x, axes, options);
}
Array max(const Array& x, const AxisList& axes, const ReduceOptions& options) {
  return extreme("max", x, axes, options);
}

Array any(const Array& x, const AxisList& axes, const ReduceOptions& options) {
  const Job job = settle("any", x, axes, options.keepdims);
  return without_axes(merged(job.row.name, job.row.partial, job.types.operand, x, job.axes), job);
}

Array all(const Array& x, const AxisList& axes, const ReduceOptions& options) {
  const Job job = settle("all", x, axes, options.keepdims);
  return without_axes(merged(job.row.name, job.row.partial, job.types.operand, x, job.axes), job);
}

TUFF_NAMESPACE_END
