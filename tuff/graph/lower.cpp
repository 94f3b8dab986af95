// Lowering; see lower.h.
#include "tuff/graph/lower.h"

#include <algorithm>

#include "tuff/graph/callable.h"
#include "tuff/graph/concatenate.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

constexpr uint32_t kNone = UINT32_MAX;
/// While lowering, slots that hold a value before the run are numbered on their own, with this bit.
constexpr uint32_t kPreset = uint32_t{1} << 31;

/// More than any memory; less than BlockBytes::kUnknown.
constexpr double kMostBytes = 1e18;

uint64_t whole_bytes(double elements, DType dtype) {
  return static_cast<uint64_t>(
      std::min(elements * static_cast<double>(size_of(dtype)), kMostBytes));
}

/// Blocks count as the largest of them when all together are at most this much over what they are: mostly one is
/// smaller than the others, at the end.
constexpr double kMostOver = 1.02;

/// How much each task of a layer yields: where blocks are of different sizes, by task.
class LayerBytes final : public BlockBytes {
 public:
  explicit LayerBytes(const Layer& layer) : yields_views_(layer.is_view()) {
    for (uint32_t o = 0; o < layer.outputs().size(); ++o) {
      const LayerOutput& output = layer.outputs()[o];
      const double largest = largest_block(output);
      const auto blocks = static_cast<uint32_t>(block_count(output.chunks));
      Output& of = outputs_.emplace_back();
      of.largest = whole_bytes(largest, output.dtype);
      if (largest * blocks <= kMostOver * element_bound(output)) continue;
      of.by_task.assign(layer.task_count(), 0);
      const Dims grid = grid_of(output.chunks);
      for (uint32_t b = 0; b < blocks; ++b) {
        const Dims index = grid_index(b, grid);
        double elements = 1;
        for (size_t a = 0; a < index.size(); ++a)
          elements *= static_cast<double>(output.chunks[a]->size(static_cast<size_t>(index[a])));
        of.by_task[layer.task_of(o, b)] = whole_bytes(elements, output.dtype);
      }
    }
  }
  uint64_t bytes(uint32_t task, uint32_t output) const override {
    return yields_views_ ? 0 : size(task, output);
  }
  uint64_t bytes_meanwhile(uint32_t task) const override {
    return yields_views_ ? size(task, 0) : 0;
  }
  uint64_t size(uint32_t task, uint32_t output) const {
    const Output& of = outputs_[output];
    return of.by_task.empty() ? of.largest : of.by_task[task];
  }

 private:
  struct Output {
    uint64_t largest = 0;
    std::vector<uint64_t> by_task;  // empty: all yield as much as the largest
  };
  bool yields_views_;
  std::vector<Output> outputs_;
};

class OneSize final : public BlockBytes {
 public:
  explicit OneSize(uint64_t bytes) : bytes_(bytes) {}
  uint64_t bytes(uint32_t, uint32_t) const override { return bytes_; }

 private:
  uint64_t bytes_;
};

/// Makes room for `more` elements, in steps that double: a plan may have 100,000 layers of one task.
template <class T>
void make_room(std::vector<T>& list, size_t more) {
  if (list.size() + more > list.capacity())
    list.reserve(std::max(list.size() + more, 2 * list.capacity()));
}

/// Where a layer's blocks are found in the plan.
struct Place {
  const Layer* layer = nullptr;
  bool folded = false;  // it has no tasks: blocks are constants, parameters, or those of its inputs
  uint32_t first_task = 0;
  uint32_t output_count = 1;
  const std::vector<bool>* needed = nullptr;  // null: all tasks
  std::vector<uint32_t> rank;   // of a needed task among the needed; only when some are not
  std::vector<uint32_t> slots;  // folded: the slot of each block (kNone: not needed)
};

class Lowering {
 public:
  Lowering(const std::vector<LayerPtr>& layers, const std::vector<Port>& outputs,
           const Needed& needed)
      : layers_(layers), outputs_(outputs), needed_(needed) {}

