// Nodes, keys and arguments of a TaskGraph; see taskgraph.h. Keys are looked up in an open-addressing
// table of node numbers: 4 to 8 bytes per key, and no allocation per task.
#include "tuff/graph/taskgraph.h"

#include <algorithm>
#include <atomic>
#include <charconv>

#include <fmt/format.h>

#include "tuff/base/error.h"
#include "tuff/graph/task_text.h"

TUFF_NAMESPACE_BEGIN

namespace {

constexpr std::string_view kName = "TaskGraph";
/// Tasks whose key says nothing are called this.
constexpr std::string_view kUnnamed = "task";

uint32_t fresh_stamp() {
  static std::atomic<uint32_t> next = 1;
  return next.fetch_add(1, std::memory_order_relaxed);
}

/// Whether the text ends like a fresh key, and with which number.
std::optional<uint32_t> number_of_fresh(std::string_view text) {
  const size_t at = text.rfind('#');
  if (at == std::string_view::npos || at + 1 == text.size()) return std::nullopt;
  uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data() + at + 1, end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

}  // namespace

std::string to_string(const TaskKey& key) {
  if (key.index.empty()) return key.name;
  return fmt::format("{}[{}]", key.name, fmt::join(key.index.begin(), key.index.end(), ", "));
}

TaskGraph::TaskGraph() : stamp_(fresh_stamp()) {}

// ---- keys ----------------------------------------------------------------------------------------

TaskGraph::KeyStore& TaskGraph::own_keys() {
  if (keys_.use_count() > 1) keys_ = std::make_shared<KeyStore>(*keys_);
  return *keys_;
}

uint32_t TaskGraph::append_index(const Dims& index) {
  if (index.empty()) return 0;
  std::vector<int64_t>& indices = own_keys().indices;
  const auto at = static_cast<uint32_t>(indices.size());
  indices.push_back(static_cast<int64_t>(index.size()));
  indices.insert(indices.end(), index.begin(), index.end());
  return at;
}

std::span<const int64_t> TaskGraph::KeyStore::index_of(uint32_t node) const {
  if (index[node] == kFresh) return {};
  const int64_t* at = indices.data() + index[node];
  return {at + 1, static_cast<size_t>(*at)};
}

TaskKey TaskGraph::KeyStore::key_of(uint32_t node) const {
  const std::string_view text = names[name[node]];
  if (index[node] == kFresh) return {fmt::format("{}#{}", text, node)};
  const std::span<const int64_t> place = index_of(node);
  return {std::string(text), Dims(place.begin(), place.end())};
}

class TaskGraph::Labels final : public TaskLabels {
 public:
  explicit Labels(std::shared_ptr<const KeyStore> keys) : keys_(std::move(keys)) {}
  std::string label(uint32_t node) const override { return to_string(keys_->key_of(node)); }

 private:
  std::shared_ptr<const KeyStore> keys_;
};

std::shared_ptr<const TaskLabels> TaskGraph::labels() const {
  return std::make_shared<Labels>(keys_);
}

uint64_t TaskGraph::hash_of(uint32_t name, std::span<const int64_t> index) const {
  uint64_t hash = (name + 1) * 0x9E3779B97F4A7C15u;
  for (int64_t i : index)
    hash = ((hash ^ (hash >> 29)) + static_cast<uint64_t>(i)) * 0xBF58476D1CE4E5B9u;
  return hash ^ (hash >> 32);
}

/// The node of this key, or kNone.
uint32_t TaskGraph::lookup(std::string_view name, std::span<const int64_t> index) const {
  if (const auto fresh = number_of_fresh(name); fresh && index.empty()) {
    const uint32_t node = *fresh;
    const bool is_it = node < nodes_.size() && keys_->index[node] == kFresh &&
                       name.substr(0, name.rfind('#')) == keys_->names[keys_->name[node]];
    return is_it ? node : kNone;
  }
  const uint32_t number = keys_->names.find(name);
  if (number == kNone || table_.empty()) return kNone;
  const size_t mask = table_.size() - 1;
  for (size_t at = hash_of(number, index) & mask;; at = (at + 1) & mask) {
    const uint32_t node = table_[at];
    if (node == kNone) return kNone;
    if (keys_->name[node] != number) continue;
    const std::span<const int64_t> other = keys_->index_of(node);
    if (std::equal(other.begin(), other.end(), index.begin(), index.end())) return node;
  }
}

void TaskGraph::grow_table() {
  table_.assign(std::max<size_t>(64, table_.size() * 2), kNone);
  entered_ = 0;
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    if (keys_->index[node] != kFresh) enter(node);
  }
}

