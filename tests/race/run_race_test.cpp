// Random graphs under many threads: equal bits at any thread count, no leaks after any kind of end, and
// runs that overlap in every way (many clients, nested, short-lived contexts and plans).
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tuff/base/block.h"
#include "tuff/base/error.h"
#include "tuff/schedule/memory_statistics.h"
#include "tuff/schedule/run.h"

#include "tests/schedule/plan_builder.h"

namespace {

using tuff::Block;
using tuff::Cancelled;
using tuff::Context;
using tuff::Dims;
using tuff::DType;
using tuff::Runner;
using tuff::RunOptions;
using tuff::TaskArguments;
using tuff::TaskError;
using tuff::Value;
using tuff_test::PlanBuilder;

/// Elements of every block; larger where blocks are to be spilled (a page and more).
int64_t elements = 16;

/// What a random task may be told to do, for the drills.
struct Trouble {
  enum class Kind { none, fail, stop, slow };
  Kind kind = Kind::none;
  uint32_t task = 0;
  std::stop_source stop;
};

/// Mixes its inputs (blocks) in an order-dependent way; writes into an input that it may consume. Some
/// tasks sleep, so that threads take turns in the middle of a run even on one processor, and so that runs
/// last long enough (20 us) for helpers to be asked.
void mix(TaskArguments& arguments) {
  if (arguments.task % 16 == 5) std::this_thread::sleep_for(std::chrono::microseconds(1));
  auto [result, reused] = tuff_test::take_an_input(arguments);
  std::vector<double> sums(static_cast<size_t>(elements), 0.0);
  for (size_t i = 0; i < arguments.inputs.size(); ++i) {
    const double* values =
        (i == reused ? result : arguments.inputs[i]->get<Block>()).data<double>();
    for (int64_t k = 0; k < elements; ++k)
      sums[static_cast<size_t>(k)] = sums[static_cast<size_t>(k)] * 0.7 + values[k];
  }
  if (!result) result = Block::allocate(DType::float64, Dims{elements});
  for (int64_t k = 0; k < elements; ++k) {
    result.data<double>()[k] =
        sums[static_cast<size_t>(k)] / 3 + static_cast<double>(arguments.block + k);
  }
  for (size_t i = 1; i < arguments.outputs.size(); ++i) {
    Block copy = Block::allocate(DType::float64, Dims{elements});
    copy_elements(result, copy);
    copy.data<double>()[0] += static_cast<double>(i);
    arguments.outputs[i].emplace<Block>(std::move(copy));
  }
  arguments.outputs[0].emplace<Block>(std::move(result));
}

/// Steps of tasks each of which reads all tasks of the step before: threads meet on the counts of bundles.
tuff::PlanArrays exchanges(unsigned width, unsigned steps) {
  PlanBuilder builder;
  const uint32_t f = builder.function("mix", mix);
  std::vector<uint32_t> slots;
  for (unsigned step = 0; step < steps; ++step) {
    std::vector<uint32_t> made;
    for (unsigned i = 0; i < width; ++i) made.push_back(builder.task(f, slots));
    slots = std::move(made);
  }
  for (uint32_t slot : slots) builder.output(slot);
  return builder.build();
}

/// A random graph: how far back tasks reach, how many inputs they have and how many start anew differ
/// from graph to graph, so that chains, trees, forests and dense graphs all come up.
tuff::PlanArrays random_plan(unsigned seed, const std::shared_ptr<Trouble>& trouble = nullptr) {
  std::mt19937 random(seed);
  PlanBuilder builder;
  std::vector<uint32_t> slots;
  for (unsigned i = random() % 3; i > 0; --i) {
    Block block = Block::allocate(DType::float64, Dims{elements});
    std::fill_n(block.data<double>(), elements, static_cast<double>(i));
    slots.push_back(builder.constant(Value(std::move(block))));
  }
  slots.push_back(builder.parameter());
  const uint32_t f = builder.function("mix", [trouble](TaskArguments& arguments) {
    if (trouble != nullptr && arguments.task == trouble->task) {
      switch (trouble->kind) {
        case Trouble::Kind::none: break;
        case Trouble::Kind::fail: throw std::runtime_error("drill");
        case Trouble::Kind::stop: trouble->stop.request_stop(); break;
        case Trouble::Kind::slow:
          while (!arguments.stop.stop_requested()) std::this_thread::yield();
          throw Cancelled(Cancelled::Reason::stop_requested, 0, 0);
      }
    }
    mix(arguments);
  });
  const unsigned tasks = 1 + random() % 400;
  const unsigned reach = 1 + random() % (random() % 2 == 0 ? 4 : 100);
  const unsigned most_inputs = 1 + random() % (random() % 4 == 0 ? 30 : 4);
  const unsigned roots_in = 2 + random() % 20;
  for (unsigned t = 0; t < tasks; ++t) {
    std::vector<uint32_t> inputs;
    const unsigned count = random() % roots_in == 0 ? 0 : 1 + random() % most_inputs;
    for (unsigned i = 0; i < count; ++i) {
      const size_t back = 1 + random() % std::min<size_t>(reach, slots.size());
      inputs.push_back(slots[slots.size() - back]);
    }
    const unsigned outputs = random() % 8 == 0 ? 2 + random() % 3 : 1;
    const uint32_t first = builder.task(f, inputs, outputs);
    for (unsigned i = 0; i < outputs; ++i) slots.push_back(first + i);
  }
  for (unsigned i = 0; i < 5; ++i) builder.output(slots[random() % slots.size()]);
  builder.output(slots.back());
  tuff::PlanArrays plan = builder.build();
  if (seed % 2 != 0) {  // gone through by number, unless that is what depth first does
    plan.is_ordered = true;
    plan.options = {{}, {.priority = 1}};
    for (size_t t = 0; t < plan.task_count(); ++t) plan.option_of.push_back(t % 2);
  }
  return plan;
}

std::vector<Value> parameters() {
  std::vector<Value> values;
  Block block = Block::allocate(DType::float64, Dims{elements});
  for (int64_t k = 0; k < elements; ++k) block.data<double>()[k] = 0.1 * static_cast<double>(k);
  values.emplace_back(std::move(block));
  return values;
}

/// The outputs' bits.
std::string bits_of(const std::vector<Value>& outputs) {
  std::string bits;
  for (const Value& value : outputs) {
    const Block& block = value.get<Block>();
    bits.append(reinterpret_cast<const char*>(block.bytes_data()), block.bytes());
  }
  return bits;
}

RunOptions with(Context& context) {
  RunOptions options;
  options.context = &context;
  return options;
}

Context& context_of(int threads) {
  static Context one({.threads = 1});
  static Context two({.threads = 2});
  static Context three({.threads = 3});
  static Context seven({.threads = 7});
  switch (threads) {
    case 1: return one;
    case 2: return two;
    case 3: return three;
    default: return seven;
  }
}

class RunRace : public testing::Test {
 protected:
  ~RunRace() override { EXPECT_EQ(tuff::buffer_statistics().live_buffers, live_buffers_); }

