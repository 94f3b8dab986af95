// Handles: chunks, indexing, casting, rechunking, and the way to results. See array.h.
#include "tuff/array/array.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include "tuff/array/axes.h"
#include "tuff/array/math.h"
#include "tuff/graph/elementwise_layer.h"
#include "tuff/graph/movement.h"
#include "tuff/graph/relabel_layer.h"
#include "tuff/graph/sources.h"

TUFF_NAMESPACE_BEGIN

// ---- chunks --------------------------------------------------------------------------------------

namespace {

/// Later axes stay whole as long as they fit, so that a block is one run of memory.
Dims automatic_sizes(const Dims& shape) {
  Dims sizes(shape.size(), 1);
  int64_t room = kAutoBlockElements;
  for (size_t a = shape.size(); a-- > 0;) {
    sizes[a] = std::clamp<int64_t>(room, 1, std::max<int64_t>(shape[a], 1));
    room /= sizes[a];
  }
  return sizes;
}

/// Blocks of these sizes, each at least 1.
Chunks regular_chunks(std::string_view operation, const Dims& shape, const Dims& sizes) {
  int64_t blocks = 1;
  for (size_t a = 0; a < shape.size(); ++a) {
    const int64_t along = shape[a] > 0 ? (shape[a] - 1) / sizes[a] + 1 : 1;
    if (__builtin_mul_overflow(blocks, along, &blocks) || blocks > kMaxBlocks) {
      throw InvalidArgument(
          operation,
          fmt::format(
              "shape {} in blocks of shape {} makes more than {} blocks; give larger chunks",
              tuff::to_string(shape), tuff::to_string(sizes), kMaxBlocks));
    }
  }
  Chunks chunks;
  for (size_t a = 0; a < shape.size(); ++a)
    chunks.push_back(AxisChunks::regular(shape[a], sizes[a]));
  return chunks;
}

}  // namespace

const Dims& ShapeSpec::dims(std::string_view operation) const {
  if (given_ > kMaxRank) {
    throw InvalidArgument(
        operation, fmt::format("a shape with {} axes; at most {} are accepted", given_, kMaxRank));
  }
  return dims_;
}

Chunks ChunkSpec::resolve(std::string_view operation, const Dims& shape, DType dtype) const {
  check_dtype(operation, dtype);
  check_size(operation, shape, dtype);
  if (!all_ && per_axis_.empty() && explicit_.empty()) {
    return regular_chunks(operation, shape, automatic_sizes(shape));
  }
  const auto checked_size = [&](size_t axis, int64_t size) {
    if (size == -1 || (size == 0 && shape[axis] == 0)) return std::max<int64_t>(shape[axis], 1);
    if (size < 1) {
      throw InvalidArgument(
          operation,
          fmt::format("block size {} on axis {}; accepted are -1 (the whole axis) and 1, 2, ...",
                      size, axis));
    }
    return size;
  };
  if (all_) {
    Dims sizes;
    for (size_t a = 0; a < shape.size(); ++a) sizes.push_back(checked_size(a, *all_));
    return regular_chunks(operation, shape, sizes);
  }
  const size_t given = explicit_.empty() ? per_axis_.size() : explicit_.size();
  if (given != shape.size()) {
    throw InvalidArgument(operation, fmt::format("chunks for {} axes, but shape {} has {}", given,
                                                 tuff::to_string(shape), shape.size()));
  }
  if (explicit_.empty()) {
    Dims sizes;
    for (size_t a = 0; a < shape.size(); ++a) sizes.push_back(checked_size(a, per_axis_[a]));
    return regular_chunks(operation, shape, sizes);
  }
  Chunks chunks;
  for (size_t a = 0; a < shape.size(); ++a) {
    int64_t sum = 0;
    for (int64_t size : explicit_[a]) {
      if (size < 0)
        throw InvalidArgument(
            operation, fmt::format("block size {} on axis {}; accepted are 0, 1, ...", size, a));
      if (__builtin_add_overflow(sum, size, &sum)) {
        throw InvalidArgument(operation,
                              fmt::format("blocks of axis {}, one of size {}, add up to 2^63 or "
                                          "more; its extent is {}",
                                          a, size, shape[a]));
      }
    }
    if (sum != shape[a]) {
      throw InvalidArgument(
          operation,
          fmt::format("blocks of axis {} add up to {}; its extent is {}", a, sum, shape[a]));
    }
    chunks.push_back(AxisChunks::of(explicit_[a]));
  }
  check_size(operation, chunks, dtype);
  return chunks;
}

// ---- Array ---------------------------------------------------------------------------------------

namespace {

const std::vector<Block>& blocks_of(const Result& result) {
  if (result.blocks().empty()) {
    throw InvalidArgument("array",
                          "an empty result has no elements; assign what a run returned first");
  }
  return result.blocks();
}

}  // namespace