/// Makes the key of a node known. At most two thirds of the table are taken.
void TaskGraph::enter(uint32_t node) {
  if ((entered_ + 1) * 3 > table_.size() * 2) {
    grow_table();  // enters this node too
    return;
  }
  const size_t mask = table_.size() - 1;
  size_t at = hash_of(keys_->name[node], keys_->index_of(node)) & mask;
  while (table_[at] != kNone) at = (at + 1) & mask;
  table_[at] = node;
  ++entered_;
}

std::optional<TaskRef> TaskGraph::find(const TaskKey& key) const {
  const uint32_t node = lookup(key.name, {key.index.data(), key.index.size()});
  if (node == kNone || !exists(node)) return std::nullopt;
  return ref_to(node);
}

std::vector<TaskKey> TaskGraph::keys() const {
  std::vector<TaskKey> keys;
  keys.reserve(live_);
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    if (exists(node)) keys.push_back(key_of(node));
  }
  return keys;
}

// ---- building ------------------------------------------------------------------------------------

uint32_t TaskGraph::append_node(Kind kind) {
  const auto node = static_cast<uint32_t>(nodes_.size());
  if (node == kNumber) {
    throw InvalidArgument(kName, fmt::format("{} tasks; no more fit into one graph", node));
  }
  NodeRecord record;
  record.kind = kind;
  nodes_.push_back(record);
  return node;
}

uint32_t TaskGraph::new_node(const TaskKey* key, std::string_view fresh_name) {
  if (key == nullptr) {
    const uint32_t name = own_keys().names.add(fresh_name.empty() ? kUnnamed : fresh_name);
    const uint32_t node = append_node(Kind::undefined);
    keys_->name.push_back(name);
    keys_->index.push_back(kFresh);
    return node;
  }
  const uint32_t known = lookup(key->name, {key->index.data(), key->index.size()});
  if (known != kNone) {
    if (kind(known) == Kind::undefined) return known;
    throw InvalidArgument(
        kName, fmt::format("key '{}' is taken by a {}; keys must differ", to_string(*key),
                           kind(known) == Kind::literal ? "literal" : "task"));
  }
  if (key->name.empty()) {
    throw InvalidArgument(kName,
                          "an empty key; a key needs a name (or leave it out for a fresh one)");
  }
  if (number_of_fresh(key->name)) {
    throw InvalidArgument(
        kName, fmt::format("key '{}': a name may not end in # and a number, as fresh keys do",
                           to_string(*key)));
  }
  const uint32_t name = own_keys().names.add(key->name);
  const uint32_t node = append_node(Kind::undefined);
  keys_->name.push_back(name);
  keys_->index.push_back(append_index(key->index));
  enter(node);
  return node;
}

TaskRef TaskGraph::finish_task(uint32_t node, uint32_t function, uint32_t first_argument) {
  Part part;
  part.function = function;
  part.first_argument = first_argument;
  part.argument_count = static_cast<uint32_t>(arguments_.size()) - first_argument;
  part.origin = node;
  nodes_[node].first = static_cast<uint32_t>(parts_.size());
  nodes_[node].count = 1;
  nodes_[node].kind = Kind::task;
  parts_.push_back(part);
  ++live_;
  return ref_to(node);
}

