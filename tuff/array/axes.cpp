// Axes and alignment; see axes.h.
#include "tuff/array/axes.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace detail {

std::vector<int64_t> normalised_axes(std::string_view operation, const std::vector<int64_t>& axes,
                                     size_t ndim, bool sorted) {
  std::vector<int64_t> result;
  const auto n = static_cast<int64_t>(ndim);
  for (int64_t axis : axes) {
    if (axis < -n || axis >= n) {
      throw InvalidArgument(
          operation, n == 0
                         ? fmt::format("axis {} of an array of rank 0, which has none", axis)
                         : fmt::format("axis {} is out of range for rank {}; accepted are {} to {}",
                                       axis, ndim, -n, n - 1));
    }
    result.push_back(axis < 0 ? axis + n : axis);
    if (std::count(result.begin(), result.end(), result.back()) > 1) {
      throw InvalidArgument(operation, fmt::format("axis {} is given twice", axis));
    }
  }
  if (sorted) std::sort(result.begin(), result.end());
  return result;
}

AxisChunksPtr common_cut(const AxisChunksPtr& a, const AxisChunksPtr& b) {
  if (same_chunks(a, b)) return a;
  std::set<int64_t> bounds;
  for (const AxisChunksPtr& axis : {a, b}) {
    for (size_t i = 0; i <= axis->count(); ++i)
      bounds.insert(i < axis->count() ? axis->offset(i) : axis->extent().value());
  }
  std::vector<int64_t> sizes;
  for (auto at = bounds.begin(); std::next(at) != bounds.end(); ++at)
    sizes.push_back(*std::next(at) - *at);
  return AxisChunks::of(sizes);
}

namespace {

double bytes_of(const Array& x) {
  auto bytes = static_cast<double>(size_of(x.dtype()));
  for (const AxisChunksPtr& axis : x.chunks())
    bytes *= static_cast<double>(axis->extent().upper_bound());
  return bytes;
}

double bytes_to_recut(const Array& x, const Chunks& chunks) {
  return graph::rechunk_work(x.chunks(), chunks).elements * static_cast<double>(size_of(x.dtype()));
}

/// Which of two is the model first: the larger, then that of more blocks.
bool comes_before(const Array& a, const Array& b) {
  return std::pair(bytes_of(a), a.block_count()) > std::pair(bytes_of(b), b.block_count());
}

}  // namespace

AxisChunksPtr shared_cut(const Array& x, size_t a, const Array& y, size_t b) {
  const AxisChunksPtr& of_x = x.chunks()[a];
  const AxisChunksPtr& of_y = y.chunks()[b];
  if (same_chunks(of_x, of_y)) return of_x;
  const auto fits = [&](const Array& other, size_t axis, const AxisChunksPtr& cut) {
    Chunks chunks = other.chunks();
    chunks[axis] = cut;
    return bytes_to_recut(other, chunks) <= kMostRecut * (bytes_of(x) + bytes_of(y));
  };
  const bool y_first = comes_before(y, x);
  if (y_first && fits(x, a, of_y)) return of_y;
  if (fits(y, b, of_x)) return of_x;
  if (!y_first && fits(x, a, of_y)) return of_y;
  return common_cut(of_x, of_y);
}

Array recut(const Array& x, size_t axis, const AxisChunksPtr& wanted) {
  if (same_chunks(x.chunks()[axis], wanted)) return x;
  Chunks chunks = x.chunks();
  chunks[axis] = wanted;
  return Array({std::make_shared<graph::RechunkLayer>(x.port(), std::move(chunks)), 0});
}

