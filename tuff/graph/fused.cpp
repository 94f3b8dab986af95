// Fused layers: emission of the program, numbering of tasks, and the task itself; see fused.h.
#include "tuff/graph/fused.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "tuff/graph/fused_rules.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

/// Blocks along the labels that are cut, and how arrays number theirs.
struct Grid {
  std::vector<uint8_t> labels;   // cut labels, ascending
  std::vector<uint32_t> counts;  // blocks along each
  uint32_t tasks = 1;
};

/// How many blocks one step along each cut label moves in an array's own numbering.
using GridStrides = std::vector<uint32_t>;

GridStrides strides_in(const LabelMap& axes, const Grid& grid,
                       const std::vector<AxisChunksPtr>& chunks) {
  GridStrides strides(grid.labels.size(), 0);
  uint32_t stride = 1;
  for (size_t a = axes.size(); a-- > 0;) {
    if (axes[a] == kNoLabel) continue;
    const auto label = static_cast<uint8_t>(axes[a]);
    const auto at = std::find(grid.labels.begin(), grid.labels.end(), label);
    if (at != grid.labels.end()) strides[static_cast<size_t>(at - grid.labels.begin())] = stride;
    stride *= static_cast<uint32_t>(chunks[label]->count());
  }
  return strides;
}

AxisChunksPtr one_per_block(const AxisChunks& axis) {
  return AxisChunks::regular(static_cast<int64_t>(axis.count()), 1);
}

AxisChunksPtr unit_axis() {
  static const AxisChunksPtr& unit = *new AxisChunksPtr(AxisChunks::whole(1));
  return unit;
}

std::vector<LayerOutput> outputs_of(const kernels::Program& program,
                                    const std::vector<AxisChunksPtr>& label_chunks) {
  std::vector<LayerOutput> outputs;
  for (const kernels::ProgramOutput& o : program.outputs) {
    LayerOutput output{o.dtype, {}};
    for (size_t a = 0; a < o.axes.size(); ++a) {
      if (o.axes[a] == kNoLabel) {
        output.chunks.push_back(unit_axis());
      } else if (((o.collapsed >> a) & 1) != 0) {
        output.chunks.push_back(one_per_block(*label_chunks[static_cast<size_t>(o.axes[a])]));
      } else {
        output.chunks.push_back(label_chunks[static_cast<size_t>(o.axes[a])]);
      }
    }
    if (o.moments) output.chunks.push_back(AxisChunks::whole(3));
    outputs.push_back(std::move(output));
  }
  return outputs;
}

/// Names in order of first appearance, each once: "exp, multiply x3".
class NameList {
 public:
  void add(std::string_view name) {
    const auto at = std::find_if(counts_.begin(), counts_.end(),
                                 [&](const auto& entry) { return entry.first == name; });
    if (at == counts_.end()) {
      counts_.emplace_back(name, 1);
    } else {
      ++at->second;
    }
  }
  bool empty() const { return counts_.empty(); }
  std::string text() const {
    constexpr size_t kShown = 12;  // some 100 characters
    std::string text;
    for (size_t i = 0; i < std::min(counts_.size(), kShown); ++i) {
      text += fmt::format("{}{}", text.empty() ? "" : ", ", counts_[i].first);
      if (counts_[i].second > 1) text += fmt::format(" x{}", counts_[i].second);
    }
    if (counts_.size() > kShown) text += fmt::format(", {} more", counts_.size() - kShown);
    return text;
  }

 private:
  std::vector<std::pair<std::string_view, size_t>> counts_;
};

/// "normal -> exp, divide, subtract -> sum, moments": sources made inside, what is computed from them and
/// from the inputs, and the reductions that end the program. Constants are not worth a word.
std::string describe_members(const std::vector<FusedMember>& members, bool shows_sources) {
  std::set<const Layer*> read;  // by other members
  std::set<const Layer*> sources;
  NameList made;
  NameList computed;
  NameList reduced;
  const auto add_source = [&](const Layer& layer) {
    if (layer.name() != "full" && sources.insert(&layer).second) made.add(layer.name());
  };
  for (const FusedMember& member : members) {
    for (const Port& input : member.layer->inputs()) {
      read.insert(input.layer.get());
      const auto* source = dynamic_cast<const BlockwiseLayer*>(input.layer.get());
      if (shows_sources && source != nullptr && source->is_cheap_source()) add_source(*source);
    }
  }
  for (const FusedMember& member : members) {
    const BlockwiseLayer& layer = *member.layer;
    if (layer.is_cheap_source()) {
      add_source(layer);
    } else if (layer.is_reduction() && !read.contains(&layer)) {
      reduced.add(layer.name());
    } else {
      computed.add(layer.name());
    }
  }
  std::string text;
  for (const NameList* names : {&made, &computed, &reduced}) {
    if (!names->empty()) text += (text.empty() ? "" : " -> ") + names->text();
  }
  return text.empty() ? "full" : text;
}

}  // namespace