TaskRef TaskGraph::add_literal(const TaskKey* key, Value value) {
  const uint32_t node = new_node(key, {});
  nodes_[node].first = static_cast<uint32_t>(literals_.size());
  nodes_[node].kind = Kind::literal;
  literals_.push_back(std::make_shared<const Value>(std::move(value)));
  ++live_;
  return ref_to(node);
}

TaskRef TaskGraph::add_alias(const TaskKey& key, const TaskRef& of) {
  const Argument target{Argument::From::task, check(of), of.output};
  const uint32_t node = new_node(&key, {});
  nodes_[node].first = encode(target);
  nodes_[node].kind = Kind::alias;
  ++live_;
  return ref_to(node);
}

TaskRef TaskGraph::reference(const TaskKey& key) {
  const uint32_t known = lookup(key.name, {key.index.data(), key.index.size()});
  return ref_to(known != kNone ? known : new_node(&key, {}));
}

void TaskGraph::push_argument(const TaskRef& node) {
  arguments_.push_back(encode({Argument::From::task, check(node), node.output}));
}

void TaskGraph::push_literal(Value value) {
  arguments_.push_back(
      encode({Argument::From::literal, static_cast<uint32_t>(literals_.size()), 0}));
  literals_.push_back(std::make_shared<const Value>(std::move(value)));
}

void TaskGraph::push_number(const void* type, uint64_t bits, Value value) {
  const auto [at, added] =
      number_literals_.try_emplace({type, bits, 0}, static_cast<uint32_t>(literals_.size()));
  if (added) literals_.push_back(std::make_shared<const Value>(std::move(value)));
  arguments_.push_back(encode({Argument::From::literal, at->second, 0}));
}

uint32_t TaskGraph::operation_number(const TaskKey* key, std::string_view given) {
  if (!given.empty()) return own_keys().names.add(given);
  return own_keys().names.add(key != nullptr ? graph::key_prefix(key->name) : kUnnamed);
}

uint32_t TaskGraph::find_function(const void* type, uint64_t bits, uint32_t name) const {
  const auto found = function_numbers_.find({type, bits, name});
  return found == function_numbers_.end() ? kNone : found->second;
}

uint32_t TaskGraph::add_function(Function function, const void* type, uint64_t bits) {
  const auto number = static_cast<uint32_t>(functions_.size());
  if (type != nullptr) function_numbers_.emplace(Once{type, bits, function.name}, number);
  functions_.push_back(std::move(function));
  return number;
}

// ---- options -------------------------------------------------------------------------------------

void TaskGraph::set(const TaskRef& task, const TaskOptions& options) {
  const uint32_t node = task_of(task);
  tuff::check(options, to_string(key_of(node)));
  for (uint32_t p = 0; p < nodes_[node].count; ++p)
    set_retries(nodes_[node].first + p, static_cast<uint32_t>(options.retries));
  option_of_[node] = option_sets_.number(options);
}

void TaskGraph::set_retries(size_t part, uint32_t retries) {
  if (part >= retries_.size()) {
    if (retries == 0) return;
    retries_.resize(part + 1, 0);
  }
  retries_[part] = retries;
}

const TaskOptions& TaskGraph::options(const TaskRef& task) const {
  return options_of(task_of(task));
}

/// The task that is meant where somebody sets options or asks for them: that behind aliases.
uint32_t TaskGraph::task_of(const TaskRef& given) const {
  uint32_t node = check_live(given, kName);
  for (uint32_t steps = 0; kind(node) == Kind::alias; ++steps) {
    node = check_live(ref_to(target(node).number), kName);
    if (steps < node_count()) continue;
    std::vector<uint32_t> cycle = {node};
    for (uint32_t next = target(node).number; next != node; next = target(next).number)
      cycle.push_back(next);
    throw_cycle(kName, cycle);
  }
  if (kind(node) == Kind::literal) {
    throw InvalidArgument(
        kName, fmt::format("'{}' is a literal, which is not called; options are for tasks",
                           to_string(key_of(node))));
  }
  return node;
}

const TaskOptions& TaskGraph::options_of(uint32_t node) const {
  static const TaskOptions& none = *new TaskOptions;
  if (option_of_.empty()) return none;
  const auto found = option_of_.find(node);
  return found == option_of_.end() ? none : option_sets_[found->second];
}

