// What the tests of passes on task graphs share: graphs from a short notation, and graphs as lines.
#pragma once

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tuff/tuff.h"

namespace tuff::task_test {

/// A value that tells what was called on what, in which order: so equal results mean equal work.
inline int64_t mix(int64_t name, const std::vector<int64_t>& inputs) {
  auto hash = static_cast<uint64_t>(name) + 1;
  for (int64_t input : inputs)
    hash = (hash ^ static_cast<uint64_t>(input)) * 0x9E3779B97F4A7C15U + (hash >> 17);
  return static_cast<int64_t>(hash);
}

inline int64_t number_of(const std::string& key) {
  return static_cast<int64_t>(std::hash<std::string>()(key) % 1000003);
}

/// "c: b1 b2; a = 1; b1: a; b2: a a" as a graph: tasks with what they read, and literals. In any order.
inline TaskGraph make(const std::string& text) {
  TaskGraph graph;
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ';');) {
    std::istringstream words(item);
    std::string key;
    words >> key;
    if (key.back() != ':') {
      std::string equals;
      int64_t value = 0;
      words >> equals >> value;
      graph.literal(key, value);
      continue;
    }
    key.pop_back();
    std::vector<Node<int64_t>> inputs;
    for (std::string word; words >> word;) inputs.push_back(graph.ref<int64_t>(word));
    const int64_t number = number_of(key);
    graph.add(
        key, [number](const std::vector<int64_t>& values) { return mix(number, values); }, inputs);
  }
  return graph;
}

/// The nodes as lines "key = expression", sorted.
inline std::vector<std::string> lines(const TaskGraph& graph) {
  std::vector<std::string> result;
  for (const TaskKey& key : graph.keys())
    result.push_back(to_string(key) + " = " + graph.expression(*graph.find(key)));
  std::sort(result.begin(), result.end());
  return result;
}

/// What each key that both graphs have computes to.
inline std::map<std::string, int64_t> values(const TaskGraph& graph,
                                             const std::vector<TaskKey>& keys) {
  std::map<std::string, int64_t> result;
  std::vector<Node<int64_t>> nodes;
  for (const TaskKey& key : keys) nodes.push_back({*graph.find(key)});
  const std::vector<int64_t> computed = compute(graph, nodes);
  for (size_t i = 0; i < keys.size(); ++i) result[to_string(keys[i])] = computed[i];
  return result;
}

/// Keys that the pass left compute to what they computed to before, and are as many as it says.
inline void expect_same_values(const TaskGraph& before, const TaskGraph& after) {
  std::vector<TaskKey> keys;
  for (const TaskKey& key : after.keys()) {
    if (before.find(key)) keys.push_back(key);
  }
  if (keys.empty()) return;
  EXPECT_EQ(values(before, keys), values(after, keys));
}

}  // namespace tuff::task_test
