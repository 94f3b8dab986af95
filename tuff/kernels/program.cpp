// Programs as bytes, and the rules that every program keeps; see program.h.
#include "tuff/kernels/program.h"

#include "tuff/kernels/panel.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

size_t argument_count(const Instruction& i) {
  switch (i.code) {
    case Code::load:
    case Code::constant:
    case Code::index:
    case Code::random: return 0;
    case Code::elementwise: return static_cast<size_t>(arity_of(static_cast<Elementwise>(i.op)));
    case Code::cast:
    case Code::reduce:
    case Code::store: return 1;
    case Code::times_vector:
    case Code::times_matrix:
    case Code::row_sums:
    case Code::gram: return 2;
  }
  return 0;
}

namespace {

void put_map(ByteWriter& writer, const LabelMap& map) {
  writer.put(static_cast<uint8_t>(map.size()));
  for (int8_t label : map) writer.put(label);
}

LabelMap get_map(ByteReader& reader, uint8_t label_count) {
  LabelMap map;
  const auto rank = reader.get<uint8_t>();
  if (rank > kMaxRank) reader.fail("a rank out of range");
  for (size_t a = 0; a < rank; ++a) {
    const auto label = reader.get<int8_t>();
    if (label < kNoLabel || label >= static_cast<int>(label_count))
      reader.fail("a label out of range");
    map.push_back(label);
  }
  return map;
}

/// The first rule that instruction v breaks, or null.
const char* broken_rule(const Program& p, size_t v) {
  const Instruction& i = p.instructions[v];
  const auto all = static_cast<LabelSet>((1U << p.label_count) - 1);
  if (((i.labels | i.space | i.over) & ~all) != 0) return "a label out of range";
  for (size_t k = 0; k < argument_count(i); ++k) {
    if (i.args[k] >= v) return "an argument that comes later";
    if (p.instructions[i.args[k]].code == Code::store) return "a store used as a value";
  }
  switch (i.code) {
    case Code::load:
      if (i.index >= p.operands.size()) return "an operand out of range";
      if (i.dtype != p.operands[i.index].dtype) return "a load of another type";
      break;
    case Code::constant: break;
    case Code::index:
      if (i.index >= p.label_count || i.dtype != DType::int64) return "a bad index";
      break;
    case Code::random:
      if (i.index >= p.sources.size() || i.op > 1 || !is_floating(i.dtype)) return "a bad source";
      break;
    case Code::elementwise: {
      const auto op = static_cast<Elementwise>(i.op);
      if (find_elementwise(op, i.operand, 0) == nullptr) return "no kernel for the operand type";
      for (size_t k = 0; k < argument_count(i); ++k) {
        const DType expected = op == Elementwise::where && k == 0 ? DType::bool_ : i.operand;
        if (p.instructions[i.args[k]].dtype != expected) return "an operand of another type";
      }
      break;
    }
    case Code::cast: break;
    case Code::reduce:
      if (find_reduction(static_cast<Reduction>(i.op), p.instructions[i.args[0]].dtype) ==
          nullptr) {
        return "no reduction for the element type";
      }
      break;
    case Code::times_vector:
    case Code::times_matrix:
    case Code::row_sums:
    case Code::gram:
      if (!p.panel || find_panel(i.dtype) == nullptr) return "a contraction out of place";
      if (p.instructions[i.args[0]].dtype != i.dtype ||
          p.instructions[i.args[1]].dtype != i.dtype) {
        return "a contraction of unequal types";
      }
      if (i.code == Code::times_matrix && p.instructions[i.args[1]].code != Code::load) {
        return "a matrix that is not loaded";
      }
      break;
    case Code::store:
      if (i.index >= p.outputs.size()) return "an output out of range";
      if (p.instructions[i.args[0]].dtype != p.outputs[i.index].dtype)
        return "a store of another type";
      break;
  }
  return nullptr;
}

}  // namespace

void Program::verify() const {
  TUFF_CHECK_LE(static_cast<size_t>(label_count), kMaxLabels);
  for (size_t v = 0; v < instructions.size(); ++v) {
    if (const char* rule = broken_rule(*this, v)) {
      throw InternalError("[program] instruction " + std::to_string(v) + ": " + rule);
    }
  }
}