Array::Array(const Result& result)
    : port_{
          std::make_shared<graph::MemoryLayer>(result.dtype(), result.chunks(), blocks_of(result)),
          0} {}

int64_t Array::size() const {
  int64_t n = 1;
  for (const Extent& extent : shape()) {
    if (!extent.is_known()) {
      throw InvalidArgument(
          "size", fmt::format("shape {} has unknown extents; call compute_chunk_sizes() first",
                              tuff::to_string(shape())));
    }
    n *= extent.value();
  }
  return n;
}

std::string Array::describe() const {
  return fmt::format("{} {} in {} blocks", name_of(dtype()), tuff::to_string(shape()),
                     tuff::to_string(grid_of(chunks())));
}

Block Array::compute(const RunOptions& options) const {
  const auto start = std::chrono::steady_clock::now();
  const Result result = tuff::compute({port_}, options)[0];
  return result.gather(detail::options_after(options, start));
}

Block Array::compute_for(std::string_view operation, DType asked, bool one_element,
                         const RunOptions& options) const {
  detail::check_element_type(operation, dtype(), asked);
  const auto check_one = [&](const Shape& known) {
    if (one_element) detail::check_one_element(operation, known);
  };
  if (is_known(chunks())) check_one(shape());  // before the work, not after it
  const auto start = std::chrono::steady_clock::now();
  const Result result = tuff::compute({port_}, options)[0];
  check_one(shape_of(result.chunks()));
  return result.gather(detail::options_after(options, start));
}

Array Array::persist(const RunOptions& options) const {
  return Array(tuff::persist(std::vector<graph::Port>{port_}, options)[0]);
}

Array Array::astype(DType to) const {
  check_dtype("astype", to);
  check_size("astype", chunks(), to);
  if (to == dtype()) return *this;
  return Array({std::make_shared<graph::CastLayer>(port_, to), 0});
}

Array Array::rechunk(const ChunkSpec& spec) const {
  if (!is_known(chunks())) {
    throw InvalidArgument(
        "rechunk", fmt::format("shape {} has unknown extents; call compute_chunk_sizes() first",
                               tuff::to_string(shape())));
  }
  Dims dims;
  for (const Extent& extent : shape()) dims.push_back(extent.value());
  Chunks wanted = spec.resolve("rechunk", dims, dtype());
  bool same = true;
  for (size_t a = 0; a < wanted.size(); ++a) same = same && same_chunks(wanted[a], chunks()[a]);
  if (same) return *this;
  return Array({std::make_shared<graph::RechunkLayer>(port_, std::move(wanted)), 0});
}

Array Array::transpose() const {
  std::vector<int64_t> axes;
  for (size_t a = ndim(); a-- > 0;) axes.push_back(static_cast<int64_t>(a));
  return transpose(axes);
}

Array Array::transpose(const std::vector<int64_t>& axes) const {
  if (axes.size() != ndim()) {
    throw InvalidArgument("transpose", fmt::format("{} axes given; shape {} has {}", axes.size(),
                                                   tuff::to_string(shape()), ndim()));
  }
  graph::LabelMap from;
  Chunks cut;
  for (int64_t axis : detail::normalised_axes("transpose", axes, ndim(), /*sorted=*/false)) {
    from.push_back(static_cast<int8_t>(axis));
    cut.push_back(chunks()[static_cast<size_t>(axis)]);
  }
  return Array({std::make_shared<graph::RelabelLayer>(port_, from, std::move(cut)), 0});
}

Array Array::compute_chunk_sizes(const RunOptions& options) const {
  if (is_known(chunks())) return *this;
  // One element per block would do, but the blocks tell every axis at once and are dropped right after.
  const Result result = tuff::compute({port_}, options)[0];
  return Array({std::make_shared<graph::AssumeChunksLayer>(port_, result.chunks()), 0});
}

// ---- indexing ------------------------------------------------------------------------------------

