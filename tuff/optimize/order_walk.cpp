// The walk behind the static order.
//
// A walk that always knows what is alive. It goes up from results that wait, not down from the targets:
//
// 1. What lowers the number of results alive, or keeps it, runs at once (`eager`): a task that is the last
//    user of one of its inputs; and a chain of tasks that ends in a join which lacks nothing else and frees
//    one of its other inputs.
// 2. Otherwise some result that waits is helped on: one of its users becomes the goal, and what the goal
//    lacks is made depth first, inputs with the larger need first. A need is the number of results that are
//    alive while a task is made, if what it reads were a tree (Sethi & Ullman, "The generation of optimal
//    code for arithmetic expressions", 1970; one register per result).
// 3. On the way down to a goal, a result with one user beside the path gets that user first, if all it
//    lacks is one more chain from a source: the next opportunity may be far away.
// 4. When nothing alive waits, the walk starts again at a source below another target.
//
// Which result is helped? The most urgent one, with the fewest users left and the oldest among equals,
// leaves nothing behind: good where a graph is long. The most recent one finishes targets early: good where
// it is wide and shallow. No local sign tells the two apart (a stencil of many steps on few blocks, or of few
// steps on many blocks), so both are walked and the better sequence is kept. The second walk ends as soon
// as it is no better. It starts at an edge: at the source with the smallest need below the target with the smallest.
//
// Both finish the first of several reductions over the same sources while all sources wait for the others. So two more
// walks are tried, in which all reductions go on side by side: one runs all users of a result together (all_together),
// one makes each join that can be made of what is there before anything new (what_is_there). In a third the most recent
// result is helped, but the start is the source with the largest need (most_recent_from_afar). And what a large part of
// all tasks read is left out of the graph for another try, and put first: it lives long in any order, and only hides who
// needs whom. All these are tried where more is alive than one target needs by itself, and either the graph is small or
// many results have several users that need nothing else.
#include "tuff/optimize/order_walk.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "tuff/base/check.h"
#include "tuff/optimize/cycle.h"
#include "tuff/optimize/pressure.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

namespace {

using graph::Dag;

constexpr uint32_t kNone = UINT32_MAX;

// Results with more users left than this wait in the last list, whoever the users are. What many tasks
// share lives long anyway; opening all its branches would make each of them wait.
constexpr uint32_t kFewUses = 3;
// The last list. Smaller numbers are more urgent: 1 is one use left; else it is the number of uses, plus
// the largest number of inputs that one of the users lacks. Between 4 and 8 lists mean peaks differ by 1 %.
constexpr uint32_t kLastList = 5;
// With more users than this a result is shared by all, such as the coefficients of a model, and its users have nothing
// to do with each other.
constexpr uint32_t kManyUsers = 64;
// So many of the recent results are looked through for one that needs nothing new, at tasks of so many inputs.
constexpr size_t kLooked = 64;
constexpr size_t kManyInputs = 32;
// A walk that keeps more than so many times what one target needs by itself may be bettered by one more.
constexpr size_t kWorthMore = 2;
// So few are walked in every way, half a millisecond each; of more, only those with forks.
constexpr size_t kFewTasks = 4096;
// So many tasks are looked at to see whether there are forks, and one in so many must read one.
constexpr size_t kProbed = 2048;
constexpr size_t kPartOfForks = 4;
// What has so many times the users of another input is what more tasks share.
constexpr size_t kMuchMore = 4;
// What one in so many of all tasks reads is read by all.
constexpr size_t kPartOfAll = 4;
// So many users of a result are compared for the next goal. Comparing all would be quadratic where a
// million tasks share one input.
constexpr uint32_t kCompared = 8;

/// 32 bytes, so that what the walk touches of a task is one cache line.
struct Task {
  uint32_t misses = 0;   ///< inputs still to be made
  uint32_t missing = 0;  ///< their numbers, xor-ed: the number itself when one is left
  uint32_t uses = 0;     ///< users still to run; the caller is one more user of a target
  uint32_t user = 0;     ///< their numbers, xor-ed; the caller is kNone
  uint32_t need = 1;     ///< see the top
  uint32_t far_end = 0;  ///< of the chain of single inputs and uses that the task begins or ends
  uint32_t cursor = 0;   ///< before it ran: next input to look at; then: next user to look at
  uint16_t urgency = 0;  ///< list that the result waits in; 0: in none
  bool done = false;
  bool wanted = true;  ///< a target needs it
};

/// Which of the results that wait is helped on.
enum class Help { most_urgent, most_recent, most_recent_from_afar, all_together, what_is_there };

/// First in, first out; entries whose task has moved to another list meanwhile are passed over.
struct List {
  std::vector<uint32_t> tasks;
  size_t head = 0;
};

/// What a walk starts from.
struct Prepared {
  Prepared(const Dag& dag, std::span<const uint32_t> wanted);