 private:
  size_t live_buffers_ = tuff::buffer_statistics().live_buffers;
};

TEST_F(RunRace, RandomGraphsGiveEqualBitsAtAnyThreadCount) {
  for (unsigned seed = 0; seed < 150; ++seed) {
    const Runner runner(random_plan(seed));
    const std::string expected = bits_of(runner.run(parameters(), with(context_of(1))));
    for (int threads : {2, 3, 7, 2, 1}) {
      ASSERT_EQ(bits_of(runner.run(parameters(), with(context_of(threads)))), expected)
          << "seed " << seed << ", " << threads << " threads";
    }
  }
}

TEST_F(RunRace, ExchangesGiveEqualBitsAtAnyThreadCount) {
  for (unsigned width : {4u, 9u, 16u}) {
    const Runner runner(exchanges(width, 30));
    const std::string expected = bits_of(runner.run({}, with(context_of(1))));
    for (int repeat = 0; repeat < 10; ++repeat) {
      for (int threads : {2, 3, 7}) {
        ASSERT_EQ(bits_of(runner.run({}, with(context_of(threads)))), expected)
            << "width " << width << ", " << threads << " threads";
      }
    }
  }
}

TEST_F(RunRace, HelpersDoTakePart) {
  // Else the other tests here would show nothing.
  struct Sink : tuff::TraceSink {
    void on_run(const tuff::TraceRun& run) override {
      for (const tuff::TraceEvent& event : run.events) shared = shared || event.thread > 0;
    }
    bool shared = false;
  } sink;
  RunOptions options = with(context_of(3));
  options.trace = &sink;
  for (unsigned seed = 0; seed < 50; ++seed) {
    static_cast<void>(Runner(random_plan(seed)).run(parameters(), options));
  }
  EXPECT_TRUE(sink.shared);
}

/// Hears everything that there is to hear, and counts it.
struct Listener : tuff::TraceSink, tuff::RunObserver {
  void on_run(const tuff::TraceRun& run) override {
    ++runs;
    kept += run.events.size();
    dropped += run.dropped;
    for (const tuff::TraceWait& wait : run.waits) EXPECT_LT(wait.start_ns, wait.end_ns);
  }
  bool live() const override { return true; }
  void on_part(const tuff::TraceRun& part) override {
    in_parts += part.events.size();
    for (const tuff::TraceEvent& event : part.events) EXPECT_LE(event.start_ns, event.end_ns);
  }
  uint64_t max_events() const override { return 40; }
  void on_start(const std::shared_ptr<const tuff::RunProgress>&) override {}
  void on_finish(bool) override {}
  bool wants_tasks() const override { return true; }
  void before_task(const tuff::TaskStart&) override { ++before; }
  void after_task(const tuff::TaskStart&, const tuff::TraceEvent&) override { ++after; }
  std::atomic<uint64_t> runs{0}, kept{0}, dropped{0}, in_parts{0}, before{0}, after{0};
};

TEST_F(RunRace, ReadersHearEveryTaskOnceAndNothingAfterTheRun) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const Runner runner(random_plan(seed));
    const uint64_t tasks = runner.arrays().task_count();
    for (int threads : {2, 3, 7}) {
      Listener listener;
      std::vector<std::thread> clients;
      for (int client = 0; client < 2; ++client) {
        clients.emplace_back([&] {
          for (int i = 0; i < 3; ++i) {
            RunOptions options = with(context_of(threads));
            options.trace = &listener;
            options.observer = &listener;
            static_cast<void>(runner.run(parameters(), options));
          }
        });
      }
      for (std::thread& client : clients) client.join();
      ASSERT_EQ(listener.runs, 6u);
      ASSERT_EQ(listener.in_parts, 6 * tasks);
      ASSERT_EQ(listener.kept + listener.dropped, 6 * tasks);
      ASSERT_EQ(listener.before, 6 * tasks);
      ASSERT_EQ(listener.after, 6 * tasks);
    }
  }
}

