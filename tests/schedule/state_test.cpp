// The state of a run without threads: every sequence in which the events of small graphs can come.
//
// A task begins and finishes in two events, and other tasks' events come between them. After each event
// sanity_check() says from where all tasks stand what every count and value must be.
#include "tuff/schedule/state.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/schedule/allocations.h"
#include "tests/schedule/plan_builder.h"

namespace {

using tuff::Program;
using tuff::RunState;
using tuff::TaskArguments;
using tuff::TaskPhase;
using tuff::Value;
using tuff_test::add_up;
using tuff_test::PlanBuilder;

/// Adds up like add_up(), and takes away each value that it may.
void consume(TaskArguments& arguments) {
  add_up(arguments);
  for (size_t i = 0; i < arguments.inputs.size(); ++i) {
    if (arguments.last_use[i]) Value(std::move(*arguments.inputs[i])).reset();
  }
}

/// A run, driven event by event, as worker threads would: kShared or not, any number of tasks at once.
class DrivenRun {
 public:
  struct Event {
    uint32_t task;
    bool finishes;
  };

  DrivenRun(const Program& program, bool shared)
      : program_(program),
        shared_(shared),
        state_(program),
        inputs_(program.plan.inputs.items.size()),
        last_use_(std::make_unique<bool[]>(program.plan.inputs.items.size())) {}

  RunState& state() { return state_; }
  const std::vector<TaskPhase>& phases() const { return phases_; }
  void start(size_t parameters = 0) {
    state_.reset();
    std::vector<Value> values;
    for (size_t i = 0; i < parameters; ++i) values.emplace_back(static_cast<double>(i) + 0.5);
    state_.set_parameters(std::move(values));
    phases_.assign(program_.plan.task_count(), TaskPhase::waiting);
    possible_.clear();
    for (uint32_t root : program_.plan.roots) possible_.push_back({root, false});
    check();
  }
  /// Tasks that may begin and tasks that may finish.
  const std::vector<Event>& possible() const { return possible_; }
  void apply(size_t choice) {
    const Event event = possible_[choice];
    possible_.erase(possible_.begin() + static_cast<std::ptrdiff_t>(choice));
    if (event.finishes) {
      finish(event.task);
    } else {
      begin(event.task);
    }
    check();
  }

 private:
  void begin(uint32_t task) {
    const tuff::TaskRecord& record = program_.tasks[task];
    Value** inputs = inputs_.data() + record.input;
    bool* last_use = last_use_.get() + record.input;
    if (shared_) {
      state_.begin<true>(record, inputs, last_use);
    } else {
      state_.begin<false>(record, inputs, last_use);
    }
    phases_[task] = TaskPhase::running;
    possible_.push_back({task, true});
  }
  void finish(uint32_t task) {
    const tuff::TaskRecord& record = program_.tasks[task];
    const bool* last_use = last_use_.get() + record.input;
    TaskArguments arguments;
    arguments.block = record.block;
    arguments.inputs = {inputs_.data() + record.input, record.input_count};
    arguments.last_use = {last_use, record.input_count};
    arguments.outputs = state_.outputs(record);
    record.function->run(arguments);
    std::vector<uint32_t> made;
    const auto ready = [&](uint32_t next) { made.push_back(next); };
    if (shared_) {
      state_.finish<true>(record, last_use, ready);
    } else {
      state_.finish<false>(record, last_use, ready);
    }
    phases_[task] = TaskPhase::finished;
    EXPECT_TRUE(std::is_sorted(made.rbegin(), made.rend())) << "highest number first";
    for (uint32_t next : made) {
      EXPECT_EQ(phases_[next], TaskPhase::waiting) << "task " << next << " became ready twice";
      possible_.push_back({next, false});
    }
  }
  void check() { ASSERT_EQ(state_.sanity_check(phases_), ""); }