  const Dag& dag;
  std::vector<Task> tasks;       ///< as they are before anything has run
  std::vector<uint32_t> inputs;  ///< rows of dag.inputs, the largest need first
  std::vector<uint32_t> targets;
  std::vector<uint32_t> topological;

  /// Whether many tasks read a result that others read too, and nothing else but what more tasks share.
  bool has_forks() const;

 private:
  void sort_topologically();
  void keep_wanted(std::span<const uint32_t> wanted);
  void count_needs();
  void find_chains();
};

Prepared::Prepared(const Dag& graph, std::span<const uint32_t> wanted)
    : dag(graph), tasks(graph.count()), inputs(graph.inputs.items) {
  const auto count = static_cast<uint32_t>(dag.count());
  for (uint32_t t = 0; t < count; ++t) {
    Task& task = tasks[t];
    task.far_end = t;
    task.cursor = dag.inputs.first[t];
    task.misses = static_cast<uint32_t>(dag.inputs[t].size());
    task.uses = static_cast<uint32_t>(dag.users[t].size());
    for (uint32_t input : dag.inputs[t]) task.missing ^= input;
    for (uint32_t user : dag.users[t]) task.user ^= user;
    if (task.uses == 0 && wanted.empty()) targets.push_back(t);
  }
  sort_topologically();
  if (!wanted.empty()) keep_wanted(wanted);
  count_needs();
  find_chains();
}

/// Most graphs are numbered that way already.
void Prepared::sort_topologically() {
  const auto count = static_cast<uint32_t>(tasks.size());
  topological.reserve(count);
  bool sorted = true;
  for (uint32_t t = 0; t < count; ++t) {
    const auto reads = dag.inputs[t];
    sorted = sorted && (reads.empty() || reads.back() < t);
    topological.push_back(t);
  }
  if (sorted) return;
  topological.clear();
  std::vector<uint32_t> misses(count);
  for (uint32_t t = 0; t < count; ++t) {
    misses[t] = tasks[t].misses;
    if (misses[t] == 0) topological.push_back(t);
  }
  for (size_t i = 0; i < topological.size(); ++i) {
    for (uint32_t user : dag.users[topological[i]]) {
      if (--misses[user] == 0) topological.push_back(user);
    }
  }
  if (topological.size() == count) return;
  const std::vector<uint32_t> cycle = find_cycle(dag);
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(cycle.size(), 10); ++i)
    text += std::to_string(cycle[i]) + " -> ";
  if (cycle.size() > 10) text += "... -> ";
  throw InvalidArgument("order",
                        std::to_string(cycle.size()) + " tasks wait for each other: " + text +
                            std::to_string(cycle[0]) + "; a graph of tasks must have no cycle");
}

/// The caller becomes a user of each target, and what no target needs a user of nothing.
void Prepared::keep_wanted(std::span<const uint32_t> wanted) {
  for (Task& task : tasks) task.wanted = false;
  for (uint32_t target : wanted) {
    if (target >= tasks.size()) {
      throw InvalidArgument(
          "order", "target " + std::to_string(target) + " of " + std::to_string(tasks.size()) +
                       " tasks; tasks have the numbers 0 to " + std::to_string(tasks.size() - 1));
    }
    Task& task = tasks[target];
    if (task.wanted) continue;
    task.wanted = true;
    targets.push_back(target);
  }
  for (size_t i = topological.size(); i-- > 0;) {
    const uint32_t t = topological[i];
    for (uint32_t input : dag.inputs[t]) {
      Task& task = tasks[input];
      if (tasks[t].wanted) {
        task.wanted = true;
      } else {
        --task.uses;
        task.user ^= t;
      }
    }
  }
  for (uint32_t target : targets) {
    Task& task = tasks[target];
    if (task.uses == 0) continue;  // given away at once, as without targets
    ++task.uses;
    task.user ^= kNone;
  }
}

