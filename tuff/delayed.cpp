// The untyped half of delayed; see delayed.h.
#include "tuff/delayed.h"

#include <fmt/format.h>

#include "tuff/graph/movement.h"
#include "tuff/optimize/optimize.h"
#include "tuff/schedule/run.h"

TUFF_NAMESPACE_BEGIN
namespace detail {

graph::Port single_block(const graph::Port& array) {
  const Chunks& chunks = graph::output_of(array).chunks;
  if (block_count(chunks) == 1) return array;
  if (!is_known(chunks)) {
    throw InvalidArgument("delayed",
                          fmt::format("an array argument of shape {} has unknown extents; call "
                                      "compute_chunk_sizes() first",
                                      to_string(shape_of(chunks))));
  }
  Chunks whole;
  for (const AxisChunksPtr& axis : chunks)
    whole.push_back(AxisChunks::whole(axis->extent().value()));
  return {std::make_shared<graph::RechunkLayer>(array, std::move(whole)), 0};
}

std::vector<Value> run_ports(const std::vector<graph::Port>& ports, const RunOptions& options) {
  for (const graph::Port& port : ports) graph::check_port("compute", port, false);
  const CompileOptions compile = compile_options_for(options);
  graph::Lowered lowered = optimize::lower(optimize::optimize_layers(ports, compile.passes),
                                           compile.passes, nullptr, compile.tasks);
  if (!lowered.parameters.empty()) {
    throw InvalidArgument("compute",
                          "parameter '" + lowered.parameters[0]->label() +
                              "' is not bound; compile() a plan and run it with bindings");
  }
  return Runner(std::move(lowered.arrays)).run({}, options);
}

void check_options(const TaskOptions& options) { tuff::check(options, "delayed"); }

}  // namespace detail
TUFF_NAMESPACE_END