  const Program& program_;
  bool shared_;
  RunState state_;
  std::vector<Value*> inputs_;
  std::unique_ptr<bool[]> last_use_;
  std::vector<TaskPhase> phases_;
  std::vector<Event> possible_;
};

/// Walks every sequence of events; each must run every task once, compute the right values and free
/// everything. Wherever it could be broken off, clear() must leave nothing. Returns how many there are.
size_t walk_all(const Program& program, bool shared) {
  const size_t parameters = program.plan.parameter_slots.size();
  std::vector<double> given;
  for (size_t p = 0; p < parameters; ++p) given.push_back(static_cast<double>(p) + 0.5);
  const std::vector<double> expected = tuff_test::outputs_by_hand(program.plan, given);
  DrivenRun run(program, shared);
  std::vector<size_t> choices;
  size_t sequences = 0;
  size_t known = 0;  // events at the beginning that the last sequence had too
  for (;;) {
    run.start(parameters);
    std::vector<size_t> widths;
    while (!run.possible().empty() && !testing::Test::HasFailure()) {
      const size_t step = widths.size();
      if (choices.size() <= step) choices.push_back(0);
      widths.push_back(run.possible().size());
      run.apply(choices[step]);
      if (step < known) continue;
      // A sequence that ends here, in a run of its own.
      DrivenRun broken_off(program, shared);
      broken_off.start(parameters);
      for (size_t i = 0; i <= step; ++i) broken_off.apply(choices[i]);
      broken_off.state().clear();
      EXPECT_TRUE(broken_off.state().is_clean());
    }
    EXPECT_TRUE(std::all_of(run.phases().begin(), run.phases().end(),
                            [](TaskPhase phase) { return phase == TaskPhase::finished; }));
    if (testing::Test::HasFailure()) return sequences;
    std::vector<double> outputs;
    for (const Value& value : run.state().take_outputs()) outputs.push_back(value.get<double>());
    EXPECT_EQ(outputs, expected);
    EXPECT_TRUE(run.state().is_clean());
    ++sequences;
    size_t step = widths.size();
    while (step > 0 && choices[step - 1] + 1 >= widths[step - 1]) --step;
    if (step == 0) return sequences;
    choices.resize(step);
    ++choices[step - 1];
    known = step - 1;
  }
}

/// Both ways of counting, without bundles and with the smallest. Their sequences are the same.
size_t walk_all(const tuff::PlanArrays& plan) {
  const Program program(plan);
  const size_t sequences = walk_all(program, false);
  EXPECT_EQ(walk_all(program, true), sequences);
  const Program with_bundles(plan, 2);
  if (with_bundles.bundles.count() > 0) {
    EXPECT_EQ(walk_all(with_bundles, false), sequences);
    EXPECT_EQ(walk_all(with_bundles, true), sequences);
  }
  return sequences;
}

TEST(RunState, EverySequenceOfAForkAndJoinIsRight) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", consume);
  const uint32_t source = builder.task(f, {});
  std::vector<uint32_t> middle;
  middle.reserve(4);
  for (int i = 0; i < 4; ++i) middle.push_back(builder.task(f, {source}));
  builder.output(builder.task(f, middle));
  // Four tasks of two events each, in the order begin, finish: 8! / 2^4.
  EXPECT_EQ(walk_all(builder.build()), 2520u);
}

TEST(RunState, EverySequenceOfTwoChainsIsRight) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", consume);
  for (int chain = 0; chain < 2; ++chain) {
    uint32_t last = builder.task(f, {});
    for (int i = 0; i < 3; ++i) last = builder.task(f, {last});
    builder.output(last);
  }
  EXPECT_EQ(walk_all(builder.build()), 12870u);  // 16 over 8
}

TEST(RunState, EverySequenceOfDiamondsWithRepeatedReadsIsRight) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", consume);
  const uint32_t constant = builder.constant(Value(4.0));
  const uint32_t a = builder.task(f, {constant}, 2);
  const uint32_t b = builder.task(f, {a, a});
  const uint32_t c = builder.task(f, {a, a + 1, constant});
  const uint32_t d = builder.task(f, {b, c, b});
  builder.task(f, {d});  // nobody reads this one
  builder.output(d);
  builder.output(d);
  EXPECT_EQ(walk_all(builder.build()), 6u);  // b and c: 4! / 2^2
}

TEST(RunState, EverySequenceOfReadersOfParametersIsRight) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", consume);
  const uint32_t x = builder.parameter();
  const uint32_t unread = builder.parameter();
  const uint32_t returned = builder.parameter();
  const uint32_t a = builder.task(f, {x, returned});
  const uint32_t b = builder.task(f, {x, x});
  builder.output(builder.task(f, {a, b}));
  builder.output(returned);
  (void)unread;
  EXPECT_EQ(walk_all(builder.build()), 6u);
}