namespace {

/// An index after Ellipsis is written out: what happens to each input axis, and where new axes go.
struct ParsedIndex {
  PerAxis<graph::AxisSlice> slices;
  graph::LabelMap from;  // of the output, in terms of sliced axes
  bool cuts = false;     // whether any axis is not whole
  bool relabels = false;
};

graph::AxisSlice parse_slice(const Slice& slice, const AxisChunks& axis, size_t number) {
  graph::AxisSlice result;
  if (slice.step == 0)
    throw InvalidArgument("slice", fmt::format("step 0 on axis {}; it must not be zero", number));
  if (!slice.start && !slice.stop && slice.step == 1) {
    result.whole = true;
    return result;
  }
  if (!axis.is_known()) {
    throw InvalidArgument(
        "slice",
        fmt::format("axis {} has an unknown extent; call compute_chunk_sizes() first", number));
  }
  // As Python's slice.indices().
  const int64_t n = axis.extent().value();
  const bool forward = slice.step > 0;
  const auto bound = [&](std::optional<int64_t> given, int64_t absent) {
    if (!given) return absent;
    const int64_t at = *given < 0 ? std::max(*given, -n - 1) + n : *given;
    return forward ? std::clamp<int64_t>(at, 0, n) : std::clamp<int64_t>(at, -1, n - 1);
  };
  const int64_t start = bound(slice.start, forward ? 0 : n - 1);
  const int64_t stop = bound(slice.stop, forward ? n : -1);
  result.start = start;
  result.step = slice.step;
  const int64_t span = forward ? stop - start : start - stop;
  // |step| may be as large as int64 allows, and then one element is left.
  const uint64_t stride =
      forward ? static_cast<uint64_t>(slice.step) : uint64_t{0} - static_cast<uint64_t>(slice.step);
  result.count =
      span > 0 ? static_cast<int64_t>((static_cast<uint64_t>(span) - 1) / stride) + 1 : 0;
  if (result.count <= 1) result.step = 1;
  result.whole = result.start == 0 && result.step == 1 && result.count == n;
  return result;
}

graph::AxisSlice parse_integer(int64_t at, const AxisChunks& axis, size_t number) {
  if (!axis.is_known()) {
    throw InvalidArgument(
        "index",
        fmt::format("axis {} has an unknown extent; call compute_chunk_sizes() first", number));
  }
  const int64_t n = axis.extent().value();
  if (n == 0) {
    throw InvalidArgument(
        "index",
        fmt::format("{} on axis {}, which is empty; only slices are accepted there", at, number));
  }
  if (at < -n || at >= n) {
    throw InvalidArgument(
        "index", fmt::format("{} is out of range for axis {} of extent {}; accepted are {} to {}",
                             at, number, n, -n, n - 1));
  }
  graph::AxisSlice result;
  result.start = at < 0 ? at + n : at;
  result.count = 1;
  return result;
}

ParsedIndex parse(const std::vector<Index>& index, const Chunks& chunks, const Shape& shape) {
  size_t used = 0;
  size_t ellipses = 0;
  for (const Index& item : index) {
    used += std::holds_alternative<int64_t>(item) || std::holds_alternative<Slice>(item) ? 1 : 0;
    ellipses += std::holds_alternative<Ellipsis>(item) ? 1 : 0;
  }
  if (ellipses > 1)
    throw InvalidArgument("index", "more than one ellipsis; at most one is accepted");
  if (used > chunks.size()) {
    throw InvalidArgument(
        "index",
        fmt::format("{} {} for shape {}; at most {} accepted, newaxis and ellipsis not counted",
                    used, used == 1 ? "index" : "indices", tuff::to_string(shape),
                    chunks.size() == 1 ? "1 is" : fmt::format("{} are", chunks.size())));
  }
  const size_t rank = chunks.size() + static_cast<size_t>(std::count_if(
                                          index.begin(), index.end(), [](const Index& item) {
                                            return std::holds_alternative<NewAxis>(item);
                                          }));
  const auto dropped =
      static_cast<size_t>(std::count_if(index.begin(), index.end(), [](const Index& item) {
        return std::holds_alternative<int64_t>(item);
      }));
  if (rank - dropped > kMaxRank) {
    throw InvalidArgument(
        "index",
        fmt::format("shape {} with {} new axes has {}; at most {} are accepted",
                    tuff::to_string(shape), rank - chunks.size(), rank - dropped, kMaxRank));
  }
  ParsedIndex parsed;
  size_t axis = 0;
  const auto take_whole = [&] {
    graph::AxisSlice slice;
    slice.whole = true;
    parsed.slices.push_back(slice);
    parsed.from.push_back(static_cast<int8_t>(axis++));
  };
  for (const Index& item : index) {
    if (std::holds_alternative<NewAxis>(item)) {
      parsed.from.push_back(graph::kNoLabel);
      parsed.relabels = true;
    } else if (std::holds_alternative<Ellipsis>(item)) {
      for (size_t left = chunks.size() - used; left > 0; --left) take_whole();
    } else if (const auto* slice = std::get_if<Slice>(&item)) {
      parsed.slices.push_back(parse_slice(*slice, *chunks[axis], axis));
      parsed.cuts = parsed.cuts || !parsed.slices.back().whole;
      parsed.from.push_back(static_cast<int8_t>(axis++));
    } else {
      parsed.slices.push_back(parse_integer(std::get<int64_t>(item), *chunks[axis], axis));
      parsed.cuts = parsed.relabels = true;
      ++axis;
    }
  }
  while (axis < chunks.size()) take_whole();
  return parsed;
}

/// The symbol of a mask: the same one each time it selects, so that x[m] and y[m] go together.
AxisChunksPtr selected_by(const graph::Port& mask, const AxisChunks& upper_bounds) {
  struct Entry {
    std::weak_ptr<const graph::Layer> layer;
    AxisChunksPtr selected;
  };
  using Known = std::map<std::pair<const graph::Layer*, uint32_t>, Entry>;
  static std::mutex& mutex = *new std::mutex;
  static Known& known = *new Known;
  const std::lock_guard lock(mutex);
  for (auto at = known.begin(); at != known.end();)
    at = at->second.layer.expired() ? known.erase(at) : std::next(at);
  Entry& entry = known[{mask.layer.get(), mask.output}];
  if (!entry.selected) entry = {mask.layer, AxisChunks::unknown(upper_bounds)};
  return entry.selected;
}

}  // namespace