double TaskGraph::typical_seconds(uint32_t node) const {
  if (kind(node) != Kind::task) return 0;
  const double declared = options_of(node).cost_seconds;
  if (declared > 0) return declared;
  return static_cast<double>(parts(node).size()) *
         static_cast<double>(PlanArrays::kTypicalCallSeconds);
}

// ---- looking -------------------------------------------------------------------------------------

TaskGraph::Argument TaskGraph::target(uint32_t node) const {
  const uint32_t first = nodes_[node].first;
  switch (kind(node)) {
    case Kind::alias: return decode(first);
    case Kind::literal: return {Argument::From::literal, first, 0};
    default: return {Argument::From::task, first, 0};
  }
}

uint32_t TaskGraph::check(const TaskRef& node) const {
  if (node.graph == stamp_ && node.task < nodes_.size()) [[likely]]
    return node.task;
  for (const auto& [stamp, nodes] : ancestors_) {
    if (node.graph == stamp && node.task < nodes) return node.task;
  }
  throw InvalidArgument(
      kName,
      node.graph == 0
          ? std::string("a handle that was never filled; handles come from add()")
          : fmt::format("a handle of another graph (task {} there); use handles of this graph, "
                        "or of the one it was made from",
                        node.task));
}

uint32_t TaskGraph::check_live(const TaskRef& given, std::string_view operation) const {
  const uint32_t node = check(given);
  if (exists(node)) [[likely]]
    return node;
  const std::string key = to_string(key_of(node));
  switch (kind(node)) {
    case Kind::culled:
      throw InvalidArgument(operation, fmt::format("'{}' was removed by cull, since nothing it was "
                                                   "asked to keep needs it",
                                                   key));
    case Kind::fused:
      throw InvalidArgument(
          operation, fmt::format("'{}' was fused into '{}'; name it among the keys to keep", key,
                                 to_string(key_of(target(node).number))));
    case Kind::inlined:
      throw InvalidArgument(
          operation,
          fmt::format("'{}' was inlined into its users; name it among the outputs to keep it",
                      key));
    default:
      throw InvalidArgument(operation,
                            fmt::format("no task has the key '{}'; it was only referred to", key));
  }
}

std::vector<TaskKey> TaskGraph::dependencies(const TaskRef& node) const {
  std::vector<TaskKey> keys;
  each_dependency(check_live(node, kName),
                  [&](uint32_t input, uint32_t) { keys.push_back(key_of(input)); });
  return keys;
}

Rows TaskGraph::edges(std::string_view operation) const {
  Rows rows;
  rows.first.reserve(nodes_.size() + 1);
  rows.items.reserve(arguments_.size());
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    each_dependency(node, [&](uint32_t input, uint32_t) {
      if (!exists(input)) throw_missing(operation, node, input);
      rows.items.push_back(input);
    });
    rows.end_row();
  }
  return rows;
}

void TaskGraph::throw_missing(std::string_view operation, uint32_t reader, uint32_t missing) const {
  throw InvalidArgument(
      operation, fmt::format("'{}' reads '{}', but no task, literal or alias has that key; add it",
                             to_string(key_of(reader)), to_string(key_of(missing))));
}

void TaskGraph::throw_cycle(std::string_view operation, const std::vector<uint32_t>& cycle) const {
  // Long cycles are told by their ends.
  constexpr size_t kShown = 8;
  std::string text;
  for (size_t i = 0; i < cycle.size(); ++i) {
    if (cycle.size() > kShown && i == kShown - 1) {
      text += fmt::format("... ({} more) -> ", cycle.size() - kShown);
      i = cycle.size() - 1;
    }
    text += to_string(key_of(cycle[i])) + " -> ";
  }
  throw InvalidArgument(operation, fmt::format("tasks need each other in a circle: {}{}", text,
                                               to_string(key_of(cycle.front()))));
}

TUFF_NAMESPACE_END
