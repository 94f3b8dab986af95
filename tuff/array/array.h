// Arrays: handles to one output of one layer of a symbolic graph.
//
// Nothing is computed until compute(), persist() or a plan runs. Copying an Array copies a pointer.
// Functions that make or combine arrays: creation.h, random.h, math.h, reductions.h, linalg.h.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tuff/compute.h"
#include "tuff/persist.h"

TUFF_NAMESPACE_BEGIN

/// How to cut an array into blocks. Implicit from a size for every axis, or from one per axis; -1 means
/// the whole axis. Empty: automatic, row-major blocks of about kAutoBlockElements.
class TUFF_API ChunkSpec {
 public:
  ChunkSpec() = default;
  ChunkSpec(int64_t size) : all_(size) {}  // NOLINT(google-explicit-constructor)
  ChunkSpec(int size) : all_(size) {}      // NOLINT(google-explicit-constructor)
  ChunkSpec(std::initializer_list<int64_t> sizes) : per_axis_(sizes.begin(), sizes.end()) {}
  /// Explicit block sizes, axis by axis.
  ChunkSpec(std::vector<std::vector<int64_t>> sizes)  // NOLINT(google-explicit-constructor)
      : explicit_(std::move(sizes)) {}
  /// The chunks of an array of this shape. Throws InvalidArgument in the name of `operation`, also for a
  /// negative extent, and for an array of 2^63 bytes or of more than kMaxBlocks blocks.
  Chunks resolve(std::string_view operation, const Dims& shape, DType dtype) const;

 private:
  std::optional<int64_t> all_;
  std::vector<int64_t> per_axis_;
  std::vector<std::vector<int64_t>> explicit_;
};

/// Elements of an automatic block, 8 MiB of float64: large enough that a task (about 1 ms) dwarfs its scheduling, small
/// enough that 100 of them fit a laptop. It does not depend on the machine, so neither do results; nor on the dtype,
/// so arrays of one shape go together block by block.
inline constexpr int64_t kAutoBlockElements = int64_t{1} << 20;

/// A shape as a caller writes it. Unlike Dims it may have too many axes, so that the operation it is given
/// to can refuse it in its own name.
class TUFF_API ShapeSpec {
 public:
  ShapeSpec() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): Dims are a shape
  ShapeSpec(const Dims& dims) : given_(dims.size()), dims_(dims) {}
  ShapeSpec(std::initializer_list<int64_t> extents)
      : given_(extents.size()),
        dims_(extents.begin(), extents.begin() + std::min(extents.size(), kMaxRank)) {}
  /// Throws InvalidArgument in the name of `operation` when there are more than kMaxRank axes.
  const Dims& dims(std::string_view operation) const;

 private:
  size_t given_ = 0;
  Dims dims_;
};

/// A Python-like slice start:stop:step; absent bounds mean the ends.
struct Slice {
  std::optional<int64_t> start = {};
  std::optional<int64_t> stop = {};
  int64_t step = 1;
};

/// In an index: a new axis of extent 1.
struct NewAxis {};
inline constexpr NewAxis newaxis{};  // NOLINT(readability-identifier-naming)
/// In an index: as many whole axes as are missing.
struct Ellipsis {};
inline constexpr Ellipsis ellipsis{};  // NOLINT(readability-identifier-naming)
/// In an index: the whole axis.
inline constexpr Slice whole{};  // NOLINT(readability-identifier-naming)

using Index = std::variant<int64_t, Slice, NewAxis, Ellipsis>;

namespace detail {
/// For static_assert in templates that nobody may call.
template <class>
inline constexpr bool kNever = false;
}  // namespace detail

class TUFF_API Array {
 public:
  /// Throws InvalidArgument unless the port is an output of a layer that yields blocks.
  explicit Array(graph::Port port) : port_(std::move(port)) { graph::check_port("array", port_); }
  /// The blocks of an earlier result, without a copy.
  explicit Array(const Result& result);

  Array(const Array&) = default;
  Array(Array&&) = default;
  // A handle can be assigned to, an expression cannot: x[{whole, 0}] = y would change neither x nor its column.
  Array& operator=(const Array&) & = default;
  Array& operator=(Array&&) & = default;
  template <class T>
  void operator=(T&&) && {
    static_assert(detail::kNever<T>,
                  "arrays do not change: where(mask, value, x) makes one with other elements, and "
                  "concatenate() or "
                  "stack() one of parts");
  }

