// The rules that every program keeps: the one check of programs that are built and of those that are read.
//
// Called by Program::verify and Program::read. bind.cpp and interpret.cpp rely on every rule here: a program that
// keeps them touches no memory but its operands, its outputs and its scratch, whatever the extents, as long as its
// blocks have the axes that it says (FusedLayer checks that).
#include <map>
#include <string>
#include <vector>

#include "tuff/kernels/panel.h"
#include "tuff/kernels/program.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

namespace {

constexpr LabelSet bit(int label) { return static_cast<LabelSet>(1U << label); }
constexpr LabelSet without(LabelSet labels, LabelSet gone) {
  return labels & static_cast<LabelSet>(~gone);
}
constexpr bool has_at_most_one(LabelSet labels) {
  return (labels & static_cast<LabelSet>(labels - 1)) == 0;
}
constexpr bool has_one(LabelSet labels) { return labels != 0 && has_at_most_one(labels); }
constexpr LabelSet kRow = 1;  // of a panel

LabelSet set_of(const LabelMap& map) {
  LabelSet set = 0;
  for (int8_t label : map) {
    if (label != kNoLabel) set |= bit(label);
  }
  return set;
}

bool is_moments(const Instruction& i) {
  return i.code == Code::reduce && static_cast<Reduction>(i.op) == Reduction::moments;
}

bool is_contraction(const Instruction& i) {
  return i.code == Code::times_vector || i.code == Code::times_matrix || i.code == Code::row_sums ||
         i.code == Code::gram;
}

class Rules {
 public:
  explicit Rules(const Program& program)
      : p_(program), stores_of_value_(program.instructions.size(), 0) {}

  /// The first rule that is broken, or null; `instruction` is where, or the number of instructions.
  const char* first_broken(size_t& instruction) {
    const size_t count = p_.instructions.size();
    instruction = count;
    if (const char* rule = broken_by_tables()) return rule;
    for (size_t v = 0; v < count; ++v) {
      instruction = v;
      if (const char* rule = broken_by(v)) return rule;
    }
    for (size_t v = 0; v < count; ++v) {
      instruction = v;
      // What is summed up over tiles is written once, when the last tile is done.
      if (ends_program(p_.instructions[v]) && stores_of_value_[v] != 1)
        return "a result of all tiles that is not stored once";
    }
    instruction = count;
    for (uint32_t stores : stores_of_output_) {
      if (stores != 1) return "an output that is not stored once";
    }
    return nullptr;
  }

 private:
  const Instruction& at(uint32_t v) const { return p_.instructions[v]; }
  LabelSet all_labels() const { return static_cast<LabelSet>((1U << p_.label_count) - 1); }

  // ---- operands, sources and outputs -------------------------------------------------------------

  bool is_map(const LabelMap& map) const {
    LabelSet seen = 0;
    for (int8_t label : map) {
      if (label == kNoLabel) continue;
      if (label < 0 || label >= static_cast<int>(p_.label_count) || (seen & bit(label)) != 0)
        return false;
      seen |= bit(label);
    }
    return true;
  }

  const char* broken_by_tables() {
    if (p_.label_count > kMaxLabels) return "too many labels";
    if (p_.panel && p_.label_count == 0) return "a panel without rows";
    if (p_.instructions.size() > kMaxInstructions) return "too many instructions";
    for (const ProgramOperand& o : p_.operands) {
      if (!is_map(o.axes)) return "an operand with labels out of range or given twice";
    }
    for (const ProgramSource& s : p_.sources) {
      if (!is_map(s.axes)) return "a source with labels out of range or given twice";
      if (s.axes.size() != s.global_strides.size()) return "a source of two ranks";
    }
    if (p_.outputs.size() > kMaxOutputs) return "too many outputs";
    for (const ProgramOutput& o : p_.outputs) {
      if (!is_map(o.axes)) return "an output with labels out of range or given twice";
      if (o.axes.size() + (o.moments ? 1 : 0) > kMaxRank) return "an output of too many axes";
      if ((o.collapsed >> o.axes.size()) != 0) return "a collapsed axis that is not there";
    }
    stores_of_output_.assign(p_.outputs.size(), 0);
    return nullptr;
  }

