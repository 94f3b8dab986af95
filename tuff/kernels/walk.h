// The walk over one block: which axes are outer, rows and inner, how long a tile is, where each array lies.
//
// Made by bind.cpp before it turns instructions into steps. Choices depend on the program, the extents and the
// strides alone; partial reductions decide where the kept and the reduced axes go.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "tuff/kernels/bind.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

using LabelStrides = std::array<int64_t, kMaxLabels>;

constexpr LabelSet bit(size_t label) { return static_cast<LabelSet>(1U << label); }

/// What an instruction touches in memory, by label.
struct Touch {
  LabelStrides strides{};
  LabelSet labels = 0;
};

/// The order of labels and their split into outer, row and inner axes.
class Walk {
 public:
  enum class Partial : uint8_t { none, columns, per_outer, rows };

  /// Fills the extents, the tiles and the accesses of `bound`, one access per touch.
  Walk(const Program& program, std::span<const int64_t> extents, std::span<const Dims> strides,
       std::span<const Dims> output_strides, Bound& bound);

  /// How reductions that keep some axes are walked.
  Partial partial() const { return partial_; }
  bool has_rows() const { return !rows_.empty(); }
  bool has_inner() const { return !inner_.empty(); }
  /// Whether something with these labels has a row for each row of the tile, or columns.
  bool has_row(LabelSet labels) const;
  bool has_inner(LabelSet labels) const;

  /// The access of a load, a random source or an index, and of an output.
  uint32_t access_of(uint32_t v) const { return static_cast<uint32_t>(touch_of_[v]); }
  uint32_t access_of_output(uint32_t output) const {
    return static_cast<uint32_t>(output_touch_[output]);
  }
  const Touch& touch_of(uint32_t v) const { return touches_[static_cast<size_t>(touch_of_[v])]; }
  /// Labels that a stored value has in the output.
  LabelSet store_labels(const Instruction& store) const;

  /// Panels: the stride, and the extent, along the one label that is not the row.
  int64_t stride_along(const Touch& touch, LabelSet labels) const;
  int64_t panel_columns(LabelSet labels) const;

 private:
  void find_touches(std::span<const Dims> strides, std::span<const Dims> output_strides);
  void walk_panel();
  void walk_flat();
  void sort_by_stride(std::vector<size_t>& order) const;
  void split_for_partial(const std::vector<size_t>& order, LabelSet reduced);
  void merge();
  bool only_reduces() const;
  bool mergeable(size_t a, size_t b) const;
  bool same_labels(size_t a, size_t b) const;
  void merge_into(size_t a, size_t b);
  Access access_to(const Touch& touch) const;
  void make_accesses();
  void panel_columns_access(LabelSet labels, const Touch& touch, Access& access) const;

  const Program& program_;
  std::span<const int64_t> extents_;
  Bound& bound_;
  std::vector<size_t> outer_;
  std::vector<size_t> rows_;
  std::vector<size_t> inner_;  // at most one before merging
  Partial partial_ = Partial::none;
  std::vector<Touch> touches_;
  std::vector<int64_t> touch_of_;      // by value; -1 where it touches nothing
  std::vector<int64_t> output_touch_;  // by output
  std::vector<int64_t> merged_extent_;
};

}  // namespace kernels
TUFF_NAMESPACE_END