  Lowered run() {
    count_readers();
    PlanArrays& plan = result_.arrays;
    plan.first_output.push_back(0);
    for (const LayerPtr& layer : layers_) {
      const auto found = needed_.tasks.find(layer.get());
      if (found == needed_.tasks.end()) continue;
      place(layer, found->second.empty() ? nullptr : &found->second);
    }
    for (const Port& output : outputs_) {
      result_.first_output_slot.push_back(plan.output_slots.size());
      const auto blocks = static_cast<uint32_t>(block_count(output_of(output).chunks));
      for (uint32_t b = 0; b < blocks; ++b) plan.output_slots.push_back(slot_of(output, b));
    }
    result_.arrays.options = options_.sets();
    if (unknown_functions_ > 0) plan.output_bytes = BlockBytes::kUnknown;
    settle_presets();
    return std::move(result_);
  }

 private:
  void count_readers() {
    for (const LayerPtr& layer : layers_) {
      if (needed_.tasks.find(layer.get()) == needed_.tasks.end()) continue;
      for (const Port& input : layer->inputs()) ++readers_[{input.layer.get(), input.output}];
    }
  }

  void place(const LayerPtr& pointer, const std::vector<bool>* needed) {
    const Layer& layer = *pointer;
    Place& place = places_[&layer];
    place.layer = &layer;
    place.needed = needed;
    place.output_count = static_cast<uint32_t>(layer.outputs().size());
    if (const auto* memory = dynamic_cast<const MemoryLayer*>(&layer)) {
      place_memory(*memory, place);
      return;
    }
    if (auto parameter = std::dynamic_pointer_cast<const ParameterLayer>(pointer)) {
      place_parameter(std::move(parameter), place);
      return;
    }
    const bool of_constants = std::all_of(layer.inputs().begin(), layer.inputs().end(),
                                          [&](const Port& port) { return is_constant(port); });
    if (dynamic_cast<const ConcatenateLayer*>(&layer) != nullptr) {
      place_concatenation(layer, place);
      if (of_constants) constant_layers_[&layer] = true;
    } else if (layer.is_view() && of_constants) {
      fold_view(layer, place);
    } else {
      place_tasks(layer, place);
      result_.layer_of_function.push_back(pointer);
    }
  }

  bool is_needed(const Place& place, uint32_t task) const {
    return place.needed == nullptr || (*place.needed)[task];
  }

  bool is_constant(const Port& port) const {
    const Place& place = places_.at(port.layer.get());
    return place.folded && constant_layers_.count(port.layer.get()) != 0;
  }

  uint32_t new_preset() { return presets_++ | kPreset; }

  uint32_t new_constant(Value value) {
    const uint32_t slot = new_preset();
    constant_at_.resize(presets_);
    constant_at_.back() = static_cast<uint32_t>(result_.arrays.constants.size());
    result_.arrays.constants.emplace_back(slot, std::move(value));
    return slot;
  }

  void place_memory(const MemoryLayer& memory, Place& place) {
    place.folded = true;
    constant_layers_[&memory] = true;
    const auto blocks = static_cast<uint32_t>(memory.task_count());
    place.slots.assign(blocks, kNone);
    make_room(result_.arrays.constants, blocks);
    for (uint32_t b = 0; b < blocks; ++b) {
      if (!is_needed(place, b)) continue;
      place.slots[b] = new_constant(Value(memory.block(b)));
    }
  }

  void place_parameter(std::shared_ptr<const ParameterLayer> layer, Place& place) {
    place.folded = true;
    result_.first_parameter_slot.push_back(result_.arrays.parameter_slots.size());
    for (size_t b = 0; b < layer->task_count(); ++b) {
      place.slots.push_back(new_preset());
      result_.arrays.parameter_slots.push_back(place.slots.back());
    }
    result_.parameters.push_back(std::move(layer));
  }

  /// Each block is one of an input.
  void place_concatenation(const Layer& layer, Place& place) {
    place.folded = true;
    const auto blocks = static_cast<uint32_t>(layer.task_count());
    place.slots.assign(blocks, kNone);
    std::vector<InputBlock> reads;
    for (uint32_t b = 0; b < blocks; ++b) {
      if (!is_needed(place, b)) continue;
      reads.clear();
      layer.inputs_of(b, reads);
      place.slots[b] = slot_of(layer.inputs()[reads[0].input], reads[0].block);
    }
  }

