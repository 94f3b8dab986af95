// order and diagnostics of task graphs, on the numbers of their nodes; see tasks.h.
#include <algorithm>

#include <fmt/format.h>

#include "tuff/base/error.h"
#include "tuff/graph/toposort.h"
#include "tuff/optimize/order.h"
#include "tuff/optimize/pressure.h"
#include "tuff/optimize/tasks.h"

TUFF_NAMESPACE_BEGIN

namespace {

/// The nodes that exist, numbered from 0 on, and who reads whom.
struct Live {
  std::vector<uint32_t> nodes;   // by live number
  std::vector<uint32_t> number;  // by node
  graph::Dag dag;
};

Live live_nodes(const TaskGraph& graph, std::string_view operation) {
  const Rows edges = graph.edges(operation);
  const graph::Toposort sorted = graph::toposort(edges);
  if (!sorted.cycle.empty()) graph.throw_cycle(operation, sorted.cycle);
  Live live;
  live.number.assign(graph.node_count(), UINT32_MAX);
  for (uint32_t node = 0; node < graph.node_count(); ++node) {
    if (!graph.exists(node)) continue;
    live.number[node] = static_cast<uint32_t>(live.nodes.size());
    live.nodes.push_back(node);
  }
  Rows inputs;
  inputs.items.reserve(edges.items.size());
  for (uint32_t node : live.nodes) {
    for (uint32_t input : edges[node]) inputs.items.push_back(live.number[input]);
    inputs.end_row();
  }
  live.dag = graph::make_dag(inputs);
  return live;
}

}  // namespace

std::vector<TaskRef> order(const TaskGraph& graph, const Keys& outputs) {
  const Live live = live_nodes(graph, "order");
  std::vector<uint32_t> targets;
  for (uint32_t node : outputs.resolve(graph, "order")) targets.push_back(live.number[node]);
  const std::vector<uint32_t> position = optimize::static_order(live.dag, targets);
  std::vector<TaskRef> nodes(live.nodes.size());
  for (size_t i = 0; i < position.size(); ++i) nodes[position[i]] = graph.ref_to(live.nodes[i]);
  return nodes;
}

Diagnostics diagnostics(const TaskGraph& graph, const std::vector<TaskRef>& order) {
  const Live live = live_nodes(graph, "diagnostics");
  if (order.size() != live.nodes.size()) {
    throw InvalidArgument("diagnostics", fmt::format("an order of {} nodes for a graph of {}",
                                                     order.size(), live.nodes.size()));
  }
  std::vector<uint32_t> position(order.size(), 0);
  for (uint32_t i = 0; i < order.size(); ++i)
    position[live.number[graph.check_live(order[i], "diagnostics")]] = i;
  const optimize::Pressure pressure = optimize::pressure(live.dag, position);
  Diagnostics result;
  result.peak = pressure.peak();
  for (uint32_t i = 0; i < order.size(); ++i) {
    const optimize::TaskPressure& of = pressure.tasks[live.number[order[i].task]];
    result.nodes.push_back(
        {order[i], i, of.age, of.alive_when_run, of.alive_when_released, of.freed});
  }
  result.pressure = pressure.alive;
  return result;
}

TUFF_NAMESPACE_END
