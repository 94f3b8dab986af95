// Putting partial results together: the tree above reductions and contractions, and its last step.
//
// ReduceLayer and MatmulLayer leave one element (or one slice) per block along the reduced axes.
// combine_tree merges neighbours, up to kFanIn at a time, until one block is left. The tree depends
// on the number of blocks alone, so sums are bit-equal whatever the number of threads.
#pragma once

#include "tuff/graph/layer.h"
#include "tuff/ops/table.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

/// Blocks merged by one task: wide enough that 10,000 blocks need four levels (669 tasks), narrow
/// enough that a task holds few blocks at once.
inline constexpr int64_t kFanIn = 16;

/// One level of the tree along `axes`: each task merges up to `fan_in` neighbours per axis.
class TUFF_API CombineLayer final : public Layer {
 public:
  /// The input has one element per block along `axes`, which ascend; moments lie along its last axis.
  CombineLayer(ops::Reduction reduction, Port input, Axes axes, int64_t fan_in);
  std::string_view name() const override { return "combine"; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override;
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  ops::Reduction reduction_;
  Axes axes_;
  int64_t fan_in_;
};

/// Merges along `axes` until each has one block of one element.
TUFF_API Port combine_tree(ops::Reduction reduction, Port partial, const Axes& axes);

/// From n, mean and m2 on the last axis to mean, variance or standard deviation.
class TUFF_API FinishMomentsLayer final : public Layer {
 public:
  enum class Moment : uint8_t { mean, var, std };
  /// `dtype`: a floating one. `ddof`: subtracted from n in the divisor of var and std; n - ddof <= 0 gives NaN.
  FinishMomentsLayer(Moment moment, double ddof, DType dtype, Port input);
  std::string_view name() const override { return "finish_moments"; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override {
    reads.push_back({0, task});
  }
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override;
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  Moment moment_;
  double ddof_;
};

/// Passes input 0 on where input 1 (int64 counts of the same shape) is not 0; a count of 0 fails the run.
class TUFF_API RequireElementsLayer final : public Layer {
 public:
  RequireElementsLayer(std::string operation, Port value, Port count);
  std::string_view name() const override { return "require_elements"; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<InputBlock>& reads) const override {
    reads.push_back({0, task});
    reads.push_back({1, task});
  }
  std::shared_ptr<const TaskFunction> lower(const LowerHints&) const override;
  LayerPtr with_inputs(std::vector<Port> inputs) const override;
  void write(LayerWriter& writer) const override;
  std::string note() const override { return operation_; }
  static LayerPtr read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view name);

 private:
  std::string operation_;
};

}  // namespace graph
TUFF_NAMESPACE_END
