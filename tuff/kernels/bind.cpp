// Turns a program's instructions into steps over the tiles of a walk; see bind.h.
//
// walk.cpp chooses how the block is walked, registers.cpp where values lie. All choices depend on the program,
// the extents and the strides alone: never on the number of threads, on caches found at run time or on timings,
// so that sums are the same in every run.
#include "tuff/kernels/bind.h"

#include <algorithm>
#include <utility>

#include "tuff/kernels/registers.h"
#include "tuff/kernels/walk.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

namespace {

struct Value {
  bool row = false;
  bool inner = false;
  int64_t columns = 1;  // 0: the present piece
  uint32_t reg = 0;
  struct Spread {  // a register that holds the value with more rows or columns
    bool row;
    bool inner;
    int64_t columns;
    uint32_t reg;
  };
  std::vector<Spread> spreads;
  int64_t matrix_rows = 0;  // a load for times_matrix
};

class Binder {
 public:
  Binder(const Program& program, std::span<const int64_t> extents, std::span<const Dims> strides,
         std::span<const Dims> output_strides, uint32_t streaming)
      : program_(program),
        extents_(extents),
        streaming_(streaming),
        values_(program.instructions.size()),
        walk_(program, extents, strides, output_strides, bound_) {
    find_direct_stores();
    for (uint32_t v = 0; v < values_.size(); ++v) emit(v);
    once_first();
    place_registers(bound_, register_bytes_);
  }
  Bound take() { return std::move(bound_); }

 private:
  const Instruction& at(uint32_t v) const { return program_.instructions[v]; }

  // ---- kinds -------------------------------------------------------------------------------------

  void set_kind(Value& value, LabelSet labels) const {
    value.row = walk_.has_row(labels);
    value.inner = walk_.has_inner(labels);
    value.columns = !value.inner ? 1 : program_.panel ? walk_.panel_columns(labels) : 0;
  }
  int64_t capacity(const Value& value) const {
    const int64_t columns = value.columns == 0 ? bound_.piece : value.columns;
    return (value.row ? bound_.tile_rows : 1) * columns;
  }

  bool dense(const Access& access, bool row, bool inner, int64_t columns) const {
    if (!row) return !inner || access.inner == 1;
    if (access.rows.size() != 1) return false;
    if (!inner) return access.rows[0] == 1;
    if (access.inner != 1) return false;
    if (program_.panel) return access.rows[0] == columns;
    return bound_.piece == bound_.inner ? access.rows[0] == bound_.inner : bound_.tile_rows == 1;
  }

  // ---- steps -------------------------------------------------------------------------------------

  uint32_t new_register(Register::Place place, uint32_t number, size_t bytes) {
    bound_.registers.push_back({place, number, 0});
    register_bytes_.push_back(bytes);
    return static_cast<uint32_t>(bound_.registers.size()) - 1;
  }
  uint32_t new_scratch(const Value& value, size_t size) {
    return new_register(Register::Place::scratch, 0, static_cast<size_t>(capacity(value)) * size);
  }

  Step make(StepCode code, const Value& result, size_t size) const {
    Step step;
    step.code = code;
    step.per_row = step.rows = result.row;
    step.has_inner = result.inner;
    step.columns = result.columns;
    step.size = static_cast<uint8_t>(size);
    step.result = result.reg;
    return step;
  }

  /// Values that are stored whole and dense are computed in place in the output; past the caches only
  /// where a kernel can write so and nobody else reads the value.
  void find_direct_stores() {
    direct_output_.assign(values_.size(), -1);
    for (uint32_t v = 0; v < values_.size(); ++v) {
      const Instruction& i = at(v);
      if (i.code != Code::store) continue;
      const Instruction& source = at(i.args[0]);
      if (source.code != Code::elementwise) continue;
      if (is_streamed(i) && !can_stream(i.args[0])) continue;
      if (direct_output_[i.args[0]] >= 0) continue;
      const LabelSet full = walk_.store_labels(i);
      if (kind_of(full) != kind_of(source.labels) || !walk_.has_row(full)) continue;
      const auto& access = bound_.accesses[walk_.access_of_output(i.index)];
      if (dense(access, true, walk_.has_inner(full),
                program_.panel ? walk_.panel_columns(full) : 0)) {
        direct_output_[i.args[0]] = v;
      }
    }
  }
  bool is_streamed(const Instruction& store) const {
    return ((streaming_ >> store.index) & 1) != 0;
  }
  bool can_stream(uint32_t v) const {
    const Instruction& i = at(v);
    size_t readers = 0;
    for (const Instruction& user : program_.instructions) {
      for (size_t k = 0; k < argument_count(user); ++k) readers += user.args[k] == v ? 1 : 0;
    }
    return readers == 1 && find_streaming(static_cast<Elementwise>(i.op), i.operand, 0) != nullptr;
  }
  int kind_of(LabelSet labels) const {
    return (walk_.has_row(labels) ? 2 : 0) + (walk_.has_inner(labels) ? 1 : 0);
  }