TEST_F(RunRace, ManyClientsRunOnePlanAtOnce) {
  for (unsigned seed = 1000; seed < 1010; ++seed) {
    const Runner runner(random_plan(seed));
    const std::string expected = bits_of(runner.run(parameters(), with(context_of(1))));
    std::vector<std::thread> clients;
    clients.reserve(4);
    for (int client = 0; client < 4; ++client) {
      clients.emplace_back([&] {
        for (int i = 0; i < 20; ++i) {
          ASSERT_EQ(bits_of(runner.run(parameters(), with(context_of(3)))), expected);
        }
      });
    }
    for (std::thread& client : clients) client.join();
  }
}

TEST_F(RunRace, PlansAndContextsMayEndRightAfterTheirRuns) {
  for (unsigned seed = 2000; seed < 2060; ++seed) {
    Context context({.threads = 3});
    std::string first;
    for (int i = 0; i < 3; ++i) {
      const std::string bits = bits_of(Runner(random_plan(seed)).run(parameters(), with(context)));
      if (i == 0) first = bits;
      ASSERT_EQ(bits, first);
    }
  }
}

TEST_F(RunRace, NestedRunsOfManyClientsGiveEqualBits) {
  // Leaves, then two levels of plans whose tasks run the plan below in the same context.
  const Runner leaf(random_plan(3001));
  const auto level = [](const Runner& below, Context& context, unsigned seed) {
    std::mt19937 random(seed);
    PlanBuilder builder;
    const uint32_t f = builder.function("nest", [&below, &context](TaskArguments& arguments) {
      mix(arguments);
      std::vector<Value> in;
      in.push_back(std::move(arguments.outputs[0]));
      arguments.outputs[0] = std::move(below.run(std::move(in), with(context)).back());
    });
    std::vector<uint32_t> slots = {builder.parameter()};
    for (int t = 0; t < 6; ++t) {
      slots.push_back(builder.task(f, {slots[random() % slots.size()], slots.back()}));
    }
    builder.output(slots.back());
    return builder.build();
  };
  std::vector<std::string> results;
  for (int threads : {1, 2, 3, 7}) {
    Context& context = context_of(threads);
    const Runner middle(level(leaf, context, 1));
    const Runner outer(level(middle, context, 2));
    results.push_back(bits_of(outer.run(parameters(), with(context))));
    std::vector<std::thread> clients;
    clients.reserve(3);
    for (int client = 0; client < 3; ++client) {
      clients.emplace_back(
          [&] { ASSERT_EQ(bits_of(outer.run(parameters(), with(context))), results.front()); });
    }
    for (std::thread& client : clients) client.join();
  }
  for (const std::string& bits : results) EXPECT_EQ(bits, results.front());
}

