// Programs for tests: a builder of float64 ones, and one with every kind of contraction.
#pragma once

#include <cstring>

#include "tuff/kernels/program.h"

namespace tuff::kernels {

/// float64 programs, written like graph's emitter does.
struct Builder {
  Program program;

  uint32_t add(Instruction i) {
    program.instructions.push_back(i);
    return static_cast<uint32_t>(program.instructions.size()) - 1;
  }
  LabelSet labels(uint32_t v) const { return program.instructions[v].labels; }
  static LabelSet set_of(const LabelMap& map) {
    LabelSet set = 0;
    for (int8_t l : map) set |= static_cast<LabelSet>(l == kNoLabel ? 0 : 1U << l);
    return set;
  }
  uint32_t load(const LabelMap& axes) {
    program.operands.push_back({DType::float64, axes});
    Instruction i;
    i.index = static_cast<uint32_t>(program.operands.size()) - 1;
    i.labels = set_of(axes);
    return add(i);
  }
  uint32_t constant(double value) {
    Instruction i;
    i.code = Code::constant;
    std::memcpy(i.constant.data(), &value, 8);
    return add(i);
  }
  uint32_t index(uint32_t label) {
    Instruction i;
    i.code = Code::index;
    i.dtype = DType::int64;
    i.index = label;
    i.labels = static_cast<LabelSet>(1U << label);
    const uint32_t v = add(i);
    Instruction c;
    c.code = Code::cast;
    c.args[0] = v;
    c.labels = i.labels;
    return add(c);
  }
  uint32_t uniform(const LabelMap& axes, const Dims& strides, uint64_t seed) {
    program.sources.push_back({{seed, 0}, axes, static_cast<int64_t>(seed % 3), strides});
    Instruction i;
    i.code = Code::random;
    i.index = static_cast<uint32_t>(program.sources.size()) - 1;
    i.labels = set_of(axes);
    return add(i);
  }
  uint32_t op(Elementwise code, uint32_t a, uint32_t b) {
    Instruction i;
    i.code = Code::elementwise;
    i.op = static_cast<uint8_t>(code);
    i.args = {a, b, 0};
    i.labels = labels(a) | labels(b);
    return add(i);
  }
  uint32_t reduce(Reduction r, uint32_t a, LabelSet space, LabelSet over) {
    Instruction i;
    i.code = Code::reduce;
    i.op = static_cast<uint8_t>(r);
    i.args[0] = a;
    i.space = space | labels(a);
    i.over = over;
    i.labels = i.space & static_cast<LabelSet>(~over);
    return add(i);
  }
  uint32_t contract(Code code, uint32_t a, uint32_t b, LabelSet over) {
    Instruction i;
    i.code = code;
    i.args = {a, b, 0};
    i.over = over;
    i.labels = (labels(a) | labels(b)) & static_cast<LabelSet>(~over);
    return add(i);
  }
  void store(uint32_t v, const LabelMap& axes, uint8_t collapsed = 0, bool moments = false) {
    program.outputs.push_back({DType::float64, axes, collapsed, moments});
    Instruction i;
    i.code = Code::store;
    i.args[0] = v;
    i.index = static_cast<uint32_t>(program.outputs.size()) - 1;
    i.labels = labels(v);
    add(i);
  }
};

/// eta = X b, r = eta - y, X' r, X' (r X), the sum of r, row sums and a small matrix.
inline Program panel() {
  Builder b;
  b.program.label_count = 4;
  b.program.panel = true;
  const uint32_t X = b.load({0, 1});
  const uint32_t beta = b.load({1});
  const uint32_t y = b.load({0});
  const uint32_t W = b.load({1, 2});
  const uint32_t Z = b.load({0, 3});
  const uint32_t eta = b.contract(Code::times_vector, X, beta, 2);
  const uint32_t r = b.op(Elementwise::subtract, eta, y);
  const uint32_t hidden = b.contract(Code::times_matrix, X, W, 2);
  const uint32_t scaled = b.op(Elementwise::multiply, Z, r);
  b.store(eta, {0});
  b.store(b.contract(Code::row_sums, X, r, 1), {1});
  b.store(b.contract(Code::gram, X, scaled, 1), {1, 3});
  b.store(b.op(Elementwise::maximum, hidden, r), {0, 2});
  b.store(b.contract(Code::row_sums, hidden, r, 1), {2});
  b.store(b.reduce(Reduction::sum, r, 1, 1), {0}, 1);
  b.store(b.reduce(Reduction::max, Z, 9, 8), {0, 3}, 2);
  b.store(b.reduce(Reduction::sum, Z, 9, 1), {0, 3}, 1);
  return b.program;
}

}  // namespace tuff::kernels