  void emit(uint32_t v) {
    const Instruction& i = at(v);
    Value& value = values_[v];
    set_kind(value, i.labels);
    const size_t size = size_of(i.dtype);
    switch (i.code) {
      case Code::load: emit_load(v); break;
      case Code::constant: {
        value.reg = new_scratch(value, size);
        Step step = make(StepCode::constant, value, size);
        step.instruction = v;
        bound_.steps.push_back(step);
        break;
      }
      case Code::index:
      case Code::random: {
        value.reg = new_scratch(value, size);
        Step step = make(i.code == Code::index ? StepCode::index : StepCode::random, value, size);
        step.instruction = v;
        step.access = walk_.access_of(v);
        bound_.steps.push_back(step);
        break;
      }
      case Code::elementwise: emit_elementwise(v); break;
      case Code::cast: {
        value.reg = new_scratch(value, size);
        Step step = make(StepCode::cast, value, size);
        step.args[0] = values_[i.args[0]].reg;
        step.arg_count = 1;
        step.cast = find_cast(at(i.args[0]).dtype, i.dtype);
        bound_.steps.push_back(step);
        break;
      }
      case Code::reduce: emit_reduce(v); break;
      case Code::times_vector:
      case Code::times_matrix: emit_times(v); break;
      case Code::row_sums:
      case Code::gram: emit_sums(v); break;
      case Code::store: emit_store(v); break;
    }
  }

  void emit_load(uint32_t v) {
    const Instruction& i = at(v);
    Value& value = values_[v];
    const auto access = walk_.access_of(v);
    const size_t size = size_of(i.dtype);
    if (program_.panel && (i.labels & 1) == 0 && __builtin_popcount(i.labels) == 2) {
      emit_matrix_load(v);
      return;
    }
    const bool direct = dense(bound_.accesses[access], value.row, value.inner, value.columns);
    value.reg =
        direct ? new_register(Register::Place::operand, i.index, 0) : new_scratch(value, size);
    Step step = make(direct ? StepCode::load_direct : StepCode::load, value, size);
    step.access = access;
    step.instruction = v;
    bound_.steps.push_back(step);
  }

  void emit_matrix_load(uint32_t v) {
    const Instruction& i = at(v);
    Value& value = values_[v];
    // The panel that uses it says which label comes first: the one that it shares with the panel.
    LabelSet first = 0;
    for (const Instruction& user : program_.instructions) {
      if (user.code == Code::times_matrix && user.args[1] == v) first = user.over;
    }
    const LabelSet second = i.labels & static_cast<LabelSet>(~first);
    const Touch& touch = walk_.touch_of(v);
    Access& access = bound_.accesses[walk_.access_of(v)];
    access.matrix_rows = walk_.stride_along(touch, first);
    access.inner = walk_.stride_along(touch, second);
    value.matrix_rows = walk_.panel_columns(first);
    value.columns = walk_.panel_columns(second);
    const size_t size = size_of(i.dtype);
    value.reg = new_register(Register::Place::scratch, 0,
                             static_cast<size_t>(value.matrix_rows * value.columns) * size);
    Step step = make(StepCode::load_matrix, value, size);
    step.access = walk_.access_of(v);
    step.instruction = v;
    step.other_columns = value.matrix_rows;
    bound_.steps.push_back(step);
  }

  /// The register of value v, spread to the rows and columns of `to`.
  uint32_t expanded(uint32_t v, const Value& to) {
    Value& from = values_[v];
    if (from.row == to.row && from.inner == to.inner) return from.reg;
    for (const Value::Spread& s : from.spreads) {
      if (s.row == to.row && s.inner == to.inner && s.columns == to.columns) return s.reg;
    }
    const size_t size = size_of(at(v).dtype);
    const uint32_t reg = new_scratch(to, size);
    Value result = to;
    result.reg = reg;
    Step step = make(from.row     ? StepCode::expand_rows
                     : from.inner ? StepCode::expand_columns
                                  : StepCode::expand_scalar,
                     result, size);
    step.args[0] = from.reg;
    step.arg_count = 1;
    // Spreading what no row changes fills a whole tile once; shorter last tiles use its beginning.
    step.per_row = from.row;
    bound_.steps.push_back(step);
    from.spreads.push_back({to.row, to.inner, to.columns, reg});
    return reg;
  }

