// Products, reordering and joining; see linalg.h.
#include "tuff/array/linalg.h"

#include <fmt/format.h>

#include "tuff/array/axes.h"
#include "tuff/graph/combine.h"
#include "tuff/graph/concatenate.h"
#include "tuff/graph/elementwise_layer.h"
#include "tuff/graph/matmul_layer.h"
#include "tuff/graph/relabel_layer.h"

TUFF_NAMESPACE_BEGIN

Array matmul(const Array& a, const Array& b) {
  const auto shapes = [&] {
    return fmt::format("{} x {}", to_string(a.shape()), to_string(b.shape()));
  };
  if (a.ndim() < 1 || a.ndim() > 2 || b.ndim() < 1 || b.ndim() > 2) {
    throw InvalidArgument("matmul",
                          fmt::format("{}: operands of rank 1 and 2 are accepted", shapes()));
  }
  const Extent inner_a = a.shape().back();
  const Extent inner_b = b.shape()[0];
  if (!(inner_a == inner_b)) {
    throw InvalidArgument(
        "matmul",
        inner_a.is_known() && inner_b.is_known()
            ? fmt::format("{}: inner extents {} and {} differ", shapes(), inner_a.value(),
                          inner_b.value())
            : fmt::format("{}: an inner extent is known only in a run; call compute_chunk_sizes() "
                          "on both first",
                          shapes()));
  }
  const DType dtype = promote(a.dtype(), b.dtype());
  Dims shape;
  if (a.ndim() == 2) shape.push_back(a.shape()[0].upper_bound());
  if (b.ndim() == 2) shape.push_back(b.shape()[1].upper_bound());
  check_size("matmul", shape, dtype);
  Array left = a.astype(dtype);
  Array right = b.astype(dtype);
  const AxisChunksPtr k = detail::shared_cut(left, left.ndim() - 1, right, 0);
  left = detail::recut(left, left.ndim() - 1, k);
  right = detail::recut(right, 0, k);
  graph::Port product{std::make_shared<graph::MatmulLayer>(left.port(), right.port()), 0};
  if (k->count() == 1) return Array(product);
  const auto last = static_cast<int64_t>(graph::output_of(product).chunks.size()) - 1;
  // Boolean products are "or of ands", so their parts are joined by "or".
  const auto joined = is_bool(dtype) ? ops::Reduction::any : ops::Reduction::sum;
  const bool widened = dtype != DType::bool_ && dtype != DType::float64 && dtype != DType::int64 &&
                       dtype != DType::uint64;
  if (widened) {
    const DType wide = is_floating(dtype)           ? DType::float64
                       : is_unsigned_integer(dtype) ? DType::uint64
                                                    : DType::int64;
    product = {std::make_shared<graph::CastLayer>(product, wide), 0};
  }
  const Array total(graph::combine_tree(joined, product, Axes(1, last)));
  graph::LabelMap from;
  Chunks chunks;
  for (int64_t axis = 0; axis < last; ++axis) {
    from.push_back(static_cast<int8_t>(axis));
    chunks.push_back(total.chunks()[static_cast<size_t>(axis)]);
  }
  return Array({std::make_shared<graph::RelabelLayer>(total.port(), from, std::move(chunks)), 0})
      .astype(dtype);
}

Array transpose(const Array& x) { return x.transpose(); }
Array transpose(const Array& x, const std::vector<int64_t>& axes) { return x.transpose(axes); }

namespace {

/// Throws unless x stretches to the shape.
void check_stretches(const Array& x, const Dims& shape) {
  const auto refuse = [&](const std::string& why) {
    throw InvalidArgument("broadcast_to", fmt::format("shape {} does not stretch to {}: {}",
                                                      to_string(x.shape()), to_string(shape), why));
  };
  if (x.ndim() > shape.size())
    refuse(fmt::format("{} axes are more than {}", x.ndim(), shape.size()));
  for (size_t a = 0; a < x.ndim(); ++a) {
    const Extent extent = x.shape()[a];
    const int64_t wanted = shape[shape.size() - x.ndim() + a];
    if (!extent.is_known()) {
      refuse(fmt::format(
          "the extent of axis {} is known only in a run; call compute_chunk_sizes() first", a));
    }
    if (extent.value() != wanted && extent.value() != 1) {
      refuse(fmt::format("axis {} has extent {}; 1 or {} is needed", a, extent.value(), wanted));
    }
  }
}

}  // namespace

Array broadcast_to(const Array& given, const ShapeSpec& spec, const ChunkSpec& chunks) {
  const Dims& shape = spec.dims("broadcast_to");
  Chunks cut = chunks.resolve("broadcast_to", shape, given.dtype());
  check_stretches(given, shape);
  Array x = given;
  graph::LabelMap from(shape.size(), graph::kNoLabel);
  for (size_t a = 0; a < x.ndim(); ++a) {
    const size_t axis = shape.size() - x.ndim() + a;
    const int64_t extent = x.shape()[a].value();
    if (extent == 1) x = detail::recut(x, a, AxisChunks::whole(1));
    if (extent == shape[axis]) cut[axis] = x.chunks()[a];
    from[axis] = static_cast<int8_t>(a);
  }
  return Array({std::make_shared<graph::RelabelLayer>(x.port(), from, std::move(cut)), 0});
}