void Prepared::count_needs() {
  for (uint32_t t : topological) {
    const size_t size = dag.inputs[t].size();
    if (size == 0) continue;
    uint32_t* const row = inputs.data() + dag.inputs.first[t];
    if (size > 1) {
      std::sort(row, row + size, [&](uint32_t a, uint32_t b) {
        const uint32_t need_a = tasks[a].need;
        const uint32_t need_b = tasks[b].need;
        return need_a != need_b ? need_a > need_b : a < b;
      });
    }
    uint32_t need = 0;
    for (uint32_t i = 0; i < size; ++i) need = std::max(need, tasks[row[i]].need + i);
    tasks[t].need = need;
  }
}

void Prepared::find_chains() {
  for (uint32_t t : topological) {
    if (tasks[t].misses != 1) continue;
    const uint32_t input = tasks[t].missing;
    if (tasks[input].uses != 1 || tasks[input].user != t) continue;
    const uint32_t first = tasks[input].far_end;  // of the chain that ended in `input` so far
    tasks[t].far_end = first;
    tasks[first].far_end = t;
  }
}

bool Prepared::has_forks() const {
  // Some tasks tell.
  const size_t step = std::max<size_t>(1, tasks.size() / kProbed);
  size_t probed = 0;
  size_t found = 0;
  for (size_t t = 0; t < tasks.size(); t += step) {
    ++probed;
    const auto reads = dag.inputs[t];
    if (reads.empty() || reads.size() > kManyInputs) continue;
    size_t fewest = SIZE_MAX;
    size_t next = SIZE_MAX;
    for (uint32_t i : reads) {
      const size_t users = dag.users[i].size();
      next = std::min(next, std::max(fewest, users));
      fewest = std::min(fewest, users);
    }
    found += fewest > 1 && fewest <= kManyUsers && next / kMuchMore >= fewest ? 1 : 0;
  }
  return found * kPartOfForks >= probed;
}

class Walk {
 public:
  /// `tasks`: as prepared. `limit`: the walk gives up as soon as that many results are alive.
  Walk(const Prepared& prepared, std::vector<Task> tasks, Help help, size_t limit);
  /// Empty when the walk gave up.
  std::vector<uint32_t> sequence();
  size_t peak() const { return peak_; }

 private:
  bool frees_beside(uint32_t t, uint32_t input) const;
  bool pays(uint32_t t) const;
  void offer_chain_to(uint32_t join);
  void run(uint32_t t);
  void run_with_eager(uint32_t t);
  void help_siblings();
  void reach(uint32_t goal);
  void rank(uint32_t t);
  uint32_t most_urgent();
  uint32_t most_recent();
  uint32_t goal_there() const;
  bool is_there(uint32_t t) const;
  uint32_t next_goal(uint32_t result);
  uint32_t next_input(uint32_t t);
  uint32_t last_input(uint32_t t) const;

  const Prepared& prepared_;
  const Dag& dag_;
  const std::vector<uint32_t>& inputs_;
  const Help help_;
  const size_t limit_;
  size_t alive_ = 0;
  size_t peak_ = 0;
  std::vector<Task> tasks_;
  std::vector<uint32_t> sequence_;
  std::vector<uint32_t> eager_;            ///< a stack
  std::vector<uint32_t> path_;             ///< from the goal down to what is to be made for it
  std::vector<uint32_t> fresh_;            ///< made since the last step of the path
  std::vector<uint32_t> recent_;           ///< a stack, for Help::most_recent
  std::array<List, kLastList + 1> lists_;  ///< for Help::most_urgent
};

Walk::Walk(const Prepared& prepared, std::vector<Task> tasks, Help help, size_t limit)
    : prepared_(prepared),
      dag_(prepared.dag),
      inputs_(prepared.inputs),
      help_(help),
      limit_(limit),
      tasks_(std::move(tasks)) {
  sequence_.reserve(tasks_.size());
}

