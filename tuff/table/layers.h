// The layers that tables append: reading tasks, per-column tasks, and columns side by side.
//
// Called by table.cpp, parquet.cpp and csv.cpp. One class serves all, since they differ only in what a
// task does: a function, and a key which says what that function computes.
#pragma once

#include <functional>

#include "tuff/base/key.h"
#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

/// Which blocks of an input task t reads.
enum class Reads {
  same,   ///< block t
  first,  ///< block 0: the input has one block
  all,    ///< every block, in order
};

struct TableTask {
  std::string name;          ///< of the operation, e.g. "read_parquet"
  std::string note;          ///< for people, e.g. "column delay of flights.parquet"
  Key key;                   ///< equal keys on equal inputs compute the same
  std::vector<Reads> reads;  ///< by input
  /// Fills arguments.outputs. Called from any thread, several at once.
  std::function<void(TaskArguments& arguments)> run;
  /// Slices of output 0 made from these inputs, as Layer::sliced says; empty when that saves nothing.
  std::function<graph::Port(const std::vector<graph::Port>& inputs, const graph::Slices& slices)>
      sliced = {};
};

/// Tasks 0 .. n - 1 make the blocks of all outputs along the first axis, where output 0 has n blocks.
class TableLayer final : public graph::Layer {
 public:
  TableLayer(std::shared_ptr<const TableTask> task, std::vector<graph::Port> inputs,
             std::vector<graph::LayerOutput> outputs);
  std::string_view name() const override { return task_->name; }
  bool reads_everything() const override { return true; }
  void inputs_of(uint32_t task, std::vector<graph::InputBlock>& reads) const override;
  std::shared_ptr<const TaskFunction> lower(const graph::LowerHints&) const override;
  graph::LayerPtr with_inputs(std::vector<graph::Port> inputs) const override;
  graph::Port sliced(uint32_t output, const graph::Slices& slices) const override;
  /// Throws InvalidArgument unless writing is local: files are read where they lie.
  void write(graph::LayerWriter& writer) const override;
  std::string note() const override { return task_->note; }
  /// Reading and converting a column's block of a file: a millisecond.
  double typical_seconds() const override { return 1e-3; }

 private:
  std::shared_ptr<const TableTask> task_;
};

/// A layer of `blocks` tasks whose only output is a C++ value per task.
graph::Port value_layer(TableTask task, std::vector<graph::Port> inputs, size_t blocks);
/// A layer with these outputs.
graph::LayerPtr table_layer(TableTask task, std::vector<graph::Port> inputs,
                            std::vector<graph::LayerOutput> outputs);

/// Columns side by side, (n, p) row-major, cast to `dtype`, which is a float. All are cut alike.
graph::Port stack_columns(const std::vector<graph::Port>& columns, DType dtype);

/// Rows of a where `mask` holds; `selected` are the chunks that all columns of the table share.
graph::Port drop_rows(const graph::Port& column, const graph::Port& mask, AxisChunksPtr selected);

}  // namespace table::detail
TUFF_NAMESPACE_END