Array Array::operator[](std::initializer_list<Index> index) const {
  return (*this)[std::vector<Index>(index)];
}

Array Array::operator[](const std::vector<Index>& index) const {
  const ParsedIndex parsed = parse(index, chunks(), shape());
  graph::Port port = port_;
  if (parsed.cuts) port = {std::make_shared<graph::SliceLayer>(port, parsed.slices), 0};
  if (!parsed.relabels) return Array(port);
  Chunks cut;
  for (int8_t axis : parsed.from) {
    cut.push_back(axis == graph::kNoLabel
                      ? AxisChunks::whole(1)
                      : graph::output_of(port).chunks[static_cast<size_t>(axis)]);
  }
  return Array({std::make_shared<graph::RelabelLayer>(port, parsed.from, std::move(cut)), 0});
}

Array Array::operator[](const Array& mask) const {
  if (mask.dtype() != DType::bool_) {
    throw InvalidArgument("mask", fmt::format("a mask of type {}; bool is needed, e.g. x[x > 0]",
                                              name_of(mask.dtype())));
  }
  const bool along_first = mask.ndim() == 1 && ndim() >= 1;
  bool fits =
      along_first ? mask.shape()[0] == shape()[0] : mask.ndim() > 0 && mask.shape() == shape();
  if (!fits) {
    throw InvalidArgument(
        "mask", fmt::format("a mask of shape {} on an array of shape {}; accepted are {} and {}",
                            tuff::to_string(mask.shape()), tuff::to_string(shape()),
                            ndim() > 0 ? tuff::to_string(Shape{shape()[0]}) : "",
                            tuff::to_string(shape())));
  }
  Array x = *this;
  Array m = mask;
  if (!along_first) {
    // Row-major order of the result needs whole rows in each block.
    if (is_known(chunks())) {
      std::vector<std::vector<int64_t>> rows = {mask.chunks()[0]->sizes()};
      for (size_t a = 1; a < ndim(); ++a) rows.push_back({shape()[a].value()});
      x = rechunk(rows);
    }
    for (size_t a = 1; a < x.ndim(); ++a) {
      if (x.chunks()[a]->count() > 1)
        throw InvalidArgument("mask", "an axis of unknown extent in several blocks");
    }
  } else {
    // The mask says how the result is cut: x[m] and y[m] go together even when x and y are cut differently.
    x = detail::recut(x, 0, mask.chunks()[0]);
  }
  if (!same_chunks(m.chunks()[0], x.chunks()[0]) ||
      (!along_first && tuff::block_count(m.chunks()) != tuff::block_count(x.chunks()))) {
    std::vector<std::vector<int64_t>> cut;
    for (size_t a = 0; a < m.ndim(); ++a) cut.push_back(x.chunks()[a]->sizes());
    m = m.rechunk(cut);
  }
  std::vector<int64_t> bounds = x.chunks()[0]->sizes();
  if (!along_first) {
    for (size_t a = 1; a < x.ndim(); ++a) {
      for (int64_t& bound : bounds) bound *= x.chunks()[a]->size(0);
    }
  }
  // The mask as the user holds it names the symbol.
  AxisChunksPtr selected = selected_by(mask.port(), *AxisChunks::of(bounds));
  return Array({std::make_shared<graph::MaskLayer>(x.port(), m.port(), std::move(selected)), 0});
}

// ---- Parameter -----------------------------------------------------------------------------------

namespace {

graph::Port make_parameter(std::string name, const ShapeSpec& shape, DType dtype,
                           const ChunkSpec& chunks) {
  if (name.empty())
    throw InvalidArgument("parameter", "an empty name; errors need one to speak of");
  Chunks cut = chunks.resolve("parameter", shape.dims("parameter"), dtype);
  return {std::make_shared<graph::ParameterLayer>(std::move(name), dtype, std::move(cut)), 0};
}

}  // namespace

Parameter::Parameter(std::string name, const ShapeSpec& shape, DType dtype, const ChunkSpec& chunks)
    : Array(make_parameter(std::move(name), shape, dtype, chunks)) {}

TUFF_NAMESPACE_END