class ElementBytes final : public tuff::BlockBytes {
 public:
  uint64_t bytes(uint32_t, uint32_t) const override {
    return static_cast<uint64_t>(elements) * sizeof(double);
  }
};

/// One run with trouble; checks that the right error comes out, then that the runner works. `calm`: a context
/// with ample memory.
void drill(unsigned seed, Context& context, Context& calm) {
  std::mt19937 random(seed);
  const auto trouble = std::make_shared<Trouble>();
  tuff::PlanArrays plan = random_plan(seed, trouble);
  plan.function_bytes.assign(plan.functions.size(), std::make_shared<ElementBytes>());
  plan.output_bytes = tuff::BlockBytes::kUnknown;
  const Runner runner(std::move(plan));
  const std::string expected = bits_of(runner.run(parameters(), with(calm)));
  const size_t live = tuff::buffer_statistics().live_buffers;
  trouble->task = random() % static_cast<uint32_t>(runner.arrays().task_count());
  RunOptions options = with(context);
  options.stop = trouble->stop.get_token();
  const unsigned kind = random() % 4;
  try {
    switch (kind) {
      case 0: trouble->kind = Trouble::Kind::fail; break;
      case 1: trouble->kind = Trouble::Kind::stop; break;
      case 2:
        trouble->kind = Trouble::Kind::slow;
        options.deadline = std::chrono::microseconds(random() % 2000);
        break;
      default: trouble->kind = Trouble::Kind::slow; break;
    }
    std::thread stopper;
    if (kind == 3) {
      stopper = std::thread([trouble, pause = random() % 500] {
        std::this_thread::sleep_for(std::chrono::microseconds(pause));
        trouble->stop.request_stop();
      });
    }
    struct Join {
      std::thread& thread;
      ~Join() {
        if (thread.joinable()) thread.join();
      }
    } join{stopper};
    static_cast<void>(runner.run(parameters(), options));
    FAIL() << "seed " << seed << " ended well";
  } catch (const TaskError& error) {
    EXPECT_EQ(kind, 0u);
    ASSERT_EQ(error.failures().size(), 1u);
    EXPECT_EQ(error.failures()[0].task, trouble->task);
    EXPECT_EQ(tuff::describe(error.failures()[0].cause), "drill");
  } catch (const Cancelled& error) {
    EXPECT_EQ(error.reason(),
              kind == 2 ? Cancelled::Reason::deadline : Cancelled::Reason::stop_requested);
    EXPECT_NE(kind, 0u);
  }
  EXPECT_EQ(tuff::buffer_statistics().live_buffers, live) << "seed " << seed;
  trouble->kind = Trouble::Kind::none;
  EXPECT_EQ(bits_of(runner.run(parameters(), with(context))), expected);
}

TEST_F(RunRace, NoKindOfTroubleLeaksOrHangsOrChangesTheNextRun) {
  for (unsigned seed = 4000; seed < 4300; ++seed) {
    Context& context = context_of(seed % 4 == 0 ? 1 : seed % 4 == 1 ? 2 : seed % 4 == 2 ? 3 : 7);
    drill(seed, context, context);
    if (HasFailure()) return;
  }
}

