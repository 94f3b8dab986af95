// Load and check; see data.h.
#include "tuff/glm/data.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tuff/array/creation.h"
#include "tuff/array/math.h"
#include "tuff/array/reductions.h"
#include "tuff/graph/sources.h"
#include "tuff/persist.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

namespace {

/// Rows of one block are at most 1 MiB: a pass over 80 MB then has 80 tasks, and no thread waits long for
/// the last one. (Smaller blocks share a task: logistic_pass.h.)
constexpr int64_t kBlockBytes = int64_t{1} << 20;

/// Data of up to this part of the memory budget are held in memory; more of it is persisted, block by block,
/// so that some of it can wait on disk.
constexpr double kInMemory = 0.8;

int64_t most_rows(int64_t row_bytes) { return std::max<int64_t>(64, kBlockBytes / row_bytes); }

/// Blocks of whole rows, dense within each row; more blocks where they are larger than kBlockBytes.
Array cut_rows(const Result& result, int64_t row_bytes) {
  const int64_t most = most_rows(row_bytes);
  std::vector<int64_t> sizes;
  std::vector<Block> blocks;
  for (const Block& whole : result.blocks()) {
    const int64_t rows = whole.shape()[0];
    if (rows == 0) continue;
    const int64_t parts = (rows + most - 1) / most;
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t first = rows * part / parts, last = rows * (part + 1) / parts;
      Dims shape = whole.shape();
      shape[0] = last - first;
      Block block = whole.strided_view(first * whole.strides()[0], shape, whole.strides());
      const bool dense = whole.strides().back() == 1 && whole.strides()[0] >= 0;
      blocks.push_back(dense ? std::move(block) : block.contiguous());
      sizes.push_back(last - first);
    }
  }
  Chunks chunks = {AxisChunks::of(sizes)};
  if (result.chunks().size() == 2) chunks.push_back(AxisChunks::whole(result.shape()[1]));
  return Array(
      {std::make_shared<graph::MemoryLayer>(result.dtype(), std::move(chunks), std::move(blocks)),
       0});
}

/// Whether X as float64 and y leave room in the budget.
bool fits(const Array& X, const Array& y, const RunOptions& run) {
  if (!X.shape()[0].is_known()) return true;  // nobody knows before it is computed
  const Context& context = run.context != nullptr ? *run.context : Context::current();
  const auto budget = static_cast<double>(run.memory_bytes.value_or(context.memory_bytes()));
  const auto row_bytes =
      static_cast<double>(8 * X.shape()[1].value()) + static_cast<double>(size_of(y.dtype()));
  return row_bytes * static_cast<double>(X.shape()[0].value()) <= kInMemory * budget;
}

/// Blocks cut to at most `most` rows; empty ones are left out.
std::vector<int64_t> cut_sizes(const AxisChunks& chunks, int64_t most) {
  std::vector<int64_t> sizes;
  for (const int64_t rows : chunks.sizes()) {
    const int64_t parts = (rows + most - 1) / most;  // none of an empty block
    for (int64_t part = 0; part < parts; ++part)
      sizes.push_back(rows * (part + 1) / parts - rows * part / parts);
  }
  return sizes;
}

}  // namespace

LoadedRows load_rows(const Array& X, const Array& y, const RunOptions& run) {
  const bool in_memory = fits(X, y, run);
  const int64_t columns = X.shape()[1].value(), row_bytes = 8 * columns;
  Array features = X.astype(DType::float64), target = y;
  if (is_known(X.chunks())) {
    const AxisChunks& old = *X.chunks()[0];
    const std::vector<int64_t> rows =
        in_memory ? old.sizes() : cut_sizes(old, most_rows(row_bytes));
    if (X.chunks()[1]->count() > 1 || !in_memory)
      features = features.rechunk(std::vector<std::vector<int64_t>>{rows, {columns}});
    target = target.rechunk(std::vector<std::vector<int64_t>>{rows});
  }
  if (!in_memory) {
    // What is persisted is not persisted again: its blocks are cut in each pass.
    const bool kept = X.dtype() == DType::float64 && is_persisted(X.port()) &&
                      is_persisted(y.port()) && X.chunks()[1]->count() == 1;
    if (kept) return {{features, target}, false};
    const std::vector<graph::Port> ports = persist({features.port(), target.port()}, run);
    return {{Array(ports[0]), Array(ports[1])}, false};
  }
  const std::vector<Result> results = tuff::compute({features, target}, run);
  if (results[0].shape()[0] == 0)
    throw InvalidArgument("fit", "X and y have no rows; at least one is needed");
  return {{cut_rows(results[0], row_bytes), cut_rows(results[1], row_bytes)}, true};
}

// ---- check ---------------------------------------------------------------------------------------