  /// Views of constants are made now: a plan does not run a task for what is only a header.
  void fold_view(const Layer& layer, Place& place) {
    place.folded = true;
    constant_layers_[&layer] = true;
    const std::shared_ptr<const TaskFunction> function = layer.lower({});
    const auto blocks = static_cast<uint32_t>(layer.task_count());
    place.slots.assign(blocks, kNone);
    std::vector<InputBlock> reads;
    for (uint32_t b = 0; b < blocks; ++b) {
      if (!is_needed(place, b)) continue;
      reads.clear();
      layer.inputs_of(b, reads);
      std::vector<Value*> inputs;
      for (const InputBlock& read : reads) {
        const uint32_t slot = slot_of(layer.inputs()[read.input], read.block);
        inputs.push_back(&result_.arrays.constants[constant_at_[slot & ~kPreset]].own);
      }
      const std::vector<char> last_use(inputs.size(), 0);
      Value output;
      TaskArguments arguments;
      arguments.block = b;
      arguments.inputs = inputs;
      arguments.last_use =
          std::span(reinterpret_cast<const bool*>(last_use.data()), last_use.size());
      arguments.outputs = std::span(&output, 1);
      function->run(arguments);
      place.slots[b] = new_constant(std::move(output));
    }
  }

  void place_tasks(const Layer& layer, Place& place) {
    PlanArrays& plan = result_.arrays;
    LowerHints hints;
    for (uint32_t o = 0; o < layer.outputs().size() && o < 32; ++o) {
      if (streams(layer, o)) hints.streaming |= 1U << o;
    }
    const auto function = static_cast<uint32_t>(plan.functions.size());
    plan.functions.push_back(layer.lower(hints));
    bound_outputs(layer, place);
    plan.function_seconds.push_back(static_cast<float>(layer.typical_seconds()));
    const uint32_t option = option_number(layer.options());
    const auto tasks = static_cast<uint32_t>(layer.task_count());
    place.first_task = static_cast<uint32_t>(plan.task_count());
    if (place.needed != nullptr) place.rank.assign(tasks, kNone);
    uint32_t rank = 0;
    if (place.needed == nullptr) {
      for (auto* list : {&plan.function, &plan.block, &plan.inputs.first, &plan.first_output})
        make_room(*list, tasks);
    }
    for (uint32_t t = 0; t < tasks; ++t) {
      if (!is_needed(place, t)) continue;
      if (place.needed != nullptr) place.rank[t] = rank;
      ++rank;
      reads_.clear();
      layer.inputs_of(t, reads_);
      for (const InputBlock& read : reads_) {
        plan.inputs.items.push_back(slot_of(layer.inputs()[read.input], read.block));
      }
      plan.inputs.end_row();
      plan.function.push_back(function);
      plan.block.push_back(t);
      plan.first_output.push_back(plan.first_output.back() + place.output_count);
    }
    if (has_options_) plan.option_of.resize(plan.task_count(), option);
  }

  /// How much the layer's tasks yield: each, and all together.
  void bound_outputs(const Layer& layer, const Place& place) {
    PlanArrays& plan = result_.arrays;
    if (plan.functions.back()->yields_unknown_sizes()) {
      ++unknown_functions_;
      plan.function_bytes.push_back(nullptr);
      return;
    }
    if (const auto* values = dynamic_cast<const FromValuesLayer*>(&layer))
      bound_values(*values, place);
    if (layer.is_view() && !layer.may_copy()) {
      plan.function_bytes.push_back(nullptr);
      return;
    }
    const auto bytes = std::make_shared<const LayerBytes>(layer);
    plan.function_bytes.push_back(bytes);
    for (uint32_t o = 0; o < layer.outputs().size(); ++o) {
      const LayerOutput& output = layer.outputs()[o];
      if (place.needed == nullptr) {
        add_bytes(whole_bytes(element_bound(output), output.dtype));
        continue;
      }
      for (uint32_t t = 0; t < place.needed->size(); ++t) {
        if ((*place.needed)[t]) add_bytes(bytes->size(t, o));
      }
    }
  }

  void add_bytes(uint64_t more) {
    uint64_t& sum = result_.arrays.output_bytes;
    sum = std::min(sum + more, static_cast<uint64_t>(kMostBytes));
  }