  // ---- instructions ------------------------------------------------------------------------------

  /// Whether the value is there only when the last tile is done; in flat programs all reductions count as such.
  bool ends_program(const Instruction& i) const {
    if (i.code == Code::reduce) return !p_.panel || (i.over & kRow) != 0;
    return i.code == Code::row_sums || i.code == Code::gram;
  }
  /// Whether the value is the small matrix beside a panel.
  bool is_matrix(const Instruction& i) const {
    return p_.panel && i.code == Code::load && !has_at_most_one(without(i.labels, kRow));
  }

  const char* broken_by(size_t v) {
    const Instruction& i = p_.instructions[v];
    if (static_cast<int>(i.code) >= kCodeCount) return "an unknown code";
    for (size_t k = 0; k < argument_count(i); ++k) {
      if (i.args[k] >= v) return "an argument that comes later";
      const Instruction& arg = at(i.args[k]);
      if (arg.code == Code::store) return "a store used as a value";
      const bool is_stored = i.code == Code::store;
      if (ends_program(arg) && !is_stored) return "a result of all tiles used in one of them";
      if (is_moments(arg) && !is_stored) return "moments used as a value";
      if (is_matrix(arg) && !(i.code == Code::times_matrix && k == 1))
        return "a matrix used as a value";
    }
    if (const char* rule = broken_by_code(i)) return rule;
    if (i.labels != derived_labels(i)) return "labels that do not follow from its arguments";
    const bool two_columns = !has_at_most_one(without(i.labels, kRow));
    if (p_.panel && two_columns && i.code != Code::gram && i.code != Code::store) {
      if (!is_matrix(i) || (i.labels & kRow) != 0 || !has_one(without(i.labels, lowest(i.labels))))
        return "a value of a panel with two column axes";
    }
    return nullptr;
  }

  static LabelSet lowest(LabelSet labels) { return labels & static_cast<LabelSet>(-labels); }

  LabelSet derived_labels(const Instruction& i) const {
    switch (i.code) {
      case Code::load: return set_of(p_.operands[i.index].axes);
      case Code::constant: return 0;
      case Code::index: return bit(static_cast<int>(i.index));
      case Code::random: return set_of(p_.sources[i.index].axes);
      case Code::reduce: return without(i.space, i.over);
      default: break;
    }
    LabelSet labels = 0;
    for (size_t k = 0; k < argument_count(i); ++k) labels |= at(i.args[k]).labels;
    return is_contraction(i) ? without(labels, i.over) : labels;
  }

  const char* broken_by_code(const Instruction& i) {
    switch (i.code) {
      case Code::load:
        if (i.index >= p_.operands.size()) return "an operand out of range";
        if (i.dtype != p_.operands[i.index].dtype) return "a load of another type";
        return nullptr;
      case Code::constant:
        if (is_bool(i.dtype) && i.constant[0] > std::byte{1})
          return "a truth value that is neither 0 nor 1";
        return nullptr;
      case Code::index:
        if (i.index >= p_.label_count || i.dtype != DType::int64) return "a bad index";
        return nullptr;
      case Code::random:
        if (i.index >= p_.sources.size() || i.op > 1 || !is_floating(i.dtype))
          return "a bad source";
        return nullptr;
      case Code::cast: return nullptr;
      case Code::elementwise: return broken_by_elementwise(i);
      case Code::reduce: return broken_by_reduce(i);
      case Code::times_vector:
      case Code::times_matrix:
      case Code::row_sums:
      case Code::gram: return broken_by_contraction(i);
      case Code::store: break;
    }
    return broken_by_store(i);
  }

  const char* broken_by_elementwise(const Instruction& i) const {
    if (i.op >= kElementwiseCount) return "an unknown operation";
    const auto op = static_cast<Elementwise>(i.op);
    if (find_elementwise(op, i.operand, 0) == nullptr) return "no kernel for the operand type";
    if (i.dtype != result_of(op, i.operand)) return "a result of another type";
    for (size_t k = 0; k < argument_count(i); ++k) {
      const DType expected = op == Elementwise::where && k == 0 ? DType::bool_ : i.operand;
      if (at(i.args[k]).dtype != expected) return "an operand of another type";
    }
    return nullptr;
  }

