// Products and reordering; see linalg.h.
#include "tuff/array/linalg.h"

#include <fmt/format.h>

#include "tuff/array/axes.h"
#include "tuff/graph/blockwise.h"
#include "tuff/graph/combine.h"

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
  Array left = a.astype(dtype);
  Array right = b.astype(dtype);
  const AxisChunksPtr k = detail::common_cut(left.chunks().back(), right.chunks()[0]);
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

TUFF_NAMESPACE_END
