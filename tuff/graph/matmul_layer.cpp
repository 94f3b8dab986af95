// Matrix products as a layer, in panel programs and alone; see matmul_layer.h.
#include "tuff/graph/matmul_layer.h"

#include <array>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "tuff/kernels/panel.h"

TUFF_NAMESPACE_BEGIN
namespace graph {

using kernels::Code;

Alignment MatmulLayer::align(const Port& a, const Port& b) {
  const Chunks& ac = output_of(a).chunks;
  const Chunks& bc = output_of(b).chunks;
  const bool fits = !ac.empty() && ac.size() <= 2 && !bc.empty() && bc.size() <= 2 &&
                    same_chunks(ac.back(), bc[0]) && output_of(a).dtype == output_of(b).dtype;
  if (!fits) {
    throw InvalidArgument(
        "matmul", fmt::format("{} {} x {} {}: factors of one type with the inner axis cut alike "
                              "are needed",
                              name_of(output_of(a).dtype), tuff::to_string(ac),
                              name_of(output_of(b).dtype), tuff::to_string(bc)));
  }
  Alignment alignment;
  const bool has_i = ac.size() == 2;
  const bool has_j = bc.size() == 2;
  if (has_i) alignment.space.push_back(ac[0]);
  const auto k = static_cast<int8_t>(alignment.space.size());
  alignment.space.push_back(ac.back());
  const auto j = static_cast<int8_t>(alignment.space.size());
  if (has_j) alignment.space.push_back(bc[1]);
  alignment.inputs.push_back(has_i ? LabelMap{0, k} : LabelMap{k});
  alignment.inputs.push_back(has_j ? LabelMap{k, j} : LabelMap{k});
  if (has_i) alignment.output.push_back(0);
  if (has_j) alignment.output.push_back(j);
  if (ac.back()->count() > 1) {
    alignment.collapsed = static_cast<uint8_t>(1U << alignment.output.size());
    alignment.output.push_back(k);
  }
  alignment.reduced = static_cast<uint8_t>(1U << k);
  return alignment;
}

Chunks MatmulLayer::output_chunks(const Alignment& alignment) {
  Chunks chunks;
  for (size_t a = 0; a < alignment.output.size(); ++a) {
    const AxisChunksPtr& axis = alignment.space[static_cast<size_t>(alignment.output[a])];
    const bool collapsed = ((alignment.collapsed >> a) & 1) != 0;
    chunks.push_back(collapsed ? AxisChunks::regular(static_cast<int64_t>(axis->count()), 1)
                               : axis);
  }
  return chunks;
}

MatmulLayer::MatmulLayer(const Port& a, const Port& b)
    : BlockwiseLayer({a, b}, output_of(a).dtype, output_chunks(align(a, b)), align(a, b)),
      has_i_(output_of(a).chunks.size() == 2),
      has_j_(output_of(b).chunks.size() == 2) {}

std::optional<MatmulLayer::Form> MatmulLayer::panel_form(size_t row) const {
  if (kernels::find_panel(outputs()[0].dtype) == nullptr) return std::nullopt;
  // The product of two vectors ends in a sum, which is float64's alone.
  if (!has_i_ && !has_j_ && outputs()[0].dtype != DType::float64) return std::nullopt;
  return static_cast<int>(row) == axis_k() ? Form::sums : Form::times;
}

int MatmulLayer::matrix_input(size_t row) const {
  if (static_cast<int>(row) == axis_i() && has_j_) return 1;
  if (static_cast<int>(row) == axis_j() && has_i_) return 0;
  return -1;
}

namespace {

/// The same values, with all of `labels`: a factor that was stretched (a constant, say) lacks some, and
/// contractions take their extents from the labels of their factors.
uint32_t spread(Emitter& emitter, uint32_t value, LabelSet labels) {
  const DType dtype = emitter.dtype_of_value(value);
  for (int label = 0; label < static_cast<int>(kernels::kMaxLabels); ++label) {
    if ((labels & static_cast<LabelSet>(~emitter.labels_of(value)) & set_of(label)) == 0) continue;
    const std::array<std::byte, 8> yes{std::byte{1}};
    const uint32_t choice[3] = {emitter.constant(DType::bool_, yes), value,
                                emitter.cast(emitter.index(static_cast<uint32_t>(label)), dtype)};
    value = emitter.elementwise(ops::Elementwise::where, dtype, dtype, choice);
  }
  return value;
}

}  // namespace

uint32_t MatmulLayer::emit(Emitter& emitter, std::span<const uint32_t> args,
                           const LabelMap& labels) const {
  const int8_t inner = labels[static_cast<size_t>(axis_k())];
  const LabelSet k = inner == kNoLabel ? LabelSet{0} : set_of(inner);
  const auto factor = [&](size_t input) {
    LabelSet wanted = 0;
    for (int8_t axis : alignment().inputs[input]) {
      const int8_t label = labels[static_cast<size_t>(axis)];
      if (label != kNoLabel) wanted |= set_of(label);
    }
    return spread(emitter, args[input], wanted);
  };
  const uint32_t a = factor(0);
  const uint32_t b = factor(1);
  if (k == 1) {  // the rows of the panel are summed over
    if (has_i_ && has_j_) return emitter.contract(Code::gram, a, b, k);
    if (has_i_) return emitter.contract(Code::row_sums, a, b, k);
    if (has_j_) return emitter.contract(Code::row_sums, b, a, k);
    const uint32_t pair[2] = {a, b};
    const DType t = emitter.dtype_of_value(a);
    return emitter.reduce(ops::Reduction::sum,
                          emitter.elementwise(ops::Elementwise::multiply, t, t, pair), k, k);
  }
  if (k == 0) {  // an inner extent of 1: nothing to sum
    const uint32_t pair[2] = {a, b};
    return emitter.elementwise(ops::Elementwise::multiply, outputs()[0].dtype, outputs()[0].dtype,
                               pair);
  }
  // A matrix of one column (or one row, from the left) is read as a vector.
  const auto is_matrix = [&](bool has, int axis) {
    return has && labels[static_cast<size_t>(axis)] != kNoLabel;
  };
  if (has_i_ && labels[static_cast<size_t>(axis_i())] == 0) {
    return emitter.contract(is_matrix(has_j_, axis_j()) ? Code::times_matrix : Code::times_vector,
                            a, b, k);
  }
  return emitter.contract(is_matrix(has_i_, axis_i()) ? Code::times_matrix : Code::times_vector, b,
                          a, k);
}

LayerPtr MatmulLayer::with_inputs(std::vector<Port> inputs) const {
  return std::make_shared<MatmulLayer>(inputs[0], inputs[1]);
}

void MatmulLayer::write(LayerWriter&) const {}

LayerPtr MatmulLayer::read(LayerReader& reader, const std::vector<Port>& inputs, std::string_view) {
  reader.need_inputs(inputs, 2);
  return reader.make<MatmulLayer>(inputs[0], inputs[1]);
}

namespace {

class MatmulTask final : public TaskFunction {
 public:
  MatmulTask(DType dtype, bool has_i, bool has_j, bool partial)
      : dtype_(dtype), has_i_(has_i), has_j_(has_j), partial_(partial) {}
  std::string_view name() const override { return "matmul"; }
  void run(TaskArguments& arguments) const override {
    const Block& a = arguments.inputs[0]->get<Block>();
    const Block& b = arguments.inputs[1]->get<Block>();
    const int64_t m = has_i_ ? a.shape()[0] : 1;
    const int64_t k = a.shape().back();
    const int64_t n = has_j_ ? b.shape()[1] : 1;
    check_alike("matmul", k, b.shape()[0]);
    Dims shape;
    if (has_i_) shape.push_back(m);
    if (has_j_) shape.push_back(n);
    if (partial_) shape.push_back(1);
    Block product = Block::allocate(dtype_, shape);
    kernels::matrix_multiply(dtype_, static_cast<size_t>(m), static_cast<size_t>(n),
                             static_cast<size_t>(k), a.bytes_data(), has_i_ ? a.strides()[0] : k,
                             a.strides().back(), b.bytes_data(), b.strides()[0],
                             has_j_ ? b.strides()[1] : 1, product.bytes_data(),
                             static_cast<size_t>(n), StopRequest(arguments.stop));
    arguments.outputs[0].emplace<Block>(std::move(product));
  }

 private:
  DType dtype_;
  bool has_i_;
  bool has_j_;
  bool partial_;
};

}  // namespace

double MatmulLayer::typical_seconds() const {
  constexpr double kSecondsPerProduct = 1e-10;  // BLAS on one core: 10 to 50 multiply-adds per ns
  double products = 1;
  for (const AxisChunksPtr& axis : alignment().space)
    products *= static_cast<double>(axis->largest());
  return Layer::typical_seconds() + products * kSecondsPerProduct;
}

std::shared_ptr<const TaskFunction> MatmulLayer::lower(const LowerHints&) const {
  return std::make_shared<MatmulTask>(outputs()[0].dtype, has_i_, has_j_,
                                      alignment().collapsed != 0);
}

}  // namespace graph
TUFF_NAMESPACE_END
