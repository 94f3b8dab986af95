// Products of blocks. Appended by array/linalg.cpp, which sums over cut inner axes with combine.h.
//
// In a panel program it is one of the contractions, as `panel_form` says; alone it is a call of the BLAS.
#pragma once

#include <optional>

#include "tuff/graph/blockwise.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// Products of blocks: a (i, k) b (k, j), either of them also 1-d. Where k is cut into several blocks
/// the output has one more axis at the end, with one element per block of k, for combine.h to sum.
class TUFF_API MatmulLayer final : public BlockwiseLayer {
 public:
  /// Of one dtype, the inner axis cut alike.
  MatmulLayer(const Port& a, const Port& b);
  std::string_view name() const override { return "matmul"; }
  uint32_t emit(Emitter& emitter, std::span<const uint32_t> args,
                const LabelMap& labels) const override;
  /// How the product fits a panel program whose rows are iteration axis `row`; null when it does not.
  enum class Form : uint8_t { times, sums };
  std::optional<Form> panel_form(size_t row) const;
  /// Input that must be a whole small matrix in that form (times with two columns axes), or -1.
  int matrix_input(size_t row) const;
  bool has_i() const { return has_i_; }
  bool has_j() const { return has_j_; }
  /// Iteration axes, in the order i, k, j; -1 when absent.
  int axis_i() const { return has_i_ ? 0 : -1; }
  int axis_k() const { return has_i_ ? 1 : 0; }
  int axis_j() const { return has_j_ ? axis_k() + 1 : -1; }
  double typical_seconds() const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  std::shared_ptr<const TaskFunction> lower(const LowerHints& hints) const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  static Alignment align(const Port& a, const Port& b);
  static Chunks output_chunks(const Alignment& alignment);
  bool has_i_;
  bool has_j_;
};

}  // namespace graph
TUFF_NAMESPACE_END