namespace {

bool is_one(const Extent& extent) { return extent.is_known() && extent.value() == 1; }

[[noreturn]] void refuse(std::string_view operation, const Array& a, const Array& b,
                         size_t axis_from_end) {
  const Extent ea = a.shape()[a.ndim() - 1 - axis_from_end];
  const Extent eb = b.shape()[b.ndim() - 1 - axis_from_end];
  std::string why =
      ea.is_known() && eb.is_known()
          ? fmt::format("extents {} and {} differ and neither is 1", ea.value(), eb.value())
          : std::string(
                "an extent is known only in a run; call compute_chunk_sizes() on both first");
  throw InvalidArgument(
      operation, fmt::format("shapes {} and {} do not broadcast: {}", tuff::to_string(a.shape()),
                             tuff::to_string(b.shape()), why));
}

}  // namespace

namespace {

/// The boundaries of all, or the chunks of one operand where that copies little of the others.
Chunks chosen_space(const std::vector<Array>& arrays, const Chunks& boundaries) {
  std::vector<const Array*> models;
  double bytes = 0;
  for (const Array& x : arrays) {
    models.push_back(&x);
    bytes += bytes_of(x);
  }
  std::stable_sort(models.begin(), models.end(),
                   [](const Array* a, const Array* b) { return comes_before(*a, *b); });
  for (const Array* model : models) {
    Chunks space = boundaries;
    for (size_t e = 0; e < model->ndim(); ++e) {
      const AxisChunksPtr& own = model->chunks()[model->ndim() - 1 - e];
      if (!is_one(own->extent())) space[space.size() - 1 - e] = own;
    }
    double copied = 0;
    for (const Array& x : arrays) {
      Chunks chunks = x.chunks();
      for (size_t e = 0; e < x.ndim(); ++e) {
        AxisChunksPtr& axis = chunks[x.ndim() - 1 - e];
        if (!is_one(axis->extent())) axis = space[space.size() - 1 - e];
      }
      copied += bytes_to_recut(x, chunks);
    }
    if (copied <= kMostRecut * bytes) return space;
  }
  return boundaries;
}

}  // namespace

Aligned align(std::string_view operation, std::vector<Array> arrays) {
  // Blocks without elements may cut an axis of extent 1; to stretch, it must be one block.
  for (Array& x : arrays) {
    for (size_t axis = 0; axis < x.ndim(); ++axis) {
      if (is_one(x.chunks()[axis]->extent())) x = recut(x, axis, AxisChunks::whole(1));
    }
  }
  Aligned aligned;
  size_t rank = 0;
  for (const Array& x : arrays) rank = std::max(rank, x.ndim());
  aligned.space = Chunks(rank, nullptr);
  for (size_t e = 0; e < rank; ++e) {  // axes from the last
    AxisChunksPtr& axis = aligned.space[rank - 1 - e];
    const Array* owner = nullptr;
    for (const Array& x : arrays) {
      if (x.ndim() <= e) continue;
      const AxisChunksPtr& own = x.chunks()[x.ndim() - 1 - e];
      if (!axis || is_one(axis->extent())) {
        if (!axis || !is_one(own->extent())) {
          axis = own;
          owner = &x;
        }
      } else if (!is_one(own->extent())) {
        if (!(own->extent() == axis->extent())) refuse(operation, *owner, x, e);
        axis = common_cut(axis, own);
      }
    }
  }
  bool alike = true;
  for (const Array& x : arrays) {
    for (size_t e = 0; e < x.ndim(); ++e) {
      const AxisChunksPtr& own = x.chunks()[x.ndim() - 1 - e];
      alike = alike && (is_one(own->extent()) || same_chunks(own, aligned.space[rank - 1 - e]));
    }
  }
  if (!alike) aligned.space = chosen_space(arrays, aligned.space);
  for (Array& x : arrays) {
    for (size_t e = 0; e < x.ndim(); ++e) {
      const size_t axis = x.ndim() - 1 - e;
      if (!is_one(x.chunks()[axis]->extent())) x = recut(x, axis, aligned.space[rank - 1 - e]);
    }
  }
  aligned.arrays = std::move(arrays);
  return aligned;
}

}  // namespace detail
TUFF_NAMESPACE_END
