// The tree above reductions; see combine.h.
#include "tuff/graph/combine.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tuff/base/block.h"
#include "tuff/kernels/reduce.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

/// Whether every block has one element along the axis.
bool is_one_per_block(const AxisChunks& axis) {
  return axis.is_known() && axis.largest() == 1 &&
         axis.extent().value() == static_cast<int64_t>(axis.count());
}

/// Count, mean and squares.
bool has_moments(const LayerOutput& output) {
  return output.dtype == DType::float64 && !output.chunks.empty() &&
         output.chunks.back()->is_known() && output.chunks.back()->count() == 1 &&
         output.chunks.back()->largest() == 3;
}

/// Throws unless the input can be merged so; see the constructor's comment.
void check_combine(ops::Reduction reduction, const LayerOutput& input, const Axes& axes,
                   int64_t fan_in) {
  const auto refuse = [](const std::string& what) { throw InvalidArgument("combine", what); };
  if (fan_in < 2 || fan_in > kMaxBlocks)
    refuse(fmt::format("a fan-in of {}; 2 to {} are accepted", fan_in, kMaxBlocks));
  if (kernels::find_reduction(reduction, input.dtype) == nullptr)
    refuse(fmt::format("elements of type {}", name_of(input.dtype)));
  const bool moments = reduction == ops::Reduction::moments;
  if (moments && !has_moments(input)) refuse("moments without their axis");
  const auto rank = static_cast<int64_t>(input.chunks.size()) - (moments ? 1 : 0);
  int64_t last = -1;
  for (int64_t axis : axes) {
    if (axis <= last || axis >= rank)
      refuse(fmt::format("axes {} of an array of rank {}", tuff::to_string(axes), rank));
    last = axis;
    if (!is_one_per_block(*input.chunks[static_cast<size_t>(axis)]))
      refuse(fmt::format("axis {} has blocks of other than one element", axis));
  }
}

Chunks combined_chunks(ops::Reduction reduction, const Port& input, const Axes& axes,
                       int64_t fan_in) {
  check_combine(reduction, output_of(input), axes, fan_in);
  Chunks chunks = output_of(input).chunks;
  for (int64_t axis : axes) {
    AxisChunksPtr& a = chunks[static_cast<size_t>(axis)];
    const auto groups = (static_cast<int64_t>(a->count()) + fan_in - 1) / fan_in;
    a = AxisChunks::regular(groups, 1);
  }
  return chunks;
}

/// Merges blocks of equal shape element by element. Moments: their last axis (n, mean, m2) is one item.
class CombineTask final : public TaskFunction {
 public:
  CombineTask(ops::Reduction reduction, DType dtype, const Chunks& chunks)
      : reduction_(reduction), dtype_(dtype), grid_(grid_of(chunks)) {}
  std::string_view name() const override { return "combine"; }
  std::string block_name(uint32_t block) const override {
    return tuff::to_string(grid_index(block, grid_));
  }
  void run(TaskArguments& arguments) const override {
    const Dims& shape = arguments.inputs[0]->get<Block>().shape();
    for (Value* input : arguments.inputs) {
      for (size_t a = 0; a < shape.size(); ++a)
        check_alike("combine", shape[a], input->get<Block>().shape()[a]);
    }
    Block result = Block::allocate(dtype_, shape);
    if (reduction_ == ops::Reduction::moments) {
      merge_moments(arguments, result);
    } else {
      merge_plain(arguments, result);
    }
    arguments.outputs[0].emplace<Block>(std::move(result));
  }

 private:
  /// The blocks become rows of a tile, which is then reduced over its rows.
  void merge_plain(const TaskArguments& arguments, const Block& result) const {
    const kernels::ReductionKernels& kernels = *kernels::find_reduction(reduction_, dtype_);
    const auto columns = static_cast<size_t>(result.size());
    if (columns == 0) return;
    std::vector<uint64_t> state((kernels.state_bytes(columns) + 7) / 8);
    kernels.start(state.data(), columns);
    const StopRequest stop(arguments.stop);
    for (Value* input : arguments.inputs) {
      stop.check();
      const Block dense = input->get<Block>().contiguous(stop);
      kernels.add_columns(dense.bytes_data(), 1, columns, state.data());
    }
    kernels.finish(state.data(), columns, result.bytes_data());
  }

