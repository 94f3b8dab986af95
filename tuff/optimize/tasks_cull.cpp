// Keys, cull and toposort of task graphs; see tasks.h.
#include <fmt/format.h>

#include "tuff/base/error.h"
#include "tuff/graph/task_editor.h"
#include "tuff/graph/toposort.h"
#include "tuff/optimize/tasks.h"

TUFF_NAMESPACE_BEGIN

std::vector<TaskRef> Keys::handles(const TaskGraph& graph, std::string_view operation) const {
  std::vector<TaskRef> handles;
  handles.reserve(items_.size());
  for (const auto& item : items_) {
    if (const auto* handle = std::get_if<TaskRef>(&item)) {
      handles.push_back(graph.ref_to(graph.check_live(*handle, operation), handle->output));
      continue;
    }
    const auto& key = std::get<TaskKey>(item);
    const std::optional<TaskRef> found = graph.find(key);
    if (!found) {
      throw InvalidArgument(operation, fmt::format("no task has the key '{}'", to_string(key)));
    }
    handles.push_back(*found);
  }
  return handles;
}

std::vector<uint32_t> Keys::resolve(const TaskGraph& graph, std::string_view operation) const {
  std::vector<uint32_t> nodes;
  for (const TaskRef& handle : handles(graph, operation)) nodes.push_back(handle.task);
  return nodes;
}

TaskGraph cull(const TaskGraph& graph, const Keys& keys) {
  std::vector<uint8_t> needed(graph.node_count(), 0);
  std::vector<uint32_t> work;
  const auto need = [&](uint32_t node) {
    if (needed[node] != 0) return;
    needed[node] = 1;
    work.push_back(node);
  };
  for (uint32_t node : keys.resolve(graph, "cull")) need(node);
  while (!work.empty()) {
    const uint32_t node = work.back();
    work.pop_back();
    graph.each_dependency(node, [&](uint32_t input, uint32_t) {
      if (!graph.exists(input)) graph.throw_missing("cull", node, input);
      need(input);
    });
  }
  TaskGraphEditor editor(graph);
  for (uint32_t node = 0; node < graph.node_count(); ++node) {
    if (!graph.exists(node)) continue;
    if (needed[node] != 0) {
      editor.keep(node);
    } else {
      editor.set_culled(node);
    }
  }
  return editor.finish();
}

std::vector<TaskRef> toposort(const TaskGraph& graph) {
  const graph::Toposort sorted = graph::toposort(graph.edges("toposort"));
  if (!sorted.cycle.empty()) graph.throw_cycle("toposort", sorted.cycle);
  std::vector<TaskRef> nodes;
  nodes.reserve(graph.size());
  for (uint32_t node : sorted.order) {
    if (graph.exists(node)) nodes.push_back(graph.ref_to(node));
  }
  return nodes;
}

TUFF_NAMESPACE_END