TEST(RunState, EverySequenceOfBundlesIsRight) {
  // a feeds b and c, which d and e read both, e with a besides; two ends read d and e.
  PlanBuilder builder;
  const uint32_t f = builder.function("f", consume);
  const uint32_t a = builder.task(f, {});
  const uint32_t b = builder.task(f, {a});
  const uint32_t c = builder.task(f, {a});
  const uint32_t d = builder.task(f, {b, c});
  const uint32_t e = builder.task(f, {c, b, a});
  builder.output(builder.task(f, {d, e}));
  builder.output(builder.task(f, {e, d}));
  const tuff::PlanArrays plan = builder.build();
  EXPECT_EQ(Program(plan).bundles.count(), 0u);
  EXPECT_EQ(Program(plan, 2).bundles.count(), 2u);
  walk_all(plan);
}

/// `tasks` tasks that a source feeds, and `readers` that read all of them.
tuff::PlanArrays exchange(uint32_t tasks, uint32_t readers, bool keep_one = false) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", consume);
  const uint32_t source = builder.task(f, {});
  PlanBuilder::Slots middle;
  for (uint32_t t = 0; t < tasks; ++t) middle.push_back(builder.task(f, {source}));
  PlanBuilder::Slots ends;
  for (uint32_t r = 0; r < readers; ++r) ends.push_back(builder.task(f, middle));
  builder.output(builder.task(f, ends));
  if (keep_one) builder.output(middle.front());
  return builder.build();
}

TEST(Bundles, AreTasksWithTheSameReaders) {
  const Program program(exchange(5, 6));
  ASSERT_EQ(program.bundles.count(), 1u);
  EXPECT_EQ(program.bundles.slots[0].size(), 5u);
  EXPECT_EQ(program.bundles.readers[0].size(), 6u);
  for (uint32_t reader : program.bundles.readers[0]) {
    EXPECT_EQ(program.wait_count[reader], 1u);
    const uint32_t first = program.tasks[reader].input;
    for (uint32_t i = 0; i < 5; ++i)
      EXPECT_EQ(program.reads[first + i] & ~Program::kSlotMask, Program::kBundled);
  }
}

TEST(Bundles, NeedFourTasksAndFourReaders) {
  EXPECT_EQ(Program(exchange(4, 4)).bundles.count(), 1u);
  EXPECT_EQ(Program(exchange(3, 4)).bundles.count(), 0u);
  EXPECT_EQ(Program(exchange(4, 3)).bundles.count(), 0u);
}

TEST(Bundles, LeaveOutATaskWhoseValueIsReturned) {
  const Program program(exchange(5, 6, true));
  ASSERT_EQ(program.bundles.count(), 1u);
  EXPECT_EQ(program.bundles.slots[0].size(), 4u);
  for (uint32_t reader : program.bundles.readers[0]) EXPECT_EQ(program.wait_count[reader], 2u);
}

TEST(Bundles, LeaveOutTasksOfTwoValuesAndTasksThatAreReadTwice) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", consume);
  PlanBuilder::Slots both;
  for (int t = 0; t < 6; ++t) both.push_back(builder.task(f, {}, 2));
  PlanBuilder::Slots twice;
  for (int t = 0; t < 6; ++t) twice.push_back(builder.task(f, {}));
  PlanBuilder::Slots reads = both;
  reads.insert(reads.end(), twice.begin(), twice.end());
  reads.insert(reads.end(), twice.begin(), twice.end());
  PlanBuilder::Slots ends;
  for (int r = 0; r < 6; ++r) ends.push_back(builder.task(f, reads));
  builder.output(builder.task(f, ends));
  EXPECT_EQ(Program(builder.build()).bundles.count(), 0u);
}

/// The graph of `tasks` tasks whose edges the digits of `code` say: none, one read, or two.
tuff::PlanArrays small_graph(uint32_t tasks, uint32_t code, bool returns_first) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", consume);
  std::vector<uint32_t> slots;
  for (uint32_t t = 0; t < tasks; ++t) {
    PlanBuilder::Slots reads;
    for (uint32_t from = 0; from < t; ++from, code /= 3)
      reads.insert(reads.end(), code % 3, slots[from]);
    slots.push_back(builder.task(f, reads));
  }
  if (returns_first) builder.output(slots.front());
  builder.output(slots.back());
  return builder.build();
}