  void emit_elementwise(uint32_t v) {
    const Instruction& i = at(v);
    Value& value = values_[v];
    const auto op = static_cast<Elementwise>(i.op);
    const int arity = arity_of(op);
    unsigned scalars = 0;
    std::array<uint32_t, 3> args{};
    for (int k = 0; k < arity; ++k) {
      const Value& arg = values_[i.args[static_cast<size_t>(k)]];
      if (!arg.row && !arg.inner && (value.row || value.inner)) {
        scalars |= 1U << k;
        args[static_cast<size_t>(k)] = arg.reg;
      } else {
        args[static_cast<size_t>(k)] = expanded(i.args[static_cast<size_t>(k)], value);
      }
    }
    const size_t size = size_of(i.dtype);
    const int64_t direct = direct_output_[v];
    value.reg = direct >= 0 ? new_register(Register::Place::output,
                                           at(static_cast<uint32_t>(direct)).index, 0)
                            : new_scratch(value, size);
    if (direct >= 0) {
      Step point = make(StepCode::store_direct, value, size);
      point.access = walk_.access_of_output(at(static_cast<uint32_t>(direct)).index);
      bound_.steps.push_back(point);
    }
    Step step = make(StepCode::elementwise, value, size);
    step.args = args;
    step.arg_count = static_cast<uint8_t>(arity);
    const bool streamed = direct >= 0 && is_streamed(at(static_cast<uint32_t>(direct)));
    step.elementwise = streamed ? find_streaming(op, i.operand, scalars)
                                : find_elementwise(op, i.operand, scalars);
    TUFF_CHECK(step.elementwise != nullptr);
    bound_.steps.push_back(step);
  }

  Value full_kind(LabelSet space) const {
    Value full;
    set_kind(full, space);
    return full;
  }

  void emit_reduce(uint32_t v) {
    const Instruction& i = at(v);
    Value& value = values_[v];
    const auto reduction = static_cast<Reduction>(i.op);
    const DType element = at(i.args[0]).dtype;
    const ReductionKernels* kernels = find_reduction(reduction, element);
    TUFF_CHECK(kernels != nullptr);
    Value space = full_kind(i.space);
    if (!program_.panel) {
      // Constants count as often as the walk visits them, so every argument is spread over the walk.
      space.row = walk_.has_rows();
      space.inner = walk_.has_inner();
      space.columns = space.inner ? 0 : 1;
    }
    const uint32_t arg = expanded(i.args[0], space);
    const bool over_row = program_.panel ? (i.over & 1) != 0 : true;
    const bool keeps_columns =
        program_.panel
            ? (i.space & static_cast<LabelSet>(~i.over) & static_cast<LabelSet>(~1U)) != 0
            : walk_.partial() == Walk::Partial::columns && has_kept(i);
    const bool rows_kept =
        program_.panel ? !over_row : walk_.partial() == Walk::Partial::rows && has_kept(i);
    Step step;
    step.reduction = kernels;
    step.args[0] = arg;
    step.arg_count = 1;
    step.arg_per_row = space.row;
    step.arg_has_inner = space.inner;
    step.columns = space.columns;
    step.instruction = v;
    step.per_row = step.rows = space.row;
    if (rows_kept) {
      const bool moments = reduction == Reduction::moments;
      value.row = space.row;
      value.inner = false;
      value.columns = 1;
      const size_t size = moments ? 24 : size_of(i.dtype);
      value.reg = new_scratch(value, size);
      step.code = StepCode::reduce_rows;
      step.result = value.reg;
      step.size = static_cast<uint8_t>(size);
      bound_.steps.push_back(step);
      return;
    }
    Accumulator accumulator;
    accumulator.kernels = kernels;
    accumulator.columns = keeps_columns ? (space.columns == 0 ? bound_.piece : space.columns) : 1;
    accumulator.state_bytes = kernels->state_bytes(static_cast<size_t>(accumulator.columns));
    accumulator.dtype = i.dtype;
    accumulator.moments = reduction == Reduction::moments;
    using Reset = Accumulator::Reset;
    accumulator.reset = program_.panel || !has_kept(i)                ? Reset::block
                        : walk_.partial() == Walk::Partial::per_outer ? Reset::outer
                                                                      : Reset::piece;
    step.code = keeps_columns ? StepCode::add_columns : StepCode::add_flat;
    add_accumulator(v, accumulator, step);
  }

  bool has_kept(const Instruction& reduce) const {
    for (size_t l = 0; l < program_.label_count; ++l) {
      if ((reduce.space & ~reduce.over & bit(l)) != 0 && extents_[l] != 1) return true;
    }
    return false;
  }

