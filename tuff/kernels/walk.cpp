// Orders and merges the axes of a block, cuts it into tiles, and says how each array lies in them; see walk.h.
#include "tuff/kernels/walk.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

TUFF_NAMESPACE_BEGIN
namespace kernels {

namespace {

LabelStrides by_label(const LabelMap& axes, const Dims& strides, uint8_t skip = 0) {
  LabelStrides result{};
  for (size_t a = 0; a < axes.size(); ++a) {
    if (axes[a] != kNoLabel && ((skip >> a) & 1) == 0)
      result[static_cast<size_t>(axes[a])] = strides[a];
  }
  return result;
}

}  // namespace

Walk::Walk(const Program& program, std::span<const int64_t> extents, std::span<const Dims> strides,
           std::span<const Dims> output_strides, Bound& bound)
    : program_(program), extents_(extents), bound_(bound) {
  find_touches(strides, output_strides);
  if (program.panel) {
    walk_panel();
  } else {
    walk_flat();
  }
  make_accesses();
}

void Walk::find_touches(std::span<const Dims> strides, std::span<const Dims> output_strides) {
  touch_of_.assign(program_.instructions.size(), -1);
  output_touch_.assign(program_.outputs.size(), -1);
  const auto add = [&](const LabelStrides& s, LabelSet labels) {
    touches_.push_back({s, labels});
    return static_cast<int64_t>(touches_.size()) - 1;
  };
  for (size_t o = 0; o < program_.outputs.size(); ++o) {
    const ProgramOutput& output = program_.outputs[o];
    output_touch_[o] = add(by_label(output.axes, output_strides[o], output.collapsed), 0);
  }
  for (uint32_t v = 0; v < program_.instructions.size(); ++v) {
    const Instruction& i = program_.instructions[v];
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

void Walk::walk_panel() {
  rows_ = {0};
  bound_.rows = Dims{extents_[0]};
  bound_.row_count = extents_[0];
  int64_t widest = 1;
  for (uint32_t v = 0; v < program_.instructions.size(); ++v) {
    for (size_t l = 1; l < program_.label_count; ++l) {
      if ((program_.instructions[v].labels & 1) != 0 &&
          (program_.instructions[v].labels & bit(l)) != 0) {
        widest = std::max(widest, extents_[l]);
      }
    }
  }
  bound_.tile_rows = panel_rows(widest);
  bound_.inner = bound_.piece = 0;  // columns differ by value
}

void Walk::walk_flat() {
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
      inner_ = {order.back()};
      rows_.assign(order.begin(), order.end() - 1);
    }
  } else {
    split_for_partial(order, reduced);
  }
  merge();
}

/// Longest strides first, as the first load that spans all axes lies in memory.
void Walk::sort_by_stride(std::vector<size_t>& order) const {
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

void Walk::split_for_partial(const std::vector<size_t>& order, LabelSet reduced) {
  const auto is_reduced = [&](size_t l) { return (reduced & bit(l)) != 0; };
  const size_t last = order.back();
  inner_ = {last};
  std::vector<size_t> kept;
  std::vector<size_t> gone;
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    (is_reduced(order[i]) ? gone : kept).push_back(order[i]);
  }
  if (!is_reduced(last)) {
    partial_ = Partial::columns;
    outer_ = kept;
    rows_ = gone;
  } else if (gone.empty() && extents_[last] <= kTileElements) {
    partial_ = Partial::rows;
    rows_ = kept;
  } else {
    partial_ = Partial::per_outer;
    outer_ = kept;
    rows_ = gone;
  }
}

/// Merges neighbours; a merged axis is named by its last label, merged_extent_ holds its extent.
void Walk::merge() {
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
  merge_list(outer_);
  merge_list(rows_);
  const bool inner_may_merge = partial_ == Partial::none || partial_ == Partial::per_outer;
  if (inner_may_merge && !inner_.empty() && !rows_.empty() && mergeable(rows_.back(), inner_[0])) {
    merge_into(rows_.back(), inner_[0]);
    rows_.pop_back();
  }
  if (inner_may_merge && rows_.empty()) std::swap(rows_, inner_);
  for (size_t l : outer_) bound_.outer.push_back(merged_extent_[l]);
  for (size_t l : rows_) {
    bound_.rows.push_back(merged_extent_[l]);
    bound_.row_count *= merged_extent_[l];
  }
  bound_.inner = inner_.empty() ? 1 : merged_extent_[inner_[0]];
  // Longer tiles make the merging of results rare. Column sums read their tile once, and it still
  // stays in L1; programs that only load and reduce have no values between that should stay there.
  const int64_t tile = partial_ == Partial::columns                  ? 8 * kTileElements
                       : only_reduces() && partial_ == Partial::none ? 64 * kTileElements
                                                                     : kTileElements;
  const bool may_cut = partial_ != Partial::rows;
  bound_.piece = may_cut ? std::min(bound_.inner, tile) : bound_.inner;
  bound_.tile_rows = bound_.piece < bound_.inner
                         ? 1
                         : std::max<int64_t>(1, tile / std::max<int64_t>(bound_.piece, 1));
  // Whole cache lines of eight-byte elements, so that tiles which are streamed out share none.
  const int64_t whole = 8 / std::gcd(bound_.piece, int64_t{8});
  if (bound_.tile_rows > whole) bound_.tile_rows -= bound_.tile_rows % whole;
}

bool Walk::only_reduces() const {
  return std::all_of(
      program_.instructions.begin(), program_.instructions.end(), [&](const Instruction& i) {
        return i.code == Code::load || i.code == Code::reduce ||
               (i.code == Code::store && program_.instructions[i.args[0]].code == Code::reduce);
      });
}

bool Walk::mergeable(size_t a, size_t b) const {
  return std::all_of(
             touches_.begin(), touches_.end(),
             [&](const Touch& t) { return t.strides[a] == t.strides[b] * merged_extent_[b]; }) &&
         same_labels(a, b);
}

/// Values that have one label but not the other (numbered along one axis, say) forbid a merge.
bool Walk::same_labels(size_t a, size_t b) const {
  for (const Instruction& i : program_.instructions) {
    if (i.code != Code::load && i.code != Code::index && i.code != Code::random) continue;
    if (((i.labels & bit(a)) != 0) != ((i.labels & bit(b)) != 0)) return false;
  }
  return true;
}

void Walk::merge_into(size_t a, size_t b) { merged_extent_[b] *= merged_extent_[a]; }

Access Walk::access_to(const Touch& touch) const {
  Access access;
  for (size_t l : outer_) access.outer.push_back(touch.strides[l]);
  for (size_t l : rows_) access.rows.push_back(touch.strides[l]);
  if (!inner_.empty()) access.inner = touch.strides[inner_[0]];
  return access;
}

void Walk::make_accesses() {
  for (const Touch& touch : touches_) bound_.accesses.push_back(access_to(touch));
  for (uint32_t v = 0; v < program_.instructions.size(); ++v) {
    const Instruction& i = program_.instructions[v];
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
  for (uint32_t v = 0; v < program_.instructions.size(); ++v) {
    const Instruction& i = program_.instructions[v];
    if (i.code != Code::store) continue;
    const auto touch = static_cast<size_t>(output_touch_[i.index]);
    const Instruction& source = program_.instructions[i.args[0]];
    if (source.code == Code::gram) {
      // (a, b) as the program wrote the panel's and the other operand's labels.
      const LabelSet first =
          program_.instructions[source.args[0]].labels & static_cast<LabelSet>(~1U);
      const LabelSet second =
          program_.instructions[source.args[1]].labels & static_cast<LabelSet>(~1U);
      bound_.accesses[touch].matrix_rows = stride_along(touches_[touch], first);
      bound_.accesses[touch].inner = stride_along(touches_[touch], second);
    } else {
      panel_columns_access(store_labels(i), touches_[touch], bound_.accesses[touch]);
    }
  }
}

int64_t Walk::stride_along(const Touch& touch, LabelSet labels) const {
  for (size_t l = 1; l < program_.label_count; ++l) {
    if ((labels & bit(l)) != 0) return touch.strides[l];
  }
  return 0;
}

void Walk::panel_columns_access(LabelSet labels, const Touch& touch, Access& access) const {
  access.inner = stride_along(touch, labels & static_cast<LabelSet>(~1U));
}

int64_t Walk::panel_columns(LabelSet labels) const {
  for (size_t l = 1; l < program_.label_count; ++l) {
    if ((labels & bit(l)) != 0) return extents_[l];
  }
  return 1;
}

bool Walk::has_row(LabelSet labels) const {
  if (program_.panel) return (labels & 1) != 0;
  return std::any_of(rows_.begin(), rows_.end(), [&](size_t l) { return (labels & bit(l)) != 0; });
}

bool Walk::has_inner(LabelSet labels) const {
  if (program_.panel) return (labels & static_cast<LabelSet>(~1U)) != 0;
  return !inner_.empty() && (labels & bit(inner_[0])) != 0;
}

LabelSet Walk::store_labels(const Instruction& store) const {
  LabelSet labels = 0;
  const ProgramOutput& output = program_.outputs[store.index];
  for (size_t a = 0; a < output.axes.size(); ++a) {
    if (output.axes[a] != kNoLabel && ((output.collapsed >> a) & 1) == 0) {
      labels |= bit(static_cast<size_t>(output.axes[a]));
    }
  }
  return labels;
}

}  // namespace kernels
TUFF_NAMESPACE_END