struct FusedLayer::Core {
  explicit Core(kernels::Program program) : runner(std::move(program)) {}
  kernels::ProgramRunner runner;
  std::vector<AxisChunksPtr> label_chunks;
  Grid grid;
  std::vector<GridStrides> operand_strides;
  std::vector<GridStrides> output_strides;
  /// For labels of unknown extent: the operands and axes whose blocks tell it.
  struct Told {
    uint32_t operand = 0;
    uint32_t axis = 0;
  };
  std::vector<std::vector<Told>> told_by;

  void index_of(uint32_t task, std::array<uint32_t, kernels::kMaxLabels>& index) const {
    for (size_t g = grid.labels.size(); g-- > 0;) {
      index[g] = task % grid.counts[g];
      task /= grid.counts[g];
    }
  }
};

double FusedLayer::typical_seconds() const {
  // An instruction on an element that lies in the cache takes 0.05 (add) to 2 ns (exp, normal).
  constexpr double kSecondsPerStep = 0.3e-9;
  double steps = static_cast<double>(program().instructions.size());
  for (const AxisChunksPtr& axis : core_->label_chunks)
    steps *= static_cast<double>(axis->largest());
  return Layer::typical_seconds() + steps * kSecondsPerStep;
}

class FusedLayer::Task final : public TaskFunction {
 public:
  Task(std::shared_ptr<const Core> core, std::string name, uint32_t streaming)
      : core_(std::move(core)), name_(std::move(name)), streaming_(streaming) {}

  std::string_view name() const override { return name_; }

  std::string block_name(uint32_t block) const override {
    std::array<uint32_t, kernels::kMaxLabels> index{};
    core_->index_of(block, index);
    Dims dims;
    for (size_t g = 0; g < std::min(core_->grid.labels.size(), kMaxRank); ++g)
      dims.push_back(index[g]);
    return tuff::to_string(dims);
  }

  void run(TaskArguments& arguments) const override {
    const kernels::Program& program = core_->runner.program();
    std::array<uint32_t, kernels::kMaxLabels> grid_index;
    core_->index_of(arguments.block, grid_index);
    std::array<int64_t, kernels::kMaxLabels> extents;
    std::array<int64_t, kernels::kMaxLabels> starts;
    std::array<uint32_t, kernels::kMaxLabels> block_of_label{};
    for (size_t g = 0; g < core_->grid.labels.size(); ++g) {
      block_of_label[core_->grid.labels[g]] = grid_index[g];
    }
    for (size_t l = 0; l < program.label_count; ++l) {
      const AxisChunks& chunks = *core_->label_chunks[l];
      starts[l] = chunks.offset(block_of_label[l]);
      extents[l] = chunks.size(block_of_label[l]);
      bool first = true;
      for (const Core::Told& told : core_->told_by[l]) {
        const int64_t extent = arguments.inputs[told.operand]->get<Block>().shape()[told.axis];
        if (std::exchange(first, false)) extents[l] = extent;
        check_alike(name_, extents[l], extent);
      }
    }
    constexpr size_t kInline = 16;
    std::array<const Block*, kInline> few;
    std::vector<const Block*> many;
    const Block** operands = few.data();
    if (arguments.inputs.size() > kInline) {
      many.resize(arguments.inputs.size());
      operands = many.data();
    }
    for (size_t o = 0; o < arguments.inputs.size(); ++o)
      operands[o] = &arguments.inputs[o]->get<Block>();
    const kernels::ProgramCall call{std::span(operands, arguments.inputs.size()),
                                    std::span(extents.data(), program.label_count),
                                    std::span(starts.data(), program.label_count), streaming_,
                                    StopRequest(arguments.stop)};
    constexpr size_t kFewOutputs = 4;
    std::array<Block, kFewOutputs> few_outputs;
    std::vector<Block> many_outputs(program.outputs.size() > kFewOutputs ? program.outputs.size()
                                                                         : 0);
    Block* outputs = many_outputs.empty() ? few_outputs.data() : many_outputs.data();
    core_->runner.run(
        call, [&](size_t bytes) { return arguments.scratch->get(bytes); },
        std::span(outputs, program.outputs.size()));
    for (size_t o = 0; o < program.outputs.size(); ++o) {
      arguments.outputs[o].emplace<Block>(std::move(outputs[o]));
    }
  }