  void add_accumulator(uint32_t v, Accumulator accumulator, Step step) {
    for (uint32_t u = v + 1; u < values_.size(); ++u) {
      if (at(u).code == Code::store && at(u).args[0] == v) {
        accumulator.output = at(u).index;
        accumulator.access = walk_.access_of_output(at(u).index);
      }
    }
    step.accumulator = static_cast<uint32_t>(bound_.accumulators.size());
    bound_.accumulators.push_back(accumulator);
    bound_.steps.push_back(step);
    accumulated_.push_back(v);
  }

  void emit_times(uint32_t v) {
    const Instruction& i = at(v);
    Value& value = values_[v];
    const size_t size = size_of(i.dtype);
    const Value& panel = values_[i.args[0]];
    Value full = panel;
    full.row = full.inner = true;
    full.columns = walk_.panel_columns(i.over);
    const uint32_t x = expanded(i.args[0], full);
    value.reg = new_scratch(value, size);
    Step step = make(i.code == Code::times_vector ? StepCode::times_vector : StepCode::times_matrix,
                     value, size);
    if (i.code == Code::times_vector) {
      Value vector;
      vector.inner = true;
      vector.columns = full.columns;
      step.args = {x, expanded(i.args[1], vector), 0};
    } else {
      step.args = {x, values_[i.args[1]].reg, 0};
      step.other_columns = values_[i.args[1]].columns;
    }
    step.arg_count = 2;
    step.columns = full.columns;
    step.panel = find_panel(i.dtype);
    bound_.steps.push_back(step);
  }

  void emit_sums(uint32_t v) {
    const Instruction& i = at(v);
    const auto with_rows = [&](uint32_t arg) {
      Value full;
      set_kind(full, at(arg).labels | 1);
      return expanded(arg, full);
    };
    Step step;
    step.code = i.code == Code::gram ? StepCode::gram : StepCode::row_sums;
    step.per_row = step.rows = true;
    step.args = {with_rows(i.args[0]), with_rows(i.args[1]), 0};
    step.arg_count = 2;
    step.columns = walk_.panel_columns(at(i.args[0]).labels);
    step.other_columns = i.code == Code::gram ? walk_.panel_columns(at(i.args[1]).labels) : 1;
    step.panel = find_panel(i.dtype);
    Accumulator accumulator;
    accumulator.columns = step.columns;
    accumulator.matrix_columns = i.code == Code::gram ? step.other_columns : -1;
    accumulator.state_bytes =
        static_cast<size_t>(step.columns * step.other_columns) * size_of(i.dtype);
    accumulator.dtype = i.dtype;
    add_accumulator(v, accumulator, step);
  }

  void emit_store(uint32_t v) {
    const Instruction& i = at(v);
    if (direct_output_[i.args[0]] == static_cast<int64_t>(v)) return;
    if (std::find(accumulated_.begin(), accumulated_.end(), i.args[0]) != accumulated_.end())
      return;
    Value full;
    const Value& source = values_[i.args[0]];
    const Instruction& made = at(i.args[0]);
    if (made.code == Code::reduce && !program_.panel) {
      full = source;  // one value per row
    } else {
      set_kind(full, walk_.store_labels(i));
      // A value may have rows that the output has not only if it came from a reduction.
      full.row = full.row || source.row;
    }
    Step step;
    step.code = StepCode::store;
    step.args[0] = expanded(i.args[0], full);
    step.arg_count = 1;
    step.per_row = step.rows = full.row;
    step.has_inner = full.inner;
    step.columns = full.columns;
    step.size = static_cast<uint8_t>(made.code == Code::reduce &&
                                             static_cast<Reduction>(made.op) == Reduction::moments
                                         ? 24
                                         : size_of(i.dtype));
    step.access = walk_.access_of_output(i.index);
    step.instruction = v;
    bound_.steps.push_back(step);
  }

  // ---- order -------------------------------------------------------------------------------------

  void once_first() {
    std::stable_partition(bound_.steps.begin(), bound_.steps.end(),
                          [](const Step& step) { return !step.per_row; });
    bound_.once_steps =
        static_cast<size_t>(std::find_if(bound_.steps.begin(), bound_.steps.end(),
                                         [](const Step& step) { return step.per_row; }) -
                            bound_.steps.begin());
  }

  const Program& program_;
  std::span<const int64_t> extents_;
  uint32_t streaming_;
  std::vector<Value> values_;
  Bound bound_;
  Walk walk_;
  std::vector<int64_t> direct_output_;
  std::vector<uint32_t> accumulated_;
  std::vector<size_t> register_bytes_;
};

}  // namespace

Bound bind(const Program& program, std::span<const int64_t> extents, std::span<const Dims> strides,
           std::span<const Dims> output_strides, uint32_t streaming) {
  return Binder(program, extents, strides, output_strides, streaming).take();
}

}  // namespace kernels
TUFF_NAMESPACE_END
