// Programs as bytes; see program.h. The rules that they keep are in program_rules.cpp.
#include "tuff/kernels/program.h"

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

LabelMap get_map(ByteReader& reader) {
  LabelMap map;
  const auto rank = reader.get<uint8_t>();
  if (rank > kMaxRank) reader.fail("a rank out of range");
  for (size_t a = 0; a < rank; ++a) map.push_back(reader.get<int8_t>());
  return map;
}

}  // namespace

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
  p.panel = reader.get<bool>();
  p.operands.resize(reader.count(2));
  for (ProgramOperand& o : p.operands) {
    o.dtype = reader.dtype();
    o.axes = get_map(reader);
  }
  p.sources.resize(reader.count(18));
  for (ProgramSource& s : p.sources) {
    s.key.seed = reader.get<uint64_t>();
    s.key.stream = reader.get<uint64_t>();
    s.axes = get_map(reader);
    s.first = reader.get<int64_t>();
    s.global_strides = reader.dims();
  }
  p.outputs.resize(reader.count(4));
  for (ProgramOutput& o : p.outputs) {
    o.dtype = reader.dtype();
    o.axes = get_map(reader);
    o.collapsed = reader.get<uint8_t>();
    o.moments = reader.get<bool>();
  }
  p.instructions.resize(reader.count(42));
  for (Instruction& i : p.instructions) {
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
    }
    for (uint32_t& arg : i.args) arg = reader.get<uint32_t>();
    i.index = reader.get<uint32_t>();
    i.labels = reader.get<LabelSet>();
    i.space = reader.get<LabelSet>();
    i.over = reader.get<LabelSet>();
    const auto constant = reader.raw(i.constant.size());
    std::copy(constant.begin(), constant.end(), i.constant.begin());
  }
  if (const std::string rule = p.broken_rule(); !rule.empty()) reader.fail(rule);
  return p;
}

}  // namespace kernels
TUFF_NAMESPACE_END