  /// Calls whose results are blocks of an array yield what that says.
  void bound_values(const FromValuesLayer& layer, const Place& place) {
    PlanArrays& plan = result_.arrays;
    const LayerBytes bytes(layer);
    for (uint32_t b = 0; b < layer.inputs().size(); ++b) {
      const auto* call = dynamic_cast<const CallLayer*>(layer.inputs()[b].layer.get());
      if (!is_needed(place, b) || call == nullptr || call->outputs().size() > 1) continue;
      const uint32_t f = plan.function[places_.at(call).first_task];
      if (!plan.functions[f]->yields_unknown_sizes() || plan.function_bytes[f] != nullptr) continue;
      plan.function_bytes[f] = std::make_shared<const OneSize>(bytes.size(b, 0));
      add_bytes(bytes.size(b, 0));
      --unknown_functions_;
    }
  }

  /// The number of these options in the plan.
  uint32_t option_number(const TaskOptions* options) {
    if (options == nullptr || *options == TaskOptions()) return 0;
    if (!has_options_) {
      has_options_ = true;
      options_.number({});
      result_.arrays.option_of.assign(result_.arrays.task_count(), 0);
    }
    return options_.number(*options);
  }

  bool streams(const Layer& layer, uint32_t output) const {
    if (readers_.count({&layer, output}) != 0) return false;
    const LayerOutput& o = layer.outputs()[output];
    size_t elements = 1;
    for (const AxisChunksPtr& axis : o.chunks)
      elements *= static_cast<size_t>(axis->extent().upper_bound());
    return elements * size_of(o.dtype) > kStreamingBytes;
  }

  uint32_t slot_of(const Port& port, uint32_t block) const {
    const Place& place = cached_place(port.layer.get());
    if (place.folded) return place.slots[block];
    const uint32_t task = place.layer->task_of(port.output, block);
    const uint32_t rank = place.needed != nullptr ? place.rank[task] : task;
    return result_.arrays.first_output[place.first_task + rank] + port.output;
  }

  /// Tasks of a layer read the same few layers again and again.
  const Place& cached_place(const Layer* layer) const {
    if (layer != last_layer_) {
      last_place_ = &places_.at(layer);
      last_layer_ = layer;
    }
    return *last_place_;
  }

  /// Preset slots follow those of the tasks.
  void settle_presets() {
    PlanArrays& plan = result_.arrays;
    const uint32_t first = plan.first_output.back();
    const auto settle = [&](uint32_t& slot) {
      if ((slot & kPreset) != 0) slot = first + (slot & ~kPreset);
    };
    for (uint32_t& slot : plan.inputs.items) settle(slot);
    for (uint32_t& slot : plan.output_slots) settle(slot);
    for (uint32_t& slot : plan.parameter_slots) settle(slot);
    for (PlanConstant& constant : plan.constants) settle(constant.slot);
    plan.link(first + presets_);
  }

  struct PortHash {
    size_t operator()(const std::pair<const Layer*, uint32_t>& port) const {
      return std::hash<const Layer*>()(port.first) * 31 + port.second;
    }
  };

  const std::vector<LayerPtr>& layers_;
  const std::vector<Port>& outputs_;
  const Needed& needed_;
  Lowered result_;
  std::unordered_map<const Layer*, Place> places_;
  std::unordered_map<const Layer*, bool> constant_layers_;
  std::vector<uint32_t> constant_at_;  // by preset slot: index in arrays.constants
  uint32_t presets_ = 0;
  bool has_options_ = false;
  uint32_t unknown_functions_ = 0;  // whose results may be of any size
  OptionSets options_;
  std::unordered_map<std::pair<const Layer*, uint32_t>, uint32_t, PortHash> readers_;
  std::vector<InputBlock> reads_;
  mutable const Layer* last_layer_ = nullptr;
  mutable const Place* last_place_ = nullptr;
};

}  // namespace

Lowered lower(const std::vector<LayerPtr>& layers, const std::vector<Port>& outputs,
              const Needed& needed) {
  return Lowering(layers, outputs, needed).run();
}

}  // namespace graph
TUFF_NAMESPACE_END