 private:
  std::shared_ptr<const Core> core_;
  std::string name_;
  uint32_t streaming_;
};

std::shared_ptr<FusedLayer::Core> FusedLayer::make_core(kernels::Program program,
                                                        std::vector<AxisChunksPtr> label_chunks) {
  auto core = std::make_shared<Core>(std::move(program));
  const kernels::Program& p = core->runner.program();
  core->label_chunks = std::move(label_chunks);
  for (size_t l = 0; l < core->label_chunks.size(); ++l) {
    const size_t count = core->label_chunks[l]->count();
    if (count == 1) continue;
    core->grid.labels.push_back(static_cast<uint8_t>(l));
    core->grid.counts.push_back(static_cast<uint32_t>(count));
    core->grid.tasks *= static_cast<uint32_t>(count);
  }
  core->told_by.resize(core->label_chunks.size());
  for (uint32_t o = 0; o < p.operands.size(); ++o) {
    const LabelMap& axes = p.operands[o].axes;
    core->operand_strides.push_back(strides_in(axes, core->grid, core->label_chunks));
    for (uint32_t a = 0; a < axes.size(); ++a) {
      if (axes[a] == kNoLabel) continue;
      const auto label = static_cast<uint8_t>(axes[a]);
      if (!core->label_chunks[label]->is_known()) core->told_by[label].push_back({o, a});
    }
  }
  for (const kernels::ProgramOutput& o : p.outputs) {
    core->output_strides.push_back(strides_in(o.axes, core->grid, core->label_chunks));
  }
  return core;
}

FusedLayer::FusedLayer(std::shared_ptr<const Core> core, std::vector<Port> inputs,
                       std::string description)
    : Layer(std::move(inputs), outputs_of(core->runner.program(), core->label_chunks)),
      core_(std::move(core)),
      description_(std::move(description)) {}

const kernels::Program& FusedLayer::program() const { return core_->runner.program(); }
const std::vector<AxisChunksPtr>& FusedLayer::label_chunks() const { return core_->label_chunks; }

std::shared_ptr<const FusedLayer> FusedLayer::weld(const std::vector<FusedMember>& members,
                                                   std::vector<AxisChunksPtr> label_chunks,
                                                   bool panel, const std::vector<size_t>& kept,
                                                   const Replacements& replaced, bool each_input) {
  // A value of a panel has at most one label beside the row, so axes of extent 1 must not take its place.
  const auto labels_of = [&](const FusedMember& member) {
    LabelMap labels = member.labels;
    for (int8_t& label : labels) {
      if (panel && label > 0 && is_one(label_chunks[static_cast<size_t>(label)])) label = kNoLabel;
    }
    return labels;
  };
  Emitter emitter;
  emitter.program.panel = panel;
  emitter.program.label_count = static_cast<uint8_t>(label_chunks.size());
  std::map<const Layer*, uint32_t> value_of;
  std::map<std::tuple<const Layer*, uint32_t, std::string>, uint32_t> load_of;
  std::vector<Port> ports;
  std::vector<uint32_t> results;
  for (const FusedMember& member : members) {
    const Alignment& alignment = member.layer->alignment();
    const LabelMap labels = labels_of(member);
    std::vector<uint32_t> args;
    for (size_t k = 0; k < member.layer->inputs().size(); ++k) {
      const Port& input = member.layer->inputs()[k];
      const auto inside = value_of.find(input.layer.get());
      if (inside != value_of.end()) {
        args.push_back(inside->second);
        continue;
      }
      LabelMap axes;
      for (int8_t axis : alignment.inputs[k]) {
        axes.push_back(axis == kNoLabel ? kNoLabel : labels[static_cast<size_t>(axis)]);
      }
      if (each_input) {
        emitter.program.operands.push_back({output_of(input).dtype, axes});
        ports.push_back(replaced(input));
        args.push_back(emitter.load(static_cast<uint32_t>(ports.size()) - 1));
        continue;
      }
      const std::string map(reinterpret_cast<const char*>(axes.data()), axes.size());
      const auto [at, added] = load_of.try_emplace({input.layer.get(), input.output, map}, 0);
      const auto* source = dynamic_cast<const BlockwiseLayer*>(input.layer.get());
      if (added && source != nullptr && source->is_cheap_source()) {
        at->second = source->emit(emitter, {}, axes);
      } else if (added) {
        emitter.program.operands.push_back({output_of(input).dtype, axes});
        ports.push_back(replaced(input));
        at->second = emitter.load(static_cast<uint32_t>(ports.size()) - 1);
      }
      args.push_back(at->second);
    }
    const uint32_t value = member.layer->emit(emitter, args, labels);
    value_of[member.layer.get()] = value;
    results.push_back(value);
  }
  for (size_t o = 0; o < kept.size(); ++o) {
    const FusedMember& member = members[kept[o]];
    const Alignment& alignment = member.layer->alignment();
    const LabelMap labels = labels_of(member);
    kernels::ProgramOutput output;
    output.dtype = member.layer->outputs()[0].dtype;
    for (int8_t axis : alignment.output) {
      output.axes.push_back(axis == kNoLabel ? kNoLabel : labels[static_cast<size_t>(axis)]);
    }
    output.collapsed = alignment.collapsed;
    output.moments = member.layer->yields_moments();
    emitter.program.outputs.push_back(output);
    emitter.store(results[kept[o]], static_cast<uint32_t>(o));
  }
  emitter.program.verify();
  if (const char* rule = broken_fit(emitter.program, label_chunks, ports))
    throw InternalError(fmt::format("[fused] {}", rule));
  return std::shared_ptr<const FusedLayer>(
      new FusedLayer(make_core(std::move(emitter.program), std::move(label_chunks)),
                     std::move(ports), describe_members(members, !each_input)));
}

