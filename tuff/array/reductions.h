// Reductions over all axes, one axis or several, as deterministic trees.
//
// For fixed chunks and instruction set the result is bit-equal at any number of threads. Sums of
// floating numbers accumulate in compensated float64.
#pragma once

#include "tuff/array/array.h"

TUFF_NAMESPACE_BEGIN

/// Axes to reduce, negative ones counted from the end: `0`, `{0, -1}`; empty braces or nothing: all.
class AxisList {
 public:
  AxisList() = default;
  AxisList(int64_t axis) : axes_({axis}) {}  // NOLINT(google-explicit-constructor)
  AxisList(int axis) : axes_({axis}) {}      // NOLINT(google-explicit-constructor)
  AxisList(std::initializer_list<int64_t> axes) : axes_(axes.begin(), axes.end()) {}
  AxisList(std::vector<int64_t> axes)
      : axes_(std::move(axes)) {}  // NOLINT(google-explicit-constructor)
  bool all() const { return axes_.empty(); }
  const std::vector<int64_t>& axes() const { return axes_; }

 private:
  std::vector<int64_t> axes_;
};

struct ReduceOptions {
  AxisList axes = {};
  bool keepdims = false;  ///< keep reduced axes with extent 1
};

/// Throws InvalidArgument, as all of these, for an axis out of range or given twice.
TUFF_API Array sum(const Array& x, const ReduceOptions& options = {});
/// NaN of no elements.
TUFF_API Array mean(const Array& x, const ReduceOptions& options = {});

struct VarianceOptions {
  AxisList axes = {};
  bool keepdims = false;
  double ddof = 0.0;  ///< subtracted from the count in the divisor
};
/// Sum of squared deviations from the mean over (n - ddof), one pass, by pairwise merged moments (Chan,
/// Golub & LeVeque 1983); NaN where n <= ddof.
TUFF_API Array var(const Array& x, const VarianceOptions& options = {});
TUFF_API Array std(const Array& x, const VarianceOptions& options = {});
/// NaN if one element is. Throws InvalidArgument when an axis to reduce has extent 0; if the extent is
/// known only in the run, the run fails.
TUFF_API Array min(const Array& x, const ReduceOptions& options = {});
TUFF_API Array max(const Array& x, const ReduceOptions& options = {});
TUFF_API Array any(const Array& x, const ReduceOptions& options = {});
TUFF_API Array all(const Array& x, const ReduceOptions& options = {});

/// Along one axis: sum(x, 0).
inline Array sum(const Array& x, int64_t axis) { return sum(x, ReduceOptions{.axes = axis}); }
inline Array mean(const Array& x, int64_t axis) { return mean(x, ReduceOptions{.axes = axis}); }
inline Array var(const Array& x, int64_t axis) { return var(x, VarianceOptions{.axes = axis}); }
inline Array std(const Array& x, int64_t axis) { return std(x, VarianceOptions{.axes = axis}); }
inline Array min(const Array& x, int64_t axis) { return min(x, ReduceOptions{.axes = axis}); }
inline Array max(const Array& x, int64_t axis) { return max(x, ReduceOptions{.axes = axis}); }
inline Array any(const Array& x, int64_t axis) { return any(x, ReduceOptions{.axes = axis}); }
inline Array all(const Array& x, int64_t axis) { return all(x, ReduceOptions{.axes = axis}); }

TUFF_NAMESPACE_END