TEST(RunState, EverySequenceOfEveryGraphOfUpToFourTasksIsRight) {
  for (uint32_t tasks = 1; tasks <= 4; ++tasks) {
    uint32_t graphs = 1;
    for (uint32_t edge = 0; edge < tasks * (tasks - 1) / 2; ++edge) graphs *= 3;
    for (uint32_t code = 0; code < graphs; ++code) {
      for (const bool returns_first : {false, true}) {
        SCOPED_TRACE("tasks " + std::to_string(tasks) + ", edges " + std::to_string(code));
        walk_all(small_graph(tasks, code, returns_first));
        if (HasFailure()) return;
      }
    }
  }
}

TEST(RunState, EventsAllocateNothing) {
  for (const bool shared : {false, true}) {
    PlanBuilder builder;
    const uint32_t f = builder.function("f", consume);
    std::mt19937 random(7);
    std::vector<uint32_t> slots;
    for (uint32_t t = 0; t < 300; ++t) {
      PlanBuilder::Slots reads;
      for (uint32_t r = t == 0 ? 0 : random() % 5; r > 0; --r) reads.push_back(slots[random() % t]);
      slots.push_back(builder.task(f, reads));
    }
    builder.output(slots.back());
    const Program program(builder.build());
    RunState state(program);
    state.reset();
    std::vector<uint32_t> ready = program.plan.roots;
    ready.reserve(program.plan.task_count());
    std::vector<Value*> inputs(program.most_inputs);
    const auto last_use = std::make_unique<bool[]>(program.most_inputs);
    size_t ran = 0;
    const size_t before = tuff_test::allocations();
    for (; !ready.empty(); ++ran) {
      const tuff::TaskRecord& record = program.tasks[ready.back()];
      ready.pop_back();
      const auto made = [&](uint32_t next) { ready.push_back(next); };
      TaskArguments arguments;
      arguments.inputs = {inputs.data(), record.input_count};
      arguments.last_use = {last_use.get(), record.input_count};
      arguments.outputs = state.outputs(record);
      if (shared) {
        state.begin<true>(record, inputs.data(), last_use.get());
        record.function->run(arguments);
        state.finish<true>(record, last_use.get(), made);
      } else {
        state.begin<false>(record, inputs.data(), last_use.get());
        record.function->run(arguments);
        state.finish<false>(record, last_use.get(), made);
      }
    }
    EXPECT_EQ(tuff_test::allocations(), before);
    EXPECT_EQ(ran, program.plan.task_count());
    state.clear();
  }
  const size_t before = tuff_test::allocations();
  ::operator delete(::operator new(8));  // the counter works
  EXPECT_EQ(tuff_test::allocations(), before + 1);
}

// --- sanity_check() itself --------------------------------------------------------------------------

/// a, then b and c that read it, then d that reads both and is returned.
struct Diamond {
  Diamond() : program(make()), run(program, false) { run.start(); }
  static tuff::PlanArrays make() {
    PlanBuilder builder;
    const uint32_t f = builder.function("f", add_up);
    const uint32_t a = builder.task(f, {});
    const uint32_t b = builder.task(f, {a});
    const uint32_t c = builder.task(f, {a});
    builder.output(builder.task(f, {b, c}));
    return builder.build();
  }
  ~Diamond() { run.state().clear(); }
  std::string verdict(const std::vector<TaskPhase>& phases) {
    return run.state().sanity_check(phases);
  }
  Program program;
  DrivenRun run;
};

constexpr TaskPhase kWaiting = TaskPhase::waiting;
constexpr TaskPhase kRunning = TaskPhase::running;
constexpr TaskPhase kFinished = TaskPhase::finished;

TEST(SanityCheck, NamesATaskThatBeganTooEarly) {
  Diamond diamond;
  EXPECT_EQ(diamond.verdict({kRunning, kRunning, kWaiting, kWaiting}),
            "task 1 has begun although it waits for 1 tasks");
}

TEST(SanityCheck, NamesAWrongWaitCount) {
  Diamond diamond;
  diamond.run.apply(0);
  diamond.run.apply(0);  // a has finished
  diamond.run.apply(0);
  EXPECT_EQ(diamond.verdict({kFinished, kFinished, kFinished, kWaiting}),
            "task 3 waits for 0 tasks, and its count is 2");
}

