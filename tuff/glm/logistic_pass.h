// The logistic twin as a layer: one task per block of rows, or per several small ones, and one row of
// sums per task.
//
// Appended by: objective.cpp. The tree of combine.h adds the rows up.
#pragma once

#include "tuff/graph/layer.h"
#include "tuff/kernels/logistic.h"

TUFF_NAMESPACE_BEGIN
namespace glm {

class LogisticPassLayer final : public graph::Layer {
 public:
  /// X: (n, p) float64, one block of columns; y: (n,) bool, cut like the rows of X; betas: (k, p + 1)
  /// float64 in one block; columns: (2, p) or (2 + p, p) float64 in one block, the centres, the scales and
  /// perhaps the mix of kernels::LogisticColumns. Output: (tasks, k logistic_sum_count(p)), a block per row.
  LogisticPassLayer(const graph::Port& X, const graph::Port& y, const graph::Port& betas,
                    const graph::Port& columns, kernels::LogisticWants wants);
  std::string_view name() const override { return "logistic_pass"; }
  /// Small blocks share a task, as many as fit in this many bytes of X: 20 us of arithmetic, beside
  /// which planning and starting a task cost nothing. So 1000 blocks cost what 10 do. Wide Hessians share
  /// more: a task reads four times as many bytes as it leaves.
  static constexpr int64_t kTaskBytes = int64_t{1} << 20;
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<graph::InputBlock>& reads) const override;
  std::shared_ptr<const TaskFunction> lower(const graph::LowerHints&) const override;
  graph::LayerPtr with_inputs(std::vector<graph::Port> inputs) const override;
  /// Throws InvalidArgument when the layer is to leave the process: the family's expressions travel.
  void write(graph::LayerWriter& writer) const override;
  std::string note() const override;

 private:
  kernels::LogisticWants wants_;
  uint32_t blocks_per_task_;
};

}  // namespace glm
TUFF_NAMESPACE_END