/// Does running `t` end the life of an input other than `input`, or keep nothing alive itself?
bool Walk::frees_beside(uint32_t t, uint32_t input) const {
  if (tasks_[t].uses == 0) return true;
  const auto inputs = dag_.inputs[t];
  return std::any_of(inputs.begin(), inputs.end(), [&](uint32_t i) {
    return i != input && tasks_[i].done && tasks_[i].uses == 1;
  });
}

/// Is it right to run `t`, which lacks nothing, at once?
bool Walk::pays(uint32_t t) const {
  if (frees_beside(t, kNone)) return true;
  const uint32_t end = tasks_[t].far_end;
  if (tasks_[end].uses != 1 || tasks_[end].user == kNone) return tasks_[end].uses == 0;
  const uint32_t join = tasks_[end].user;
  return tasks_[join].misses == 1 && frees_beside(join, end);
}

/// `join` lacks one input and frees another: the chain that makes what it lacks may run.
void Walk::offer_chain_to(uint32_t join) {
  const uint32_t end = tasks_[join].missing;
  if (tasks_[end].uses != 1) return;
  const uint32_t begin = tasks_[end].far_end;
  if (!tasks_[begin].done && tasks_[begin].misses == 0) eager_.push_back(begin);
}

void Walk::run(uint32_t t) {
  tasks_[t].done = true;
  tasks_[t].cursor = dag_.users.first[t];
  sequence_.push_back(t);
  for (uint32_t i : dag_.inputs[t]) {
    Task& input = tasks_[i];
    input.user ^= t;
    if (--input.uses == 1 && input.user != kNone) {
      const uint32_t misses = tasks_[input.user].misses;
      if (misses == 0) eager_.push_back(input.user);
      if (misses == 1) offer_chain_to(input.user);
    }
    if (input.uses == 0) --alive_;
    if (help_ == Help::most_urgent && input.uses <= kFewUses) rank(i);
  }
  const auto users = dag_.users[t];
  const bool together = help_ == Help::all_together && users.size() <= kManyUsers;
  for (uint32_t u : users) {
    Task& user = tasks_[u];
    if (!user.wanted) continue;
    user.missing ^= t;
    --user.misses;
    if (user.misses == 0 && (together || pays(u))) eager_.push_back(u);
    if (user.misses == 1 && frees_beside(u, user.missing)) offer_chain_to(u);
  }
  if (tasks_[t].uses == 0) return;
  peak_ = std::max(peak_, ++alive_);
  if (help_ == Help::most_urgent) {
    rank(t);
  } else {
    recent_.push_back(t);
  }
}

void Walk::run_with_eager(uint32_t t) {
  fresh_.clear();
  eager_.push_back(t);
  while (!eager_.empty()) {
    const uint32_t next = eager_.back();
    eager_.pop_back();
    if (tasks_[next].done) continue;
    run(next);
    fresh_.push_back(next);
  }
}

/// Rule 3, for what was made just now for the last task of the path.
void Walk::help_siblings() {
  const uint32_t next = path_.back();
  const auto reads = dag_.inputs[next];
  const bool done = tasks_[next].done;
  for (uint32_t t : fresh_) {
    if (tasks_[t].uses != (done ? 1 : 2)) continue;
    if (!std::binary_search(reads.begin(), reads.end(), t)) continue;
    const uint32_t other = done ? tasks_[t].user : tasks_[t].user ^ next;
    if (other == kNone || tasks_[other].misses != 1) continue;
    if (tasks_[tasks_[other].missing].need == 1) path_.push_back(other);
  }
}

void Walk::reach(uint32_t goal) {
  path_.push_back(goal);
  while (!path_.empty()) {
    const uint32_t t = path_.back();
    if (!tasks_[t].done && tasks_[t].misses != 0) {
      path_.push_back(next_input(t));
      continue;
    }
    path_.pop_back();
    if (tasks_[t].done) continue;
    run_with_eager(t);
    if (peak_ >= limit_) return;
    if (!path_.empty()) help_siblings();
    if (help_ != Help::what_is_there) continue;
    const uint32_t there = goal_there();
    if (there != kNone) path_.push_back(there);
  }
}