  void merge_moments(const TaskArguments& arguments, const Block& result) const {
    const auto items = static_cast<size_t>(result.size() / 3);
    double* merged = result.data<double>();
    std::fill(merged, merged + 3 * items, 0.0);
    const StopRequest stop(arguments.stop);
    for (Value* input : arguments.inputs) {
      stop.check();
      const Block dense = input->get<Block>().contiguous(stop);
      const double* next = dense.data<double>();
      for (size_t i = 0; i < items; ++i, next += 3) {
        double* into = merged + 3 * i;
        if (next[0] == 0) continue;
        // Chan, Golub & LeVeque 1983, eq. 2.1: pairwise update of mean and squared deviations.
        const double n = into[0] + next[0];
        const double delta = next[1] - into[1];
        into[2] =
            into[0] == 0 ? next[2] : into[2] + next[2] + delta * delta * (into[0] * next[0] / n);
        into[1] = into[0] == 0 ? next[1] : into[1] + delta * (next[0] / n);
        into[0] = n;
      }
    }
  }

  ops::Reduction reduction_;
  DType dtype_;
  Dims grid_;
};

}  // namespace

CombineLayer::CombineLayer(ops::Reduction reduction, Port input, Axes axes, int64_t fan_in)
    : Layer({input}, output_of(input).dtype, combined_chunks(reduction, input, axes, fan_in)),
      reduction_(reduction),
      axes_(axes),
      fan_in_(fan_in) {}

void CombineLayer::inputs_of(uint32_t task, std::vector<InputBlock>& reads) const {
  const Dims from = grid_of(output_of(inputs()[0]).chunks);
  const Dims index = grid_index(task, grid_of(outputs()[0].chunks));
  Dims first = index;
  Dims last;
  for (size_t a = 0; a < from.size(); ++a) last.push_back(index[a] + 1);
  for (int64_t axis : axes_) {
    const auto a = static_cast<size_t>(axis);
    first[a] = index[a] * fan_in_;
    last[a] = std::min(first[a] + fan_in_, from[a]);
  }
  Dims at = first;
  while (true) {
    reads.push_back({0, static_cast<uint32_t>(linear_index(at, from))});
    size_t a = from.size();
    while (a-- > 0) {
      if (++at[a] < last[a]) break;
      at[a] = first[a];
    }
    if (a == SIZE_MAX) return;
  }
}

std::shared_ptr<const TaskFunction> CombineLayer::lower(const LowerHints&) const {
  return std::make_shared<CombineTask>(reduction_, outputs()[0].dtype, outputs()[0].chunks);
}

LayerPtr CombineLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<CombineLayer>(reduction_, inputs[0], axes_, fan_in_);
}

void CombineLayer::write(LayerWriter& writer) const {
  writer.put(reduction_);
  writer.put(axes_);
  writer.put(fan_in_);
}

std::string CombineLayer::note() const { return "axes " + tuff::to_string(axes_); }

LayerPtr CombineLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                            std::string_view) {
  reader.need_inputs(inputs, 1);
  const auto reduction =
      reader.get_enum<ops::Reduction>(static_cast<int>(ops::Reduction::moments) + 1);
  const Axes axes = reader.dims();
  return reader.make<CombineLayer>(reduction, inputs[0], axes, reader.get<int64_t>());
}

Port combine_tree(ops::Reduction reduction, Port partial, const Axes& axes) {
  size_t cut = 0;
  const auto blocks = [&](int64_t axis) {
    return output_of(partial).chunks[static_cast<size_t>(axis)]->count();
  };
  for (int64_t axis : axes) cut += blocks(axis) > 1 ? 1 : 0;
  if (cut == 0) return partial;
  // Two cut axes merge squares of 4 x 4, three merge cubes of 2 x 2 x 2: about kFanIn in all.
  const auto fan_in = std::max<int64_t>(
      2, static_cast<int64_t>(std::floor(
             std::pow(static_cast<double>(kFanIn), 1.0 / static_cast<double>(cut)) + 1e-9)));
  while (std::any_of(axes.begin(), axes.end(), [&](int64_t axis) { return blocks(axis) > 1; })) {
    partial = {std::make_shared<CombineLayer>(reduction, partial, axes, fan_in), 0};
  }
  return partial;
}

namespace {

Chunks without_moments(const Port& input) {
  if (!has_moments(output_of(input)))
    throw InvalidArgument("finish_moments", "moments without their axis");
  Chunks chunks = output_of(input).chunks;
  chunks.pop_back();
  return chunks;
}

/// A millisecond's work: roots and divisions take some 10 ns.
constexpr int64_t kItemsBetweenLooks = int64_t{1} << 16;

class FinishMomentsTask final : public TaskFunction {
 public:
  FinishMomentsTask(FinishMomentsLayer::Moment moment, double ddof, DType dtype)
      : moment_(moment), ddof_(ddof), dtype_(dtype) {}
  std::string_view name() const override { return "finish_moments"; }
  void run(TaskArguments& arguments) const override {
    const StopRequest stop(arguments.stop);
    const Block state = arguments.inputs[0]->get<Block>().contiguous(stop);
    Dims shape = state.shape();
    shape.pop_back();
    Block result = Block::allocate(dtype_, shape);
    const double* from = state.data<double>();
    const int64_t n = result.size();
    for (int64_t i = 0; i < n; ++i, from += 3) {
      if (i % kItemsBetweenLooks == 0) stop.check();
      const double value = finished(from[0], from[1], from[2]);
      if (dtype_ == DType::float32) {
        result.data<float>()[i] = static_cast<float>(value);
      } else {
        result.data<double>()[i] = value;
      }
    }
    arguments.outputs[0].emplace<Block>(std::move(result));
  }