  DType dtype() const { return output().dtype; }
  size_t ndim() const { return output().chunks.size(); }
  /// Extents; those that only a run can tell are symbols.
  Shape shape() const { return shape_of(output().chunks); }
  /// Number of elements. Throws InvalidArgument while an extent is a symbol.
  int64_t size() const;
  /// How the array is cut.
  const Chunks& chunks() const { return output().chunks; }
  size_t block_count() const { return tuff::block_count(output().chunks); }
  /// "float64 (3, ?1) in (1, 2) blocks".
  std::string describe() const;

  /// Computes the array into one row-major block.
  Block compute(const RunOptions& options = {}) const;
  /// Computes an array of one element. Throws InvalidArgument unless T is its dtype.
  template <Element T>
  T compute(const RunOptions& options = {}) const {
    return *compute_for("compute", dtype_of<T>, true, options).template data<T>();
  }
  /// Computes and keeps the blocks, in memory or, when that gets tight, on disk; see tuff/persist.h.
  Array persist(const RunOptions& options = {}) const;
  /// Computes, and returns all elements in row-major order. T must be the dtype.
  template <Element T>
  std::vector<T> to_vector(const RunOptions& options = {}) const {
    return compute_for("to_vector", dtype_of<T>, false, options).template to_vector<T>();
  }

  /// Basic slicing as NumPy: integers drop an axis, slices keep it, newaxis adds one. Blocks are cut, not
  /// copied. `x[{whole, 0}]` is the first column. Throws InvalidArgument for an integer out of range, a
  /// step of 0, more indices than axes, or a cut along an axis of unknown extent.
  Array operator[](std::initializer_list<Index> index) const;
  Array operator[](const std::vector<Index>& index) const;
  /// Elements where `mask` (bool) holds. A 1-d mask selects along the first axis; a mask of the same
  /// shape gives a 1-d array in row-major order. The resulting extent is a symbol, one per mask: x[m] and
  /// y[m] go together, x[m] and y[k] do not until compute_chunk_sizes() has been called on both.
  Array operator[](const Array& mask) const;

  /// The same elements as another type, cast as C++ does (float to integer truncates; to bool: not zero).
  Array astype(DType dtype) const;
  /// The same elements in other blocks. Throws InvalidArgument while an extent is a symbol.
  Array rechunk(const ChunkSpec& chunks) const;
  /// Axes in reverse order.
  Array transpose() const;
  /// Output axis a is input axis axes[a]; negative axes count from the end.
  Array transpose(const std::vector<int64_t>& axes) const;
  /// Runs what is needed to learn the extents that are symbols, and returns the same array with numbers
  /// in their place. The elements are computed again when they are used (persist() first to avoid that).
  Array compute_chunk_sizes(const RunOptions& options = {}) const;

  const graph::Port& port() const { return port_; }
  operator const graph::Port&() const { return port_; }  // NOLINT(google-explicit-constructor)

 private:
  /// compute(), after a check of the dtype, and of the number of elements, in the name of `operation`.
  Block compute_for(std::string_view operation, DType asked, bool one_element,
                    const RunOptions& options) const;
  const graph::LayerOutput& output() const { return graph::output_of(port_); }
  graph::Port port_;
};

/// A hole in a graph: an array whose elements are given anew to each run of a plan.
class TUFF_API Parameter : public Array {
 public:
  /// `name` appears in errors. Throws InvalidArgument for an empty name.
  Parameter(std::string name, const ShapeSpec& shape, DType dtype, const ChunkSpec& chunks = -1);
};

/// What a function of arrays takes: an Array, or a C++ number. Numbers do not decide the type: with a
/// float32 array 1.0 is a float32, with an int8 array 1 is an int8 (NumPy 2's rule for Python numbers).
class TUFF_API Operand {
 public:
  Operand(const Array& array) : array_(array) {}  // NOLINT(google-explicit-constructor)
  template <class T>
  requires std::is_arithmetic_v<T> Operand(T value) {  // NOLINT(google-explicit-constructor)
    if constexpr (std::is_same_v<T, bool>) {
      number_ = value;
    } else if constexpr (std::is_floating_point_v<T>) {
      number_ = static_cast<double>(value);
    } else if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8) {
      number_ = static_cast<uint64_t>(value);
    } else {
      number_ = static_cast<int64_t>(value);
    }
  }
  bool is_array() const { return array_.has_value(); }
  const Array& array() const { return *array_; }
  const std::variant<bool, int64_t, uint64_t, double>& number() const { return number_; }

 private:
  std::optional<Array> array_;
  std::variant<bool, int64_t, uint64_t, double> number_;
};

TUFF_NAMESPACE_END