// The same where blocks go to disk and come back all the time.
TEST_F(RunRace, NorDoesTroubleWhileBlocksAreSpilled) {
  elements = 512;
  Context calm({.threads = 1});
  uint64_t spilled = 0;
  for (unsigned seed = 6000; seed < 6700; ++seed) {
    Context context({.threads = 1 + static_cast<int>(seed % 4),
                     .memory_bytes = tuff::live_bytes() + 48 * 4096,
                     .spill_folder = "/var/tmp"});
    drill(seed, context, calm);
    spilled += memory_statistics(&context).spilled_bytes;
    EXPECT_EQ(memory_statistics(&context).disk_bytes, 0u) << "seed " << seed;
    if (HasFailure()) break;
  }
  EXPECT_GT(spilled, 1'000'000u);
  elements = 16;
}

TEST_F(RunRace, NorDoesADiskThatIsFull) {
  elements = 512;
  Context calm({.threads = 1});
  int full = 0;
  for (unsigned seed = 7000; seed < 7300 && !HasFailure(); ++seed) {
    tuff::PlanArrays plan = random_plan(seed);
    plan.function_bytes.assign(plan.functions.size(), std::make_shared<ElementBytes>());
    plan.output_bytes = tuff::BlockBytes::kUnknown;
    const Runner runner(std::move(plan));
    const std::string expected = bits_of(runner.run(parameters(), with(calm)));
    const size_t live = tuff::live_bytes();
    Context context({.threads = 1 + static_cast<int>(seed % 4),
                     .memory_bytes = live + 48 * 4096,
                     .spill_folder = "/var/tmp",
                     .spill_bytes = 4096 * (seed % 16)});
    try {
      EXPECT_EQ(bits_of(runner.run(parameters(), with(context))), expected) << "seed " << seed;
    } catch (const TaskError& error) {
      ++full;
      EXPECT_THROW(std::rethrow_exception(error.failures()[0].cause), tuff::MemoryError);
    }
    EXPECT_EQ(tuff::live_bytes(), live) << "seed " << seed;
    EXPECT_EQ(memory_statistics(&context).disk_bytes, 0u) << "seed " << seed;
    RunOptions ample = with(context);
    ample.memory_bytes = live + (size_t{1} << 30);
    EXPECT_EQ(bits_of(runner.run(parameters(), ample)), expected) << "seed " << seed;
  }
  EXPECT_GT(full, 10);
  elements = 16;
}

TEST_F(RunRace, ClientsInTroubleDoNotDisturbOthers) {
  const Runner calm(random_plan(5000));
  const std::string expected = bits_of(calm.run(parameters(), with(context_of(3))));
  const auto trouble = std::make_shared<Trouble>();
  trouble->kind = Trouble::Kind::fail;
  const Runner failing(random_plan(5001, trouble));
  std::atomic<bool> over{false};
  std::thread troubled([&] {
    while (!over.load()) {
      EXPECT_THROW(static_cast<void>(failing.run(parameters(), with(context_of(3)))), TaskError);
    }
  });
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(bits_of(calm.run(parameters(), with(context_of(3)))), expected);
  }
  over = true;
  troubled.join();
}

TEST_F(RunRace, NestedFailuresEndEveryLevel) {
  const auto trouble = std::make_shared<Trouble>();
  trouble->kind = Trouble::Kind::fail;
  const Runner leaf(random_plan(6000, trouble));
  for (int threads : {1, 2, 7}) {
    Context& context = context_of(threads);
    PlanBuilder builder;
    const uint32_t f = builder.function("nest", [&leaf, &context](TaskArguments& arguments) {
      arguments.outputs[0] = std::move(leaf.run(parameters(), with(context)).back());
    });
    for (int t = 0; t < 20; ++t) builder.output(builder.task(f, {}));
    const Runner outer(builder.build());
    for (int i = 0; i < 10; ++i) {
      EXPECT_THROW(static_cast<void>(outer.run({}, with(context))), TaskError);
    }
  }
}

}  // namespace