 private:
  double finished(double n, double mean, double m2) const {
    if (moment_ == FinishMomentsLayer::Moment::mean) return n > 0 ? mean : std::nan("");
    const double variance = n - ddof_ > 0 ? m2 / (n - ddof_) : std::nan("");
    return moment_ == FinishMomentsLayer::Moment::var ? variance : std::sqrt(variance);
  }
  FinishMomentsLayer::Moment moment_;
  double ddof_;
  DType dtype_;
};

}  // namespace

FinishMomentsLayer::FinishMomentsLayer(Moment moment, double ddof, DType dtype, Port input)
    : Layer({input}, dtype, without_moments(input)), moment_(moment), ddof_(ddof) {
  if (!is_floating(dtype) || !std::isfinite(ddof)) {
    throw InvalidArgument(
        "finish_moments",
        fmt::format("{} with ddof {}; float32 or float64 and a finite number are accepted",
                    name_of(dtype), ddof));
  }
}

std::shared_ptr<const TaskFunction> FinishMomentsLayer::lower(const LowerHints&) const {
  return std::make_shared<FinishMomentsTask>(moment_, ddof_, outputs()[0].dtype);
}

LayerPtr FinishMomentsLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<FinishMomentsLayer>(moment_, ddof_, outputs()[0].dtype, inputs[0]);
}

void FinishMomentsLayer::write(LayerWriter& writer) const {
  writer.put(moment_);
  writer.put(ddof_);
  writer.put(outputs()[0].dtype);
}

std::string FinishMomentsLayer::note() const {
  constexpr std::string_view names[] = {"mean", "var", "std"};
  return fmt::format("{} ddof {}", names[static_cast<size_t>(moment_)], ddof_);
}

LayerPtr FinishMomentsLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                                  std::string_view) {
  reader.need_inputs(inputs, 1);
  const auto moment = reader.get_enum<Moment>(3);
  const auto ddof = reader.get<double>();
  const DType dtype = reader.dtype();
  return reader.make<FinishMomentsLayer>(moment, ddof, dtype, inputs[0]);
}

namespace {

class RequireElementsTask final : public TaskFunction {
 public:
  explicit RequireElementsTask(std::string operation) : operation_(std::move(operation)) {}
  std::string_view name() const override { return operation_; }
  void run(TaskArguments& arguments) const override {
    const Block counts = arguments.inputs[1]->get<Block>().contiguous();
    const int64_t* count = counts.data<int64_t>();
    if (std::find(count, count + counts.size(), 0) != count + counts.size()) {
      throw InvalidArgument(
          operation_,
          "no elements along the reduced axes, as the run found; at least one is needed");
    }
    arguments.outputs[0].emplace<Block>(arguments.inputs[0]->get<Block>());
  }

 private:
  std::string operation_;
};

}  // namespace

RequireElementsLayer::RequireElementsLayer(std::string operation, Port value, Port count)
    : Layer({value, count}, output_of(value).dtype, output_of(value).chunks),
      operation_(std::move(operation)) {
  const LayerOutput& counts = output_of(count);
  if (counts.dtype != DType::int64 ||
      !(grid_of(counts.chunks) == grid_of(output_of(value).chunks))) {
    throw InvalidArgument(
        "require_elements",
        fmt::format("counts {} {} of {}; int64 in the same grid are needed", name_of(counts.dtype),
                    tuff::to_string(counts.chunks), tuff::to_string(output_of(value).chunks)));
  }
}

std::shared_ptr<const TaskFunction> RequireElementsLayer::lower(const LowerHints&) const {
  return std::make_shared<RequireElementsTask>(operation_);
}

LayerPtr RequireElementsLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<RequireElementsLayer>(operation_, inputs[0], inputs[1]);
}

void RequireElementsLayer::write(LayerWriter& writer) const {
  writer.put(std::string_view(operation_));
}

LayerPtr RequireElementsLayer::read(LayerReader& reader, const std::vector<Port>& inputs,
                                    std::string_view) {
  reader.need_inputs(inputs, 2);
  return reader.make<RequireElementsLayer>(reader.text(), inputs[0], inputs[1]);
}

}  // namespace graph
TUFF_NAMESPACE_END
