// Reductions over all axes, one axis or several, as deterministic trees.
//
// For fixed chunks and instruction set the result is bit-equal at any number of threads. Sums of
// floating numbers accumulate in compensated float64.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "tuff/array/array.h"

TUFF_NAMESPACE_BEGIN

/// An axis, negative ones counted from the end. Of an integer alone: sum(x, 0.5) and sum(x, true) do not compile.
class Axis {
 public:
  template <std::integral T>
  requires(!std::same_as<T, bool>) Axis(T number)  // NOLINT(google-explicit-constructor)
      : number_(static_cast<int64_t>(number)) {}
  operator int64_t() const { return number_; }  // NOLINT(google-explicit-constructor)

 private:
  int64_t number_;
};

/// Axes to reduce: `0`, `{0, -1}`; empty braces or nothing: all.
class AxisList {
 public:
  AxisList() = default;
  template <std::integral T>
  requires(!std::same_as<T, bool>) AxisList(T axis)  // NOLINT(google-explicit-constructor)
      : axes_({Axis(axis)}) {}
  AxisList(std::initializer_list<Axis> axes) : axes_(axes.begin(), axes.end()) {}
  AxisList(std::vector<int64_t> axes)  // NOLINT(google-explicit-constructor)
      : axes_(std::move(axes)) {}
  bool all() const { return axes_.empty(); }
  const std::vector<int64_t>& axes() const { return axes_; }

 private:
  std::vector<int64_t> axes_;
};

/// After the axes: sum(x, {0, 1}, {.keepdims = true}).
struct ReduceOptions {
  bool keepdims = false;  ///< keep reduced axes with extent 1
};

/// Throws InvalidArgument, as all of these, for an axis out of range or given twice.
TUFF_API Array sum(const Array& x, const AxisList& axes = {}, const ReduceOptions& options = {});
/// NaN of no elements.
TUFF_API Array mean(const Array& x, const AxisList& axes = {}, const ReduceOptions& options = {});

struct VarianceOptions {
  bool keepdims = false;
  double ddof = 0.0;  ///< subtracted from the count in the divisor
};
/// Sum of squared deviations from the mean over (n - ddof), one pass, by pairwise merged moments (Chan,
/// Golub & LeVeque 1983); NaN where n <= ddof.
TUFF_API Array var(const Array& x, const AxisList& axes = {}, const VarianceOptions& options = {});
TUFF_API Array std(const Array& x, const AxisList& axes = {}, const VarianceOptions& options = {});
/// NaN if one element is; of zeros, -0 is smaller than 0. Throws InvalidArgument when an axis to reduce has extent 0; if
/// the extent is known only in the run, the run fails. The larger of two arrays, or of an array and a number, is
/// maximum(x, y).
TUFF_API Array min(const Array& x, const AxisList& axes = {}, const ReduceOptions& options = {});
TUFF_API Array max(const Array& x, const AxisList& axes = {}, const ReduceOptions& options = {});
TUFF_API Array any(const Array& x, const AxisList& axes = {}, const ReduceOptions& options = {});
TUFF_API Array all(const Array& x, const AxisList& axes = {}, const ReduceOptions& options = {});

namespace detail {
/// What looks like the second operand of maximum().
template <class T>
concept OperandButNoAxis =
    std::floating_point<T> || std::same_as<T, bool> || std::same_as<T, Array>;
}  // namespace detail

template <detail::OperandButNoAxis T>
void min(const Array&, const T&) {
  static_assert(detail::kNever<T>, "min(x, axes) reduces; the smaller of two is minimum(x, y)");
}
template <detail::OperandButNoAxis T>
void max(const Array&, const T&) {
  static_assert(detail::kNever<T>, "max(x, axes) reduces; the larger of two is maximum(x, y)");
}

TUFF_NAMESPACE_END
