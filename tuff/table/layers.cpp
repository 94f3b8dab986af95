// Layers of tables; see layers.h.
#include "tuff/table/layers.h"

#include <fmt/format.h>

#include "tuff/base/block.h"
#include "tuff/graph/movement.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

namespace {

class TableFunction final : public TaskFunction {
 public:
  explicit TableFunction(std::shared_ptr<const TableTask> task) : task_(std::move(task)) {}
  std::string_view name() const override { return task_->name; }
  std::string block_name(uint32_t block) const override {
    return tuff::to_string(Dims{int64_t{block}});
  }
  void run(TaskArguments& arguments) const override { task_->run(arguments); }

 private:
  std::shared_ptr<const TableTask> task_;
};

/// Rows per tile of stack_columns: 64 columns of 8 bytes then take 128 KiB, which a second-level cache
/// holds while column after column is written into it.
constexpr int64_t kTileRows = 256;

template <class From, class To>
void place_column(const From* from, int64_t rows, int64_t stride, To* to) {
  for (int64_t i = 0; i < rows; ++i) {
    to[i * stride] =
        static_cast<To>(from[i]);  // NOLINT(bugprone-signed-char-misuse): int8 is a number
  }
}

template <class To>
void stack(TaskArguments& arguments, const Block& result) {
  const auto p = static_cast<int64_t>(arguments.inputs.size());
  const int64_t n = result.shape()[0];
  std::vector<Block> columns;
  for (Value* input : arguments.inputs) columns.push_back(input->get<Block>().contiguous());
  To* to = result.data<To>();
  for (int64_t first = 0; first < n; first += kTileRows) {
    const int64_t rows = std::min(kTileRows, n - first);
    for (int64_t c = 0; c < p; ++c) {
      const Block& column = columns[static_cast<size_t>(c)];
      visit_dtype(column.dtype(), [&](auto tag) {
        using From = decltype(tag);
        place_column(column.data<From>() + first, rows, p, to + first * p + c);
      });
    }
  }
}

}  // namespace

TableLayer::TableLayer(std::shared_ptr<const TableTask> task, std::vector<graph::Port> inputs,
                       std::vector<graph::LayerOutput> outputs)
    : Layer(std::move(inputs), std::move(outputs)), task_(std::move(task)) {
  TUFF_CHECK_EQ(task_->reads.size(), this->inputs().size());
}

void TableLayer::inputs_of(uint32_t task, std::vector<graph::InputBlock>& reads) const {
  for (uint32_t k = 0; k < inputs().size(); ++k) {
    if (task_->reads[k] == Reads::all) {
      const size_t blocks = block_count(graph::output_of(inputs()[k]).chunks);
      for (uint32_t b = 0; b < blocks; ++b) reads.push_back({k, b});
    } else {
      reads.push_back({k, task_->reads[k] == Reads::same ? task : 0});
    }
  }
}

std::shared_ptr<const TaskFunction> TableLayer::lower(const graph::LowerHints&) const {
  return std::make_shared<TableFunction>(task_);
}

graph::LayerPtr TableLayer::with_inputs(std::vector<graph::Port> inputs) const {
  return std::make_shared<TableLayer>(task_, std::move(inputs), outputs());
}

graph::Port TableLayer::sliced(uint32_t output, const graph::Slices& slices) const {
  return task_->sliced && output == 0 ? task_->sliced(inputs(), slices) : graph::Port{};
}

void TableLayer::write(graph::LayerWriter& writer) const {
  if (!writer.local) {
    throw InvalidArgument("serialize",
                          fmt::format("'{}' ({}) does not travel: files are read where they "
                                      "lie; read() them in each process",
                                      task_->name, task_->note));
  }
  writer.put(task_->key.high);
  writer.put(task_->key.low);
  for (const graph::LayerOutput& output : outputs()) {
    writer.put(output.dtype);
    writer.put_chunks(output.chunks);
  }
}

graph::LayerPtr table_layer(TableTask task, std::vector<graph::Port> inputs,
                            std::vector<graph::LayerOutput> outputs) {
  return std::make_shared<TableLayer>(std::make_shared<const TableTask>(std::move(task)),
                                      std::move(inputs), std::move(outputs));
}

graph::Port value_layer(TableTask task, std::vector<graph::Port> inputs, size_t blocks) {
  Chunks chunks = {AxisChunks::regular(static_cast<int64_t>(blocks), 1)};
  return {table_layer(std::move(task), std::move(inputs), {{DType::float64, std::move(chunks)}}),
          0};
}

graph::Port stack_columns(const std::vector<graph::Port>& columns, DType dtype) {
  TableTask task;
  task.name = "stack_columns";
  task.key = hash_bytes(std::as_bytes(std::span("stack_columns")));
  task.reads.assign(columns.size(), Reads::same);
  task.run = [dtype](TaskArguments& arguments) {
    const int64_t rows = arguments.inputs[0]->get<Block>().shape()[0];
    for (Value* input : arguments.inputs) TUFF_CHECK_EQ(input->get<Block>().shape()[0], rows);
    Block result =
        Block::allocate(dtype, Dims{rows, static_cast<int64_t>(arguments.inputs.size())});
    if (dtype == DType::float32) {
      stack<float>(arguments, result);
    } else {
      stack<double>(arguments, result);
    }
    arguments.outputs[0].emplace<Block>(std::move(result));
  };
  task.sliced = [dtype](const std::vector<graph::Port>& inputs, const graph::Slices& slices) {
    std::vector<graph::Port> chosen;
    const graph::AxisSlice& along = slices[1];
    const auto count = along.whole ? static_cast<int64_t>(inputs.size()) : along.count;
    for (int64_t c = 0; c < count; ++c) {
      const int64_t from = along.whole ? c : along.start + c * along.step;
      chosen.push_back(
          graph::slice_of(inputs[static_cast<size_t>(from)], graph::Slices{slices[0]}));
    }
    return chosen.empty() ? graph::Port{} : stack_columns(chosen, dtype);
  };
  Chunks chunks = {graph::output_of(columns[0]).chunks[0],
                   AxisChunks::whole(static_cast<int64_t>(columns.size()))};
  return {table_layer(std::move(task), columns, {{dtype, std::move(chunks)}}), 0};
}

graph::Port drop_rows(const graph::Port& column, const graph::Port& mask, AxisChunksPtr selected) {
  return {std::make_shared<graph::MaskLayer>(column, mask, std::move(selected)), 0};
}

}  // namespace table::detail
TUFF_NAMESPACE_END
