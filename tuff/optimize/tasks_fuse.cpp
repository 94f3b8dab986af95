// fuse and fuse_linear on task graphs: choose trees, write each as one task, name it. See tasks.h.
#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_map>

#include <fmt/format.h>

#include "tuff/base/context.h"
#include "tuff/base/key.h"
#include "tuff/graph/task_editor.h"
#include "tuff/graph/task_text.h"
#include "tuff/graph/toposort.h"
#include "tuff/optimize/auto_width.h"
#include "tuff/optimize/tasks.h"

TUFF_NAMESPACE_BEGIN

namespace {

using Argument = TaskGraph::Argument;
using Kind = TaskGraph::Kind;
using optimize::kNotSwallowed;

/// Dask's bound, so that keys stay readable; the last five characters tell apart what is cut off.
constexpr size_t kLongestKey = 120;

bool is_number_or_text(const Value& value) {
  const std::type_info& type = value.type();
  for (const std::type_info* known :
       {&typeid(bool), &typeid(char), &typeid(signed char), &typeid(unsigned char), &typeid(short),
        &typeid(unsigned short), &typeid(int), &typeid(unsigned), &typeid(long),
        &typeid(unsigned long), &typeid(long long), &typeid(unsigned long long), &typeid(float),
        &typeid(double), &typeid(std::string)}) {
    if (type == *known) return true;
  }
  return false;
}

/// Tasks go into no task of other options, nor by way of an alias; what may not be fused swallows nothing, and an
/// alias of it is left to it. Literals have no options.
void keep_options_apart(const TaskGraph& graph, const Rows& inputs, std::span<const uint32_t> order,
                        std::vector<uint8_t>& may) {
  std::vector<const TaskOptions*> options(graph.node_count(), nullptr);
  for (uint32_t node : order) {
    switch (graph.kind(node)) {
      case Kind::task: options[node] = &graph.options_of(node); break;
      case Kind::alias: options[node] = options[graph.target(node).number]; break;
      default: break;
    }
    if (options[node] == nullptr) continue;
    const bool fusible = options[node]->fusible;
    if (!fusible) may[node] = 0;
    for (uint32_t input : inputs[node]) {
      if (options[input] == nullptr ? !fusible : !may_fuse(*options[input], *options[node]))
        may[input] = 0;
    }
  }
}

/// Nodes that may be swallowed by the one task that reads them. `order`: inputs first.
std::vector<uint8_t> may_go(const TaskGraph& graph, const Rows& inputs,
                            std::span<const uint32_t> order, const Keys& keys,
                            std::string_view operation, bool any_literal) {
  std::vector<uint8_t> may(graph.node_count(), 0);
  for (uint32_t node = 0; node < graph.node_count(); ++node) {
    switch (graph.kind(node)) {
      case Kind::task: may[node] = graph.output_count(node) == 1 ? 1 : 0; break;
      case Kind::alias: may[node] = graph.target(node).output == 0 ? 1 : 0; break;
      case Kind::literal:
        may[node] =
            any_literal || is_number_or_text(*graph.literal_value(graph.target(node).number)) ? 1
                                                                                              : 0;
        break;
      default: break;
    }
  }
  for (uint32_t node : keys.resolve(graph, operation)) may[node] = 0;
  if (graph.has_options()) keep_options_apart(graph, inputs, order, may);
  return may;
}

/// Names of fused tasks, each combination worked out once.
class Namer {
 public:
  Namer(const TaskGraphEditor& editor, bool chain_order)
      : editor_(editor), chain_order_(chain_order) {}

  const std::string& name(std::span<const uint32_t> members) {
    parts_.clear();
    const uint32_t root = editor_.name_of(members.back());
    for (uint32_t member : members.first(members.size() - 1))
      parts_.push_back(prefix(editor_.name_of(member)));
    if (!chain_order_) {
      std::sort(parts_.begin(), parts_.end());
      parts_.erase(std::unique(parts_.begin(), parts_.end()), parts_.end());
      const auto own = std::find(parts_.begin(), parts_.end(), prefix(root));
      if (own != parts_.end()) parts_.erase(own);
    }
    parts_.push_back(root);
    const auto [at, added] = known_.try_emplace(parts_);
    if (added) at->second = text();
    return at->second;
  }

 private:
  /// The number of the prefix of a name, by a number of ours.
  uint32_t prefix(uint32_t name) {
    if (name >= prefix_of_.size()) prefix_of_.resize(name + 1, UINT32_MAX);
    if (prefix_of_[name] == UINT32_MAX) {
      const std::string_view text = graph::key_prefix(editor_.name(name));
      const auto [at, added] =
          prefix_numbers_.try_emplace(std::string(text), static_cast<uint32_t>(prefixes_.size()));
      if (added) prefixes_.emplace_back(text);
      prefix_of_[name] = at->second;
    }
    return prefix_of_[name];
  }
  std::string text() const {
    std::vector<std::string_view> words;
    for (size_t i = 0; i + 1 < parts_.size(); ++i) words.push_back(prefixes_[parts_[i]]);
    if (!chain_order_) std::sort(words.begin(), words.end());
    words.push_back(editor_.name(parts_.back()));
    std::string joined = fmt::format("{}", fmt::join(words, "-"));
    if (joined.size() <= kLongestKey) return joined;
    const uint64_t hash = hash_bytes(std::as_bytes(std::span(joined))).low;
    return fmt::format("{}-{:04x}", joined.substr(0, kLongestKey - 5), hash & 0xFFFF);
  }