// ---- concatenate ---------------------------------------------------------------------------------

namespace {

/// Throws unless all arrays have the shape of the first, but for axis `joined` (none: negative).
void check_joinable(std::string_view operation, const std::vector<Array>& arrays, int64_t joined) {
  const Shape first = arrays[0].shape();
  for (size_t k = 1; k < arrays.size(); ++k) {
    const Shape shape = arrays[k].shape();
    const auto refuse = [&](const std::string& why) {
      throw InvalidArgument(operation, fmt::format("shapes {} (array 0) and {} (array {}): {}",
                                                   to_string(first), to_string(shape), k, why));
    };
    if (shape.size() != first.size())
      refuse(fmt::format("ranks {} and {} differ", first.size(), shape.size()));
    for (size_t a = 0; a < shape.size(); ++a) {
      if (static_cast<int64_t>(a) == joined || shape[a] == first[a]) continue;
      refuse(shape[a].is_known() && first[a].is_known()
                 ? fmt::format("extents {} and {} of axis {} differ", first[a].value(),
                               shape[a].value(), a)
                 : fmt::format("the extent of axis {} is known only in a run; call "
                               "compute_chunk_sizes() on both first",
                               a));
    }
  }
}

}  // namespace

Array concatenate(const std::vector<Array>& arrays, int64_t axis) {
  if (arrays.empty()) throw InvalidArgument("concatenate", "no arrays; at least one is accepted");
  const size_t rank = arrays[0].ndim();
  if (rank == 0)
    throw InvalidArgument("concatenate", "arrays of rank 0 have no axis to join; use stack()");
  const int64_t joined = detail::normalised_axes("concatenate", {axis}, rank, false)[0];
  check_joinable("concatenate", arrays, joined);
  const auto along = static_cast<size_t>(joined);
  DType dtype = arrays[0].dtype();
  int64_t extent = 0;
  for (size_t k = 0; k < arrays.size(); ++k) {
    dtype = promote(dtype, arrays[k].dtype());
    const Extent own = arrays[k].shape()[along];
    if (!own.is_known()) {
      throw InvalidArgument("concatenate",
                            fmt::format("shape {} of array {}: the extent of axis {} is known only "
                                        "in a run; call compute_chunk_sizes() first",
                                        to_string(arrays[k].shape()), k, joined));
    }
    if (__builtin_add_overflow(extent, own.value(), &extent)) {
      throw InvalidArgument(
          "concatenate",
          fmt::format("axis {} of {} arrays adds up to 2^63 or more", joined, arrays.size()));
    }
  }
  Dims shape;
  for (const Extent& own : arrays[0].shape()) shape.push_back(own.upper_bound());
  shape[along] = extent;
  (void)ChunkSpec(-1).resolve("concatenate", shape, dtype);  // refuses 2^63 bytes
  // The other axes are cut as in the largest array: most blocks are then passed on as they are.
  size_t model = 0;
  for (size_t k = 1; k < arrays.size(); ++k) {
    if (arrays[k].shape()[along].value() > arrays[model].shape()[along].value()) model = k;
  }
  std::vector<graph::Port> parts;
  for (const Array& x : arrays) {
    Array part = x.astype(dtype);
    for (size_t a = 0; a < rank; ++a) {
      if (a != along) part = detail::recut(part, a, arrays[model].chunks()[a]);
    }
    parts.push_back(part.port());
  }
  if (parts.size() == 1) return Array(parts[0]);
  return Array({std::make_shared<graph::ConcatenateLayer>(std::move(parts), along), 0});
}

Array stack(const std::vector<Array>& arrays, int64_t axis) {
  if (arrays.empty()) throw InvalidArgument("stack", "no arrays; at least one is accepted");
  const size_t rank = arrays[0].ndim();
  if (rank == kMaxRank) {
    throw InvalidArgument("stack", fmt::format("shape {} with a new axis has {}; at most {} are "
                                               "accepted",
                                               to_string(arrays[0].shape()), rank + 1, kMaxRank));
  }
  const int64_t added = detail::normalised_axes("stack", {axis}, rank + 1, false)[0];
  check_joinable("stack", arrays, -1);
  std::vector<Index> index(rank, whole);
  index.insert(index.begin() + added, newaxis);
  std::vector<Array> layers;
  layers.reserve(arrays.size());
  for (const Array& x : arrays) layers.push_back(x[index]);
  return concatenate(layers, added);
}

TUFF_NAMESPACE_END