namespace {

/// Row and value of the first element of column `column` for which `bad` holds; row -1 if there is none.
/// Block by block: the column may be larger than the memory budget.
std::pair<int64_t, double> first_where(const Array& array, std::optional<int64_t> column,
                                       const RunOptions& run,
                                       const std::function<bool(double)>& bad) {
  const Array values = (column ? array[{whole, *column}] : array).astype(DType::float64);
  int64_t row = 0;
  for (const int64_t rows : values.chunks()[0]->sizes()) {
    for (const double v : values[{Slice{row, row + rows}}].compute(run).to_vector<double>()) {
      if (bad(v)) return {row, v};
      ++row;
    }
  }
  return {-1, 0};
}

[[noreturn]] void refuse_column(const Rows& rows, const std::string& name, size_t column,
                                const RunOptions& run) {
  const auto [row, value] = first_where(rows.X, static_cast<int64_t>(column), run,
                                        [](double v) { return !std::isfinite(v); });
  if (row < 0) {
    throw InvalidArgument(
        "fit", fmt::format("feature '{}' has values so large that their squares overflow; "
                           "rescale it",
                           name));
  }
  throw InvalidArgument("fit", fmt::format("feature '{}' is {} in row {}; accepted: finite numbers",
                                           name, value, row));
}

[[noreturn]] void refuse_target(const Rows& rows, const RunOptions& run) {
  const auto [row, value] = first_where(rows.y, {}, run, [](double v) { return v != 0 && v != 1; });
  throw InvalidArgument(
      "fit",
      fmt::format("the target is {} in row {}; the logistic family accepts 0 and 1", value, row));
}

/// From this ratio of mean to deviation on, the moments of a column are taken again about its mean: those
/// of the first pass have lost up to half their digits.
constexpr double kFarFromZero = 1e4;

/// Mean, deviation and constancy of columns that are far from 0 against their spread, or as good as
/// constant: exact minima and maxima tell constants, and moments of scaled deviations have all digits.
void look_again(const Array& X, Summary& summary, const RunOptions& run) {
  std::vector<size_t> far;
  for (size_t j = 0; j < summary.mean.size(); ++j) {
    if (kFarFromZero * summary.sd[j] <= std::fabs(summary.mean[j])) far.push_back(j);
  }
  if (far.empty()) return;
  const std::vector<Result> extremes =
      tuff::compute({min(X, 0), max(X, 0)}, run);
  const std::vector<double> low = extremes[0].to_vector<double>(),
                            high = extremes[1].to_vector<double>();
  std::vector<double> scale(low.size(), 1.0);
  for (size_t j : far) {
    summary.constant[j] = low[j] == high[j] ? 1 : 0;
    if (summary.constant[j] != 0) continue;
    scale[j] = std::ldexp(1.0, std::clamp(-std::ilogb(high[j] - low[j]), -1000, 1000));
  }
  const Array z = (X - from_vector(summary.mean)) * from_vector(scale);
  const std::vector<Result> moments =
      tuff::compute({mean(z, 0), tuff::std(z, 0)}, run);
  const std::vector<double> shift = moments[0].to_vector<double>(),
                            spread = moments[1].to_vector<double>();
  for (size_t j : far) {
    summary.mean[j] = summary.constant[j] != 0 ? low[j] : summary.mean[j] + shift[j] / scale[j];
    summary.sd[j] = summary.constant[j] != 0 ? 0 : spread[j] / scale[j];
  }
}

}  // namespace

Summary check_rows(LoadedRows& data, const Family& family, const RunOptions& run,
                   const std::vector<std::string>& names) {
  Rows& rows = data.rows;
  const bool classes = family.undecided != nullptr;
  const Array y = rows.y;
  std::vector<graph::Port> wanted = {mean(rows.X, 0), tuff::std(rows.X, 0),
                                     mean(y.astype(DType::float64)),
                                     classes ? all((y == 0) || (y == 1)) : all(y == y)};
  if (classes && data.in_memory) wanted.push_back(y != 0);
  const std::vector<Result> results = tuff::compute(wanted, run);
  Summary summary{results[0].to_vector<double>(), results[1].to_vector<double>(),
                  std::vector<uint8_t>(names.size(), 0), results[2].item<double>()};
  for (size_t j = 0; j < names.size(); ++j) {
    if (!std::isfinite(summary.mean[j]) || !std::isfinite(summary.sd[j]))
      refuse_column(rows, names[j], j, run);
  }
  if (classes) {
    if (!results[3].item<bool>()) refuse_target(rows, run);
    if (summary.mean_of_y == 0 || summary.mean_of_y == 1) {
      throw InvalidArgument("fit",
                            fmt::format("the target has one class: every row is {}; two are needed",
                                        summary.mean_of_y));
    }
    rows.y = data.in_memory ? Array(results[4]) : (y != 0).persist(run);
  } else if (!std::isfinite(summary.mean_of_y)) {
    const auto [row, value] = first_where(y, {}, run, [](double v) { return !std::isfinite(v); });
    throw InvalidArgument(
        "fit", fmt::format("the target is {} in row {}; accepted: finite numbers", value, row));
  }
  look_again(rows.X, summary, run);
  return summary;
}

}  // namespace glm
TUFF_NAMESPACE_END