  const TaskGraphEditor& editor_;
  bool chain_order_;
  std::vector<uint32_t> prefix_of_;
  std::vector<std::string> prefixes_;
  std::unordered_map<std::string, uint32_t> prefix_numbers_;
  std::map<std::vector<uint32_t>, std::string> known_;
  std::vector<uint32_t> parts_;
};

/// Writes the graph in which each tree is one task.
class Fuser {
 public:
  Fuser(const TaskGraph& graph, const FuseOptions& options, bool chain_order)
      : graph_(graph),
        options_(options),
        editor_(graph),
        namer_(editor_, chain_order),
        place_(graph.node_count()) {}

  TaskGraph run(const Rows& trees, std::span<const uint32_t> swallowed_by) {
    std::vector<uint8_t> is_root(graph_.node_count(), 0);
    for (size_t i = 0; i < trees.count(); ++i) is_root[trees[i].back()] = 1;
    for (uint32_t node = 0; node < graph_.node_count(); ++node) {
      if (graph_.exists(node) && is_root[node] == 0 && swallowed_by[node] == kNotSwallowed)
        editor_.keep(node);
    }
    for (size_t i = 0; i < trees.count(); ++i) write(trees[i]);
    return editor_.finish();
  }

 private:
  struct Place {
    Argument at;
    bool inside = false;
  };

  void write(std::span<const uint32_t> members) {
    const uint32_t root = members.back();
    const uint32_t named = options_.rename_keys ? new_node(members) : TaskGraphEditor::kNone;
    const uint32_t node = named != TaskGraphEditor::kNone ? named : root;
    editor_.begin_task(node);
    Argument result;
    for (uint32_t member : members) {
      result = place(member);
      place_[member] = {result, true};
    }
    finish(node, result);
    for (uint32_t member : members) {
      place_[member].inside = false;
      if (member != root) editor_.set_fused(member, node);
    }
    if (node != root) editor_.set_alias(root, {Argument::From::task, node, 0});
  }

  /// The key of the fused task, unless it is taken.
  uint32_t new_node(std::span<const uint32_t> members) {
    if (!options_.renamer)
      return editor_.append(std::string_view(namer_.name(members)), members.back());
    std::vector<TaskKey> keys;
    for (uint32_t member : members) keys.push_back(graph_.key_of(member));
    return editor_.append(options_.renamer(keys));
  }

  Argument place(uint32_t member) {
    if (graph_.kind(member) == Kind::literal) return graph_.target(member);
    if (graph_.kind(member) == Kind::alias) return resolved(graph_.target(member));
    const uint32_t last =
        editor_.add_calls_of(member, [this](const Argument& a) { return resolved(a); });
    return {Argument::From::part, last, 0};
  }

  Argument resolved(const Argument& argument) const {
    if (argument.from != Argument::From::task || !place_[argument.number].inside) return argument;
    return place_[argument.number].at;
  }

  /// A tree without any call is a literal or an alias under another name.
  void finish(uint32_t node, const Argument& result) {
    switch (result.from) {
      case Argument::From::part: editor_.end_task(); break;
      case Argument::From::literal: editor_.set_literal(node, result.number); break;
      case Argument::From::task: editor_.set_alias(node, result); break;
    }
  }

  const TaskGraph& graph_;
  const FuseOptions& options_;
  TaskGraphEditor editor_;
  Namer namer_;
  std::vector<Place> place_;
};

std::vector<uint32_t> sorted_or_throw(const TaskGraph& graph, const Rows& inputs,
                                      std::string_view operation) {
  graph::Toposort sorted = graph::toposort(inputs);
  if (!sorted.cycle.empty()) graph.throw_cycle(operation, sorted.cycle);
  return std::move(sorted.order);
}

}  // namespace

TaskGraph fuse_linear(const TaskGraph& graph, const FuseOptions& options) {
  const Rows inputs = graph.edges("fuse_linear");
  const std::vector<uint32_t> order = sorted_or_throw(graph, inputs, "fuse_linear");
  const std::vector<uint8_t> may = may_go(graph, inputs, order, options.keys, "fuse_linear", true);
  std::vector<uint8_t> readers(graph.node_count(), 0);
  for (uint32_t input : inputs.items) {
    if (readers[input] < 2) ++readers[input];
  }
  std::vector<uint32_t> swallowed_by(graph.node_count(), kNotSwallowed);
  for (uint32_t node = 0; node < graph.node_count(); ++node) {
    if (inputs[node].size() != 1) continue;
    const uint32_t input = inputs[node][0];
    if (readers[input] == 1 && may[input] != 0) swallowed_by[input] = node;
  }
  return Fuser(graph, options, true)
      .run(optimize::fused_trees(inputs, order, swallowed_by), swallowed_by);
}

TaskGraph fuse(const TaskGraph& graph, const FuseOptions& options) {
  const Rows inputs = graph.edges("fuse");
  const std::vector<uint32_t> order = sorted_or_throw(graph, inputs, "fuse");
  const std::vector<uint8_t> may = may_go(graph, inputs, order, options.keys, "fuse", false);
  std::vector<uint32_t> swallowed_by;
  const int threads = options.threads > 0 ? options.threads : Context::current().threads();
  if (options.widths.ave_width) {
    swallowed_by = optimize::choose_fusion(
        inputs, order, may, optimize::widths_of(options.widths, *options.widths.ave_width, "fuse"));
  } else {
    std::vector<float> seconds(graph.node_count(), 0.0F);
    for (uint32_t node = 0; node < graph.node_count(); ++node)
      seconds[node] = static_cast<float>(graph.typical_seconds(node));
    swallowed_by =
        optimize::choose_width(inputs, order, may, seconds, options.widths, threads, "fuse")
            .swallowed_by;
  }
  return Fuser(graph, options, false)
      .run(optimize::fused_trees(inputs, order, swallowed_by), swallowed_by);
}

TUFF_NAMESPACE_END