TEST(SanityCheck, NamesAWrongUseCount) {
  PlanBuilder builder;
  const uint32_t f = builder.function("f", add_up);
  const uint32_t a = builder.task(f, {});
  builder.task(f, {a});
  builder.output(builder.task(f, {a}));
  const Program program(builder.build());
  DrivenRun run(program, false);
  run.start();
  for (int event = 0; event < 3; ++event) run.apply(0);
  run.apply(1);  // one of the readers has finished, and the check is told of neither
  EXPECT_EQ(run.state().sanity_check(std::vector{kFinished, kWaiting, kWaiting}),
            "slot 0 has 2 reads to come, and its count is 1");
  run.state().clear();
}

TEST(SanityCheck, NamesAWrongCountOfABundle) {
  const Program program(exchange(2, 2), 2);
  DrivenRun run(program, false);
  run.start();
  for (int event = 0; event < 3; ++event) run.apply(0);
  run.apply(1);  // one of the bundle has finished
  EXPECT_EQ(run.state().sanity_check(
                std::vector{kFinished, kWaiting, kWaiting, kWaiting, kWaiting, kWaiting}),
            "bundle 0 has 2 tasks and 2 readers to come, and its counts are 1 and 2");
  run.state().clear();
}

TEST(SanityCheck, NamesAValueThatIsMissing) {
  Diamond diamond;
  diamond.run.apply(0);
  diamond.run.apply(0);
  diamond.run.state().clear();
  EXPECT_EQ(diamond.verdict({kFinished, kWaiting, kWaiting, kWaiting}),
            "slot 0 is empty, with 2 reads to come");
}

TEST(SanityCheck, NamesAValueThatNobodyReads) {
  Diamond diamond;
  diamond.run.apply(0);
  diamond.run.apply(0);
  while (!diamond.run.possible().empty()) diamond.run.apply(0);
  diamond.run.state().outputs(diamond.program.tasks[1])[0].emplace<double>(1.0);
  EXPECT_EQ(diamond.verdict(std::vector<TaskPhase>(4, kFinished)),
            "slot 1 holds a value that nobody reads any more");
}

TEST(SanityCheck, NamesAValueThatNobodyHasWritten) {
  Diamond diamond;
  diamond.run.state().outputs(diamond.program.tasks[3])[0].emplace<double>(1.0);
  EXPECT_EQ(diamond.verdict(std::vector<TaskPhase>(4, kWaiting)),
            "slot 3 holds a value that nobody has written");
}

// --- single events ----------------------------------------------------------------------------------

TEST(RunState, ASlotThatOneTaskReadsTwiceIsNeverOffered) {
  PlanBuilder builder;
  const uint32_t x = builder.task("x", add_up, {});
  const uint32_t y = builder.task("y", add_up, {});
  builder.task("z", [](TaskArguments& a) { a.outputs[0].emplace<double>(0); }, {x, y, x});
  const Program program(builder.build());
  RunState state(program);
  state.reset();
  Value* inputs[3] = {};
  bool last_use[3] = {};
  state.begin<false>(program.tasks[2], inputs, last_use);
  EXPECT_FALSE(last_use[0]);
  EXPECT_TRUE(last_use[1]);
  EXPECT_FALSE(last_use[2]);
  EXPECT_EQ(inputs[0], inputs[2]);
}

TEST(RunState, AWidelyReadParameterStaysUntilTheEnd) {
  PlanBuilder builder;
  const uint32_t few = builder.parameter();
  const uint32_t many = builder.parameter();
  const uint32_t f = builder.function("f", add_up);
  builder.task(f, {few, many});
  for (int i = 0; i < 100; ++i) builder.task(f, {many});
  const Program program(builder.build());
  RunState state(program);
  state.reset();
  state.set_parameters([] {
    std::vector<Value> values;
    values.emplace_back(1.0);
    values.emplace_back(2.0);
    return values;
  }());
  Value* inputs[2] = {};
  bool last_use[2] = {};
  state.begin<false>(program.tasks[0], inputs, last_use);
  EXPECT_TRUE(last_use[0]);
  EXPECT_FALSE(last_use[1]);
  EXPECT_FALSE(state.is_clean());
  state.clear();
  EXPECT_TRUE(state.is_clean());
}

}  // namespace
