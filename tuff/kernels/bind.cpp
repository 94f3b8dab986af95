// Chooses how a block is walked and turns a program's instructions into steps; see bind.h.
//
// The choices depend on the program, the extents and the strides alone: never on the number of
// threads, on caches found at run time or on timings, so that sums are the same in every run.
#include "tuff/kernels/bind.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

TUFF_NAMESPACE_BEGIN
namespace kernels {

namespace {

using LabelStrides = std::array<int64_t, kMaxLabels>;

constexpr LabelSet bit(size_t label) { return static_cast<LabelSet>(1U << label); }

LabelStrides by_label(const LabelMap& axes, const Dims& strides, uint8_t skip = 0) {
  LabelStrides result{};
  for (size_t a = 0; a < axes.size(); ++a) {
    if (axes[a] != kNoLabel && ((skip >> a) & 1) == 0)
      result[static_cast<size_t>(axes[a])] = strides[a];
  }
  return result;
}

/// What an instruction touches in memory, by label.
struct Touch {
  LabelStrides strides{};
  LabelSet labels = 0;
};

/// The order of labels and their split into outer, row and inner axes.
struct Walk {
  std::vector<size_t> outer;
  std::vector<size_t> rows;
  std::vector<size_t> inner;  // at most one before merging
  enum class Partial : uint8_t { none, columns, per_outer, rows } partial = Partial::none;
};

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
        values_(program.instructions.size()) {
    find_touches(strides, output_strides);
    if (program.panel) {
      walk_panel();
    } else {
      walk_flat();
    }
    make_accesses();
    find_direct_stores();
    for (uint32_t v = 0; v < values_.size(); ++v) emit(v);
    once_first();
    place_registers();
  }
  Bound take() { return std::move(bound_); }

 private:
  const Instruction& at(uint32_t v) const { return program_.instructions[v]; }

  // ---- geometry ----------------------------------------------------------------------------------

  void find_touches(std::span<const Dims> strides, std::span<const Dims> output_strides) {
    touch_of_.assign(values_.size(), -1);
    output_touch_.assign(program_.outputs.size(), -1);
    const auto add = [&](const LabelStrides& s, LabelSet labels) {
      touches_.push_back({s, labels});
      return static_cast<int64_t>(touches_.size()) - 1;
    };
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      const ProgramOutput& output = program_.outputs[o];
      output_touch_[o] = add(by_label(output.axes, output_strides[o], output.collapsed), 0);
    }
    for (uint32_t v = 0; v < values_.size(); ++v) {
      const Instruction& i = at(v);
      if (i.code == Code::load) {
        touch_of_[v] = add(by_label(program_.operands[i.index].axes, strides[i.index]), i.labels);
      } else if (i.code == Code::random) {
        const ProgramSource& s = program_.sources[i.index];
        touch_of_[v] = add(by_label(s.axes, s.global_strides), 0);
      } else if (i.code == Code::index) {
        LabelStrides s{};
        s[i.index] = 1;
        touch_of_[v] = add(s, 0);
      }
    }
  }

  void walk_panel() {
    walk_.rows = {0};
    bound_.rows = Dims{extents_[0]};
    bound_.row_count = extents_[0];
    int64_t widest = 1;
    for (uint32_t v = 0; v < values_.size(); ++v) {
      for (size_t l = 1; l < program_.label_count; ++l) {
        if ((at(v).labels & 1) != 0 && (at(v).labels & bit(l)) != 0) {
          widest = std::max(widest, extents_[l]);
        }
      }
    }
    bound_.tile_rows = panel_rows(widest);
    bound_.inner = bound_.piece = 0;  // columns differ by value
  }