uint32_t Walk::next_input(uint32_t t) {
  uint32_t& cursor = tasks_[t].cursor;
  while (tasks_[inputs_[cursor]].done) ++cursor;
  return inputs_[cursor];
}

/// The one with the smallest need.
uint32_t Walk::last_input(uint32_t t) const {
  uint32_t at = dag_.inputs.first[t + 1] - 1;
  while (tasks_[inputs_[at]].done) --at;
  return inputs_[at];
}

/// Puts a result into the list it belongs to now.
void Walk::rank(uint32_t t) {
  Task& task = tasks_[t];
  uint32_t urgency = std::min(task.uses, 1U);
  if (task.uses == 1 && task.user == kNone) urgency = 0;  // alive for the caller alone
  if (task.uses > kFewUses) urgency = kLastList;
  if (task.uses > 1 && task.uses <= kFewUses) {
    uint32_t misses = 0;
    for (uint32_t user : dag_.users[t]) {
      if (!tasks_[user].done && tasks_[user].wanted) misses = std::max(misses, tasks_[user].misses);
    }
    urgency = std::min(task.uses + std::min(misses, kLastList), kLastList);
  }
  if (urgency == task.urgency) return;
  task.urgency = static_cast<uint16_t>(urgency);
  if (urgency != 0) lists_[urgency].tasks.push_back(t);
}

uint32_t Walk::most_urgent() {
  for (uint32_t urgency = 1; urgency <= kLastList; ++urgency) {
    List& list = lists_[urgency];
    for (; list.head < list.tasks.size(); ++list.head) {
      if (tasks_[list.tasks[list.head]].urgency == urgency) return list.tasks[list.head];
    }
    list.tasks.clear();
    list.head = 0;
  }
  return kNone;
}

uint32_t Walk::most_recent() {
  for (; !recent_.empty(); recent_.pop_back()) {
    const Task& task = tasks_[recent_.back()];
    if (task.uses > 1 || (task.uses == 1 && task.user != kNone)) return recent_.back();
  }
  return kNone;
}

/// Whether each input that a task lacks is one chain away.
bool Walk::is_there(uint32_t t) const {
  const auto inputs = dag_.inputs[t];
  return inputs.size() <= kManyInputs && std::all_of(inputs.begin(), inputs.end(), [&](uint32_t i) {
           return tasks_[i].done || tasks_[tasks_[i].far_end].misses == 0;
         });
}

/// A join that can be made of what is there, next to a recent result; or kNone.
uint32_t Walk::goal_there() const {
  size_t looked = 0;
  for (size_t at = recent_.size(); at-- > 0 && looked < kLooked; ++looked) {
    const uint32_t result = recent_[at];
    if (tasks_[result].uses == 0 || dag_.users[result].size() > kManyUsers) continue;
    uint32_t compared = 0;
    for (uint32_t user : dag_.users[result]) {
      if (tasks_[user].done || !tasks_[user].wanted) continue;
      if (++compared > kCompared) break;
      uint32_t join = user;
      if (tasks_[user].misses == 0) {  // what the chain that it begins ends in
        const Task& end = tasks_[tasks_[user].far_end];
        if (end.uses != 1 || end.user == kNone) continue;
        join = end.user;
      }
      if (!tasks_[join].done && is_there(join)) return join;
    }
  }
  return kNone;
}

/// Of the users that wait, one with a small need.
uint32_t Walk::next_goal(uint32_t result) {
  const auto waits = [&](uint32_t t) { return !tasks_[t].done && tasks_[t].wanted; };
  uint32_t& cursor = tasks_[result].cursor;
  while (!waits(dag_.users.items[cursor])) ++cursor;
  uint32_t goal = dag_.users.items[cursor];
  uint32_t compared = 0;
  for (uint32_t i = cursor; i < dag_.users.first[result + 1] && compared < kCompared; ++i) {
    const uint32_t user = dag_.users.items[i];
    if (!waits(user)) continue;
    ++compared;
    if (tasks_[user].need < tasks_[goal].need) goal = user;
  }
  return goal;
}

