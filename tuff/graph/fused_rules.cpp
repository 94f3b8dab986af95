// See fused_rules.h.
#include "tuff/graph/fused_rules.h"

#include "tuff/graph/alignment.h"
#include "tuff/graph/generated_layers.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

namespace {

/// Whether a block may have no elements along the axis.
bool may_be_empty(const AxisChunks& axis) {
  if (!axis.is_known()) return true;
  for (size_t i = 0; i < axis.count(); ++i) {
    if (axis.size(i) == 0) return true;
  }
  return false;
}

class Fit {
 public:
  Fit(const kernels::Program& program, const std::vector<AxisChunksPtr>& labels)
      : p_(program), labels_(labels) {}

  /// The first rule that is broken, or null.
  const char* first_broken(const std::vector<Port>& inputs) {
    if (labels_.size() != p_.label_count) return "labels without chunks";
    if (p_.outputs.empty()) return "a program without outputs";
    for (size_t l = 0; l < labels_.size(); ++l) {
      if (labels_[l]->count() > 1) cut_ |= set_of(static_cast<int>(l));
      if (may_be_empty(*labels_[l])) maybe_empty_ |= set_of(static_cast<int>(l));
      if (!is_one(labels_[l])) walked_ |= set_of(static_cast<int>(l));
    }
    if (const char* rule = broken_by_operands(inputs)) return rule;
    if (const char* rule = broken_by_sources()) return rule;
    if (const char* rule = broken_by_outputs()) return rule;
    return p_.panel ? broken_by_panel() : broken_by_reductions();
  }

 private:
  const AxisChunksPtr& chunks_of(int8_t label) const { return labels_[static_cast<size_t>(label)]; }

  const char* broken_by_operands(const std::vector<Port>& inputs) const {
    if (p_.operands.size() != inputs.size()) return "operands without inputs";
    LabelSet told = 0;
    for (size_t o = 0; o < inputs.size(); ++o) {
      const LayerOutput& input = output_of(inputs[o]);
      const LabelMap& axes = p_.operands[o].axes;
      if (input.dtype != p_.operands[o].dtype || input.chunks.size() != axes.size())
        return "an operand that is not like its input";
      for (size_t a = 0; a < axes.size(); ++a) {
        const bool fits = axes[a] == kNoLabel ? is_one(input.chunks[a])
                                              : same_chunks(input.chunks[a], chunks_of(axes[a]));
        if (!fits) return "an operand cut in another way than its input";
      }
      told |= set_of(axes);
    }
    for (size_t l = 0; l < labels_.size(); ++l) {
      if (!labels_[l]->is_known() && ((told >> l) & 1) == 0)
        return "an unknown extent that no operand has";
    }
    return nullptr;
  }

  const char* broken_by_sources() const {
    const AxisChunksPtr unit = AxisChunks::whole(1);
    for (const kernels::ProgramSource& source : p_.sources) {
      Chunks chunks;
      for (int8_t label : source.axes)
        chunks.push_back(label == kNoLabel ? unit : chunks_of(label));
      if (!are_positions(source.first, source.global_strides, chunks))
        return "random numbers at positions out of range";
    }
    return nullptr;
  }

  /// Each task makes one block of each output, and all of it.
  const char* broken_by_outputs() const {
    for (const kernels::Instruction& i : p_.instructions) {
      if (i.code != kernels::Code::store) continue;
      const kernels::ProgramOutput& output = p_.outputs[i.index];
      const LabelSet has = set_of(output.axes);
      LabelSet kept = 0;
      for (size_t a = 0; a < output.axes.size(); ++a) {
        if (output.axes[a] != kNoLabel && ((output.collapsed >> a) & 1) == 0)
          kept |= set_of(static_cast<int>(output.axes[a]));
      }
      const LabelSet reduced = p_.instructions[i.args[0]].over;
      // What is there when all tiles are done is written as it is; other values are stretched.
      const bool is_stretched = p_.panel ? (reduced & 1) == 0 : reduced == 0;
      if ((i.labels & walked_ & ~kept) != 0) return "an output without an axis of its value";
      if (!is_stretched && (kept & walked_ & ~i.labels) != 0)
        return "an output with an axis that its value has not";
      if ((cut_ & ~has) != 0) return "an output without an axis that is cut";
      // A walk along an axis without elements makes nothing, so nothing but its sums may leave it.
      if ((maybe_empty_ & ~(has | reduced)) != 0) return "an output of what may not be walked";
    }
    return nullptr;
  }

  /// A reduction counts each step of the walk, so the walk must be its own space; what keeps some axes says how
  /// the others are walked.
  const char* broken_by_reductions() const {
    LabelSet partial = 0;
    for (const kernels::Instruction& i : p_.instructions) {
      if (i.code != kernels::Code::reduce) continue;
      if ((walked_ & ~i.space) != 0) return "a reduction that counts too often";
      if (i.over == 0 && walked_ != 0) return "a reduction over nothing";
      if ((walked_ & ~i.over) == 0) continue;
      if (partial != 0 && partial != i.over) return "reductions along different axes";
      partial = i.over;
    }
    return nullptr;
  }

  /// Columns are whole and few.
  const char* broken_by_panel() const {
    for (size_t l = 1; l < labels_.size(); ++l) {
      if (labels_[l]->count() > 1 || !labels_[l]->is_known())
        return "a panel whose columns are cut";
    }
    for (const kernels::Instruction& i : p_.instructions) {
      int64_t elements = 1;
      size_t axes = 0;
      for (size_t l = 1; l < labels_.size(); ++l) {
        if ((((i.labels | i.space) >> l) & 1) == 0) continue;
        ++axes;
        if (__builtin_mul_overflow(elements, labels_[l]->largest(), &elements))
          return "a panel of too many columns";
      }
      if (elements > (axes > 1 ? kernels::kMaxSmallOperand : kernels::kMaxPanelColumns))
        return "a panel of too many columns";
    }
    return nullptr;
  }

  const kernels::Program& p_;
  const std::vector<AxisChunksPtr>& labels_;
  LabelSet cut_ = 0;
  LabelSet maybe_empty_ = 0;
  LabelSet walked_ = 0;
};

}  // namespace

const char* broken_fit(const kernels::Program& program, const std::vector<AxisChunksPtr>& labels,
                       const std::vector<Port>& inputs) {
  return Fit(program, labels).first_broken(inputs);
}

}  // namespace graph
TUFF_NAMESPACE_END