size_t FusedLayer::task_count() const { return core_->grid.tasks; }

uint32_t FusedLayer::task_of(uint32_t output, uint32_t block) const {
  // Every output has every cut label, so its own numbering can be undone digit by digit.
  const GridStrides& strides = core_->output_strides[output];
  const Grid& grid = core_->grid;
  uint32_t task = 0;
  for (size_t g = 0; g < grid.labels.size(); ++g) {
    task = task * grid.counts[g] + block / strides[g] % grid.counts[g];
  }
  return task;
}

void FusedLayer::inputs_of(uint32_t task, std::vector<InputBlock>& reads) const {
  std::array<uint32_t, kernels::kMaxLabels> index{};
  core_->index_of(task, index);
  for (uint32_t o = 0; o < core_->operand_strides.size(); ++o) {
    uint32_t block = 0;
    for (size_t g = 0; g < core_->grid.labels.size(); ++g)
      block += index[g] * core_->operand_strides[o][g];
    reads.push_back({o, block});
  }
}

std::shared_ptr<const TaskFunction> FusedLayer::lower(const LowerHints& hints) const {
  return std::make_shared<Task>(core_, description_, hints.streaming);
}

LayerPtr FusedLayer::with_inputs(std::vector<Port> inputs) const {
  return std::shared_ptr<const FusedLayer>(new FusedLayer(core_, std::move(inputs), description_));
}

void FusedLayer::write(LayerWriter& writer) const {
  writer.put(std::string_view(description_));
  core_->runner.program().write(writer);
  writer.put(static_cast<uint64_t>(core_->label_chunks.size()));
  for (const AxisChunksPtr& axis : core_->label_chunks) writer.put_axis(axis);
}

LayerPtr FusedLayer::read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view) {
  std::string description = reader.text();
  kernels::Program program = kernels::Program::read(reader);
  std::vector<AxisChunksPtr> label_chunks(reader.count(4));
  for (AxisChunksPtr& axis : label_chunks) axis = reader.get_axis();
  if (const char* rule = broken_fit(program, label_chunks, inputs)) reader.fail(rule);
  return std::shared_ptr<const FusedLayer>(new FusedLayer(
      make_core(std::move(program), std::move(label_chunks)), inputs, std::move(description)));
}

std::shared_ptr<const FusedLayer> weld_single(const BlockwiseLayer& layer) {
  FusedMember member;
  // The member is only read while welding; the layer outlives that.
  member.layer = std::shared_ptr<const BlockwiseLayer>(std::shared_ptr<void>(), &layer);
  std::vector<AxisChunksPtr> chunks(layer.alignment().space.begin(), layer.alignment().space.end());
  for (size_t a = 0; a < chunks.size(); ++a) member.labels.push_back(static_cast<int8_t>(a));
  return FusedLayer::weld({member}, std::move(chunks), false, {0}, {}, /*each_input=*/true);
}

}  // namespace graph
TUFF_NAMESPACE_END