  const char* broken_by_reduce(const Instruction& i) const {
    const Instruction& arg = at(i.args[0]);
    if (i.op > static_cast<uint8_t>(Reduction::moments)) return "an unknown reduction";
    if (i.dtype != arg.dtype) return "a result of another type";
    if (find_reduction(static_cast<Reduction>(i.op), arg.dtype) == nullptr)
      return "no reduction for the element type";
    if (without(i.space, all_labels()) != 0) return "a label out of range";
    if (without(arg.labels, i.space) != 0 || without(i.over, i.space) != 0)
      return "a reduction over what it does not walk";
    if (p_.panel && !has_at_most_one(without(i.space, kRow)))
      return "a reduction of a panel with two column axes";
    if (p_.panel && (i.over & kRow) == 0 && without(i.space, i.over | kRow) != 0)
      return "a reduction over nothing";
    return nullptr;
  }

  const char* broken_by_contraction(const Instruction& i) {
    const Instruction& a = at(i.args[0]);
    const Instruction& b = at(i.args[1]);
    if (!p_.panel || find_panel(i.dtype) == nullptr) return "a contraction out of place";
    if (a.dtype != i.dtype || b.dtype != i.dtype) return "a contraction of unequal types";
    const LabelSet a_columns = without(a.labels, kRow);
    const LabelSet b_columns = without(b.labels, kRow);
    if (i.code == Code::row_sums || i.code == Code::gram) {
      if (i.over != kRow) return "a sum over rows that is over something else";
      if (i.code == Code::row_sums ? b_columns != 0 : (a_columns & b_columns) != 0)
        return "a sum over rows whose factors have an axis in common";
      return nullptr;
    }
    if (!has_one(i.over) || i.over == kRow || a.labels != (kRow | i.over))
      return "a panel that is not multiplied along its columns";
    if (i.code == Code::times_vector)
      return b.labels == i.over ? nullptr : "a vector that does not go with its panel";
    if (!is_matrix(b) || (b.labels & i.over) == 0) return "a matrix that is not loaded";
    // Which of its axes comes first is said by the panel, so all panels must say the same.
    LabelSet& first = first_of_matrix_[i.args[1]];
    if (first != 0 && first != i.over) return "a matrix multiplied along both axes";
    first = i.over;
    return nullptr;
  }

  const char* broken_by_store(const Instruction& i) {
    if (i.index >= p_.outputs.size()) return "an output out of range";
    const ProgramOutput& output = p_.outputs[i.index];
    const Instruction& arg = at(i.args[0]);
    if (i.dtype != output.dtype || arg.dtype != output.dtype) return "a store of another type";
    if (output.moments != is_moments(arg)) return "moments stored as something else";
    LabelSet collapsed = 0;
    for (size_t a = 0; a < output.axes.size(); ++a) {
      if (((output.collapsed >> a) & 1) != 0 && output.axes[a] != kNoLabel)
        collapsed |= bit(output.axes[a]);
    }
    const LabelSet kept = without(set_of(output.axes), collapsed);
    if (without(collapsed, arg.over) != 0) return "a collapsed axis that was not reduced";
    if (is_moments(arg) && without(kept, arg.labels) != 0) return "moments that are stretched";
    if (p_.panel && arg.code != Code::gram && !has_at_most_one(without(kept, kRow)))
      return "an output of a panel with two column axes";
    ++stores_of_value_[i.args[0]];
    ++stores_of_output_[i.index];
    return nullptr;
  }

  const Program& p_;
  std::vector<uint32_t> stores_of_value_;
  std::vector<uint32_t> stores_of_output_;
  std::map<uint32_t, LabelSet> first_of_matrix_;
};

}  // namespace

std::string Program::broken_rule() const {
  size_t instruction = 0;
  const char* rule = Rules(*this).first_broken(instruction);
  if (rule == nullptr) return {};
  if (instruction == instructions.size()) return rule;
  return "instruction " + std::to_string(instruction) + ": " + rule;
}

void Program::verify() const {
  if (const std::string rule = broken_rule(); !rule.empty())
    throw InternalError("[program] " + rule);
}

}  // namespace kernels
TUFF_NAMESPACE_END