void Program::write(ByteWriter& writer) const {
  writer.put(label_count);
  writer.put(panel);
  writer.put(static_cast<uint64_t>(operands.size()));
  for (const ProgramOperand& o : operands) {
    writer.put(o.dtype);
    put_map(writer, o.axes);
  }
  writer.put(static_cast<uint64_t>(sources.size()));
  for (const ProgramSource& s : sources) {
    writer.put(s.key.seed);
    writer.put(s.key.stream);
    put_map(writer, s.axes);
    writer.put(s.first);
    writer.put(s.global_strides);
  }
  writer.put(static_cast<uint64_t>(outputs.size()));
  for (const ProgramOutput& o : outputs) {
    writer.put(o.dtype);
    put_map(writer, o.axes);
    writer.put(o.collapsed);
    writer.put(o.moments);
  }
  writer.put(static_cast<uint64_t>(instructions.size()));
  for (const Instruction& i : instructions) {
    writer.put(i.code);
    writer.put(i.dtype);
    writer.put(i.operand);
    // Operations travel by name, so that the list may grow.
    writer.put(i.code == Code::elementwise ? name_of(static_cast<Elementwise>(i.op))
                                           : std::string_view());
    writer.put(i.op);
    for (uint32_t arg : i.args) writer.put(arg);
    writer.put(i.index);
    writer.put(i.labels);
    writer.put(i.space);
    writer.put(i.over);
    writer.raw(i.constant.data(), i.constant.size());
  }
}

Program Program::read(ByteReader& reader) {
  Program p;
  p.label_count = reader.get<uint8_t>();
  if (p.label_count > kMaxLabels) reader.fail("too many labels");
  p.panel = reader.get<bool>();
  p.operands.resize(reader.count(2));
  for (ProgramOperand& o : p.operands) {
    o.dtype = reader.dtype();
    o.axes = get_map(reader, p.label_count);
  }
  p.sources.resize(reader.count(18));
  for (ProgramSource& s : p.sources) {
    s.key.seed = reader.get<uint64_t>();
    s.key.stream = reader.get<uint64_t>();
    s.axes = get_map(reader, p.label_count);
    s.first = reader.get<int64_t>();
    s.global_strides = reader.dims();
    if (s.axes.size() != s.global_strides.size()) reader.fail("a source of two ranks");
  }
  p.outputs.resize(reader.count(4));
  for (ProgramOutput& o : p.outputs) {
    o.dtype = reader.dtype();
    o.axes = get_map(reader, p.label_count);
    o.collapsed = reader.get<uint8_t>();
    o.moments = reader.get<bool>();
    if (o.moments && o.axes.size() == kMaxRank) reader.fail("a rank out of range");
  }
  p.instructions.resize(reader.count(42));
  for (size_t v = 0; v < p.instructions.size(); ++v) {
    Instruction& i = p.instructions[v];
    i.code = reader.get_enum<Code>(kCodeCount);
    i.dtype = reader.dtype();
    i.operand = reader.dtype();
    const std::string name = reader.text();
    i.op = reader.get<uint8_t>();
    if (i.code == Code::elementwise) {
      int op = 0;
      while (op < kElementwiseCount && name_of(static_cast<Elementwise>(op)) != name) ++op;
      if (op == kElementwiseCount) reader.fail("an unknown operation '" + name + "'");
      i.op = static_cast<uint8_t>(op);
    } else if (i.code == Code::reduce && i.op > static_cast<uint8_t>(Reduction::moments)) {
      reader.fail("an unknown reduction");
    }
    for (uint32_t& arg : i.args) arg = reader.get<uint32_t>();
    i.index = reader.get<uint32_t>();
    i.labels = reader.get<LabelSet>();
    i.space = reader.get<LabelSet>();
    i.over = reader.get<LabelSet>();
    const auto constant = reader.raw(i.constant.size());
    std::copy(constant.begin(), constant.end(), i.constant.begin());
    if (const char* rule = broken_rule(p, v)) reader.fail(rule);
  }
  return p;
}

}  // namespace kernels
TUFF_NAMESPACE_END