std::vector<uint32_t> Walk::sequence() {
  const bool urgent = help_ == Help::most_urgent;
  const bool edge = help_ == Help::most_recent;
  // The long way begins where most has to be kept, the wide one at an edge.
  const auto earlier = [&](uint32_t a, uint32_t b) {
    return urgent ? tasks_[a].need > tasks_[b].need : tasks_[a].need < tasks_[b].need;
  };
  std::vector<uint32_t> targets = prepared_.targets;
  if (!std::is_sorted(targets.begin(), targets.end(), earlier))
    std::stable_sort(targets.begin(), targets.end(), earlier);
  const auto most_wanted = [&] { return urgent ? most_urgent() : most_recent(); };
  for (uint32_t target : targets) {
    if (tasks_[target].done) continue;
    uint32_t source = target;
    while (tasks_[source].misses != 0) source = edge ? last_input(source) : next_input(source);
    reach(source);
    if (peak_ >= limit_) return {};
    for (uint32_t result = most_wanted(); result != kNone; result = most_wanted()) {
      reach(next_goal(result));
      if (peak_ >= limit_) return {};
    }
  }
  for (uint32_t t : prepared_.topological) {
    if (!tasks_[t].wanted) sequence_.push_back(t);
  }
  return std::move(sequence_);
}

}  // namespace

namespace {

/// Sources that a large part of all tasks read: they are alive nearly all the time, in whatever order.
std::vector<uint32_t> read_by_all(const Dag& dag) {
  std::vector<uint32_t> sources;
  for (uint32_t t = 0; t < dag.count(); ++t) {
    if (dag.inputs[t].empty() && dag.users[t].size() * kPartOfAll >= dag.count())
      sources.push_back(t);
  }
  return sources;
}

/// As if nobody read these.
Dag without(const Dag& dag, const std::vector<uint32_t>& sources) {
  Rows inputs;
  for (uint32_t t = 0; t < dag.count(); ++t) {
    for (uint32_t i : dag.inputs[t]) {
      if (!std::binary_search(sources.begin(), sources.end(), i)) inputs.items.push_back(i);
    }
    inputs.end_row();
  }
  return graph::make_dag(inputs);
}

size_t peak_of(const Dag& dag, const std::vector<uint32_t>& sequence) {
  std::vector<uint32_t> position(sequence.size());
  for (uint32_t i = 0; i < sequence.size(); ++i) position[sequence[i]] = i;
  return pressure(dag, position).peak();
}

}  // namespace

std::vector<uint32_t> ordered_tasks(const Dag& dag, std::span<const uint32_t> targets) {
  Prepared prepared(dag, targets);
  Walk walk(prepared, prepared.tasks, Help::most_urgent, SIZE_MAX);
  std::vector<uint32_t> sequence = walk.sequence();
  TUFF_CHECK_EQ(sequence.size(), dag.count());
  if (walk.peak() <= 1) return sequence;
  size_t peak = walk.peak();
  const auto try_other = [&](Help help, std::vector<Task> tasks) {
    Walk other(prepared, std::move(tasks), help, peak);
    std::vector<uint32_t> found = other.sequence();
    if (found.empty()) return;
    sequence = std::move(found);
    peak = other.peak();
  };
  const uint32_t need =
      std::max_element(prepared.tasks.begin(), prepared.tasks.end(),
                       [](const Task& a, const Task& b) { return a.need < b.need; })
          ->need;
  if (peak > need &&
      (dag.count() <= kFewTasks || (peak > kWorthMore * need && prepared.has_forks()))) {
    try_other(Help::all_together, prepared.tasks);
    try_other(Help::what_is_there, prepared.tasks);
    try_other(Help::most_recent_from_afar, prepared.tasks);
    if (const std::vector<uint32_t> shared = read_by_all(dag); !shared.empty()) {
      std::vector<uint32_t> other = ordered_tasks(without(dag, shared), targets);
      std::stable_partition(other.begin(), other.end(), [&](uint32_t t) {
        return std::binary_search(shared.begin(), shared.end(), t);
      });
      const size_t of_other = peak_of(dag, other);
      if (of_other < peak) {
        sequence = std::move(other);
        peak = of_other;
      }
    }
  }
  try_other(Help::most_recent, std::move(prepared.tasks));
  return sequence;
}

}  // namespace optimize
TUFF_NAMESPACE_END