  void walk_flat() {
    LabelSet reduced = 0;
    LabelSet partial = 0;
    for (const Instruction& i : program_.instructions) {
      if (i.code != Code::reduce) continue;
      LabelSet kept = i.space & static_cast<LabelSet>(~i.over);
      for (size_t l = 0; l < program_.label_count; ++l) {
        if (extents_[l] == 1) kept &= static_cast<LabelSet>(~bit(l));
      }
      if (kept == 0) continue;
      TUFF_CHECK(partial == 0 || partial == i.over);
      partial = i.over;
    }
    reduced = partial;
    std::vector<size_t> order;
    for (size_t l = 0; l < program_.label_count; ++l) {
      if (extents_[l] != 1 || (reduced & bit(l)) != 0) order.push_back(l);
    }
    sort_by_stride(order);
    if (reduced == 0) {
      if (!order.empty()) {
        walk_.inner = {order.back()};
        walk_.rows.assign(order.begin(), order.end() - 1);
      }
    } else {
      split_for_partial(order, reduced);
    }
    merge();
  }

  /// Longest strides first, as the first load that spans all axes lies in memory.
  void sort_by_stride(std::vector<size_t>& order) const {
    for (const Touch& touch : touches_) {
      const bool spans = std::all_of(order.begin(), order.end(), [&](size_t l) {
        return (touch.labels & bit(l)) != 0 && touch.strides[l] != 0;
      });
      if (!spans || touch.labels == 0) continue;
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return std::abs(touch.strides[a]) > std::abs(touch.strides[b]);
      });
      return;
    }
  }

  void split_for_partial(const std::vector<size_t>& order, LabelSet reduced) {
    const auto is_reduced = [&](size_t l) { return (reduced & bit(l)) != 0; };
    const size_t last = order.back();
    walk_.inner = {last};
    std::vector<size_t> kept;
    std::vector<size_t> gone;
    for (size_t i = 0; i + 1 < order.size(); ++i) {
      (is_reduced(order[i]) ? gone : kept).push_back(order[i]);
    }
    if (!is_reduced(last)) {
      walk_.partial = Walk::Partial::columns;
      walk_.outer = kept;
      walk_.rows = gone;
    } else if (gone.empty() && extents_[last] <= kTileElements) {
      walk_.partial = Walk::Partial::rows;
      walk_.rows = kept;
    } else {
      walk_.partial = Walk::Partial::per_outer;
      walk_.outer = kept;
      walk_.rows = gone;
    }
  }

  /// Merges neighbours; a merged axis is named by its last label, merged_ holds its extent.
  void merge() {
    merged_extent_.assign(program_.label_count, 1);
    for (size_t l = 0; l < program_.label_count; ++l) merged_extent_[l] = extents_[l];
    const auto merge_list = [&](std::vector<size_t>& list) {
      for (size_t i = 0; i + 1 < list.size();) {
        if (mergeable(list[i], list[i + 1])) {
          merge_into(list[i], list[i + 1]);
          list.erase(list.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
          ++i;
        }
      }
    };
    merge_list(walk_.outer);
    merge_list(walk_.rows);
    const bool inner_may_merge =
        walk_.partial == Walk::Partial::none || walk_.partial == Walk::Partial::per_outer;
    if (inner_may_merge && !walk_.inner.empty() && !walk_.rows.empty() &&
        mergeable(walk_.rows.back(), walk_.inner[0])) {
      merge_into(walk_.rows.back(), walk_.inner[0]);
      walk_.rows.pop_back();
    }
    if (inner_may_merge && walk_.rows.empty()) std::swap(walk_.rows, walk_.inner);
    for (size_t l : walk_.outer) bound_.outer.push_back(merged_extent_[l]);
    for (size_t l : walk_.rows) {
      bound_.rows.push_back(merged_extent_[l]);
      bound_.row_count *= merged_extent_[l];
    }
    bound_.inner = walk_.inner.empty() ? 1 : merged_extent_[walk_.inner[0]];
    // Longer tiles make the merging of results rare. Column sums read their tile once, and it still
    // stays in L1; programs that only load and reduce have no values between that should stay there.
    const int64_t tile = walk_.partial == Walk::Partial::columns ? 8 * kTileElements
                         : only_reduces() && walk_.partial == Walk::Partial::none
                             ? 64 * kTileElements
                             : kTileElements;
    const bool may_cut = walk_.partial != Walk::Partial::rows;
    bound_.piece = may_cut ? std::min(bound_.inner, tile) : bound_.inner;
    bound_.tile_rows = bound_.piece < bound_.inner
                           ? 1
                           : std::max<int64_t>(1, tile / std::max<int64_t>(bound_.piece, 1));
    // Whole cache lines of eight-byte elements, so that tiles which are streamed out share none.
    const int64_t whole = 8 / std::gcd(bound_.piece, int64_t{8});
    if (bound_.tile_rows > whole) bound_.tile_rows -= bound_.tile_rows % whole;
  }

  bool only_reduces() const {
    return std::all_of(program_.instructions.begin(), program_.instructions.end(),
                       [&](const Instruction& i) {
                         return i.code == Code::load || i.code == Code::reduce ||
                                (i.code == Code::store && at(i.args[0]).code == Code::reduce);
                       });
  }

  bool mergeable(size_t a, size_t b) const {
    return std::all_of(
               touches_.begin(), touches_.end(),
               [&](const Touch& t) { return t.strides[a] == t.strides[b] * merged_extent_[b]; }) &&
           same_labels(a, b);
  }
  /// Values that have one label but not the other (numbered along one axis, say) forbid a merge.
  bool same_labels(size_t a, size_t b) const {
    for (const Instruction& i : program_.instructions) {
      if (i.code != Code::load && i.code != Code::index && i.code != Code::random) continue;
      if (((i.labels & bit(a)) != 0) != ((i.labels & bit(b)) != 0)) return false;
    }
    return true;
  }
  void merge_into(size_t a, size_t b) { merged_extent_[b] *= merged_extent_[a]; }

  Access access_of(const Touch& touch) const {
    Access access;
    for (size_t l : walk_.outer) access.outer.push_back(touch.strides[l]);
    for (size_t l : walk_.rows) access.rows.push_back(touch.strides[l]);
    if (!walk_.inner.empty()) access.inner = touch.strides[walk_.inner[0]];
    return access;
  }

  void make_accesses() {
    for (const Touch& touch : touches_) bound_.accesses.push_back(access_of(touch));
    for (uint32_t v = 0; v < values_.size(); ++v) {
      const Instruction& i = at(v);
      if (touch_of_[v] < 0) continue;
      Access& access = bound_.accesses[static_cast<size_t>(touch_of_[v])];
      const Touch& touch = touches_[static_cast<size_t>(touch_of_[v])];
      if (program_.panel) panel_columns_access(i.labels, touch, access);
      if (i.code == Code::random) {
        const ProgramSource& s = program_.sources[i.index];
        for (size_t a = 0; a < s.axes.size(); ++a) {
          if (s.axes[a] == kNoLabel) continue;
          access.start_label.push_back(s.axes[a]);
          access.start_stride.push_back(s.global_strides[a]);
        }
      } else if (i.code == Code::index) {
        access.start_label.push_back(static_cast<int8_t>(i.index));
        access.start_stride.push_back(1);
      }
    }
    if (!program_.panel) return;
    for (uint32_t v = 0; v < values_.size(); ++v) {
      const Instruction& i = at(v);
      if (i.code != Code::store) continue;
      const auto touch = static_cast<size_t>(output_touch_[i.index]);
      const Instruction& source = at(i.args[0]);
      if (source.code == Code::gram) {
        // (a, b) as the program wrote the panel's and the other operand's labels.
        const LabelSet first = at(source.args[0]).labels & static_cast<LabelSet>(~1U);
        const LabelSet second = at(source.args[1]).labels & static_cast<LabelSet>(~1U);
        bound_.accesses[touch].matrix_rows = stride_along(touches_[touch], first);
        bound_.accesses[touch].inner = stride_along(touches_[touch], second);
      } else {
        panel_columns_access(store_labels(i), touches_[touch], bound_.accesses[touch]);
      }
    }
  }

  int64_t stride_along(const Touch& touch, LabelSet labels) const {
    for (size_t l = 1; l < program_.label_count; ++l) {
      if ((labels & bit(l)) != 0) return touch.strides[l];
    }
    return 0;
  }

  void panel_columns_access(LabelSet labels, const Touch& touch, Access& access) const {
    access.inner = stride_along(touch, labels & static_cast<LabelSet>(~1U));
  }

  int64_t panel_columns(LabelSet labels) const {
    for (size_t l = 1; l < program_.label_count; ++l) {
      if ((labels & bit(l)) != 0) return extents_[l];
    }
    return 1;
  }

  // ---- kinds -------------------------------------------------------------------------------------

  bool has_row(LabelSet labels) const {
    if (program_.panel) return (labels & 1) != 0;
    return std::any_of(walk_.rows.begin(), walk_.rows.end(),
                       [&](size_t l) { return (labels & bit(l)) != 0; });
  }
  bool has_inner(LabelSet labels) const {
    if (program_.panel) return (labels & static_cast<LabelSet>(~1U)) != 0;
    return !walk_.inner.empty() && (labels & bit(walk_.inner[0])) != 0;
  }
  void set_kind(Value& value, LabelSet labels) const {
    value.row = has_row(labels);
    value.inner = has_inner(labels);
    value.columns = !value.inner ? 1 : program_.panel ? panel_columns(labels) : 0;
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
      const LabelSet full = store_labels(i);
      if (kind_of(full) != kind_of(source.labels) || !has_row(full)) continue;
      const auto& access = bound_.accesses[static_cast<size_t>(output_touch_[i.index])];
      if (dense(access, true, has_inner(full), program_.panel ? panel_columns(full) : 0)) {
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
    return (has_row(labels) ? 2 : 0) + (has_inner(labels) ? 1 : 0);
  }
  LabelSet store_labels(const Instruction& store) const {
    LabelSet labels = 0;
    const ProgramOutput& output = program_.outputs[store.index];
    for (size_t a = 0; a < output.axes.size(); ++a) {
      if (output.axes[a] != kNoLabel && ((output.collapsed >> a) & 1) == 0) {
        labels |= bit(static_cast<size_t>(output.axes[a]));
      }
    }
    return labels;
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
        step.access = static_cast<uint32_t>(touch_of_[v]);
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
    const auto access = static_cast<uint32_t>(touch_of_[v]);
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
    const Touch& touch = touches_[static_cast<size_t>(touch_of_[v])];
    Access& access = bound_.accesses[static_cast<size_t>(touch_of_[v])];
    access.matrix_rows = stride_along(touch, first);
    access.inner = stride_along(touch, second);
    value.matrix_rows = panel_columns(first);
    value.columns = panel_columns(second);
    const size_t size = size_of(i.dtype);
    value.reg = new_register(Register::Place::scratch, 0,
                             static_cast<size_t>(value.matrix_rows * value.columns) * size);
    Step step = make(StepCode::load_matrix, value, size);
    step.access = static_cast<uint32_t>(touch_of_[v]);
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
      point.access = static_cast<uint32_t>(output_touch_[at(static_cast<uint32_t>(direct)).index]);
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
      space.row = !walk_.rows.empty();
      space.inner = !walk_.inner.empty();
      space.columns = space.inner ? 0 : 1;
    }
    const uint32_t arg = expanded(i.args[0], space);
    const bool over_row = program_.panel ? (i.over & 1) != 0 : true;
    const bool keeps_columns =
        program_.panel
            ? (i.space & static_cast<LabelSet>(~i.over) & static_cast<LabelSet>(~1U)) != 0
            : walk_.partial == Walk::Partial::columns && has_kept(i);
    const bool rows_kept =
        program_.panel ? !over_row : walk_.partial == Walk::Partial::rows && has_kept(i);
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
    accumulator.reset = program_.panel || !has_kept(i)              ? Reset::block
                        : walk_.partial == Walk::Partial::per_outer ? Reset::outer
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
        accumulator.access = static_cast<uint32_t>(output_touch_[at(u).index]);
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
    full.columns = panel_columns(i.over);
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
    step.columns = panel_columns(at(i.args[0]).labels);
    step.other_columns = i.code == Code::gram ? panel_columns(at(i.args[1]).labels) : 1;
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
      set_kind(full, store_labels(i));
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
    step.access = static_cast<uint32_t>(output_touch_[i.index]);
    step.instruction = v;
    bound_.steps.push_back(step);
  }

  // ---- order and memory --------------------------------------------------------------------------

  void once_first() {
    std::stable_partition(bound_.steps.begin(), bound_.steps.end(),
                          [](const Step& step) { return !step.per_row; });
    bound_.once_steps =
        static_cast<size_t>(std::find_if(bound_.steps.begin(), bound_.steps.end(),
                                         [](const Step& step) { return step.per_row; }) -
                            bound_.steps.begin());
  }

  void place_registers() {
    constexpr size_t kAlign = 64;
    const auto rounded = [](size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; };
    size_t top = 0;
    for (Accumulator& accumulator : bound_.accumulators) {
      accumulator.state_offset = top;
      top += rounded(accumulator.state_bytes);
    }
    std::vector<size_t> last_use(bound_.registers.size(), 0);
    std::vector<bool> lasting(bound_.registers.size(), false);
    for (size_t s = 0; s < bound_.steps.size(); ++s) {
      const Step& step = bound_.steps[s];
      for (uint8_t k = 0; k < step.arg_count; ++k) last_use[step.args[k]] = s;
      // What is made once per piece must survive all tiles.
      if (s < bound_.once_steps) lasting[step.result] = true;
    }
    std::vector<std::pair<size_t, size_t>> free;  // (bytes, offset)
    std::vector<bool> placed(bound_.registers.size(), false);
    const auto place = [&](uint32_t reg) {
      if (placed[reg] || bound_.registers[reg].place != Register::Place::scratch) return;
      placed[reg] = true;
      const size_t bytes = rounded(register_bytes_[reg]);
      const auto fit = std::find_if(free.begin(), free.end(),
                                    [&](const auto& hole) { return hole.first == bytes; });
      if (fit != free.end()) {
        bound_.registers[reg].offset = fit->second;
        free.erase(fit);
      } else {
        bound_.registers[reg].offset = top;
        top += bytes;
      }
    };
    const auto release = [&](const Step& step, size_t s) {
      for (uint8_t k = 0; k < step.arg_count; ++k) {
        const uint32_t reg = step.args[k];
        if (last_use[reg] != s || lasting[reg]) continue;
        if (bound_.registers[reg].place != Register::Place::scratch || !placed[reg]) continue;
        last_use[reg] = SIZE_MAX;  // an operand given twice is released once
        free.emplace_back(rounded(register_bytes_[reg]), bound_.registers[reg].offset);
      }
    };
    for (size_t s = 0; s < bound_.steps.size(); ++s) {
      const Step& step = bound_.steps[s];
      const bool makes = step.code != StepCode::store && step.code != StepCode::add_flat &&
                         step.code != StepCode::add_columns && step.code != StepCode::row_sums &&
                         step.code != StepCode::gram;
      // An element-wise result may take the place of an operand that dies here, when elements are
      // equally large (otherwise writing would overtake reading).
      const bool in_place = step.code == StepCode::elementwise && in_place_safe(step);
      if (in_place) release(step, s);
      if (makes) place(step.result);
      if (!in_place) release(step, s);
    }
    bound_.scratch_bytes = top;
  }

  bool in_place_safe(const Step& step) const {
    for (uint8_t k = 0; k < step.arg_count; ++k) {
      if (register_bytes_[step.args[k]] != register_bytes_[step.result]) return false;
    }
    return true;
  }

  const Program& program_;
  std::span<const int64_t> extents_;
  uint32_t streaming_;
  std::vector<Value> values_;
  std::vector<Touch> touches_;
  std::vector<int64_t> touch_of_;
  std::vector<int64_t> output_touch_;
  std::vector<int64_t> merged_extent_;
  std::vector<int64_t> direct_output_;
  std::vector<uint32_t> accumulated_;
  std::vector<size_t> register_bytes_;
  Walk walk_;
  Bound bound_;
};

}  // namespace

Bound bind(const Program& program, std::span<const int64_t> extents, std::span<const Dims> strides,
           std::span<const Dims> output_strides, uint32_t streaming) {
  return Binder(program, extents, strides, output_strides, streaming).take();
}

}  // namespace kernels
TUFF_NAMESPACE_END
